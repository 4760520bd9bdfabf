"""The COUNTS record: the sums of a mailbox's absorbed messages, so that STATUS opens no page.

It is written with every change of the mailbox, and names the leaves, which name all other rows: so
it is what a mailbox hangs together by (`accounts.leaves`). The layout is in docs/format.md, "Counts".
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mailstead.accounts.states import MessageState
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import SystemFlag

VERSIONS = (1, 2)  # the first names no leaves
_COUNTS = struct.Struct(">BIIIQQ")  # version, messages, unseen, deleted, size, modseq
_COUNT = struct.Struct(">I")
_LEAF = struct.Struct(">IQ16s")  # number, version, write id
_SEEN, _DELETED = int(SystemFlag.SEEN), int(SystemFlag.DELETED)  # plain numbers: flags are counted often


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages, how many of them unseen and deleted, how many octets, as of a modseq.

    Args:
        leaves: Version and write id of each leaf by its number.
    """

    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0
    modseq: int = 0
    leaves: Mapping[int, tuple[int, bytes]] = field(default_factory=dict[int, tuple[int, bytes]])

    def encode(self) -> bytes:
        """The content of a COUNTS record."""
        head = _COUNTS.pack(VERSIONS[-1], self.messages, self.unseen, self.deleted, self.size, self.modseq)
        named = [_LEAF.pack(number, *write) for number, write in sorted(self.leaves.items())]
        return b"".join([head, _COUNT.pack(len(named)), *named])

    @classmethod
    def decode(cls, content: bytes) -> "Counts":
        """Read the content of a COUNTS record.

        Raises:
            UnsealError: it is malformed.
        """
        if len(content) < _COUNTS.size or content[0] not in VERSIONS:
            raise UnsealError("counts are malformed")
        version, messages, unseen, deleted, size, modseq = _COUNTS.unpack_from(content)
        named = b"" if version == 1 else content[_COUNTS.size + _COUNT.size :]
        try:
            count = 0 if version == 1 else _COUNT.unpack_from(content, _COUNTS.size)[0]
            leaves = {n: (v, write_id) for n, v, write_id in _LEAF.iter_unpack(named)}
        except struct.error as error:
            raise UnsealError("counts are malformed") from error
        if len(leaves) != count or (version == 1 and len(content) != _COUNTS.size):
            raise UnsealError("counts are malformed")
        return cls(messages, unseen, deleted, size, modseq, leaves)

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
