"""APPEND, from one literal to the next (RFC 9051 section 6.3.12, RFC 3502, RFC 4466, RFC 4469, RFC 6855).

What says where a message begins and what it is made of stands between the literals, and is told as
steps: the last of them is a literal that comes, or the command ends there.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailstead.imap.dates import read_date_time
from mailstead.imap.flags import read_flags
from mailstead.imap.responses import bad
from mailstead.imap.tokens import BadSyntax, IsArgument, Tokens, limit
from mailstead.mail.flags import Flags

T = TypeVar("T")

MESSAGES_CAP = 1000  # of one APPEND
PARTS_CAP = 500  # of all its messages that are catenated
URL_CAP = 8 << 10  # octets of one URL

ONE_MESSAGE = bad("REPLACE takes one message")  # RFC 8508 section 4.7

_CATENATE = re.compile(rb"CATENATE \(", re.IGNORECASE)
_TEXT = re.compile(rb"TEXT ", re.IGNORECASE)
_URL = re.compile(rb"URL ", re.IGNORECASE)
_UTF8 = re.compile(rb"UTF8 \(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A message begins.

    Args:
        internal_date: Seconds since the epoch, or None for now.
    """

    flags: Flags
    internal_date: int | None


@dataclass(frozen=True, slots=True)
class Url:
    """What a URL names of the messages that are here already comes next in it (RFC 4469 section 3)."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Literal:
    """Octets that follow as events come next in it; the last of some steps.

    Args:
        utf8: They stand between "UTF8 (" and ")", as a literal8 (RFC 6855 section 4).
    """

    size: int
    utf8: bool = False


Steps = tuple[Upcoming | Url | Literal, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND, up to the first literal that comes as events; the steps of several messages may follow."""

    mailbox: str
    steps: Steps


# Yields what was said up to a literal that comes as events: first the command, then steps. Yields None
# for a literal that is an argument. Returns what was said at the end of the line.
Course = Generator[T | Steps | None, None, T | Steps]


def read_append(tokens: Tokens) -> Course[Append]:
    """APPEND SP mailbox 1*append-message."""
    tokens.space()
    mailbox = yield from argument(tokens.mailbox)
    return (yield from read_messages(tokens, lambda steps: Append(mailbox, steps)))


def said_at_end(course: Course[T]) -> T | Steps:
    """What was said since the last literal that came as events, or all of it, at the end of the line.

    Raises:
        BadSyntax: it should go on.
    """
    try:
        next(course)
    except StopIteration as end:
        said: T | Steps = end.value
        return said
    raise AssertionError("it waits for a literal that is not announced")


def argument(read: Callable[[], T]) -> Generator[None, None, T]:
    """What *read* reads, which may be a literal that has to come first."""
    while True:
        try:
            return read()
        except IsArgument:
            yield None


def read_messages(tokens: Tokens, begun: Callable[[Steps], T], *, several: bool = True) -> Course[T]:
    """1*append-message, or one of them.

    append-message = [SP flag-list] [SP date-time] SP append-data
    append-data = literal / literal8 / utf8-literal / "CATENATE" SP "(" cat-part *(SP cat-part) ")"

    Args:
        begun: Makes the command of the first steps.
    """
    reader = _Reader(tokens, begun)
    while True:
        yield from reader.message()
        if tokens.over():
            return reader.said()
        if not several:
            raise BadSyntax(ONE_MESSAGE)


class _Reader(Generic[T]):
    def __init__(self, tokens: Tokens, begun: Callable[[Steps], T]) -> None:
        self._tokens = tokens
        self._begun: Callable[[Steps], T] | None = begun
        self._steps: list[Upcoming | Url | Literal] = []
        self._messages = self._parts = 0

    def said(self) -> T | Steps:
        """What was said since the last time."""
        begun, self._begun = self._begun, None
        steps = tuple(self._steps)
        self._steps.clear()
        return steps if begun is None else begun(steps)

    def message(self) -> Generator[T | Steps | None, None, None]:
        """append-message; what stands before its data is at hand when it begins."""
        tokens = self._tokens
        self._messages += 1
        if self._messages > MESSAGES_CAP:
            raise limit("Too many messages in one APPEND")
        tokens.space()
        self._steps.append(_head(tokens))
        if tokens.match(_CATENATE) is None:
            yield from self._literal(utf8=tokens.match(_UTF8) is not None)
            return
        yield from self._part()
        while not tokens.skip(b")"):
            tokens.space()
            yield from self._part()

    def _part(self) -> Generator[T | Steps | None, None, None]:
        """cat-part = "TEXT" SP literal / "URL" SP astring / utf8-literal."""
        tokens = self._tokens
        self._parts += 1
        if self._parts > PARTS_CAP:
            raise limit("Too many parts to catenate")
        if tokens.match(_TEXT) is not None:
            yield from self._literal()
        elif tokens.match(_UTF8) is not None:
            yield from self._literal(utf8=True)
        elif tokens.match(_URL) is not None:
            url = yield from argument(tokens.astring)
            if len(url) > URL_CAP:
                raise limit("URL too long")
            self._steps.append(Url(url))
        else:
            raise BadSyntax("Expected TEXT, URL or UTF8")

    def _literal(self, *, utf8: bool = False) -> Generator[T | Steps | None, None, None]:
        """literal, literal8, or what of utf8-literal is behind its parenthesis."""
        self._steps.append(Literal(self._tokens.message(), utf8))
        yield self.said()
        if utf8:
            self._tokens.expect(b")")


def _head(tokens: Tokens) -> Upcoming:
    """[flag-list SP] [date-time SP]."""
    flags = Flags()
    if tokens.peek() == b"(":
        flags = read_flags(tokens)
        tokens.space()
    internal_date = None
    if tokens.peek() == b'"':
        try:
            internal_date = read_date_time(tokens.string())
        except ValueError as error:
            raise BadSyntax("Not a date and time") from error
        tokens.space()
    return Upcoming(flags, internal_date)
