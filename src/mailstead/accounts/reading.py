"""Reading: entries in UID order, out of pages and out of pendings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import IntFlag
from functools import partial
from typing import NamedTuple

from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.entries import (
    BodyKey,
    EntryA,
    EntryB,
    packed_body_key,
    unpack_a,
    unpack_b,
    unpack_body_key,
)
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import pick, split
from mailstead.accounts.pendings import open_pendings
from mailstead.accounts.shelf import open_state
from mailstead.accounts.states import MessageState, RowStates
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store import messages as rows
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import mailboxes
from mailstead.store.messages import GROUP_A, GROUP_B, StateRow
from mailstead.store.numbers import by_row, row_number

OPENED_AT_ONCE = 128  # entries, then others get their turn
FEW = 16  # entries that are looked up one by one in a page's index


class Columns(IntFlag):
    """Which column groups of a page are read and opened; flags come with any.

    BODY is for who wants nothing but what opens a body: both groups, or what is kept of them.
    """

    NONE = 0
    A = 1
    B = 2
    BOTH = 3
    BODY = 7


Kept = MessageState | RowStates  # the state of a message, or of its row, of which few ask


@dataclass(frozen=True, slots=True)
class Located:
    """One message, opened as far as lists and fetches need."""

    uid: Uid
    kept: Kept
    a: EntryA
    b: EntryB

    @property
    def state(self) -> MessageState:
        """Its flags, keywords and modseq."""
        state = self.kept.get(self.uid) if isinstance(self.kept, RowStates) else self.kept
        assert state is not None, "it is in its row"
        return state

    @property
    def body(self) -> BodyKey:
        """What opens its body."""
        return _body_key(self.uid, self.a, self.b)


class Fetched(NamedTuple):
    """One message, with the columns that were asked for, or what opens its body."""

    uid: Uid
    kept: Kept
    a: EntryA | None
    b: EntryB | None
    key: BodyKey | None = None

    @property
    def in_a(self) -> EntryA:
        """What the first column has, which was asked for."""
        assert self.a is not None
        return self.a

    @property
    def in_b(self) -> EntryB:
        """What the second column has, which was asked for."""
        assert self.b is not None
        return self.b

    @property
    def size(self) -> int:
        """RFC822.SIZE in octets; the first column or the body was asked for."""
        return self.in_a.size if self.key is None else self.key.size

    @property
    def object_id(self) -> bytes:
        """What names its stored body, as for `size`."""
        return self.in_a.object_id if self.key is None else self.key.object_id

    @property
    def body(self) -> BodyKey:
        """What opens its body; both columns or the body were asked for."""
        return _body_key(self.uid, self.in_a, self.in_b) if self.key is None else self.key

    def whole(self) -> Located:
        """The same message, of which both columns were asked for."""
        return Located(self.uid, self.kept, self.in_a, self.in_b)


def _body_key(uid: Uid, a: EntryA, b: EntryB) -> BodyKey:
    return BodyKey(uid, a.size, b.object_id, b.key, b.lane_id, b.ctr, b.body_flags)


class Reader:
    """Reads the mailboxes of one unlocked account; every database read is short.

    Args:
        body_keys: What is kept of rows, in a process that has many sessions.
    """

    def __init__(self, database: Database, keys: SessionKeys, body_keys: BodyKeys | None) -> None:
        self._database = database
        self._keys = keys
        self._body_keys = body_keys

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
        for number, group in by_row(sorted(uids)):
            wanted = frozenset(group)
            found = None
            if columns is Columns.BODY and len(wanted) <= FEW:
                found = await self._kept(mailbox_id, number, wanted)
            if found is None:
                read = partial(self._stretch, mailbox_id, number, columns)
                stretch = await self._database.read(read)
                found = await self._open(mailbox_id, stretch, columns, wanted)
            if found:
                yield found

    async def _kept(self, mailbox_id: bytes, number: int, wanted: frozenset[int]) -> list[Fetched] | None:
        """What opens the bodies of *wanted*; None when it is not kept of each of them."""
        account_id = self._keys.account_id
        name = (account_id, mailbox_id, number)
        if self._body_keys is None or (kept := self._body_keys.get(name)) is None:
            return None

        def work(tx: Tx) -> list[StateRow] | None:
            if rows.state_version(tx, account_id, mailbox_id, number) == kept.version:
                return None
            return rows.get_states(tx, account_id, mailbox_id, first=number, last=number)

        changed = await self._database.read(work)
        if changed == [] or self._body_keys.get(name) is not kept:  # wiped meanwhile
            return None
        if changed is not None:
            kept.version = changed[0].record.version
            kept.states = open_state(self._keys, mailbox_id, changed[0])
        found = kept.find(wanted)
        return None if found is None else [Fetched(key.uid, kept.states, None, None, key) for key in found]

    def _next_stretch(self, mailbox_id: bytes, number: int, tx: Tx) -> "_Stretch | None":
        account_id = self._keys.account_id
        states = rows.next_state(tx, account_id, mailbox_id, number)
        pending = rows.first_pending(tx, account_id, mailbox_id, number << 8)
        numbers = [] if pending is None else [row_number(pending)]
        if states is not None:
            numbers.append(states.number)
        if not numbers:
            return None
        return self._stretch(mailbox_id, min(numbers), Columns.BOTH, tx)

    def _stretch(self, mailbox_id: bytes, number: int, columns: Columns, tx: Tx) -> "_Stretch":
        # Pages and pendings of one row in one snapshot: an absorb in between can neither hide a
        # message nor show it twice.
        account_id = self._keys.account_id
        pendings = rows.row_pendings(tx, account_id, mailbox_id, number)
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
        has_a, has_b = bool(columns & Columns.A), bool(columns & Columns.B)
        if stretch.state is not None:
            states = open_state(self._keys, mailbox_id, stretch.state)
            live = [uid for uid in states.uids if wanted is None or uid in wanted]
            page_a = self._page(mailbox_id, stretch.number, GROUP_A, stretch.a)
            page_b = self._page(mailbox_id, stretch.number, GROUP_B, stretch.b)
            a, b = _entries(GROUP_A, page_a, wanted), _entries(GROUP_B, page_b, wanted)
            if columns is Columns.BODY and wanted is not None and len(wanted) <= FEW:
                self._keep(mailbox_id, stretch.state, states, page_a, page_b)
            if (has_a and list(a) != live) or (has_b and list(b) != live):
                raise UnsealError(f"page {stretch.number} and its state name different messages")
            for at, uid in enumerate(map(Uid, live)):
                if at % OPENED_AT_ONCE == OPENED_AT_ONCE - 1:
                    await asyncio.sleep(0)
                if columns is Columns.BODY:
                    key = unpack_body_key(uid, packed_body_key(a[uid], b[uid]))
                    found.append(Fetched(uid, states, None, None, key))
                else:
                    entry_a = unpack_a(a[uid]) if has_a else None
                    entry_b = unpack_b(b[uid]) if has_b else None
                    found.append(Fetched(uid, states, entry_a, entry_b))
        pendings = [p for p in stretch.pendings if wanted is None or p.uid in wanted]
        if pendings:
            batch = await open_pendings(self._keys, mailbox_id, stretch.others, pendings, stretch.lanes)
            found.extend(
                Fetched(
                    Uid(m.row.uid),
                    m.state(),
                    m.entry_a() if has_a else None,
                    m.entry_b() if has_b else None,
                )
                for m in batch.opened
            )
            found.sort(key=_uid)
        return found

    def _page(self, mailbox_id: bytes, number: int, group: int, record: SealedRecord | None) -> bytes | None:
        if record is None:
            return None
        return self._keys.open(Kind.PAGE, mailbox_id, number << 1 | group, 0, record)

    def _keep(
        self, mailbox_id: bytes, row: StateRow, states: RowStates, a: bytes | None, b: bytes | None
    ) -> None:
        """Keep the body keys of a row that was asked for before."""
        name = (self._keys.account_id, mailbox_id, row.number)
        if self._body_keys is not None and a is not None and b is not None and self._body_keys.wants(name):
            with contextlib.suppress(UnsealError):  # the damage of another message
                self._body_keys.keep(name, row.record.version, states, a, b)


def _entries(group: int, content: bytes | None, wanted: frozenset[int] | None) -> dict[Uid, bytes]:
    if content is None:
        return {}
    if wanted is not None and len(wanted) <= FEW:
        return pick(group, content, wanted)
    return split(group, content, wanted)


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
