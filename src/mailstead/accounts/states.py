"""What a state row holds: flags, modseqs and keywords in columns, and tombstones.

A row is decoded a column at a time, not a message at a time, because SELECT opens all of them;
the layout is in docs/format.md, "States".
"""

import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mailstead.accounts import tombstones
from mailstead.accounts.tombstones import Tombstone
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Modseq, SystemFlag, Uid

VERSION = 1
STATE_CAP = 64 << 10  # decoded octets
KEYWORDS_CAP = 255  # different keywords in one state row
KEYWORD_OCTETS = 255
FLAGS = tuple(SystemFlag(bits) for bits in range(32))  # making one anew costs more than a look-up

_HEAD = struct.Struct(">BHHB")  # version, messages, tombstones, keywords
_COUNT = struct.Struct(">H")
_KNOWN_FLAGS = bytes(range(32))
_SEEN, _DELETED = int(SystemFlag.SEEN), int(SystemFlag.DELETED)
_MARKS = bytes(octet & (_SEEN | _DELETED) for octet in range(256))
_NO_KEYWORDS: frozenset[str] = frozenset()
_SWAP = sys.byteorder == "little"
_UIDS, _MODSEQS = "I", "Q"  # 4 and 8 octets wherever Python runs
assert (array(_UIDS).itemsize, array(_MODSEQS).itemsize) == (4, 8)

Uids: TypeAlias = "array[int]"


@dataclass(frozen=True, slots=True)
class MessageState:
    """What changes about a message."""

    modseq: Modseq
    flags: SystemFlag
    keywords: frozenset[str]


def no_uids() -> Uids:
    """An empty column of UIDs."""
    return array(_UIDS)


def _no_modseqs() -> Uids:
    return array(_MODSEQS)


@dataclass(frozen=True, slots=True)
class RowStates:
    """The states of up to 256 messages; never changed, so any number of snapshots share it.

    Args:
        uids: Ascending.
        flags: One octet per message.
        keywords: Of those messages that have any.
        gone: The tombstones as stored.
        sealed: Pendings whose flags and keywords nobody has looked at yet.
    """

    uids: Uids = field(default_factory=no_uids)
    modseqs: Uids = field(default_factory=_no_modseqs)
    flags: bytes | bytearray = b""
    keywords: Mapping[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])
    gone: bytes = b""
    sealed: frozenset[int] = frozenset()
    _newest: int = field(default=-1, init=False, repr=False, compare=False)

    @property
    def newest(self) -> int:
        """The highest modseq of a message that is here; 0 without one. Looked for once."""
        if self._newest < 0:
            object.__setattr__(self, "_newest", max(self.modseqs, default=0))
        return self._newest

    @classmethod
    def decode(cls, content: bytes) -> "RowStates":
        """Read the content of a STATE record.

        Raises:
            UnsealError: it is malformed.
        """
        try:
            return cls._decode(content)
        except (struct.error, IndexError, ValueError) as error:
            raise UnsealError("state is malformed") from error

    @classmethod
    def _decode(cls, content: bytes) -> "RowStates":
        version, live, gone, names = _HEAD.unpack_from(content)
        modseqs_at = _HEAD.size + 4 * live
        flags_at = modseqs_at + 8 * live
        gone_at = flags_at + live
        keywords_at = gone_at + tombstones.OCTETS * gone
        if version != VERSION or len(content) > STATE_CAP or len(content) < keywords_at:
            raise ValueError("head")
        uids, modseqs = array(_UIDS), array(_MODSEQS)
        uids.frombytes(content[_HEAD.size : modseqs_at])
        modseqs.frombytes(content[modseqs_at:flags_at])
        if _SWAP:
            uids.byteswap()
            modseqs.byteswap()
        flags = content[flags_at:gone_at]
        if flags.translate(None, _KNOWN_FLAGS):
            raise ValueError("flags")
        keywords = _decode_keywords(content, keywords_at, names, uids) if names else {}
        if not names and keywords_at != len(content):
            raise ValueError("octets left over")
        return cls(uids, modseqs, flags, keywords, content[gone_at:keywords_at])

    def get(self, uid: int) -> MessageState | None:
        """The state of a message, if it is here."""
        at = bisect_left(self.uids, uid)
        if at == len(self.uids) or self.uids[at] != uid:
            return None
        return MessageState(
            Modseq(self.modseqs[at]), FLAGS[self.flags[at]], self.keywords.get(uid, _NO_KEYWORDS)
        )

    def items(self) -> Iterator[tuple[Uid, MessageState]]:
        """Every message and its state, in UID order."""
        for uid, modseq, flags in zip(self.uids, self.modseqs, self.flags, strict=True):
            yield (
                Uid(uid),
                MessageState(Modseq(modseq), FLAGS[flags], self.keywords.get(uid, _NO_KEYWORDS)),
            )

    def tombstones(self) -> Iterator[tuple[Uid, Tombstone]]:
        """What was expunged from this row."""
        return tombstones.unpack(self.gone)


def _decode_keywords(content: bytes, at: int, names: int, uids: Uids) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for _ in range(names):
        end = at + 1 + content[at]
        name = content[at + 1 : end].decode()
        (count,) = _COUNT.unpack_from(content, end)
        at = end + _COUNT.size + count
        places = content[end + _COUNT.size : at]
        if len(places) != count or not name:
            raise ValueError("cut")
        for place in places:
            found.setdefault(uids[place], set()).add(name)
    if at != len(content):
        raise ValueError("octets left over")
    return {uid: frozenset(keywords) for uid, keywords in found.items()}


