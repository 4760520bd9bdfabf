"""The view against a client that knows only what it was told (RFC 9051 section 7.5.1)."""

import sys

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailstead.imap.news import Exists, Expunge, FlagsChanged, FlagsDefined, News, Recent
from mailstead.imap.view import MailboxView, uid_array
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Modseq, SeqNumber, SystemFlag, Uid
from mailstead.mail.uidset import STAR, SeqSet, UidSet

KEYWORDS = st.frozensets(st.sampled_from(["a", "b", "$Junk"]), max_size=2)
FLAGS = st.builds(Flags, st.integers(0, 31).map(SystemFlag), KEYWORDS)


class Session(RuleBasedStateMachine):
    """A store that changes, a view that is told of it, and a client that believes what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[int, Flags] = {uid: Flags() for uid in (3, 4, 7, 8, 9)}
        self.shared = uid_array(self.store)
        self.before = list(self.shared)
        self.recent = {7, 8, 9}
        self.view = MailboxView(self.shared, recent=UidSet.of(self.recent), keywords=["a"])
        self.client: list[int | None] = [None] * 5
        self.defined = {"a"}
        self.next_uid = 10
        self.recent_told = 3
        self.heard: dict[int, Flags] = {}

    @rule(skip=st.integers(0, 3), count=st.integers(1, 3), recent=st.booleans())
    def arrive(self, skip: int, count: int, recent: bool) -> None:
        first = self.next_uid + skip
        uids = list(range(first, first + count))
        self.next_uid = first + count
        self.store |= {uid: Flags() for uid in uids}
        self.recent |= set(uids) if recent else set()
        self.view.arrive(uids, recent=recent)

    @precondition(lambda self: self.store)
    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.store)), min_size=1))
        for uid in gone:
            del self.store[uid]
            self.heard.pop(uid, None)
        self.view.expunge(gone)

    @precondition(lambda self: self.store)
    @rule(data=st.data(), flags=FLAGS)
    def change(self, data: st.DataObject, flags: Flags) -> None:
        uid = data.draw(st.sampled_from(sorted(self.store)))
        self.store[uid] = self.heard[uid] = flags
        self.view.change(uid, flags, Modseq(uid + 1))

    @rule(count=st.integers(0, 3), data=st.data())
    def miss_and_catch_up(self, count: int, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.store) or [0])))
        for uid in gone & self.store.keys():
            del self.store[uid]
            self.heard.pop(uid, None)
        self.store |= {uid: Flags() for uid in range(self.next_uid, self.next_uid + count)}
        self.next_uid += count
        self.view.catch_up(sorted(self.store))

    @rule(expunges=st.booleans())
    def command(self, expunges: bool) -> None:
        for news in self.view.tell(expunges=expunges):
            self.hear(news, expunges=expunges)
        assert not self.heard, "a change that was not told"
        if expunges:
            assert [self.view.uid(n + 1) for n in range(len(self.client))] == sorted(self.store)
            assert not self.view.waiting

    def hear(self, news: News, *, expunges: bool) -> None:
        match news:
            case Exists(count):
                assert count > len(self.client)
                self.client += [None] * (count - len(self.client))
            case Recent(count):
                self.recent_told = count
            case Expunge(number, uid):
                assert expunges
                assert self.client.pop(number - 1) in (uid, None)
            case FlagsDefined(keywords):
                assert keywords > self.defined
                self.defined = set(keywords)
            case FlagsChanged(number, uid, flags, recent, modseq):
                assert self.client[number - 1] in (uid, None)
                self.client[number - 1] = uid
                assert self.store[uid] == flags == self.heard.pop(uid)
                assert modseq == uid + 1
                assert flags.keywords <= self.defined
                assert recent == (uid in self.recent)

    @invariant()
    def numbers_mean_what_they_meant(self) -> None:
        assert len(self.view) == len(self.client)
        for at, uid in enumerate(self.client):
            known = self.view.uid(at + 1)
            assert known is not None
            assert uid in (known, None)
            assert self.view.number(known) == at + 1
        assert self.view.uid(0) is None
        assert self.view.uid(len(self.client) + 1) is None

    @invariant()
    def what_is_shared_is_left_alone(self) -> None:
        assert list(self.shared) == self.before

    @rule(low=st.integers(1, 25), high=st.one_of(st.integers(1, 25), st.just(STAR)))
    def select(self, low: int, high: int) -> None:
        told = [self.view.uid(n + 1) for n in range(len(self.view))]
        top = told[-1] if told else 0
        ends = sorted((low, top if high == STAR else high))
        wanted = UidSet([(low, high)])
        assert [uid for _, uid in self.view.select(wanted)] == [
            u for u in told if u and ends[0] <= u <= ends[1]
        ]
        assert set(self.view.uids(wanted)) == {
            u for u in told if u and ends[0] <= u <= ends[1] and u in self.store
        }
        by_number = SeqSet([(low, high)])
        ends = sorted((low, len(told) if high == STAR else high))
        assert [n for n, _ in self.view.select(by_number)] == [
            n for n in range(1, len(told) + 1) if ends[0] <= n <= ends[1]
        ]
        if high != STAR:
            assert self.view.valid(by_number) == (max(low, high) <= len(told))


TestSession = Session.TestCase
TestSession.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_expunges_are_told_from_the_highest() -> None:
    view = MailboxView(uid_array(range(1, 6)))
    view.expunge([2, 4])
    assert view.tell(expunges=False) == []
    assert view.number(4) == 4
    assert view.is_gone(4)
    assert view.uids(SeqSet([(1, 5)])) == UidSet.of([1, 3, 5])
    assert view.tell(expunges=True) == [Expunge(SeqNumber(4), Uid(4)), Expunge(SeqNumber(2), Uid(2))]
    assert not view.is_gone(4)


def test_the_whole_of_it_is_what_it_is_now() -> None:
    view = MailboxView(uid_array([3, 5, 9]))
    before = view.whole()
    view.expunge([5])
    view.arrive([10])
    assert [list(column) for column in view.whole()] == [[1, 3], [3, 9]]
    view.tell(expunges=True)
    view.arrive([11])
    view.tell(expunges=True)
    assert [list(column) for column in view.whole()] == [[1, 2, 3, 4], [3, 9, 10, 11]]
    assert [list(column) for column in before] == [[1, 2, 3], [3, 5, 9]]


def test_what_came_and_went_unheard_is_not_told() -> None:
    view = MailboxView(uid_array([1]))
    view.arrive([2, 3], recent=True)
    view.expunge([2])
    assert view.tell(expunges=True) == [Exists(2), Recent(1)]
    view.change(1, Flags(), Modseq(1))
    view.forget_changes([1])
    assert not view.waiting


def test_only_news_is_told() -> None:
    view = MailboxView(uid_array([]))
    assert view.tell(expunges=True) == []
    assert not view.valid(SeqSet([(STAR, STAR)]))
    assert list(view.select(UidSet([(1, STAR)]))) == []


def test_uids_grow() -> None:
    view = MailboxView(uid_array([5]))
    for uids in ([5], [4], [7, 6]):
        with pytest.raises(ValueError):
            view.arrive(uids)


def test_an_idle_session_is_small() -> None:
    """10,000 messages are under 64 KiB, even when the view has something of its own."""
    shared = uid_array(range(1, 30_001, 3))
    view = MailboxView(shared)
    assert view._told is shared  # pyright: ignore[reportPrivateUsage]
    view.arrive([40_000])
    view.expunge([1])
    view.tell(expunges=True)
    assert sys.getsizeof(view._told) < 50 << 10  # pyright: ignore[reportPrivateUsage]


def test_many_expunges_at_once_are_quick() -> None:
    view = MailboxView(uid_array(range(1, 100_001)))
    view.expunge(range(1, 100_001, 2))
    assert len(view.tell(expunges=True)) == 50_000
    assert len(view) == 50_000
