"""Secrets on their way in: by prompt, by file, by standard input; never by argument."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailstead.errors import Exit, Trouble

if TYPE_CHECKING:
    from mailstead.accounts.opening import Credential


def password_from(file: str | None, prompt: str, *, confirm: bool = False) -> bytes:
    """A password as typed, or as a file holds it.

    Args:
        file: A path, "-" for standard input, or None to ask.
        confirm: Ask twice.

    Raises:
        Trouble: there is no such file, or nobody to ask.
    """
    from mailstead.crypto.passwords import from_file  # noqa: PLC0415  # imported late

    if file is not None:
        return from_file(read_secret(file))
    if not sys.stdin.isatty():
        raise Trouble(
            "there is no terminal to ask for the password",
            why="standard input is not a terminal",
            fix="--password-file FILE, or --password-file - to read it from standard input",
            exit_code=Exit.USAGE,
        )
    typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return typed.encode()


def credential_from(password_file: str | None, words_file: str | None, prompt: str) -> "Credential":
    """What an owner proves himself with: the words of a file, or else his password.

    Raises:
        Trouble: there is none, or it cannot be one.
    """
    from mailstead.accounts.opening import Credential  # noqa: PLC0415  # imported late

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

    typed = read_secret(file) if file is not None else password_from(None, prompt)
    try:
        return Credential.invitation(typed)
    except ValueError as error:
        raise Trouble("that is no invitation", why=str(error), fix="copy all of it",
                      exit_code=Exit.WRONG_KEY) from error  # fmt: skip


def words_from(file: str | None) -> "Credential":
    """Recovery words as a file holds them, or as typed.

    Raises:
        Trouble: there are none, or they cannot be such.
    """
    from mailstead.accounts.opening import Credential  # noqa: PLC0415  # imported late

    typed = read_secret(file) if file is not None else password_from(None, "Your twelve recovery words")
    try:
        return Credential.words(typed.decode("utf-8", "replace"))
    except ValueError as error:
        raise Trouble("those are not twelve recovery words", why=str(error), fix="type them again, in order",
                      exit_code=Exit.WRONG_KEY) from error  # fmt: skip


def bad_password(error: ValueError) -> Trouble:
    """What somebody is told who chose a password that cannot be one."""
    return Trouble("that cannot be a password", why=str(error), fix="choose another", exit_code=Exit.USAGE)


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
        Trouble: it cannot be read.
    """
    if file == "-":
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
