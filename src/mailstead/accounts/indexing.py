"""Indexing: what came since is read and becomes a segment; segments become larger ones elsewhere.

It is the server's own work behind a session of the owner, in batches: a batch is one transaction, at its end,
and one that is cut off is begun again. What it left behind is swept the next time. It is done when LEAST
messages wait: what a single message adds to the index could be seen by its size.
"""

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mailstead.accounts.bodies import SMALL, Bodies, together
from mailstead.accounts.entries import BodyKey
from mailstead.accounts.indexhead import IndexHead, document_of
from mailstead.accounts.indexmerging import Merging, segment_of
from mailstead.accounts.indexpieces import PieceWriter
from mailstead.accounts.indexstore import IndexStore
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.reading import Columns, Fetched, Reader
from mailstead.accounts.searchindex import SearchIndex
from mailstead.accounts.snapshot import Snapshots
from mailstead.crypto.primitives import random_octets
from mailstead.crypto.sealed import Kind
from mailstead.errors import MailError, Refused, UnsealError
from mailstead.index.batch import Batch
from mailstead.index.document import Reading, Terms
from mailstead.index.segment import SPAN
from mailstead.mail.mailbox import Uid
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import mailboxes
from mailstead.store.records import write_id_of

LEAST = 64  # messages that are indexed together
MOST = 2048
MOST_OCTETS = 32 << 20  # of their text, about
TURN = 16 << 10  # octets of messages that are read before others get their turn


class Waiting(NamedTuple):
    """Messages of a mailbox that are not indexed yet, by UID, ascending."""

    mailbox_id: bytes
    uids: Sequence[int]
    last: int  # the highest UID that there was


@dataclass(slots=True)
class _Made:
    """A batch as it grows: which documents messages are, and how far each mailbox is dealt with.

    Args:
        next: The number of the next document.
    """

    next: int
    batch: Batch = field(default_factory=Batch)
    objects: dict[bytes, int] = field(default_factory=dict[bytes, int])  # documents of this batch
    rows: dict[bytes, dict[int, int]] = field(default_factory=dict[bytes, dict[int, int]])
    marks: dict[bytes, int] = field(default_factory=dict[bytes, int])
    octets: int = 0

    @property
    def full(self) -> bool:
        """Whether it becomes a segment now: it is large, or a span ends."""
        many = len(self.batch) >= MOST or self.octets >= MOST_OCTETS
        return many or (len(self.batch) > 0 and self.next % SPAN == 0)

    def add(self, object_id: bytes, terms: Terms, octets: int) -> int:
        """Make a document of a message; its number."""
        document = self.objects[object_id] = self.next
        self.batch.add(document % SPAN, object_id, terms)
        self.next += 1
        self.octets += octets
        return document


