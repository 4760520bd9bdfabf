"""Sealed values: the only form in which anything of a message may leave for a disk.

Only `crypto/` makes them, and `store/` when it reads its rows back; a test holds everybody else
to that (tests/test_repository.py).
"""

from dataclasses import dataclass
from enum import IntEnum

ZERO_ID = bytes(16)


class Kind(IntEnum):
    """What a record holds (docs/format.md, "Kinds")."""

    BODY = 1
    SUMMARY = 2
    PAGE = 16
    STATE = 17
    SEGMENT = 18
    MBOXES = 19
    KEYRING = 20
    SETTINGS = 22
    LEAF = 23
    ANCHOR = 24
    TOMB = 25
    ACCESSLOG = 26
    COUNTS = 27
    METADATA = 28
    ORDER = 29
    OUTQ = 32
    SPOOL = 33


class Ref(IntEnum):
    """Which key a record is sealed under (docs/format.md, "Records")."""

    LANE = 0
    STORE_KEY = 1
    INLINE_LANE = 3
    ROOT = 4
    READ_KEY = 5
    SERVER = 6


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext: a detached payload, or one extent of it."""

    octets: bytes

    def __repr__(self) -> str:
        return f"Sealed({len(self.octets)} octets)"


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A record of the owner's, with the clear columns its context binds."""

    version: int
    epoch: int
    write_id: bytes
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class SealedLane:
    """One encapsulation: the seed of a lane, sealed to an account's delivery key."""

    lane_id: bytes
    epoch: int
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """One message sealed to one account.

    Args:
        ctr: Its number in its lane.
        summary_flags, body_flags: The flags octets of the two records' headers.
        extents: The sealed body, or what of it was not written ahead.
        stored_octets: What it counts against the quota.
        digest: What the chain of arrivals binds of it (`crypto.arrivals.digest`).
    """

    ctr: int
    object_id: bytes
    summary_flags: int
    summary: Sealed
    body_flags: int
    extents: tuple[Sealed, ...]
    stored_octets: int
    digest: bytes
