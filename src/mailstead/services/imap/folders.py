"""Commands about mailboxes as a whole: their names, subscriptions and rights (RFC 9051 section 6.3)."""

import contextlib

from mailstead.errors import Reason, Refused
from mailstead.imap import responses as answers
from mailstead.imap.mailboxes import (
    Create,
    Delete,
    DeleteAcl,
    GetAcl,
    ListRights,
    MyRights,
    Rename,
    SetAcl,
    Subscribe,
    Unsubscribe,
)
from mailstead.imap.objectid import mailbox_id_code
from mailstead.imap.responses import ACL_IS_FIXED, Answer, no, ok
from mailstead.imap.session import Namespace
from mailstead.services.imap.context import Context
from mailstead.services.imap.listing import line_of

BAD_NAME = no("Not a mailbox name", b"CANNOT")


async def namespace(context: Context, _: Namespace) -> Answer:
    """Answer NAMESPACE."""
    await context.send(answers.namespaces())
    return ok("Namespace completed")


Change = Create | Delete | Rename | Subscribe | Unsubscribe


async def change(context: Context, command: Change) -> Answer:
    """Answer what changes names or subscriptions."""
    account, code = context.owner, b""
    try:
        match command:
            case Create():
                code = mailbox_id_code(await account.create_mailbox(command.mailbox, command.use))
                if context.dialect.rev2 and command.spelled:
                    await _tell_name(context, command.mailbox, command.spelled)
            case Delete():
                await account.delete_mailbox(command.mailbox)
            case Rename():
                await account.rename_mailbox(command.mailbox, command.to)
                if context.dialect.rev2:
                    await _tell_name(context, command.to, command.mailbox)
            case Subscribe():
                await account.subscribe(command.mailbox)
            case Unsubscribe():
                await account.subscribe(command.mailbox, wanted=False)
    except ValueError:
        return BAD_NAME
    if context.selected is not None:
        context.selected.stirred = True  # it may have been the selected one
    return ok("Completed", code)


async def _tell_name(context: Context, name: str, old: str) -> None:
    """Tell IMAP4rev2 what a mailbox is called now (RFC 9051 sections 6.3.4 and 6.3.6)."""
    with contextlib.suppress(Refused):  # it has gone on since
        await context.send(await line_of(context, await context.owner.mailbox(name), old))


async def rights(context: Context, command: MyRights | GetAcl | ListRights) -> Answer:
    """Answer what asks for rights: the owner has them all (RFC 4314)."""
    name, utf8 = command.mailbox, context.dialect.utf8
    await context.owner.mailbox(name)
    match command:
        case MyRights():
            octets = answers.my_rights(name, writable=context.owner.writable, utf8=utf8)
        case GetAcl():
            octets = answers.acl(name, context.name, utf8=utf8)
        case _:
            owner = command.identifier == context.name.encode()
            octets = answers.list_rights(name, command.identifier, owner=owner, utf8=utf8)
    await context.send(octets)
    return ok("Completed")


async def give_rights(context: Context, command: SetAcl | DeleteAcl) -> Answer:
    """Answer what would change rights."""
    try:
        await context.owner.mailbox(command.mailbox)
    except Refused as refused:
        if refused.reason is not Reason.NO_SUCH_MAILBOX:
            raise
        return answers.FOR_REASON[refused.reason]
    return ACL_IS_FIXED
