"""Which documents of a segment have a term: a block or two of it are read, and some postings."""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator
from typing import NamedTuple

from mailstead.index.segment import (
    BITMAP,
    INLINE,
    NUMBERS,
    OFFSET,
    SPAN,
    WORDS,
    Block,
    Layout,
    Terms,
    numbers,
    of_bitmap,
    read_block,
    shelf_of,
    shelves_of,
    signature,
)
from mailstead.index.terms import Clue, Place
from mailstead.mail.fuzzy import one_off

BLOCKS_AT_ONCE = 32
POSTINGS_AT_ONCE = 256 << 10  # octets

Stretches = list[tuple[int, int]]  # where octets begin and end
Looking = Generator[Stretches, list[bytes], bytearray]
NOTHING = bytes(SPAN)


class _Posting(NamedTuple):
    start: int
    stop: int
    bitmap: bool


def look_up(layout: Layout, clue: Clue, fields: bytes) -> Looking:
    """The documents that have a term of which a clue is true, in one of *fields*.

    It yields what it wants to read, a list of stretches of the segment, and is sent their octets.

    Args:
        layout: With its blocks.

    Returns:
        An octet for each lower half of a number: 1 if such a document has it.

    Raises:
        Damaged: the segment makes no sense.
    """
    flags = bytearray(SPAN)
    postings: list[_Posting] = []
    blocks = list(_blocks(layout, clue))
    for at in range(0, len(blocks), BLOCKS_AT_ONCE):
        some = blocks[at : at + BLOCKS_AT_ONCE]
        packed = yield [(b.start, b.start + b.octets) for b in some]
        for block, octets in zip(some, packed, strict=True):
            terms = read_block(octets)
            for place in _places(terms.keys, clue, fields):
                reference = terms.references[place]
                if reference & INLINE:
                    flags[reference & 0xFFFF] = 1
                else:
                    postings.append(_posting(terms, place, block))
    postings.sort(key=lambda p: (not p.bitmap, p.start - p.stop))  # what is in many documents comes first
    at = 0
    while at < len(postings) and flags.count(1) < layout.documents:
        some_postings, octets_wanted = list[_Posting](), 0
        while at < len(postings) and octets_wanted < POSTINGS_AT_ONCE:
            some_postings.append(postings[at])
            octets_wanted += postings[at].stop - postings[at].start
            at += 1
        found = yield [(p.start, p.stop) for p in some_postings]
        for posting, octets in zip(some_postings, found, strict=True):
            for document in of_bitmap(octets, layout.lo) if posting.bitmap else numbers(octets):
                flags[document] = 1
    return flags


def _blocks(layout: Layout, clue: Clue) -> Iterator[Block]:
    """The blocks in which such a term can stand."""
    blocks = layout.blocks
    if clue.place in (Place.ENDS, Place.ANYWHERE):
        octets = clue.text.encode("utf-8", "surrogatepass")
        wanted = signature(octets + b"\t" if clue.place is Place.ENDS else octets)
        yield from (b for b in blocks if b.signature & wanted == wanted)
        return
    firsts = [b.first for b in blocks]
    for low, high in _ranges(clue):
        begin = max(0, bisect_right(firsts, low) - 1)
        yield from blocks[begin : bisect_left(firsts, high)]


def _ranges(clue: Clue) -> Iterator[tuple[bytes, bytes]]:
    """The lowest key of which the clue can be true, and one that is above all of them; of each half."""
    octets = clue.text.encode("utf-8", "surrogatepass")
    whole = clue.place is Place.WHOLE
    if clue.place is Place.NEARLY:
        low = WORDS + clue.text[0].encode("utf-8", "surrogatepass")
        yield low, low + b"\xff"
        return
    shelves = shelf_of(clue.text) if whole else shelves_of(clue.text)
    for shelf in (NUMBERS, WORDS):
        if shelf in shelves:
            low = shelf + octets + (b"\t" if whole else b"")
            yield low, low + b"\xff"


def _places(keys: bytes, clue: Clue, fields: bytes) -> Iterator[int]:
    """Which keys of a block the clue is true of."""
    octets = clue.text.encode("utf-8", "surrogatepass")
    match clue.place:
        case Place.ANYWHERE:
            patterns = [octets]
        case Place.ENDS:
            patterns = [octets + b"\t"]
        case Place.NEARLY:
            yield from _near_places(keys, clue.text, fields)
            return
        case _:
            patterns = [b"\n" + low for low, _ in _ranges(clue)]
    for pattern in patterns:
        found, place, counted = keys.find(pattern), -1, 0
        while found >= 0:
            place += keys.count(b"\n", counted, found + 1 if pattern[0] == 10 else found)
            counted = found + 1 if pattern[0] == 10 else found
            end = keys.find(b"\n", found + 1)
            if keys[end - 1] in fields:
                yield place
            found = keys.find(pattern, end)


def _near_places(keys: bytes, word: str, fields: bytes) -> Iterator[int]:
    begins = WORDS + word[0].encode("utf-8", "surrogatepass")
    for place, key in enumerate(keys[1:-1].split(b"\n")):
        if key.startswith(begins) and key[-1] in fields:
            term = key[1:-2].decode("utf-8", "surrogatepass")
            if one_off(word, term):
                yield place


def _posting(terms: Terms, place: int, block: Block) -> _Posting:
    references = terms.references
    reference = references[place]
    before = place - 1
    while before >= 0 and references[before] & INLINE:
        before -= 1
    start = references[before] & OFFSET if before >= 0 else block.postings
    return _Posting(start, reference & OFFSET, bool(reference & BITMAP))
