"""SEARCH: every key of RFC 3501 section 6.4.4, as a tree that is never deep, read without recursion.

FUZZY (RFC 6203 section 3) is no level of it: the keys below it that have words know them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from functools import partial

from mailstead.imap.condstore import read_modseq
from mailstead.imap.dates import read_date
from mailstead.imap.esearch import Return, read_return
from mailstead.imap.flags import read_keyword
from mailstead.imap.objectid import read_object_id
from mailstead.imap.responses import no
from mailstead.imap.searchkeys import (
    Among,
    And,
    BodyHas,
    ChangedAt,
    Dated,
    Everything,
    HasEmailId,
    HasFlag,
    HasKeyword,
    HeaderHas,
    IsRecent,
    Key,
    Leaf,
    Not,
    Nothing,
    Or,
    Saved,
    Sized,
    TextHas,
    When,
    Within,
)
from mailstead.imap.tokens import NUMBER_CAP, BadSyntax, Tokens, limit
from mailstead.mail.fuzzy import words
from mailstead.mail.mailbox import SystemFlag

WORDS_CAP = 1000  # keys and parentheses of one search
DEPTH_CAP = 50  # of the tree, where an OR of ORs is one level
FUZZY_WORDS_CAP = 100  # in all strings of one search

BAD_CHARSET = no("Unknown charset", b"BADCHARSET (US-ASCII UTF-8)")


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH, or UID SEARCH; *asked*: what it shall return, where that was said."""

    key: Key
    uid: bool = False
    asked: Return | None = None


