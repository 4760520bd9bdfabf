"""The access log: one sealed record of who got in, into which sessions of the owner take what was noted.

Taking in is the server's own work with the keys of whoever reads here, as absorbing is. Notes go in
the transaction that writes the record, by compare-and-swap: each is counted once, whoever does it.
"""

import asyncio

from mailstead.accounts.accessentries import Entries, Entry
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.turns import until_won
from mailstead.crypto.notes import SealedNote
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.store.accessnotes import epochs_of_notes, remove_notes, waiting_notes
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.records import get_record, put_record

DUE = 32  # notes that are taken in without being asked for
AT_ONCE = 32  # opening them takes 4 ms, in which nobody else is served

_Read = tuple[SealedRecord | None, list[SealedNote]]


async def take_in_if_due(database: Database, keys: SessionKeys) -> None:
    """Take notes in when many wait, or when an earlier epoch's key is kept for one of them.

    Raises:
        Stale, UnsealError: as `take_in`.
    """
    epochs = await database.read(lambda tx: epochs_of_notes(tx, keys.account_id, DUE))
    if len(epochs) >= DUE or any(epoch != keys.epoch for epoch in epochs):
        await take_in(database, keys)


async def take_in(database: Database, keys: SessionKeys) -> Entries:
    """Take all notes in; the log as it is then.

    Raises:
        Stale: the account's keys have moved on.
        UnsealError: the log is not what this account wrote.
    """
    log = await until_won(lambda _: _take_in_some(database, keys))
    while log is None:
        log = await until_won(lambda _: _take_in_some(database, keys))
    return log


async def _take_in_some(database: Database, keys: SessionKeys) -> Entries | None:
    """Take some notes in; the log, once none wait."""
    account_id = keys.account_id

    def read(tx: Tx) -> _Read:
        record = get_record(tx, account_id, Kind.ACCESSLOG)
        return record, waiting_notes(tx, account_id, AT_ONCE)

    record, notes = await database.read(read)
    log = Entries(())
    if record is not None:
        log = Entries.decode(keys.open(Kind.ACCESSLOG, ZERO_ID, 0, 0, record))
    if not notes:
        return log
    more: list[Entry] = []
    missed = 0
    for note in notes:
        try:
            found = Entries.decode(keys.open_note(note))
        except UnsealError:  # whoever can write the database can leave here what is no note
            missed += 1
            continue
        more += found.entries
    await asyncio.sleep(0)
    version = 1 if record is None else record.version + 1
    content = log.with_more(more, missed).encode()
    sealed = keys.seal(Kind.ACCESSLOG, ZERO_ID, 0, version, 0, content)

    def work(tx: Tx) -> None:
        fence(tx, account_id, keys.root_gen, keys.read_gen, 0)
        put_record(tx, account_id, Kind.ACCESSLOG, sealed)
        remove_notes(tx, account_id, [note.lane.lane_id for note in notes])

    await database.write(work)
    return None
