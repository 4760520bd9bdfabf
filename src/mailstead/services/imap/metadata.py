"""GETMETADATA and SETMETADATA: annotations of mailboxes, and of the server (RFC 5464, RFC 6154 section 4)."""

from collections.abc import Mapping

from mailstead.accounts.annotations import SERVER, NewUse
from mailstead.accounts.mailbox import Mailbox
from mailstead.errors import Reason, Refused
from mailstead.imap.metadata import GetMetadata, SetMetadata, find
from mailstead.imap.responses import Answer, no, ok
from mailstead.imap.specialuse import ENTRY, NO_SUCH_USE, SPECIAL_USE, use_of
from mailstead.services.imap.context import Context

ADMIN = "/shared/admin"  # of the server; nobody sets it by IMAP (RFC 5464 section 6.2.2)

READ_ONLY = no("This annotation cannot be set", b"CANNOT")
NOT_OF_INBOX = no("INBOX can be for nothing else", b"USEATTR")


async def get_metadata(context: Context, command: GetMetadata) -> Answer:
    """Answer GETMETADATA."""
    account = context.owner
    if command.mailbox:
        mailbox = await account.mailbox(command.mailbox)
        entries = with_use(mailbox, await account.annotations.of(mailbox.id))
    else:
        entries = {**await account.annotations.of(SERVER), ADMIN: await _admin(context)}
    found = find(entries, command.entries, command.depth, command.max_size)
    await context.send(found.octets(command.mailbox, utf8=context.dialect.utf8))
    return ok("Getmetadata completed", found.code)


async def set_metadata(context: Context, command: SetMetadata) -> Answer:
    """Answer SETMETADATA: all is set, or nothing."""
    context.owner.require_write()
    changes, new_use, place = dict(command.changes), None, SERVER
    if command.mailbox:
        place = (await context.owner.mailbox(command.mailbox)).id
        if ENTRY in changes:
            try:
                new_use = NewUse(use_of(changes.pop(ENTRY)))
            except ValueError:
                return NO_SUCH_USE
    elif ADMIN in changes:
        return READ_ONLY
    try:
        await context.owner.annotations.change(place, changes, new_use)
    except Refused as refused:
        if refused.reason is not Reason.MAILBOX_FIXED:
            raise
        return NOT_OF_INBOX
    if context.elsewhere is not None:
        context.elsewhere.annotated(place, changes, new_use)
    return ok("Setmetadata completed")


def use_of_mailbox(mailbox: Mailbox) -> bytes:
    """What a mailbox is for, as LIST shows it, or nothing."""
    return SPECIAL_USE[mailbox.special_use] if mailbox.special_use is not None else b""


def with_use(mailbox: Mailbox, entries: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The annotations of a mailbox, with the one that says what it is for."""
    use = use_of_mailbox(mailbox)
    return {**entries, ENTRY: use} if use else entries


async def _admin(context: Context) -> bytes:
    """How to reach who runs the server: as postmaster, whom every domain has (RFC 5321 section 4.5.1)."""
    login = (await context.owner.addresses())[0]
    return b"mailto:postmaster@" + login.partition("@")[2].encode()
