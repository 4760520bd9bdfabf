"""What SEARCH looks through (RFC 9051 section 6.4.4): fields and bodies as people read them.

Strings are compared by the collation i;unicode-casemap (`mail.casemap`). Encoded words, transfer
encodings and charsets are undone first; of octets that a charset does not allow, the others are read.
What is no text (an image, an archive) is not looked through. Large texts are dealt with in pieces, so
that whoever searches them can let others have their turn.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mailstead.mail.casemap import border, fold
from mailstead.mail.encodedwords import text
from mailstead.mail.fuzzy import Counter
from mailstead.mail.header import fields
from mailstead.mail.html import visible_text
from mailstead.mail.names import file_name
from mailstead.mail.part import Part
from mailstead.mail.structure import Scanner
from mailstead.mail.text import decoded, decoded_pieces

PIECE = 64 << 10  # octets that are decoded together
HTML_CAP = 1 << 20  # octets of an HTML part; a longer one is looked through as it stands, with its tags


def field_texts(header: bytes, name: bytes) -> Iterator[str]:
    """The folded values of the fields called *name* (lower case)."""
    for found, value in fields(header):
        if found == name:
            yield fold(text(value))


# Fields that servers sign and trace with: what they say is different in each message, and no word.
MACHINES = frozenset(
    (
        b"arc-authentication-results", b"arc-message-signature", b"arc-seal", b"authentication-results",
        b"autocrypt", b"dkim-signature", b"domainkey-signature", b"face", b"received", b"received-spf",
        b"x-face", b"x-gm-message-state", b"x-google-dkim-signature", b"x-google-smtp-source", b"x-received",
    )
)  # fmt: skip
_MACHINE_PREFIXES = (b"arc-", b"x-microsoft-antispam", b"x-ms-exchange-", b"x-ms-office365-", b"x-forefront-")


def is_searched(name: bytes) -> bool:
    """Whether the field called *name* (lower case) is among what TEXT looks through."""
    return name not in MACHINES and not name.startswith(_MACHINE_PREFIXES)


def header_lines(header: bytes) -> Iterator[tuple[bytes, str]]:
    """Name and folded value of the fields that TEXT looks through."""
    for name, value in fields(header):
        if is_searched(name):
            yield name, fold(text(value))


def header_text(header: bytes) -> str:
    """A header block as TEXT looks through it, folded: a line for each field."""
    return "\n".join(f"{fold(name.decode())}: {value}" for name, value in header_lines(header))


class Piece(NamedTuple):
    """A piece of a folded text; *octets* say what it cost, *first* that a text begins with it."""

    text: str
    octets: int
    first: bool = True


def body_pieces(root: Part, octets: bytes) -> Iterator[Piece]:
    """The folded texts of a whole message's body.

    They are its text parts, of HTML what is visible, the headers of enclosed messages, and the names that
    parts of it have as files.
    """
    waiting = [root]
    while waiting:
        part = waiting.pop()
        waiting.extend(reversed(part.children))
        if part is not root and (name := file_name(part)):
            yield Piece(fold(name), len(name))
        if part.children:
            enclosed = part.children[0]
            if part.kind() == b"message":
                header = octets[enclosed.header_start : enclosed.body_start]
                yield Piece(header_text(header), len(header))
        elif part.kind() in (b"text", b"message"):
            size = part.body_end - part.body_start
            if part.media[1].lower() == b"html" and size <= HTML_CAP:
                shown = visible_text(decoded(part, octets[part.body_start : part.body_end]))
                yield Piece(fold(shown), size)
            elif size <= PIECE:
                yield Piece(fold(decoded(part, octets[part.body_start : part.body_end])), size)
            else:
                yield from _large_text(part, octets)


def _large_text(part: Part, octets: bytes) -> Iterator[Piece]:
    begin, end = part.body_start, part.body_end
    raw = (octets[at : min(at + PIECE, end)] for at in range(begin, end, PIECE))
    held, first = "", True
    for string in decoded_pieces(part, raw):
        held += string
        at = 0
        while at + PIECE < len(held) and (step := border(held[at : at + PIECE])):
            yield Piece(fold(held[at : at + step]), PIECE, first)
            at, first = at + step, False
        cut = at + border(held[at:])
        yield Piece(fold(held[at:cut]), PIECE, first)
        held, first = held[cut:], False
    yield Piece(fold(held), len(held), first)


class InBody(NamedTuple):
    """What the texts of a body have.

    Args:
        strings: Of the folded strings that were looked for.
        words: Of the words that were looked for in a fuzzy way, and what they are worth (`mail.fuzzy`).
    """

    strings: frozenset[str] = frozenset()
    words: Mapping[str, float] = MappingProxyType({})


class BodySearch:
    """Which of some folded strings and of some words the texts of a body have; it takes a step at a time."""

    def __init__(self, wanted: Collection[str], words: Collection[str] = ()) -> None:
        self._found: set[str] = set()
        self._missing = set(wanted)
        self._overlap = max((len(w) for w in wanted), default=1) - 1
        self._counter = Counter(words) if words else None

    @property
    def found(self) -> InBody:
        """What was found, when all steps are done."""
        return InBody(frozenset(self._found), {} if self._counter is None else self._counter.values())

    def steps(self, octets: bytes) -> Iterator[int]:
        """Look through a whole message; how many octets each step was about."""
        scanner = Scanner()
        for at in range(0, len(octets), PIECE):
            scanner.push(octets[at : at + PIECE])
            yield min(PIECE, len(octets) - at) >> 2  # scanning is that much faster at least
        before = ""
        for piece in body_pieces(scanner.finish().root, octets):
            string = piece.text if piece.first else before + piece.text
            hits = {w for w in self._missing if w in string}
            self._found |= hits
            self._missing -= hits
            if self._counter is not None:
                for size in self._counter.push(piece.text, first=piece.first):
                    yield size >> 2
            elif not self._missing:
                return
            before = string[max(0, len(string) - self._overlap) :]
            yield piece.octets
