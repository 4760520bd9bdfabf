"""A finished order of all messages of a mailbox, as it is stored.

It is good for the very pages, arrivals and UIDs that it was found of (docs/format.md, "Orders").
"""

import struct
import sys
from array import array
from hashlib import sha256

from mailstead.accounts.keptorders import Finished
from mailstead.accounts.orderrows import NUMBERS
from mailstead.accounts.states import Uids
from mailstead.errors import UnsealError
from mailstead.mail.sortkeys import Criterion
from mailstead.mail.threadlist import Piece
from mailstead.mail.threads import Algorithm
from mailstead.store.orders import Contents

VERSION = 1

_HEAD = struct.Struct(">B32sII")  # version, what it was found of, messages, pieces of threads
_PIECE = struct.Struct(">II")  # octets of the shape, messages
_PAGE = struct.Struct(">IQ16s")  # number, version, write id
_WAITING = struct.Struct(">I32s")  # UID, tag
_ALGORITHMS = {Algorithm.ORDEREDSUBJECT: b"\1", Algorithm.REFERENCES: b"\2"}
_REVERSE = 0x80
_SWAP = sys.byteorder == "little"

Question = tuple[Criterion, ...] | Algorithm


def question_id(question: Question) -> bytes:
    """What stands for a question, in up to 10 octets."""
    if isinstance(question, Algorithm):
        return _ALGORITHMS[question]
    return bytes((0, *[NUMBERS[c.by] | (_REVERSE if c.reverse else 0) for c in question]))


def found_of(named: Contents, uids: Uids) -> bytes:
    """What names the contents of a mailbox, in which *uids* are seen."""
    hashed = sha256(_octets(uids))
    for number, page in sorted(named.pages.items()):
        hashed.update(_PAGE.pack(number, *page))
    for uid, tag in named.waiting:
        hashed.update(_WAITING.pack(uid, tag))
    return hashed.digest()


def encode(name: bytes, answer: Finished) -> bytes:
    """The content of a record.

    Args:
        name: What `found_of` says.
    """
    pieces = answer.threads
    places = array("I", answer.places)
    for piece in pieces:
        places.extend(piece.places)
    return b"".join(
        (
            _HEAD.pack(VERSION, name, len(places), len(pieces)),
            *[_PIECE.pack(len(piece.shape), len(piece.places)) for piece in pieces],
            _octets(places),
            *[piece.shape for piece in pieces],
        )
    )


def decode(name: bytes, uids: Uids, content: bytes) -> Finished | None:
    """The order of all of *uids*; None when it was found of something else.

    Raises:
        UnsealError: it is malformed.
    """
    try:
        version, found_name, count, pieces = _HEAD.unpack_from(content)
        if version != VERSION:
            raise ValueError("version")
        if found_name != name:
            return None
        if count != len(uids):
            raise ValueError("messages")
        return _decode(uids, content, pieces)
    except (struct.error, ValueError) as error:
        raise UnsealError("an order is malformed") from error


def _decode(uids: Uids, content: bytes, pieces: int) -> Finished:
    places_at = _HEAD.size + pieces * _PIECE.size
    shape_at = places_at + 4 * len(uids)
    places = array("I")
    places.frombytes(content[places_at:shape_at])
    if _SWAP:
        places.byteswap()
    if len(places) != len(uids) or max(places, default=0) >= max(len(uids), 1):
        raise ValueError("places")
    if not pieces:
        if len(content) != shape_at:
            raise ValueError("octets left over")
        return Finished(uids, uids, places)
    threads: list[Piece] = []
    at = 0
    for octets, count in _PIECE.iter_unpack(content[_HEAD.size : places_at]):
        shape = content[shape_at : shape_at + octets]
        if shape.count(b"n") != count:
            raise ValueError("shape")
        threads.append(Piece(shape, places[at : at + count]))
        at, shape_at = at + count, shape_at + octets
    if (at, shape_at) != (len(uids), len(content)):
        raise ValueError("octets left over")
    return Finished(uids, uids, threads=threads)


def _octets(column: "array[int]") -> bytes:
    if not _SWAP:
        return column.tobytes()
    swapped = column[:]
    swapped.byteswap()
    return swapped.tobytes()
