"""Segments become larger ones, and what is gone leaves them.

A span that is full becomes one segment. One of which a fifth is gone is written again; what is gone is
known by the ids of the bodies, which are in clear.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import groupby

from mailstead.accounts.indexhead import IndexHead, Segment
from mailstead.accounts.indexpieces import Pieces, PieceWriter
from mailstead.accounts.indexstore import IndexStore
from mailstead.accounts.keys import SessionKeys
from mailstead.index.merge import merge
from mailstead.index.segment import SPAN, read_documents
from mailstead.store.database import Database
from mailstead.store.segments import objects_there, stored_objects

SMALLEST = 64  # documents
FAN = 8  # segments of about one size that become one
OBJECTS_AT_ONCE = 4096


class Merging:
    """Keeps the segments of one account few, and free of what is gone."""

    def __init__(self, database: Database, keys: SessionKeys, store: IndexStore, pieces: Pieces) -> None:
        self._database = database
        self._keys = keys
        self._store = store
        self._pieces = pieces
        self._looked_at = (0, 0)  # documents and bodies when it was last looked which are gone

    async def step(self, head: IndexHead) -> bool:
        """Write one segment in the place of others; False when nothing is to be done.

        Raises:
            LostRace, Stale, Refused, UnsealError, Damaged: as `Indexing.step`.
        """
        some = to_merge(head)
        if some:
            await self._merge(head, some, [frozenset()] * len(some))
            return True
        return await self._leave_out(head)

    async def _merge(self, head: IndexHead, some: Sequence[Segment], gone: list[Collection[int]]) -> None:
        """Write one segment in the place of some, without documents that are gone."""
        layouts = await self._pieces.layouts(some)
        writer = PieceWriter(self._keys)
        work = merge(layouts, gone, writer.put)
        octets = b""
        documents: list[int] = []
        try:
            wanted = next(work)
            while True:
                if wanted is not None:
                    stretch = [(wanted.start, wanted.stop)]
                    ((octets,),) = await self._pieces.read([(some[wanted.which], stretch)], keep=False)
                await asyncio.sleep(0)
                await self._store.write_ahead(writer)
                wanted = work.send(octets)
        except StopIteration as done:
            documents = done.value
        writer.finish()
        await self._store.write_ahead(writer, rest=True)
        made = segment_of(writer, documents, some[0].span)
        kept = [s for s in head.segments if s not in some]
        segments = tuple(sorted([*kept, made], key=lambda s: (s.span, s.lo)))
        gone_ones = [s.segment_id for s in some]
        await self._store.commit(replace(head, segments=segments), made=made, dropped=gone_ones)

    async def table(self, segment: Segment) -> list[tuple[int, bytes]]:
        """The documents of a segment: lower halves, ascending, and the ids of their bodies.

        Raises:
            UnsealError, Damaged: it is not what was written.
        """
        (layout,) = await self._pieces.layouts([segment])
        ((octets,),) = await self._pieces.read(
            [(segment, [(layout.documents_at, layout.signatures_at)])], keep=False
        )
        await asyncio.sleep(0)
        return list(read_documents(octets, layout.documents))

    async def _leave_out(self, head: IndexHead) -> bool:
        """Write a segment again of which a fifth is gone; False when there is none."""
        account_id = self._keys.account_id
        objects = await self._database.read(lambda tx: stored_objects(tx, account_id))
        documents, before = self._looked_at
        if objects * 10 > head.documents * 9 or (documents == head.documents and objects * 10 > before * 9):
            return False
        there = await self._objects()
        for segment in head.segments:
            gone = frozenset(lower for lower, name in await self.table(segment) if name not in there)
            if len(gone) == segment.documents:
                kept = tuple(s for s in head.segments if s is not segment)
                await self._store.commit(replace(head, segments=kept), dropped=[segment.segment_id])
                return True
            if len(gone) * 5 >= segment.documents:
                await self._merge(head, [segment], [gone])
                return True
        self._looked_at = head.documents, objects
        return False

    async def _objects(self) -> set[bytes]:
        """The ids of all bodies that something names."""
        account_id, found, last = self._keys.account_id, set[bytes](), b""
        while True:
            after = last
            some = await self._database.read(lambda tx: objects_there(tx, account_id, after, OBJECTS_AT_ONCE))  # noqa: B023  # it runs now
            if not some:
                return found
            found.update(some)
            last = some[-1]


def segment_of(writer: PieceWriter, documents: Sequence[int], span: int) -> Segment:
    """A segment that was written, as the head names it."""
    pieces = writer.pieces
    return Segment(
        writer.segment_id, span, documents[0], documents[-1], len(documents), pieces, writer.octets
    )


def to_merge(head: IndexHead) -> list[Segment]:
    """Segments that become one now: all of a span that is full, or FAN of about one size side by side."""
    for span, some in groupby(head.segments, key=lambda s: s.span):
        there = list(some)
        if span < head.next_document // SPAN and len(there) > 1:
            return there
        sizes = [_size(s) for s in there]
        for size in set(sizes):
            if sizes.count(size) >= FAN:
                first = sizes.index(size)
                last = len(sizes) - sizes[::-1].index(size)
                return there[first:last]
    return []


def _size(segment: Segment) -> int:
    """0 for what is as small as a batch can be, and one more for each eight times as much."""
    return (segment.documents // SMALLEST).bit_length() // 3
