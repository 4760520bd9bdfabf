"""THREAD, as the account puts messages into threads (RFC 5256 section 3)."""

from functools import partial

from mailstead.imap.responses import Answer, ok
from mailstead.imap.thread import Thread, thread_data
from mailstead.imap.view import uid_array
from mailstead.services.imap.context import Context
from mailstead.services.imap.looking import looked_at
from mailstead.services.imap.search import matching
from mailstead.services.imap.sort import send_all, there
from mailstead.services.imap.store import NOT_TOLD


async def thread(context: Context, command: Thread) -> Answer:
    """Answer THREAD or UID THREAD."""
    with context.progress.of(context.connection.tag):
        found = await matching(context, command.key)
        if found is None:
            return NOT_TOLD
        answer = await context.owner.orders.threads(
            context.chosen.mailbox.id, uid_array(found.uids), command.algorithm, partial(looked_at, context),
            keep=context.owner.writable,
        )  # fmt: skip
    shown = there(found, answer.uids).shown(uid=command.uid)
    await send_all(context, thread_data(answer.threads, shown))
    return ok("Thread completed")
