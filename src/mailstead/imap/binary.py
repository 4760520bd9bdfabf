"""BINARY: parts without their transfer encoding (RFC 3516)."""

import re
from dataclasses import dataclass

from mailstead.imap.tokens import NUMBER_CAP, BadSyntax, Tokens, limit

PATH_CAP = 100

# "[" [section-part] "]"
_SECTION = re.compile(rb"\[([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)?\]")
# "<" number "." nz-number ">"
_PARTIAL = re.compile(rb"<(0|[1-9][0-9]{0,18})\.([1-9][0-9]{0,18})>")


@dataclass(frozen=True, slots=True)
class Partial:
    """Some of the octets of an item: from *start* on, *count* at most."""

    start: int = 0
    count: int | None = None

    def of(self, size: int) -> range:
        """Which of *size* octets are wanted; none when they begin behind the end."""
        start = min(self.start, size)
        return range(start, size if self.count is None else min(size, start + self.count))


WHOLE = Partial()


@dataclass(frozen=True, slots=True)
class Binary:
    """BINARY[...], or the size of it.

    Args:
        path: Part numbers; empty for the message itself, which has no encoding.
        label: How the answer names it.
        peek: It does not set \\Seen.
        size: BINARY.SIZE: only how many octets it would be.
    """

    path: tuple[int, ...]
    label: bytes
    peek: bool = False
    partial: Partial = WHOLE
    size: bool = False


_NAMES = {b"BINARY": (False, False), b"BINARY.PEEK": (True, False), b"BINARY.SIZE": (True, True)}


def read_binary(tokens: Tokens, name: bytes) -> Binary | None:
    """The item that *name* begins, or None when it begins another."""
    kind = _NAMES.get(name)
    if kind is None:
        return None
    peek, size = kind
    found = tokens.match(_SECTION)
    if found is None:
        raise BadSyntax("Not a section of BINARY")
    numbers = found[1] or b""
    if numbers.count(b".") >= PATH_CAP:
        raise limit("Section too deep")
    path = tuple(map(int, numbers.split(b"."))) if numbers else ()
    partial = WHOLE if size else read_partial(tokens)
    label = b"%b[%b]" % (b"BINARY.SIZE" if size else b"BINARY", numbers)
    return Binary(path, label + shown_partial(partial), peek, partial, size)


def read_partial(tokens: Tokens) -> Partial:
    """["<" number "." nz-number ">"]."""
    found = tokens.match(_PARTIAL)
    if found is None:
        return WHOLE
    start, count = int(found[1]), int(found[2])
    if start > NUMBER_CAP or count > NUMBER_CAP:
        raise BadSyntax("Number out of range")
    return Partial(start, count)


def shown_partial(partial: Partial) -> bytes:
    """How the answer names where it begins."""
    return b"" if partial is WHOLE else b"<%d>" % partial.start
