"""SORT: only the keys of messages are held, never what they were made of (RFC 5256 section 3)."""

import asyncio
from collections.abc import Callable

from mailstead.imap.responses import Answer, ok
from mailstead.imap.sort import By, Sort, sorted_data
from mailstead.mail.dates import moment_of
from mailstead.mail.headersummary import HeaderSummary, read_envelope
from mailstead.mail.sortkeys import display_key, mailbox_key, subject_key
from mailstead.services.imap.context import Context
from mailstead.services.imap.search import matching
from mailstead.services.imap.store import NOT_TOLD
from mailstead.services.imap.summaries import Seen, summaries

_IN_COLUMN: dict[By, Callable[[Seen], int]] = {
    By.ARRIVAL: lambda seen: seen.a.internal_date,
    By.SIZE: lambda seen: seen.a.size,
}
_IN_ENVELOPE: dict[By, Callable[[Seen, HeaderSummary], int | str]] = {
    By.CC: lambda _, summary: mailbox_key(summary.cc),
    By.DATE: lambda seen, summary: sent(seen.a.internal_date, summary.date),
    By.DISPLAYFROM: lambda _, summary: display_key(summary.sender),
    By.DISPLAYTO: lambda _, summary: display_key(summary.to),
    By.FROM: lambda _, summary: mailbox_key(summary.sender),
    By.SUBJECT: lambda _, summary: subject_key(summary.subject).text,
    By.TO: lambda _, summary: mailbox_key(summary.to),
}


async def sort(context: Context, command: Sort) -> Answer:
    """Answer SORT or UID SORT."""
    found = await matching(context, command.key)
    if found is None:
        return NOT_TOLD
    numbers = {uid: number for number, uid in found.messages}
    criteria = [c.by for c in command.criteria]
    from_column = [(by, _IN_COLUMN[by]) for by in criteria if by in _IN_COLUMN]
    from_envelope = [(by, _IN_ENVELOPE[by]) for by in criteria if by in _IN_ENVELOPE]
    keys: dict[By, list[int | str]] = {by: [] for by in criteria}
    shown: list[int] = []
    async for row in summaries(context, numbers, envelopes=bool(from_envelope), headers=False):
        for seen in row:
            shown.append(seen.uid if command.uid else numbers[seen.uid])
            for by, integer in from_column:
                keys[by].append(integer(seen))
            if from_envelope:
                summary = read_envelope(seen.envelope)
                for by, key in from_envelope:
                    keys[by].append(key(seen, summary))
    order = list(range(len(shown)))
    for criterion in reversed(command.criteria):  # a sort keeps what an earlier one did to equals
        order.sort(key=keys.pop(criterion.by).__getitem__, reverse=criterion.reverse)
        await asyncio.sleep(0)
    await context.send(sorted_data([shown[at] for at in order], found.highest_modseq(context)))
    return ok("Sort completed")


def sent(internal_date: int, date: bytes | None) -> int:
    """The sent date, which is INTERNALDATE without a Date that can be read (RFC 5256 section 2.2)."""
    moment = None if date is None else moment_of(date)
    return internal_date if moment is None else moment
