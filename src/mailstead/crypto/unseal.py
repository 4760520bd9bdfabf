"""Opening what lanes sealed: summaries, and bodies whole or in part.

Every failure is an `UnsealError`. Nothing is believed of a record before its key, its context,
its length and its caps have been checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailstead.crypto.frame import (
    BLOCK,
    DICTIONARY_ID,
    PADDED,
    SEEKABLE,
    ZSTD,
    decompress,
    inflate,
    read_seek_footer,
    read_seek_table,
    seek_table_octets,
    unframe,
)
from mailstead.crypto.keys import open_content
from mailstead.crypto.lanes import EXTENT, LANE_MESSAGES, LANE_STEP, SUMMARY_FLAGS, lane_info
from mailstead.crypto.primitives import (
    CHUNK,
    HEAD,
    Octets,
    PrivateKey,
    RandomAccess,
    decapsulate,
    expand_into,
    open_sealed,
)
from mailstead.crypto.records import CAPS, header, record_context
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref, Sealed
from mailstead.errors import UnsealError
from mailstead.secretmem import wipe

BODY_CAP = 1 << 32  # plain octets of a message, whatever the limit was when it came


class LaneReader:
    """The message keys of one lane."""

    def __init__(self, key: PrivateKey, account: bytes, epoch: int, lane_id: bytes, sealed: Sealed) -> None:
        info = lane_info(account, epoch, lane_id)
        self._seed = bytearray(decapsulate(sealed.octets, key, info))
        self._chain = bytearray(self._seed)
        self._at = 0

    def key(self, ctr: int) -> bytearray:
        """The key of message *ctr*; cheapest when asked for in ascending order.

        Raises:
            UnsealError: a lane has no such message.
        """
        if not 0 <= ctr < LANE_MESSAGES:
            raise UnsealError("a lane has 256 messages")
        if ctr < self._at:
            self._chain[:] = self._seed
            self._at = 0
        step = bytearray(64)
        while self._at <= ctr:
            expand_into(self._chain, LANE_STEP, step)
            self._chain[:] = step[:32]
            self._at += 1
        key = step[32:]
        wipe(step)
        return key

    def close(self) -> None:
        """Wipe the seed."""
        wipe(self._seed)
        wipe(self._chain)


@dataclass(frozen=True, slots=True)
class RecordName:
    """What a lane's record is called: all that its context binds besides its kind."""

    account: bytes
    object_id: bytes
    lane_id: bytes
    ctr: int
    flags: int

    def context(self, kind: Kind, dictionary: int = 0) -> bytes:
        """The context of the record of this *kind*."""
        head = header(kind, Ref.LANE, self.flags, self.object_id, self.lane_id, self.ctr, dictionary)
        return record_context(head, self.account)


def open_frame(key: Octets, name: RecordName, kind: Kind, dictionary: int, sealed: Sealed) -> bytes:
    """The content of a lane's record as its frame has it, compressed or not.

    Raises:
        UnsealError: it is not the one that was sealed under this name.
    """
    return unframe(open_sealed(key, name.context(kind, dictionary), sealed.octets))


def open_summary(key: Octets, name: RecordName, sealed: Sealed) -> bytes:
    """The content of a SUMMARY record.

    Raises:
        UnsealError: it is not the one that was sealed under this name.
    """
    if name.flags not in (SUMMARY_FLAGS, PADDED):
        raise UnsealError("the summary has flags that make no sense")
    dictionary = DICTIONARY_ID if name.flags == SUMMARY_FLAGS else 0
    content = open_frame(key, name, Kind.SUMMARY, dictionary, sealed)
    return inflate(name.flags, content, CAPS[Kind.SUMMARY])


def open_note(key: bytearray, account: bytes, lane_id: bytes, sealed: Sealed) -> bytes:
    """The content of a note, the only record of its lane; the *key* is wiped.

    Raises:
        UnsealError: it is not the one that was sealed in this lane.
    """
    try:
        context = RecordName(account, ZERO_ID, lane_id, 0, PADDED).context(Kind.ACCESSLOG)
        return open_content(key, context, Kind.ACCESSLOG, sealed)
    finally:
        wipe(key)


def open_body(key: Octets, name: RecordName, sealed: Sealed, size: int) -> bytes:
    """All *size* octets of a BODY record of up to a block.

    Raises:
        UnsealError: it is not the one that was sealed under this name.
    """
    if name.flags & ~PADDED not in (0, ZSTD):
        raise UnsealError("the body has flags that make no sense")
    content = open_frame(key, name, Kind.BODY, 0, sealed)
    plain = inflate(name.flags, content, BLOCK)
    if len(plain) != size:
        raise UnsealError("the body has another length than its summary says")
    return plain


