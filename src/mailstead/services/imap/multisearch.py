"""ESEARCH: one search of several mailboxes, with a response for each that has what is looked for (RFC 7377).

The selected mailbox is searched as the client knows it, every other one as it is when its turn comes. Of
those nothing is kept, and nothing in them changes.
"""

from mailstead.accounts.mailbox import Mailbox
from mailstead.errors import MailError, Reason, Unavailable, UnsealError
from mailstead.imap.esearch import correlator, within
from mailstead.imap.multisearch import MultiSearch
from mailstead.imap.responses import Answer, bad, ok
from mailstead.imap.search import Search
from mailstead.imap.updates import no_update
from mailstead.imap.view import MailboxView
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.contexts import TAG_REUSE, begin, reuses_tag
from mailstead.services.imap.looking import take_turns
from mailstead.services.imap.search import matching_in, response, saving
from mailstead.services.imap.selected import Selected

NOT_SELECTED = bad("No mailbox is selected")


async def multi_search(context: Context, command: MultiSearch) -> Answer:
    """Answer ESEARCH.

    Raises:
        UnsealError, MailError: of a mailbox that cannot be read, after all others were searched.
    """
    asked, selected = command.asked, context.selected
    if selected is None and (command.of_selected or asked.update):
        return NOT_SELECTED
    if selected is not None and reuses_tag(context, asked):
        return TAG_REUSE
    with saving(context, asked):
        meant = await _meant(context, command)
        with context.progress.of(context.connection.tag, sum(m.messages for m in meant)):
            await _search_all(context, command, meant)
    if asked.update and selected is not None and all(m.id != selected.mailbox.id for m in meant):
        await context.send(no_update(context.connection.tag, "The selected mailbox was not searched"))
    return ok("Search completed")


async def _meant(context: Context, command: MultiSearch) -> list[Mailbox]:
    """The mailboxes to search, the selected one first where it is asked for as such; each of them once."""
    mailboxes, _ = await context.owner.names()
    found = {m.id: m for m in mailboxes if command.has(m.name, subscribed=m.subscribed)}
    if not command.of_selected:
        return list(found.values())
    selected = context.chosen.mailbox  # whatever it is called now, and whether it is there or not
    first = next((m for m in mailboxes if m.id == selected.id), selected)
    return [first, *(m for m in found.values() if m.id != first.id)]


async def _search_all(context: Context, command: MultiSearch, meant: list[Mailbox]) -> None:
    """Search all that can be read; what kept one from being read comes in the end."""
    failure: MailError | UnsealError | None = None
    for mailbox in meant:
        try:
            await _search(context, command, mailbox)
        except Unavailable:
            raise  # and so would the others be
        except (MailError, UnsealError) as error:
            gone = isinstance(error, MailError) and error.reason is Reason.NO_SUCH_MAILBOX
            failure = failure if gone else error
        await take_turns(context)
    if failure is not None:
        raise failure


async def _search(context: Context, command: MultiSearch, mailbox: Mailbox) -> None:
    """Search a mailbox, and tell what was found there; nothing where nothing was (RFC 7377 section 2.1)."""
    asked, tag = command.asked, context.connection.tag
    selected = context.selected
    here = selected is not None and selected.mailbox.id == mailbox.id
    looked_at = selected if selected is not None and here else await _glimpse(context, mailbox)
    found = await matching_in(context, looked_at, command.key, scored=asked.relevancy)
    place = within(mailbox.name, looked_at.snapshot.mailbox.uid_validity, utf8=context.dialect.utf8)
    if here and asked.save:
        looked_at.saved = asked.saved(found.uids)
    if found.uids and asked.answers:
        await context.send(response(correlator(tag, place), asked, found, looked_at, uid=True))
    if here and asked.update:
        search = Search(command.key, uid=True)
        await begin(context, search, asked, found.uids, dict(found.scores), found.now, place)


async def _glimpse(context: Context, mailbox: Mailbox) -> Selected:
    """A mailbox as EXAMINE would show it now, which takes \\Recent from nobody; no session looks on."""
    snapshot = await context.owner.glimpse(mailbox.id)
    recent = UidSet()
    if not context.dialect.rev2:
        row = await context.owner.exists(mailbox.id) or snapshot.mailbox
        recent = UidSet([(row.recent_uid, row.uid_next - 1)] if row.recent_uid < row.uid_next else ())
    return Selected(mailbox, True, snapshot, MailboxView(snapshot.uids, recent=recent), _nothing)


def _nothing() -> None:
    """Nobody watches."""
