"""METADATA: annotations of mailboxes and of the server, read and set (RFC 5464).

Names of entries are compared in lower case, and answered as they were asked for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from mailstead.errors import Reason
from mailstead.imap import responses
from mailstead.imap.framing import AFTER_LOGIN
from mailstead.imap.responses import FOR_REASON, Answer, no
from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.render import nstring, string

READ_CAP, SET_CAP = 100, 1000  # entries of one command
NAME_OCTETS = 256  # of an entry's name
VALUE_OCTETS = AFTER_LOGIN.literal  # longer ones do not come here
TOO_LARGE = no("The value is too large", b"METADATA MAXSIZE %d" % VALUE_OCTETS)

# Octets 0x20 to 0x7e but for "*" and "%" (section 3.2), in components that are not empty.
_NAME = re.compile(rb"(?:/[ !-$&-)+-.0-~]+)+")
_ATOM = re.compile(rb"[!#$&'+-\[^-z|}~/]+")
# getmetadata-options; an entry begins with "/", quoted or not.
_OPTIONS = re.compile(rb"\((?=[A-Za-z])")
_SCOPES = ("private", "shared")


class Depth(Enum):
    """How far below an entry is looked (section 4.2.2)."""

    ZERO = b"0"
    ONE = b"1"
    INFINITY = b"INFINITY"


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """GETMETADATA.

    Args:
        mailbox: Or nothing, for the server.
        entries: Names, each once, as they were spelled.
        max_size: Leave out values of more octets.
    """

    mailbox: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: Depth = Depth.ZERO


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """SETMETADATA: values by names in lower case, each once; None removes.

    Args:
        mailbox: Or nothing, for the server.
    """

    mailbox: str
    changes: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What GETMETADATA answers.

    Args:
        shown: Names, and values or None where there are none.
        longest: Octets of the largest value that was left out, or 0.
    """

    shown: tuple[tuple[str, bytes | None], ...]
    longest: int = 0

    @property
    def code(self) -> bytes:
        """The response code of the OK (section 4.2.1)."""
        return b"METADATA LONGENTRIES %d" % self.longest if self.longest else b""

    def octets(self, mailbox: str, *, utf8: bool = False) -> bytes:
        """The METADATA response, or nothing when nothing was found (section 4.4.1)."""
        if not self.shown:
            return b""
        values = b" ".join([b"%b %b" % (_entry(name), _value(value)) for name, value in self.shown])
        return b"* METADATA %b (%b)\r\n" % (responses.mailbox(mailbox, utf8=utf8), values)


def read_get_metadata(tokens: Tokens) -> GetMetadata:
    """GETMETADATA [SP getmetadata-options] SP mailbox SP entries.

    The options are also read behind the mailbox, where the RFC's examples had them before erratum 2785.
    """
    tokens.space()
    options = _read_options(tokens)
    if options is not None:
        tokens.space()
    mailbox = tokens.mailbox(server=True)
    tokens.space()
    if options is None and (options := _read_options(tokens)) is not None:
        tokens.space()
    max_size, depth = options or (None, Depth.ZERO)
    return GetMetadata(mailbox, read_entries(tokens, depth), max_size, depth)


def _read_options(tokens: Tokens) -> tuple[int | None, Depth] | None:
    """ "(" getmetadata-option *(SP getmetadata-option) ")", or None when it does not come next.

    maxsize-opt = "MAXSIZE" SP number; scope-opt = "DEPTH" SP ("0" / "1" / "infinity").
    """
    if tokens.match(_OPTIONS) is None:
        return None
    max_size, depth = None, Depth.ZERO
    for _ in range(READ_CAP):
        match tokens.word():
            case b"MAXSIZE":
                tokens.space()
                max_size = tokens.number()
            case b"DEPTH":
                tokens.space()
                depth = _read_depth(tokens)
            case _:
                raise BadSyntax("Unknown GETMETADATA option")
        if tokens.skip(b")"):
            return max_size, depth
        tokens.space()
    raise limit("Too many options")


def _read_depth(tokens: Tokens) -> Depth:
    try:
        return Depth(tokens.word())
    except ValueError as error:
        raise BadSyntax("DEPTH is 0, 1 or infinity") from error


