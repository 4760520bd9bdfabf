"""The chain of arrivals: who delivers cannot open mail, but can tell later what was delivered.

Each arrival of a mailbox has a number and a tag over the tag before it (docs/format.md, "Arrivals"),
under a key of the server. So a pending that was removed, changed, exchanged or put in by somebody
else who can write the database breaks the chain where it stood.
"""

from dataclasses import dataclass

from mailstead.crypto.primitives import HEAD, Octets, equal, expand, mac, sha256
from mailstead.crypto.sealed import Sealed, SealedLane

HEAD_OCTETS = HEAD  # of a sealed body: salt and commitment, by which it is known
TAG_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Link:
    """One arrival, as the chain binds it.

    Args:
        n: Its number in its mailbox, from 1.
        digest: What `digest` makes of its sealed octets.
    """

    n: int
    mailbox_id: bytes
    uid: int
    modseq: int
    object_id: bytes
    lane_id: bytes
    ctr: int
    digest: bytes

    def octets(self) -> bytes:
        """All fields, each of a fixed length."""
        return b"".join(
            (
                self.n.to_bytes(8, "big"), self.mailbox_id, self.uid.to_bytes(4, "big"),
                self.modseq.to_bytes(8, "big"), self.object_id, self.lane_id,
                self.ctr.to_bytes(4, "big"), self.digest,
            )
        )  # fmt: skip


class ArrivalChain:
    """Makes and checks the tags of one account's arrivals.

    Args:
        server_keys: The present one, and older ones under which something may have arrived.
        account: Its 16 octets.
    """

    __slots__ = ("_keys",)

    def __init__(self, server_keys: tuple[Octets, ...], account: bytes) -> None:
        self._keys = tuple(expand(key, b"EMS1 arrival\x00" + account) for key in server_keys)

    def __repr__(self) -> str:
        return "ArrivalChain(***)"

    def start(self, mailbox_id: bytes, uid_validity: int) -> bytes:
        """The tag before the first arrival of a mailbox."""
        return _start(self._keys[0], mailbox_id, uid_validity)

    def step(self, before: bytes, link: Link) -> bytes:
        """The tag of an arrival, whose predecessor has the tag *before*."""
        return _step(self._keys[0], before, link)

    def follows(self, tag: bytes, before: bytes, link: Link) -> bool:
        """Whether this server gave the arrival *tag*, behind one with the tag *before*."""
        return any(equal(tag, _step(key, before, link)) for key in self._keys)

    def follows_start(self, tag: bytes, uid_validity: int, link: Link) -> bool:
        """As `follows`, of the first arrival of a mailbox."""
        return any(
            equal(tag, _step(key, _start(key, link.mailbox_id, uid_validity), link)) for key in self._keys
        )

    def note_tag(self, lane: SealedLane, note: Sealed) -> bytes:
        """The tag of what this server notes for the account in a lane of its own."""
        return _note(self._keys[0], lane, note)

    def noted(self, tag: bytes, lane: SealedLane, note: Sealed) -> bool:
        """Whether it was this server that noted it."""
        return any(equal(tag, _note(key, lane, note)) for key in self._keys)


def _start(key: bytes, mailbox_id: bytes, uid_validity: int) -> bytes:
    return mac(key, b"EMS1 arrival start\x00" + mailbox_id + uid_validity.to_bytes(4, "big"))


def _step(key: bytes, before: bytes, link: Link) -> bytes:
    return mac(key, b"EMS1 arrival step\x00" + before + link.octets())


def _note(key: bytes, lane: SealedLane, note: Sealed) -> bytes:
    epoch = lane.epoch.to_bytes(4, "big")
    return mac(key, b"EMS1 access note\x00" + lane.lane_id + epoch + lane.sealed.octets + note.octets)


def digest(summary: Sealed, body_octets: int, body_head: bytes) -> bytes:
    """What the chain binds of a message's sealed octets (32 octets).

    Args:
        body_octets: Of all extents of the sealed body together.
        body_head: Its first 56 octets, or at least those.
    """
    return sha256(
        b"EMS1 arrival body\x00", len(summary.octets).to_bytes(8, "big"), summary.octets,
        body_octets.to_bytes(8, "big"), body_head[:HEAD_OCTETS],
    )  # fmt: skip
