"""What STORE does to the states of a row: whole columns where it can, else message by message."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailstead.accounts.states import FLAGS, MessageState, StatePage
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
        flags = self._system(old)
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
        return bytes(self._system(old) for old in range(256))

    def spares_keywords(self, page: StatePage) -> bool:
        """Whether no keyword of a row changes, whatever its messages are."""
        return not self.keywords and (self.how is not How.SET or not page.has_keywords)

    def _system(self, old: int) -> int:
        given = int(self.flags)
        if self.how is How.SET:
            return given
        return old | given if self.how is How.ADD else old & ~given

    def _new_to(self, state: MessageState) -> frozenset[str]:
        """The keywords that a message does not have, in whatever case."""
        return self.keywords - same_keywords(self.keywords, state.keywords)


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
    if unchanged_since is None and change.spares_keywords(page):
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
