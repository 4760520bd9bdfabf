"""Notes: what the server tells an account while nobody is there who could open anything.

A note is sealed as a message is, to the delivery key, in a lane of its own; its tag says that this
server made it (docs/format.md, "Access log").
"""

from dataclasses import dataclass

from mailstead.crypto.arrivals import ArrivalChain
from mailstead.crypto.lanes import DeliveryKey, LaneWriter
from mailstead.crypto.sealed import Sealed, SealedLane


@dataclass(frozen=True, slots=True)
class SealedNote:
    """One note; its id is the lane's."""

    lane: SealedLane
    octets: Sealed
    tag: bytes


def seal_note(
    account: bytes, epoch: int, key: DeliveryKey, chain: ArrivalChain, content: bytes
) -> SealedNote:
    """Seal *content* to the delivery key of an account's epoch."""
    lane = LaneWriter(account, epoch, key)
    try:
        with lane.next() as sealer:
            octets = sealer.note(content)
    finally:
        lane.close()
    return SealedNote(lane.sealed, octets, chain.note_tag(lane.sealed, octets))
