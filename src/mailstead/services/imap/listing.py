"""LIST and LSUB: names, and behind each mailbox what else was asked for (RFC 5819, RFC 8440)."""

import asyncio
import contextlib
from itertools import islice

from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.status import Status
from mailstead.errors import Refused, UnsealError
from mailstead.imap.listing import DELIMITER_ONLY, Entry, List, Listed, Lsub, children_of, listed, subscribed
from mailstead.imap.listoptions import Options, Return
from mailstead.imap.mailboxes import StatusItem
from mailstead.imap.patterns import Pattern
from mailstead.imap.responses import Answer, my_rights, ok
from mailstead.mail.mailbox import HIERARCHY
from mailstead.services.imap.context import Context
from mailstead.services.imap.status import status_line

AT_ONCE = 1000  # names that are sent as one


async def list_(context: Context, command: List) -> Answer:
    """Answer LIST."""
    if command.patterns == ("",):
        await context.send(DELIMITER_ONLY)
        return ok("List completed")
    mailboxes, others = await context.owner.names()
    found = listed(
        _entries(mailboxes, others), Pattern(command.reference, *command.patterns), command.options
    )
    options = command.options or Options()
    ids = {m.name: m.id for m in mailboxes}
    if StatusItem.HIGHESTMODSEQ in options.status:
        await context.tell_modseqs()
    while some := list(islice(found, AT_ONCE)):
        statuses: dict[bytes, Status] = {}
        if options.status:
            statuses = await context.owner.statuses([ids[line.name] for line in some if line.whole])
        told = [await _lines(context, line, options, statuses.get(ids.get(line.name, b""))) for line in some]
        await context.send(b"".join(told))
        await asyncio.sleep(0)
    return ok("List completed")


async def _lines(context: Context, line: Listed, options: Options, status: Status | None) -> bytes:
    """The LIST response of a name, and what goes with it; a mailbox that is gone since has no STATUS."""
    utf8 = context.dialect.utf8
    octets = line.octets(utf8=utf8)
    if line.whole and Return.MY_RIGHTS in options.returns:
        octets += my_rights(line.name, utf8=utf8)
    if status is not None:
        with contextlib.suppress(Refused, UnsealError):  # it is gone since, or damaged
            octets += await status_line(context, line.name, status, options.status)
    return octets


async def line_of(context: Context, mailbox: Mailbox, old: str = "") -> bytes:
    """The LIST response of one mailbox, which was called *old* or spelled so."""
    mailboxes, _ = await context.owner.names()
    below = mailbox.name + HIERARCHY
    attributes = (children_of(exist=any(m.name.startswith(below) for m in mailboxes)),)
    line = Listed(mailbox.name, attributes, mailbox.special_use, old=old)
    return line.octets(utf8=context.dialect.utf8)


async def lsub(context: Context, command: Lsub) -> Answer:
    """Answer LSUB."""
    found = subscribed(_entries(*await context.owner.names()), Pattern(command.reference, command.pattern))
    utf8 = context.dialect.utf8
    await context.send(b"".join([line.octets(b"LSUB", utf8=utf8) for line in found]))
    return ok("Lsub completed")


def _entries(mailboxes: list[Mailbox], others: list[str]) -> list[Entry]:
    """All mailboxes, and names that are subscribed to and are none."""
    entries = [Entry(m.name, m.special_use, m.subscribed) for m in mailboxes]
    return entries + [Entry(name, None, subscribed=True, exists=False) for name in others]
