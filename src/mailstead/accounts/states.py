"""What a state row and a COUNTS record hold: flags, modseqs, tombstones, and their sums.

The layouts are in docs/format.md, "States" and "Counts".
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Modseq, SystemFlag, Uid

VERSION = 1
STATE_CAP = 64 << 10  # decoded octets
KEYWORDS_CAP = 255  # different keywords in one state row
KEYWORD_OCTETS = 255

_HEAD = struct.Struct(">BHHB")  # version, messages, tombstones, keywords
_ENTRY = struct.Struct(">IQBB")  # uid, modseq, system flags, how many keywords
_GONE = struct.Struct(">IQI")  # uid, modseq, when
_COUNTS = struct.Struct(">BIIIQQ")  # version, messages, unseen, deleted, size, modseq


@dataclass(frozen=True, slots=True)
class MessageState:
    """What changes about a message."""

    modseq: Modseq
    flags: SystemFlag
    keywords: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A message that was expunged, and when (seconds since the epoch)."""

    modseq: Modseq
    when: int


@dataclass(slots=True)
class StatePage:
    """The states of up to 256 messages, and of those expunged in the last 30 days."""

    live: dict[Uid, MessageState] = field(default_factory=dict[Uid, MessageState])
    gone: dict[Uid, Tombstone] = field(default_factory=dict[Uid, Tombstone])

    def max_modseq(self) -> int:
        """The highest modseq of any entry; 0 without one."""
        return max(
            max((s.modseq for s in self.live.values()), default=0),
            max((t.modseq for t in self.gone.values()), default=0),
        )

    def encode(self) -> bytes:
        """The content of a STATE record."""
        names = sorted({k for s in self.live.values() for k in s.keywords})
        if len(names) > KEYWORDS_CAP:
            raise ValueError("too many keywords in one state row")
        number = {name: i for i, name in enumerate(names)}
        parts = [_HEAD.pack(VERSION, len(self.live), len(self.gone), len(names))]
        for name in names:
            octets = name.encode()
            parts.append(bytes((len(octets),)) + octets)
        for uid in sorted(self.live):
            s = self.live[uid]
            parts.append(_ENTRY.pack(uid, s.modseq, s.flags, len(s.keywords)))
            parts.append(bytes(sorted(number[k] for k in s.keywords)))
        parts.extend(_GONE.pack(uid, t.modseq, t.when) for uid, t in sorted(self.gone.items()))
        return b"".join(parts)

    @classmethod
    def decode(cls, content: bytes) -> "StatePage":
        """Read the content of a STATE record.

        Raises:
            UnsealError: it is malformed.
        """
        try:
            return cls._decode(content)
        except (struct.error, IndexError, ValueError) as error:
            raise UnsealError("state is malformed") from error

    @classmethod
    def _decode(cls, content: bytes) -> "StatePage":
        version, live, gone, keywords = _HEAD.unpack_from(content)
        if version != VERSION or len(content) > STATE_CAP:
            raise ValueError("version")
        at = _HEAD.size
        names: list[str] = []
        for _ in range(keywords):
            end = at + 1 + content[at]
            names.append(content[at + 1 : end].decode())
            at = end
        page = cls()
        for _ in range(live):
            uid, modseq, flags, count = _ENTRY.unpack_from(content, at)
            at += _ENTRY.size
            chosen = content[at : at + count]
            if len(chosen) != count:
                raise ValueError("cut")
            at += count
            page.live[Uid(uid)] = MessageState(
                Modseq(modseq), SystemFlag(flags), frozenset(names[i] for i in chosen)
            )
        for _ in range(gone):
            uid, modseq, when = _GONE.unpack_from(content, at)
            at += _GONE.size
            page.gone[Uid(uid)] = Tombstone(Modseq(modseq), when)
        if at != len(content):
            raise ValueError("octets left over")
        return page


@dataclass(frozen=True, slots=True)
class Counts:
    """The sums of a mailbox's absorbed messages, so that STATUS opens no page."""

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
            unseen=self.unseen + sign * sum(SystemFlag.SEEN not in s.flags for s in listed),
            deleted=self.deleted + sign * sum(SystemFlag.DELETED in s.flags for s in listed),
            size=self.size + sign * size,
            modseq=max(self.modseq, modseq),
        )
