"""The COUNTS record: the sums of a mailbox's absorbed messages, so that STATUS opens no page.

The layout is in docs/format.md, "Counts".
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mailstead.accounts.states import MessageState
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import SystemFlag

VERSION = 1
_COUNTS = struct.Struct(">BIIIQQ")  # version, messages, unseen, deleted, size, modseq
_SEEN, _DELETED = int(SystemFlag.SEEN), int(SystemFlag.DELETED)  # plain numbers: flags are counted often


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages, how many of them unseen and deleted, how many octets, as of a modseq."""

    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0
    modseq: int = 0

    def encode(self) -> bytes:
        """The content of a COUNTS record."""
        return _COUNTS.pack(VERSION, self.messages, self.unseen, self.deleted, self.size, self.modseq)

    @classmethod
    def decode(cls, content: bytes) -> "Counts":
        """Read the content of a COUNTS record.

        Raises:
            UnsealError: it is malformed.
        """
        if len(content) != _COUNTS.size or content[0] != VERSION:
            raise UnsealError("counts are malformed")
        return cls(*_COUNTS.unpack(content)[1:])

    def add(self, states: Iterable[MessageState], size: int, modseq: int, sign: int = 1) -> "Counts":
        """These counts with messages of these *states*, *size* octets together, added (or taken)."""
        listed = list(states)
        return replace(
            self,
            messages=self.messages + sign * len(listed),
            unseen=self.unseen + sign * sum(not int(s.flags) & _SEEN for s in listed),
            deleted=self.deleted + sign * sum(bool(int(s.flags) & _DELETED) for s in listed),
            size=self.size + sign * size,
            modseq=max(self.modseq, modseq),
        )

    def flagged(self, unseen: int, deleted: int, modseq: int) -> "Counts":
        """These counts with so many more unseen and deleted messages (or fewer)."""
        return replace(
            self,
            unseen=self.unseen + unseen,
            deleted=self.deleted + deleted,
            modseq=max(self.modseq, modseq),
        )
