"""The settings' own data, opened for a command: the database, the server key, the cost of logins."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mailstead.accounts.accessnotes import AccessNotes
from mailstead.accounts.directory import Directory
from mailstead.accounts.provision import Office
from mailstead.bus.bell import open_bell
from mailstead.cli.output import from_mail_error
from mailstead.config import Settings, load
from mailstead.crypto.slots import Cost
from mailstead.errors import Exit, MailError, Trouble
from mailstead.log import Log
from mailstead.mail.address import AddressError, canonical_local, parse_mailbox
from mailstead.secretmem import Arena, harden_process
from mailstead.store.database import Database
from mailstead.store.instance import check_instance
from mailstead.store.ledger import Ledger
from mailstead.store.opening import open_database

T = TypeVar("T")


def with_office(config: str | None, what: str, act: Callable[[Office, Settings], Awaitable[T]]) -> T:
    """Run *act* on the settings' own data; *what* is what failed if it does."""
    settings = load(config)

    async def run() -> T:
        harden_process()
        office = await open_office(settings)
        store = settings.store()
        bell = open_bell(store.data, store.database)  # a running server hears of what is changed here
        directory = Directory(office.database, office.server_key.rows)
        notes = AccessNotes(office.database, directory, Log(level=settings.file.log.level))
        try:
            return await act(replace(office, ring=bell.ring, witness=notes.saw), settings)
        finally:
            await notes.flush()
            await bell.close()
            await office.database.close()
            if office.ledger is not None:
                office.ledger.sync()
                office.ledger.close()

    try:
        return asyncio.run(run())
    except MailError as error:
        raise from_mail_error(error, what) from error


async def open_office(settings: Settings, slots: int = 256, log: Log | None = None) -> Office:
    """Open the database, and see that the server key is the one it was made with.

    Args:
        slots: How many keys can be in memory at once.
        log: Told when the ledger cannot be written.

    Raises:
        Trouble: there is no data, or the key is another's.
    """
    log = log or Log()
    key = settings.server_key()
    database = open_database(settings.store())
    await fit(database, settings)
    auth = settings.file.auth
    cost = Cost(auth.argon2_kib, auth.argon2_passes)
    ledger = Ledger(settings.data / "ledger", key.rows.ledger, partial(_failed, log))
    return Office(database, key, Arena(slots), cost, time.time, ledger=ledger)


def _failed(log: Log, why: str) -> None:
    log.error("ledger.failed", why=why)


async def fit(database: Database, settings: Settings) -> None:
    """See that the server key is the one that the data was made with.

    Raises:
        Trouble: it is another one; nothing was written.
    """
    if not await check_instance(database, settings.server_key().instance_check):
        await database.close()
        raise Trouble(
            f"{settings.at(settings.file.keys.file)} is not the key of this data",
            why="the data was made with another server key",
            fix="put the right server.key in its place, or set [keys] file",
            exit_code=Exit.WRONG_KEY,
        )


def address_of(text: str, settings: Settings) -> str:
    """The canonical address somebody meant; with one served domain its local part is enough.

    Raises:
        Trouble: it is no address, or not of a domain served here.
    """
    try:
        if "@" not in text and len(settings.domains) == 1:
            return f"{canonical_local(text)}@{settings.domains[0]}"
        canonical = parse_mailbox(text.encode()).canonical()
    except AddressError as error:
        raise Trouble(
            f'"{text}" is not an address', why=str(error), fix="name@domain", exit_code=Exit.USAGE
        ) from error
    if canonical.rpartition("@")[2] not in settings.domains:
        raise Trouble(
            f"{canonical} is not an address of this server",
            why=f"it serves {', '.join(settings.domains)}",
            fix="use one of these, or add the domain to `domains` in the settings",
        )
    return canonical
