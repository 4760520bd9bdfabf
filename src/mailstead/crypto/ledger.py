"""The ledger: what this server has done that its database could be made to forget.

Each line is chained to the one before by a MAC (docs/format.md, "The ledger"). It lies outside the
database, so that a database that was set back as a whole is found to be older than what is here.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from mailstead.crypto.primitives import equal, mac

_LINE = struct.Struct(">B16s16sQI16sQ")  # type, account, place, count, uid, tag, time
MAC_OCTETS = 16
LINE_OCTETS = _LINE.size + MAC_OCTETS
START = bytes(MAC_OCTETS)  # what the first line is chained to
TAG_OCTETS = 16
NO_TAG = bytes(TAG_OCTETS)


class LineType(IntEnum):
    """What a line is about."""

    ARRIVAL = 1
    REVOKED = 2
    RESTORED = 3
    ANCHORED = 4
    GONE = 5


class Line(NamedTuple):
    """One line; a named tuple, as thousands of them are read at once.

    Args:
        place: A mailbox of an arrival, or one that is gone, the id of a slot that was revoked, else 16
            zero octets.
        number: Arrivals of the mailbox, the version of the anchor, or when the slot would have expired
            in any case (0: never).
        uid: Of the last arrival, else 0.
        tag: 16 octets: the first of the arrival's tag, or the anchor's write id, else zeros.
        time: Seconds since the epoch.
    """

    type: int
    account: bytes
    place: bytes
    number: int
    uid: int
    tag: bytes
    time: int

    def encode(self) -> bytes:
        """What the MAC is over."""
        return _LINE.pack(*self)


class LedgerChain:
    """Makes and checks the MACs of a ledger.

    Args:
        keys: The present key for rows, and older ones under which lines may have been written.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return "LedgerChain(***)"

    def write(self, before: bytes, lines: list[Line]) -> bytes:
        """The octets of *lines*, behind one whose MAC is *before*."""
        parts: list[bytes] = []
        for line in lines:
            entry = line.encode()
            before = _mac(self._keys[0], before, entry)
            parts += [entry, before]
        return b"".join(parts)

    def follow(self, octets: bytes, before: bytes = START) -> int:
        """How many octets of a ledger are whole lines, each of which follows on the one before."""
        for at in range(0, len(octets) - LINE_OCTETS + 1, LINE_OCTETS):
            entry = octets[at : at + _LINE.size]
            found = octets[at + _LINE.size : at + LINE_OCTETS]
            if not any(equal(found, _mac(key, before, entry)) for key in self._keys):
                return at
            before = found
        return len(octets) - len(octets) % LINE_OCTETS


def _mac(key: bytes, before: bytes, entry: bytes) -> bytes:
    return mac(key, b"EMS1 ledger\x00" + before + entry)[:MAC_OCTETS]


def read_lines(octets: bytes) -> list[Line]:
    """All whole lines of a ledger; what is behind them was cut."""
    return [
        Line._make(_LINE.unpack_from(octets, at))
        for at in range(0, len(octets) - LINE_OCTETS + 1, LINE_OCTETS)
    ]
