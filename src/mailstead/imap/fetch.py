"""FETCH: its items, sections and partials (RFC 3501 section 6.4.5)."""

import re
from dataclasses import dataclass, replace
from enum import Enum

from mailstead.imap.binary import (
    PATH_CAP,
    WHOLE,
    Binary,
    Partial,
    read_binary,
    read_partial,
    shown_partial,
)
from mailstead.imap.condstore import EVERYTHING, Modifiers, read_modifiers
from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.render import string
from mailstead.mail.section import Section, Text
from mailstead.mail.uidset import SeqSet, UidSet

ITEMS_CAP = 100
FIELDS_CAP = 300  # names in one HEADER.FIELDS


class Item(Enum):
    """What needs nothing more to be said."""

    UID = b"UID"
    FLAGS = b"FLAGS"
    MODSEQ = b"MODSEQ"  # RFC 7162 section 3.1.4.2
    INTERNALDATE = b"INTERNALDATE"
    SAVEDATE = b"SAVEDATE"  # when it came into this mailbox (RFC 8514 section 4.2)
    SIZE = b"RFC822.SIZE"
    EMAILID = b"EMAILID"  # RFC 8474 section 5.3, both
    THREADID = b"THREADID"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"  # BODYSTRUCTURE without extension data
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    PREVIEW = b"PREVIEW"  # the first 200 characters of its text (RFC 8970)


@dataclass(frozen=True, slots=True)
class Body:
    """Octets of a message: BODY[...], RFC822, RFC822.HEADER and RFC822.TEXT.

    Args:
        label: How the answer names it.
        peek: It does not set \\Seen.
    """

    section: Section
    label: bytes
    peek: bool = False
    partial: Partial = WHOLE


