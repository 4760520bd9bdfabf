"""Recovery words on a terminal: shown once, and two of them asked back."""

import secrets
import sys
from collections.abc import Callable, Sequence

import click

from mailstead.errors import Trouble


def show_words(words: Sequence[str]) -> None:
    """Print them, and ask two of them back where there is somebody to ask."""
    click.echo("Recovery words, shown once; write them down:\n")
    for row in range(0, len(words), 6):
        cells = [f"{i + 1:2} {w:<8}" for i, w in enumerate(words) if row <= i < row + 6]
        click.echo("  " + "  ".join(cells).rstrip())
    click.echo("\nWithout your password or these words, your mail cannot be read by anyone.")
    if sys.stdin.isatty():
        ask_back(words, lambda question: click.prompt(question, type=str, err=True))


def show_words_of(address: str, words: Sequence[str]) -> None:
    """As `show_words`, of an account that is made, whatever is answered.

    Raises:
        Trouble: nothing was answered.
    """
    try:
        show_words(words)
    except click.Abort as error:
        raise Trouble(
            f"{address} is made; its words were not checked",
            why="two of them were asked for, and not given",
            fix=f"mailstead key words {address}, for others, if you have no list of these",
        ) from error


def ask_back(words: Sequence[str], ask: Callable[[str], str]) -> None:
    """Ask for two of the words until they are right: a list that was not written down is none."""
    one, other = sorted(secrets.SystemRandom().sample(range(len(words)), 2))
    expected = [words[one], words[other]]
    while ask(f"Words {one + 1} and {other + 1}, please").lower().split() != expected:
        click.echo("That is not what stands there: look at your list again.", err=True)
    click.echo("ok", err=True)
