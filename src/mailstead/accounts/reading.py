"""Reading: entries in UID order, and the octets of a message, out of pages and out of pendings."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import IntFlag
from functools import partial
from itertools import groupby

from mailstead.accounts.absorb import open_pendings
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import EntryA, EntryB, split, unpack_a, unpack_b
from mailstead.accounts.shelf import open_state
from mailstead.accounts.states import MessageState, RowStates
from mailstead.crypto.frame import BLOCK
from mailstead.crypto.sealed import Kind, Sealed, SealedRecord
from mailstead.crypto.unseal import BodyReader, RecordName
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store import messages as rows
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import mailboxes
from mailstead.store.messages import GROUP_A, GROUP_B, StateRow, row_number
from mailstead.store.objects import body_octets, extents, has_object

OPENED_AT_ONCE = 128  # entries, then others get their turn


class Columns(IntFlag):
    """Which column groups of a page are read, opened and inflated; flags come with any."""

    NONE = 0
    A = 1
    B = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class Located:
    """One message, opened as far as lists and fetches need."""

    uid: Uid
    state: MessageState
    a: EntryA
    b: EntryB


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message, with the columns that were asked for."""

    uid: Uid
    state: MessageState
    a: EntryA | None
    b: EntryB | None

    def whole(self) -> Located:
        """The same message, of which both columns were asked for."""
        assert self.a is not None
        assert self.b is not None
        return Located(self.uid, self.state, self.a, self.b)


