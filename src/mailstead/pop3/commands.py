"""POP3 commands as values, and what parses them (RFC 1939 section 3, RFC 2449, RFC 5034, RFC 6856)."""

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable
from dataclasses import dataclass, field

from mailstead.pop3.responses import BadSyntax

_NUMBER = re.compile(rb"[0-9]{1,10}")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class User:
    """Who wants in."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Pass:
    """And the password that proves it; it may have spaces."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Auth:
    """Begin a SASL mechanism, perhaps with an initial response; without one, ask which there are."""

    mechanism: str | None
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Capa:
    """What can be done here (RFC 2449 section 5)."""


@dataclass(frozen=True, slots=True)
class Stls:
    """Begin TLS (RFC 2595 section 4)."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """From here on text may be UTF-8 (RFC 6856 section 2.1)."""


@dataclass(frozen=True, slots=True)
class Quit:
    """The end; what was marked is deleted now, and only now."""


@dataclass(frozen=True, slots=True)
class Stat:
    """How many messages, and how many octets."""


@dataclass(frozen=True, slots=True)
class List:
    """The size of one message, or of all."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Uidl:
    """The unique id of one message, or of all."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Retr:
    """A whole message."""

    number: int


@dataclass(frozen=True, slots=True)
class Top:
    """The header of a message, and the first *lines* of its body."""

    number: int
    lines: int


@dataclass(frozen=True, slots=True)
class Dele:
    """Mark a message as deleted."""

    number: int


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Rset:
    """Unmark all messages."""


Command = (
    User | Pass | Auth | Capa | Stls | Utf8 | Quit | Stat | List | Uidl | Retr | Top | Dele | Noop | Rset
)
_PLAIN: dict[bytes, Command] = {
    b"CAPA": Capa(), b"STLS": Stls(), b"QUIT": Quit(), b"STAT": Stat(), b"NOOP": Noop(), b"RSET": Rset(),
}  # fmt: skip


def parse(line: bytes) -> Command:
    """The command of a line, without its CRLF.

    Raises:
        BadSyntax: it is none.
    """
    verb, _, rest = line.partition(b" ")
    verb = verb.upper()
    if verb == b"PASS":
        if not rest or b"\0" in rest:
            raise BadSyntax("PASS needs a password")
        return Pass(rest)
    if _CONTROL.search(line):
        raise BadSyntax("Control characters are in no command")
    if verb in _PLAIN:
        if rest:
            raise BadSyntax(f"{verb.decode()} takes nothing")
        return _PLAIN[verb]
    words = rest.split(b" ") if rest else []
    least, most, read = _READ.get(verb, _NO_COMMAND)
    if not least <= len(words) <= most:
        raise BadSyntax(f"{verb.decode()} takes {least if least == most else f'{least} to {most}'} words")
    return read(words)


def _user(words: list[bytes]) -> User:
    if not words[0]:
        raise BadSyntax("USER needs a name")
    return User(words[0])


def _auth(words: list[bytes]) -> Auth:
    if not words:
        return Auth(None)
    mechanism = words[0].decode("ascii", "replace").upper()
    if len(words) == 1:
        return Auth(mechanism)
    return Auth(mechanism, b"" if words[1] == b"=" else base64(words[1]))


def _utf8(words: list[bytes]) -> Utf8:
    if words not in ([], [b"USER"]):  # names may be UTF-8 in any case
        raise BadSyntax("UTF8 takes USER, or nothing")
    return Utf8()


def _unknown(_: list[bytes]) -> Command:
    raise BadSyntax("Unknown command")


# How many words a command takes, and what reads them.
_Read = tuple[int, int, Callable[[list[bytes]], Command]]
_NO_COMMAND: _Read = (0, 1 << 32, _unknown)
_READ: dict[bytes, _Read] = {
    b"USER": (1, 1, _user),
    b"AUTH": (0, 2, _auth),
    b"UTF8": (0, 1, _utf8),
    b"LIST": (0, 1, lambda words: List(*map(_message, words))),
    b"UIDL": (0, 1, lambda words: Uidl(*map(_message, words))),
    b"RETR": (1, 1, lambda words: Retr(_message(words[0]))),
    b"DELE": (1, 1, lambda words: Dele(_message(words[0]))),
    b"TOP": (2, 2, lambda words: Top(_message(words[0]), _lines(words[1]))),
}


def base64(octets: bytes) -> bytes:
    """What base64 says, to the letter (RFC 4648 section 3.3).

    Raises:
        BadSyntax: it is none.
    """
    try:
        return a2b_base64(octets, strict_mode=True)
    except NotBase64 as error:
        raise BadSyntax("That is not base64") from error


def _message(word: bytes) -> int:
    if not _NUMBER.fullmatch(word) or int(word) == 0:
        raise BadSyntax("That is no message number")
    return int(word)


def _lines(word: bytes) -> int:
    if not _NUMBER.fullmatch(word):
        raise BadSyntax("That is no number of lines")
    return int(word)
