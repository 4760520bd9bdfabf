"""Entries of the access log: who got in or tried, when, from where, by which door.

All entries have one length, so that what is sealed tells how many there are and no more. Entries
of one way in, peer and door within an hour are one with a count (docs/format.md, "Access log").
"""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from mailstead.crypto.sealed import ZERO_ID
from mailstead.errors import UnsealError

TOGETHER = 3600  # seconds
MOST_LOGINS = 1000
MOST_FAILED = 200  # beside them: who floods with wrong passwords pushes no login out
NOWHERE = bytes(16)  # no peer: a command on this machine
SEVERAL = b"\xff" * 16  # more peers than are kept apart
_COUNT = (1 << 32) - 1
_HEAD = struct.Struct(">BIH")
_ENTRY = struct.Struct(">QQIBBBB16s16s4s")
_V4 = bytes(10) + b"\xff\xff"


class Door(IntEnum):
    """By what somebody came."""

    COMMAND = 1
    IMAP = 2
    POP3 = 3
    SUBMISSION = 4


class Outcome(IntEnum):
    """What came of it."""

    ENTERED = 1
    FAILED = 2  # nothing was opened
    REFUSED = 3  # the credential was right; not for this door, or whoever came did not wait


Key = tuple[Door, Outcome, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """One login, or several that look the same.

    Args:
        first, last: Seconds since the epoch.
        slot_type, slot_id: The way in; 0 and zeros when nothing was opened.
        peer: As `packed_peer` makes it.
        locator: Of an app password.
    """

    first: int
    last: int
    count: int
    door: Door
    outcome: Outcome
    slot_type: int = 0
    slot_id: bytes = ZERO_ID
    peer: bytes = NOWHERE
    locator: str = ""

    @property
    def key(self) -> Key:
        """What entries have in common that are joined."""
        return self.door, self.outcome, self.slot_id, self.peer

    def joined(self, other: "Entry") -> "Entry":
        """Both in one."""
        first, last = min(self.first, other.first), max(self.last, other.last)
        return replace(self, first=first, last=last, count=min(self.count + other.count, _COUNT))

    def encode(self) -> bytes:
        """Its 60 octets."""
        return _ENTRY.pack(
            self.first, self.last, self.count, self.door, self.outcome, self.slot_type, 0, self.slot_id,
            self.peer, self.locator.encode(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entries:
    """What a note or the log holds.

    Args:
        missed: How many could not be noted, or not be opened.
    """

    entries: tuple[Entry, ...]
    missed: int = 0

    def encode(self) -> bytes:
        """Its octets."""
        head = _HEAD.pack(1, min(self.missed, _COUNT), len(self.entries))
        return head + b"".join(e.encode() for e in self.entries)

    @classmethod
    def decode(cls, octets: bytes) -> "Entries":
        """Read what `encode` wrote.

        Raises:
            UnsealError: it is anything else.
        """
        if len(octets) < _HEAD.size:
            raise UnsealError("the access log is cut")
        version, missed, count = _HEAD.unpack_from(octets)
        if version != 1 or len(octets) != _HEAD.size + count * _ENTRY.size:
            raise UnsealError("the access log is malformed")
        found = tuple(_decode(*fields) for fields in _ENTRY.iter_unpack(octets[_HEAD.size :]))
        return cls(found, missed)

    def with_more(self, more: Iterable[Entry], missed: int) -> "Entries":
        """These and *more*: joined by the hour, in the order of their ends, no more than are kept."""
        found = list(self.entries)
        latest = {entry.key: at for at, entry in enumerate(found)}
        for entry in sorted(more, key=lambda e: e.first):
            at = latest.get(entry.key)
            both = entry if at is None else found[at].joined(entry)
            if at is not None and both.last - both.first <= TOGETHER:
                found[at] = both
            else:
                latest[entry.key] = len(found)
                found.append(entry)
        found.sort(key=lambda e: e.last)
        failed = [e for e in found if e.outcome is Outcome.FAILED][-MOST_FAILED:]
        others = [e for e in found if e.outcome is not Outcome.FAILED][-MOST_LOGINS:]
        return Entries(tuple(sorted(others + failed, key=lambda e: e.last)), self.missed + missed)


def _decode(
    first: int, last: int, count: int, door: int, outcome: int, slot_type: int, zero: int,
    slot_id: bytes, peer: bytes, locator: bytes,
) -> Entry:  # fmt: skip
    try:
        text = locator.rstrip(b"\0").decode("ascii")
        entry = Entry(first, last, count, Door(door), Outcome(outcome), slot_type, slot_id, peer, text)
    except ValueError as error:
        raise UnsealError("the access log has an entry this version does not know") from error
    if zero:
        raise UnsealError("the access log is malformed")
    return entry


def packed_peer(peer: str) -> bytes:
    """The address of a client in 16 octets; of what is none, `NOWHERE`."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return NOWHERE
    return address.packed if address.version == 6 else _V4 + address.packed


def peer_text(peer: bytes) -> str:
    """As a person reads it: an address, "several addresses", or nothing when it was here."""
    if peer == NOWHERE:
        return ""
    if peer == SEVERAL:
        return "several addresses"
    address = ipaddress.IPv6Address(peer)
    return str(address.ipv4_mapped or address)
