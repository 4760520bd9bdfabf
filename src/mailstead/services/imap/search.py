"""SEARCH: by what is cheapest first, a row of 256 messages at a time (RFC 3501 section 6.4.4).

Flags and numbers are in the session's snapshot, dates and sizes in a page's first column group, header
fields in its second; a body is opened only for a message that nothing else decides.
"""

import asyncio
import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from mailstead.accounts.bodies import SMALL, together
from mailstead.accounts.reading import Columns, Located
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.imap import responses as answers
from mailstead.imap.esearch import EVERYTHING, Result, Return, esearch
from mailstead.imap.responses import Answer, ok
from mailstead.imap.search import Search
from mailstead.imap.searchkeys import Among, And, ChangedAt, Everything, Key, Leaf, Not, Or
from mailstead.mail.mailbox import Uid
from mailstead.mail.searching import PIECE, BodySearch, InBody
from mailstead.mail.uidset import STAR, SavedNumbers, SeqSet, UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.judge import Candidate, Depth, Judge, Verdict
from mailstead.services.imap.selected import Numbered
from mailstead.services.imap.store import NOT_TOLD
from mailstead.store.numbers import row_number

STILL_AT_IT = ok("Still searching").octets()
LARGE = 4 << 20  # octets of a message that is searched with few others at once

Undecided = tuple[Candidate, Located]


class Found(NamedTuple):
    """The messages that match, in the order of the mailbox or another.

    Args:
        with_modseq: Mod-sequences are asked for.
        scores: Their relevancy, where that is asked for (RFC 6203 section 4).
    """

    numbers: Sequence[int]
    uids: Sequence[int]
    with_modseq: bool
    scores: Mapping[int, int] = MappingProxyType({})

    def shown(self, *, uid: bool) -> Sequence[int]:
        """What a response calls them."""
        return self.uids if uid else self.numbers

    def at(self, places: Sequence[int]) -> "Found":
        """The messages at these *places*, in this order."""
        numbers, uids = map(self.numbers.__getitem__, places), map(self.uids.__getitem__, places)
        return self._replace(numbers=list(numbers), uids=list(uids))

    def highest_modseq(self, context: Context, of: UidSet | None = None) -> int | None:
        """What the response to who asked for mod-sequences ends with (RFC 7162 section 3.1.6).

        Args:
            of: Only these count.
        """
        if not self.with_modseq:
            return None
        uids = sorted(uid for uid in self.uids if of is None or uid in of)
        return max(context.chosen.modseqs(uids), default=None)


async def search(context: Context, command: Search) -> Answer:
    """Answer SEARCH or UID SEARCH."""
    asked = command.asked or (EVERYTHING if context.dialect.rev2 else None)
    with saving(context, asked):
        found = await matching(context, command.key, scored=asked is not None and asked.relevancy)
    if found is None:
        return NOT_TOLD
    if asked is None:
        shown = found.shown(uid=command.uid)
        await context.send(answers.search(shown, found.highest_modseq(context)))
    else:
        await give(context, asked, found, uid=command.uid)
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


async def give(context: Context, asked: Return, found: Found, *, uid: bool) -> None:
    """Save what shall be saved of *found*, and send the ESEARCH response, if there is one."""
    # Where only MIN and MAX are told, only theirs are the mod-sequences that count (RFC 7162 section 3.1.10).
    ends = found.with_modseq and asked.page is None and asked.results <= {Result.MIN, Result.MAX}
    saved = asked.saved(found.uids) if asked.save or ends else None
    if asked.save and saved is not None:
        context.chosen.saved = saved
    if asked.answers:
        modseq = found.highest_modseq(context, saved if ends else None)
        shown = found.shown(uid=uid)
        scores = [found.scores[u] for u in found.uids] if asked.relevancy else []
        await context.send(esearch(context.connection.tag, asked, shown, modseq, uid=uid, scores=scores))


