"""A finished order of all messages of a mailbox, as it is stored, with their UIDs (docs/format.md, "Orders").

What a UID names never changes, so it stays right of those that are still there, whatever came or went.
"""

import struct
import sys
from array import array

from mailstead.accounts.keptorders import Finished
from mailstead.accounts.orderrows import NUMBERS
from mailstead.accounts.states import no_uids
from mailstead.errors import UnsealError
from mailstead.mail.sortkeys import Criterion
from mailstead.mail.threadlist import Piece
from mailstead.mail.threads import Algorithm
from mailstead.store.numbers import runs_of

VERSION = 2

_HEAD = struct.Struct(">BII")  # version, runs of UIDs, pieces of threads
_RUN = struct.Struct(">II")  # the first UID, how many
_PIECE = struct.Struct(">II")  # octets of the shape, messages
_ALGORITHMS = {Algorithm.ORDEREDSUBJECT: b"\1", Algorithm.REFERENCES: b"\2"}
_REVERSE = 0x80
_SWAP = sys.byteorder == "little"
_MOST = 1 << 32

Question = tuple[Criterion, ...] | Algorithm


def question_id(question: Question) -> bytes:
    """What stands for a question, in up to 10 octets."""
    if isinstance(question, Algorithm):
        return _ALGORITHMS[question]
    return bytes((0, *[NUMBERS[c.by] | (_REVERSE if c.reverse else 0) for c in question]))


def encode(answer: Finished) -> bytes:
    """The content of a record."""
    pieces, runs = answer.threads, list(runs_of(answer.uids))
    places = array("I", answer.places)
    for piece in pieces:
        places.extend(piece.places)
    if _SWAP:
        places.byteswap()
    return b"".join(
        (
            _HEAD.pack(VERSION, len(runs), len(pieces)),
            *[_RUN.pack(first, last - first + 1) for first, last in runs],
            *[_PIECE.pack(len(piece.shape), len(piece.places)) for piece in pieces],
            places.tobytes(),
            *[piece.shape for piece in pieces],
        )
    )


def decode(content: bytes) -> Finished:
    """The order of all messages that the mailbox had.

    Raises:
        UnsealError: it is malformed.
    """
    try:
        return _decode(content)
    except (struct.error, ValueError) as error:
        raise UnsealError("an order is malformed") from error


def _decode(content: bytes) -> Finished:
    version, runs, pieces = _HEAD.unpack_from(content)
    pieces_at = _HEAD.size + runs * _RUN.size
    places_at = pieces_at + pieces * _PIECE.size
    if version != VERSION or places_at > len(content):
        raise ValueError("head")
    uids = no_uids()
    for first, count in _RUN.iter_unpack(content[_HEAD.size : pieces_at]):
        if not count or first + count > _MOST or (uids and first <= uids[-1]) or 4 * count > len(content):
            raise ValueError("UIDs")
        uids.extend(range(first, first + count))
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
    for octets, count in _PIECE.iter_unpack(content[pieces_at:places_at]):
        shape = content[shape_at : shape_at + octets]
        if shape.count(b"n") != count:
            raise ValueError("shape")
        threads.append(Piece(shape, places[at : at + count]))
        at, shape_at = at + count, shape_at + octets
    if (at, shape_at) != (len(uids), len(content)):
        raise ValueError("octets left over")
    return Finished(uids, uids, threads=threads)
