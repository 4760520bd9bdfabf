"""FETCH: from the columns of a page, or from the body where they do not hold what is asked for.

A row of 256 messages at a time: what is read is sent, and others have their turn, before the next.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import repeat

from mailstead.accounts.bodies import SMALL
from mailstead.accounts.flagging import FlagChange
from mailstead.accounts.reading import Fetched
from mailstead.errors import MailError, Reason, Refused, Unavailable, UnsealError
from mailstead.imap.fetch import Fetch, FetchItem, Item
from mailstead.imap.news import vanished
from mailstead.imap.responses import Answer, fetch_form, no, ok
from mailstead.mail.flags import How
from mailstead.mail.mailbox import Modseq, SeqNumber, SystemFlag, Uid
from mailstead.mail.uidset import SeqSet, UidSet
from mailstead.services.imap.context import Context, CutOff
from mailstead.services.imap.decoding import Decoding, UnknownEncoding
from mailstead.services.imap.fetched import (
    IN_STATE,
    NO_STATE,
    NotInSummary,
    Part,
    State,
    columns_of,
    showers,
)
from mailstead.services.imap.flags import tell_flags, tell_modseqs_of
from mailstead.services.imap.resync import NOT_ENABLED, gone_since
from mailstead.services.imap.selected import Numbered, Selected
from mailstead.services.imap.store import NOT_TOLD, SOME_GONE, meant
from mailstead.services.imap.whole import Whole

TOGETHER = 256 << 10  # octets that are held until they are sent, bodies that are read together among them
_SEEN = int(SystemFlag.SEEN)
Failure = MailError | UnsealError | UnknownEncoding  # of one message, which hides no other
FAILURES = (MailError, UnsealError, UnknownEncoding)
UNKNOWN_ENCODING = no("A part has an unknown transfer encoding", b"UNKNOWN-CTE")
_Waiting = tuple[Fetched, list[Part], bool]  # the last: whether any part needs the body
FEW = 16  # messages, after which others have no turn yet
SENT_TOGETHER = 64 << 10  # octets of responses


async def fetch(context: Context, command: Fetch) -> Answer:
    """Answer FETCH or UID FETCH."""
    selected = context.chosen
    if command.modifiers.vanished and not context.dialect.qresync:
        return NOT_ENABLED
    wanted = _meant(selected, command)
    if wanted is None:
        return NOT_TOLD
    items = command.items
    if Item.MODSEQ in items:
        await context.tell_modseqs()
    if command.modifiers.vanished:  # told before what is there (RFC 7162 section 3.2.6)
        since = command.modifiers.changed_since or Modseq(0)
        await context.send(vanished(gone_since(selected.snapshot, since, command.messages), earlier=True))
    if command.sets_seen:
        await context.look_at(uid for _, uid in wanted)
    if command.sets_seen and not selected.read_only:
        items = await _see(context, wanted, items)
    try:
        there = await respond(context, wanted, items)
    except UnknownEncoding:
        return UNKNOWN_ENCODING
    gone = there < len(wanted) and isinstance(command.messages, SeqSet)
    return SOME_GONE if gone else ok("Fetch completed")


async def respond(context: Context, wanted: list[Numbered], items: tuple[FetchItem, ...]) -> int:
    """Send *items* of messages; how many of them were there.

    Raises:
        MailError, UnsealError, UnknownEncoding: of the last that failed, after all others.
    """
    if Item.FLAGS in items:
        await context.look_at(uid for _, uid in wanted)
        if context.dialect.modseqs and Item.MODSEQ not in items:
            items = (*items, Item.MODSEQ)
    if IN_STATE.issuperset(items):
        await _tell_state(context, wanted, items)
        return len(wanted)
    return await _rows(context, wanted, items)


def _meant(selected: Selected, command: Fetch) -> list[Numbered] | None:
    """The messages that a FETCH means, as its modifiers limit them; None when a number was never told."""
    modifiers, changed = command.modifiers, None
    if modifiers.changed_since is not None:
        changed = UidSet.of(selected.snapshot.changed_since(modifiers.changed_since))
    wanted = meant(selected, command.messages, changed)
    return wanted if wanted is None or modifiers.page is None else list(modifiers.page.of(wanted))


async def _tell_state(context: Context, wanted: list[Numbered], items: tuple[FetchItem, ...]) -> None:
    """Answer from the snapshot: no page is opened."""
    if Item.FLAGS in items:
        await tell_flags(context, wanted, uids=Item.UID in items)
    elif Item.MODSEQ in items:
        await tell_modseqs_of(context, wanted)
    else:
        form = fetch_form(context.dialect.numbered, uid=True)
        shown = [(uid, uid) for _, uid in wanted] if context.dialect.uid_only else wanted
        await context.send(b"".join([form % numbers for numbers in shown]))


async def _see(
    context: Context, wanted: list[Numbered], items: tuple[FetchItem, ...]
) -> tuple[FetchItem, ...]:
    """Mark messages as \\Seen; what has changed is told in the answer (RFC 9051 section 6.4.5)."""
    unseen = [uid for _, uid in wanted if not context.chosen.system(uid) & _SEEN]
    if unseen:
        with contextlib.suppress(Unavailable):  # what cannot be marked as read now can be read
            await context.change(unseen, FlagChange(How.ADD, SystemFlag.SEEN))
            if Item.FLAGS not in items:
                items = (*items, Item.FLAGS)
    await context.look_at(uid for _, uid in wanted)
    return items


async def _rows(context: Context, wanted: list[Numbered], items: tuple[FetchItem, ...]) -> int:
    """Send what is asked for; how many of the messages were there.

    One that cannot be opened hides no other; it is what the command fails with in the end. One that
    is expunged meanwhile is passed over.
    """
    numbers: dict[Uid, SeqNumber] = {uid: number for number, uid in wanted}
    if Item.FLAGS in items:
        await context.send(context.defined(numbers))
    shown = {uid: uid for uid in numbers} if context.dialect.uid_only else numbers
    rows = _Rows(context, shown, items)
    async for row in context.owner.fetch(context.chosen.mailbox.id, numbers, columns_of(items)):
        await rows.send(row)
    if rows.failure is not None:
        raise rows.failure
    return rows.there


class _Rows:
    """Responses to one FETCH, a row of messages at a time."""

    def __init__(self, context: Context, numbers: Mapping[Uid, int], items: tuple[FetchItem, ...]) -> None:
        self._context = context
        self._numbers = numbers
        self._opening = b"* %%d %b (" % context.dialect.numbered
        self._showers = showers(items)
        self._shows_flags = Item.FLAGS in items
        self._shows_modseqs = Item.MODSEQ in items
        self._held: list[bytes] = []
        self._octets = 0
        self.there = 0
        self.failure: Failure | None = None

    async def send(self, row: list[Fetched]) -> None:
        """Send the responses for a row."""
        self.there += len(row)
        waiting: list[_Waiting] = []  # for their octets, as many as are read together
        octets = 0
        for message, state in zip(row, self._states(row), strict=True):
            try:
                found = await self._parts(message, state)
            except FAILURES as error:
                self._failed(error)
                continue
            needs_body = False
            for part in found:
                if isinstance(part, bytes):
                    octets += len(part)
                else:
                    needs_body = True
            if needs_body:
                octets += min(message.size, SMALL)
            waiting.append((message, found, needs_body))
            if octets >= TOGETHER:
                await self._respond(waiting)
                waiting, octets = [], 0
        await self._respond(waiting)
        await self._flush()
        if len(row) > FEW:  # what few messages say goes out together with the answer
            await asyncio.sleep(0)

    def _states(self, row: list[Fetched]) -> Iterable[State]:
        """The states of a row's messages; flags count as told then."""
        if not (self._shows_flags or self._shows_modseqs):
            return repeat(NO_STATE, len(row))
        selected, uids = self._context.chosen, [message.uid for message in row]
        flags: Iterable[bytes] = repeat(b"", len(row))
        if self._shows_flags:
            selected.view.forget_changes(uids)
            flags = selected.all_shown(uids)
        modseqs = selected.modseqs(uids) if self._shows_modseqs else repeat(0, len(row))
        return zip(flags, modseqs, strict=True)

    async def _parts(self, message: Fetched, state: State) -> list[Part]:
        try:
            return [show(message, state, None) for show in self._showers]
        except NotInSummary:
            # It may be that only its first column was asked for.
            owner = self._context.owner
            located = await owner.locate(self._context.chosen.mailbox.id, message.uid)
            whole = await Whole.read(owner, located)
            message = Fetched(located.uid, located.kept, located.a, located.b)
            return [show(message, state, whole) for show in self._showers]

    async def _respond(self, waiting: list[_Waiting]) -> None:
        needy = [m.body for m, _, needs_body in waiting if needs_body and m.size <= SMALL]
        small = await self._context.owner.read_small(needy)
        for message, found, needs_body in waiting:
            octets = small.get(message.uid)
            try:
                if isinstance(octets, Exception):
                    raise octets
                if octets is None and needs_body:
                    await self._stream(message, found)
                else:
                    await self._put(message, found, octets or b"")
            except FAILURES as error:
                self._failed(error)

    async def _put(self, message: Fetched, found: list[Part], octets: bytes) -> None:
        """Send a message all of which is here, or as much as is asked for."""
        opening = self._opening % self._numbers[message.uid]
        for part in found:
            shown = (part,) if isinstance(part, bytes) else part.pieces(octets)
            self._held += (opening, *shown)
            self._octets += len(shown[-1])
            opening = b" "
            if self._octets > SENT_TOGETHER:
                await self._flush()
        self._held.append(b")\r\n")

    async def _stream(self, message: Fetched, found: list[Part]) -> None:
        """Send a large message in pieces; once one is sent all must follow."""
        owner, body = self._context.owner, message.body
        await self._flush()
        begun = False
        opening = self._opening % self._numbers[message.uid]
        try:
            for part in found:
                self._held.append(opening)
                opening = b" "
                if isinstance(part, bytes):
                    self._held.append(part)
                elif isinstance(part, Decoding):
                    async for piece in part.streamed(partial(owner.read, body)):
                        self._held.append(piece)
                        await self._flush()
                        begun = True
                elif (streamed := part.streamed) is None:
                    where = part.where
                    pieces = [p async for p in owner.read(body, where.start, where.stop)]
                    self._held.append(part.chosen(b"".join(pieces)))
                else:
                    head, where = streamed
                    self._held.append(head)
                    async for piece in owner.read(body, where.start, where.stop):
                        self._held.append(piece)
                        await self._flush()
                        begun = True
            self._held.append(b")\r\n")
        except FAILURES as error:
            if begun:
                raise CutOff from error
            self._held.clear()
            raise

    async def _flush(self) -> None:
        held, self._held, self._octets = self._held, [], 0
        await self._context.send(b"".join(held))

    def _failed(self, error: Failure) -> None:
        if isinstance(error, Refused) and error.reason is Reason.NO_SUCH_MESSAGE:
            self.there -= 1
        else:
            self.failure = error