async def matching(context: Context, key: Key, *, scored: bool = False) -> Found | None:
    """The messages that match; None when a number in *key* was never told.

    Args:
        scored: How relevant they are is asked for.
    """
    selected = context.chosen
    view = selected.view
    keys = list(_leaves(key))
    named = [k.messages for k in keys if isinstance(k, Among)]
    numbers = [m for m in named if isinstance(m, SeqSet) and not isinstance(m, SavedNumbers)]
    if len(view) and not all(map(view.valid, numbers)):
        return None
    with_modseq = any(isinstance(k, ChangedAt) for k in keys)
    if with_modseq:
        await context.tell_modseqs()
    if isinstance(key, Everything) and not scored:
        return Found(*view.whole(), with_modseq=False)
    messages = view.present(SeqSet([(1, STAR)]))
    judge = Judge(selected, key, context.owner.now(), scored=scored)
    if judge.deepest is Depth.STATE and judge.asks_flags:
        await context.look_at(uid for _, uid in messages)
    found: list[Numbered] = []
    for _, some in groupby(messages, key=lambda m: row_number(m[1])):
        found += await _row(context, judge, list(some))
        await take_turns(context)
    return Found([number for number, _ in found], [uid for _, uid in found], with_modseq, judge.scores)


async def take_turns(context: Context) -> None:
    """Let others have their turn between two rows, if the peer still wants the next one."""
    still_wanted(context)
    await asyncio.sleep(0)


def still_wanted(context: Context) -> None:
    """Go on for a peer that is still there, whether it reads or not.

    Raises:
        OSError: it is gone.
    """
    if context.wire.ended:  # which only an answer shows
        context.wire.write(STILL_AT_IT)
    context.still_there()


async def _row(context: Context, judge: Judge, row: list[Numbered]) -> list[Numbered]:
    """Those of a row that match, in order."""
    if judge.asks_flags:
        await context.look_at(uid for _, uid in row)
    verdicts = {uid: judge.of(Candidate(number, uid)) for number, uid in row}
    open_ones = {uid: number for number, uid in row if verdicts[uid] is None}
    if open_ones:
        columns = Columns.A if judge.deepest is Depth.COLUMN_A else Columns.BOTH
        for uid in open_ones:
            verdicts[uid] = False  # what is not there any more
        async for messages in context.owner.fetch(context.chosen.mailbox.id, open_ones, columns):
            deeper: list[Undecided] = []
            for message in messages:
                candidate = Candidate(open_ones[message.uid], message.uid, message.a, message.b)
                verdict = verdicts[message.uid] = judge.of(candidate)
                if verdict is None:
                    deeper.append((candidate, message.whole()))
            for some in together(deeper, lambda undecided: undecided[1].a.size):
                verdicts |= await _opened(context, judge, some)
                await asyncio.sleep(0)
    return [(number, uid) for number, uid in row if verdicts[uid]]


async def _opened(context: Context, judge: Judge, some: list[Undecided]) -> dict[Uid, Verdict]:
    """The verdicts on messages whose bodies must be read; False on one that was expunged meanwhile."""
    small = await context.owner.read_small([m.body for _, m in some if m.a.size <= SMALL])
    verdicts = dict[Uid, Verdict]()
    for candidate, message in some:
        async with context.large_ones if message.a.size > LARGE else contextlib.nullcontext():
            context.still_there()
            try:
                octets = small.get(message.uid)
                if octets is None:
                    octets = b"".join([p async for p in context.owner.read(message.body)])
                elif not isinstance(octets, bytes):
                    raise octets
            except Refused as refused:
                if refused.reason is not Reason.NO_SUCH_MESSAGE:
                    raise
                verdicts[message.uid] = False
            else:
                verdicts[message.uid] = await look_through(judge, candidate, octets)
    return verdicts


async def look_through(judge: Judge, candidate: Candidate, octets: bytes) -> Verdict:
    """The verdict on a message by all its *octets*, with a turn for others in between."""
    known = candidate.header is not None
    candidate.octets = octets
    verdict = None if known else judge.of(candidate)
    if verdict is None:
        absent = len(octets) <= SMALL and judge.rules_out(candidate, octets)
        candidate.found = InBody() if absent else await _found(judge, octets)
        verdict = judge.of(candidate)
    return verdict


async def _found(judge: Judge, octets: bytes) -> InBody:
    body, done = BodySearch(judge.wanted, judge.words), 0
    for cost in body.steps(octets):
        done += cost
        if done >= PIECE:
            done = 0
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    return body.found


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
