"""Keeping searches that stand up to date: only messages that came or changed are looked at (RFC 5267)."""

from collections.abc import Iterable, Mapping, Sequence

from mailstead.imap import mailboxes, session, store
from mailstead.imap.fetch import FetchItem
from mailstead.imap.searchkeys import And, ChangedAt, HasFlag, HasKeyword, Key, Not, Or
from mailstead.imap.state import by_number
from mailstead.imap.updates import no_update, updated
from mailstead.log import Log
from mailstead.mail.mailbox import Uid
from mailstead.mail.sortkeys import By
from mailstead.services.imap import notify
from mailstead.services.imap.context import Context
from mailstead.services.imap.fetch import FAILURES, respond
from mailstead.services.imap.judge import Judge
from mailstead.services.imap.looking import judged
from mailstead.services.imap.search import Found
from mailstead.services.imap.selected import Numbered, Selected
from mailstead.services.imap.sort import sorted_by
from mailstead.services.imap.standing import Standing, numbered

POLLS = (session.Noop, mailboxes.Check, mailboxes.Expunge, store.Move)  # they ask what is new
WAYS = 8  # between how many messages a place is looked for at once


async def tell(context: Context, log: Log, *, expunges: bool, polled: bool = False) -> None:
    """Tell all that is new, as far as it may be told now: messages, results of searches, and other mailboxes.

    Args:
        expunges: Messages may lose their numbers now.
        polled: The client asked for news.
    """
    await context.news(log, expunges=expunges, polled=polled)
    if context.selected is not None and context.selected.standings.by_tag:
        await _update(context, context.selected, log)
    await notify.tell(context, log, polled=polled)


async def tell_after(event: object, context: Context, log: Log) -> None:
    """Tell all that is new before the answer to a command."""
    await tell(context, log, expunges=not by_number(event), polled=isinstance(event, POLLS))


async def _update(context: Context, selected: Selected, log: Log) -> None:
    """Look again at what has changed, and tell which searches it joins or leaves."""
    standings = selected.standings
    new, changed = _told(selected, standings.new), _told(selected, standings.changed)
    standings.new.difference_update(new)
    standings.changed.difference_update(changed)
    if not new and not changed:
        return
    lines: list[bytes] = []
    joined: dict[int, dict[FetchItem, None]] = {}
    for standing in list(standings.by_tag.values()):
        again = sorted({*new, *changed}) if _changes(standing.key) else new
        try:
            lines.append(await _again(context, selected, standing, again, joined, frozenset(new)))
        except FAILURES as error:
            log.warning("imap.update.failed", detail=str(error))
            del standings.by_tag[standing.tag]
            lines.append(no_update(standing.tag, "It cannot be updated any more"))
    await _tell_joined(context, joined, log)
    await context.send(b"".join(lines))


def _told(selected: Selected, uids: Iterable[int]) -> list[int]:
    """Those of *uids* that the client knows of, as they are now; ascending."""
    view, untold = selected.view, selected.view.changed
    return sorted(u for u in uids if u not in untold and view.number(u) is not None and not view.is_gone(u))


def _changes(key: Key) -> bool:
    """Whether a message can match and not match later; the reader has capped how deep keys are."""
    match key:
        case Not():
            return _changes(key.key)
        case And() | Or():
            return any(map(_changes, key.keys))
        case _:
            return isinstance(key, HasFlag | HasKeyword | ChangedAt)


async def _again(
    context: Context,
    selected: Selected,
    standing: Standing,
    uids: Sequence[int],
    joined: dict[int, dict[FetchItem, None]],
    new: frozenset[int],
) -> bytes:
    """Look at *uids* again; what tells of those whose result is another one than before."""
    messages = [(number, Uid(uid)) for uid in uids if (number := selected.view.number(uid)) is not None]
    scored = any(criterion.by is By.RELEVANCY for criterion in standing.criteria)
    judge = Judge(selected, standing.key, standing.now, scored=scored)
    matches = {uid for _, uid in await judged(context, judge, messages)}
    removed = standing.remove(uid for uid in uids if uid not in matches)
    joining = [message for message in messages if message[1] in matches and message[1] not in standing]
    if standing.criteria:
        standing.scores.update({uid: judge.scores[uid] for _, uid in joining if scored})
        places = await _places(context, standing, joining)
    else:
        places = [(0, uid) for _, uid in joining]
    if standing.items:
        for _, uid in places:
            if uid in new:
                joined.setdefault(uid, {}).update(dict.fromkeys(standing.items))
    view = selected.view
    shown = numbered(standing, view, removed), numbered(standing, view, standing.add(places))
    return updated(standing.correlated, *shown, uid=standing.uid)


async def _places(context: Context, standing: Standing, joining: Sequence[Numbered]) -> list[tuple[int, int]]:
    """Before which place of the order each message belongs, and its UID; in their order.

    They are sorted together with some of those that are there,
    again and again with closer ones: few have to be looked at, however many there are.
    """
    order = standing.order
    between: dict[int, tuple[int, int]] = {uid: (0, len(order)) for _, uid in joining}
    ways = WAYS if len(joining) * WAYS * 4 < len(order) else len(order)
    while between:
        marks: dict[int, int] = {}
        for low, high in set(between.values()):
            marks.update((order[at], at) for at in range(low, high, max(1, (high - low) // ways)))
        ordered = await _ordered(context, standing, sorted({*marks, *between}))
        between = _closer(between, marks, ordered)
        if all(low == high for low, high in between.values()):
            return [(low, uid) for uid, (low, _) in between.items()]
    return []


async def _ordered(context: Context, standing: Standing, uids: Sequence[int]) -> Sequence[int]:
    """These messages as they are sorted, without those that are gone."""
    view = context.chosen.view
    there = [uid for uid in uids if view.number(uid) is not None]
    numbers = [number for uid in there if (number := view.number(uid)) is not None]
    found = Found(numbers, there, standing.now, with_modseq=False, scores=standing.scores)
    return (await sorted_by(context, standing.criteria, found)).uids


def _closer(
    between: Mapping[int, tuple[int, int]], marks: Mapping[int, int], ordered: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """Between which places messages belong, now that they are sorted with some whose places are known."""
    lows, highs = dict[int, int](), dict[int, int]()
    for steps, found, beyond in ((ordered, lows, 1), (ordered[::-1], highs, 0)):
        last: int | None = None
        for uid in steps:
            if uid in between:
                if last is not None:
                    found[uid] = last
            else:
                last = marks[uid] + beyond
    closer: dict[int, tuple[int, int]] = {}
    for uid in ordered:
        if uid in between:
            low, high = between[uid]
            near = max(low, lows.get(uid, low)), min(high, highs.get(uid, high))
            closer[uid] = near if near != (low, high) else (low, low)  # all marks are gone
    return closer


async def _tell_joined(context: Context, joined: Mapping[int, dict[FetchItem, None]], log: Log) -> None:
    """Send what is wanted of new messages that were found, with what is wanted of all new ones."""
    newcomers, view = set(context.newcomers), context.chosen.view
    groups: dict[tuple[FetchItem, ...], list[Numbered]] = {}
    for uid in sorted(joined):
        more = context.notify.selected.items if uid in newcomers else ()
        items = tuple(joined[uid] | dict.fromkeys(more))
        if (number := view.number(uid)) is not None:
            groups.setdefault(items, []).append((number, Uid(uid)))
    context.newcomers = [uid for uid in context.newcomers if uid not in joined]
    for items, messages in groups.items():
        try:
            await respond(context, messages, items)
        except FAILURES as error:
            log.warning("imap.update.failed", detail=str(error))
