"""The server's side of one IMAP connection (RFC 9051 section 3), without I/O.

Rule 1: every change of state is in the table of `state`, but for the steps of one command.
Rule 2: one command at a time: nothing is read while an answer is owed.
"""

from binascii import b2a_base64

from mailstead.imap import responses
from mailstead.imap.append import Append
from mailstead.imap.commands import Command, Kind, head_of, parse, tag_of
from mailstead.imap.dialect import PLAIN
from mailstead.imap.events import (
    AppendChunk,
    BadCommand,
    Event,
    Need,
    SaslResponse,
    WantsContinuation,
)
from mailstead.imap.framing import AFTER_LOGIN, BEFORE_LOGIN, Announced, Fault, Framer, Limits, Piece
from mailstead.imap.incoming import Incoming
from mailstead.imap.metadata import SetMetadata
from mailstead.imap.replace import Replace
from mailstead.imap.responses import NO_TAG, Answer, Condition, bad, no
from mailstead.imap.session import Authenticate, Done, Idle, Login, base64
from mailstead.imap.state import AFTER, AFTER_NO, State
from mailstead.imap.tokens import UID_REQUIRED, BadSyntax, Parts, balanced

_WITH_MESSAGE = frozenset((Append, Replace))
# Some show the password to who listens, and all are followed by mail.
_NEED_TLS = frozenset(("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"))

IDLING = b"+ idling\r\n"
NOT_HERE = bad("Not in this state")
NO_PLAINTEXT = no("Use TLS first", b"PRIVACYREQUIRED")
NOT_DONE = bad("Expected DONE")
BROKEN_QUOTES = bad("A quoted string does not end")


