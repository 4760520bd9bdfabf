"""NOTIFY: what happens elsewhere in the account is told as it happens (RFC 5465).

What a session was told is kept and compared with what is there, so nothing that happened between two
looks is missed, and what came and went between them is not told.
"""

import asyncio
from bisect import bisect_left

from mailstead.accounts.annotations import SERVER, Noted
from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.status import Status
from mailstead.imap.listing import Attribute, Listed, children_of
from mailstead.imap.mailboxes import StatusItem
from mailstead.imap.metadata import changed
from mailstead.imap.notify import OF_MESSAGES, Event, Notify
from mailstead.imap.responses import Answer, ok
from mailstead.imap.specialuse import ENTRY
from mailstead.log import Log
from mailstead.mail.mailbox import HIERARCHY, Uid
from mailstead.services.imap.context import Context
from mailstead.services.imap.elsewhere import Elsewhere, Seen
from mailstead.services.imap.fetch import FAILURES, respond
from mailstead.services.imap.metadata import use_of_mailbox
from mailstead.services.imap.status import status_line


async def notify(context: Context, command: Notify) -> Answer:
    """Answer NOTIFY."""
    context.forget_elsewhere()
    context.notify = command
    if command.elsewhere:
        elsewhere = context.elsewhere = Elsewhere(command, context.wire.nudge)
        elsewhere.unwatch = context.owner.watch(None, elsewhere.stir)
        elsewhere.seen = await _look(context, command, Seen())
        if command.status:
            await context.send(await _statuses(context, elsewhere.seen, command))
    return ok("Notify completed")


async def _look(context: Context, wanted: Notify, old: Seen) -> Seen:
    mailboxes, others = await context.owner.names()
    counted = [m.id for m in mailboxes if not OF_MESSAGES.isdisjoint(_wanted(wanted, m))]
    noted = [m.id for m in mailboxes if Event.MAILBOX_METADATA_CHANGE in _wanted(wanted, m)]
    if wanted.of_server:
        noted.append(SERVER)
    return Seen(
        {m.id: m for m in mailboxes},
        await context.owner.statuses(counted) if counted else {},
        frozenset((*(m.name for m in mailboxes if m.subscribed), *others)),
        await context.owner.annotations.noted(noted, old.noted) if noted else {},
    )


def _wanted(wanted: Notify, mailbox: Mailbox) -> frozenset[Event]:
    return wanted.of(mailbox.name, subscribed=mailbox.subscribed)


async def _statuses(context: Context, seen: Seen, wanted: Notify) -> bytes:
    """The STATUS of all mailboxes whose messages are wanted, but for the selected one."""
    lines = [await _status(context, seen, mailbox_id, wanted) for mailbox_id in seen.statuses]
    return b"".join(lines)


