"""Whether a message is what a SEARCH looks for, as far as it has been opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from mailstead.accounts.entries import Described, EntryA, EntryB
from mailstead.accounts.searchindex import Hits
from mailstead.imap.dates import day as day_shown
from mailstead.imap.objectid import email_id
from mailstead.imap.searchkeys import (
    Among,
    And,
    BodyHas,
    ChangedAt,
    Dated,
    Everything,
    HasAttachment,
    HasEmailId,
    HasFlag,
    HasKeyword,
    HeaderHas,
    IsRecent,
    Key,
    Not,
    Nothing,
    Or,
    Saved,
    Sized,
    TextHas,
    When,
    Within,
)
from mailstead.mail.absence import Probe
from mailstead.mail.attachments import attached
from mailstead.mail.casemap import fold
from mailstead.mail.dates import day_of
from mailstead.mail.header import first, header_block
from mailstead.mail.mailbox import SeqNumber, Uid
from mailstead.mail.searching import InBody, field_texts, header_text
from mailstead.mail.uidset import SavedNumbers, SavedUids, SeqSet
from mailstead.services.imap.relevancy import TextKey, fuzzy_test, score
from mailstead.services.imap.selected import Selected


class Depth(IntEnum):
    """How far a message must be opened."""

    STATE = 0
    COLUMN_A = 1
    COLUMN_B = 2
    BODY = 3


@dataclass(slots=True)
class Candidate:
    """One message, and what has been opened of it."""

    number: SeqNumber
    uid: Uid
    a: EntryA | None = None
    b: EntryB | None = None
    octets: bytes | None = None
    found: InBody | None = None  # what the body has of the judge's *wanted* and *words*
    scores: dict[TextKey, float] = field(default_factory=dict[TextKey, float])
    _described: Described | None = None

    @property
    def described(self) -> Described | None:
        """What the summary says, or None while its column is not here."""
        if self._described is None and self.b is not None:
            self._described = self.b.described
        return self._described

    @property
    def header(self) -> bytes | None:
        """The header block, or None while it is not here."""
        if self.b is not None and self.b.header_whole and self.described is not None:
            return self.described.header
        return None if self.octets is None else header_block(self.octets)


Verdict = bool | None  # None: it must be opened further
Test = Callable[[Candidate], Verdict]


class Judge:
    """One search, over one selected mailbox.

    Args:
        now: Seconds since the epoch.
        scored: What is relevant is asked for, too: of several keys that would do, all are looked at.
    """

    def __init__(self, selected: Selected, key: Key, now: float, *, scored: bool = False) -> None:
        self.selected = selected
        self._now = now
        self._scored = scored
        self.deepest = Depth.STATE
        self.asks_flags = False
        self.wanted: set[str] = set()  # folded strings that are looked for in bodies
        self.words: set[str] = set()  # and words
        self.hits: Mapping[TextKey, Hits] = {}  # what the index knows
        self.scores: dict[int, int] = {}  # of the UIDs that match, where they are asked for
        test = self._test(key)
        self.of: Test = self._scoring(key, test) if scored else test
        self._probe = Probe({*self.wanted, *map(str.upper, self.words)})  # as the ASCII of a body is folded

    def rules_out(self, candidate: Candidate, octets: bytes) -> bool:
        """Whether the body of a message has nothing that is looked for, without taking it apart."""
        described, header = candidate.described, candidate.header
        if described is None or header is None:
            return False
        return self._probe.not_in_body(octets, len(header), described.bodystructure)

    def _scoring(self, key: Key, test: Test) -> Test:
        def judged(c: Candidate) -> Verdict:
            verdict = test(c)
            if verdict:
                self.scores[c.uid] = score(key, c)
            return verdict

        return judged

    def _test(self, key: Key) -> Test:
        match key:
            case Not():
                inner = self._test(key.key)
                return lambda c: None if (found := inner(c)) is None else not found
            case And():
                return _joined([self._test(k) for k in key.keys], ends=False)
            case Or() if self._scored:
                return _all_judged([self._test(k) for k in key.keys])
            case Or():
                return _joined([self._test(k) for k in key.keys], ends=True)
            case _:
                return self._leaf(key)

    def _leaf(self, key: Key) -> Test:
        selected, view = self.selected, self.selected.view
        match key:
            case HasFlag():
                self.asks_flags = True
                flag, present = int(key.flag), key.present
                return lambda c: bool(selected.system(c.uid) & flag) == present
            case HasKeyword():
                self.asks_flags = True
                wanted, there = key.keyword.lower(), key.present
                return lambda c: any(k.lower() == wanted for k in selected.flags(c.uid).keywords) == there
            case IsRecent():
                recent = key.present
                return lambda c: view.is_recent(c.uid) == recent
            case Among(SavedUids() | SavedNumbers()):
                saved = selected.saved
                return lambda c: c.uid in saved
            case Among(SeqSet() as numbers):
                some = numbers.resolve(len(view))
                return lambda c: c.number in some
            case Among():
                uids = view.uids(key.messages)
                return lambda c: c.uid in uids
            case ChangedAt():
                least, snapshot = key.modseq, selected.snapshot
                return lambda c: (state := snapshot.get(c.uid)) is not None and state.modseq >= least
            case Sized() | Within() | Saved() | HasEmailId():
                return self._in_column_a(key)
            case Dated():
                return self._dated(key)
            case HeaderHas() | BodyHas() | TextHas():
                return self._text(key)
            case HasAttachment():
                self._needs(Depth.COLUMN_B)
                return lambda c: None if c.described is None else attached(c.described.bodystructure)
            case _:
                assert isinstance(key, Everything | Nothing)
                every = isinstance(key, Everything)
                return lambda _: every

    def _in_column_a(self, key: Sized | Within | Saved | HasEmailId) -> Test:
        self._needs(Depth.COLUMN_A)
        match key:
            case Sized():
                octets = key.octets
                if key.larger:
                    return lambda c: None if c.a is None else c.a.size > octets
                return lambda c: None if c.a is None else c.a.size < octets
            case Within():  # by the clock at the beginning of the search
                since, younger = int(self._now - key.seconds), key.younger
                return lambda c: None if c.a is None else (c.a.internal_date >= since) == younger
            case Saved():
                compare, day = _WHEN[key.when], key.day
                return lambda c: None if c.a is None else compare(day_shown(c.a.save_date), day)
            case HasEmailId():
                name = key.email_id
                return lambda c: None if c.a is None else email_id(c.a.object_id) == name

    def _dated(self, key: Dated) -> Test:
        compare = _WHEN[key.when]
        day = key.day
        if not key.sent:
            self._needs(Depth.COLUMN_A)
            return lambda c: None if c.a is None else compare(day_shown(c.a.internal_date), day)
        self._needs(Depth.COLUMN_B)

        def sent(c: Candidate) -> Verdict:
            if c.header is None:
                return None
            found = day_of(first(c.header, b"date") or b"")
            return found is not None and compare(found, day)

        return sent

    def _text(self, key: TextKey) -> Test:
        test = self._by_looking(key)

        def by_index(c: Candidate) -> Verdict:
            hits = self.hits.get(key)
            if hits is None or c.uid not in hits.known:
                return test(c)
            if c.uid not in hits.uids:
                return False
            return True if hits.sure else test(c)

        return by_index

    def _by_looking(self, key: TextKey) -> Test:
        self._needs(Depth.COLUMN_B if isinstance(key, HeaderHas) else Depth.BODY)
        if key.words:
            self.words.update(() if isinstance(key, HeaderHas) else key.words)
            return fuzzy_test(key)
        needle = fold(key.text)
        probe = Probe((needle,))
        if isinstance(key, HeaderHas):
            name = key.name

            def field_has(c: Candidate) -> Verdict:
                if c.header is None:
                    return None
                if probe.not_in_header(c.header):
                    return False
                return any(needle in v for v in field_texts(c.header, name))

            return field_has
        self.wanted.add(needle)

        def body_has(c: Candidate) -> Verdict:
            return None if c.found is None else needle in c.found.strings

        if isinstance(key, BodyHas):
            return body_has

        def text_has(c: Candidate) -> Verdict:
            header = c.header
            if header is not None and not probe.not_in_header(header) and needle in header_text(header):
                return True
            return body_has(c)

        return text_has

    def _needs(self, depth: Depth) -> None:
        self.deepest = max(self.deepest, depth)


def _joined(tests: list[Test], *, ends: bool) -> Test:
    """All tests as one: the first verdict that *ends* it is its verdict."""

    def test(c: Candidate) -> Verdict:
        verdict: Verdict = not ends
        for one in tests:
            found = one(c)
            if found is ends:
                return ends
            if found is None:
                verdict = None
        return verdict

    return test


def _all_judged(tests: list[Test]) -> Test:
    """Any of the tests, but all of them look at a message: each may have its score."""

    def test(c: Candidate) -> Verdict:
        found = {one(c) for one in tests}
        return True if True in found else None if None in found else False

    return test


_WHEN: dict[When, Callable[[date, date], bool]] = {
    When.BEFORE: lambda a, b: a < b,
    When.ON: lambda a, b: a == b,
    When.SINCE: lambda a, b: a >= b,
}
