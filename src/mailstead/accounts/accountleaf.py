"""The account leaf: which write of its own records an account should have.

It names the list of mailboxes and all annotations, and is written in the transaction of whatever it
names, by compare-and-swap. The layout is in docs/format.md, "The account leaf".
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mailstead.accounts.keys import SessionKeys
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store.database import Tx
from mailstead.store.records import get_record, put_record

MAGIC = b"EMA1"
NAMED = (Kind.MBOXES, Kind.METADATA, Kind.SEGMENT)
_NAMES = {
    int(Kind.MBOXES): "the list of mailboxes",
    int(Kind.METADATA): "annotations",
    int(Kind.SEGMENT): "the search index",
}
_HEAD = struct.Struct(">4sQI")  # magic, version, n
_ENTRY = struct.Struct(">B16sQ16s")  # kind, place, version, write id

Write = tuple[int, bytes]  # version and write id of a record
Name = tuple[int, bytes]  # kind and place of one
Writes = Mapping[Name, Write]
Changed = list[tuple[Kind, bytes, SealedRecord]]  # records as they shall be written, by kind and place


@dataclass(frozen=True, slots=True)
class AccountLeaf:
    """The account leaf, decoded; a change is another one.

    Args:
        version: Of its record.
    """

    version: int
    writes: Writes

    def encode(self) -> bytes:
        """The content of its record."""
        entries = [_ENTRY.pack(*name, *write) for name, write in sorted(self.writes.items())]
        return b"".join([_HEAD.pack(MAGIC, self.version, len(entries)), *entries])

    @classmethod
    def decode(cls, content: bytes) -> "AccountLeaf":
        """Read the content of its record.

        Raises:
            UnsealError: it is malformed.
        """
        if len(content) < _HEAD.size:
            raise UnsealError("the account leaf has no head")
        magic, version, count = _HEAD.unpack_from(content)
        if magic != MAGIC or len(content) != _HEAD.size + count * _ENTRY.size:
            raise UnsealError("the account leaf is malformed")
        entries = _ENTRY.iter_unpack(content[_HEAD.size :])
        writes = {(kind, place): (number, write_id) for kind, place, number, write_id in entries}
        if len(writes) != count:
            raise UnsealError("the account leaf names a record twice")
        return cls(version, writes)

    def check(self, kind: Kind, place: bytes, found: Write | None) -> None:
        """See that a record which is to be replaced is the one that was written.

        Raises:
            Refused: NOT_AS_LEFT.
        """
        words = difference(kind, found, self.writes.get((kind, place)))
        if words:
            raise Refused(Reason.NOT_AS_LEFT, words)

    def next(self, changed: Changed, gone: list[bytes] | None = None) -> "AccountLeaf":
        """The leaf that is written with *changed* records, when mailboxes are *gone*."""
        writes = {name: write for name, write in self.writes.items() if name[1] not in (gone or ())}
        writes |= {(kind, place): (record.version, record.write_id) for kind, place, record in changed}
        return replace(self, version=self.version + 1, writes=writes)


def read_account_leaf(tx: Tx, account_id: int) -> SealedRecord:
    """The sealed account leaf, which every account has.

    Raises:
        Refused: NOT_AS_LEFT: it is missing.
    """
    record = get_record(tx, account_id, Kind.LEAF)
    if record is None:
        raise Refused(Reason.NOT_AS_LEFT, MISSING)
    return record


MISSING = "the account leaf is missing: nothing says what was written"


def open_account_leaf(keys: SessionKeys, record: SealedRecord) -> AccountLeaf:
    """Open the account leaf.

    Raises:
        UnsealError: it is not what this account wrote.
    """
    leaf = AccountLeaf.decode(keys.open(Kind.LEAF, ZERO_ID, 0, 0, record))
    if leaf.version != record.version:
        raise UnsealError("the account leaf is of another version than it says")
    return leaf


def seal_account_leaf(keys: SessionKeys, leaf: AccountLeaf) -> SealedRecord:
    """Seal the account leaf for the version it has."""
    return keys.seal(Kind.LEAF, ZERO_ID, 0, leaf.version, 0, leaf.encode())


def put_account_leaf(tx: Tx, account_id: int, record: SealedRecord) -> None:
    """Write the account leaf.

    Raises:
        LostRace: another session wrote it first.
    """
    put_record(tx, account_id, Kind.LEAF, record)


def written(record: SealedRecord | None) -> Write | None:
    """Which write a record is of."""
    return None if record is None else (record.version, record.write_id)


def difference(kind: int, found: Write | None, wanted: Write | None) -> str:
    """How a record is not the one that was written, in words; empty when it is."""
    if found == wanted:
        return ""
    name = _NAMES.get(kind, "a record")
    there = f"version {found[0]} found" if found else "nothing found"
    if wanted is None:
        return f"{name}: {there}, nothing was written"
    if found is not None and found[0] == wanted[0]:
        return f"{name}: another version {found[0]} found than was written"
    return f"{name}: {there}, {wanted[0]} was written"
