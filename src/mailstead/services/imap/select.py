"""SELECT, EXAMINE, and what closes a mailbox again (RFC 3501 sections 6.3.1, 6.3.2 and 6.4)."""

import contextlib
from dataclasses import replace

from mailstead.accounts.snapshot import Snapshot
from mailstead.errors import MailError, UnsealError
from mailstead.imap import responses as answers
from mailstead.imap.mailboxes import Check, Close, Examine, Expunge, Select, Unselect
from mailstead.imap.notify import UNASKED
from mailstead.imap.objectid import mailbox_id_code
from mailstead.imap.responses import READ_ONLY, Answer, ok
from mailstead.imap.session import Noop
from mailstead.imap.view import MailboxView
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.mail.uidset import Saved, UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.listing import line_of
from mailstead.services.imap.resync import NOT_ENABLED, catch_up
from mailstead.services.imap.selected import Selected

CLOSED = ok("The other mailbox is closed", b"CLOSED").octets()  # RFC 7162 section 3.2.11, RFC 9051
READ_WHAT_IS_LEFT = "It can only be read until its owner runs: mailstead verify --user ADDRESS --accept"
ALERTS = 10  # differences that are told of one mailbox
UNSEEN_ROWS = 4  # rows of pendings that are opened to find the first message that is not \Seen


async def select(context: Context, command: Select | Examine) -> Answer:
    """Answer SELECT or EXAMINE; whatever was selected is not any more."""
    opening = command.opening
    if opening is not None and opening.resync is not None and not context.dialect.qresync:
        return NOT_ENABLED
    if context.selected is not None and _hears_closed(context):
        await context.send(CLOSED)
    context.deselect()
    account = context.owner
    read_only = isinstance(command, Examine) or not account.writable
    mailbox = await account.mailbox(command.mailbox)
    snapshot = await account.snapshot(mailbox.id)
    damage = account.alerts(mailbox)
    read_only = read_only or bool(damage)
    row = snapshot.mailbox
    recent = range(0)
    if read_only and not context.dialect.rev2:
        row = await account.exists(mailbox.id) or row
        recent = range(row.recent_uid, row.uid_next)
    else:
        recent = range(0)
    if not (read_only or context.dialect.rev2):
        with contextlib.suppress(MailError):  # nothing can be written now, but all can be read
            recent = await account.take_recent(mailbox.id)
    keywords = {k for r in snapshot.rows.values() for names in r.keywords.values() for k in names}
    view = MailboxView(
        snapshot.uids, recent=UidSet([(recent.start, recent.stop - 1)] if recent else ()), keywords=keywords
    )
    context.select(mailbox, snapshot, view, read_only=read_only)
    lines = [answers.alert(words) for words in damage[:ALERTS]]
    lines += [
        answers.defined_flags(view.keywords),
        answers.permanent_flags(view.keywords, writable=not read_only),
        answers.exists(len(view)),
    ]
    try:
        lines += await _of_rev2(context, command) if context.dialect.rev2 else await _of_rev1(context)
    except MailError:
        context.deselect()  # the client hears NO, and that nothing is selected
        raise
    lines += [
        ok("UIDs valid", b"UIDVALIDITY %d" % row.uid_validity).octets(),
        ok("Predicted next UID", b"UIDNEXT %d" % row.uid_next).octets(),
        ok("Highest mod-sequence", answers.highest_modseq(snapshot.highest_modseq)).octets(),
        ok("Id of the mailbox", mailbox_id_code(mailbox.id)).octets(),
    ]
    await context.send(b"".join(lines))
    if opening is not None:
        context.connection.dialect = replace(context.dialect, modseqs=True)
        if opening.resync is not None:
            await catch_up(context, opening.resync)
    if damage:
        return ok(READ_WHAT_IS_LEFT, b"READ-ONLY")
    if isinstance(command, Examine):
        return ok("Examine completed", b"READ-ONLY")
    if read_only:
        return ok("Select completed; this login may only read", b"READ-ONLY")
    return ok("Select completed", b"READ-WRITE")


