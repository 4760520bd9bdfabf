"""Searches whose results a client is told to change: the updating contexts of RFC 5267 section 4.3.

What the client has is kept, in its order, as UIDs: 4 octets a message, and 4 more where it is sorted.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mailstead.accounts.news import News
from mailstead.imap.fetch import FetchItem
from mailstead.imap.searchkeys import Key
from mailstead.imap.updates import Placed, updated
from mailstead.imap.view import MailboxView
from mailstead.mail.sortkeys import Criterion

FEW = 8  # messages that are looked for one by one


@dataclass(eq=False, slots=True)
class Standing:
    """One search that stands.

    Args:
        correlated: What its responses begin with (`esearch.correlator`).
        uid: Messages are named by UID.
        key: Without anything that depends on the moment: numbers, "$" and "*" are what they were.
        now: When it was asked for, in seconds since the epoch.
        order: UIDs as the client has them.
        criteria: What they are sorted by; without any they are in the order of the mailbox.
        items: What to tell of each new message that is found.
        scores: Of all of them, where they are sorted by relevancy.
    """

    tag: bytes
    correlated: bytes
    uid: bool
    key: Key
    now: float
    order: "array[int]"
    criteria: tuple[Criterion, ...] = ()
    items: tuple[FetchItem, ...] = ()
    scores: dict[int, int] = field(default_factory=dict[int, int])
    _known: "array[int]" = field(init=False)  # the same, ascending

    def __post_init__(self) -> None:
        self._known = array("I", sorted(self.order)) if self.criteria else self.order

    def __contains__(self, uid: int) -> bool:
        at = bisect_left(self._known, uid)
        return at < len(self._known) and self._known[at] == uid

    def __len__(self) -> int:
        return len(self._known)

    def remove(self, leaving: Iterable[int]) -> list[Placed]:
        """Take messages out; the last places first, so that the others are what they were."""
        uids = sorted(uid for uid in leaving if uid in self)
        if not uids:
            return []
        places: list[Placed] = [(0, uids)]
        if self.criteria:
            at = self._places(uids)
            places = [(run[0] + 1, [self.order[p] for p in run]) for run in reversed(_runs(at))]
            self.order = _without(self.order, at)
            for uid in uids:
                self.scores.pop(uid, None)
        self._known = _without(self._known, [bisect_left(self._known, uid) for uid in uids])
        if not self.criteria:
            self.order = self._known
        return places

    def _places(self, uids: Sequence[int]) -> list[int]:
        """Where these messages, which are here, stand in the order; ascending, and counted from 0."""
        if len(uids) <= FEW:
            return sorted(map(self.order.index, uids))
        wanted = set(uids)
        return [at for at, uid in enumerate(self.order) if uid in wanted]

    def add(self, joining: Sequence[tuple[int, int]]) -> list[Placed]:
        """Put messages in.

        Args:
            joining: Before which place of the order, counted from 0, and which UID: in their order.
        """
        if not joining:
            return []
        uids = sorted(uid for _, uid in joining)
        if len(uids) <= FEW:
            for uid in uids:
                insort(self._known, uid)
        else:
            self._known = array("I", sorted([*self._known, *uids]))
        if not self.criteria:
            self.order = self._known
            return [(0, uids)]
        order, start = array("I"), 0
        for at, uid in joining:
            order.extend(self.order[start:at])
            order.append(uid)
            start = at
        order.extend(self.order[start:])
        self.order = order
        at_last = [at + before for before, (at, _) in enumerate(joining)]
        return [(run[0] + 1, [order[p] for p in run]) for run in _runs(at_last)]


def _runs(places: Iterable[int]) -> list[list[int]]:
    """Ascending places, those that follow each other together."""
    runs: list[list[int]] = []
    for at in places:
        if runs and at == runs[-1][-1] + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _without(uids: "array[int]", places: Iterable[int]) -> "array[int]":
    kept, start = array("I"), 0
    for at in places:
        kept.extend(uids[start:at])
        start = at + 1
    kept.extend(uids[start:])
    return kept


@dataclass(eq=False, slots=True)
class Standings:
    """All searches that stand in a session's mailbox, and what has happened since they were looked at."""

    by_tag: dict[bytes, Standing] = field(default_factory=dict[bytes, Standing])
    new: set[int] = field(default_factory=set[int])
    changed: set[int] = field(default_factory=set[int])
    _gone: set[int] = field(default_factory=set[int])

    def happened(self, news: News) -> None:
        """Remember what is to be looked at again; messages that are gone are in no result any more."""
        if self.by_tag:
            self.new.update(news.new)
            self.changed.update(news.changed, news.own)
            self.vanish(news.gone)

    def vanish(self, uids: Iterable[int]) -> None:
        """These messages are gone."""
        if self.by_tag:
            self._gone.update(uids)
            self.new -= self._gone
            self.changed -= self._gone

    def tell_gone(self, view: MailboxView) -> bytes:
        """What tells of those that are gone, before their numbers are given to others."""
        if not self._gone:
            return b""
        gone, self._gone = self._gone, set()
        shown = [
            updated(s.correlated, numbered(s, view, s.remove(gone)), (), uid=s.uid)
            for s in self.by_tag.values()
        ]
        return b"".join(shown)


def numbered(standing: Standing, view: MailboxView, placed: list[Placed]) -> list[Placed]:
    """What is placed, as the client names messages: by UID, or by the number it was told."""
    if standing.uid:
        return placed
    number: Callable[[int], int | None] = view.number
    return [(at, [n for uid in uids if (n := number(uid)) is not None]) for at, uids in placed]
