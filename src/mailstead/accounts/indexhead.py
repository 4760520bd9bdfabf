"""The head of an account's search index: which segments there are, and how far each mailbox is indexed.

It is named by the account leaf, so an older one is found out; segments are written once, so no older one can
stand in their place. The layout is in docs/format.md, "Segments".
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailstead.errors import UnsealError
from mailstead.index.segment import SPAN

MAGIC = b"EIH1"
_HEAD = struct.Struct(">4s16sIII")  # magic, index id, next document, segments, mailboxes
_SEGMENT = struct.Struct(">12sHHHIIQ")  # id, span, lowest and highest document, documents, pieces, octets
_MARK = struct.Struct(">16sI")
_ROW = struct.Struct(">16sH")  # index id, messages


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as the head names it.

    Args:
        span: The upper half of the numbers of its documents.
        lo, hi: The lowest and the highest lower half.
        documents: How many it has.
        pieces, octets: Of its content.
    """

    segment_id: bytes
    span: int
    lo: int
    hi: int
    documents: int
    pieces: int
    octets: int


@dataclass(frozen=True, slots=True)
class IndexHead:
    """The head, decoded; a change is another one.

    Args:
        version: Of its record.
        index_id: Of this index: what another one says of documents is nothing here.
        next_document: The number of the next one; none is ever given twice.
        segments: By span and lowest document.
        marks: Of each mailbox the highest UID that was dealt with.
    """

    version: int
    index_id: bytes
    next_document: int = 0
    segments: tuple[Segment, ...] = ()
    marks: Mapping[bytes, int] = field(default_factory=dict[bytes, int])

    @property
    def documents(self) -> int:
        """How many documents there are, those of messages that are gone among them."""
        return sum(segment.documents for segment in self.segments)

    def encode(self) -> bytes:
        """The content of its record."""
        head = _HEAD.pack(MAGIC, self.index_id, self.next_document, len(self.segments), len(self.marks))
        segments = [
            _SEGMENT.pack(s.segment_id, s.span, s.lo, s.hi, s.documents, s.pieces, s.octets)
            for s in self.segments
        ]
        return b"".join([head, *segments, *(_MARK.pack(*mark) for mark in sorted(self.marks.items()))])

    @classmethod
    def decode(cls, version: int, content: bytes) -> "IndexHead":
        """Read the content of its record.

        Raises:
            UnsealError: it is malformed.
        """
        if len(content) < _HEAD.size:
            raise UnsealError("the head of the search index is cut")
        magic, index_id, next_document, segments, mailboxes = _HEAD.unpack_from(content)
        marks_at = _HEAD.size + segments * _SEGMENT.size
        if magic != MAGIC or len(content) != marks_at + mailboxes * _MARK.size:
            raise UnsealError("the head of the search index is malformed")
        found = tuple(Segment(*s) for s in _SEGMENT.iter_unpack(content[_HEAD.size : marks_at]))
        marks = dict(_MARK.iter_unpack(content[marks_at:]))
        return cls(version, index_id, next_document, found, marks)


def document_of(span: int, lower: int) -> int:
    """The number of a document."""
    return span * SPAN + lower


def encode_row(index_id: bytes, documents: Mapping[int, int]) -> bytes:
    """Which documents the messages of a row are, by UID."""
    uids = sorted(documents)
    count = len(uids)
    return _ROW.pack(index_id, count) + struct.pack(
        f">{2 * count}I", *uids, *map(documents.__getitem__, uids)
    )


def decode_row(index_id: bytes, content: bytes) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """UIDs, ascending, and their documents; None of another index.

    Raises:
        UnsealError: it is malformed.
    """
    if len(content) < _ROW.size:
        raise UnsealError("a row of the search index is cut")
    named, count = _ROW.unpack_from(content)
    if named != index_id:
        return None
    if len(content) != _ROW.size + 8 * count:
        raise UnsealError("a row of the search index is malformed")
    values = struct.unpack_from(f">{2 * count}I", content, _ROW.size)
    return values[:count], values[count:]
