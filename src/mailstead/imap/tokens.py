"""One command's octets, taken apart from left to right (RFC 9051 section 9); linear, without recursion.

A command is its text pieces with the literals in between: `parts[0]`, `parts[2]`, ... are text, the
others are literals. No token but a literal8 holds NUL, and text holds no CR or LF at all.
"""

import re

from mailstead.imap.dialect import PLAIN, Dialect
from mailstead.imap.mutf7 import decode
from mailstead.imap.responses import Answer, bad, no
from mailstead.mail.mailbox import mailbox_name
from mailstead.mail.uidset import HIGHEST, STAR, SavedNumbers, SavedUids, SeqSet, UidSet

Parts = tuple[bytes, ...]

RANGES_CAP = 2000  # of one sequence set, as it is written
NUMBER_CAP = (1 << 63) - 1  # number64

# ATOM-CHAR = any CHAR except "(" / ")" / "{" / SP / CTL / "%" / "*" / DQUOTE / "\" / "]"
_ATOM = re.compile(rb"[!#$&'+-\[^-z|}~]+")
# ASTRING-CHAR = ATOM-CHAR / "]"
_ASTRING = re.compile(rb"[!#$&'+-\[\]-z|}~]+")
# list-char = ATOM-CHAR / "%" / "*" / "]"
_LIST = re.compile(rb"[!#$%&'*-\[\]-z|}~]+")
# quoted = DQUOTE *QUOTED-CHAR DQUOTE; 8-bit octets are let through, for their reader to judge
_QUOTED = re.compile(rb'"([^"\\\r\n\0]*+(?:\\["\\][^"\\\r\n\0]*+)*)"')
_QUOTED_PAIR = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,18}(?![0-9])")
# sequence-set = (seq-number / seq-range) ["," sequence-set]
_SET = re.compile(rb"[0-9*:,]+")
_RANGE = re.compile(rb"(\*|[1-9][0-9]{0,9})(?::(\*|[1-9][0-9]{0,9}))?")

# Text in which every quoted string ends.
_BALANCED = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*")*')

NUL_IN_STRING = bad("NUL in a string")
UID_REQUIRED = bad("UIDONLY is enabled: name messages by UID", b"UIDREQUIRED")  # RFC 9586 section 3
BAD_NAME = no("Not a mailbox name", b"CANNOT")


class BadSyntax(Exception):
    """The command cannot be read; `answer` says so."""

    def __init__(self, answer: Answer | str) -> None:
        self.answer = bad(answer) if isinstance(answer, str) else answer
        super().__init__(self.answer.text)


class IsArgument(Exception):
    """The literal that is announced behind the text is the argument that was to be read."""


def limit(text: str) -> BadSyntax:
    """More of something than there may be (RFC 5530 section 3)."""
    return BadSyntax(bad(text, b"LIMIT"))


def balanced(text: bytes) -> bool:
    """Whether a literal may begin behind *text*: no quoted string is open."""
    return _BALANCED.fullmatch(text) is not None


