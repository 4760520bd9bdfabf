"""What commands print: tables for people, JSON for programs, and errors with what, why and fix."""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import NoReturn

import click

from mailstead.errors import Exit, MailError, Reason, Trouble

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, also where it could not be parsed."""
    return "--json" in arguments


def fail(trouble: Trouble, *, as_json: bool) -> NoReturn:
    """Say what went wrong, and end with its exit code."""
    if as_json:
        print_json(
            {
                "error": trouble.what,
                "why": trouble.why,
                "fix": trouble.fix,
                "exit": int(trouble.exit_code),
            }
            | ({"safe": trouble.safe} if trouble.safe else {})
        )
    else:
        lines = [f"error: {trouble.what}"]
        lines += [f"  why   {trouble.why}"] if trouble.why else []
        lines += [f"  fix   {trouble.fix}"] if trouble.fix else []
        lines += [f"  safe  {trouble.safe}"] if trouble.safe else []
        click.echo("\n".join(lines), err=True)
    sys.exit(int(trouble.exit_code))


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=None if _piped() else 2))


def _piped() -> bool:
    return not sys.stdout.isatty()


def time_of(seconds: float) -> str:
    """A time as RFC 3339 has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fancy() -> bool:
    """Whether colours and a pager are welcome."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def page(text: str) -> None:
    """Print *text* on a terminal, through a pager when it is longer than the screen."""
    if text.count("\n") < shutil.get_terminal_size().lines:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text, color=fancy())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """A table: aligned plain text, or with colours and paging on a terminal."""
    if not rows:
        click.echo(empty)
        return
    if fancy():
        from rich.console import Console  # noqa: PLC0415  # imported late
        from rich.table import Table  # noqa: PLC0415  # imported late

        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        console = Console()
        with console.capture() as captured:
            console.print(table)
        page(captured.get())
        return
    widths = [max(len(c), *(len(r[i]) for r in rows)) for i, c in enumerate(columns)]
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


class Progress:
    """How far long work has come, on standard error: a bar on a terminal, else a line every ten seconds.

    Args:
        label: What is done, as "Sealed again".
        total: Of how many.
    """

    EVERY = 10.0  # seconds

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done = label, total, 0
        self._said = time.monotonic()
        self._bar = None
        if sys.stderr.isatty() and total:
            self._bar = click.progressbar(length=total, label=label, file=sys.stderr, show_eta=True)
            self._bar.render_progress()

    def reach(self, done: int) -> None:
        """So many of them are done."""
        done = min(max(done, self._done), self._total)
        if self._bar is not None:
            self._bar.update(done - self._done)
        elif time.monotonic() - self._said >= self.EVERY:
            self._said = time.monotonic()
            click.echo(f"{self._label}: {done:,} of {self._total:,}", err=True)
        self._done = done

    def end(self) -> None:
        """Nothing more comes."""
        if self._bar is not None:
            self._bar.render_finish()


@contextlib.contextmanager
def when_login_fails(trouble: Trouble) -> Generator[None]:
    """Have a login that fails be told as *trouble*."""
    try:
        yield
    except MailError as error:
        if error.reason is not Reason.LOGIN_FAILED:
            raise
        raise trouble from error


def from_mail_error(error: MailError, what: str) -> Trouble:
    """What a failed act on an account means to the person who asked for it."""
    why, fix, code = _MEANING.get(error.reason, (str(error), "try again, and look at the log", Exit.FAILED))
    return Trouble(what, why=why, fix=fix, exit_code=code)


_MEANING: dict[Reason, tuple[str, str, Exit]] = {
    Reason.LOGIN_FAILED: (
        "the password or the words do not open this account, or there is no such account",
        "try again; with the twelve recovery words: mailstead user password ADDRESS --words-file F",
        Exit.WRONG_KEY,
    ),
    Reason.ACCOUNT_DISABLED: (
        "the account is disabled: nothing opens it",
        "mailstead user enable ADDRESS",
        Exit.WRONG_KEY,  # as a server answers over IMAP, which does not say which it is
    ),
    Reason.OUT_OF_SCOPE: (
        "an app password changes no keys, and one for sending opens no mail",
        "use the account's own password",
        Exit.WRONG_KEY,
    ),
    Reason.NAME_TAKEN: ("a way in has this name, or would later", "choose another", Exit.FAILED),
    Reason.TOO_MANY_WAYS_IN: (
        "an account has 64 app passwords at most",
        "mailstead key app remove ADDRESS NAME",
        Exit.FAILED,
    ),
    Reason.NO_SUCH_WAY_IN: ("nothing has this name or id", "mailstead key show ADDRESS", Exit.FAILED),
    Reason.SEVERAL_WAYS_IN: (
        "several ways in have this name",
        "use the id instead: mailstead key show ADDRESS",
        Exit.FAILED,
    ),
    Reason.LAST_WAY_IN: (
        "nothing else opens the account's keys: its mail would be lost",
        "mailstead user password ADDRESS, to change it",
        Exit.FAILED,
    ),
    Reason.KEY_CHANGED: ("the keys were changed at the same time", "try again", Exit.TRY_LATER),
    Reason.NO_SUCH_ACCOUNT: ("nobody has this address", "mailstead user list", Exit.FAILED),
    Reason.ADDRESS_TAKEN: ("somebody has this address", "mailstead user list", Exit.FAILED),
    Reason.NO_SUCH_MAILBOX: ("there is no such mailbox", "choose another --mailbox", Exit.FAILED),
    Reason.NO_SUCH_MESSAGE: ("there is no such message", "mailstead mail list", Exit.FAILED),
    Reason.TOO_BUSY: ("the server is too busy", "try again later", Exit.TRY_LATER),
    Reason.STORAGE_FULL: ("the disk is full", "free some space", Exit.TRY_LATER),
    Reason.STORAGE_UNAVAILABLE: ("the database does not answer", "try again later", Exit.TRY_LATER),
    Reason.NOT_AS_LEFT: (
        "what is stored is older, or less, than what was written",
        "mailstead verify --user ADDRESS says what; with --accept it can be changed again",
        Exit.PROBLEMS_FOUND,
    ),
    Reason.DAMAGED: (
        "what is stored is not what this account wrote",
        "restore a backup; nothing was changed or deleted",
        Exit.WRONG_KEY,
    ),
}
