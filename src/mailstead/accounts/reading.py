"""Reading: messages in UID order, and the octets of one, out of pages and out of pendings."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from mailstead.accounts.absorb import open_pendings
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import EntryA, EntryB, split, unpack_a, unpack_b
from mailstead.accounts.shelf import open_state
from mailstead.accounts.states import MessageState
from mailstead.crypto.frame import BLOCK
from mailstead.crypto.sealed import Kind, Sealed, SealedRecord
from mailstead.crypto.unseal import BodyReader, RecordName
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store import messages as rows
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import mailboxes
from mailstead.store.messages import GROUP_A, GROUP_B, StateRow
from mailstead.store.objects import body_octets, extents


@dataclass(frozen=True, slots=True)
class Located:
    """One message, opened as far as lists and fetches need."""

    uid: Uid
    state: MessageState
    a: EntryA
    b: EntryB


class Reader:
    """Reads the mailboxes of one unlocked account; every database read is short."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys

    async def messages(self, mailbox_id: bytes, after: Uid) -> AsyncIterator[Located]:
        """Messages with a UID above *after*, in UID order."""
        number = rows.row_number(after + 1)
        while True:
            # Pages and pendings of one stretch of UIDs in one snapshot: an absorb in between
            # can neither hide a message nor show it twice.
            stretch = await self._database.read(partial(self._stretch, mailbox_id, number))
            if stretch is None:
                return
            for message in self._open(mailbox_id, stretch):
                if message.uid > after:
                    yield message
            number = stretch.number + 1

    def _stretch(self, mailbox_id: bytes, number: int, tx: Tx) -> "_Stretch | None":
        account_id = self._keys.account_id
        states = rows.next_state(tx, account_id, mailbox_id, number)
        pending = rows.pendings(tx, account_id, mailbox_id, after=number << 8, limit=1)
        numbers = [rows.row_number(p.uid) for p in pending]
        if states is not None:
            numbers.append(states.number)
        if not numbers:
            return None
        first = min(numbers)
        pendings = [
            p
            for p in rows.pendings(tx, account_id, mailbox_id, after=first << 8)
            if rows.row_number(p.uid) == first
        ]
        here = states if states is not None and states.number == first else None
        return _Stretch(
            first,
            here,
            rows.get_page(tx, account_id, mailbox_id, first, GROUP_A),
            rows.get_page(tx, account_id, mailbox_id, first, GROUP_B),
            pendings,
            rows.lanes(tx, account_id, list({p.lane_id for p in pendings})),
            frozenset(m.mailbox_id for m in mailboxes(tx, account_id)) - {mailbox_id},
        )

    def _open(self, mailbox_id: bytes, stretch: "_Stretch") -> list[Located]:
        keys = self._keys
        found: list[Located] = []
        if stretch.state is not None:
            live = open_state(keys, mailbox_id, stretch.state).live
            entries_a = self._page(mailbox_id, stretch.number, GROUP_A, stretch.a)
            entries_b = self._page(mailbox_id, stretch.number, GROUP_B, stretch.b)
            if set(live) != set(entries_a) or set(live) != set(entries_b):
                raise UnsealError(f"page {stretch.number} and its state name different messages")
            found.extend(
                Located(uid, state, unpack_a(entries_a[uid]), unpack_b(entries_b[uid]))
                for uid, state in sorted(live.items())
            )
        batch = open_pendings(keys, mailbox_id, stretch.others, stretch.pendings, stretch.lanes)
        found.extend(Located(Uid(m.row.uid), m.state(), m.entry_a(), m.entry_b()) for m in batch.opened)
        return sorted(found, key=lambda m: m.uid)

    def _page(
        self, mailbox_id: bytes, number: int, group: int, record: SealedRecord | None
    ) -> dict[Uid, bytes]:
        if record is None:
            return {}
        content = self._keys.open(Kind.PAGE, mailbox_id, number << 1 | group, 0, record)
        return split(group, content)

    async def body(self, message: Located, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Octets *start* to *stop* of a message, a block or less at a time."""
        b, size = message.b, message.a.size
        end = size if stop is None else min(stop, size)
        reader = await self._reader(b, size)
        table = reader.needs_table()
        if table is not None:
            reader.take_table(await self._extents(b, table))
        held: tuple[range, list[Sealed]] = (range(0), [])
        for block in reader.blocks(min(start, end), end):
            needed = reader.needs(block)
            if not (held[0].start <= needed.start and needed.stop <= held[0].stop):
                held = (needed, await self._extents(b, needed))
            plain = reader.read(block, held[0].start, held[1])
            base = block * BLOCK
            yield plain[max(0, start - base) : end - base]

    async def _reader(self, b: EntryB, size: int) -> BodyReader:
        account_id = self._keys.account_id

        def work(tx: Tx) -> tuple[int, list[Sealed]]:
            first = extents(tx, account_id, b.object_id, 0, 0)
            return body_octets(tx, account_id, b.object_id), first

        total, first = await self._database.read(work)
        if not first:
            raise UnsealError("the body is missing")
        name = RecordName(self._keys.uuid, b.object_id, b.lane_id, b.ctr, b.body_flags)
        return BodyReader(b.key, name, first[0], total, size)

    async def _extents(self, b: EntryB, wanted: range) -> list[Sealed]:
        account_id = self._keys.account_id
        found = await self._database.read(
            lambda tx: extents(tx, account_id, b.object_id, wanted.start, wanted.stop - 1)
        )
        if len(found) != len(wanted):
            raise UnsealError("the body is cut")
        return found


@dataclass(frozen=True, slots=True)
class _Stretch:
    number: int
    state: StateRow | None
    a: SealedRecord | None
    b: SealedRecord | None
    pendings: list[rows.PendingRow]
    lanes: list[rows.LaneRow]
    others: frozenset[bytes]