def read_entries(tokens: Tokens, depth: Depth = Depth.ZERO) -> tuple[str, ...]:
    """entries = entry / "(" entry *(SP entry) ")"; each once.

    Args:
        depth: With others than 0, an entry may also be a level at which there can be none.
    """
    if not tokens.skip(b"("):
        return (_read_entry(tokens, depth),)
    found: dict[str, str] = {}
    for _ in range(READ_CAP):
        entry = _read_entry(tokens, depth)
        found.setdefault(entry.lower(), entry)
        if tokens.skip(b")"):
            return tuple(found.values())
        tokens.space()
    raise limit("Too many entries")


def read_set_metadata(tokens: Tokens) -> SetMetadata:
    """SETMETADATA SP mailbox SP "(" entry SP value *(SP entry SP value) ")"; value = nstring / literal8."""
    tokens.space()
    mailbox = tokens.mailbox(server=True)
    tokens.space()
    tokens.expect(b"(")
    changes: dict[str, bytes | None] = {}
    for _ in range(SET_CAP):
        entry = _read_entry(tokens, Depth.ZERO).lower()
        tokens.space()
        value = changes[entry] = tokens.nstring8()
        if value is not None and len(value) > VALUE_OCTETS:
            raise BadSyntax(TOO_LARGE)
        if tokens.skip(b")"):
            return SetMetadata(mailbox, tuple(changes.items()))
        tokens.space()
    raise limit("Too many entries")


def _read_entry(tokens: Tokens, depth: Depth) -> str:
    """The name of an entry (section 3.2): two components at least, in the namespace of a vendor four."""
    octets = tokens.astring()
    if len(octets) > NAME_OCTETS or _NAME.fullmatch(octets) is None:
        raise BadSyntax("Not the name of an entry")
    name = octets.decode("ascii")
    _, scope, *rest = name.lower().split("/")
    if scope not in _SCOPES:
        raise BadSyntax("Entries begin with /private or /shared")
    if depth is Depth.ZERO and len(rest) < (3 if rest[:1] == ["vendor"] else 1):
        raise BadSyntax("The name of an entry has more levels")
    return name


def unwanted_literal(size: int) -> Answer:
    """Why a literal of a SETMETADATA is not kept: it is too large, or there are too many (section 4.3)."""
    return TOO_LARGE if size > VALUE_OCTETS else FOR_REASON[Reason.TOO_MANY_ANNOTATIONS]


def find(
    entries: Mapping[str, bytes],
    wanted: Sequence[str],
    depth: Depth = Depth.ZERO,
    max_size: int | None = None,
) -> Found:
    """What GETMETADATA shows of *entries*, whose names are in lower case; linear in them and in *wanted*.

    An entry that was asked for itself, and does not exist, is NIL; below others only what there is, is shown.
    """
    asked = {name.lower(): name for name in wanted}
    if depth is Depth.ZERO:
        names = list(asked)
    else:
        names = [name for name in sorted(entries) if _is_below(name, asked, depth)]
    shown: list[tuple[str, bytes | None]] = []
    longest = 0
    for name in names:
        value = entries.get(name)
        if value is not None and max_size is not None and len(value) > max_size:
            longest = max(longest, len(value))
        else:
            shown.append((asked.get(name, name), value))
    return Found(tuple(shown), longest)


def changed(mailbox: str, names: Sequence[str], *, utf8: bool = False) -> bytes:
    """The METADATA response for entries whose values are others now; values are not told (section 4.4.2)."""
    entries = b" ".join(map(_entry, names))
    return b"* METADATA %b %b\r\n" % (responses.mailbox(mailbox, utf8=utf8), entries)


def _is_below(name: str, asked: Mapping[str, str], depth: Depth) -> bool:
    """Whether an entry is one of those *asked* for, or so far below one."""
    levels = 2 if depth is Depth.ONE else name.count("/")
    for _ in range(levels):
        if name in asked:
            return True
        name = name.rpartition("/")[0]
    return False


def _entry(name: str) -> bytes:
    octets = name.encode("ascii")
    return octets if _ATOM.fullmatch(octets) else string(octets)


def _value(octets: bytes | None) -> bytes:
    """value = nstring / literal8: that for octets with NUL."""
    if octets is not None and b"\0" in octets:
        return b"~{%d}\r\n%b" % (len(octets), octets)
    if octets is not None and len(octets) > NAME_OCTETS:
        return b"{%d}\r\n%b" % (len(octets), octets)
    return nstring(octets)
