"""STORE, COPY and MOVE (RFC 9051 sections 6.4.6 to 6.4.8)."""

from mailstead.accounts.flagging import FlagChange
from mailstead.accounts.mailbox import Mailbox
from mailstead.errors import Reason, Refused
from mailstead.imap import responses as answers
from mailstead.imap.responses import READ_ONLY, TRY_CREATE, Answer, bad, no, ok
from mailstead.imap.store import Copy, Move, Store
from mailstead.mail.mailbox import Uid
from mailstead.mail.uidset import Saved, SeqSet, UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.flags import tell_flags, tell_modseqs_of
from mailstead.services.imap.selected import Numbered, Selected

NOT_TOLD = bad("No such message")
SOME_GONE = no("Some messages are gone", b"EXPUNGEISSUED")


def meant(selected: Selected, messages: SeqSet | UidSet, of: UidSet | None = None) -> list[Numbered] | None:
    """The messages a command means, without those known to be gone; None when a number was never told.

    Args:
        of: Only those of these UIDs, which are few.
    """
    view = selected.view
    if isinstance(messages, Saved):
        messages = selected.saved
    elif isinstance(messages, SeqSet) and not view.valid(messages):
        return None
    if of is None:
        return view.present(messages)
    if isinstance(messages, UidSet):
        some = messages.resolve(view.uid(len(view)) or 0)
        return [m for m in view.present(of) if m[1] in some]
    numbers = messages.resolve(len(view))
    return [m for m in view.present(of) if m[0] in numbers]


async def store(context: Context, command: Store) -> Answer:
    """Answer STORE or UID STORE."""
    selected = context.chosen
    wanted = meant(selected, command.messages)
    if wanted is None:
        return NOT_TOLD
    if selected.read_only:
        return READ_ONLY
    if command.unchanged_since is not None:
        await context.tell_modseqs()
    change = FlagChange(command.how, command.flags.system, command.flags.keywords)
    outcome = await context.change(
        [uid for _, uid in wanted], change, command.unchanged_since, silent=command.silent
    )
    by_uid = isinstance(command.messages, UidSet)
    there = wanted
    if len(outcome.there) < len(wanted):
        uids = set(outcome.there)
        there = [m for m in wanted if m[1] in uids]
    modified = set(outcome.modified)
    if not command.silent:
        # What did not change is no news, and may be sealed yet.
        await context.look_at(uid for _, uid in there)
        await tell_flags(context, there, uids=by_uid and not context.dialect.uid_only)
    elif context.dialect.modseqs:
        await tell_modseqs_of(context, there)
    code = answers.modified(uid if by_uid else number for number, uid in wanted if uid in modified)
    if len(there) + len(modified) < len(wanted) and not by_uid:
        return no("Some messages are gone", code) if code else SOME_GONE
    return ok("Some messages had changed" if code else "Store completed", code)


async def copy(context: Context, command: Copy) -> Answer:
    """Answer COPY or UID COPY."""
    selected = context.chosen
    wanted = meant(selected, command.messages)
    if wanted is None:
        return NOT_TOLD
    progress, uids = context.progress, [uid for _, uid in wanted]
    with progress.of(context.connection.tag, len(uids)):
        target = await _target(context, command.mailbox)
        if target is None:
            return TRY_CREATE
        copied = await context.owner.copy(selected.mailbox.id, uids, target.id, progress.step)
    selected.stirred = selected.stirred or target.id == selected.mailbox.id
    return ok("Copy completed", _code(copied.uid_validity, copied.sources, copied.targets))


async def move(context: Context, command: Move) -> Answer:
    """Answer MOVE or UID MOVE: the UIDs are told before the messages go (RFC 6851 section 4.3)."""
    selected = context.chosen
    wanted = meant(selected, command.messages)
    if wanted is None:
        return NOT_TOLD
    if selected.read_only:
        return READ_ONLY
    progress, uids = context.progress, [uid for _, uid in wanted]
    with progress.of(context.connection.tag, len(uids)):
        target = await _target(context, command.mailbox)
        if target is None:
            return TRY_CREATE
        moved = await context.owner.move(selected.mailbox.id, uids, target.id, progress.step)
    code = _code(moved.uid_validity, moved.sources, moved.targets)
    if code:
        await context.send(ok("Moved", code).octets())
    await context.refresh()
    return ok("Move completed")


async def _target(context: Context, name: str) -> Mailbox | None:
    try:
        return await context.owner.mailbox(name)
    except Refused as refused:
        if refused.reason is not Reason.NO_SUCH_MAILBOX:
            raise
        return None


def _code(uid_validity: int, sources: list[Uid], targets: list[Uid]) -> bytes:
    return answers.copy_uid(uid_validity, zip(sources, targets, strict=True))
