"""SMTP and LMTP on the wire: one coroutine per connection around the sans-IO machine."""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from mailstead.delivery.reception import Reception, Recipient, Transaction
from mailstead.delivery.trace import Peer
from mailstead.errors import MailError, Reason
from mailstead.log import Log
from mailstead.mail.address import AddressError
from mailstead.mail.envelope import Envelope, RecipientOptions
from mailstead.net.listen import Gate
from mailstead.net.tls import ServerTls
from mailstead.net.wire import NEVER, TooLate, Wire
from mailstead.smtp import reply as replies
from mailstead.smtp.commands import JUNK, Bdat, Command, Hello, MailFrom, Plain, RcptTo
from mailstead.smtp.reply import FOR_REASON, Reply, reply
from mailstead.smtp.server import (
    BadCommand,
    BodyChunk,
    BodyEnd,
    Need,
    ServerConnection,
    State,
)

COMMAND_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7 asks for five minutes
STRESSED_SECONDS = 10.0
DATA_SECONDS = 180.0  # RFC 5321 section 4.5.3.2.5; and then as long as the slowest rate allows
DATA_RATE = 500.0  # octets a second
ERRORS, DELAYED_ERRORS = 20, 10
JUNK_BURST, JUNK_RATE = 100.0, 25.0  # junk commands at once, and a second
LINGER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """What the service is told of the settings."""

    hostname: str
    message_octets: int = 50 << 20
    recipients: int = 100