class ServerConnection:
    """Turns octets into events, and answers into octets.

    Args:
        plaintext_login: Passwords may be sent: there is TLS, or an operator said so.
        append_limit: Octets of a message.
    """

    def __init__(
        self,
        *,
        plaintext_login: bool,
        append_limit: int,
        before_login: Limits = BEFORE_LOGIN,
        after_login: Limits = AFTER_LOGIN,
    ) -> None:
        self.state = State.NOT_AUTHENTICATED
        self.plaintext_login = plaintext_login
        self.dialect = PLAIN
        self._before_login, self._after_login = before_login, after_login
        self.append_limit = append_limit
        self._framer = Framer(before_login)
        self._incoming = Incoming(self._framer, append_limit)
        self._tag = NO_TAG
        self._pending: Event | None = None
        self._steps: Command | None = None  # the command that is answered after some steps
        self._home = State.NOT_AUTHENTICATED  # and where it began

    @property
    def tag(self) -> bytes:
        """The tag of the command that is answered next."""
        return self._tag

    @property
    def buffered(self) -> bool:
        """Whether octets are here that no event has been made of: STARTTLS forbids it."""
        return self._framer.buffered

    def receive(self, octets: bytes) -> None:
        """Take what came from the wire."""
        if self.state is not State.LOGOUT:
            self._framer.receive(octets)

    def next_event(self) -> Event | Need:
        """The next event, or what is needed first."""
        if self._pending is not None:
            return Need.REPLY
        match self.state:
            case State.LOGOUT:
                return Need.OCTETS
            case State.AUTHENTICATING | State.IDLE:
                event = self._next_line()
            case State.APPENDING:
                event = self._incoming.next_event()
            case _:
                event = self._next_command()
        if not isinstance(event, Need | WantsContinuation | AppendChunk):
            self._pending = event
        return event

    def reply(self, given: Answer) -> bytes:
        """Answer the last event; untagged responses are to be sent before."""
        event, self._pending = self._pending, None
        assert event is not None, "there is nothing to answer"
        command, home = (event, self.state) if self._steps is None else (self._steps, self._home)
        self._steps = None
        if self._incoming.announced:
            given = self._incoming.refuse(given)
        if given.condition is Condition.BYE:
            self.close()
            return given.octets()
        self.state = home
        kind = event.kind if isinstance(event, BadCommand) else _kind(command)
        if kind is not None:
            rows = {Condition.OK: AFTER, Condition.NO: AFTER_NO}.get(given.condition, {})
            self.state = rows.get(home, {}).get(kind) or home
            if self.state is not home:
                self._moved()
        return given.octets(self._tag)

    def _moved(self) -> None:
        """A command led to another state: what who is not logged in may send is little, and plain."""
        if self.state is State.NOT_AUTHENTICATED:
            self._framer.limits = self._before_login
            self.dialect = PLAIN
        else:
            self._framer.limits = self._after_login

    def challenge(self, octets: bytes) -> bytes:
        """Go on with AUTHENTICATE: what the mechanism says next."""
        self._begin(State.AUTHENTICATING)
        return b"+ %b\r\n" % b2a_base64(octets, newline=False)

    def go_ahead(self) -> bytes:
        """Go on with IDLE, or with APPEND or REPLACE: the message may come."""
        if not self._incoming.announced:
            self._begin(State.IDLE)
            return IDLING
        self._begin(State.APPENDING)
        return self._incoming.come()

    def secured(self) -> None:
        """TLS has begun; nothing that came before it counts (RFC 9051 section 6.2.1)."""
        self._framer.drop()
        self.plaintext_login = True

    def hand_over(self) -> bytes:
        """The octets behind the last command, which are compressed: not to be read as they are."""
        return self._framer.drop()

    def close(self) -> None:
        """Nothing more is read: a BYE was sent."""
        self.state = State.LOGOUT
        self._pending = self._steps = None
        self._incoming.forget()
        self._framer.drop()

    def _begin(self, state: State) -> None:
        event, self._pending = self._pending, None
        if isinstance(event, Authenticate | Idle | Append | Replace):
            self._steps, self._home = event, self.state
        assert self._steps is not None, "there is nothing to go on with"
        self.state = state

    def _next_command(self) -> Event | Need:
        while True:
            found = self._framer.next()
            match found:
                case None:
                    return Need.OCTETS
                case Fault():
                    self._tag = NO_TAG
                    return BadCommand(found.answer)
                case Announced():
                    self._tag = tag_of(found.parts[0]) or NO_TAG
                    event = self._announce(found)
                    if event is not None:
                        return event
                case Piece():
                    raise AssertionError("only a message is handed out")
                case _:
                    return self._judge(found)

    def _judge(self, parts: Parts) -> Event:
        kind: Kind | None = None
        try:
            head = head_of(parts[0])
            self._tag = head.tag
            if head.kind not in AFTER[self.state]:
                return BadCommand(NOT_HERE)
            kind = head.kind
            if head.by_number and self.dialect.uid_only:
                return BadCommand(UID_REQUIRED, kind)
            command = parse(parts, head, self.dialect)
        except BadSyntax as error:
            self._tag = tag_of(parts[0]) or NO_TAG
            return BadCommand(error.answer, kind)
        if not self.plaintext_login and (
            isinstance(command, Login)
            or (isinstance(command, Authenticate) and command.mechanism in _NEED_TLS)
        ):
            return BadCommand(NO_PLAINTEXT)
        return command

    def _announce(self, announced: Announced) -> Event | None:
        """Decide on a literal; None when it is simply read."""
        try:
            head = head_of(announced.parts[0])
            if head.kind not in AFTER[self.state]:
                raise BadSyntax(NOT_HERE)
            if head.by_number and self.dialect.uid_only:
                raise BadSyntax(UID_REQUIRED)
            if head.kind in _WITH_MESSAGE:
                command = self._incoming.begin(announced, head, self.dialect)
                return self._incoming.keep(announced) if command is None else command
            if head.kind is Login and not self.plaintext_login:  # before the password is sent
                raise BadSyntax(NO_PLAINTEXT)
            if not balanced(announced.parts[-1]):
                raise BadSyntax(BROKEN_QUOTES)
            return self._incoming.keep(announced, metadata=head.kind is SetMetadata)
        except BadSyntax as error:
            fault = self._framer.refuse()
            return BadCommand(error.answer if fault is None else fault.answer)

    def _next_line(self) -> Event | Need:
        line = self._framer.line()
        if line is None:
            return Need.OCTETS
        if isinstance(line, Fault):
            return BadCommand(line.answer)
        if self.state is State.IDLE:
            return Done() if line.upper() == b"DONE" else BadCommand(NOT_DONE)
        if line == b"*":
            return BadCommand(responses.CANCELLED)
        try:
            return SaslResponse(base64(line))
        except BadSyntax as error:
            return BadCommand(error.answer)


def _kind(event: Event) -> Kind:
    """The command's type; of what is none, a type that no table has."""
    return type(event)  # type: ignore[return-value]  # keys are looked up by it, and other types are not found
