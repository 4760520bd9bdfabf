"""What a server answers to FETCH, as imaplib has taken it apart at its literals (RFC 3501 section 7.4.2)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailstead.imap.dates import read_date_time
from mailstead.mail.flags import NO_FLAGS, Flags
from mailstead.mail.mailbox import SystemFlag, Uid

_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|([()])|([^ ()"]+)', re.DOTALL)
_LITERAL = re.compile(rb" ?\{[0-9]+\}\Z")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SYSTEM = {b"\\" + (flag.name or "").encode(): flag for flag in SystemFlag}


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """What a list shows of one message.

    Args:
        internal_date: Seconds since the epoch.
        size: RFC822.SIZE in octets.
        header: The header block.
        text: The first octets behind it.
    """

    uid: Uid
    internal_date: int
    size: int
    flags: Flags
    header: bytes
    text: bytes


Fetched = dict[bytes, bytes | list[bytes]]


# What imaplib gives for a response: lines, and those that end in a literal with it.
Response = Iterable[bytes | tuple[bytes, bytes] | None]


def fetched(data: Response) -> Iterator[Fetched]:
    """What imaplib took apart at its literals, a message at a time: items by name."""
    tokens: list[bytes | str] = []
    for piece in data:
        if piece is None:
            continue
        if isinstance(piece, tuple):
            line, literal = piece
            tokens += _tokens(_LITERAL.sub(b"", line))
            tokens.append(literal)
        else:
            yield _items([*tokens, *_tokens(piece)])
            tokens = []


def _tokens(line: bytes) -> Iterator[bytes | str]:
    for found in _TOKEN.finditer(line):
        if found[2] is not None:
            yield found[2].decode()
        else:
            yield found[3] if found[3] is not None else _ESCAPED.sub(rb"\1", found[1])


def _items(tokens: list[bytes | str]) -> Fetched:
    """`NUMBER ( name value name value )`; a value is a string, or a list of atoms."""
    items: Fetched = {}
    at = 2
    while tokens[at] != ")":
        name, value = tokens[at], tokens[at + 1]
        if isinstance(name, str):
            raise ValueError("a parenthesis where a name was expected")
        if isinstance(value, bytes):
            items[name.upper()] = value
            at += 2
        else:
            end = tokens.index(")", at)
            items[name.upper()] = [t for t in tokens[at + 2 : end] if isinstance(t, bytes)]
            at = end + 1
    return items


def message_of(found: Fetched) -> RemoteMessage:
    """The message, of which all that a list shows was asked."""
    system, keywords = NO_FLAGS, set[str]()
    names = found[b"FLAGS"]
    for name in names if isinstance(names, list) else ():
        flag = _SYSTEM.get(name.upper())
        if flag is not None:
            system |= flag
        elif not name.startswith(b"\\"):  # \Recent is not of the message
            keywords.add(name.decode("ascii", "replace"))
    return RemoteMessage(
        Uid(number(found, b"UID")),
        read_date_time(octets(found, b"INTERNALDATE")),
        number(found, b"RFC822.SIZE"),
        Flags(system, frozenset(keywords)),
        octets(found, b"BODY[HEADER]"),
        octets(found, b"BODY[TEXT]<0>"),
    )


def number(found: Fetched, name: bytes) -> int:
    """An item that is a number.

    Raises:
        ValueError, KeyError: it is none, or is not there.
    """
    return int(octets(found, name))


def octets(found: Fetched, name: bytes) -> bytes:
    """An item that is a string.

    Raises:
        ValueError, KeyError: it is none, or is not there.
    """
    value = found[name]
    if not isinstance(value, bytes):
        raise ValueError("a list where a string was expected")
    return b"" if value == b"NIL" else value
