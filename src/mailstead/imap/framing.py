"""Octets into commands: lines, and the literals between them (RFC 9051 section 4.3, RFC 7888).

Rule 1: sizes are judged before anything is kept, and before anything is parsed.
Rule 2: a literal is announced, and whoever knows the command says whether it is kept, handed out
in pieces, or refused. Nothing of it is read before.
Rule 3: what could make two readers disagree on where a command ends, ends the connection.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from mailstead.imap.responses import Answer, bad, bye
from mailstead.imap.tokens import Parts

PIECE_OCTETS = 64 << 10  # at most so much of a literal is handed out at once

# literal = "{" number [("+" / "-")] "}" CRLF, and "~" before it for literal8
_ANNOUNCED = re.compile(rb"(~?)\{(0|[1-9][0-9]{0,19})(\+?)\}\Z")

BARE_LINE_END = bad("Lines end with CRLF")
UNCLEAR_END = bye("Lines end with CRLF")
LINE_TOO_LONG = bye("Command line too long")
UNCLEAR_LITERAL = bye("Malformed literal")
LITERAL_TOO_LARGE = bad("Literal too large", b"TOOBIG")
TOO_MANY_LITERALS = bad("Too many literals", b"LIMIT")
TOO_MUCH = bye("Too many octets to be thrown away", b"TOOBIG")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may take; everything in octets but the number of literals.

    Args:
        line: Of its text.
        literal: Of one literal that is kept.
        literals: How many literals.
        total: Of all literals that are kept.
        waste: Of literals that are read only to be thrown away, because nobody could stop them.
    """

    line: int
    literal: int
    literals: int
    total: int
    waste: int


BEFORE_LOGIN = Limits(8 << 10, 8 << 10, 10, 8 << 10, 8 << 10)
AFTER_LOGIN = Limits(64 << 10, 64 << 10, 100, 128 << 10, 64 << 20)


