"""BODY out of BODYSTRUCTURE: the same without extension data (RFC 9051 section 7.5.2); linear."""

import re

# What is rendered once by `mail.render`: parentheses, strings, literals, NIL and numbers.
_TOKEN = re.compile(rb' ?(?:([()])|("(?:[^"\\]++|\\.)*"|NIL|[0-9]++)|\{([0-9]{1,9})\}\r\n)', re.DOTALL)
_ENCLOSED = (b'"rfc822"', b'"global"')
_BASIC = 7  # type, subtype, parameters, id, description, encoding, octets


class _Level:
    """One open parenthesis. Of a part's values the first `shown` stay, which end at `cut`."""

    __slots__ = ("cut", "multipart", "part", "seen", "shown", "type")

    def __init__(self, *, part: bool) -> None:
        self.part = part
        self.seen = 0
        self.shown = _BASIC
        self.cut = 0
        self.type = b""
        self.multipart = False

    def next_is_part(self) -> bool:
        """Whether a parenthesis here opens a part: those of a multipart, and the body of a message."""
        if not self.part:
            return False
        if self.multipart:
            return self.seen < self.shown
        return not self.seen or (self.shown == _BASIC + 3 and self.seen == _BASIC + 1)

    def add(self, value: bytes, end: int, *, part: bool) -> None:
        """Count a value that ends at *end*."""
        self.seen += 1
        if self.seen == 1:
            self.type, self.multipart = value.lower(), part
        elif self.seen == 2 and not self.multipart:
            if self.type == b'"text"':
                self.shown = _BASIC + 1  # lines
            elif self.type == b'"message"' and value.lower() in _ENCLOSED:
                self.shown = _BASIC + 3  # envelope, body, lines
        if self.multipart:  # its parts, and the subtype behind them
            self.shown = self.seen + 1 if part else min(self.shown, self.seen)
        if self.seen <= self.shown:
            self.cut = end


def without_extensions(structure: bytes) -> bytes:
    """The BODY of a BODYSTRUCTURE; what is no BODYSTRUCTURE comes back as it is."""
    levels: list[_Level] = []
    kept: list[bytes] = []
    at = start = 0
    while at < len(structure):
        found = _TOKEN.match(structure, at)
        if found is None:
            return structure
        at = found.end()
        if found[1] == b"(":
            levels.append(_Level(part=not levels or levels[-1].next_is_part()))
            continue
        if not levels:
            return structure
        if found[1] == b")":
            level = levels.pop()
            if level.part:
                kept.append(structure[start : level.cut])
                start = at - 1
            if levels:
                levels[-1].add(b"", at, part=level.part)
            elif at == len(structure):
                return b"".join(kept) + b")"
            continue
        if found[3] is not None:
            at += int(found[3])
        levels[-1].add(found[2] or b"", at, part=False)
    return structure
