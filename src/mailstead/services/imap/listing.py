"""LIST and LSUB: names, and behind each mailbox what else was asked for (RFC 5819, RFC 8440, RFC 9590)."""

import asyncio
import contextlib
from collections.abc import Mapping
from itertools import islice

from mailstead.accounts.annotations import Entries
from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.status import Status
from mailstead.errors import Refused, UnsealError
from mailstead.imap.listing import DELIMITER_ONLY, Entry, List, Listed, Lsub, children_of, listed, subscribed
from mailstead.imap.listoptions import Options, Return
from mailstead.imap.mailboxes import StatusItem
from mailstead.imap.metadata import find
from mailstead.imap.patterns import Pattern
from mailstead.imap.responses import Answer, my_rights, ok
from mailstead.mail.mailbox import HIERARCHY
from mailstead.services.imap.context import Context
from mailstead.services.imap.metadata import with_use
from mailstead.services.imap.status import status_line

AT_ONCE = 1000  # names that are sent as one
ANNOTATED_AT_ONCE = 64  # and with annotations, of which each can have 128 KiB
OCTETS_AT_ONCE = 64 << 10  # or a little more


async def list_(context: Context, command: List) -> Answer:
    """Answer LIST."""
    if command.patterns == ("",):
        await context.send(DELIMITER_ONLY)
        return ok("List completed")
    mailboxes, others = await context.owner.names()
    found = listed(
        _entries(mailboxes, others), Pattern(command.reference, *command.patterns), command.options
    )
    more = _More(context, command.options or Options(), mailboxes)
    if StatusItem.HIGHESTMODSEQ in more.options.status:
        await context.tell_modseqs()
    while some := list(islice(found, AT_ONCE)):
        await more.send(some)
    return ok("List completed")


class _More:
    """What one LIST says of mailboxes besides their names."""

    def __init__(self, context: Context, options: Options, mailboxes: list[Mailbox]) -> None:
        self.options = options
        self._context = context
        self._mailboxes = {m.name: m for m in mailboxes}

    async def send(self, lines: list[Listed]) -> None:
        """Send the LIST responses of names, each with what goes with it; fewer at once with annotations."""
        owner = self._context.owner
        statuses: dict[bytes, Status] = {}
        if self.options.status:
            statuses = await owner.statuses(self._ids(lines))
        annotations: dict[bytes, Entries] = {}
        together = ANNOTATED_AT_ONCE if self.options.metadata else AT_ONCE
        for at in range(0, len(lines), together):
            some = lines[at : at + together]
            if self.options.metadata:
                annotations = await owner.annotations.many(self._ids(some))
            told = bytearray()
            for line in some:
                told += await self._lines(line, statuses, annotations)
                if len(told) >= OCTETS_AT_ONCE:
                    await self._send(told)
                    told = bytearray()
            await self._send(told)

    async def _send(self, octets: bytearray) -> None:
        await self._context.send(bytes(octets))
        await asyncio.sleep(0)

    def _ids(self, lines: list[Listed]) -> list[bytes]:
        return [self._mailboxes[line.name].id for line in lines if line.whole]

    async def _lines(
        self, line: Listed, statuses: Mapping[bytes, Status], annotations: Mapping[bytes, Entries]
    ) -> bytes:
        """The LIST response of a name and what goes with it; what cannot be had of a mailbox is left out."""
        utf8 = self._context.dialect.utf8
        octets = line.octets(utf8=utf8)
        if not line.whole:
            return octets
        mailbox = self._mailboxes[line.name]
        if Return.MY_RIGHTS in self.options.returns:
            octets += my_rights(line.name, writable=self._context.owner.writable, utf8=utf8)
        if (status := statuses.get(mailbox.id)) is not None:
            with contextlib.suppress(Refused, UnsealError):  # it is gone since, or damaged
                octets += await status_line(self._context, line.name, status, self.options.status)
        if (entries := annotations.get(mailbox.id)) is not None:
            found = find(with_use(mailbox, entries), self.options.metadata)
            octets += found.octets(line.name, utf8=utf8)
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
