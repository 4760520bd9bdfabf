"""What a client that was away has missed: QRESYNC (RFC 7162 section 3.2)."""

from collections.abc import Iterator

from mailstead.accounts.snapshot import Snapshot
from mailstead.imap.condstore import Resync
from mailstead.imap.news import vanished
from mailstead.imap.responses import bad
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.mail.uidset import SeqSet, UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.flags import tell_flags

NOT_ENABLED = bad("ENABLE QRESYNC first")


def gone_since(snapshot: Snapshot, modseq: Modseq, among: SeqSet | UidSet | None) -> Iterator[Uid]:
    """The UIDs that were expunged after *modseq*; *among* them, if it is a set of UIDs."""
    uids = snapshot.vanished_since(modseq)
    if not isinstance(among, UidSet):
        return uids
    asked = among.resolve(snapshot.mailbox.uid_next - 1)
    return (uid for uid in uids if uid in asked)


async def catch_up(context: Context, resync: Resync) -> None:
    """Tell what happened to the selected mailbox since the client saw it; nothing if it was another one."""
    selected = context.chosen
    snapshot = selected.snapshot
    if resync.uid_validity != snapshot.mailbox.uid_validity:
        return
    await context.send(vanished(gone_since(snapshot, resync.modseq, resync.known), earlier=True))
    changed = UidSet.of(
        uid for uid in snapshot.changed_since(resync.modseq) if resync.known is None or uid in resync.known
    )
    await context.look_at(changed)
    await tell_flags(context, list(selected.view.select(changed)), uids=not context.dialect.uid_only)
