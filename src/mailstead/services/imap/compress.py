"""COMPRESS: less to send (RFC 4978)."""

from mailstead.imap import responses as answers
from mailstead.imap.responses import Answer, Condition, ok
from mailstead.imap.session import Compress, Unauthenticate
from mailstead.services.imap.context import Context


async def compress(context: Context, command: Compress) -> Answer:
    """Answer COMPRESS."""
    if command.algorithm != "DEFLATE":
        return answers.NO_SUCH_COMPRESSION
    if context.wire.compressing:
        return answers.COMPRESSION_ACTIVE
    return ok("DEFLATE active")


def switch(context: Context, command: object, answer: Answer) -> None:
    """Behind the answer compression begins, or ends with the login (RFC 8437 section 4.1)."""
    if isinstance(command, Compress) and answer.condition is Condition.OK:
        context.wire.compress(context.connection.hand_over())
    elif isinstance(command, Unauthenticate):
        context.wire.end_compression()
