"""An organisation's escrow key as files: whole, or as shares in words."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from mailstead.cli.newfile import PRIVATE, PUBLIC, write_all
from mailstead.cli.secrets import read_secret
from mailstead.crypto.escrow import BadShare, join, parse_seed
from mailstead.errors import Exit, Trouble

_SHARES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})")


def escrow_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options by which an organisation shows its key, as `seed_from` takes them."""
    for option in (
        click.option("--share", multiple=True, metavar="F", help="A share of it; as many as it needs."),
        click.option("--escrow-key", metavar="F|-", help="The private half of an escrow key."),
    ):
        function = option(function)
    return function


def seed_from(key: str | None, shares: tuple[str, ...]) -> bytes:
    """The private half of a key, from its file or from files of shares.

    Raises:
        Trouble: neither or both are given, or they are not that.
    """
    if (key is None) == (not shares):
        raise Trouble(
            "it is not clear which key to use",
            why="one of --escrow-key and --share has to be given",
            fix="--escrow-key FILE, or --share FILE --share FILE ...",
            exit_code=Exit.USAGE,
        )
    try:
        if key is not None:
            return parse_seed(read_secret(key).decode("utf-8", "replace"))
        return join([read_secret(share).decode("utf-8", "replace") for share in shares])
    except ValueError as error:
        why = f"{shares[error.index]}: {error}" if isinstance(error, BadShare) else str(error)
        raise Trouble(
            "that is not an escrow key",
            why=why,
            fix="give all the shares it needs, or the file",
            exit_code=Exit.WRONG_KEY,
        ) from error


def shares_of(text: str) -> tuple[int, int]:
    """K and N of "K/N".

    Raises:
        Trouble: it is something else.
    """
    found = _SHARES.fullmatch(text)
    if found is None:
        raise Trouble(f'"{text}" is no number of shares', why="it is K/N: any K of N bring the key back",
                      fix="--shares 2/3", exit_code=Exit.USAGE)  # fmt: skip
    return int(found[1]), int(found[2])


def write_key(private: Mapping[Path, str], public: Path, text: str) -> None:
    """Make the files of a key, or none: a public half is never there without its private one.

    Raises:
        Trouble: one of them is there already.
    """
    files = {path: (f"{half}\n".encode(), PRIVATE) for path, half in private.items()}
    try:
        write_all(files | {public: (f"{text}\n".encode(), PUBLIC)})
    except FileExistsError as error:
        raise Trouble(
            f"{error.filename} is there already",
            why="a key is never written over",
            fix="choose another name",
            exit_code=Exit.USAGE,
        ) from error
