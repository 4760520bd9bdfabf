"""SEARCH, and what SORT and THREAD begin with (RFC 3501 section 6.4.4)."""

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mailstead.errors import MailError, UnsealError
from mailstead.imap import responses as answers
from mailstead.imap.esearch import EVERYTHING, Result, Return, correlator, esearch
from mailstead.imap.responses import Answer, ok
from mailstead.imap.search import Search
from mailstead.imap.searchkeys import Among, And, ChangedAt, Everything, Key, Leaf, Not, Or
from mailstead.imap.sort import Sort
from mailstead.mail.uidset import STAR, SavedNumbers, SeqSet, UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.contexts import TAG_REUSE, begin, reuses_tag
from mailstead.services.imap.indexed import Narrowing, hits_of
from mailstead.services.imap.judge import Judge
from mailstead.services.imap.looking import judged
from mailstead.services.imap.selected import Selected
from mailstead.services.imap.store import NOT_TOLD

WORTH_ASKING = 64  # messages: fewer are looked at as fast


class Found(NamedTuple):
    """The messages that match, in the order of the mailbox or another.

    Args:
        now: When they were looked for, in seconds since the epoch.
        with_modseq: Mod-sequences are asked for.
        scores: Their relevancy, where that is asked for (RFC 6203 section 4).
    """

    numbers: Sequence[int]
    uids: Sequence[int]
    now: float
    with_modseq: bool
    scores: Mapping[int, int] = MappingProxyType({})

    def shown(self, *, uid: bool) -> Sequence[int]:
        """What a response calls them."""
        return self.uids if uid else self.numbers

    def at(self, places: Sequence[int]) -> "Found":
        """The messages at these *places*, in this order."""
        numbers, uids = map(self.numbers.__getitem__, places), map(self.uids.__getitem__, places)
        return self._replace(numbers=list(numbers), uids=list(uids))

    def highest_modseq(self, selected: Selected, of: UidSet | None = None) -> int | None:
        """What the response to who asked for mod-sequences ends with (RFC 7162 section 3.1.6).

        Args:
            of: Only these count.
        """
        if not self.with_modseq:
            return None
        uids = sorted(uid for uid in self.uids if of is None or uid in of)
        return max(selected.modseqs(uids), default=None)


async def search(context: Context, command: Search) -> Answer:
    """Answer SEARCH or UID SEARCH."""
    asked = command.asked or (EVERYTHING if context.dialect.rev2 else None)
    if reuses_tag(context, asked):
        return TAG_REUSE
    progress = context.progress.of(context.connection.tag, len(context.chosen.view))
    with saving(context, asked), progress:
        found = await matching(context, command.key, scored=asked is not None and asked.relevancy)
    if found is None:
        return NOT_TOLD
    if asked is None:
        shown = found.shown(uid=command.uid)
        await context.send(answers.search(shown, found.highest_modseq(context.chosen)))
    else:
        await give(context, asked, command, found)
    return ok("Search completed")


@contextlib.contextmanager
def saving(context: Context, asked: Return | None) -> Generator[None]:
    """When what shall be saved cannot be found, "$" is empty (RFC 5182 section 2.1)."""
    try:
        yield
    except (MailError, UnsealError):
        if asked is not None and asked.save:
            context.chosen.saved = UidSet()
        raise


async def give(context: Context, asked: Return, command: Search | Sort, found: Found) -> None:
    """Save what shall be saved, send the ESEARCH response if there is one, and let stand what shall stand."""
    selected, tag = context.chosen, context.connection.tag
    if asked.save:
        selected.saved = asked.saved(found.uids)
    if asked.answers:
        await context.send(response(correlator(tag), asked, found, selected, uid=command.uid))
    if asked.update:
        await begin(context, command, asked, found.uids, dict(found.scores), found.now)


def response(correlated: bytes, asked: Return, found: Found, selected: Selected, *, uid: bool) -> bytes:
    """The ESEARCH response with what was found in a mailbox."""
    # Where only MIN and MAX are told, only theirs are the mod-sequences that count (RFC 7162 section 3.1.10).
    ends = found.with_modseq and asked.page is None and asked.results <= {Result.MIN, Result.MAX}
    modseq = found.highest_modseq(selected, asked.saved(found.uids) if ends else None)
    scores = [found.scores[u] for u in found.uids] if asked.relevancy else []
    return esearch(correlated, asked, found.shown(uid=uid), modseq, uid=uid, scores=scores)


async def matching(context: Context, key: Key, *, scored: bool = False) -> Found | None:
    """The messages of the selected mailbox that match; None when a number in *key* was never told.

    Args:
        scored: How relevant they are is asked for.
    """
    view = context.chosen.view
    named = [k.messages for k in _leaves(key) if isinstance(k, Among)]
    numbers = [m for m in named if isinstance(m, SeqSet) and not isinstance(m, SavedNumbers)]
    if len(view) and not all(map(view.valid, numbers)):
        return None
    return await matching_in(context, context.chosen, key, scored=scored)


async def matching_in(context: Context, selected: Selected, key: Key, *, scored: bool) -> Found:
    """The messages of a mailbox that match; none by a number that is above all of them."""
    view = selected.view
    with_modseq = any(isinstance(k, ChangedAt) for k in _leaves(key))
    if with_modseq:
        await context.tell_modseqs()
    now = context.owner.now()
    if isinstance(key, Everything) and not scored:
        context.progress.step(len(view))
        return Found(*view.whole(), now, with_modseq=False)
    judge = Judge(selected, key, now, scored=scored)
    if len(view) >= WORTH_ASKING:
        judge.hits = await hits_of(context.owner, selected.mailbox.id, key)
    if judge.hits:
        narrowed = Narrowing(view, judge.hits, scored=scored).narrow(key)
        context.progress.step(len(view) - len(narrowed.perhaps))
        matching_ones = sorted([*narrowed.sure, *await judged(context, judge, narrowed.perhaps)])
    else:
        matching_ones = await judged(context, judge, view.present(SeqSet([(1, STAR)])))
    numbers_of, uids = [number for number, _ in matching_ones], [uid for _, uid in matching_ones]
    return Found(numbers_of, uids, now, with_modseq, judge.scores)


def _leaves(key: Key) -> Iterator[Leaf]:
    """Every key that holds no other; the reader has capped how deep they are."""
    match key:
        case Not():
            yield from _leaves(key.key)
        case And() | Or():
            for inner in key.keys:
                yield from _leaves(inner)
        case _:
            yield key