class Indexing:
    """Keeps the search index of one account.

    Args:
        least: Messages that are indexed together.

    Attributes:
        left: How many messages were not indexed when it was last looked.
    """

    def __init__(
        self,
        database: Database,
        keys: SessionKeys,
        snapshots: Snapshots,
        reader: Reader,
        bodies: Bodies,
        index: SearchIndex,
        least: int = LEAST,
    ) -> None:
        self.least = least
        self.left = 0
        self._database = database
        self._keys = keys
        self._snapshots = snapshots
        self._reader = reader
        self._bodies = bodies
        self._index = index
        self._store = IndexStore(database, keys)
        self._merging = Merging(database, keys, self._store, index.pieces)
        self._swept = False
        self._boxes: set[bytes] = set()
        self._passed_over: set[bytes] = set()  # mailboxes of which something does not open
        self._done: object = None

    async def step(self) -> bool:
        """Do one piece of what is to be done; False when nothing is.

        Raises:
            LostRace: another session wrote first.
            Stale: the account's keys have moved on.
            Refused: the account is not as it was left.
            UnsealError, Damaged: the index is not what was written.
        """
        if self._index.damage:
            raise UnsealError(self._index.damage)
        there = await self._database.read(self._there)
        if there == self._done:
            return False
        head = await self._index.head() or IndexHead(0, random_octets(16))
        if not self._swept:
            await self._store.sweep(head)
            self._swept = True
        waiting = await self.waiting(head)
        self.left = sum(len(w.uids) for w in waiting)
        if self.left >= self.least:
            await self._index_some(head, waiting)
            return True
        if await self._merging.step(head):
            return True
        self._done = there
        return False

    def _there(self, tx: Tx) -> object:
        """What says that there may be something to do when it is not as it was."""
        rows = mailboxes(tx, self._keys.account_id)
        return write_id_of(tx, self._keys.account_id, Kind.SEGMENT), [
            (row.mailbox_id, row.uid_next, row.messages) for row in rows
        ]

    async def begin_again(self) -> None:
        """Give up an index that is not what was written; another one is made of the mail."""
        await self._store.begin_again()
        self._index.damage = ""
        self._swept = False

    async def waiting(self, head: IndexHead) -> list[Waiting]:
        """What is not indexed yet, a mailbox at a time."""
        rows = await self._database.read(lambda tx: mailboxes(tx, self._keys.account_id))
        self._boxes = {row.mailbox_id for row in rows}
        found: list[Waiting] = []
        for row in rows:
            mark = head.marks.get(row.mailbox_id, 0)
            wanted = row.uid_validity > 0 and row.mailbox_id not in self._passed_over
            if wanted and row.uid_next - 1 > mark:
                with contextlib.suppress(Refused, UnsealError):  # it was deleted meanwhile, or is damaged
                    uids = (await self._snapshots.newest(row.mailbox_id)).uids
                    if len(uids) and uids[-1] > mark:
                        found.append(Waiting(row.mailbox_id, uids[bisect_right(uids, mark) :], uids[-1]))
        return found

    async def _index_some(self, head: IndexHead, waiting: Sequence[Waiting]) -> None:
        made = _Made(head.next_document)
        for some in waiting:
            await self._read_mailbox(head, some, made)
            if made.full:
                break
            if some.mailbox_id not in self._passed_over:
                made.marks[some.mailbox_id] = some.last
        segments, segment = head.segments, None
        if len(made.batch):
            writer = PieceWriter(self._keys)
            for _ in made.batch.write(writer.put):
                await asyncio.sleep(0)
            writer.finish()
            await self._store.write_ahead(writer, rest=True)
            segment = segment_of(writer, made.batch.documents, head.next_document // SPAN)
            segments = (*segments, segment)
        marks = {box: uid for box, uid in {**head.marks, **made.marks}.items() if box in self._boxes}
        after = replace(head, next_document=made.next, segments=segments, marks=marks)
        await self._store.commit(after, made.rows, segment)

    async def _read_mailbox(self, head: IndexHead, waiting: Waiting, made: _Made) -> None:
        rows = made.rows.setdefault(waiting.mailbox_id, {})
        async for row in self._rows(waiting):
            # What came into the mailbox at another time than it arrived may have been copied.
            copied = {m.object_id for m in row if m.in_a.save_date != m.in_a.internal_date}
            known = await self._documents(head, copied) if copied else {}
            for some in together(row, lambda m: m.size):
                octets_of = await self._bodies.small([m.body for m in some if m.size <= SMALL])
                for message in some:
                    document = known.get(message.object_id, made.objects.get(message.object_id))
                    if document is None:
                        terms = await self._terms(message.body, octets_of.get(message.uid))
                        document = None if terms is None else made.add(message.object_id, terms, message.size)
                    if document is not None:
                        rows[message.uid] = document
                    made.marks[waiting.mailbox_id] = message.uid
                    if made.full:
                        return
                await asyncio.sleep(0)

    async def _rows(self, waiting: Waiting) -> AsyncIterator[list[Fetched]]:
        """What waits in a mailbox, up to what does not open; whoever searches there hears of it."""
        try:
            async for row in self._reader.fetch(waiting.mailbox_id, map(Uid, waiting.uids), Columns.BOTH):
                yield row
        except (UnsealError, Refused):
            self._passed_over.add(waiting.mailbox_id)

    async def _terms(self, body: BodyKey, octets: bytes | MailError | UnsealError | None) -> Terms | None:
        """The terms of a message; None of one that cannot be read, or has too many: it is looked through."""
        try:
            if octets is None:
                octets = b"".join([piece async for piece in self._bodies.read(body, 0, None)])
            elif not isinstance(octets, bytes):
                return None
        except (Refused, UnsealError):
            return None
        reading, done = Reading(), 0
        for cost in reading.steps(octets):
            done += cost
            if done >= TURN:
                done = 0
                await asyncio.sleep(0)
        return reading.terms

    async def _documents(self, head: IndexHead, wanted: Collection[bytes]) -> dict[bytes, int]:
        """The documents that these bodies are already."""
        found: dict[bytes, int] = {}
        for segment in head.segments:
            for lower, name in await self._merging.table(segment):
                if name in wanted:
                    found[name] = document_of(segment.span, lower)
        return found
