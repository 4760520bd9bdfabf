"""A segment: which messages have which terms, laid out so that little of it is read.

It is of up to 65,536 documents, whose numbers have the same upper 16 bits; by the lower 16 they are told
apart here. What is written of it is never changed: later ones are merged from it. The layout is in
docs/format.md, "Segments".
"""

import re
import struct
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import zstandard

MAGIC = b"EIX1"
SPAN = 1 << 16  # document numbers of one segment
BLOCK = 16 << 10  # octets of a block of the dictionary, before it is compressed
SIGNATURE = 1024  # octets that tell of a block which three octets in a row its keys have
OBJECT_OCTETS = 16
FIELDS = b"bcfmost"  # of exact terms; of a term in its loose form the field is a capital letter

INLINE, BITMAP, OFFSET = 1 << 31, 1 << 30, (1 << 30) - 1
COUNT = struct.Struct("<H")
BLOCK_HEAD = struct.Struct("<IIH")  # octets, where its first postings begin, octets of its first key
# Magic, terms, where blocks, documents, signatures and block index begin; lo, hi, documents.
FOOTER = struct.Struct("<4sIQQQQHHI")
FOOTER_OCTETS = FOOTER.size
LEVEL = 3
_NUMBER = re.compile("[A-F]*[0-9][0-9A-F]*")
_HEX = frozenset("0123456789ABCDEF")
_BLOCK_CAP, _INDEX_CAP = 1 << 20, 16 << 20

_UNPACK = zstandard.ZstdDecompressor()


class Damaged(Exception):
    """It is no segment, or one that lies."""


def key_of(term: str, field: str) -> bytes:
    """What a term of a field is sorted by: numbers and the like first, where no words are looked for."""
    octets = term.encode("utf-8", "surrogatepass")
    return b"%b%b\t%b" % (shelf_of(term), octets, field.encode())


NUMBERS, WORDS = b"\1", b"\2"  # the halves of a dictionary, by the octet that each key begins with


def shelf_of(term: str) -> bytes:
    """In which half of the dictionary a term stands."""
    return NUMBERS if _NUMBER.fullmatch(term) else WORDS


def shelves_of(beginning: str) -> bytes:
    """In which halves terms that begin so stand."""
    return NUMBERS + WORDS if _HEX.issuperset(beginning) else WORDS


