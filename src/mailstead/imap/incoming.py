"""One APPEND or REPLACE on its way from the framer, literal by literal (RFC 9051 6.3.12, RFC 4469)."""

from collections.abc import Generator

from mailstead.imap.append import Append, Course, Literal, Steps, said_at_end
from mailstead.imap.commands import Head
from mailstead.imap.dialect import PLAIN, Dialect
from mailstead.imap.events import (
    CONTINUE,
    AppendChunk,
    AppendEnd,
    AppendNext,
    BadCommand,
    Need,
    WantsContinuation,
)
from mailstead.imap.framing import Announced, Fault, Framer, Piece
from mailstead.imap.metadata import unwanted_literal
from mailstead.imap.replace import Replace
from mailstead.imap.responses import Answer, bad, no
from mailstead.imap.tokens import BadSyntax, Parts, Tokens

TOO_LARGE = no("Message too large", b"TOOBIG")
NO_LITERAL8 = bad("No literal8 here")
NO_UTF8 = bad("UTF8 takes a literal8, and ENABLE UTF8=ACCEPT before")
NUL_IN_MESSAGE = bad("NUL in a message")
NUL_IN_LITERAL8 = no("Messages with NUL are not stored", b"UNKNOWN-CTE")  # RFC 3516 section 4.4


class Incoming:
    """Literal after literal, each announced, and let come or refused by whoever stores them.

    Args:
        size_limit: Octets of a message.
    """

    def __init__(self, framer: Framer, size_limit: int) -> None:
        self._framer = framer
        self._size_limit = size_limit
        self._tokens = Tokens((b"",))
        self._course: Course[Append] | Course[Replace] | None = None
        self._dialect = PLAIN
        self._announced: Announced | None = None
        self._binary = self._nul = False

    @property
    def announced(self) -> bool:
        """Whether somebody has to say what becomes of a literal."""
        return self._announced is not None

    def begin(self, announced: Announced, head: Head, dialect: Dialect) -> Append | Replace | None:
        """A literal is announced, the first or behind arguments that were literals.

        Returns:
            The command up to there; None when this one is an argument, too, and to be kept.

        Raises:
            BadSyntax: it is not wanted.
        """
        if len(announced.parts) == 1:
            self._dialect = dialect
            self._tokens = Tokens(announced.parts, head.at, dialect, announced=announced.size)
            course = head.read(self._tokens)
            assert isinstance(course, Generator), "it has messages"
            self._course = course
        else:
            self._tokens.go_on(announced.parts, announced.size)
        said = self._said(announced)
        assert not isinstance(said, tuple), "the command comes first"
        return said

    def come(self) -> bytes:
        """Let the announced literal come; what is to be sent."""
        announced, self._announced = self._announced, None
        assert announced is not None, "no literal is announced"
        self._nul = False
        self._framer.hand_out()
        return CONTINUE if announced.synchronising else b""

    def refuse(self, given: Answer) -> Answer:
        """The command is answered before the announced literal came, which is thrown away; the answer."""
        self.forget()
        fault = self._framer.refuse()
        return given if fault is None else fault.answer

    def forget(self) -> None:
        """The command is over, or the connection."""
        self._announced = self._course = None

    def keep(self, announced: Announced, *, metadata: bool = False) -> WantsContinuation | None:
        """Have a literal read that is an argument; what is to be sent for it, if it is waited for.

        Args:
            metadata: It is a value of SETMETADATA, which may be a literal8 (RFC 5464 section 5).

        Raises:
            BadSyntax: it is not wanted.
        """
        if announced.binary and not metadata:
            raise BadSyntax(NO_LITERAL8)
        if (answer := self._framer.too_large(announced)) is not None:
            raise BadSyntax(unwanted_literal(announced.size) if metadata else answer)
        self._framer.keep()
        return WantsContinuation() if announced.synchronising else None

    def next_event(self) -> AppendChunk | AppendNext | AppendEnd | BadCommand | WantsContinuation | Need:
        """What comes next of the literal, or behind it."""
        while True:
            found = self._framer.next()
            match found:
                case None:
                    return Need.OCTETS
                case Piece():
                    self._nul = self._nul or b"\0" in found.octets
                    if found.octets and not self._nul:
                        return AppendChunk(found.octets)
                case Announced():
                    event = self._another(found)
                    if event is not None:
                        return event
                case Fault():
                    return BadCommand(found.answer)
                case _:
                    return self._end(found)

    def _said(self, announced: Announced) -> Append | Replace | Steps | None:
        """What was said up to a literal that is announced; None when it is an argument."""
        assert self._course is not None, "nothing has begun"
        said = next(self._course)  # it cannot end where a literal is announced
        if said is None:
            return None
        literal = (said if isinstance(said, tuple) else said.steps)[-1]
        assert isinstance(literal, Literal), "that is where it stops"
        if literal.utf8 and not (self._dialect.accept and announced.binary):
            raise BadSyntax(NO_UTF8)
        if announced.size > self._size_limit:
            raise BadSyntax(TOO_LARGE)
        self._announced, self._binary = announced, announced.binary
        return said

    def _another(
        self, announced: Announced
    ) -> AppendNext | AppendEnd | BadCommand | WantsContinuation | None:
        """Another literal is announced behind one that is complete; None when it is simply read."""
        try:
            self._go_on(announced.parts, announced.size)
            said = self._said(announced)
            if said is None:
                return self.keep(announced)
        except BadSyntax as error:
            fault = self._framer.refuse()
            return AppendEnd(error=error.answer) if fault is None else BadCommand(fault.answer)
        assert isinstance(said, tuple), "the command came before"
        return AppendNext(said)

    def _end(self, parts: Parts) -> AppendEnd:
        """The line ends behind a literal that is complete."""
        assert self._course is not None, "nothing has begun"
        try:
            self._go_on(parts, None)
            steps = said_at_end(self._course)
        except BadSyntax as error:
            return AppendEnd(error=error.answer)
        assert isinstance(steps, tuple), "the command came before"
        return AppendEnd(steps)

    def _go_on(self, parts: Parts, announced: int | None) -> None:
        if self._nul:
            raise BadSyntax(NUL_IN_LITERAL8 if self._binary else NUL_IN_MESSAGE)
        self._tokens.go_on(parts, announced)
