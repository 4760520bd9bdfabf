"""The server's side of one POP3 connection (RFC 1939 section 3), without I/O.

One command at a time: nothing is read while a response is owed.
"""

from binascii import b2a_base64
from enum import Enum, auto

from mailstead.pop3 import responses
from mailstead.pop3.commands import (
    Auth,
    Capa,
    Command,
    Dele,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    base64,
    parse,
)
from mailstead.pop3.responses import BadSyntax, Response

LINE_OCTETS = 2048  # RFC 2449 asks for 255; a password may have 1,024
SASL_OCTETS = 12_288  # RFC 5034 section 4


class State(Enum):
    """Where a connection is (RFC 1939 section 3; UPDATE takes no commands)."""

    AUTHORIZATION = auto()
    AUTHENTICATING = auto()
    TRANSACTION = auto()
    CLOSED = auto()


class Need(Enum):
    """What is needed before there is an event."""

    OCTETS = auto()
    RESPONSE = auto()


class BadCommand:
    """A line that is answered as it stands."""

    __slots__ = ("response",)

    def __init__(self, response: Response) -> None:
        self.response = response


class SaslResponse:
    """The response to a challenge."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets


Event = Command | BadCommand | SaslResponse

# Which commands a state takes, and the state after each that is answered with +OK.
_AFTER: dict[State, dict[type, State]] = {
    State.AUTHORIZATION: {
        User: State.AUTHORIZATION,
        Pass: State.TRANSACTION,
        Auth: State.TRANSACTION,
        Capa: State.AUTHORIZATION,
        Stls: State.AUTHORIZATION,
        Utf8: State.AUTHORIZATION,
        Quit: State.CLOSED,
    },
    State.AUTHENTICATING: {SaslResponse: State.TRANSACTION},
    State.TRANSACTION: dict.fromkeys((Stat, List, Uidl, Retr, Top, Dele, Noop, Rset, Capa), State.TRANSACTION)
    | {Quit: State.CLOSED},
    State.CLOSED: {},
}


class ServerConnection:
    """Turns octets into events, and responses into octets.

    Args:
        plaintext_login: Passwords may be sent: there is TLS, or an operator said so.
    """

    def __init__(self, *, plaintext_login: bool) -> None:
        self.state = State.AUTHORIZATION
        self.plaintext_login = plaintext_login
        self._received = bytearray()
        self._skipping = False  # the rest of a line that was too long
        self._pending: Event | None = None
        self._user: bytes | None = None

    @property
    def buffered(self) -> bool:
        """Whether octets are here that no event has been made of: STLS forbids it."""
        return bool(self._received)

    @property
    def user(self) -> bytes:
        """Whom USER named."""
        assert self._user is not None, "PASS comes behind USER"
        return self._user

    def receive(self, octets: bytes) -> None:
        """Take what came from the wire."""
        if self.state is not State.CLOSED:
            self._received += octets

    def next_event(self) -> Event | Need:
        """The next event, or what is needed first."""
        if self._pending is not None:
            return Need.RESPONSE
        if self.state is State.CLOSED:
            return Need.OCTETS
        line = self._next_line()
        if line is None:
            return Need.OCTETS
        self._pending = line if isinstance(line, BadCommand) else self._judge(line)
        return self._pending

    def respond(self, response: Response) -> bytes:
        """Answer the last event; what else its response has is sent behind."""
        event, self._pending = self._pending, None
        assert event is not None, "there is nothing to answer"
        home = State.AUTHORIZATION if self.state is State.AUTHENTICATING else self.state
        after = _AFTER[self.state].get(type(event))
        if isinstance(event, Auth) and event.mechanism is None:  # it only asked which there are
            after = home
        self.state = after if after is not None and response.positive else home
        if isinstance(event, User) and response.positive:
            self._user = event.name
        elif not isinstance(event, Capa):
            self._user = None  # PASS comes right behind USER
        if isinstance(event, Quit):
            self.close()
        return response.octets()

    def challenge(self, octets: bytes) -> bytes:
        """Go on with AUTH: what the mechanism says next."""
        assert isinstance(self._pending, Auth | SaslResponse)
        self._pending = None
        self.state = State.AUTHENTICATING
        return b"+ %b\r\n" % b2a_base64(octets, newline=False)

    def secured(self) -> None:
        """TLS has begun; nothing that came before it counts (RFC 2595 section 4)."""
        self._received.clear()
        self._user = None
        self.plaintext_login = True

    def close(self) -> None:
        """Nothing more is read."""
        self.state = State.CLOSED
        self._pending = None
        self._received.clear()

    def _next_line(self) -> bytes | BadCommand | None:
        limit = SASL_OCTETS if self.state is State.AUTHENTICATING else LINE_OCTETS
        while True:
            end = self._received.find(b"\n", 0, limit)
            if end < 0:
                if len(self._received) < limit:
                    return None
                self._skipping = True
                last = self._received.find(b"\n")
                del self._received[: last if last >= 0 else len(self._received)]
                continue
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            if self._skipping:
                self._skipping = False
                return BadCommand(responses.TOO_LONG)
            if not line.endswith(b"\r") or b"\r" in line[:-1]:
                return BadCommand(responses.BARE_LF)
            return line[:-1]

    def _judge(self, line: bytes) -> Event:
        try:
            if self.state is State.AUTHENTICATING:
                return BadCommand(responses.CANCELLED) if line == b"*" else SaslResponse(base64(line))
            command = parse(line)
        except BadSyntax as error:
            return BadCommand(responses.err(str(error)))
        if type(command) not in _AFTER[self.state] or (isinstance(command, Pass) and self._user is None):
            return BadCommand(responses.NOT_NOW)
        if isinstance(command, User | Pass | Auth) and not self.plaintext_login:
            return BadCommand(responses.NO_PLAINTEXT)
        return command