def signature(octets: bytes) -> int:
    """Which three octets in a row *octets* have, as bits; what has a string has its bits."""
    found = bytearray(SIGNATURE)
    for a, b, c in set(zip(octets, octets[1:], octets[2:], strict=False)):
        bit = (a * 1021 + b * 31 + c) % (8 * SIGNATURE)
        found[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(found, "little")


class Block(NamedTuple):
    """A block of the dictionary: where it is, where its postings begin, its signature and first key."""

    start: int
    octets: int
    postings: int
    signature: int
    first: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a segment by its end.

    Args:
        terms: How many keys it has.
        lo, hi: The lowest and the highest lower half of a document's number.
        documents: How many there are.
        blocks_at, documents_at, signatures_at, index_at: Where the dictionary begins, the table of documents,
            the signatures of the blocks, and the block index; in octets.
    """

    terms: int
    lo: int
    hi: int
    documents: int
    blocks_at: int
    documents_at: int
    signatures_at: int
    index_at: int
    blocks: tuple[Block, ...] = ()


def read_footer(footer: bytes, octets: int) -> Layout:
    """Its layout without the blocks, by its last octets.

    Args:
        octets: Of the whole segment.

    Raises:
        Damaged: it is none.
    """
    if len(footer) != FOOTER_OCTETS:
        raise Damaged("it is cut")
    magic, terms, blocks_at, documents_at, signatures_at, index_at, lo, hi, documents = FOOTER.unpack(footer)
    whole = blocks_at <= documents_at <= signatures_at <= index_at <= octets - FOOTER_OCTETS
    table = signatures_at - documents_at
    if magic != MAGIC or not whole or table != documents * (2 + OBJECT_OCTETS) or lo > hi:
        raise Damaged("its footer makes no sense")
    return Layout(terms, lo, hi, documents, blocks_at, documents_at, signatures_at, index_at)


def read_index(layout: Layout, signatures: bytes, packed: bytes) -> Layout:
    """The layout with its blocks, by what stands between its documents and its footer.

    Raises:
        Damaged: they are not what it says.
    """
    octets = inflate(packed, _INDEX_CAP)
    found: list[Block] = []
    at, start = 0, layout.blocks_at
    count = (layout.index_at - layout.signatures_at) // SIGNATURE
    while at < len(octets):
        if at + BLOCK_HEAD.size > len(octets):
            raise Damaged("its block index is cut")
        size, postings, length = BLOCK_HEAD.unpack_from(octets, at)
        at += BLOCK_HEAD.size
        one = signatures[len(found) * SIGNATURE : (len(found) + 1) * SIGNATURE]
        found.append(Block(start, size, postings, int.from_bytes(one, "little"), octets[at : at + length]))
        at += length
        start += size
    if start != layout.documents_at or len(found) != count or len(signatures) != count * SIGNATURE:
        raise Damaged("its blocks are not as long as they should be")
    return replace(layout, blocks=tuple(found))


def inflate(packed: bytes, cap: int = _BLOCK_CAP) -> bytes:
    """What is compressed of a segment, of *cap* octets at most.

    Raises:
        Damaged: it is not one whole frame, or has more.
    """
    try:
        size = zstandard.get_frame_parameters(packed).content_size
        if size > cap:
            raise Damaged("a block is too large")
        return _UNPACK.decompress(packed, max_output_size=size) if size else b""
    except zstandard.ZstdError as error:
        raise Damaged("a block does not open") from error


class Terms(NamedTuple):
    """A block, opened: the reference of each key, and the keys with a line end before and behind each."""

    references: "array[int]"
    keys: bytes


def read_block(packed: bytes) -> Terms:
    """Open a block of the dictionary.

    Raises:
        Damaged: it is none.
    """
    octets = inflate(packed)
    if len(octets) < 2:
        raise Damaged("a block is cut")
    (count,) = COUNT.unpack_from(octets)
    references = array("I", octets[2 : 2 + 4 * count])
    if len(references) != count:
        raise Damaged("a block is cut")
    return Terms(references, octets[2 + 4 * count :])


def numbers(octets: bytes) -> "array[int]":
    """Lower halves of document numbers, as postings have them.

    Raises:
        Damaged: they are cut.
    """
    if len(octets) % 2:
        raise Damaged("postings are cut")
    return array("H", octets)


def of_bitmap(octets: bytes, lo: int) -> "array[int]":
    """The lower halves of which a bitmap that begins at *lo* has bits.

    Raises:
        Damaged: it has others.
    """
    bits = int.from_bytes(octets, "little")
    if lo + bits.bit_length() > SPAN:
        raise Damaged("a bitmap is too long")
    digits = f"{bits:b}"[::-1]
    found = array("H")
    at = digits.find("1")
    while at >= 0:
        found.append(lo + at)
        at = digits.find("1", at + 1)
    return found


def to_bitmap(documents: Iterable[int], lo: int, hi: int) -> bytes:
    """A bitmap from *lo* to *hi*."""
    bits = bytearray((hi - lo >> 3) + 1)
    for document in documents:
        bits[document - lo >> 3] |= 1 << (document - lo & 7)
    return bytes(bits)


def read_documents(octets: bytes, count: int) -> Iterator[tuple[int, bytes]]:
    """Lower halves, ascending, and object ids, out of the table of documents."""
    ids = octets[2 * count :]
    for at, document in enumerate(array("H", octets[: 2 * count])):
        yield document, ids[at * OBJECT_OCTETS : (at + 1) * OBJECT_OCTETS]
