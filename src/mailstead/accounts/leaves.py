"""Leaves: what a mailbox's rows should be, so that an older row is known to be older.

A leaf is one sealed record for 64 page numbers of a mailbox. It is written in the transaction of
every row it names, by compare-and-swap, and opened by whoever writes or selects. Leaf 0 also has
what is of the mailbox as a whole: how far its arrivals have been absorbed, and how many leaves
there are. The layout is in docs/format.md, "Leaves".
"""

import struct
from dataclasses import dataclass, replace

from mailstead.accounts.keys import SessionKeys
from mailstead.crypto.arrivals import TAG_OCTETS
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store.database import Tx
from mailstead.store.leaves import get_leaf

MAGIC = b"EML1"
# magic, mailbox, leaf, version, uid_validity, uid_floor, modseq_floor, arrivals, tag, leaves, n, 0
_HEAD = struct.Struct(">4s16sIQIIQQ32sIHH")
_ENTRY = struct.Struct(">BIQ16s")  # kind, number, version, write id
NO_TAG = bytes(TAG_OCTETS)  # nothing has arrived


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf, decoded as far as its head.

    Args:
        uid_floor, modseq_floor: The highest UID and modseq its rows ever held.
        arrivals, arrival_tag, leaves: Zeros but in leaf 0.
        entries: 29 octets for each row, ascending.
    """

    mailbox_id: bytes
    number: int
    version: int
    uid_validity: int
    uid_floor: int = 0
    modseq_floor: int = 0
    arrivals: int = 0
    arrival_tag: bytes = NO_TAG
    leaves: int = 0
    entries: bytes = b""

    def encode(self) -> bytes:
        """The content of a LEAF record."""
        count = len(self.entries) // _ENTRY.size
        head = _HEAD.pack(
            MAGIC, self.mailbox_id, self.number, self.version, self.uid_validity, self.uid_floor,
            self.modseq_floor, self.arrivals, self.arrival_tag, self.leaves, count, 0,
        )  # fmt: skip
        return head + self.entries

    @classmethod
    def decode(cls, content: bytes) -> "Leaf":
        """Read the content of a LEAF record.

        Raises:
            UnsealError: it is malformed.
        """
        if len(content) < _HEAD.size:
            raise UnsealError("a leaf has no head")
        magic, box, number, version, valid, uid, modseq, arrivals, tag, leaves, count, zero = (
            _HEAD.unpack_from(content)
        )
        if magic != MAGIC or zero or len(content) != _HEAD.size + count * _ENTRY.size:
            raise UnsealError("a leaf is malformed")
        entries = content[_HEAD.size :]
        return cls(box, number, version, valid, uid, modseq, arrivals, tag, leaves, entries)


def first_leaf(mailbox_id: bytes, uid_validity: int) -> Leaf:
    """Leaf 0 of a mailbox in which nothing is yet."""
    return Leaf(mailbox_id, 0, 1, uid_validity, leaves=1)


def open_leaf(keys: SessionKeys, mailbox_id: bytes, number: int, record: SealedRecord) -> Leaf:
    """Open a leaf.

    Raises:
        UnsealError: it is not what this account wrote in this place.
    """
    leaf = Leaf.decode(keys.open(Kind.LEAF, mailbox_id, number, 0, record))
    if (leaf.mailbox_id, leaf.number, leaf.version) != (mailbox_id, number, record.version):
        raise UnsealError("a leaf is in another place than it says")
    return leaf


def seal_leaf(keys: SessionKeys, leaf: Leaf) -> SealedRecord:
    """Seal a leaf for the version it has."""
    return keys.seal(Kind.LEAF, leaf.mailbox_id, leaf.number, leaf.version, 0, leaf.encode())


def read_leaf(tx: Tx, account_id: int, mailbox_id: bytes, number: int = 0) -> SealedRecord:
    """The sealed leaf of a mailbox that must have it.

    Raises:
        Refused: it is missing.
    """
    record = get_leaf(tx, account_id, mailbox_id, number)
    if record is None:
        raise Refused(Reason.DAMAGED, f"leaf {number} of the mailbox is missing")
    return record


def absorbed(leaf: Leaf, arrivals: int, tag: bytes) -> Leaf:
    """The next version of leaf 0, in which so many arrivals are absorbed."""
    return replace(leaf, version=leaf.version + 1, arrivals=arrivals, arrival_tag=tag)
