"""`mailstead inspect`: what sealed octets show without a key, and with one their frame."""

import base64
import contextlib
import sys
from collections.abc import Generator
from pathlib import Path

import click

from mailstead.accounts.openedrows import OpenedRow
from mailstead.accounts.provision import Office
from mailstead.cli.inspectfile import look_at_file
from mailstead.cli.inspectkey import open_in_copy, open_with_key
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, print_table
from mailstead.cli.rownames import RowName, is_name, parse, pattern, spelled
from mailstead.cli.rowview import show, view
from mailstead.cli.rowwords import TABLES, WORDS
from mailstead.cli.secrets import credential_from, proof
from mailstead.config import Settings
from mailstead.errors import Exit, Trouble
from mailstead.mail.address import AddressError, parse_mailbox
from mailstead.store.accounts import find_recipient
from mailstead.store.copies import Copy, is_database
from mailstead.store.database import SqlValue, Tx
from mailstead.store.sealedrows import SealedRow, count, listed, read

_Listed = list[tuple[tuple[SqlValue, ...], int]]
_Counted = list[tuple[str, int, int, bool]]


@click.command("inspect")
@click.argument("what", required=False, metavar="[FILE|ROW]")
@click.argument("row", required=False, metavar="[ROW]")
@click.option("--user", metavar="ADDRESS", help="Open it with this owner's password.")
@proof
@click.option("--content", is_flag=True, help="With a key: what is in it, on standard output.")
@json_option
@click.pass_obj
def command(
    config: str | None, what: str | None, row: str | None, user: str | None, password_file: str | None,
    words_file: str | None, content: bool, as_json: bool,
) -> None:  # fmt: skip
    """What sealed octets are, without a key: kind, version, what they are bound to, what nobody can tell.

    \b
    mailstead inspect                                      which sorts of rows there are
    mailstead inspect page:ann@example.com                 the rows of one sort
    mailstead inspect page:ann@example.com/MAILBOX/0/A     one of them
    mailstead inspect backup/mail.db [ROW]                 the same of a copy
    mailstead inspect FILE                                 a spool file, or a record with its header
    """
    file = None if what is None or is_name(what) else Path(what)
    if file is None and row is not None:
        raise _usage(
            f"{row} is one too many", "a ROW stands alone, or behind a FILE", "mailstead inspect --help"
        )
    named = row if file is not None else what
    name = None if named is None else _parse(named)
    if content and user is None:
        raise _usage("--content needs a key", "without one there is nothing to show", "--user ADDRESS")
    if user is not None and (name is None or not name.whole):
        raise _usage("a key opens one row", "none is named", f"name one: {pattern('page')}")
    if content and not as_json and sys.stdout.isatty():
        raise _usage(
            "--content does not write on a terminal", "what is in it are octets, and may be mail",
            "mailstead inspect ... --content > FILE, or | less",
        )  # fmt: skip
    if file is not None and not is_database(_head(file)):
        if name is not None:
            raise _usage(f"{file} is no database", "only a database has rows", f"mailstead inspect {file}")
        look_at_file(file, as_json=as_json)
    elif name is None:
        _print_counted(_counted(config, file), as_json)
    elif not name.whole:
        _print_listed(name, _listed(config, file, name), as_json)
    else:
        found, address = _read(config, file, name)
        opened = None
        if user is not None:
            credential = credential_from(password_file, words_file, f"Password for {user}")
            opening = open_with_key if file is None else open_in_copy(file)
            opened = opening(config, user, credential, found)
        _print_row(found, address, opened, content=content, as_json=as_json)


def _usage(what: str, why: str, fix: str) -> Trouble:
    return Trouble(what, why=why, fix=fix, exit_code=Exit.USAGE)


def _parse(text: str) -> RowName:
    if not is_name(text):
        fix = f"mailstead inspect lists them; for example {pattern('page')}"
        raise _usage(f"{text} names no row", "a name begins with a sort and a colon", fix)
    return parse(text)


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(16)
    except OSError as error:
        fix = "name a file, or a row: mailstead inspect lists the sorts"
        raise Trouble(f"{file} cannot be read", why=error.strerror or str(error), fix=fix,
                      exit_code=Exit.USAGE) from error  # fmt: skip


