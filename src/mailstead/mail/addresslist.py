"""Address lists of header fields (RFC 5322 section 3.4), as the ENVELOPE shows them.

One pass over tokens, no recursion: any octets give a list. Names stay encoded as they came. What is
no address is shown as Dovecot shows it, so that clients meet nothing they do not know.
"""

import re
from dataclasses import dataclass

ADDRESSES_CAP = 1000
VALUE_CAP = 256 << 10

# One token: quoted-string, domain-literal, one special, or a run of everything else.
_TOKENS = re.compile(
    rb'"((?:[^"\\]|\\.)*)"?'
    rb"|([()<>@,;:])"
    rb"|(\s+)"
    rb'|\[[^\]\x00-\x1f]*\]?|[^()<>@,;:"\[\s]+',
    re.S,
)
_QUOTED, _SPECIAL = 1, 2  # its groups; the third is space
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """One address of a list; a group begins with a host of None and ends with a mailbox of None."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


END_OF_GROUP = ListedAddress(None, None, None, None)

# What is shown in place of what is not there: no client takes them for an address (as Dovecot).
NO_MAILBOX, NO_DOMAIN, NO_SENSE = b"MISSING_MAILBOX", b"MISSING_DOMAIN", b"SYNTAX_ERROR"


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
        self.bare = True  # not in <>: then a comment is the name
        self.quoted = False  # the only word is a quoted string
        self.over = False  # what follows belongs to no address
        self.comment: bytes | None = None

    def word(self, octets: bytes, *, quoted: bool = False) -> None:
        if self.over:
            return
        if not self.angle and self.domain is None:
            if not self.words:
                self.quoted, self.comment = quoted, None
            self.words.append(octets)
            return
        piece = self.local if self.domain is None else self.domain
        assert piece is not None
        if not piece or _dotted(piece[-1], octets):
            piece.append(octets)
        else:  # two words where one address was: neither "ab" nor "bc" was ever written
            self.over = True
            if self.angle:
                self.domain = [NO_SENSE]

    def special(self, sign: bytes) -> None:
        if self.over and sign not in b",;":
            return
        match sign:
            case b"<":
                self.over = self.domain is not None
                self.angle, self.bare = not self.over, self.over
                self.local = self.local if self.over else []
            case b">":
                self.angle, self.over = False, not self.bare
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
            if not all(map(_dotted, self.words, self.words[1:])):
                self.over = True  # a name, and an address without its brackets
                return
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
        else:
            self.over = True

    def end(self) -> None:
        """A comma, a semicolon or the end: what was read is one address, if anything."""
        local, name = self.local, b" ".join(self.words) or None
        if local is None and self.words and (self.comment or not (self.words[1:] or self.quoted)):
            local, name = self.words[:1], None  # one word: a local part without a domain
        if local is not None or self.domain is not None or self.words:
            if self.bare and self.comment:
                name = self.comment
            domain = [NO_SENSE] if self.angle else self.domain or []
            mailbox, host = b"".join(local or []), b"".join(domain)
            self.found.append(ListedAddress(name, self.route, mailbox or NO_MAILBOX, host or NO_DOMAIN))
        self.clear()


def _dotted(one: bytes, two: bytes) -> bool:
    """Whether two words are one name (obs-local-part, obs-domain: RFC 5322 section 4.4)."""
    return one.endswith((b".", b"@", b",")) or two.startswith(b".")


# name-addr or addr-spec without comments, routes and the like: what most fields are.
_WORD = rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]++"
_SIMPLE = re.compile(
    rb'(?:(?:"([^"\\\x00-\x1f]+)"|(%b(?: %b)*)) <(%b(?:\.%b)*)@(%b(?:\.%b)*)>'
    rb"|(%b(?:\.%b)*)@(%b(?:\.%b)*))" % ((_WORD,) * 10)
)


def address_list(value: bytes) -> list[ListedAddress]:
    """The addresses of an unfolded field value, 1,000 at the most."""
    simple = _SIMPLE.fullmatch(value)
    if simple is not None:
        quoted, words, local, domain, bare, host = simple.groups()
        return [ListedAddress(quoted or words, None, local or bare, domain or host)]
    return read_list(value[:VALUE_CAP])


def read_list(value: bytes) -> list[ListedAddress]:
    """As `address_list`, whatever the addresses look like."""
    reader = _Reader()
    depth = 0
    comment_start = 0
    at = 0
    while at < len(value) and len(reader.found) < ADDRESSES_CAP:
        if depth:
            at, depth = _skip_comment(value, at, depth)
            comment = value[comment_start : at - 1].strip()
            reader.comment = _QUOTED_PAIR.sub(rb"\1", comment) or None
            continue
        token = _TOKENS.match(value, at)
        if token is None:  # a lone "[" or the like
            at += 1
            continue
        at = token.end()
        kind = token.lastindex
        if kind is None:
            reader.word(token[0])
        elif kind == _QUOTED:
            word = token[_QUOTED]
            reader.word(_QUOTED_PAIR.sub(rb"\1", word) if b"\\" in word else word, quoted=True)
        elif kind == _SPECIAL:
            if token[_SPECIAL] == b"(":
                depth, comment_start = 1, at
            else:
                reader.special(token[_SPECIAL])
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
