"""What STORE does to the states of a row: whole columns where it can, else message by message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mailstead.accounts.states import FLAGS, MessageState, RowStates, StatePage
from mailstead.mail.flags import NO_FLAGS, How
from mailstead.mail.mailbox import Modseq, SystemFlag, Uid

_NO_KEYWORDS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FlagChange:
    """A change of flags and keywords."""

    how: How
    flags: SystemFlag = NO_FLAGS
    keywords: frozenset[str] = frozenset()

    def apply(self, state: MessageState, modseq: Modseq) -> MessageState:
        """The state after the change; the same one, with its modseq, when nothing changes."""
        old = int(state.flags)
        flags = self.table()[old]
        match self.how:
            case How.SET:
                keywords = same_keywords(state.keywords, self.keywords) | self._new_to(state)
            case How.ADD:
                keywords = state.keywords | self._new_to(state)
            case _:
                keywords = state.keywords - same_keywords(state.keywords, self.keywords)
        if (flags, keywords) == (old, state.keywords):
            return state
        return MessageState(modseq, FLAGS[flags], keywords)

    def table(self) -> bytes:
        """The octet that a column of flags has after the change, by the one before (`bytes.translate`)."""
        return _TABLES[self.how][int(self.flags)]

    def spares_keywords(self, keywords: Mapping[int, frozenset[str]]) -> bool:
        """Whether no keyword changes of messages that have these *keywords*."""
        return not self.keywords and (self.how is not How.SET or not keywords)

    def _new_to(self, state: MessageState) -> frozenset[str]:
        """The keywords that a message does not have, in whatever case."""
        return self.keywords - same_keywords(self.keywords, state.keywords)


_TABLES: dict[How, list[bytes]] = {
    How.SET: [bytes([given]) * 256 for given in range(32)],
    How.ADD: [bytes(old | given for old in range(256)) for given in range(32)],
    How.REMOVE: [bytes(old & ~given for old in range(256)) for given in range(32)],
}


def same_keywords(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Those of *some* that are among *others*, compared without case (RFC 9051 section 2.3.2)."""
    if not some or not others:
        return _NO_KEYWORDS
    names = {k.lower() for k in others}
    return frozenset(k for k in some if k.lower() in names)


@dataclass(slots=True)
class FlagOutcome:
    """What became of a flag change.

    Args:
        there: Every message that is there and was not passed over, whether it changed or not.
        modified: Messages passed over, because they had changed since (RFC 7162 section 3.1.3).
        modseqs: What those have that did change; nobody else's change has one of them.
    """

    there: list[Uid] = field(default_factory=list[Uid])
    modified: list[Uid] = field(default_factory=list[Uid])
    modseqs: set[Modseq] = field(default_factory=set[Modseq])


def change_row(
    page: StatePage,
    uids: Sequence[Uid],
    change: FlagChange,
    modseq: Modseq,
    unchanged_since: Modseq | None,
    outcome: FlagOutcome,
) -> bool:
    """Change messages of a row, and add to *outcome* what became of them; whether any changed."""
    places, there = page.places(uids)
    if unchanged_since is None and change.spares_keywords(page.keywords):
        outcome.there += there
        changed = page.translate(places, change.table(), modseq)
    else:
        changed = False
        for uid in there:
            state = page.get(uid)
            assert state is not None
            if unchanged_since is not None and state.modseq > unchanged_since:
                outcome.modified.append(uid)
                continue
            outcome.there.append(uid)
            after = change.apply(state, modseq)
            if after is not state:
                page.put(uid, after)
                changed = True
    if changed:
        outcome.modseqs.add(modseq)
    return changed


def unexpected(before: RowStates, after: RowStates, uids: Iterable[Uid], change: FlagChange) -> list[Uid]:
    """Those of *uids* that are not *after* what *change* alone made of what they were *before*.

    Of one whose flags nobody had looked at before nothing was expected.
    """
    was, now = (
        dict(zip(before.uids, before.flags, strict=True)),
        dict(zip(after.uids, after.flags, strict=True)),
    )
    both = [uid for uid in uids if uid in was and uid in now and uid not in before.sealed]
    if change.spares_keywords(before.keywords) and before.keywords == after.keywords:
        table = change.table()
        return [uid for uid in both if table[was[uid]] != now[uid]]
    found: list[Uid] = []
    for uid in both:
        old, new = before.get(uid), after.get(uid)
        assert old is not None
        assert new is not None
        wanted = change.apply(old, new.modseq)
        if (wanted.flags, wanted.keywords) != (new.flags, new.keywords):
            found.append(uid)
    return found
