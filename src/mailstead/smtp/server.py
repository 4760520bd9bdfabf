"""The server's side of one SMTP or LMTP connection (RFC 5321, RFC 2033), without I/O.

Rule 1: which command is legal when, and what it leads to, is in AFTER and nowhere else.
Rule 2: a state changes only when the reply is positive.
Rule 3: nothing is parsed while a reply is owed, nor after a fatal error.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from mailstead.smtp import reply as replies
from mailstead.smtp.body import ChunkReader, DotReader
from mailstead.smtp.commands import Auth, Bdat, Command, Hello, MailFrom, Plain, RcptTo, auth_response, parse
from mailstead.smtp.reply import Reply

COMMAND_OCTETS = 2048  # a longer line is refused; RFC 5321 section 4.5.3.1.4 asks for 512
ENDLESS_OCTETS = 8192  # without a line end: the connection is given up


class State(Enum):
    """Where a connection is in the dialogue."""

    CONNECTED = auto()
    READY = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()  # the octets behind 354
    CHUNKS = auto()  # between BDAT chunks of one message
    CHUNK = auto()  # the octets of one chunk
    AUTH = auto()  # between the lines of an AUTH exchange
    CLOSED = auto()


_Key = type[Hello | MailFrom | RcptTo | Bdat | Auth] | Plain
_ANYWHERE: dict[_Key, State | None] = {
    Plain.NOOP: None,
    Plain.HELP: None,
    Plain.VRFY: None,
    Plain.EXPN: None,
    Plain.QUIT: State.CLOSED,
}
_IN_SESSION: dict[_Key, State | None] = {**_ANYWHERE, Hello: State.READY, Plain.RSET: State.READY}
# For each state the commands that are legal in it, and the state after a positive reply (None: the same).
AFTER: dict[State, dict[_Key, State | None]] = {
    State.CONNECTED: {**_ANYWHERE, Hello: State.READY, Plain.RSET: None},
    State.READY: {
        **_IN_SESSION,
        MailFrom: State.MAIL,
        Plain.STARTTLS: State.CONNECTED,
        Auth: None,
    },
    State.MAIL: {**_IN_SESSION, RcptTo: State.RCPT},
    State.RCPT: {**_IN_SESSION, RcptTo: State.RCPT, Plain.DATA: State.DATA, Bdat: State.CHUNKS},
    State.CHUNKS: {**_IN_SESSION, Bdat: State.CHUNKS},
    State.DATA: {},
    State.CHUNK: {},
    State.AUTH: {},
    State.CLOSED: {},
}


class Need(Enum):
    """What must happen before the next event."""

    OCTETS = auto()
    REPLY = auto()


@dataclass(frozen=True, slots=True)
class BadCommand:
    """A line that is no legal command here; answer with *reply*. Fatal: and then hang up."""

    reply: Reply
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class BodyChunk:
    """Octets of the message, as they will be stored."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """The message, or a chunk that is not the last, is complete; answer it.

    Args:
        last: The message ends here; LMTP answers for each recipient (RFC 2033 sections 4.2, 4.3).
        error: Why it cannot be taken, whatever delivery would say.
    """

    last: bool
    error: Reply | None = None


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """What the client says in an AUTH exchange; answer it."""

    octets: bytes = field(repr=False)


Event = Command | BadCommand | BodyChunk | BodyEnd | AuthResponse


class ServerConnection:
    """Turns octets into events, and replies into octets.

    Args:
        size_limit: Octets of a message; more are counted and dropped.
    """

    def __init__(self, *, lmtp: bool, size_limit: int) -> None:
        self.state = State.CONNECTED
        self._lmtp = lmtp
        self._nobody = replies.NO_VALID_RECIPIENTS_LMTP if lmtp else replies.NO_VALID_RECIPIENTS
        self._size_limit = size_limit
        self._buffer = b""
        self._pending: Event | None = None
        self._dots: DotReader | None = None
        self._chunks: ChunkReader | None = None
        self._chunk_left = 0
        self._chunk_last = False
        self._chunk_error: Reply | None = None
        self._size = 0
        self._greeted = False

    @property
    def buffered(self) -> bool:
        """Whether octets are here that no event has been made of: STARTTLS forbids it."""
        return bool(self._buffer)

    def receive(self, octets: bytes) -> None:
        """Take what came from the wire."""
        self._buffer += octets

    def next_event(self) -> Event | Need:
        """The next event, or what is needed first."""
        if self._pending is not None:
            return Need.REPLY
        match self.state:
            case State.CLOSED:
                self._buffer = b""
                return Need.OCTETS
            case State.DATA:
                event = self._next_of_data()
            case State.CHUNK:
                event = self._next_of_chunk()
            case _:
                event = self._next_command()
        if isinstance(event, BodyChunk | Need | Bdat):
            return event
        self._pending = event
        return event

    def reply(self, *given: Reply) -> bytes:
        """Answer the last event; LMTP answers the end of a message once for each recipient."""
        event, self._pending = self._pending, None
        assert event is not None, "there is nothing to answer"
        match event:
            case BodyEnd(last=True) | BodyEnd(error=Reply()):
                self._reset(State.READY if self._greeted else State.CONNECTED)
            case BodyEnd():
                self.state = State.CHUNKS
            case BadCommand(fatal=True):
                self.state = State.CLOSED
            case Auth() | AuthResponse():
                self.state = State.AUTH if given[-1].code == 334 else State.READY
            case BadCommand():
                if self.state is State.AUTH:
                    self.state = State.READY
            case BodyChunk():
                pass
            case _:
                self._after(event, given[-1])
        if given[-1].code == 421:
            self.state = State.CLOSED
        return b"".join(r.octets() for r in given)

    def _after(self, command: Command, given: Reply) -> None:
        if not given.positive:
            return
        target = AFTER[self.state][_key(command)]
        if target is None:
            return
        if target in (State.READY, State.CONNECTED):
            self._reset(target)
            self._greeted = target is State.READY
        elif target is State.DATA:
            self._dots, self._size = DotReader(), 0
        self.state = target

    def _reset(self, state: State) -> None:
        self.state = state
        self._dots = self._chunks = None
        self._size = 0

    def _next_command(self) -> Event | Need:
        end = self._buffer.find(b"\n")
        if end < 0:
            bare = self._buffer.find(b"\r", 0, len(self._buffer) - 1)
            if bare >= 0:
                return BadCommand(replies.BARE_LINE_END, fatal=True)
            if len(self._buffer) > ENDLESS_OCTETS:
                return BadCommand(replies.LINE_TOO_LONG, fatal=True)
            return Need.OCTETS
        line = self._buffer[:end]
        if not line.endswith(b"\r") or line.find(b"\r") != end - 1:
            return BadCommand(replies.BARE_LINE_END, fatal=True)
        if end >= ENDLESS_OCTETS:
            return BadCommand(replies.LINE_TOO_LONG, fatal=True)
        self._buffer = self._buffer[end + 1 :]
        if self.state is State.AUTH:
            response = auth_response(line[:-1])
            return BadCommand(response) if isinstance(response, Reply) else AuthResponse(response)
        if end >= COMMAND_OCTETS:
            return BadCommand(replies.LINE_TOO_LONG)
        return self._judge(parse(line[:-1], lmtp=self._lmtp, size_limit=self._size_limit))

    def _judge(self, parsed: Command | Reply) -> Event:
        if isinstance(parsed, Reply):
            return BadCommand(parsed)
        legal = _key(parsed) in AFTER[self.state]
        if isinstance(parsed, Bdat):
            return self._begin_chunk(parsed, legal=legal)
        if not legal:
            nobody = parsed is Plain.DATA and self.state is State.MAIL
            return BadCommand(self._nobody if nobody else replies.BAD_SEQUENCE)
        return parsed

    def _next_of_data(self) -> Event | Need:
        assert self._dots is not None
        if not self._buffer:
            return Need.OCTETS
        content, self._buffer = self._dots.take(self._buffer)
        if self._dots.bad:
            return BadCommand(replies.BAD_OCTET, fatal=True)
        self._size += len(content)
        if self._size > 2 * self._size_limit + (1 << 20):
            return BadCommand(replies.TOO_LARGE, fatal=True)
        if content and self._size <= self._size_limit:
            if self._dots.ended:
                # The end is told by the next call; what is behind it stays where it is.
                self.state = State.CHUNK
                self._chunk_left, self._chunk_last, self._chunk_error = 0, True, None
            return BodyChunk(content)
        if self._dots.ended:
            too_large = self._size > self._size_limit
            return BodyEnd(last=True, error=replies.TOO_LARGE if too_large else None)
        return self._next_of_data()

    def _begin_chunk(self, command: Bdat, *, legal: bool) -> Event:
        """The chunk's octets are read whatever is wrong with the command (RFC 3030 section 2)."""
        self._chunk_error = None
        if not legal:
            self._chunk_error = self._nobody if self.state is State.MAIL else replies.BAD_SEQUENCE
        elif self._size + command.octets > self._size_limit:
            self._chunk_error = replies.TOO_LARGE
        if command.octets > self._size_limit:
            return BadCommand(replies.TOO_LARGE, fatal=True)  # not even to be thrown away
        if self._chunks is None:
            self._chunks = ChunkReader()
        self._chunk_left, self._chunk_last = command.octets, command.last
        self.state = State.CHUNK
        # An illegal chunk is no event of its own: its octets are dropped, and its end answered.
        return command if self._chunk_error is None else BodyChunk(b"")

    def _next_of_chunk(self) -> Event | Need:
        if self._chunk_left and not self._buffer:
            return Need.OCTETS
        octets = self._buffer[: self._chunk_left]
        if octets:
            self._buffer = self._buffer[len(octets) :]
            self._chunk_left -= len(octets)
            if self._chunk_error is not None or self._chunks is None:
                return self._next_of_chunk()
            self._size += len(octets)
            last = self._chunk_last and not self._chunk_left
            content = self._chunks.take(octets, last=last)
            if self._chunks.bad:
                self._chunk_error = replies.BAD_OCTET_CHUNK
                return self._next_of_chunk()
            return BodyChunk(content)
        if self._dots is None and self._chunks is not None and self._chunk_last:
            self._chunks.take(b"", last=True)  # a CR that no LF followed
            if self._chunks.bad and self._chunk_error is None:
                self._chunk_error = replies.BAD_OCTET_CHUNK
        return BodyEnd(self._chunk_last, self._chunk_error)


def _key(command: Command) -> _Key:
    return command if isinstance(command, Plain) else type(command)
