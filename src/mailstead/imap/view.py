"""What one IMAP session has been told its mailbox holds.

A sequence number means something only against what the client was last told (RFC 9051
section 2.3.1.2), so a session keeps its own list of UIDs. News from the store waits in the
view until a moment the protocol allows it to be told.

The list is an array that sessions share until one of them has something of its own to add
to it or to take from it: 4 octets a message then, and a pointer before.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import cast

from mailstead.imap.news import Exists, Expunge, FlagsChanged, FlagsDefined, News, Recent
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Modseq, SeqNumber, Uid
from mailstead.mail.uidset import SeqSet, UidSet


def uid_array(uids: Iterable[int]) -> "array[int]":
    """The list of UIDs, ascending, that views of one mailbox may share."""
    return array("I", uids)


class MailboxView:
    """The mailbox as the client believes it to be, and the news it has yet to hear.

    Args:
        uids: What SELECT tells it, from `uid_array`; never changed here, and not to be changed.
        recent: UIDs that are \\Recent in this session.
        keywords: What the FLAGS response of SELECT names.
    """

    def __init__(
        self, uids: "array[int]", *, recent: UidSet | None = None, keywords: Iterable[str] = ()
    ) -> None:
        self._told = uids
        self._shared = True
        self._recent = recent if recent is not None else UidSet()
        self._keywords = _by_name(keywords)
        self._arrived: list[int] = []
        self._gone: set[int] = set()
        self._changed: dict[int, tuple[Flags, Modseq]] = {}

    def __len__(self) -> int:
        """How many messages the client knows of."""
        return len(self._told)

    @property
    def waiting(self) -> bool:
        """Whether there is news that was not told."""
        return bool(self._arrived or self._gone or self._changed)

    @property
    def arrived(self) -> list[Uid]:
        """The messages that the client was not told of yet."""
        return list(map(Uid, self._arrived))

    @property
    def recent_count(self) -> int:
        """How many of the messages it knows of are recent."""
        return sum(len(positions) for positions in self._recent.among(self._told))

    def uid(self, number: int) -> Uid | None:
        """The UID of a sequence number, or None when the client was not told of so many messages."""
        return Uid(self._told[number - 1]) if 1 <= number <= len(self._told) else None

    def number(self, uid: int) -> SeqNumber | None:
        """The sequence number of a UID, or None when the client was not told of it."""
        at = bisect_left(self._told, uid)
        if at < len(self._told) and self._told[at] == uid:
            return SeqNumber(at + 1)
        return None

    @property
    def has_recent(self) -> bool:
        """Whether any message is \\Recent in this session."""
        return bool(self._recent.ranges)

    def is_recent(self, uid: int) -> bool:
        """Whether it is \\Recent in this session."""
        return uid in self._recent

    def is_gone(self, uid: int) -> bool:
        """Whether it is known to be expunged, told or not."""
        return uid in self._gone

    def valid(self, messages: SeqSet) -> bool:
        """Whether the client was told of all these numbers; none but BAD answers others."""
        return bool(self._told) and messages.highest() <= len(self._told)

    def select(self, messages: SeqSet | UidSet) -> Iterator[tuple[SeqNumber, Uid]]:
        """Number and UID of the messages it knows of that are meant, ascending; the gone ones too."""
        for p in self._positions(messages):
            numbers = cast("Iterable[SeqNumber]", range(p.start + 1, p.stop + 1))  # calling it takes longer
            yield from zip(numbers, cast("Iterable[Uid]", self._told[p.start : p.stop]), strict=True)

    def present(self, messages: SeqSet | UidSet) -> list[tuple[SeqNumber, Uid]]:
        """What `select` gives, without those known to be gone."""
        gone = self._gone
        if gone:
            return [m for m in self.select(messages) if m[1] not in gone]
        return list(self.select(messages))

    def numbered(self, uids: Set[int]) -> list[tuple[SeqNumber, Uid]]:
        """Number and UID of those of *uids* that it knows of, ascending, without those known to be gone."""
        told, gone = self._told, self._gone
        if len(uids) * 8 < len(told):
            numbers = ((self.number(uid), uid) for uid in sorted(uids) if uid not in gone)
            return [(number, Uid(uid)) for number, uid in numbers if number is not None]
        some = [(SeqNumber(n), Uid(uid)) for n, uid in enumerate(told, 1) if uid in uids]
        return [m for m in some if m[1] not in gone] if gone else some

    def outside(self, known: UidSet) -> list[tuple[SeqNumber, Uid]]:
        """Number and UID of the messages that are not in *known*, ascending; of no gone one."""
        found: list[tuple[SeqNumber, Uid]] = []
        at = 0
        for p in (*known.among(self._told), range(len(self._told), len(self._told))):
            found += [(SeqNumber(n + 1), Uid(self._told[n])) for n in range(at, p.start)]
            at = p.stop
        return [m for m in found if m[1] not in self._gone] if self._gone else found

    def whole(self) -> tuple[Sequence[int], "array[int]"]:
        """Numbers and UIDs of all messages it knows of, ascending, without those known to be gone."""
        gone = self._gone
        if not gone:
            return range(1, len(self._told) + 1), self._told[:]
        kept = [(number, uid) for number, uid in enumerate(self._told, 1) if uid not in gone]
        return [number for number, _ in kept], uid_array(uid for _, uid in kept)

    def uids(self, messages: SeqSet | UidSet) -> UidSet:
        """The UIDs of the messages it knows of that are meant, without those known to be gone."""
        told = self._told
        found = UidSet.of(told[at] for positions in self._positions(messages) for at in positions)
        if self._gone:
            return UidSet.of(u for u in found if u not in self._gone)
        return found

    def _positions(self, messages: SeqSet | UidSet) -> Iterator[range]:
        if isinstance(messages, UidSet):
            yield from messages.among(self._told)
            return
        for low, high in messages.resolve(len(self._told)).ranges:
            yield range(low - 1, high)

    def arrive(self, uids: Iterable[int], *, recent: bool = False) -> None:
        """There are new messages; ascending, and above all that came before."""
        new = list(uids)
        last = self._last()
        for uid in new:
            if uid <= last:
                raise ValueError("a new message has the highest UID")
            last = uid
        self._arrived += new
        if recent:
            self._recent = UidSet((*self._recent.ranges, *((u, u) for u in new)))

    def own_recent(self, uids: range) -> None:
        """These are \\Recent in this session and in no other, whether they are told of already or not."""
        if uids:
            self._recent = UidSet((*self._recent.ranges, (uids.start, uids.stop - 1)))

    def expunge(self, uids: Iterable[int]) -> None:
        """These messages are gone. What the client was never told of, it is not told of now."""
        gone = set(uids)
        if not gone:
            return
        if self._arrived:
            self._arrived = [u for u in self._arrived if u not in gone]
        for uid in gone:
            self._changed.pop(uid, None)
        self._gone.update(uid for uid in gone if self.number(uid) is not None)

    def catch_up(self, uids: Sequence[int], *, recent: bool = False) -> None:
        """The mailbox holds exactly these, ascending: work out what arrived and what is gone."""
        last = self._last()
        self.expunge({*self._told, *self._arrived}.difference(uids))
        self.arrive(uids[bisect_right(uids, last) :], recent=recent)

    def _last(self) -> int:
        return self._arrived[-1] if self._arrived else self._told[-1] if self._told else 0

    def change(self, uid: int, flags: Flags, modseq: Modseq) -> None:
        """A message has these flags now; of several changes the client hears the last."""
        if uid not in self._gone:
            self._changed[uid] = flags, modseq

    @property
    def changed(self) -> set[int]:
        """The messages of whose flags there is news that was not told."""
        return set(self._changed)

    def forget_changes(self, uids: Iterable[int]) -> None:
        """The client has heard of their flags in another way."""
        if self._changed:
            for uid in uids:
                self._changed.pop(uid, None)

    @property
    def keywords(self) -> frozenset[str]:
        """The keywords the client was told of, each in one spelling."""
        return frozenset(self._keywords.values())

    def as_told(self, keywords: Iterable[str]) -> frozenset[str]:
        """These keywords as the client was told of them, whatever case they come in."""
        return frozenset(self._keywords.get(k.lower(), k) for k in keywords)

    def define(self, keywords: Iterable[str]) -> FlagsDefined | None:
        """The news that these keywords are in use, too, or None when it was told."""
        new = _by_name((*self._keywords.values(), *keywords))
        if len(new) == len(self._keywords):
            return None
        self._keywords = new
        return FlagsDefined(self.keywords)

    def tell(self, *, expunges: bool, arrivals: bool = True, flags: bool = True) -> list[News]:
        """Take the news that may be told now, and count it as told.

        Args:
            expunges: False during FETCH, STORE and SEARCH, where EXPUNGE is forbidden
                because it would renumber what the client is asking about (RFC 9051
                section 7.5.1).
            arrivals: False for who does not want to hear of new messages (RFC 5465).
            flags: False for who does not want to hear of changed ones.
        """
        news: list[News] = []
        if expunges and self._gone:
            self._tell_gone(news)
        if arrivals and self._arrived:
            self._tell_arrived(news)
        if flags and self._changed:
            self._tell_changed(news)
        return news

    def _tell_gone(self, news: list[News]) -> None:
        positions = sorted(bisect_left(self._told, uid) for uid in self._gone)
        for at in reversed(positions):  # highest first: no renumbering
            news.append(Expunge(SeqNumber(at + 1), Uid(self._told[at])))
        kept = array("I")
        start = 0
        for at in positions:
            kept.extend(self._told[start:at])
            start = at + 1
        kept.extend(self._told[start:])
        self._told, self._shared = kept, False
        self._gone.clear()

    def _tell_arrived(self, news: list[News]) -> None:
        if self._shared:
            self._told, self._shared = self._told[:], False
        self._told.extend(self._arrived)
        news.append(Exists(len(self._told)))
        if any(uid in self._recent for uid in self._arrived):
            news.append(Recent(self.recent_count))
        self._arrived = []

    def _tell_changed(self, news: list[News]) -> None:
        changes: list[News] = []
        for uid, (flags, modseq) in sorted(self._changed.items(), key=lambda change: change[0]):
            number = self.number(uid)
            if number is None:
                continue
            if flags.keywords and (defined := self.define(flags.keywords)):
                news.append(defined)
            changes.append(FlagsChanged(number, Uid(uid), flags, self.is_recent(uid), modseq))
        news += changes
        self._changed = {}


def _by_name(keywords: Iterable[str]) -> dict[str, str]:
    """Keywords by their name, which has no case; of two spellings the first one stays."""
    found: dict[str, str] = {}
    for keyword in keywords:
        found.setdefault(keyword.lower(), keyword)
    return found
