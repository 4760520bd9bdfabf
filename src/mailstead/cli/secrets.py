"""Secrets on their way in: by prompt, by file, by standard input; never by argument."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailstead.cli.asking import need_terminal
from mailstead.errors import Exit, Trouble

if TYPE_CHECKING:
    from mailstead.accounts.opening import Credential


def password_from(
    file: str | None, prompt: str, option: str = "--password-file", *, confirm: bool = False
) -> bytes:
    """A password as typed, or as a file holds it.

    Args:
        file: A path, "-" for standard input, or None to ask.
        option: By which the file is named.
        confirm: Ask twice.

    Raises:
        Trouble: there is no such file, or nobody to ask.
    """
    from mailstead.crypto.passwords import from_file  # noqa: PLC0415  # imported late

    if file is not None:
        return from_file(read_secret(file))
    need_terminal(prompt, f"{option} FILE, or {option} - to read it from standard input")
    try:
        typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
        return typed.encode()
    except UnicodeError as error:
        raise Trouble(
            "what was typed is not text of this terminal",
            why="its octets are no letters of the terminal's character set",
            fix=f"set LC_ALL to the terminal's character set, or use {option} FILE",
            exit_code=Exit.USAGE,
        ) from error


def new_password_from(file: str | None, prompt: str, option: str = "--new-password-file") -> bytes:
    """A password that somebody chooses, as `password_from` has it; it can be one.

    Raises:
        Trouble: it cannot, or there is none.
    """
    from mailstead.accounts.newways import prepare  # noqa: PLC0415  # imported late

    try:
        return prepare(password_from(file, prompt, option, confirm=True))
    except ValueError as error:
        raise Trouble(
            "that cannot be a password", why=str(error), fix="choose another", exit_code=Exit.USAGE
        ) from error


def credential_from(password_file: str | None, words_file: str | None, prompt: str) -> "Credential":
    """What an owner proves himself with: the words of a file, or else his password.

    Raises:
        Trouble: there is none, or it cannot be one, or there are two.
    """
    from mailstead.accounts.opening import Credential  # noqa: PLC0415  # imported late

    if words_file is not None and password_file is not None:
        raise Trouble(
            "it is not clear what to prove who you are with",
            why="--password-file and --words-file are both given",
            fix="give one of them",
            exit_code=Exit.USAGE,
        )
    try:
        if words_file is not None:
            return Credential.words(read_secret(words_file).decode("utf-8", "replace"))
        return Credential.password(password_from(password_file, prompt))
    except ValueError as error:
        raise Trouble(
            "that does not open the account", why=str(error), fix="try again", exit_code=Exit.WRONG_KEY
        ) from error


def invitation_from(file: str | None, prompt: str) -> "Credential":
    """An invitation as a file holds it, or as typed.

    Raises:
        Trouble: there is none, or it cannot be one.
    """
    from mailstead.accounts.opening import Credential  # noqa: PLC0415  # imported late

    typed = read_secret(file) if file is not None else password_from(None, prompt, "--invitation-file")
    try:
        return Credential.invitation(typed)
    except ValueError as error:
        raise Trouble("that is no invitation", why=str(error), fix="try again",
                      exit_code=Exit.WRONG_KEY) from error  # fmt: skip


def words_from(file: str | None) -> "Credential":
    """Recovery words as a file holds them, or as typed.

    Raises:
        Trouble: there are none, or they cannot be such.
    """
    from mailstead.accounts.opening import Credential  # noqa: PLC0415  # imported late

    prompt = "Your twelve recovery words"
    typed = read_secret(file) if file is not None else password_from(None, prompt, "--words-file")
    try:
        return Credential.words(typed.decode("utf-8", "replace"))
    except ValueError as error:
        raise Trouble("those are not twelve recovery words", why=str(error), fix="type them again, in order",
                      exit_code=Exit.WRONG_KEY) from error  # fmt: skip


def proof(function: Callable[..., None]) -> Callable[..., None]:
    """The options by which an owner proves who he is, as `credential_from` takes them."""
    for option in (
        click.option(
            "--words-file", metavar="F|-", help="Prove who you are with the recovery words instead."
        ),
        click.option("--password-file", metavar="F|-", help="Read the password from a file."),
    ):
        function = option(function)
    return function


def read_secret(file: str) -> bytes:
    """What a file, or standard input, holds.

    Raises:
        Trouble: it cannot be read, or standard input was to be another secret, too.
    """
    if file == "-":
        asked = click.get_current_context().meta
        if asked.setdefault(__name__, 0):
            raise Trouble(
                "standard input is one secret only",
                why='"-" is given for two',
                fix="name a file for one of them",
                exit_code=Exit.USAGE,
            )
        asked[__name__] += 1
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Trouble(
            f"{file} cannot be read",
            why=error.strerror or str(error),
            fix="name another file",
            exit_code=Exit.USAGE,
        ) from error
