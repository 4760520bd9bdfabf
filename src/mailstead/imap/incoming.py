"""The messages of one APPEND, on their way from the framer (RFC 9051 section 6.3.12, RFC 3502, RFC 6855)."""

from mailstead.imap.append import Upcoming, read_upcoming
from mailstead.imap.events import CONTINUE, AppendChunk, AppendEnd, AppendNext, BadCommand, Need
from mailstead.imap.framing import Announced, Fault, Framer, Piece
from mailstead.imap.responses import Answer, bad, no
from mailstead.imap.tokens import BadSyntax, Tokens, limit

MESSAGES_CAP = 1000  # of one APPEND

TOO_LARGE = no("Message too large", b"TOOBIG")
NO_UTF8 = bad("UTF8 takes a literal8, and ENABLE UTF8=ACCEPT before")
BEHIND_MESSAGE = bad("That may not follow a message")
NUL_IN_MESSAGE = bad("NUL in a message")
NUL_IN_LITERAL8 = no("Messages with NUL are not stored", b"UNKNOWN-CTE")  # RFC 3516 section 4.4


class Incoming:
    """Message after message, each announced, and let come or refused by whoever stores them.

    Args:
        size_limit: Octets of a message.
    """

    def __init__(self, framer: Framer, size_limit: int) -> None:
        self._framer = framer
        self._size_limit = size_limit
        self._announced: Announced | None = None
        self._message: Upcoming | None = None  # that is announced, or comes
        self._binary = self._nul = self._utf8 = False
        self._count = 0

    @property
    def announced(self) -> bool:
        """Whether somebody has to say what becomes of a message."""
        return self._announced is not None

    def begin(self, message: Upcoming, announced: Announced, *, utf8: bool) -> None:
        """The first message of an APPEND is announced.

        Raises:
            BadSyntax: it is not wanted.
        """
        self._count, self._utf8 = 0, utf8
        self._expect(message, announced)

    def come(self) -> bytes:
        """Let the announced message come; what is to be sent."""
        announced, self._announced = self._announced, None
        assert announced is not None, "no message is announced"
        self._nul = False
        self._framer.hand_out()
        return CONTINUE if announced.synchronising else b""

    def refuse(self, given: Answer) -> Answer:
        """The APPEND is answered before the announced message came, which is thrown away; the answer."""
        self._announced = None
        fault = self._framer.refuse()
        return given if fault is None else fault.answer

    def forget(self) -> None:
        """The connection is over."""
        self._announced = None

    def next_event(self) -> AppendChunk | AppendNext | AppendEnd | BadCommand | Need:
        """What comes next of the message, or behind it."""
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
                    return self._another(found)
                case Fault():
                    return BadCommand(found.answer)
                case _:
                    return AppendEnd(self._amiss(found[0].rstrip(b" "), whole=len(found) == 1))

    def _expect(self, message: Upcoming, announced: Announced) -> None:
        if message.utf8 and not (self._utf8 and announced.binary):
            raise BadSyntax(NO_UTF8)
        if announced.size > self._size_limit:
            raise BadSyntax(TOO_LARGE)
        self._count += 1
        if self._count > MESSAGES_CAP:
            raise limit("Too many messages in one APPEND")
        self._announced, self._binary, self._message = announced, announced.binary, message

    def _another(self, announced: Announced) -> AppendNext | AppendEnd | BadCommand:
        """Another message is announced behind one that is complete."""
        behind = self._behind
        text = announced.parts[0]
        try:
            amiss = self._amiss(text[: len(behind)], whole=len(announced.parts) == 1)
            if amiss is not None:
                raise BadSyntax(amiss)
            message = read_upcoming(Tokens(announced.parts, len(behind)), announced.size)
            self._expect(message, announced)
        except BadSyntax as error:
            fault = self._framer.refuse()
            return AppendEnd(error.answer) if fault is None else BadCommand(fault.answer)
        return AppendNext(message)

    @property
    def _behind(self) -> bytes:
        assert self._message is not None, "it was announced"
        return self._message.behind

    def _amiss(self, text: bytes, *, whole: bool) -> Answer | None:
        """What is wrong with a message that is complete, and has *text* behind it."""
        if self._nul:
            return NUL_IN_LITERAL8 if self._binary else NUL_IN_MESSAGE
        return None if whole and text == self._behind else BEHIND_MESSAGE