@dataclass(frozen=True, slots=True)
class Announced:
    """A literal comes next: `keep`, `hand_out` or `refuse` it.

    Args:
        parts: The command so far, without the announcement.
        synchronising: The client waits for a continuation before it sends it.
        binary: It is a literal8, which may hold NUL.
    """

    parts: Parts
    size: int
    synchronising: bool
    binary: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Octets of a literal that is handed out; with the *last* its end is reached."""

    octets: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """It cannot be framed; BYE means that nothing behind it can be trusted."""

    answer: Answer


class _Mode(Enum):
    LINE = auto()
    DECIDE = auto()
    KEEP = auto()
    PIECES = auto()
    WASTE = auto()
    BROKEN = auto()


class Framer:
    """Cuts what comes from the wire; `limits` may be changed between commands."""

    def __init__(self, limits: Limits = BEFORE_LOGIN) -> None:
        self.limits = limits
        self._buffer = b""
        self._at = 0
        self._searched = 0
        self._mode = _Mode.LINE
        self._parts: list[bytes] = []
        self._text_octets = 0
        self._literal_octets = 0
        self._left = 0
        self._announced: Announced | None = None
        self._wasting = False
        self._wasted = 0

    @property
    def buffered(self) -> bool:
        """Whether octets are here that nothing has been made of."""
        return self._at < len(self._buffer)

    def receive(self, octets: bytes) -> None:
        """Take what came from the wire."""
        self._buffer = self._buffer[self._at :] + octets if self.buffered else octets
        self._searched -= self._at
        self._at = 0
        self._searched = max(0, self._searched)

    def drop(self) -> bytes:
        """Let go of what came and was not looked at."""
        octets = self._buffer[self._at :]
        self._buffer, self._at, self._searched = b"", 0, 0
        return octets

    def next(self) -> Parts | Announced | Piece | Fault | None:
        """What comes next of a command; None when octets are missing."""
        while True:
            match self._mode:
                case _Mode.LINE:
                    found = self._command_line()
                case _Mode.KEEP:
                    found = self._kept()
                case _Mode.PIECES:
                    return self._piece()
                case _Mode.WASTE:
                    found = self._waste()
                case _:
                    return None
            if not isinstance(found, _Again):
                return found

    def line(self) -> bytes | Fault | None:
        """The next line without its CRLF, in which a literal means nothing; None when it is not all here."""
        end = self._line_end()
        if end is None or isinstance(end, Fault):
            return end
        octets = self._take(end)
        self._text_octets = 0
        if not octets.endswith(b"\r"):
            return Fault(BARE_LINE_END)
        return octets[:-1]

    def keep(self) -> None:
        """The announced literal becomes part of the command; the "~" of a literal8 stays before it."""
        announced = self._decide()
        self._parts[-1] += b"~" if announced.binary else b""
        self._left = announced.size
        self._mode = _Mode.KEEP

    def hand_out(self) -> None:
        """The announced literal comes in pieces."""
        self._left = self._decide().size
        self._mode = _Mode.PIECES

    def refuse(self) -> Fault | None:
        """Give the command up: what of it is on its way is thrown away; a fault when that is too much."""
        announced = self._decide()
        self._reset()
        if announced.synchronising:
            self._wasting = False  # its sender stops here
            return None
        self._wasting = True
        return self._begin_waste(announced.size)

    def _decide(self) -> Announced:
        announced, self._announced = self._announced, None
        assert announced is not None, "no literal is announced"
        return announced

    def _begin_waste(self, size: int) -> Fault | None:
        self._wasted += size
        if self._wasted > self.limits.waste:
            return self._break(TOO_MUCH)
        self._left = size
        self._mode = _Mode.WASTE
        return None

    def _break(self, answer: Answer) -> Fault:
        self._mode = _Mode.BROKEN
        self.drop()
        return Fault(answer)

    def _reset(self) -> None:
        self._mode = _Mode.LINE
        self._parts = []
        self._text_octets = self._literal_octets = self._wasted = 0

    def _line_end(self) -> int | Fault | None:
        end = self._buffer.find(b"\n", max(self._at, self._searched))
        length = (end if end >= 0 else len(self._buffer)) - self._at
        if length + self._text_octets > self.limits.line:
            return self._break(LINE_TOO_LONG)
        if end < 0:
            self._searched = len(self._buffer)
            return None
        return end

    def _take(self, end: int) -> bytes:
        octets = self._buffer[self._at : end]
        self._at = self._searched = end + 1
        return octets

    def _command_line(self) -> "Parts | Announced | Fault | _Again | None":
        end = self._line_end()
        if end is None or isinstance(end, Fault):
            return end
        octets = self._take(end)
        if not octets.endswith(b"\r"):
            unclear = octets.endswith(b"}") or bool(self._parts) or self._wasting
            self._reset()
            return self._break(UNCLEAR_END) if unclear else Fault(BARE_LINE_END)
        octets = octets[:-1]
        self._text_octets += len(octets)
        if octets.endswith(b"}"):
            found = _ANNOUNCED.search(octets)
            if found is not None:
                return self._announce(octets[: found.start()], found)
            if octets.endswith(b"+}"):  # perhaps its sender believes that a literal follows
                return self._break(UNCLEAR_LITERAL)
        if self._wasting:
            self._wasting = False
            self._reset()
            return _AGAIN
        parts = (*self._parts, octets)
        self._reset()
        return parts

    def _announce(self, text: bytes, found: re.Match[bytes]) -> "Announced | Fault | _Again":
        size, synchronising = int(found[2]), not found[3]
        if self._wasting:
            if synchronising:  # a continuation will not come, so its sender gave up, too
                self._wasting = False
                self._reset()
                return _AGAIN
            return self._begin_waste(size) or _AGAIN
        self._parts.append(text)
        self._announced = Announced(tuple(self._parts), size, synchronising, bool(found[1]))
        self._mode = _Mode.DECIDE
        return self._announced

    def too_large(self, announced: Announced) -> Answer | None:
        """Why *announced* may not be kept, or None."""
        if announced.size > self.limits.literal:
            return LITERAL_TOO_LARGE
        if len(announced.parts) // 2 >= self.limits.literals:
            return TOO_MANY_LITERALS
        if self._literal_octets + announced.size > self.limits.total:
            return TOO_MANY_LITERALS
        return None

    def _kept(self) -> "_Again | None":
        if len(self._buffer) - self._at < self._left:
            return None
        octets = self._buffer[self._at : self._at + self._left]
        self._at += self._left
        self._literal_octets += self._left
        self._parts.append(octets)
        self._mode = _Mode.LINE
        return _AGAIN

    def _piece(self) -> Piece | None:
        octets = self._buffer[self._at : self._at + min(self._left, PIECE_OCTETS)]
        if not octets and self._left:
            return None
        self._at += len(octets)
        self._left -= len(octets)
        if not self._left:
            # What follows the literal is a line of its own, to be taken by `next`.
            self._reset()
        return Piece(octets, not self._left)

    def _waste(self) -> "_Again | None":
        gone = min(self._left, len(self._buffer) - self._at)
        self._at += gone
        self._left -= gone
        if self._left:
            return None
        self._mode = _Mode.LINE
        self._text_octets = 0
        return _AGAIN


class _Again:
    """Nothing to tell; look again."""


_AGAIN = _Again()