class Stopping(Protocol):
    """Whether the worker is on its way out."""

    def is_set(self) -> bool:
        """True once it is."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpService:
    """Everything a session needs that is not its own."""

    settings: SmtpSettings
    reception: Reception
    gate: Gate
    tls: ServerTls | None
    stopping: Stopping
    log: Log
    lmtp: bool = False

    async def serve(self, wire: Wire) -> None:
        """Serve one connection until it ends."""
        allowed = self.gate.enter(wire)
        session = _Session(self, wire)
        try:
            if allowed:
                await session.run()
            else:
                wire.write(replies.TOO_MANY_CONNECTIONS.octets())
                wire.close()
        except (TooLate, OSError):
            wire.abort()
        except Exception as error:
            # The top of a session: what we did not foresee ends it, and nothing else.
            self.log.error("smtp.session.failed", error=type(error).__name__, detail=str(error))
            wire.abort()
        finally:
            session.forget()
            self.gate.leave(wire)


class _Session:
    """One connection's dialogue."""

    def __init__(self, service: SmtpService, wire: Wire) -> None:
        self._service = service
        self._settings = service.settings
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._connection = ServerConnection(lmtp=service.lmtp, size_limit=service.settings.message_octets)
        self._hello = Hello("", extended=False)
        self._tls: str | None = None
        self._envelope: Envelope | None = None
        self._recipients: list[Recipient] = []
        self._transaction: Transaction | None = None
        self._failure: MailError | None = None
        self._data_begun = 0.0
        self._data_octets = 0
        self._errors = 0
        self._junk = JUNK_BURST
        self._junk_at = self._loop.time()

    def forget(self) -> None:
        """Let go of whatever transaction there was."""
        if self._transaction is not None:
            self._transaction.discard()
            self._transaction = None

    async def run(self) -> None:
        """The dialogue, from the greeting to the end."""
        wire, connection = self._wire, self._connection
        kind = "LMTP" if self._service.lmtp else "ESMTP"
        wire.write(reply(220, f"{self._settings.hostname} {kind} mailstead").octets())
        self._set_deadline()
        while True:
            event = connection.next_event()
            match event:
                case Need.OCTETS:
                    if connection.state is State.CLOSED:
                        wire.close()
                        return
                    if not await self._read():
                        return
                case BodyChunk():
                    self._push(event.octets)
                case Bdat():
                    self._begin()
                case BadCommand():
                    await self._bad(event)
                    if event.fatal:
                        await wire.linger(self._settings.message_octets, LINGER_SECONDS)
                        return
                case BodyEnd():
                    await self._end(event)
                case Plain.STARTTLS:
                    if not await self._start_tls():
                        return
                case Need.REPLY:
                    raise AssertionError("every event was answered")
                case _:
                    answer = await self._answer(event)
                    wire.write(connection.reply(answer))
                    if answer.code >= 500:  # what we cannot do now is not the peer's error
                        await self._count_error()
                    self._set_deadline()

    async def _read(self) -> bool:
        """Take the next octets from the wire; False when there are none any more."""
        if self._service.stopping.is_set() and self._transaction is None:
            self._wire.write(replies.SHUTTING_DOWN.octets())
            self._wire.close()
            return False
        try:
            await self._wire.drain()
            self._wire.idle = self._transaction is None
            octets = await self._wire.read()
            self._wire.idle = False
        except TooLate:
            stopping = self._service.stopping.is_set()
            last = replies.SHUTTING_DOWN if stopping else replies.TOO_SLOW
            self._wire.write(last.octets())
            self._wire.close()
            return False
        if not octets:
            self._wire.close()
            return False
        self._connection.receive(octets)
        return True

    def _set_deadline(self) -> None:
        """The whole command, or the whole message, must be here by then."""
        now = self._loop.time()
        if self._connection.state in (State.DATA, State.CHUNK):
            self._wire.deadline = self._data_begun + DATA_SECONDS + self._data_octets / DATA_RATE
        elif self._service.gate.stressed:
            self._wire.deadline = now + STRESSED_SECONDS
        else:
            self._wire.deadline = now + COMMAND_SECONDS

    async def _bad(self, event: BadCommand) -> None:
        self._wire.write(self._connection.reply(event.reply))
        if event.fatal:
            self.forget()
            return
        await self._count_error()

    async def _count_error(self) -> None:
        """A peer that keeps failing is slowed down, and then sent away."""
        self._errors += 1
        if self._errors >= ERRORS:
            self._wire.write(replies.TOO_MANY_ERRORS.octets())
            self._connection.state = State.CLOSED
        elif self._errors >= DELAYED_ERRORS:
            await self._wire.drain()
            await asyncio.sleep(1)

    def _noise(self) -> bool:
        """Whether a command that moves no mail was one too many."""
        now = self._loop.time()
        self._junk = min(JUNK_BURST, self._junk + (now - self._junk_at) * JUNK_RATE) - 1
        self._junk_at = now
        return self._junk < 0

    async def _answer(self, command: Command) -> Reply:
        if command in JUNK and self._noise():
            return replies.TOO_MUCH_NOISE
        match command:
            case Hello():
                self._hello = command
                self._reset()
                return self._greeting(command)
            case MailFrom():
                return self._mail(command)
            case RcptTo():
                return await self._rcpt(command)
            case Plain.DATA:
                return self._data()
            case Plain.RSET:
                self._reset()
                return replies.OK
            case Plain.NOOP:
                return replies.OK
            case Plain.VRFY:
                return replies.CANNOT_VERIFY
            case Plain.EXPN:
                return replies.NOT_IMPLEMENTED
            case Plain.HELP:
                return replies.HELP
            case Plain.QUIT:
                return replies.CLOSING
            case Plain.STARTTLS | Bdat():
                raise AssertionError("these are no commands to be answered here")

    def _reset(self) -> None:
        self.forget()
        self._envelope = None
        self._recipients = []
        self._failure = None

    def _greeting(self, hello: Hello) -> Reply:
        name = self._settings.hostname
        if not hello.extended:
            return reply(250, name)
        words = [
            name,
            "PIPELINING",
            f"SIZE {self._settings.message_octets}",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            "DSN",
            f"LIMITS RCPTMAX={self._settings.recipients}",
            "HELP",
        ]
        if self._service.tls is not None and self._tls is None:
            words.insert(1, "STARTTLS")
        return Reply(250, tuple(words))

    def _mail(self, command: MailFrom) -> Reply:
        try:
            self._service.reception.check_space(command.size)
        except MailError as error:
            return self._refused("smtp.mail.deferred", error)
        self._reset()
        self._envelope = Envelope(
            command.reverse_path, (), (), command.size, command.eight_bit, command.smtputf8,
            command.ret, command.envid,
        )  # fmt: skip
        return replies.SENDER_OK

    async def _rcpt(self, command: RcptTo) -> Reply:
        assert self._envelope is not None
        path = command.forward_path
        if len(self._recipients) >= self._settings.recipients:
            return replies.TOO_MANY_RECIPIENTS
        if not path.is_ascii() and not self._envelope.smtputf8:
            return replies.NEEDS_UTF8
        self._wire.deadline = NEVER
        try:
            found = await self._service.reception.recipient(path, self._envelope.size)
        except AddressError:
            return replies.BAD_RECIPIENT
        except MailError as error:
            return self._refused("smtp.rcpt.refused", error)
        self._recipients.append(found)
        options = RecipientOptions(command.notify, command.original_recipient)
        self._envelope = replace(
            self._envelope,
            forward_paths=(*self._envelope.forward_paths, path),
            options=(*self._envelope.options, options),
        )
        return replies.RECIPIENT_OK

    def _refused(self, event: str, error: MailError) -> Reply:
        if error.reason not in (Reason.NO_SUCH_RECIPIENT, Reason.RELAY_DENIED):
            self._service.log.warning(event, reason=error.reason.name, detail=str(error))
        return FOR_REASON[error.reason]

    def _data(self) -> Reply:
        self._begin()
        return replies.START_INPUT

    def _begin(self) -> None:
        """The message begins: its trace fields are its first octets."""
        self._data_begun = self._loop.time()
        if self._transaction is not None:  # a further BDAT of the same message
            return
        assert self._envelope is not None
        self._data_octets = 0
        self._transaction = self._service.reception.begin(self._envelope, self._peer(), self._recipients)

    def _peer(self) -> Peer:
        address, port = self._wire.peer
        kind = "LMTP" if self._service.lmtp else "ESMTP" if self._hello.extended else "SMTP"
        if self._envelope is not None and self._envelope.smtputf8:
            kind = f"UTF8{kind.removeprefix('E')}"
        return Peer(address, port, self._hello.name, self._tls, kind + ("S" if self._tls else ""))

    def _push(self, octets: bytes) -> None:
        self._data_octets += len(octets)
        self._set_deadline()
        if self._transaction is None or self._failure is not None:
            return
        try:
            self._transaction.push(octets)
        except MailError as error:
            self._failure = error
            self.forget()

    async def _end(self, event: BodyEnd) -> None:
        self._wire.deadline = NEVER
        if event.error is not None or self._failure is not None:
            given = event.error or FOR_REASON[self._failure.reason if self._failure else Reason.DAMAGED]
            answers = self._each(given) if event.last else [given]
            self._reset()
        elif event.last:
            answers = await self._deliver()
            self._reset()
            self._junk = JUNK_BURST
        else:
            answers = [reply(250, f"2.0.0 {self._data_octets} octets received")]
        self._wire.write(self._connection.reply(*answers))
        self._set_deadline()
        if answers[-1].code >= 500:
            await self._count_error()

    def _each(self, given: Reply) -> list[Reply]:
        return [given] * len(self._recipients) if self._service.lmtp else [given]

    async def _deliver(self) -> list[Reply]:
        assert self._transaction is not None
        lmtp = self._service.lmtp
        outcomes = await self._service.reception.deliver(self._transaction, each=lmtp)
        answers: list[Reply] = []
        for outcome in outcomes:
            if isinstance(outcome, str):
                answers.append(reply(250, f"2.0.0 stored as {outcome}"))
            else:
                answers.append(self._refused("smtp.message.refused", outcome))
        if lmtp:
            return answers
        return [next((a for a in answers if not a.positive), answers[0])]

    async def _start_tls(self) -> bool:
        """Answer STARTTLS (RFC 3207); False when the connection is over."""
        wire, connection, tls = self._wire, self._connection, self._service.tls
        if tls is None or self._tls is not None:
            wire.write(connection.reply(replies.NO_TLS if tls is None else replies.BAD_SEQUENCE))
            await self._count_error()
            return True
        if connection.buffered or wire.unread:
            # Octets sent before the handshake, to be taken for octets inside of it.
            wire.abort()
            return False
        wire.write(connection.reply(replies.READY_FOR_TLS))
        wire.deadline = NEVER  # the handshake has its own
        await wire.start_tls(tls.context)
        self._tls = wire.tls_description()
        self._hello = Hello("", extended=False)
        self._reset()
        self._set_deadline()
        return True
