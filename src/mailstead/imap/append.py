"""APPEND: the command, which ends where its first message begins (RFC 9051 section 6.3.12, RFC 3502)."""

import re
from dataclasses import dataclass

from mailstead.imap.dates import read_date_time
from mailstead.imap.flags import read_flags
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.flags import Flags

_UTF8 = re.compile(rb"UTF8 \(", re.IGNORECASE)
# A literal right behind the command's name is the mailbox, any other is a message.
_NO_MAILBOX_YET = re.compile(rb"[^ ]+ [^ ]+ ")


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One message of an APPEND; its octets follow as events.

    Args:
        internal_date: Seconds since the epoch, or None for now.
        size: Octets of the message.
        utf8: It stands between "UTF8 (" and ")", as a literal8 (RFC 6855 section 4).
    """

    flags: Flags
    internal_date: int | None
    size: int
    utf8: bool = False

    @property
    def behind(self) -> bytes:
        """What must follow the message."""
        return b")" if self.utf8 else b""


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND, up to its first message; more may follow (RFC 3502)."""

    mailbox: str
    first: Upcoming


def mailbox_follows(parts: tuple[bytes, ...]) -> bool:
    """Whether the literal behind *parts* of an APPEND is the mailbox's name."""
    return len(parts) == 1 and _NO_MAILBOX_YET.fullmatch(parts[0]) is not None


def read_append(tokens: Tokens, size: int) -> Append:
    """APPEND SP mailbox, and what `read_upcoming` reads."""
    tokens.space()
    mailbox = tokens.mailbox()
    return Append(mailbox, read_upcoming(tokens, size))


def read_upcoming(tokens: Tokens, size: int) -> Upcoming:
    """SP [flag-list SP] [date-time SP] ["UTF8 ("], before a literal of *size* octets."""
    tokens.space()
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
    utf8 = tokens.match(_UTF8) is not None
    tokens.end()
    return Upcoming(flags, internal_date, size, utf8)


def without_message(tokens: Tokens) -> Append:
    """An APPEND whose line ends without a literal is never whole."""
    del tokens
    raise BadSyntax("Expected a literal")
