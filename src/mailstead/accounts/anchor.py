"""The anchor: floors, below which nothing of an account may be found.

Leaves find what was set back alone; the anchor finds a mailbox, the names or the keys set back as a
whole. It may be a minute old, and its floors only grow, so that two sessions who write it agree on the
higher one. The layout is in docs/format.md, "The anchor"; why floors are so few in docs/decisions/023.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailstead.accounts.accountleaf import Write
from mailstead.accounts.keys import SessionKeys
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import UnsealError

MAGIC = b"EMH1"
# magic, version, created, keyring version, account leaf version, its write id, n
_HEAD = struct.Struct(">4sQQQQ16sI")
_FLOOR = struct.Struct(">16sQ16s")  # mailbox, version of its counts, their write id

Floors = Mapping[bytes, Write]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The anchor, decoded.

    Args:
        version: Of its record.
        created: When it was written, in seconds since the epoch.
        keyring: The version of the keyrings.
        leaf: Which write the account leaf was of.
        mailboxes: Which write the counts of each mailbox were of that has some.
    """

    version: int
    created: int
    keyring: int
    leaf: Write
    mailboxes: Floors = field(default_factory=dict[bytes, Write])

    def encode(self) -> bytes:
        """The content of an ANCHOR record."""
        count = len(self.mailboxes)
        head = _HEAD.pack(MAGIC, self.version, self.created, self.keyring, *self.leaf, count)
        return b"".join([head, *(_FLOOR.pack(box, *write) for box, write in sorted(self.mailboxes.items()))])

    @classmethod
    def decode(cls, content: bytes) -> "Anchor":
        """Read the content of an ANCHOR record.

        Raises:
            UnsealError: it is malformed.
        """
        if len(content) < _HEAD.size:
            raise UnsealError("the anchor has no head")
        magic, version, created, keyring, leaf, write_id, count = _HEAD.unpack_from(content)
        if magic != MAGIC or len(content) != _HEAD.size + count * _FLOOR.size:
            raise UnsealError("the anchor is malformed")
        floors = _FLOOR.iter_unpack(content[_HEAD.size :])
        mailboxes = {box: (number, made) for box, number, made in floors}
        if len(mailboxes) != count:
            raise UnsealError("the anchor names a mailbox twice")
        return cls(version, created, keyring, (leaf, write_id), mailboxes)


def open_anchor(keys: SessionKeys, record: SealedRecord) -> Anchor:
    """Open an anchor.

    Raises:
        UnsealError: it is not what this account wrote.
        Stale: it is under keys of a later epoch.
    """
    anchor = Anchor.decode(keys.open(Kind.ANCHOR, ZERO_ID, 0, 0, record))
    if anchor.version != record.version:
        raise UnsealError("the anchor is of another version than it says")
    return anchor


def seal_anchor(keys: SessionKeys, anchor: Anchor) -> SealedRecord:
    """Seal an anchor for the version it has."""
    return keys.seal(Kind.ANCHOR, ZERO_ID, 0, anchor.version, 0, anchor.encode())
