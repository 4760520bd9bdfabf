"""The updating contexts of a session: when they begin, and when they are cancelled (RFC 5267 section 4.3)."""

from array import array
from collections.abc import Sequence

from mailstead.imap.esearch import Return, correlator
from mailstead.imap.fetch import Item
from mailstead.imap.responses import Answer, bad, ok
from mailstead.imap.search import Search
from mailstead.imap.searchkeys import Among, And, Key, Not, Or
from mailstead.imap.sort import Sort
from mailstead.imap.updates import CancelUpdate, no_update
from mailstead.mail.sortkeys import By
from mailstead.mail.uidset import HIGHEST, STAR, Saved, SeqSet, UidSet
from mailstead.services.imap.context import Context
from mailstead.services.imap.selected import Selected
from mailstead.services.imap.standing import Standing

CONTEXTS_CAP = 10  # of a session
RESULTS_CAP = 1 << 18  # messages in all of them, unless there is only one

TAG_REUSE = bad("Tag reuse")
NO_SUCH_CONTEXT = bad("No search with this tag is updated")


def reuses_tag(context: Context, asked: Return | None) -> bool:
    """Whether updates are asked for under a tag that has some (section 4.3)."""
    return asked is not None and asked.update and context.connection.tag in context.chosen.standings.by_tag


async def begin(
    context: Context,
    command: Search | Sort,
    asked: Return,
    ordered: Sequence[int],
    scores: dict[int, int],
    now: float,
    within: bytes = b"",
) -> None:
    """Let a search stand, or say why it does not.

    Args:
        ordered: UIDs of what was found, in the order in which the client was told of them.
        scores: The relevancy of each, if it is sorted by it.
        now: When it was found, in seconds since the epoch.
        within: The correlators of its mailbox, for who was told them (`esearch.within`).
    """
    selected, tag = context.chosen, context.connection.tag
    standings = selected.standings
    results = sum(map(len, standings.by_tag.values())) + len(ordered)
    if len(standings.by_tag) >= CONTEXTS_CAP or (standings.by_tag and results > RESULTS_CAP):
        await context.send(no_update(tag, "Too many contexts"))
        return
    if Item.MODSEQ in asked.items:
        await context.tell_modseqs()
    criteria = command.criteria if isinstance(command, Sort) else ()
    standings.by_tag[tag] = Standing(
        tag,
        correlator(tag, within),
        command.uid,
        lasting(command.key, selected),
        now,
        array("I", ordered),
        criteria,
        asked.items,
        scores if any(c.by is By.RELEVANCY for c in criteria) else {},
    )
    standings.new.update(selected.view.arrived)  # they were not looked at, and will be told


def lasting(key: Key, selected: Selected) -> Key:
    """A key without anything that depends on the moment; the reader has capped how deep it is."""
    match key:
        case Not():
            return Not(lasting(key.key, selected))
        case And():
            return And(tuple(lasting(inner, selected) for inner in key.keys))
        case Or():
            return Or(tuple(lasting(inner, selected) for inner in key.keys))
        case Among(messages):
            return Among(_lasting_set(messages, selected))
        case _:
            return key


def _lasting_set(messages: SeqSet | UidSet, selected: Selected) -> UidSet:
    view = selected.view
    if isinstance(messages, Saved):
        return selected.saved
    if isinstance(messages, SeqSet):
        return view.uids(messages)
    # "*" is the highest UID there is now; a range that ends in it has no end.
    highest = view.uid(len(view)) or 0
    ranges = messages.resolve(highest).ranges
    return UidSet((*ranges, *((low, HIGHEST) for low, high in messages.ranges if high == STAR > low)))


async def cancel_update(context: Context, command: CancelUpdate) -> Answer:
    """Answer CANCELUPDATE (section 4.3.5)."""
    standings = context.chosen.standings.by_tag
    if not standings.keys() >= set(command.tags):
        return NO_SUCH_CONTEXT
    for tag in command.tags:
        del standings[tag]
    return ok("No further updates")
