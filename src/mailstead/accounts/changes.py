"""Changes to messages: flags, and expunging. What is still pending is absorbed first."""

import asyncio
import os
from collections.abc import Iterable

from mailstead.accounts.absorb import absorb
from mailstead.accounts.entries import size_and_object
from mailstead.accounts.flagging import FlagChange, FlagOutcome
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import split
from mailstead.accounts.shelf import Shelf
from mailstead.accounts.turns import STATES_AT_ONCE, Wanted, batches, read_rows, until_won, write_rows
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.mail.mailbox import Modseq, SystemFlag, Uid
from mailstead.store import mailboxes
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.messages import GROUP_A, GROUP_B
from mailstead.store.objects import drop_refs
from mailstead.store.tombs import add_tomb

HOUR = 3600
_DELETED = int(SystemFlag.DELETED)


async def change_flags(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    uids: Iterable[Uid],
    change: FlagChange,
    unchanged_since: Modseq | None = None,
) -> FlagOutcome:
    """Change flags and keywords, 64 rows a transaction.

    Args:
        unchanged_since: Pass over messages whose modseq is above this.
    """
    result = FlagOutcome()
    for wanted in batches(uids, STATES_AT_ONCE):

        async def turn(lost: int, wanted: Wanted = wanted) -> FlagOutcome:
            return await _change_batch(database, keys, mailbox_id, wanted, change, unchanged_since, lost)

        await absorb(database, keys, mailbox_id, wanted)
        outcome = await until_won(turn)
        result.there += outcome.there
        result.modified += outcome.modified
        result.modseqs |= outcome.modseqs
    return result


async def _change_batch(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    wanted: Wanted,
    change: FlagChange,
    unchanged_since: Modseq | None,
    lost: int,
) -> FlagOutcome:
    read, modseq = await read_rows(database, keys, mailbox_id, wanted, lost, pages=False)
    shelf = Shelf(keys, mailbox_id, read)
    outcome = FlagOutcome()
    for number, group in wanted.items():
        shelf.flag(number, group, change, modseq, unchanged_since, outcome)
        await asyncio.sleep(0)
    if outcome.modseqs:
        await write_rows(database, keys, mailbox_id, modseq, await shelf.seal())
    return outcome


async def expunge(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    uids: Iterable[Uid],
    now: int,
    undelete_days: int = 0,
    *,
    only_deleted: bool = False,
) -> dict[Uid, Modseq]:
    """Remove messages, 32 rows a transaction; the modseq at which each went.

    Args:
        now: Seconds since the epoch.
        only_deleted: Leave messages alone that have no \\Deleted flag (UID EXPUNGE, RFC 4315).
    """
    result: dict[Uid, Modseq] = {}
    for wanted in batches(uids):

        async def turn(lost: int, wanted: Wanted = wanted) -> dict[Uid, Modseq]:
            read, modseq = await read_rows(database, keys, mailbox_id, wanted, lost, pages=True)
            shelf = Shelf(keys, mailbox_id, read)
            leaving = Leaving(keys, mailbox_id, undelete_days, now)
            for number, group in wanted.items():
                await asyncio.sleep(0)
                leaving.take(shelf, number, group, modseq, only_deleted=only_deleted)
            if leaving.objects:
                writes = await shelf.seal()
                gone = len(leaving.objects)
                await write_rows(database, keys, mailbox_id, modseq, writes, gone, leaving.write)
            return dict.fromkeys(leaving.objects, modseq)

        await absorb(database, keys, mailbox_id, wanted)
        result |= await until_won(turn)
    return result


class Leaving:
    """Messages on their way out of a mailbox: for good, or into one tomb for each row."""

    def __init__(self, keys: SessionKeys, mailbox_id: bytes, undelete_days: int, now: int) -> None:
        self._keys = keys
        self._mailbox_id = mailbox_id
        self._now = now
        self._erase_at = -(-(now + undelete_days * 24 * HOUR) // HOUR) * HOUR if undelete_days else 0
        self._tombs: list[tuple[bytes, SealedRecord, list[bytes]]] = []
        self.objects: dict[Uid, bytes] = {}

    def take(
        self, shelf: Shelf, number: int, group: Iterable[Uid], modseq: Modseq, *, only_deleted: bool
    ) -> None:
        """Take messages out of a row of the shelf; those that are not there are passed over."""
        states = shelf.states(number)
        going = [
            uid
            for uid in group
            if (state := states.get(uid)) is not None and (not only_deleted or int(state.flags) & _DELETED)
        ]
        content = shelf.page(number, GROUP_A)
        if not going or content is None:
            return
        entries = split(GROUP_A, content, set(going))
        known = {uid: size_and_object(octets) for uid, octets in entries.items()}
        self.objects |= {uid: object_id for uid, (_, object_id) in known.items()}
        if self._erase_at:
            self._bury(shelf, number, {uid: object_id for uid, (_, object_id) in known.items()})
        shelf.remove(number, {uid: size for uid, (size, _) in known.items()}, modseq, self._now)

    def _bury(self, shelf: Shelf, number: int, objects: dict[Uid, bytes]) -> None:
        parts = [self._erase_at.to_bytes(8, "big")]
        for group in (GROUP_A, GROUP_B):
            content = shelf.page(number, group)
            entries = {} if content is None else split(group, content, objects)
            parts.extend(
                b"".join((bytes((group,)), uid.to_bytes(4, "big"), len(e).to_bytes(4, "big"), e))
                for uid, e in entries.items()
            )
        tomb_id = os.urandom(16)
        record = self._keys.seal(Kind.TOMB, self._mailbox_id, 0, 1, 0, b"".join(parts), tomb_id)
        self._tombs.append((tomb_id, record, list(objects.values())))

    def write(self, tx: Tx) -> None:
        """Write the tombs, or let go of the objects."""
        if not self._erase_at:
            drop_refs(tx, self._keys.account_id, list(self.objects.values()))
        for tomb_id, record, objects in self._tombs:
            add_tomb(tx, self._keys.account_id, self._mailbox_id, tomb_id, self._erase_at, record, objects)


async def take_recent(database: Database, keys: SessionKeys, mailbox_id: bytes) -> range:
    """Take the UIDs that are recent in no other session (`UnlockedAccount.take_recent`)."""
    row = await database.read(lambda tx: mailboxes.get_mailbox(tx, keys.account_id, mailbox_id))
    if row is not None and row.recent_uid == row.uid_next:
        return range(row.uid_next, row.uid_next)  # without waiting for the disk

    def work(tx: Tx) -> tuple[int, int]:
        fence(tx, keys.account_id, keys.root_gen, keys.read_gen, 0)
        return mailboxes.take_recent(tx, keys.account_id, mailbox_id)

    return range(*await database.write(work))
