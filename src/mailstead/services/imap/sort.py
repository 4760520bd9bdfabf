"""SORT: only the keys of messages are held, never what they were made of (RFC 5256 section 3)."""

import asyncio
from collections.abc import Callable, Sequence

from mailstead.accounts.entries import EntryA
from mailstead.imap.responses import Answer, ok
from mailstead.imap.sort import By, Criterion, Sort, sorted_data
from mailstead.mail.dates import moment_of
from mailstead.mail.headersummary import HeaderSummary, read_envelope
from mailstead.mail.sortkeys import display_key, mailbox_key, subject_key
from mailstead.services.imap.context import Context
from mailstead.services.imap.search import Found, give, matching, saving
from mailstead.services.imap.selected import Numbered
from mailstead.services.imap.store import NOT_TOLD
from mailstead.services.imap.summaries import Seen, summaries

_Key = int | str
_IN_COLUMN: dict[By, Callable[[EntryA], _Key]] = {
    By.ARRIVAL: lambda a: a.internal_date,
    By.SIZE: lambda a: a.size,
}
_IN_ENVELOPE: dict[By, Callable[[EntryA, HeaderSummary], _Key]] = {
    By.CC: lambda _, summary: mailbox_key(summary.cc),
    By.DATE: lambda a, summary: sent(a.internal_date, summary.date),
    By.DISPLAYFROM: lambda _, summary: display_key(summary.sender),
    By.DISPLAYTO: lambda _, summary: display_key(summary.to),
    By.FROM: lambda _, summary: mailbox_key(summary.sender),
    By.SUBJECT: lambda _, summary: subject_key(summary.subject).text,
    By.TO: lambda _, summary: mailbox_key(summary.to),
}


async def sort(context: Context, command: Sort) -> Answer:
    """Answer SORT or UID SORT."""
    with saving(context, command.asked):
        scored = command.asked is not None and command.asked.relevancy
        scored = scored or any(criterion.by is By.RELEVANCY for criterion in command.criteria)
        found = await matching(context, command.key, scored=scored)
        if found is None:
            return NOT_TOLD
        ordered = await _sorted(context, command.criteria, found)
    if command.asked is None:
        numbers = [uid if command.uid else number for number, uid in ordered]
        await context.send(sorted_data(numbers, found.highest_modseq(context)))
    else:
        await give(context, command.asked, found, ordered, uid=command.uid)
    return ok("Sort completed")


async def _sorted(context: Context, criteria: Sequence[Criterion], found: Found) -> list[Numbered]:
    """What was found, without what was expunged meanwhile, by *criteria*."""
    numbers = {uid: number for number, uid in found.messages}
    by = [criterion.by for criterion in criteria if criterion.by is not By.RELEVANCY]
    keys: list[list[_Key]] = [[] for _ in by]
    there: list[Numbered] = []
    needs_envelope = not _IN_COLUMN.keys() >= set(by)
    async for row in summaries(context, numbers, _maker(by), envelopes=needs_envelope, headers=False):
        for uid, made in row:
            there.append((numbers[uid], uid))
            for column, key in zip(keys, made, strict=True):
                column.append(key)
    order = list(range(len(there)))
    for criterion in reversed(criteria):  # a sort keeps what an earlier one did to equals
        column = [-found.scores[uid] for _, uid in there] if criterion.by is By.RELEVANCY else keys.pop()
        order.sort(key=column.__getitem__, reverse=criterion.reverse)
        await asyncio.sleep(0)
    return [there[at] for at in order]


def _maker(criteria: Sequence[By]) -> Callable[[Seen], list[_Key]]:
    """What makes the keys of a message."""
    if _IN_COLUMN.keys() >= set(criteria):
        in_column = [_IN_COLUMN[by] for by in criteria]
        return lambda seen: [key(seen.a) for key in in_column]

    def key_of(by: By) -> Callable[[EntryA, HeaderSummary], _Key]:
        return _IN_ENVELOPE[by] if by in _IN_ENVELOPE else lambda a, _: _IN_COLUMN[by](a)

    anywhere = [key_of(by) for by in criteria]

    def make(seen: Seen) -> list[_Key]:
        summary = read_envelope(seen.envelope)
        return [key(seen.a, summary) for key in anywhere]

    return make


def sent(internal_date: int, date: bytes | None) -> int:
    """The sent date, which is INTERNALDATE without a Date that can be read (RFC 5256 section 2.2)."""
    moment = None if date is None else moment_of(date)
    return internal_date if moment is None else moment