class BodyReader:
    """Opens a BODY record by the parts of it that are wanted.

    It does no I/O: `needs` says which extents a range of the message lies in, `read` opens it
    from them. A body has a `shape` once its table is known, for which `needs_table` asks.

    Args:
        first: Extent 0.
        total: Octets of all extents together.
        size: Octets of the message, as its summary says.
    """

    def __init__(self, key: Octets, name: RecordName, first: Sealed, total: int, size: int) -> None:
        if name.flags & ~PADDED not in (0, ZSTD, SEEKABLE) or not 0 <= size <= BODY_CAP:
            raise UnsealError("the body has flags that make no sense")
        self._chunks = RandomAccess(key, name.context(Kind.BODY), first.octets[:HEAD], total)
        self._flags = name.flags & ~PADDED
        self._size = size
        self._total = total
        sealed = first.octets[HEAD : self._chunks.span(0)[1]]
        self._content = int.from_bytes(self._chunks.open(0, sealed)[:8], "big")
        capacity = total - HEAD - 16 * self._chunks.chunks - 8
        if self._content > capacity:
            raise UnsealError("the frame is shorter than it says")
        if self._flags == 0 and self._content != size:
            raise UnsealError("the body has another length than its summary says")
        self._frames: list[tuple[int, int]] | None = None

    def needs_table(self) -> range | None:
        """The extents that hold the seek table; None when there is none to read."""
        if self._flags != SEEKABLE or self._frames is not None:
            return None
        octets = seek_table_octets(-(-self._size // BLOCK))
        if octets > self._content:
            raise UnsealError("the seek table has another length")
        return self._extents(self._content - octets, self._content)

    def take_table(self, extents: Sequence[Sealed]) -> None:
        """Read the seek table out of the extents that `needs_table` asked for."""
        wanted = self.needs_table()
        if wanted is None:
            return
        frames = -(-self._size // BLOCK)
        octets = seek_table_octets(frames)
        table = self._plain(self._content - octets, self._content, wanted.start, extents)
        if read_seek_footer(table[-9:]) != frames:
            raise UnsealError("the seek table lies")
        entries = read_seek_table(table, frames, self._size)
        spans: list[tuple[int, int]] = []
        at = 0
        for compressed, _ in entries:
            spans.append((at, at + compressed))
            at += compressed
        if at != self._content - octets:
            raise UnsealError("the seek table lies")
        self._frames = spans

    def blocks(self, start: int, stop: int) -> range:
        """The blocks that octets *start* to *stop* of the message lie in."""
        if not 0 <= start <= stop <= self._size:
            raise ValueError("outside of the message")
        if start == stop:
            return range(0)
        return range(start // BLOCK, -(-stop // BLOCK))

    def needs(self, block: int) -> range:
        """The extents that hold a block; with the last one, those of the padding too."""
        return self._extents(*self._span(block), to_end=self._is_last(block))

    def read(self, block: int, first: int, extents: Sequence[Sealed]) -> bytes:
        """The plain octets of a block.

        Args:
            first: The number of the first of *extents*, which hold at least what it needs.

        Raises:
            UnsealError: they are not what was sealed.
        """
        start, stop = self._span(block)
        content = self._plain(start, stop, first, extents, to_end=self._is_last(block))
        plain = content if self._flags == 0 else decompress(content, BLOCK)
        if len(plain) != min(BLOCK, self._size - block * BLOCK):
            raise UnsealError("the body has another length than its summary says")
        return plain

    def _span(self, block: int) -> tuple[int, int]:
        if self._flags == 0:
            return block * BLOCK, min((block + 1) * BLOCK, self._size)
        if self._flags == ZSTD:
            if self._size > BLOCK:
                raise UnsealError("the body has another length than its summary says")
            return 0, self._content
        assert self._frames is not None, "take_table comes first"
        return self._frames[block]

    def _is_last(self, block: int) -> bool:
        return (block + 1) * BLOCK >= self._size

    def _chunk_range(self, start: int, stop: int, *, to_end: bool) -> range:
        """The chunks that hold octets *start* to *stop* of the content (8 octets go before it).

        Who reads to the end opens the padding too: a record that was cut or changed there is refused.
        """
        last = self._chunks.chunks if to_end else -(-(8 + stop) // CHUNK)
        return range((8 + start) // CHUNK, last)

    def _extents(self, start: int, stop: int, *, to_end: bool = False) -> range:
        chunks = self._chunk_range(start, stop, to_end=to_end)
        if not chunks:
            return range(0)
        first = self._chunks.span(chunks[0])[0]
        last = self._chunks.span(chunks[-1])[1]
        return range(first // EXTENT, -(-last // EXTENT))

    def _plain(
        self, start: int, stop: int, first: int, extents: Sequence[Sealed], *, to_end: bool = False
    ) -> bytes:
        chunks = self._chunk_range(start, stop, to_end=to_end)
        if not chunks:
            return b""
        sealed = b"".join(e.octets for e in extents)
        base = first * EXTENT
        plain: list[bytes] = []
        for index in chunks:
            begin, end = self._chunks.span(index)
            plain.append(self._chunks.open(index, sealed[begin - base : end - base]))
        offset = chunks[0] * CHUNK
        return b"".join(plain)[8 + start - offset : 8 + stop - offset]
