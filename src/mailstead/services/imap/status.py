"""STATUS of a mailbox, alone or behind a line of LIST (RFC 3501 section 6.3.10, RFC 5819)."""

import asyncio
from collections.abc import Collection

from mailstead.accounts.reading import Columns
from mailstead.accounts.status import Status as Found
from mailstead.imap import responses as answers
from mailstead.imap.mailboxes import Status, StatusItem
from mailstead.imap.objectid import mailbox_id
from mailstead.imap.responses import Answer, ok
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.services.imap.context import Context


async def status(context: Context, command: Status) -> Answer:
    """Answer STATUS."""
    mailbox = await context.owner.mailbox(command.mailbox)
    found = await context.owner.status(mailbox.id)
    if StatusItem.HIGHESTMODSEQ in command.items:
        await context.tell_modseqs()
    await context.send(await status_line(context, command.mailbox, found, command.items))
    return ok("Status completed")


async def status_line(context: Context, name: str, found: Found, items: Collection[StatusItem]) -> bytes:
    """The STATUS response with these *items*."""
    values: dict[StatusItem, int | bytes] = {
        StatusItem.MESSAGES: found.messages,
        StatusItem.RECENT: found.recent,
        StatusItem.UIDNEXT: found.uid_next,
        StatusItem.UIDVALIDITY: found.uid_validity,
        StatusItem.UNSEEN: found.unseen,
        StatusItem.DELETED: found.deleted,
        StatusItem.HIGHESTMODSEQ: found.highest_modseq,
        StatusItem.SIZE: found.size,
        StatusItem.APPENDLIMIT: context.connection.append_limit,
        StatusItem.MAILBOXID: mailbox_id(found.mailbox_id),
    }
    if StatusItem.DELETED_STORAGE in items:
        values[StatusItem.DELETED_STORAGE] = await _deleted_octets(context, found.mailbox_id, found.deleted)
    shown = [(item.value, values[item]) for item in items]
    return answers.status(name, shown, utf8=context.dialect.utf8)


async def _deleted_octets(context: Context, mailbox_id: bytes, count: int) -> int:
    """Octets of the *count* messages that are \\Deleted; their rows are opened, and no others."""
    if not count:
        return 0
    account = context.owner
    snapshot = await account.snapshot(mailbox_id)
    snapshot = await account.opened(snapshot, snapshot.uids)
    deleted = int(SystemFlag.DELETED)
    uids = [
        Uid(uid)
        for row in snapshot.rows.values()
        for uid, flags in zip(row.uids, row.flags, strict=True)
        if flags & deleted
    ]
    octets = 0
    async for messages in account.fetch(mailbox_id, uids, Columns.A):
        octets += sum(message.size for message in messages)
        await asyncio.sleep(0)
    return octets
