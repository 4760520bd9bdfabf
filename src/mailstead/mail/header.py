"""Header blocks: fields, and the parameters of the structured ones.

Everything here is linear, total and capped: any octets give a value. Names are compared without
case; values are unfolded and otherwise left as they came.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailstead.mail.rfc2231 import join_pieces

FIELDS_CAP = 2000
PARAMS_CAP = 100
PIECES_CAP = 1000  # what stands between semicolons, parameters or not
VALUE_CAP = 64 << 10  # octets of a value that is looked into

# field = field-name ":" unstructured CRLF (RFC 5322 section 2.2; folding, section 2.2.3). The value is
# looked for from its end: to repeat "line, or folded line" a regex keeps a note of every one.
_NAME = re.compile(rb"^([!-9;-~]{1,998})[ \t]*:", re.M)
_NEXT = re.compile(rb"\n(?![ \t])")

# token of RFC 2045 section 5.1, as mail really has it: 8-bit octets included
_TOKEN = re.compile(rb"[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]+")
_PARAM_NAME = re.compile(rb"[ \t]*([^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]+)[ \t]*=[ \t]*")
_PARAM_VALUE = re.compile(rb'"((?:[^"\\]|\\.)*)"?|([^;\x00-\x20"]*)', re.S)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)


def fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name in lower case, and unfolded value without outer space, of each field in order."""
    for name, value in _raw(block):
        yield name.lower(), unfold(value)


def header_block(octets: bytes) -> bytes:
    """The header block of a message, with the blank line behind it."""
    if octets.startswith(b"\r\n"):
        return octets[:2]
    end = octets.find(b"\r\n\r\n")
    return octets if end < 0 else octets[: end + 4]


def chosen(block: bytes, names: frozenset[bytes]) -> dict[bytes, list[bytes]]:
    """The values of the fields called *names* (lower case), in order; as `fields`, and cheaper."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in _raw(block):
        lower = name.lower()
        if lower in names:
            if lower in found:
                found[lower].append(unfold(value))
            else:
                found[lower] = [unfold(value)]
    return found


def _raw(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(FIELDS_CAP):
        name = _NAME.search(block, at)
        if name is None:
            return
        end = _NEXT.search(block, name.end())
        if end is None:
            yield name[1], block[name.end() :]
            return
        yield name[1], block[name.end() : end.start()]
        at = end.end()


def unfold(value: bytes) -> bytes:
    """A field's value on one line (RFC 5322 section 2.2.3)."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip(b" \t\r\n")


def first(block: bytes, name: bytes) -> bytes | None:
    """The value of the first field called *name* (lower case); others are not looked at."""
    needle, lower = b"\n" + name, b"\n" + block.lower()
    at = lower.find(needle)
    while at >= 0:
        found = _NAME.match(block, at)
        if found is not None and len(found[1]) == len(name):
            end = _NEXT.search(block, found.end())
            return unfold(block[found.end() :] if end is None else block[found.end() : end.start()])
        at = lower.find(needle, at + 1)
    return None


@dataclass(frozen=True, slots=True)
class Parameterised:
    """A value with parameters: Content-Type, Content-Disposition.

    Args:
        value: "text/plain", as it came.
        params: Names as they came, values unquoted, the pieces of RFC 2231 joined.
    """

    value: bytes
    params: tuple[tuple[bytes, bytes], ...]

    def param(self, name: bytes) -> bytes | None:
        """The first parameter called *name* (lower case)."""
        for found, value in self.params:
            if found.lower() == name:
                return value
        return None


def parameterised(value: bytes) -> Parameterised:
    """Read a value and its parameters; what makes no sense is passed over."""
    value = without_comments(value[:VALUE_CAP])
    head, _, rest = value.partition(b";")
    params: list[tuple[bytes, bytes]] = []
    at = 0
    for _ in range(PIECES_CAP):
        if at >= len(rest) or len(params) == PARAMS_CAP:
            break
        name = _PARAM_NAME.match(rest, at)
        if name is None:
            semicolon = rest.find(b";", at)
            if semicolon < 0:
                break
            at = semicolon + 1
            continue
        found = _PARAM_VALUE.match(rest, name.end())
        assert found is not None, "it matches the empty string"
        quoted = found[1]
        params.append((name[1], found[2] if quoted is None else _QUOTED_PAIR.sub(rb"\1", quoted)))
        semicolon = rest.find(b";", found.end())
        at = len(rest) if semicolon < 0 else semicolon + 1
    if b"*" in rest:
        params = join_pieces(params)
    return Parameterised(head.strip(b" \t"), tuple(params))


def media_type(value: bytes) -> tuple[bytes, bytes] | None:
    """Type and subtype of a Content-Type's value, or None if it has none (RFC 2045 section 5.1)."""
    kind, slash, subtype = value.partition(b"/")
    kind, subtype = kind.strip(b" \t"), subtype.strip(b" \t")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
        return None
    return kind, subtype


_COMMENT_MARK = re.compile(rb'[()"\\]')


def without_comments(value: bytes) -> bytes:
    """Drop comments, of any depth, outside of quoted strings (RFC 5322 section 3.2.2)."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth = start = 0
    quoted = False
    skip = -1
    for mark in _COMMENT_MARK.finditer(value):
        at, sign = mark.start(), mark[0]
        if at == skip:
            continue
        if sign == b"\\":
            skip = at + 1
        elif sign == b'"' and not depth:
            quoted = not quoted
        elif quoted:
            continue
        elif sign == b"(":
            if not depth:
                kept.append(value[start:at])
            depth += 1
        elif sign == b")" and depth:
            depth -= 1
            if not depth:
                start = at + 1
    if not depth:
        kept.append(value[start:])
    return b"".join(kept)