@contextlib.contextmanager
def _copy(file: Path) -> Generator[Copy]:
    copy = Copy(file)
    try:
        yield copy
    finally:
        copy.close()


def _counted(config: str | None, file: Path | None) -> _Counted:
    if file is not None:
        with _copy(file) as copy:
            return copy.read(count)

    async def act(office: Office, settings: Settings) -> _Counted:
        return await office.database.read(count)

    return with_office(config, "the rows cannot be counted", act)


def _listed(config: str | None, file: Path | None, name: RowName) -> _Listed:
    def work(tx: Tx, address: str) -> _Listed:
        return listed(tx, name.sort, _account(tx, address), name.key)

    if file is not None:
        address = _canonical(name.address)
        with _copy(file) as copy:
            return copy.read(lambda tx: work(tx, address))

    async def act(office: Office, settings: Settings) -> _Listed:
        canonical = address_of(name.address, settings)
        return await office.database.read(lambda tx: work(tx, canonical))

    return with_office(config, "the rows cannot be listed", act)


def _read(config: str | None, file: Path | None, name: RowName) -> tuple[SealedRow, str]:
    """The row, and the address it was named by."""

    def work(tx: Tx, address: str) -> SealedRow:
        found = read(tx, name.sort, _account(tx, address), name.key)
        if found is None:
            raise Trouble(
                f"there is no {spelled(name.sort, address, name.key)}", why="no row has this name",
                fix=f"mailstead inspect {name.sort}:{address} lists what is there",
            )  # fmt: skip
        return found

    if file is not None:
        address = _canonical(name.address)
        with _copy(file) as copy:
            return copy.read(lambda tx: work(tx, address)), address

    async def act(office: Office, settings: Settings) -> tuple[SealedRow, str]:
        canonical = address_of(name.address, settings)
        return await office.database.read(lambda tx: work(tx, canonical)), canonical

    return with_office(config, "the row cannot be read", act)


def _account(tx: Tx, address: str) -> int:
    found = find_recipient(tx, address)
    if found is None:
        raise Trouble(
            f"nobody has the address {address}", why="no account here has it", fix="mailstead user list"
        )
    return found.account.account_id


def _canonical(address: str) -> str:
    try:
        return parse_mailbox(address.encode()).canonical()
    except AddressError as error:
        raise Trouble(f'"{address}" is not an address', why=str(error), fix="name@domain",
                      exit_code=Exit.USAGE) from error  # fmt: skip


def _print_counted(found: _Counted, as_json: bool) -> None:
    if as_json:
        print_json([{"sort": s, "rows": n, "octets": o, "sealed": sealed} for s, n, o, sealed in found])
        return
    rows = [
        (sort, f"{number:,}", f"{octets:,}" if sealed else "in clear",
         WORDS[sort].holds if sealed else TABLES[sort])
        for sort, number, octets, sealed in found
    ]  # fmt: skip
    print_table(("sort", "rows", "octets", "what"), rows, "")


def _print_listed(name: RowName, found: _Listed, as_json: bool) -> None:
    rows = [(spelled(name.sort, name.address, key), octets) for key, octets in found]
    if as_json:
        print_json([{"row": row, "octets": octets} for row, octets in rows])
        return
    print_table(("row", "octets"), [(row, f"{octets:,}") for row, octets in rows], f"No {name.sort} there.")


def _print_row(
    found: SealedRow, address: str, opened: OpenedRow | None, *, content: bool, as_json: bool
) -> None:
    if content:
        assert opened is not None
        if opened.content is None:
            raise Trouble("this row holds keys", why="keys are shown to nobody", fix="leave --content out")
        if not as_json:
            sys.stdout.buffer.write(opened.content)
            sys.stdout.buffer.flush()
            return
    said = view(found, address, opened)
    if content and opened is not None and opened.content is not None:
        said["content"] = base64.b64encode(opened.content).decode()
    if as_json:
        print_json(said)
    else:
        show(said)