class Tokens:
    """Reads one command; every method takes what it names, or raises `BadSyntax`."""

    __slots__ = ("_parts", "_piece", "announced", "at", "dialect", "spelled", "text")

    def __init__(
        self, parts: Parts, at: int = 0, dialect: Dialect = PLAIN, *, announced: int | None = None
    ) -> None:
        """Read *parts* from position *at* of the first.

        Args:
            announced: Octets of a literal that comes behind *parts* and is not read yet, or None. Who
                reads a string where it stands gets `IsArgument`.
        """
        self._parts = parts
        self.announced = announced
        self._piece = 0
        self.text = parts[0]
        self.at = at
        self.dialect = dialect
        self.spelled = ""  # the last mailbox name, if it came in another spelling than its one

    def skip(self, octets: bytes) -> bool:
        """Take *octets* if they come next."""
        if self.text.startswith(octets, self.at):
            self.at += len(octets)
            return True
        return False

    def expect(self, octets: bytes) -> None:
        """Take *octets*, which must come next."""
        if not self.text.startswith(octets, self.at):
            raise BadSyntax("Syntax error in parameters")
        self.at += len(octets)

    def space(self) -> None:
        """One space."""
        self.expect(b" ")

    def end(self) -> None:
        """Nothing more; spaces before the line end are passed over, as clients send them."""
        if self._piece + 1 < len(self._parts) or self.text[self.at :].strip(b" "):
            raise BadSyntax("Too many parameters")

    def peek(self) -> bytes:
        """The next octet; nothing at the end of a piece of text."""
        return self.text[self.at : self.at + 1]

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Take what *pattern* matches, if it does."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise BadSyntax(f"Expected {what}")
        self.at = found.end()
        return found[0]

    def atom(self) -> bytes:
        """An atom."""
        return self._take(_ATOM, "an atom")

    def word(self) -> bytes:
        """An atom in upper case: a name of the protocol's."""
        return self._take(_ATOM, "a word").upper()

    def number(self, cap: int = HIGHEST, least: int = 0) -> int:
        """A number between *least* and *cap*, in US-ASCII digits without leading zeros."""
        value = int(self._take(_NUMBER, "a number"))
        if not least <= value <= cap:
            raise BadSyntax("Number out of range")
        return value

    def at_string(self) -> bool:
        """Whether a quoted string or a literal comes next."""
        return self.at_literal() or self.text.startswith(b'"', self.at)

    def at_literal(self) -> bool:
        """Whether a literal comes next."""
        more = self._piece + 1 < len(self._parts)
        return self.at == len(self.text) and (more or self.announced is not None)

    def go_on(self, parts: Parts, announced: int | None) -> None:
        """Go on with the text behind a literal.

        Args:
            parts: As before with more behind them, or a text, which is new: that literal was handed out.
        """
        if len(parts) == 1:
            self._piece, self.text, self.at = 0, parts[0], 0
        self._parts, self.announced = parts, announced

    def over(self) -> bool:
        """Whether the command ends here; spaces before the line end are passed over."""
        if self.announced is not None or self._piece + 1 < len(self._parts):
            return False
        return not self.text[self.at :].strip(b" ")

    def message(self) -> int:
        """The octets of the literal that is announced, which must come next."""
        self.end()
        if self.announced is None:
            raise BadSyntax("Expected a literal")
        self.at = len(self.text)
        return self.announced

    def string(self) -> bytes:
        """A quoted string or a literal."""
        if self.at_literal():
            return self._literal()
        quoted = self._take(_QUOTED, "a string")[1:-1]
        return _QUOTED_PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted

    def _literal(self, *, binary: bool = False) -> bytes:
        if self._piece + 1 == len(self._parts):
            raise IsArgument
        octets = self._parts[self._piece + 1]
        self._piece += 2
        self.text, self.at = self._parts[self._piece], 0
        if b"\0" in octets and not binary:
            raise BadSyntax(NUL_IN_STRING)
        return octets

    def astring(self) -> bytes:
        """An atom or a string."""
        return self.string() if self.at_string() else self._take(_ASTRING, "a string")

    def nstring(self) -> bytes | None:
        """A string, or None for NIL."""
        if self.at_string():
            return self.string()
        if self.word() != b"NIL":
            raise BadSyntax("Expected a string or NIL")
        return None

    def nstring8(self) -> bytes | None:
        """A string, a literal8, which may hold NUL (RFC 3516), or None for NIL."""
        at_tilde = self.at
        if self.skip(b"~") and self.at_literal():
            return self._literal(binary=True)
        self.at = at_tilde
        return self.nstring()

    def list_mailbox(self) -> bytes:
        """A mailbox name with wildcards, still encoded."""
        return self.string() if self.at_string() else self._take(_LIST, "a pattern")

    def mailbox(self, *, new: bool = False, server: bool = False) -> str:
        """A mailbox name in its one spelling; a *new* one may end in "/" (RFC 3501 section 6.3.3).

        Args:
            server: It may be empty, which is the server (RFC 5464 section 4.1).
        """
        octets = self.astring()
        if server and not octets:
            return ""
        if new and len(octets) > 1:
            octets = octets.removesuffix(b"/")
        try:
            spelled = self.decoded(octets)
            name = mailbox_name(spelled)
        except ValueError as error:
            raise BadSyntax(BAD_NAME) from error
        self.spelled = "" if spelled == name else spelled
        return name

    def decoded(self, octets: bytes) -> str:
        """What *octets* spell, in modified UTF-7 or in UTF-8.

        Raises:
            ValueError: they spell nothing.
        """
        return octets.decode() if self.dialect.utf8 else decode(octets)

    def sequence_set(self, *, uid: bool) -> SeqSet | UidSet:
        """A set of sequence numbers, or of UIDs; "$" is the one that was saved."""
        if self.skip(b"$"):
            return SavedUids() if uid else SavedNumbers()
        if self.dialect.uid_only and not uid:
            raise BadSyntax(UID_REQUIRED)
        ranges: list[tuple[int, int]] = []
        text = self._take(_SET, "a set of messages")
        if text.count(b",") >= RANGES_CAP:
            raise limit("Too many ranges in a set of messages")
        for piece in text.split(b","):
            found = _RANGE.fullmatch(piece)
            if found is None:
                raise BadSyntax("Not a set of messages")
            first, last = found.groups()
            low = _number(first)
            ranges.append((low, low if last is None else _number(last)))
        return UidSet(ranges) if uid else SeqSet(ranges)


def _number(octets: bytes) -> int:
    """seq-number = nz-number / "*"."""
    if octets == b"*":
        return STAR
    number = int(octets)
    if number > HIGHEST:
        raise BadSyntax("Number out of range")
    return number
