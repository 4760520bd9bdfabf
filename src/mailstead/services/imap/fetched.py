"""One FETCH response: what the summary of a message gives, and which of its octets are missing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mailstead.accounts.reading import Columns, Fetched
from mailstead.imap import responses as answers
from mailstead.imap.binary import Binary
from mailstead.imap.body import without_extensions
from mailstead.imap.dates import date_time
from mailstead.imap.fetch import Body, FetchItem, Item
from mailstead.imap.objectid import email_id
from mailstead.mail.render import string
from mailstead.mail.section import Section, Text, filter_header, locate, tree
from mailstead.services.imap.decoding import Decoding, nothing
from mailstead.services.imap.whole import Whole

IN_STATE = frozenset((Item.UID, Item.FLAGS, Item.MODSEQ))
_WHOLE = Section()
_IN_KEY = frozenset((Item.SIZE, Item.EMAILID, Item.THREADID))  # what is kept to open a body has it, too
_IN_A = _IN_KEY | {Item.INTERNALDATE, Item.SAVEDATE, Item.ENVELOPE}


class NotInSummary(Exception):
    """The summary had no room for what is asked for: the message must be read and scanned again."""


@dataclass(frozen=True, slots=True)
class Octets:
    """An item that is made of octets *where* of the message."""

    body: Body
    where: range

    @property
    def streamed(self) -> tuple[bytes, range] | None:
        """What precedes the octets, and which they are; None when they must be looked through first."""
        if self.body.section.fields:
            return None
        part = self.body.partial.of(len(self.where))
        head = answers.literal(self.body.label, len(part))
        return head, range(self.where.start + part.start, self.where.start + part.stop)

    def chosen(self, octets: bytes) -> bytes:
        """The whole item whose octets must be looked through, from those that *where* says."""
        return answers.item(self.body.label, _cut(self.body, _chosen(self.body, octets)))

    def pieces(self, octets: bytes) -> tuple[bytes, ...]:
        """The item in pieces, from all octets of the message."""
        streamed = self.streamed
        if streamed is None:
            return (self.chosen(octets[self.where.start : self.where.stop]),)
        head, where = streamed
        return head, octets[where.start : where.stop]


Part = bytes | Octets | Decoding
State = tuple[bytes, int]  # flags as they are shown, and mod-sequence
NO_STATE: State = b"", 0  # where neither is asked for
Shower = Callable[[Fetched, State, Whole | None], Part]


def columns_of(items: tuple[FetchItem, ...]) -> Columns:
    """The column groups that are needed: no page is opened for what is not asked for."""
    others = set(items) - IN_STATE
    if others <= _IN_A:
        return Columns.A
    if all(item in _IN_KEY or (isinstance(item, Body) and item.section == _WHOLE) for item in others):
        return Columns.BODY
    return Columns.BOTH


def showers(items: tuple[FetchItem, ...]) -> list[Shower]:
    """What makes each of the items of a response, in order.

    They take the message, its state, and the message scanned again, if it was; they
    raise NotInSummary when it must be.
    """
    return [_shower(item) for item in items]


def _shower(item: FetchItem) -> Shower:
    match item:
        case Body():
            return partial(_body, item)
        case Binary():
            return partial(_binary, item)
        case _:
            return _SHOWN[item]


def _uid(message: Fetched, _: State, __: Whole | None) -> bytes:
    return b"UID %d" % message.uid


def _flags(_: Fetched, state: State, __: Whole | None) -> bytes:
    return b"FLAGS (%b)" % state[0]


def _modseq(_: Fetched, state: State, __: Whole | None) -> bytes:
    return b"MODSEQ (%d)" % state[1]


def _internal_date(message: Fetched, _: State, __: Whole | None) -> bytes:
    return b"INTERNALDATE " + date_time(message.in_a.internal_date)


def _save_date(message: Fetched, _: State, __: Whole | None) -> bytes:
    return b"SAVEDATE " + date_time(message.in_a.save_date)


def _preview(message: Fetched, _: State, whole: Whole | None) -> bytes:
    described = message.in_b.described
    if not described.bodystructure:
        return b"PREVIEW " + string(_scanned(whole).preview.encode())
    return b"PREVIEW " + string(described.preview)


def _size(message: Fetched, _: State, __: Whole | None) -> bytes:
    return b"RFC822.SIZE %d" % message.size


def _email_id(message: Fetched, _: State, __: Whole | None) -> bytes:
    return b"EMAILID (%b)" % email_id(message.object_id)


def _thread_id(_: Fetched, __: State, ___: Whole | None) -> bytes:
    return b"THREADID NIL"  # nobody says what belongs together (RFC 8474 section 5.2)


def _envelope(message: Fetched, _: State, whole: Whole | None) -> bytes:
    return b"ENVELOPE " + (message.in_a.envelope or _scanned(whole).envelope)


def _structure(message: Fetched, _: State, whole: Whole | None) -> bytes:
    return b"BODYSTRUCTURE " + _whole_structure(message, whole)


def _short_structure(message: Fetched, _: State, whole: Whole | None) -> bytes:
    return b"BODY " + without_extensions(_whole_structure(message, whole))


def _whole_structure(message: Fetched, whole: Whole | None) -> bytes:
    return message.in_b.described.bodystructure or _scanned(whole).bodystructure


_SHOWN: dict[Item, Shower] = {
    Item.UID: _uid,
    Item.FLAGS: _flags,
    Item.MODSEQ: _modseq,
    Item.INTERNALDATE: _internal_date,
    Item.SAVEDATE: _save_date,
    Item.SIZE: _size,
    Item.EMAILID: _email_id,
    Item.THREADID: _thread_id,
    Item.ENVELOPE: _envelope,
    Item.BODYSTRUCTURE: _structure,
    Item.BODY: _short_structure,
    Item.PREVIEW: _preview,
}


def _scanned(whole: Whole | None) -> Whole:
    if whole is None:
        raise NotInSummary
    return whole


def _body(body: Body, message: Fetched, _: State, whole: Whole | None) -> Part:
    section = body.section
    if section == _WHOLE:
        return Octets(body, range(message.size))
    b = message.in_b
    if section.in_root_header and b.header_whole:
        return answers.item(body.label, _cut(body, _chosen(body, b.described.header)))
    described = b.described
    where = locate(tree(described.parts, described.bodystructure) or _scanned(whole).root, section)
    return answers.literal(body.label, 0) if where is None else Octets(body, where)


def _binary(item: Binary, message: Fetched, _: State, whole: Whole | None) -> Part:
    if not item.path:
        return Decoding(item, range(0), range(message.size))
    described = message.in_b.described
    root = tree(described.parts, described.bodystructure) or _scanned(whole).root
    header, where = (locate(root, Section(item.path, text)) for text in (Text.MIME, Text.ALL))
    if header is None or where is None:
        return nothing(item)
    return Decoding(item, header, where)


def _chosen(body: Body, header: bytes) -> bytes:
    section = body.section
    if not section.fields:
        return header
    return filter_header(header, section.fields, wanted=section.text is Text.FIELDS)


def _cut(body: Body, octets: bytes) -> bytes:
    part = body.partial.of(len(octets))
    return octets[part.start : part.stop]