class Reader:
    """Reads the mailboxes of one unlocked account; every database read is short."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys

    async def messages(self, mailbox_id: bytes, after: Uid) -> AsyncIterator[Located]:
        """Messages with a UID above *after*, in UID order."""
        number = row_number(after + 1)
        while True:
            read = partial(self._next_stretch, mailbox_id, number)
            stretch = await self._database.read(read)
            if stretch is None:
                return
            for message in await self._open(mailbox_id, stretch, Columns.BOTH, None):
                if message.uid > after:
                    yield message.whole()
            number = stretch.number + 1

    async def fetch(
        self, mailbox_id: bytes, uids: Iterable[Uid], columns: Columns
    ) -> AsyncIterator[list[Fetched]]:
        """Those of *uids* that are there, in UID order, a row of up to 256 at a time."""
        for number, group in groupby(sorted(uids), row_number):
            wanted = frozenset(group)
            read = partial(self._stretch, mailbox_id, number, columns)
            stretch = await self._database.read(read)
            found = await self._open(mailbox_id, stretch, columns, wanted)
            if found:
                yield found

    def _next_stretch(self, mailbox_id: bytes, number: int, tx: Tx) -> "_Stretch | None":
        account_id = self._keys.account_id
        states = rows.next_state(tx, account_id, mailbox_id, number)
        pending = rows.pendings(tx, account_id, mailbox_id, after=number << 8, limit=1)
        numbers = [row_number(p.uid) for p in pending]
        if states is not None:
            numbers.append(states.number)
        if not numbers:
            return None
        return self._stretch(mailbox_id, min(numbers), Columns.BOTH, tx)

    def _stretch(self, mailbox_id: bytes, number: int, columns: Columns, tx: Tx) -> "_Stretch":
        # Pages and pendings of one row in one snapshot: an absorb in between can neither hide a
        # message nor show it twice.
        account_id = self._keys.account_id
        pendings = [
            p
            for p in rows.pendings(tx, account_id, mailbox_id, after=number << 8)
            if row_number(p.uid) == number
        ]
        others: frozenset[bytes] = frozenset()
        if pendings:
            others = frozenset(m.mailbox_id for m in mailboxes(tx, account_id)) - {mailbox_id}
        states = rows.get_states(tx, account_id, mailbox_id, first=number, last=number)
        return _Stretch(
            number,
            states[0] if states else None,
            rows.get_page(tx, account_id, mailbox_id, number, GROUP_A) if columns & Columns.A else None,
            rows.get_page(tx, account_id, mailbox_id, number, GROUP_B) if columns & Columns.B else None,
            pendings,
            rows.lanes(tx, account_id, list({p.lane_id for p in pendings})),
            others,
        )

    async def _open(
        self, mailbox_id: bytes, stretch: "_Stretch", columns: Columns, wanted: frozenset[int] | None
    ) -> list[Fetched]:
        """The messages of a row; all, or those that are *wanted*."""
        found: list[Fetched] = []
        if stretch.state is not None:
            states = open_state(self._keys, mailbox_id, stretch.state)
            live = dict(states.items()) if wanted is None else _some(states, wanted)
            a = self._page(mailbox_id, stretch.number, GROUP_A, stretch.a, wanted)
            b = self._page(mailbox_id, stretch.number, GROUP_B, stretch.b, wanted)
            if (columns & Columns.A and a.keys() != live.keys()) or (
                columns & Columns.B and b.keys() != live.keys()
            ):
                raise UnsealError(f"page {stretch.number} and its state name different messages")
            for at, (uid, state) in enumerate(live.items()):
                if at % OPENED_AT_ONCE == OPENED_AT_ONCE - 1:
                    await asyncio.sleep(0)
                found.append(
                    Fetched(
                        uid,
                        state,
                        unpack_a(a[uid]) if columns & Columns.A else None,
                        unpack_b(b[uid]) if columns & Columns.B else None,
                    )
                )
        pendings = [p for p in stretch.pendings if wanted is None or p.uid in wanted]
        if pendings:
            batch = await open_pendings(self._keys, mailbox_id, stretch.others, pendings, stretch.lanes)
            found.extend(
                Fetched(
                    Uid(m.row.uid),
                    m.state(),
                    m.entry_a() if columns & Columns.A else None,
                    m.entry_b() if columns & Columns.B else None,
                )
                for m in batch.opened
            )
            found.sort(key=_uid)
        return found

    def _page(
        self,
        mailbox_id: bytes,
        number: int,
        group: int,
        record: SealedRecord | None,
        wanted: frozenset[int] | None,
    ) -> dict[Uid, bytes]:
        if record is None:
            return {}
        content = self._keys.open(Kind.PAGE, mailbox_id, number << 1 | group, 0, record)
        return split(group, content, wanted)

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

        def work(tx: Tx) -> tuple[bool, int, list[Sealed]]:
            first = extents(tx, account_id, b.object_id, 0, 0)
            kept = has_object(tx, account_id, b.object_id)
            return kept, body_octets(tx, account_id, b.object_id), first

        kept, total, first = await self._database.read(work)
        if not kept:
            raise Refused(Reason.NO_SUCH_MESSAGE, "expunged meanwhile")
        if not first:
            raise UnsealError("the body is missing")
        name = RecordName(self._keys.uuid, b.object_id, b.lane_id, b.ctr, b.body_flags)
        return BodyReader(b.key, name, first[0], total, size)

    async def _extents(self, b: EntryB, wanted: range) -> list[Sealed]:
        account_id = self._keys.account_id

        def work(tx: Tx) -> tuple[list[Sealed], bool]:
            found = extents(tx, account_id, b.object_id, wanted.start, wanted.stop - 1)
            return found, len(found) == len(wanted) or has_object(tx, account_id, b.object_id)

        found, kept = await self._database.read(work)
        if not kept:
            raise Refused(Reason.NO_SUCH_MESSAGE, "expunged meanwhile")
        if len(found) != len(wanted):
            raise UnsealError("the body is cut")
        return found


def _some(states: RowStates, wanted: frozenset[int]) -> dict[Uid, MessageState]:
    return {Uid(uid): state for uid in sorted(wanted) if (state := states.get(uid)) is not None}


def _uid(message: Fetched) -> Uid:
    return message.uid


@dataclass(frozen=True, slots=True)
class _Stretch:
    number: int
    state: StateRow | None
    a: SealedRecord | None
    b: SealedRecord | None
    pendings: list[rows.PendingRow]
    lanes: list[rows.LaneRow]
    others: frozenset[bytes]