class StatePage:
    """The states of one row while a write changes them."""

    def __init__(self, row: RowStates | None = None) -> None:
        row = row or RowStates()
        self.uids = row.uids[:]
        self._modseqs = row.modseqs[:]
        self._flags = bytearray(row.flags)
        self._keywords = dict(row.keywords)
        self._gone = dict(row.tombstones())

    def get(self, uid: int) -> MessageState | None:
        """The state of a message, if it is here."""
        return self.row().get(uid)

    def items(self) -> Iterator[tuple[Uid, MessageState]]:
        """Every message and its state, in UID order."""
        return self.row().items()

    def row(self, gone: bytes = b"", sealed: frozenset[int] = frozenset()) -> RowStates:
        """The states as they are now; they may not be changed any more if this is kept."""
        return RowStates(self.uids, self._modseqs, self._flags, self._keywords, gone, sealed)

    def put(self, uid: Uid, state: MessageState) -> None:
        """Give a message a state, new here or not."""
        at = bisect_left(self.uids, uid)
        if at == len(self.uids) or self.uids[at] != uid:
            self.uids.insert(at, uid)
            self._modseqs.insert(at, 0)
            self._flags.insert(at, 0)
        self._modseqs[at] = state.modseq
        self._flags[at] = state.flags
        if state.keywords:
            self._keywords[uid] = state.keywords
        else:
            self._keywords.pop(uid, None)

    @property
    def keywords(self) -> Mapping[int, frozenset[str]]:
        """Of those messages that have any."""
        return self._keywords

    def places(self, uids: Sequence[Uid]) -> tuple[Sequence[int], Sequence[Uid]]:
        """Which of *uids*, ascending, are here, and at which places of the columns."""
        if self.uids == array(_UIDS, uids):
            return range(len(uids)), uids
        at = {uid: place for place, uid in enumerate(self.uids)}
        there = [uid for uid in uids if uid in at]
        return [at[uid] for uid in there], there

    def translate(self, places: Sequence[int], table: bytes, modseq: Modseq) -> bool:
        """Translate the flags at *places*; those that change have *modseq* then. Whether any did."""
        before = bytes(self._flags)
        if len(places) == len(before):
            self._flags = bytearray(before.translate(table))
        else:
            for at in places:
                self._flags[at] = table[before[at]]
        changed = [at for at in places if self._flags[at] != before[at]]
        for at in changed:
            self._modseqs[at] = modseq
        return bool(changed)

    def tally(self) -> tuple[int, int]:
        """How many messages are unseen, and how many deleted."""
        marks = self._flags.translate(_MARKS)
        return len(marks) - marks.count(_SEEN) - marks.count(_SEEN | _DELETED), (
            marks.count(_DELETED) + marks.count(_SEEN | _DELETED)
        )

    def pop(self, uid: Uid) -> MessageState:
        """Take a message out, which must be here; its state."""
        state = self.get(uid)
        assert state is not None
        at = bisect_left(self.uids, uid)
        del self.uids[at], self._modseqs[at], self._flags[at]
        self._keywords.pop(uid, None)
        return state

    def bury(self, uid: Uid, tombstone: Tombstone) -> None:
        """Remember that a message was expunged."""
        self._gone[uid] = tombstone

    def max_modseq(self) -> int:
        """The highest modseq of any entry; 0 without one."""
        return max(max(self._modseqs, default=0), max((t.modseq for t in self._gone.values()), default=0))

    def encode(self) -> bytes:
        """The content of a STATE record.

        Raises:
            ValueError: there are too many keywords, or one is too long.
        """
        places: dict[str, list[int]] = {}
        for at, uid in enumerate(self.uids) if self._keywords else ():
            for name in self._keywords.get(uid, ()):
                places.setdefault(name, []).append(at)
        if len(places) > KEYWORDS_CAP:
            raise ValueError("too many keywords in one state row")
        uids, modseqs = self.uids[:], self._modseqs[:]
        if _SWAP:
            uids.byteswap()
            modseqs.byteswap()
        parts = [
            _HEAD.pack(VERSION, len(uids), len(self._gone), len(places)),
            uids.tobytes(), modseqs.tobytes(), bytes(self._flags),
            tombstones.pack(self._gone),
        ]  # fmt: skip
        for name in sorted(places):
            octets = name.encode()
            parts += [bytes((len(octets),)), octets, _COUNT.pack(len(places[name])), bytes(places[name])]
        content = b"".join(parts)
        if len(content) > STATE_CAP:
            raise ValueError("too many keywords in one state row")
        return content

    def without_room(self, later: Collection[Uid]) -> dict[Uid, frozenset[str]]:
        """Those of *later* whose keywords are too many for the row, and which of them they can keep.

        The other messages keep theirs, and the first of *later* come before the last.
        """
        names = {name for uid, own in self._keywords.items() if uid not in later for name in own}
        octets = _HEAD.size + 13 * len(self.uids) + tombstones.OCTETS * len(self._gone)
        octets += sum(_keyword_octets(name) for name in names)
        octets += sum(len(own) for uid, own in self._keywords.items() if uid not in later)
        cut: dict[Uid, frozenset[str]] = {}
        for uid in sorted(later):
            wanted, kept = self._keywords.get(uid, _NO_KEYWORDS), set[str]()
            for name in sorted(wanted, key=lambda n: (n not in names, n)):
                more = 1 if name in names else 1 + _keyword_octets(name)
                if octets + more > STATE_CAP or (name not in names and len(names) == KEYWORDS_CAP):
                    continue
                octets += more
                names.add(name)
                kept.add(name)
            if len(kept) < len(wanted):
                cut[uid] = frozenset(kept)
        return cut


def _keyword_octets(name: str) -> int:
    """Of a keyword in a row, without the messages that have it."""
    return 1 + len(name.encode()) + _COUNT.size