def _hears_closed(context: Context) -> bool:
    """Whether the client has to know where the other mailbox ends; with NOTIFY news come at any time."""
    return context.dialect.qresync or context.dialect.rev2 or context.notify is not UNASKED


async def _of_rev2(context: Context, command: Select | Examine) -> list[bytes]:
    """What IMAP4rev2 says of a mailbox, and IMAP4rev1 does not (RFC 9051 section 6.3.2)."""
    return [await line_of(context, context.chosen.mailbox, command.spelled)]


async def _of_rev1(context: Context) -> list[bytes]:
    """What IMAP4rev1 says of a mailbox, and IMAP4rev2 does not; numbers are nothing to UIDONLY."""
    selected = context.chosen
    lines = [answers.recent(selected.view.recent_count)]
    if not context.dialect.uid_only:
        with contextlib.suppress(UnsealError):  # one damaged message does not close the mailbox of the others
            unseen = await _first_unseen(context, selected)
            if unseen is not None:
                lines.append(ok("First unseen", b"UNSEEN %d" % unseen).octets())
    return lines


async def _first_unseen(context: Context, selected: Selected) -> int | None:
    """The sequence number of the first message without \\Seen, or None."""
    opened = 0
    for number in selected.snapshot.rows:
        uid = _unseen_in(selected.snapshot, number)
        row = selected.snapshot.rows[number]
        if uid is not None and uid in row.sealed:
            if opened == UNSEEN_ROWS:
                return None
            opened += 1
            await context.look_at(row.sealed)
            uid = _unseen_in(selected.snapshot, number)
        if uid is not None:
            return selected.view.number(uid)
    return None


def _unseen_in(snapshot: Snapshot, number: int) -> Uid | None:
    row = snapshot.rows[number]
    seen = int(SystemFlag.SEEN)
    for uid, flags in zip(row.uids, row.flags, strict=True):
        if not flags & seen:
            return Uid(uid)
    return None


async def expunge(context: Context, command: Expunge) -> Answer:
    """Answer EXPUNGE or UID EXPUNGE; what is gone is told as news."""
    selected = context.chosen
    if selected.read_only:
        return READ_ONLY
    only = selected.saved if isinstance(command.uids, Saved) else command.uids
    await _expunge(context, selected, only)
    await context.refresh()
    await context.send(context.tell(expunges=True))
    code = answers.highest_modseq(selected.told_modseq) if context.dialect.modseqs else b""
    return ok("Expunge completed", code)


async def close(context: Context, _: Close) -> Answer:
    """Answer CLOSE: expunge silently, and deselect."""
    selected = context.chosen
    if not selected.read_only:
        await _expunge(context, selected, None)
    context.deselect()
    return ok("Close completed")


async def stir(context: Context, _: Noop | Check) -> Answer:
    """Answer NOOP or CHECK: what is new is told before the answer."""
    context.stir()
    return ok("Completed")


async def unselect(context: Context, _: Unselect) -> Answer:
    """Answer UNSELECT (RFC 3691)."""
    context.deselect()
    return ok("Unselect completed")


async def _expunge(context: Context, selected: Selected, only: UidSet | None) -> None:
    """Remove what is \\Deleted now, whoever marked it; a client that says "expunge" means that."""
    await context.refresh()
    snapshot, view = selected.snapshot, selected.view
    uids = list(snapshot.uids) if only is None else list(view.uids(only))
    await context.look_at(uids)
    deleted = int(SystemFlag.DELETED)
    going = [
        Uid(uid)
        for row in selected.snapshot.rows.values()
        for uid, flags in zip(row.uids, row.flags, strict=True)
        if flags & deleted
    ]
    if only is not None:
        wanted = set(uids)
        going = [uid for uid in going if uid in wanted]
    if going:
        await context.owner.expunge(selected.mailbox.id, going, only_deleted=True)
