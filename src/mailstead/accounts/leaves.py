"""Leaves: what a mailbox's rows should be, so that an older row is known to be older.

A leaf is one sealed record for 64 page numbers of a mailbox. It is written in the transaction of
every row it names, by compare-and-swap, and opened by whoever writes or selects. COUNTS, which is
written with every change, names the leaves. Leaf 0 also has how far the arrivals of the mailbox
have been absorbed. The layout is in docs/format.md, "Leaves".
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass, replace

from mailstead.accounts.keys import SessionKeys
from mailstead.crypto.arrivals import TAG_OCTETS
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store.database import Tx
from mailstead.store.leaves import get_leaf
from mailstead.store.mailboxes import get_mailbox

MAGIC = b"EML1"
# magic, mailbox, leaf, version, uid_validity, uid_floor, modseq_floor, arrivals, tag, leaves, n, 0
_HEAD = struct.Struct(">4s16sIQIIQQ32sIHH")
_ENTRY = struct.Struct(">BIQ16s")  # kind, number, version, write id
NO_TAG = bytes(TAG_OCTETS)  # nothing has arrived
PAGE_A, PAGE_B, STATE = range(3)  # kinds of entries
COUNTS, LEAF = 3, 4  # what is no entry, and is compared all the same
_NAMES = {PAGE_A: "list entries", PAGE_B: "keys", STATE: "flags"}
_KEY = struct.Struct(">BI")
_VALUE = struct.Struct(">Q16s")

Write = tuple[int, bytes]  # version and write id of a row


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

    def writes(self) -> dict[tuple[int, int], Write]:
        """The write that each row should be of, by kind and number."""
        return {(k, n): (version, wid) for k, n, version, wid in _ENTRY.iter_unpack(self.entries)}

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


class LeafPage:
    """A leaf while a write changes it."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self._entries = bytearray(leaf.entries)

    def get(self, kind: int, number: int) -> Write | None:
        """The write that a row should be of; None when there should be no such row."""
        at, there = self._find(_KEY.pack(kind, number))
        return _VALUE.unpack_from(self._entries, at + _KEY.size) if there else None

    def put(self, kind: int, number: int, record: SealedRecord) -> None:
        """A row is written."""
        key = _KEY.pack(kind, number)
        at, there = self._find(key)
        entry = key + _VALUE.pack(record.version, record.write_id)
        self._entries[at : at + _ENTRY.size * there] = entry

    def drop(self, kind: int, number: int) -> None:
        """A row is deleted."""
        at, there = self._find(_KEY.pack(kind, number))
        del self._entries[at : at + _ENTRY.size * there]

    def raise_floors(self, uid: int, modseq: int) -> None:
        """The rows hold these."""
        leaf = self.leaf
        self.leaf = replace(
            leaf, uid_floor=max(leaf.uid_floor, uid), modseq_floor=max(leaf.modseq_floor, modseq)
        )

    def grow(self) -> None:
        """There is a leaf more; of leaf 0."""
        self.leaf = replace(self.leaf, leaves=self.leaf.leaves + 1)

    def absorb(self, arrivals: int, tag: bytes) -> None:
        """So many arrivals are absorbed, and the last of them has this tag."""
        self.leaf = replace(self.leaf, arrivals=arrivals, arrival_tag=tag)

    def next(self) -> Leaf:
        """The leaf as it shall be written."""
        return replace(self.leaf, version=self.leaf.version + 1, entries=bytes(self._entries))

    def _find(self, key: bytes) -> tuple[int, bool]:
        size, entries = _ENTRY.size, self._entries
        count = len(entries) // size
        at = size * bisect_left(
            range(count), key, key=lambda n: bytes(entries[size * n : size * n + _KEY.size])
        )
        return at, bytes(entries[at : at + _KEY.size]) == key


def first_leaf(mailbox_id: bytes, uid_validity: int) -> Leaf:
    """Leaf 0 of a mailbox in which nothing is yet."""
    return Leaf(mailbox_id, 0, 1, uid_validity, leaves=1)


def is_first(leaf: Leaf) -> bool:
    """Whether this is leaf 0 of a mailbox in which nothing ever was, so that it has no COUNTS."""
    return leaf == first_leaf(leaf.mailbox_id, leaf.uid_validity)


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
        Refused: it is missing, or the mailbox is gone.
    """
    record = get_leaf(tx, account_id, mailbox_id, number)
    if record is None and get_mailbox(tx, account_id, mailbox_id) is None:
        raise Refused(Reason.NO_SUCH_MAILBOX)
    if record is None:
        raise Refused(Reason.NOT_AS_LEFT, f"leaf {number} of the mailbox is missing")
    return record


def named(kind: int, number: int) -> str:
    """A row, in words."""
    if kind == COUNTS:
        return "the counts"
    if kind == LEAF:
        return f"leaf {number}"
    return f"{_NAMES[kind]} of messages {(number << 8) + 1}-{(number + 1) << 8}"


def difference(kind: int, number: int, found: Write | None, written: Write | None) -> str:
    """How a row is not the one that was written, in words; empty when it is."""
    if found == written:
        return ""
    if kind == LEAF and found and written and found[0] > written[0]:
        return f"the counts: they are of version {written[0]} of leaf {number}, and {found[0]} was written"
    if written is None or found is None:
        there = f"version {found[0]} found" if found else "nothing found"
        wanted = f"version {written[0]} was written" if written else "nothing was written"
        return f"{named(kind, number)}: {there}, {wanted}"
    if found[0] == written[0]:
        return f"{named(kind, number)}: another version {found[0]} found than was written"
    return f"{named(kind, number)}: version {found[0]} found, {written[0]} was written"
