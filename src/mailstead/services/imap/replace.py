"""REPLACE: the message that goes, and the transaction in which the other one comes (RFC 8508)."""

from mailstead.accounts.replacing import Replacing
from mailstead.delivery.appending import Appended, Appending
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.imap import responses as answers
from mailstead.imap.replace import Replace
from mailstead.imap.responses import READ_ONLY, TRY_CREATE, Answer, no, ok
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.store import NOT_TOLD, SOME_GONE, meant

NO_SUCH_MESSAGE = no("No such message", b"NONEXISTENT")


def outgoing(context: Context, command: Replace) -> Replacing | Answer:
    """The replacement of the message that a REPLACE names, to be begun, or why there is none to be."""
    selected = context.chosen
    found = meant(selected, command.message)
    if found is None:
        return NOT_TOLD
    if selected.read_only:
        return READ_ONLY
    if not found:
        return NO_SUCH_MESSAGE if isinstance(command.message, UidSet) else SOME_GONE
    return context.owner.replacing(selected.mailbox.id, found[0][1])


async def replace(
    context: Context, appending: Appending, replacing: Replacing, appended: Appended, uid_validity: int
) -> Answer:
    """Answer a REPLACE whose message is complete.

    Args:
        uid_validity: Of the mailbox that the message comes to.
    """
    selected = context.chosen
    try:
        placed = await appending.finish_within(appended, replacing.by)
    except Refused as refused:
        if refused.reason is not Reason.NO_SUCH_MAILBOX:
            raise
        return TRY_CREATE  # it went while the message came
    # Told before the other one is told to be gone (RFC 8508 section 4.3).
    code = answers.append_uid(uid_validity, UidSet.of((placed.uid,)))
    await context.send(ok("Replacement message ready", code).octets())
    try:
        await context.refresh()
        await context.send(context.tell(expunges=True))
    except (MailError, UnsealError):
        selected.stirred = True  # it is done, and can be told later
    known = answers.highest_modseq(selected.told_modseq) if context.dialect.modseqs else b""
    return ok("Replace completed", known)
