"""What a ledger says, read line by line: of each mailbox the last arrival, of each account its anchor."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mailstead.crypto.ledger import NO_TAG, Line, LineType
from mailstead.crypto.sealed import ZERO_ID

OUT_OF_ORDER = 60  # seconds, within which lines of two processes may change places


class Noted(NamedTuple):
    """The last that is noted of something (`crypto.ledger.Line`)."""

    number: int
    uid: int
    tag: bytes
    time: int


@dataclass(slots=True)
class Known:
    """What is noted of one account.

    Args:
        mailboxes: The last arrival in each.
        forked: Of mailboxes in which a number was given a second time, the arrival that had it or a
            higher one before, and the one that got it then.
        anchor_forked: As `forked`, of the anchor.
        restored: When its owner, or a restored backup, said that what is in the database counts.
        removed: When the account was removed.
    """

    mailboxes: dict[bytes, Noted] = field(default_factory=dict[bytes, Noted])
    forked: dict[bytes, tuple[Noted, Noted]] = field(default_factory=dict[bytes, tuple[Noted, Noted]])
    anchor: Noted | None = None
    anchor_forked: tuple[Noted, Noted] | None = None
    restored: int = -1
    removed: int = -1

    def last_uid(self, mailbox_id: bytes) -> int:
        """The highest UID that an arrival of a mailbox is known to have had; 0: none is known."""
        noted = self.mailboxes.get(mailbox_id)
        return max([n.uid for n in (noted, *self.forked.get(mailbox_id, ())) if n is not None], default=0)


NOTHING = Known()


@dataclass(slots=True)
class Book:
    """What a ledger says.

    Args:
        revoked: The account of each slot that was revoked, and when it would have expired.
    """

    accounts: dict[bytes, Known] = field(default_factory=dict[bytes, Known])
    revoked: dict[bytes, tuple[bytes, int]] = field(default_factory=dict[bytes, tuple[bytes, int]])

    def of(self, account: bytes) -> Known:
        """What is noted of an account.

        A copy: it is compared with a snapshot that is taken now, which the next line may be ahead of.
        """
        known = self.accounts.get(account, NOTHING)
        return replace(known, mailboxes=dict(known.mailboxes), forked=dict(known.forked))

    def read(self, lines: Iterable[Line]) -> None:
        """Go on reading; lines of one mailbox may come out of order."""
        for line in lines:
            known = self.accounts.setdefault(line.account, Known())
            noted = Noted(line.number, line.uid, line.tag, line.time)
            match line.type:
                case LineType.ARRIVAL:
                    _arrive(known, line.place, noted)
                case LineType.REVOKED:
                    self.revoked[line.place] = (line.account, line.number)
                case LineType.RESTORED:
                    self.accounts[line.account] = Known(restored=line.time)
                case LineType.ANCHORED:
                    _anchor(known, noted)
                case LineType.GONE if line.place == ZERO_ID:
                    self.accounts[line.account] = Known(restored=known.restored, removed=line.time)
                case LineType.GONE:
                    known.mailboxes.pop(line.place, None)
                    known.forked.pop(line.place, None)
                case _:  # of a later version
                    continue

    def lines(self, now: int) -> list[Line]:
        """The least that says the same."""
        made: list[Line] = []
        for account, known in self.accounts.items():
            if known.restored >= 0:
                made.append(Line(LineType.RESTORED, account, ZERO_ID, 0, 0, NO_TAG, known.restored))
            if known.removed >= 0:
                made.append(Line(LineType.GONE, account, ZERO_ID, 0, 0, NO_TAG, known.removed))
            for box, noted in known.mailboxes.items():
                kept = dict.fromkeys((*known.forked.get(box, ()), noted))
                made += [Line(LineType.ARRIVAL, account, box, *each) for each in kept]
            if known.anchor is not None:
                kept = dict.fromkeys((*(known.anchor_forked or ()), known.anchor))
                made += [Line(LineType.ANCHORED, account, ZERO_ID, *each) for each in kept]
        made += [
            Line(LineType.REVOKED, account, slot, until, 0, NO_TAG, now)
            for slot, (account, until) in self.revoked.items()
            if until == 0 or until > now
        ]
        return made


def _arrive(known: Known, box: bytes, noted: Noted) -> None:
    before = known.mailboxes.get(box)
    if before is not None and _forks(before, noted):
        known.forked.setdefault(box, (before, noted))
    if before is None or before.number <= noted.number:
        known.mailboxes[box] = noted


def _forks(before: Noted, noted: Noted) -> bool:
    """Whether *noted* has a number that was given before, not only written down out of order."""
    if noted.number == before.number:
        return noted.tag != before.tag
    return noted.number < before.number and noted.time > before.time + OUT_OF_ORDER


def _anchor(known: Known, noted: Noted) -> None:
    before = known.anchor
    if before is not None and known.anchor_forked is None and _forks(before, noted):
        known.anchor_forked = before, noted
    if before is None or before.number <= noted.number:
        known.anchor = noted


def merged(books: list[Book], account: bytes) -> Known:
    """What the ledgers of several nodes know together of an account."""
    each = [book.of(account) for book in books]
    restored = max((known.restored for known in each), default=-1)
    found = Known(restored=restored)
    arrivals: list[tuple[bytes, Noted]] = []
    anchors: list[Noted] = []
    for known in each:
        after = -1 if known.restored == restored else restored  # what is noted later than this counts
        if known.removed > after:
            found.removed = max(found.removed, known.removed)
        arrivals += [(box, noted) for box, noted in known.mailboxes.items() if noted.time > after]
        found.forked |= {box: pair for box, pair in known.forked.items() if pair[1].time > after}
        anchors += [noted for noted in (known.anchor,) if noted is not None and noted.time > after]
        if known.anchor_forked is not None and known.anchor_forked[1].time > after:
            found.anchor_forked = known.anchor_forked
    for box, noted in sorted(arrivals, key=lambda arrival: arrival[1].time):
        _arrive(found, box, noted)
    for noted in sorted(anchors, key=lambda anchor: anchor.time):
        _anchor(found, noted)
    return found