_FIXED: dict[bytes, Leaf | And] = {
    b"ALL": Everything(),
    b"SAVEDATESUPPORTED": Everything(),  # in every mailbox (RFC 8514 section 4.3)
    b"NEW": And((IsRecent(), HasFlag(SystemFlag.SEEN, present=False))),
    b"OLD": IsRecent(present=False),
    b"RECENT": IsRecent(),
    **{str(flag.name).encode(): HasFlag(flag) for flag in SystemFlag},
    **{b"UN" + str(flag.name).encode(): HasFlag(flag, present=False) for flag in SystemFlag},
}
_FIELDS = frozenset((b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"))
_DATES: dict[bytes, Callable[[date], Dated | Saved]] = {
    name + when.name.encode(): partial(key, when)
    for name, key in ((b"", Dated), (b"SENT", partial(Dated, sent=True)), (b"SAVED", Saved))
    for when in When
}
_SET_BEGINS = b"0123456789*$"
_ENTRY = re.compile(rb'(?:\\\\)?[!#$&\'+-\[^-z|}~]+"')  # a flag in a quoted string, its first quote taken
_ASCII, _UTF8 = "ascii", "utf-8"
_CHARSETS = {b"US-ASCII": _ASCII, b"ASCII": _ASCII, b"UTF-8": _UTF8, b"UTF8": _UTF8}


def read_search(tokens: Tokens, *, uid: bool) -> Search:
    """SEARCH [SP search-return-opts] SP search-program."""
    tokens.space()
    asked = read_return(tokens)
    return Search(read_program(tokens, asked), uid, asked)


def read_program(tokens: Tokens, asked: Return | None) -> Key:
    """search-program = ["CHARSET" SP astring SP] search-key *(SP search-key), up to the end."""
    charset = _UTF8  # nobody forbids it to who names none, and programs send it
    if tokens.text[tokens.at : tokens.at + 8].upper() == b"CHARSET ":
        if tokens.dialect.accept:
            raise BadSyntax("No CHARSET with UTF8=ACCEPT")  # RFC 6855 section 3
        tokens.at += 8
        charset = read_charset(tokens)
        tokens.space()
    return read_keys(tokens, charset, fuzzy=asked is not None and asked.relevancy)


def read_charset(tokens: Tokens) -> str:
    """The codec of the charset whose name comes next."""
    charset = _CHARSETS.get(tokens.astring().upper())
    if charset is None:
        raise BadSyntax(BAD_CHARSET)
    return charset


def read_keys(tokens: Tokens, charset: str, *, fuzzy: bool = False) -> Key:
    """All search keys up to the end of the command, as one.

    Args:
        fuzzy: One of them must be FUZZY: the scores are asked for (RFC 6203 sections 4 and 6).
    """
    reader = _Reader(tokens, charset)
    key = reader.keys()
    if fuzzy and not reader.fuzzy:
        raise BadSyntax("RELEVANCY goes with FUZZY")
    return key


class _Kind(Enum):
    ALL_OF = auto()
    EITHER = auto()
    NEITHER = auto()
    FUZZY = auto()


@dataclass(slots=True)
class _Open:
    kind: _Kind
    keys: list[Key] = field(default_factory=list[Key])
    depth: int = 0


_TAKES_KEYS = {b"NOT": _Kind.NEITHER, b"OR": _Kind.EITHER, b"FUZZY": _Kind.FUZZY}


class _Reader:
    """Reads keys with a stack of those that are not complete; the lowest is the search itself."""

    def __init__(self, tokens: Tokens, charset: str) -> None:
        self._tokens = tokens
        self._charset = charset
        self._open = [_Open(_Kind.ALL_OF)]
        self._words = 0
        self._vague = 0  # of those that are open, how many are FUZZY
        self._fuzzy_words = 0
        self.fuzzy = False

    def keys(self) -> Key:
        """All keys up to the end, as one."""
        while True:
            key = self._begin()
            if key is not None and self._place(key):
                return _joined(self._open[0])

    def _begin(self) -> Leaf | And | None:
        """Read a key that is whole, or open one and give None."""
        self._words += 1
        if self._words > WORDS_CAP:
            raise limit("Too many search keys")
        tokens = self._tokens
        if tokens.skip(b"("):
            self._open.append(_Open(_Kind.ALL_OF))
            return None
        if tokens.peek() and tokens.peek() in _SET_BEGINS:
            return Among(tokens.sequence_set(uid=False))
        word = tokens.word()
        if word in _TAKES_KEYS:
            tokens.space()
            self._open.append(_Open(_TAKES_KEYS[word]))
            if word == b"FUZZY":
                self._vague += 1
                self.fuzzy = True
            return None
        fixed = _FIXED.get(word)
        return fixed if fixed is not None else self._leaf(word)

    def _leaf(self, word: bytes) -> Leaf:
        tokens = self._tokens
        if word in _FIELDS:
            return HeaderHas(word.lower(), *self._text())
        if word in _DATES:
            return _DATES[word](self._day())
        match word:
            case b"BODY":
                return BodyHas(*self._text())
            case b"TEXT":
                return TextHas(*self._text())
            case b"HEADER":
                tokens.space()
                name = tokens.astring().lower()
                return HeaderHas(name, *self._text())
            case b"KEYWORD" | b"UNKEYWORD":
                tokens.space()
                return HasKeyword(read_keyword(tokens), word == b"KEYWORD")
            case b"OLDER" | b"YOUNGER":
                tokens.space()
                return Within(tokens.number(least=1), word == b"YOUNGER")
            case b"LARGER" | b"SMALLER":
                tokens.space()
                return Sized(word == b"LARGER", tokens.number(NUMBER_CAP))
            case b"EMAILID" | b"THREADID":
                name = read_object_id(tokens)
                return HasEmailId(name) if word == b"EMAILID" else Nothing()
            case b"MODSEQ":
                return self._changed_at()
            case b"UID":
                tokens.space()
                return Among(tokens.sequence_set(uid=True))
            case _:
                raise BadSyntax("Unknown search key")

    def _changed_at(self) -> ChangedAt:
        """MODSEQ [SP entry-name SP entry-type-req] SP mod-sequence-valzer; all entries have the same."""
        tokens = self._tokens
        tokens.space()
        if tokens.skip(b'"/flags/'):
            if tokens.match(_ENTRY) is None:
                raise BadSyntax("Not the entry of a flag")
            tokens.space()
            if tokens.word() not in (b"PRIV", b"SHARED", b"ALL"):
                raise BadSyntax("Expected an entry type")
            tokens.space()
        return ChangedAt(read_modseq(tokens))

    def _text(self) -> tuple[str, tuple[str, ...]]:
        """A string, and its words where it is looked for in a fuzzy way."""
        self._tokens.space()
        try:
            text = self._tokens.astring().decode(self._charset)
        except UnicodeDecodeError as error:
            raise BadSyntax("A string is not in the charset") from error
        found = words(text) if self._vague else ()
        self._fuzzy_words += len(found)
        if self._fuzzy_words > FUZZY_WORDS_CAP:
            raise limit("Too many words to look for in a fuzzy way")
        return text, found

    def _day(self) -> date:
        self._tokens.space()
        octets = self._tokens.string() if self._tokens.at_string() else self._tokens.atom()
        try:
            return read_date(octets)
        except ValueError as error:
            raise BadSyntax("Not a date") from error

    def _place(self, found: Key) -> bool:
        """Give a key to the one it belongs to, which may be whole then; True at the end of all."""
        tokens = self._tokens
        key, depth = found, 1
        while True:
            top = self._open[-1]
            top.keys.append(key)
            taken_in = top.kind is _Kind.EITHER and isinstance(key, Or)  # its keys become the other's
            top.depth = max(top.depth, depth - taken_in)
            if top.kind is _Kind.EITHER and len(top.keys) == 1:
                tokens.space()
                return False
            if top.kind is _Kind.ALL_OF and not (len(self._open) > 1 and tokens.skip(b")")):
                if tokens.skip(b" "):
                    return len(self._open) == 1 and not tokens.text[tokens.at :].strip(b" ")
                if len(self._open) > 1:
                    raise BadSyntax("Unbalanced parentheses")
                return True
            self._open.pop()
            self._vague -= top.kind is _Kind.FUZZY
            key, depth = _joined(top), top.depth + _growth(top)
            if depth > DEPTH_CAP:
                raise limit("Search nested too deep")


def _growth(group: _Open) -> int:
    """How much deeper a group is than what it holds."""
    if group.kind is _Kind.NEITHER and isinstance(group.keys[0], Not):
        return -1  # NOT NOT is nothing
    if group.kind is _Kind.FUZZY or (group.kind is _Kind.ALL_OF and len(group.keys) == 1):
        return 0
    return 1


def _joined(group: _Open) -> Key:
    keys = group.keys
    match group.kind:
        case _Kind.NEITHER:
            return keys[0].key if isinstance(keys[0], Not) else Not(keys[0])
        case _Kind.FUZZY:
            return keys[0]
        case _Kind.ALL_OF:
            return keys[0] if len(keys) == 1 else And(tuple(keys))
        case _Kind.EITHER:
            flat = [k.keys if isinstance(k, Or) else (k,) for k in keys]
            return Or(flat[0] + flat[1])
