"""Making one segment of several, without documents that are gone: key by key, so it needs little room."""

from array import array
from collections.abc import Callable, Collection, Generator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from mailstead.index.segment import (
    BITMAP,
    INLINE,
    OFFSET,
    Damaged,
    Layout,
    numbers,
    of_bitmap,
    read_block,
    read_documents,
)
from mailstead.index.writing import Writer

AT_ONCE = 1000  # keys that are written before others get their turn


class Stretch(NamedTuple):
    """Octets of one of several segments."""

    which: int
    start: int
    stop: int


# What it wants to read next; None: others may have their turn.
Merging = Generator[Stretch | None, bytes, list[int]]


class _Cursor:
    """Where a segment is being read."""

    def __init__(self, which: int, layout: Layout, gone: Collection[int]) -> None:
        self.which = which
        self._layout = layout
        self._gone = gone
        self._next = 0
        self._keys: list[bytes] = []
        self._references = array("I")
        self._postings = b""
        self._base = 0
        self._at = 0
        self._before = 0

    def load(self) -> Generator[Stretch, bytes, bool]:
        """Read the next block; False when there is none."""
        blocks = self._layout.blocks
        if self._next == len(blocks):
            return False
        block = blocks[self._next]
        self._next += 1
        self._references, keys = read_block(
            (yield Stretch(self.which, block.start, block.start + block.octets))
        )
        self._keys = keys[1:-1].split(b"\n")
        if len(self._keys) != len(self._references):
            raise Damaged("a block has another number of terms")
        self._base = self._before = block.postings
        last = self._next == len(blocks)
        stop = self._layout.blocks_at if last else blocks[self._next].postings
        self._postings = (yield Stretch(self.which, self._base, stop)) if stop > self._base else b""
        self._at = 0
        return True

    @property
    def key(self) -> bytes | None:
        """The present key; None at the end of a block."""
        return self._keys[self._at] if self._at < len(self._keys) else None

    def take(self) -> "array[int]":
        """The documents that have the present key and are not gone; the next one is the present one then."""
        reference = self._references[self._at]
        self._at += 1
        if reference & INLINE:
            found = array("H", [reference & 0xFFFF])
        else:
            stop = reference & OFFSET
            octets = self._postings[self._before - self._base : stop - self._base]
            self._before = stop
            found = of_bitmap(octets, self._layout.lo) if reference & BITMAP else numbers(octets)
        if not found or min(found) < self._layout.lo or max(found) > self._layout.hi:
            raise Damaged("a term is in documents that there are not")
        if self._gone:
            return array("H", [document for document in found if document not in self._gone])
        return found


def merge(layouts: list[Layout], gone: list[Collection[int]], put: Callable[[bytes], None]) -> Merging:
    """Merge segments of one span, whose documents ascend from each to the next.

    Args:
        layouts: With their blocks.
        gone: Of each the lower halves of documents that are left out; not all of them.
        put: Gets the new segment, some octets at a time.

    Returns:
        The lower halves of its documents, ascending.

    Raises:
        Damaged: one of them makes no sense.
    """
    documents: list[tuple[int, bytes]] = []
    for which, layout in enumerate(layouts):
        table = yield Stretch(which, layout.documents_at, layout.signatures_at)
        documents += [d for d in read_documents(table, layout.documents) if d[0] not in gone[which]]
    writer = Writer(documents, put)
    heap: list[tuple[bytes, int]] = []
    cursors = [_Cursor(which, layout, gone[which]) for which, layout in enumerate(layouts)]
    for cursor in cursors:
        if (yield from cursor.load()) and cursor.key is not None:
            heap.append((cursor.key, cursor.which))
    heapify(heap)
    written = 0
    while heap:
        key = heap[0][0]
        found = array("H")
        while heap and heap[0][0] == key:
            cursor = cursors[heappop(heap)[1]]
            found += cursor.take()
            if cursor.key is None and not (yield from cursor.load()):
                continue
            if cursor.key is not None:
                heappush(heap, (cursor.key, cursor.which))
        if found:
            writer.add(key, found)
        written += 1
        if written % AT_ONCE == 0:
            yield None
    writer.finish()
    return [document for document, _ in documents]