FetchItem = Item | Body | Binary


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH, or UID FETCH when *messages* are UIDs; then UID is one of the items, but for UIDONLY."""

    messages: SeqSet | UidSet
    items: tuple[FetchItem, ...]
    modifiers: Modifiers = EVERYTHING

    @property
    def sets_seen(self) -> bool:
        """Whether it sets \\Seen, in a mailbox that is not read-only."""
        return any(isinstance(i, Body | Binary) and not i.peek for i in self.items)


_ITEMS: dict[bytes, FetchItem] = {
    **{item.value: item for item in Item},
    b"RFC822": Body(Section(), b"RFC822"),
    b"RFC822.HEADER": Body(Section(text=Text.HEADER), b"RFC822.HEADER", peek=True),
    b"RFC822.TEXT": Body(Section(text=Text.TEXT), b"RFC822.TEXT"),
}
_FAST = (Item.FLAGS, Item.INTERNALDATE, Item.SIZE)
_MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"FAST": _FAST,
    b"ALL": (*_FAST, Item.ENVELOPE),
    b"FULL": (*_FAST, Item.ENVELOPE, Item.BODY),
}
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_BODIES = (b"BODY", b"BODY.PEEK")
# section-spec, but for the names behind HEADER.FIELDS
_SECTION = re.compile(
    rb"([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)?(\.)?"
    rb"(HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME)?",
    re.IGNORECASE,
)
_TEXTS = {
    b"": Text.ALL, b"HEADER": Text.HEADER, b"HEADER.FIELDS": Text.FIELDS,
    b"HEADER.FIELDS.NOT": Text.FIELDS_NOT, b"TEXT": Text.TEXT, b"MIME": Text.MIME,
}  # fmt: skip
# What needs no more than the word.
_WHOLE = {
    b"": (Section(), b"BODY[]"),
    b"HEADER": (Section(text=Text.HEADER), b"BODY[HEADER]"),
    b"TEXT": (Section(text=Text.TEXT), b"BODY[TEXT]"),
}
# header-list of atoms, as nearly every client sends it
_PLAIN_FIELDS = re.compile(rb"\(([!#$&'+-9;-\[^-z|}~]++(?: [!#$&'+-9;-\[^-z|}~]++)*)\)")
_FIELD_NAME = re.compile(rb"[!-9;-~]{1,998}")
_LAZY = re.compile(rb" \(LAZY\)", re.IGNORECASE)


def read_fetch(tokens: Tokens, *, uid: bool) -> Fetch:
    """FETCH SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
    [fetch-modifiers].
    """
    tokens.space()
    messages = tokens.sequence_set(uid=uid)
    tokens.space()
    items: list[FetchItem] = [Item.UID] if uid and not tokens.dialect.uid_only else []
    if not tokens.skip(b"("):
        name = _name(tokens)
        macro = _MACROS.get(name)
        return _fetch(tokens, messages, [*items, *(macro or (_item(tokens, name),))])
    return _fetch(tokens, messages, [*items, *read_items(tokens)])


def read_items(tokens: Tokens) -> list[FetchItem]:
    """fetch-att *(SP fetch-att) ")", behind the first parenthesis."""
    items: list[FetchItem] = []
    for _ in range(ITEMS_CAP):
        items.append(_item(tokens, _name(tokens)))
        if tokens.skip(b")"):
            return items
        tokens.space()
    raise limit("Too many FETCH items")


def peeking(item: FetchItem) -> FetchItem:
    """The item as it is told without being fetched: nothing becomes \\Seen by it."""
    return replace(item, peek=True) if isinstance(item, Body | Binary) else item


def _fetch(tokens: Tokens, messages: SeqSet | UidSet, items: list[FetchItem]) -> Fetch:
    """Each item once, in the order they came, and the modifiers behind them."""
    modifiers = read_modifiers(tokens)
    if modifiers.changed_since is not None:
        items.append(Item.MODSEQ)
    if isinstance(messages, SeqSet) and (modifiers.vanished or modifiers.page is not None):
        raise BadSyntax("VANISHED and PARTIAL go with UID FETCH")
    return Fetch(messages, tuple(dict.fromkeys(items)), modifiers)


def _name(tokens: Tokens) -> bytes:
    found = tokens.match(_NAME)
    if found is None:
        raise BadSyntax("Expected a FETCH item")
    return found[0].upper()


def _item(tokens: Tokens, name: bytes) -> FetchItem:
    item = _ITEMS.get(name)
    if item is Item.PREVIEW:
        tokens.match(_LAZY)  # there is no difference: it was made at delivery
    return item if item is not None and tokens.peek() != b"[" else _body(tokens, name)


def _body(tokens: Tokens, name: bytes) -> FetchItem:
    binary = read_binary(tokens, name)
    if binary is not None:
        return binary
    if name not in _BODIES or not tokens.skip(b"["):
        raise BadSyntax("Unknown FETCH item")
    peek = name == b"BODY.PEEK"
    section, label = _section(tokens)
    tokens.expect(b"]")
    partial = read_partial(tokens)
    return Body(section, label + shown_partial(partial), peek, partial)


def read_section(octets: bytes) -> Section:
    """What stands between "BODY[" and "]", as a URL names it, too (RFC 5092 section 6).

    Raises:
        BadSyntax: there is no such section.
    """
    tokens = Tokens((octets,))
    section, _ = _section(tokens)
    tokens.end()
    return section


def _section(tokens: Tokens) -> tuple[Section, bytes]:
    found = tokens.match(_SECTION)
    assert found is not None, "it matches the empty string"
    path, dot, word = found.groups(b"")
    if not path and not dot:
        known = _WHOLE.get(word.upper())
        if known is not None:
            return known
    word = word.upper()
    if bool(dot) != bool(path and word):
        raise BadSyntax("Not a section")
    if path.count(b".") >= PATH_CAP:
        raise limit("Section too deep")
    text = _TEXTS[word]
    if text is Text.MIME and not path:
        raise BadSyntax("MIME is of a part only")
    fields: tuple[bytes, ...] = ()
    if text is Text.FIELDS or text is Text.FIELDS_NOT:
        fields, shown = _fields(tokens)
        word = b"%b (%b)" % (word, shown)
    label = b"BODY[%b%b%b]" % (path, dot, word)
    return Section(tuple(map(int, path.split(b"."))) if path else (), text, fields), label


def _fields(tokens: Tokens) -> tuple[tuple[bytes, ...], bytes]:
    """header-list = "(" header-fld-name *(SP header-fld-name) ")", and how the answer shows it."""
    tokens.space()
    plain = tokens.match(_PLAIN_FIELDS)
    if plain is not None:
        shown = plain[1]
        names = shown.split(b" ")
    else:
        tokens.expect(b"(")
        names = [tokens.astring()]
        while not tokens.skip(b")"):
            tokens.space()
            names.append(tokens.astring())
        if not all(map(_FIELD_NAME.fullmatch, names)):
            raise BadSyntax("Not the name of a header field")
        shown = b" ".join(map(string, names))
    if len(names) > FIELDS_CAP:
        raise limit("Too many header fields")
    return tuple(names), shown
