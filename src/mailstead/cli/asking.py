"""Questions to whoever sits at the terminal; where nobody does, what to give instead is said."""

import sys

from mailstead.errors import Exit, Trouble


def need_terminal(question: str, fix: str) -> None:
    """See that there is somebody to ask.

    Raises:
        Trouble: there is not.
    """
    if not sys.stdin.isatty():
        raise Trouble(
            f'there is no terminal to ask "{question}"',
            why="standard input is not a terminal",
            fix=fix,
            exit_code=Exit.USAGE,
        )
