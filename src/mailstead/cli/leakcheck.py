"""`mailstead leakcheck`: whether anything of mail is written down in clear, tried and not believed."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple, TextIO

import click

from mailstead.accounts.provision import Office
from mailstead.cli import init
from mailstead.cli.leakreport import in_json, show
from mailstead.cli.office import with_office
from mailstead.cli.output import json_option, print_json
from mailstead.cli.secrets import read_secret
from mailstead.config import Settings
from mailstead.errors import Exit, Trouble
from mailstead.leakcheck.places import Places
from mailstead.leakcheck.running import Report, Run, look_only
from mailstead.leakcheck.scene import engine_folder, known_in_clear
from mailstead.scan import SHORTEST
from mailstead.services.state import ask
from mailstead.store.accounts import find_recipient

_WHAT = "the check could not be made"
_LONGEST = 200  # octets of a word: a line of mail has it whole


class _Asked(NamedTuple):
    """What the options say: words by name, what else is searched, whether people may be made."""

    words: dict[str, bytes]
    also: tuple[str, ...]
    account: bool
    quiet: bool


@click.command("leakcheck")
@click.option("--word", "given", multiple=True, metavar="WORD", help="Look for it, too; not for a secret.")
@click.option("--words-file", metavar="F|-", help="Look for each line of a file, too.")
@click.option("--data", is_flag=True, help="Search the settings' own data, server running or not.")
@click.option("--account", is_flag=True, help="Make two accounts there, and remove them again.")
@click.option("--also", multiple=True, metavar="PATH", help="Search this file or folder, too: logs, backups.")
@json_option
@click.pass_obj
def command(
    config: str | None, given: tuple[str, ...], words_file: str | None, data: bool, account: bool,
    also: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Do what senders and an owner do, with words that were never anywhere before, and search for them.

    In an installation of its own in a temporary folder, without a network. With --data, or --config before
    the command, in real data: for your words, and with --account also for its own, in mail to two accounts
    that are made and removed. Nobody's mail is opened. Exit 1: something was found.
    """
    here = data or config is not None
    words = _words(given, words_file)
    if account and not here:
        raise _usage("--account is for real data", "a temporary installation has its own", "--data")
    if here and not words and not account:
        raise _usage(
            "there is nothing to look for", "what is in real data only its owners know",
            "--words-file F with your words, or --account",
        )  # fmt: skip
    for path in also:
        if not Path(path).exists():
            raise _usage(f"{path} cannot be searched", "there is no such file or folder", "name another")
    for sign in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was made is removed on every way out
        signal.signal(sign, _interrupt)
    asked = _Asked(words, also, account, as_json)
    report = _in_data(config, asked) if here else _in_fresh(asked)
    if as_json:
        print_json(in_json(report))
    else:
        show(report)
    if not report.ok:
        sys.exit(int(Exit.FAILED))


def _interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def _usage(what: str, why: str, fix: str) -> Trouble:
    return Trouble(what, why=why, fix=fix, exit_code=Exit.USAGE)


def _words(given: tuple[str, ...], file: str | None) -> dict[str, bytes]:
    """The words by the names they are told by: those of a file, which may be secrets, by their lines."""
    words = {word: word.encode() for word in given}
    if file is not None:
        lines = read_secret(file).splitlines()
        words |= {f"line {n} of the words": line for n, line in enumerate(lines, 1) if line.strip()}
    for name, word in words.items():
        if not SHORTEST <= len(word) <= _LONGEST:
            why = f"it has {len(word)} octets; shorter ones are met by chance, longer ones are cut"
            raise _usage(f"{name} cannot be looked for", why, f"words of {SHORTEST} to {_LONGEST} octets")
    return words


def _in_data(config: str | None, asked: _Asked) -> Report:
    """In real data, whose server may run meanwhile."""
    with tempfile.TemporaryDirectory(prefix="mailstead-leakcheck-") as own, _log(Path(own)) as log:

        async def act(office: Office, settings: Settings) -> Report:
            workers, silent = await ask(settings.data / "run")
            pids = [*(worker["pid"] for worker in workers), *silent, os.getpid()]
            places = Places([settings.data, Path(own), *map(Path, asked.also)], pids)
            if settings.store().database is not None:
                _add_engine(places, await engine_folder(office.database))
            names = [settings.file.hostname, *settings.domains]
            known = await known_in_clear(office.database, asked.words, names)
            words = {name: word for name, word in asked.words.items() if name not in known}
            if not asked.account:
                return await look_only(office, words, places, known)
            await _somebody_lives_in(office, settings.domains[0])
            return await Run(office, settings, log, words, places, _say(asked)).go(known)

        return with_office(config, _WHAT, act)


async def _somebody_lives_in(office: Office, domain: str) -> None:
    """See that the postmaster of a domain is somebody who stays.

    Raises:
        Trouble: there is none.
    """
    postmaster = f"postmaster@{domain}"
    if await office.database.read(lambda tx: find_recipient(tx, postmaster)) is None:
        raise Trouble(
            f"nobody lives in {domain} yet",
            why=f"the first account of a domain gets the mail of {postmaster}, which would go with it",
            fix=f"mailstead user add NAME@{domain}, or leave --account out",
        )


def _add_engine(places: Places, folder: str | None) -> None:
    """Have PostgreSQL's own files searched, where they can be."""
    if folder is not None and os.access(folder, os.R_OK | os.X_OK):
        places.paths = [*places.paths, Path(folder)]
    else:
        why = "they are on another machine, or not to be read by this user"
        places.searched.unread[f"PostgreSQL's own files{f' in {folder}' if folder else ''}"] = why


def _log(folder: Path) -> TextIO:
    return (folder / "log").open("w")


def _in_fresh(asked: _Asked) -> Report:
    """In an installation that is made for it; whatever is written to a temporary file is in it, too."""
    with _temporary() as folder, _log(folder) as log:
        made = init.make(folder / "box", "localhost", ("leakcheck.test",))

        async def act(office: Office, settings: Settings) -> Report:
            places = Places([folder, *map(Path, asked.also)], [os.getpid()])
            return await Run(office, settings, log, asked.words, places, _say(asked)).go([])

        return with_office(made["config"], _WHAT, act)


@contextlib.contextmanager
def _temporary() -> Generator[Path]:
    """A folder below which everything lies that this process writes."""
    with tempfile.TemporaryDirectory(prefix="mailstead-leakcheck-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        # SQLite and all else that asks for a place.
        os.environ["TMPDIR"] = os.environ["SQLITE_TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        try:
            yield folder
        finally:
            tempfile.tempdir = None
            del os.environ["TMPDIR"], os.environ["SQLITE_TMPDIR"]


def _say(asked: _Asked) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not asked.quiet:
            click.echo(f"  {text} ...", err=True)

    return say
