"""Address lists of header fields (RFC 5322 section 3.4), as the ENVELOPE shows them.

One pass over tokens, no recursion: any octets give a list. Names stay encoded as they came.
"""

import re
from dataclasses import dataclass

ADDRESSES_CAP = 1000
VALUE_CAP = 256 << 10

# One token: quoted-string, domain-literal, one special, or a run of everything else.
_TOKENS = re.compile(
    rb'"(?P<quoted>(?:[^"\\]|\\.)*)"?'
    rb"|(?P<literal>\[[^\]\x00-\x1f]*\]?)"
    rb"|(?P<special>[()<>@,;:])"
    rb'|(?P<atom>[^()<>@,;:"\[\s]+)'
    rb"|(?P<space>\s+)",
    re.S,
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """One address of a list; a group begins with a host of None and ends with a mailbox of None."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


END_OF_GROUP = ListedAddress(None, None, None, None)


class _Reader:
    """The state of one pass: the words since the last separator, and what they turned out to be."""

    def __init__(self) -> None:
        self.found: list[ListedAddress] = []
        self.in_group = False
        self.clear()

    def clear(self) -> None:
        self.words: list[bytes] = []  # the phrase, or a bare local part
        self.local: list[bytes] | None = None  # inside <> or before a bare @
        self.domain: list[bytes] | None = None
        self.route: bytes | None = None
        self.angle = False
        self.comment: bytes | None = None

    def word(self, octets: bytes) -> None:
        if self.domain is not None:
            self.domain.append(octets)
        elif self.angle:
            assert self.local is not None
            self.local.append(octets)
        else:
            self.words.append(octets)

    def special(self, sign: bytes) -> None:
        match sign:
            case b"<":
                self.angle, self.local, self.domain = True, [], None
            case b">":
                self.angle = False
            case b"@":
                self._at()
            case b"," if self.angle and self.domain is not None and not self.local:
                self.domain.append(b",")  # between the hosts of a source route
            case b",":
                self.end()
            case b":":
                self._colon()
            case b";":
                self.end()
                if self.in_group:
                    self.found.append(END_OF_GROUP)
                    self.in_group = False
            case _:
                pass

    def _at(self) -> None:
        if self.domain is not None:
            self.domain.append(b"@")
            return
        if not self.angle:
            self.local, self.words = self.words, []
        self.domain = []

    def _colon(self) -> None:
        if self.angle and self.domain is not None:  # a source route: <@a,@b:c@d>
            self.route = b"@" + b"".join(self.domain)
            self.local, self.domain = [], None
        elif not self.angle and self.domain is None and not self.in_group:
            self.found.append(ListedAddress(None, None, b" ".join(self.words), None))
            self.in_group = True
            self.clear()

    def end(self) -> None:
        """A comma, a semicolon or the end: what was read is one address, if anything."""
        local = self.local
        name: bytes | None = b" ".join(self.words) or None
        if local is None and self.words:  # only words: a local part without a domain
            local, name = self.words, None
        if local is not None or self.domain is not None:
            mailbox = b"".join(local or [])
            host = b"".join(self.domain) if self.domain else b""
            self.found.append(ListedAddress(name or self.comment, self.route, mailbox, host))
        self.clear()


def address_list(value: bytes) -> list[ListedAddress]:
    """The addresses of an unfolded field value, 1,000 at the most."""
    value = value[:VALUE_CAP]
    reader = _Reader()
    depth = 0
    comment_start = 0
    at = 0
    while at < len(value) and len(reader.found) < ADDRESSES_CAP:
        if depth:
            at, depth = _skip_comment(value, at, depth)
            if reader.comment is None:
                reader.comment = value[comment_start : at - 1].strip() or None
            continue
        token = _TOKENS.match(value, at)
        if token is None:  # a lone "[" or the like
            at += 1
            continue
        at = token.end()
        match token.lastgroup:
            case "quoted":
                reader.word(_QUOTED_PAIR.sub(rb"\1", token["quoted"]))
            case "special" if token["special"] == b"(":
                depth, comment_start = 1, at
            case "special":
                reader.special(token["special"])
            case "space":
                pass
            case _:
                reader.word(token[0])
    reader.end()
    if reader.in_group:
        reader.found.append(END_OF_GROUP)
    return reader.found


_COMMENT = re.compile(rb"[()\\]")


def _skip_comment(value: bytes, at: int, depth: int) -> tuple[int, int]:
    """Move to behind the comment that is open at *depth*; the end of the value closes it."""
    while depth:
        mark = _COMMENT.search(value, at)
        if mark is None:
            return len(value) + 1, 0
        at = mark.end()
        match mark[0]:
            case b"(":
                depth += 1
            case b")":
                depth -= 1
            case _:
                at += 1
    return at, 0
