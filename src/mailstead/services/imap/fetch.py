"""FETCH: from the columns of a page, or from the body where they do not hold what is asked for.

A row of 256 messages at a time: what is read is sent, and others have their turn, before the next.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from mailstead.accounts.changes import FlagChange
from mailstead.accounts.reading import Columns, Fetched, Located
from mailstead.errors import MailError, Reason, Refused, Unavailable, UnsealError
from mailstead.imap import responses as answers
from mailstead.imap.body import without_extensions
from mailstead.imap.dates import date_time
from mailstead.imap.fetch import Body, Fetch, FetchItem, Item
from mailstead.imap.responses import Answer, ok
from mailstead.mail.flags import How
from mailstead.mail.mailbox import SeqNumber, SystemFlag, Uid
from mailstead.mail.section import Text, filter_header, locate, tree
from mailstead.mail.uidset import SeqSet
from mailstead.services.imap.context import Context, CutOff
from mailstead.services.imap.store import NOT_TOLD, SOME_GONE, Numbered, meant
from mailstead.services.imap.whole import Whole

TOGETHER = 64 << 10  # octets of responses that are sent as one
AT_ONCE = 1000  # messages of which only flags are asked

_IN_STATE = frozenset((Item.UID, Item.FLAGS))
_IN_A = frozenset((Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE))


async def fetch(context: Context, command: Fetch) -> Answer:
    """Answer FETCH or UID FETCH."""
    selected = context.chosen
    wanted = meant(selected, command.messages)
    if wanted is None:
        return NOT_TOLD
    items = command.items
    if Item.FLAGS in items or command.sets_seen:
        await context.look_at(uid for _, uid in wanted)
    if command.sets_seen and not selected.read_only:
        unseen = [uid for _, uid in wanted if not selected.flags(uid).system & SystemFlag.SEEN]
        if unseen:
            with contextlib.suppress(Unavailable):  # what cannot be marked as read now can be read
                await context.change(unseen, FlagChange(How.ADD, SystemFlag.SEEN))
                if Item.FLAGS not in items:  # what has changed is told here (RFC 9051 section 6.4.5)
                    items = (*items, Item.FLAGS)
        await context.look_at(uid for _, uid in wanted)
    if _IN_STATE.issuperset(items):
        await _flags_only(context, wanted, items)
    elif await _rows(context, wanted, items) < len(wanted) and isinstance(command.messages, SeqSet):
        return SOME_GONE
    return ok("Fetch completed")


async def _flags_only(context: Context, wanted: list[Numbered], items: tuple[FetchItem, ...]) -> None:
    selected = context.chosen
    shown = selected.shown
    with_uid, with_flags = Item.UID in items, Item.FLAGS in items
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        if not with_flags:
            await context.send(b"".join([b"* %d FETCH (UID %d)\r\n" % m for m in some]))
            continue
        octets = context.defined(uid for _, uid in some)
        if with_uid:
            octets += answers.fetch_flags((number, uid, shown(uid)) for number, uid in some)
        else:
            octets += b"".join([b"* %d FETCH (FLAGS (%b))\r\n" % (n, shown(uid)) for n, uid in some])
        for _, uid in some:
            selected.view.forget_change(uid)
        await context.send(octets)
        await asyncio.sleep(0)


async def _rows(context: Context, wanted: list[Numbered], items: tuple[FetchItem, ...]) -> int:
    """Send what is asked for; how many of the messages were there.

    One that cannot be opened hides no other; it is what the command fails with in the end. One that
    is expunged meanwhile is passed over.
    """
    failure: MailError | UnsealError | None = None
    numbers: dict[Uid, SeqNumber] = {uid: number for number, uid in wanted}
    columns = _columns(items)
    there = 0
    if Item.FLAGS in items:
        await context.send(context.defined(numbers))
    async for row in context.owner.fetch(context.chosen.mailbox.id, numbers, columns):
        held: list[bytes] = []
        octets = 0
        there += len(row)
        for message in row:
            begun, cut = len(held), False
            try:
                async for piece in _Response(context, numbers[message.uid], message, items).pieces():
                    held.append(piece)
                    octets += len(piece)
                    if octets > TOGETHER:
                        await context.send(b"".join(held))
                        held, octets, begun, cut = [], 0, 0, True
            except (MailError, UnsealError) as error:
                if cut:
                    raise CutOff from error
                del held[begun:]
                if isinstance(error, Refused) and error.reason is Reason.NO_SUCH_MESSAGE:
                    there -= 1
                else:
                    failure = error
        await context.send(b"".join(held))
        await asyncio.sleep(0)
    if failure is not None:
        raise failure
    return there


def _columns(items: tuple[FetchItem, ...]) -> Columns:
    """The column groups that are needed: no page is opened for what is not asked for."""
    others = set(items) - _IN_STATE
    return Columns.A if others <= _IN_A else Columns.BOTH


class _Response:
    """The FETCH response of one message."""

    def __init__(
        self, context: Context, number: SeqNumber, message: Fetched, items: tuple[FetchItem, ...]
    ) -> None:
        self._context = context
        self._number = number
        self._message = message
        self._items = items
        self._whole: Whole | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its octets; once the first of a literal is sent, the rest of it must follow."""
        opening = b"* %d FETCH (" % self._number
        for item in self._items:
            if isinstance(item, Item):
                yield opening + await self._item(item)
            else:
                yield opening
                async for piece in self._body(item):
                    yield piece
            opening = b" "
        yield b")\r\n"

    async def _item(self, item: Item) -> bytes:
        uid, a = self._message.uid, self._message.a
        match item:
            case Item.UID:
                return b"UID %d" % uid
            case Item.FLAGS:
                selected = self._context.chosen
                selected.view.forget_change(uid)
                return b"FLAGS (%b)" % selected.shown(uid)
            case Item.BODY:
                return b"BODY " + without_extensions(await self._structure())
            case Item.BODYSTRUCTURE:
                return b"BODYSTRUCTURE " + await self._structure()
            case _:
                pass
        assert a is not None, "its column was asked for"
        match item:
            case Item.INTERNALDATE:
                return b"INTERNALDATE %b" % date_time(a.internal_date)
            case Item.SIZE:
                return b"RFC822.SIZE %d" % a.size
            case _:
                return b"ENVELOPE " + (a.envelope or (await self._scanned()).envelope)

    async def _structure(self) -> bytes:
        return self._located.b.bodystructure or (await self._scanned()).bodystructure

    @property
    def _located(self) -> Located:
        return self._message.whole()

    async def _scanned(self) -> Whole:
        """The message read and scanned again: its summary had no room for what is asked for."""
        if self._whole is None:
            # It may be that only its first column was asked for.
            message = await self._context.owner.locate(self._context.chosen.mailbox.id, self._message.uid)
            self._whole = await Whole.read(self._context.owner, message)
        return self._whole

    async def _body(self, body: Body) -> AsyncIterator[bytes]:
        section, message, account = body.section, self._located, self._context.owner
        if section.in_root_header and message.b.header_whole:
            yield answers.item(body.label, _cut(body, _chosen(body, message.b.header)))
            return
        if not section.path and section.text is Text.ALL:
            where: range | None = range(message.a.size)
        else:
            root = tree(message.b.parts, message.b.bodystructure) or (await self._scanned()).root
            where = locate(root, section)
        if where is None:
            yield answers.literal(body.label, 0)
        elif section.fields:
            block = b"".join([piece async for piece in account.read(message, where.start, where.stop)])
            yield answers.item(body.label, _cut(body, _chosen(body, block)))
        else:
            part = body.of(len(where))
            yield answers.literal(body.label, len(part))
            start = where.start + part.start
            async for piece in account.read(message, start, start + len(part)):
                yield piece


def _chosen(body: Body, header: bytes) -> bytes:
    section = body.section
    if not section.fields:
        return header
    return filter_header(header, section.fields, wanted=section.text is Text.FIELDS)


def _cut(body: Body, octets: bytes) -> bytes:
    part = body.of(len(octets))
    return octets[part.start : part.stop]