async def _status(context: Context, seen: Seen, mailbox_id: bytes, wanted: Notify) -> bytes:
    mailbox = seen.mailboxes[mailbox_id]
    if context.selected is not None and context.selected.mailbox.id == mailbox_id:
        return b""
    items = [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
    if Event.FLAG_CHANGE in _wanted(wanted, mailbox):
        items.append(StatusItem.UNSEEN)
    if context.dialect.modseqs:
        items.append(StatusItem.HIGHESTMODSEQ)
    return await status_line(context, mailbox.name, seen.statuses[mailbox_id], items)


async def tell(context: Context, log: Log, *, polled: bool) -> None:
    """Tell what NOTIFY asked for, beyond the news of the selected mailbox; at once to who asks."""
    newcomers, context.newcomers = context.newcomers, []
    try:
        if newcomers and context.selected is not None:
            await _tell_newcomers(context, newcomers)
        elsewhere = context.elsewhere
        if elsewhere is not None and elsewhere.stirred and (polled or elsewhere.rested):
            begun = asyncio.get_running_loop().time()
            await _tell_elsewhere(context, elsewhere)
            elsewhere.looked(asyncio.get_running_loop().time() - begun)
    except FAILURES as error:
        log.warning("imap.notify.failed", detail=str(error))


async def _tell_newcomers(context: Context, uids: list[Uid]) -> None:
    """What is wanted of messages that the client has just heard of."""
    view = context.chosen.view
    numbered = [(number, uid) for uid in uids if (number := view.number(uid)) is not None]
    await respond(context, numbered, context.notify.selected.items)


async def _tell_elsewhere(context: Context, elsewhere: Elsewhere) -> None:
    """What has happened since the last time, of what is wanted."""
    elsewhere.stirred = False
    wanted, old = elsewhere.wanted, elsewhere.seen
    new = elsewhere.seen = await _look(context, wanted, old)
    lines = [line.octets(utf8=context.dialect.utf8) for line in _names(old, new, wanted)]
    lines += _annotations(old, new, wanted, utf8=context.dialect.utf8)
    for mailbox_id, status in new.statuses.items():
        if _moved(old.statuses.get(mailbox_id), status, _wanted(wanted, new.mailboxes[mailbox_id])):
            lines.append(await _status(context, new, mailbox_id, wanted))
    await context.send(b"".join(lines))


def _moved(old: Status | None, new: Status, events: frozenset[Event]) -> bool:
    if old is None:
        return new.uid_next > 1
    if (old.messages, old.uid_next) != (new.messages, new.uid_next):
        return True
    return Event.FLAG_CHANGE in events and old.highest_modseq != new.highest_modseq


def _names(old: Seen, new: Seen, wanted: Notify) -> list[Listed]:
    """LIST responses for names that came, went, changed, or are subscribed to now or no more."""
    lines: list[Listed] = []
    names = sorted(m.name for m in new.mailboxes.values())
    known = {m.name: m for m in new.mailboxes.values()}

    def line(name: str, before: str = "") -> Listed:
        mailbox = known.get(name)
        shown = (Attribute.SUBSCRIBED,) if name in new.subscribed else ()
        if mailbox is None:
            return Listed(name, (Attribute.NON_EXISTENT, *shown))
        below = name + HIERARCHY
        at = bisect_left(names, below)
        children = at < len(names) and names[at].startswith(below)
        return Listed(name, (children_of(exist=children), *shown), mailbox.special_use, old=before)

    def wants(name: str, event: Event) -> bool:
        return event in wanted.of(name, subscribed=name in new.subscribed or name in old.subscribed)

    for mailbox_id, mailbox in old.mailboxes.items():
        gone = mailbox_id not in new.mailboxes and mailbox.name not in known
        if gone and wants(mailbox.name, Event.MAILBOX_NAME):
            lines.append(line(mailbox.name))
    for mailbox_id, mailbox in new.mailboxes.items():
        before = old.mailboxes.get(mailbox_id)
        if before is not None and before.name == mailbox.name:
            continue
        name = "" if before is None else before.name
        if wants(mailbox.name, Event.MAILBOX_NAME) or (name and wants(name, Event.MAILBOX_NAME)):
            lines.append(line(mailbox.name, name))
    told = {found.name for found in lines}
    changed = sorted(old.subscribed ^ new.subscribed)
    lines += [line(n) for n in changed if n not in told and wants(n, Event.SUBSCRIPTION_CHANGE)]
    return lines


def _annotations(old: Seen, new: Seen, wanted: Notify, *, utf8: bool) -> list[bytes]:
    """METADATA responses with the entries that are others now, of the server and of mailboxes."""
    nothing, lines = Noted(), list[bytes]()
    if wanted.of_server:
        names = new.noted.get(SERVER, nothing).changed_since(old.noted.get(SERVER, nothing))
        lines += [changed("", names)] if names else []
    for mailbox_id, mailbox in new.mailboxes.items():
        before = old.mailboxes.get(mailbox_id)
        if any(Event.MAILBOX_METADATA_CHANGE not in _wanted(wanted, m) for m in (mailbox, before or mailbox)):
            continue
        names = new.noted.get(mailbox_id, nothing).changed_since(old.noted.get(mailbox_id, nothing))
        if use_of_mailbox(mailbox) != (b"" if before is None else use_of_mailbox(before)):
            names.append(ENTRY)
        lines += [changed(mailbox.name, names, utf8=utf8)] if names else []
    return lines
