"""What a sealed record shows to who has no key: its length, and from that its chunks and its padding.

Nothing here opens anything (docs/format.md, "Records"; Cobblestone-256 and Padme there).
"""

import struct
from dataclasses import dataclass

from mailstead.crypto.frame import KNOWN_FLAGS, padme
from mailstead.crypto.primitives import HEAD, SEALED_CHUNK, SUITE
from mailstead.crypto.records import HEADER_OCTETS, MAGIC
from mailstead.crypto.sealed import Kind, Ref
from mailstead.errors import UnsealError

TAG = 16  # octets of a chunk that are no plaintext
LENGTH = 8  # octets of a frame before its content
_HEADER = struct.Struct(">4sBBBB16s16sII")


@dataclass(frozen=True, slots=True)
class Shape:
    """The outside of one payload.

    Args:
        octets: Of the payload as it is stored.
        chunks: How many it was sealed in.
        frame: Octets of the frame, which the number of octets gives away.
        least, most: Between these is the length of the content, when the frame is padded.
    """

    octets: int
    chunks: int
    frame: int
    least: int
    most: int


def shape(octets: int) -> Shape:
    """The outside of a payload of that many octets.

    Raises:
        UnsealError: no payload has this length: it was cut.
    """
    sealed = octets - HEAD
    chunks = sealed // SEALED_CHUNK + 1
    frame = sealed - TAG * chunks
    if sealed < TAG or sealed % SEALED_CHUNK < TAG or frame < LENGTH:
        raise UnsealError("no sealed record has this length")
    least, most = frame, frame
    if padme(frame) == frame:
        least = _first(frame)
    return Shape(octets, chunks, frame, max(0, least - LENGTH), most - LENGTH)


def _first(padded: int) -> int:
    """The smallest length that is padded to *padded*."""
    low, high = 0, padded
    while low < high:
        middle = (low + high) // 2
        if padme(middle) < padded:
            low = middle + 1
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a record that has it in front of its payload."""

    kind: Kind
    ref: Ref
    flags: int
    object_id: bytes
    ref_id: bytes
    index: int
    dictionary: int


def parse_header(octets: bytes) -> Header:
    """Read the 48 octets in front of a record that left its table.

    Raises:
        UnsealError: they are no header, or of a suite, kind, key or flag that this version does not know.
    """
    if len(octets) < HEADER_OCTETS:
        raise UnsealError("the header is cut")
    magic, suite, kind, ref, flags, object_id, ref_id, index, dictionary = _HEADER.unpack_from(octets)
    if magic != MAGIC or suite != SUITE or flags & ~KNOWN_FLAGS:
        raise UnsealError("no header of version 1")
    try:
        return Header(Kind(kind), Ref(ref), flags, object_id, ref_id, index, dictionary)
    except ValueError as error:
        raise UnsealError("a kind or a key that this version does not know") from error
