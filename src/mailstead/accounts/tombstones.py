"""Messages that were expunged, as a state row remembers them (docs/format.md, "States")."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailstead.mail.mailbox import Modseq, Uid

_GONE = struct.Struct(">IQI")  # uid, modseq, when
OCTETS = _GONE.size


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A message that was expunged, and when (seconds since the epoch)."""

    modseq: Modseq
    when: int


def unpack(octets: bytes) -> Iterator[tuple[Uid, Tombstone]]:
    """What `pack` made."""
    for uid, modseq, when in _GONE.iter_unpack(octets):
        yield Uid(uid), Tombstone(Modseq(modseq), when)


def pack(gone: Mapping[Uid, Tombstone]) -> bytes:
    """Tombstones as they are stored, in UID order."""
    return b"".join([_GONE.pack(uid, t.modseq, t.when) for uid, t in sorted(gone.items())])
