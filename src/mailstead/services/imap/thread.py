"""THREAD: what links messages is held as numbers, their subjects as sort keys (RFC 5256 section 3)."""

import asyncio
from array import array
from collections.abc import Sequence

from mailstead.imap.responses import Answer, ok
from mailstead.imap.thread import Algorithm, Thread, thread_data
from mailstead.mail.header import first
from mailstead.mail.headersummary import HeaderSummary, read_envelope
from mailstead.mail.messageids import message_ids
from mailstead.mail.sortkeys import subject_key
from mailstead.mail.threads import REFERENCES_CAP, Forest, Post, Threading, by_references, by_subject
from mailstead.services.imap.context import Context
from mailstead.services.imap.search import matching
from mailstead.services.imap.sort import sent
from mailstead.services.imap.store import NOT_TOLD
from mailstead.services.imap.summaries import Seen, summaries


async def thread(context: Context, command: Thread) -> Answer:
    """Answer THREAD or UID THREAD."""
    found = await matching(context, command.key)
    if found is None:
        return NOT_TOLD
    numbers = {uid: number for number, uid in found.messages}
    by_id = command.algorithm is Algorithm.REFERENCES
    shown: list[int] = []
    posts: list[Post] = []
    make = _post if by_id else _post_by_subject
    async for row in summaries(context, numbers, make, envelopes=True, headers=by_id):
        for uid, post in row:
            shown.append(uid if command.uid else numbers[uid])
            posts.append(post)
    forest = await _in_turns(by_references(posts) if by_id else by_subject(posts))
    await context.send(thread_data(forest, shown))
    return ok("Thread completed")


def _post_by_subject(seen: Seen) -> Post:
    summary = read_envelope(seen.envelope)
    return Post(sent(seen.a.internal_date, summary.date), *subject_key(summary.subject))


def _post(seen: Seen) -> Post:
    summary = read_envelope(seen.envelope)
    own = _ids(summary.message_id)
    return Post(
        sent(seen.a.internal_date, summary.date),
        *subject_key(summary.subject),
        own[0] if own else None,
        _references(seen, summary),
    )


def _references(seen: Seen, summary: HeaderSummary) -> Sequence[int]:
    found = _ids(first(seen.header, b"references"))[-REFERENCES_CAP:]
    found = found or _ids(summary.in_reply_to)[:1]
    return array("q", found) if found else ()


def _ids(value: bytes | None) -> list[int]:
    """Ids as numbers of 64 bits, so that millions have room.

    Python's hash of octets is keyed anew in every process: nobody can write two ids that meet.
    """
    return [hash(found) for found in message_ids(value)] if value else []


async def _in_turns(steps: Threading) -> Forest:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            forest: Forest = done.value
            return forest
        await asyncio.sleep(0)
