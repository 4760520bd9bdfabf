"""Looking through messages for a search: by what is cheapest first, a row of 256 at a time.

Flags and numbers are in the session's snapshot, dates and sizes in a page's first column group, header
fields in its second; a body is opened only for a message that nothing else decides.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from itertools import groupby

from mailstead.accounts.bodies import SMALL, together
from mailstead.accounts.reading import Columns, Located
from mailstead.errors import Reason, Refused
from mailstead.imap.responses import ok
from mailstead.mail.mailbox import Uid
from mailstead.mail.searching import PIECE, BodySearch, InBody
from mailstead.services.imap.context import Context
from mailstead.services.imap.judge import Candidate, Depth, Judge, Verdict
from mailstead.services.imap.selected import Numbered
from mailstead.store.numbers import row_number

LARGE = 4 << 20  # octets of a message that is searched with few others at once
STILL_AT_IT = ok("Still searching").octets()

Undecided = tuple[Candidate, Located]


async def judged(context: Context, judge: Judge, messages: Sequence[Numbered]) -> list[Numbered]:
    """Those of *messages* that match, in order; each is a step of the command (RFC 9585)."""
    if judge.deepest is Depth.STATE and judge.asks_flags:
        await _look_at(context, judge, messages)
    found: list[Numbered] = []
    for _, some in groupby(messages, key=lambda m: row_number(m[1])):
        found += await _row(context, judge, list(some))
        await take_turns(context)
    return found


async def _look_at(context: Context, judge: Judge, messages: Iterable[Numbered]) -> None:
    """See to it that the snapshot has the flags of *messages*."""
    selected = judge.selected
    selected.snapshot = await context.owner.opened(selected.snapshot, (uid for _, uid in messages))


async def take_turns(context: Context) -> None:
    """Let others have their turn between two rows, if the peer still wants the next one."""
    still_wanted(context)
    await asyncio.sleep(0)


def looked_at(context: Context, count: int) -> None:
    """So many messages more were looked at; go on as `still_wanted` says."""
    context.progress.step(count)
    still_wanted(context)


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
        await _look_at(context, judge, row)
    verdicts = {uid: judge.of(Candidate(number, uid)) for number, uid in row}
    open_ones = {uid: number for number, uid in row if verdicts[uid] is None}
    steps = len(row)
    if open_ones:
        columns = Columns.A if judge.deepest is Depth.COLUMN_A else Columns.BOTH
        for uid in open_ones:
            verdicts[uid] = False  # what is not there any more
        async for messages in context.owner.fetch(judge.selected.mailbox.id, open_ones, columns):
            deeper: list[Undecided] = []
            for message in messages:
                candidate = Candidate(open_ones[message.uid], message.uid, message.a, message.b)
                verdict = verdicts[message.uid] = judge.of(candidate)
                if verdict is None:
                    deeper.append((candidate, message.whole()))
            for some in together(deeper, lambda undecided: undecided[1].a.size):
                verdicts |= await _opened(context, judge, some)
                steps -= len(some)
                await asyncio.sleep(0)
    context.progress.step(steps)
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
        context.progress.step(1)
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
