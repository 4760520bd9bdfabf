"""SORT, as the account puts messages in order (RFC 5256 section 3, RFC 5267 section 3, RFC 6203)."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

from mailstead.imap.responses import Answer, ok
from mailstead.imap.sort import Sort, sorted_data
from mailstead.imap.view import uid_array
from mailstead.mail.sortkeys import By, Criterion
from mailstead.services.imap.context import Context
from mailstead.services.imap.contexts import TAG_REUSE, reuses_tag
from mailstead.services.imap.looking import looked_at
from mailstead.services.imap.search import Found, give, matching, saving
from mailstead.services.imap.store import NOT_TOLD


async def sort(context: Context, command: Sort) -> Answer:
    """Answer SORT or UID SORT."""
    if reuses_tag(context, command.asked):
        return TAG_REUSE
    with saving(context, command.asked), context.progress.of(context.connection.tag):
        scored = command.asked is not None and command.asked.relevancy
        scored = scored or any(criterion.by is By.RELEVANCY for criterion in command.criteria)
        found = await matching(context, command.key, scored=scored)
        if found is None:
            return NOT_TOLD
        found = await sorted_by(context, command.criteria, found)
    if command.asked is not None:
        await give(context, command.asked, command, found)
    else:
        shown = found.shown(uid=command.uid)
        await send_all(context, sorted_data(shown, found.highest_modseq(context.chosen)))
    return ok("Sort completed")


async def sorted_by(context: Context, criteria: Sequence[Criterion], found: Found) -> Found:
    """What was found, without what was expunged meanwhile, by *criteria*."""
    mailbox_id, uids = context.chosen.mailbox.id, uid_array(found.uids)
    answer = await context.owner.orders.sorted(
        mailbox_id, uids, tuple(criteria), partial(looked_at, context), found.scores,
        keep=context.owner.writable,
    )  # fmt: skip
    return there(found, answer.uids).at(answer.places)


def there(found: Found, uids: Sequence[int]) -> Found:
    """What was found and is among *uids*, which are some of its own."""
    if len(found.uids) == len(uids):
        return found
    known = set(uids)
    return found.at([at for at, uid in enumerate(found.uids) if uid in known])


async def send_all(context: Context, pieces: Iterator[bytes]) -> None:
    """Send a response that is made in *pieces*."""
    octets: list[bytes] = []
    for piece in pieces:
        octets.append(piece)
        await asyncio.sleep(0)
    await context.send(b"".join(octets))
