"""What the messages of one row are sorted or threaded by in one field, as it is stored.

It names the write of the page that it was made of, and is good for nothing when another one is there.
The layout is in docs/format.md, "Orders". Nothing in it means something in one process only: the hashes
of strings are made again from the strings, and those of message ids are keyed by the mailbox.
"""

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate

from mailstead.accounts.columns import Link, Links, Numbers
from mailstead.accounts.marks import Extra, Field, Mark, is_string
from mailstead.accounts.states import Uids
from mailstead.errors import UnsealError
from mailstead.mail.sortkeys import By
from mailstead.store.numbers import PAGE_MESSAGES

VERSION = 1  # rises with what messages are compared by, and so does that of `answerrows`
NUMBERS: dict[Field, int] = {
    By.ARRIVAL: 1,
    By.CC: 2,
    By.DATE: 3,
    By.DISPLAYFROM: 4,
    By.DISPLAYTO: 5,
    By.FROM: 6,
    By.SIZE: 7,
    By.SUBJECT: 8,
    By.TO: 9,
    Extra.LINKS: 10,
}  # of fields, for good

_HEAD = struct.Struct(">BBHQ16s")  # version, field, messages, version and write id of the page
_SWAP = sys.byteorder == "little"
_SEPARATORS = "\n" + "".join(map(chr, range(9)))  # the first that no string has
_ENCODING = "utf-8", "surrogatepass"  # what a charset makes of octets may be anything

Page = tuple[int, bytes]  # version and write id
Marks = Sequence[tuple[int, Mark]]


def encode(field: Field, page: Page, marks: Marks, texts: dict[int, str]) -> bytes:
    """The content of a record.

    Args:
        marks: UIDs of the row, ascending, and what `Making` made of them.
        texts: What the numbers of a string stand for.

    Raises:
        ValueError: nothing is left to stand between the strings.
    """
    head = _HEAD.pack(VERSION, NUMBERS[field], len(marks), *page)
    uids = _octets("I", [uid for uid, _ in marks])
    if field is Extra.LINKS:
        return head + uids + _links([mark for _, mark in marks if not isinstance(mark, int)])
    values = [mark for _, mark in marks if isinstance(mark, int)]
    if is_string(field):
        return head + uids + _strings([texts[value] for value in values])
    return head + uids + _octets("q", values)


def _strings(values: Sequence[str]) -> bytes:
    """In their order: those of many rows are sorted faster so.

    Equal ones are not joined: whoever can send mail would see by the size whether he guessed another one.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    places = bytearray(len(order))
    for place, at in enumerate(order):
        places[at] = place
    strings = [values[at] for at in order]
    separator = next((c for c in _SEPARATORS if not any(c in text for text in strings)), None)
    if separator is None:
        raise ValueError("each separator is in one of the strings")
    whole = separator.join(strings).encode(*_ENCODING)
    return b"".join((separator.encode(), places, whole))


def _links(links: Sequence[Link]) -> bytes:
    return b"".join(
        (
            _octets("q", [own for own, _, _ in links]),
            bytes(reply for _, reply, _ in links),
            bytes(len(references) for _, _, references in links),
            _octets("q", [number for _, _, references in links for number in references]),
        )
    )


def decode(field: Field, page: Page, content: bytes, texts: dict[int, str]) -> Numbers | Links | None:
    """What a record says of its messages; None when it was made of another write of the page.

    Args:
        texts: Gets what the numbers of a string stand for, in the order of the strings.

    Raises:
        UnsealError: it is malformed.
    """
    try:
        return _decode(field, page, content, texts)
    except (struct.error, IndexError, ValueError) as error:
        raise UnsealError("an order is malformed") from error


def _decode(field: Field, page: Page, content: bytes, texts: dict[int, str]) -> Numbers | Links | None:
    version, number, count, *named = _HEAD.unpack_from(content)
    if version != VERSION or number != NUMBERS[field] or count > PAGE_MESSAGES:
        raise ValueError("head")
    if tuple(named) != page:
        return None
    at = _HEAD.size + 4 * count
    uids = _array("I", content[_HEAD.size : at], count)
    if field is Extra.LINKS:
        return _read_links(uids, content, at)
    if is_string(field):
        return _read_strings(uids, content, at, texts)
    return Numbers(uids, _array("q", content[at:], count))


def _read_strings(uids: Uids, content: bytes, at: int, texts: dict[int, str]) -> Numbers:
    strings_at = at + 1 + len(uids)
    strings = content[strings_at:].decode(*_ENCODING).split(chr(content[at]))
    numbers = list(map(hash, strings))
    values = array("q", map(numbers.__getitem__, content[at + 1 : strings_at]))
    if not len(values) == len(strings) == len(uids):
        raise ValueError("cut")
    texts.update(zip(numbers, strings, strict=True))
    return Numbers(uids, values)


def _read_links(uids: Uids, content: bytes, at: int) -> Links:
    count = len(uids)
    replies_at = at + 8 * count
    counts_at = replies_at + count
    references_at = counts_at + count
    ids = _array("q", content[at:replies_at], count)
    ends = array("I", accumulate(content[counts_at:references_at]))
    references = _array("q", content[references_at:], ends[-1] if ends else 0)
    replies = bytearray(content[replies_at:counts_at])
    if len(replies) != count or len(ends) != count:
        raise ValueError("cut")
    return Links(uids, ids, replies, ends, references)


def _octets(code: str, values: Sequence[int]) -> bytes:
    column = array(code, values)
    if _SWAP:
        column.byteswap()
    return column.tobytes()


def _array(code: str, octets: bytes, count: int) -> "array[int]":
    column: array[int] = array(code)
    if len(octets) != count * column.itemsize:
        raise ValueError("length")
    column.frombytes(octets)
    if _SWAP:
        column.byteswap()
    return column
