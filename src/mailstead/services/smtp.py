"""SMTP and LMTP on the wire: one coroutine per connection around the sans-IO machine."""

import asyncio
from dataclasses import dataclass, field

from mailstead.accounts.logins import Logins
from mailstead.delivery.reception import Reception
from mailstead.delivery.trace import Peer
from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.net.listen import Gate
from mailstead.net.tls import ServerTls
from mailstead.net.wire import NEVER, TooLate, Wire
from mailstead.services.counted import Counted, tls_version
from mailstead.services.dialogue import Host, begin_tls
from mailstead.services.mailtransaction import MailTransaction, SmtpSettings
from mailstead.services.stopping import Stopping
from mailstead.services.submission import Submitter
from mailstead.smtp import reply as replies
from mailstead.smtp.commands import JUNK, Auth, Bdat, Command, Hello, MailFrom, Plain, RcptTo
from mailstead.smtp.reply import Reply, extensions, reply
from mailstead.smtp.server import (
    AuthResponse,
    BadCommand,
    BodyChunk,
    BodyEnd,
    Event,
    Need,
    ServerConnection,
    State,
)

COMMAND_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7 asks for five minutes
DATA_SECONDS = 180.0  # RFC 5321 section 4.5.3.2.5; and then as long as the slowest rate allows
DATA_RATE = 500.0  # octets a second
ERRORS, DELAYED_ERRORS = 20, 10
JUNK_BURST, JUNK_RATE = 100.0, 25.0  # junk commands at once, and a second
TINY_OCTETS = 64  # a chunk of a message that is smaller moves no mail
LINGER_SECONDS = 30.0


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
    logins: Logins | None = None  # submission: only for who is logged in
    implicit: bool = False  # TLS began with the connection
    plaintext: bool = False
    listener: str = "smtp"  # its name in the settings
    metrics: Metrics = field(default_factory=Metrics)

    async def serve(self, wire: Wire) -> None:
        """Serve one connection until it ends."""
        full = replies.TOO_MANY_CONNECTIONS.octets()
        host = Host(self.gate, self.log, full, "smtp.session.failed", self.metrics.smtp_sessions, self._count)
        await host.serve(wire, _Session(self, wire))

    def _count(self, accepted: bool) -> None:
        self.metrics.smtp_connections.add(self.listener, "accepted" if accepted else "refused")


class _Session:
    """One connection's dialogue."""

    def __init__(self, service: SmtpService, wire: Wire) -> None:
        self._service = service
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        settings = service.settings
        self._connection = ServerConnection(lmtp=service.lmtp, size_limit=settings.message_octets)
        counted = Counted(service.metrics, "in" if service.logins is None else "submission")
        self._mail = MailTransaction(settings, service.reception, service.log, counted, lmtp=service.lmtp)
        self._hello = Hello("", extended=False)
        self._tls: str | None = None
        self._submitter: Submitter | None = None
        if service.logins is not None:
            self._submitter = Submitter(service.logins, service.log, wire, self._encrypted)
        self._data_begun = 0.0
        self._errors = 0
        self._tiny = False
        self._junk = JUNK_BURST
        self._junk_at = self._loop.time()

    def _encrypted(self) -> bool:
        return self._tls is not None or self._service.plaintext

    def secured(self) -> None:
        """TLS has begun; nothing that came before it counts (RFC 3207 section 4.2)."""
        self._tls = self._wire.tls_description()
        self._service.metrics.smtp_tls.add(tls_version(self._tls))
        self._hello = Hello("", extended=False)
        if self._submitter is not None:
            self._submitter.forget()
        self.forget()

    def forget(self) -> None:
        """Let go of whatever transaction there was."""
        self._mail.reset()

    def greet(self) -> None:
        """Say who is here."""
        if self._service.implicit:
            self.secured()
        kind = "LMTP" if self._service.lmtp else "ESMTP"
        greeting = reply(220, f"{self._service.settings.hostname} {kind} mailstead")
        self._wire.write(greeting.octets())
        self._set_deadline()

    async def step(self) -> bool:
        """Deal with one event; False when the connection is over."""
        event = self._connection.next_event()
        return await self._read() if event is Need.OCTETS else await self._deal_with(event)

    async def _deal_with(self, event: Event | Need) -> bool:
        """Do what *event* asks for; False when the connection is over."""
        match event:
            case BodyChunk():
                if not event.octets:  # a chunk begins of which nothing will be taken
                    self._data_begun = self._loop.time()
                self._mail.push(event.octets)
                self._set_deadline()
            case Bdat():
                self._tiny = event.octets < TINY_OCTETS and not event.last
                self._begin()
            case BodyEnd():
                await self._end(event)
            case BadCommand(fatal=True):
                self._wire.write(self._connection.reply(event.reply))
                self._mail.cut_off(event.reply)
                await self._wire.linger(self._service.settings.message_octets, LINGER_SECONDS)
                return False
            case BadCommand():
                await self._say(event.reply)
            case Plain.STARTTLS:
                return await self._start_tls()
            case Need():
                raise AssertionError("every event was answered")
            case _:
                await self._say(await self._answer(event))
                self._set_deadline()
        return True

    async def _say(self, *answers: Reply) -> None:
        """Answer the last event. What the peer did wrong counts; what we cannot do now does not."""
        self._wire.write(self._connection.reply(*answers))
        if answers[-1].code < 500:
            return
        self._errors += 1
        if self._errors >= ERRORS:
            self._wire.write(replies.TOO_MANY_ERRORS.octets())
            self._connection.state = State.CLOSED
        elif self._errors >= DELAYED_ERRORS:
            await self._wire.drain()
            await asyncio.sleep(1)

    async def _read(self) -> bool:
        """Take the next octets from the wire; False when there are none any more."""
        wire, stopping = self._wire, self._service.stopping
        if self._connection.state is State.CLOSED:
            wire.close()
            return False
        if stopping.is_set() and not self._mail.begun:
            wire.write(replies.SHUTTING_DOWN.octets())
            wire.close()
            return False
        try:
            await wire.drain()
            wire.idle = not self._mail.begun
            octets = await wire.read()
            wire.idle = False
        except TooLate:
            last = replies.SHUTTING_DOWN if stopping.is_set() else replies.TOO_SLOW
            wire.write(last.octets())
            wire.close()
            return False
        if not octets:
            wire.close()
            return False
        self._connection.receive(octets)
        return True

    def _set_deadline(self) -> None:
        """The whole command, or the whole message, must be here by then."""
        if self._connection.state in (State.DATA, State.CHUNK):
            self._wire.deadline = self._data_begun + DATA_SECONDS + self._mail.octets / DATA_RATE
        else:
            self._wire.deadline = self._loop.time() + COMMAND_SECONDS

    def _noise(self) -> bool:
        """Whether a command that moves no mail was one too many."""
        now = self._loop.time()
        self._junk = min(JUNK_BURST, self._junk + (now - self._junk_at) * JUNK_RATE) - 1
        self._junk_at = now
        return self._junk < 0

    async def _answer(self, command: Command | AuthResponse) -> Reply:
        if (command in JUNK or isinstance(command, Hello)) and self._noise():
            return replies.TOO_MUCH_NOISE
        match command:
            case Hello():
                self._hello = command
                self.forget()
                return self._greeting(command)
            case MailFrom():
                refusal = None if self._submitter is None else await self._submitter.refusal(command)
                return refusal or self._mail.mail(command)
            case Auth() | AuthResponse():
                if self._submitter is None:
                    return replies.NOT_IMPLEMENTED
                self._wire.deadline = NEVER
                return await self._submitter.authenticate(command)
            case RcptTo():
                self._wire.deadline = NEVER  # it is we who take the time
                return await self._mail.rcpt(command)
            case Plain.DATA:
                self._begin()
                return replies.START_INPUT
            case Plain.RSET:
                self.forget()
                return replies.OK
            case _:
                return _ANSWERS[command]

    def _greeting(self, hello: Hello) -> Reply:
        settings = self._service.settings
        if not hello.extended:
            return reply(250, settings.hostname)
        return extensions(
            settings.hostname, settings.message_octets, settings.recipients,
            starttls=self._service.tls is not None and self._tls is None,
            others=() if self._submitter is None else self._submitter.words,
        )  # fmt: skip

    def _begin(self) -> None:
        """DATA was accepted, or a chunk announced: its octets have a deadline of their own."""
        self._data_begun = self._loop.time()
        self._mail.begin(self._peer())

    def _peer(self) -> Peer:
        address, port = self._wire.peer
        kind = "LMTP" if self._service.lmtp else "ESMTP" if self._hello.extended else "SMTP"
        if self._mail.smtputf8:
            kind = f"UTF8{kind.removeprefix('E')}"
        known = "A" if self._submitter is not None else ""  # RFC 3848
        return Peer(address, port, self._hello.name, self._tls, kind + ("S" if self._tls else "") + known)

    async def _end(self, event: BodyEnd) -> None:
        if self._tiny and not event.last and self._noise():
            self.forget()
            await self._say(replies.TOO_MUCH_NOISE)
            return
        self._wire.deadline = NEVER
        answers = await self._mail.finish(event.error, last=event.last)
        if answers[-1].positive and event.last:
            self._junk = JUNK_BURST
        await self._say(*answers)
        self._set_deadline()

    async def _start_tls(self) -> bool:
        """Answer STARTTLS (RFC 3207); False when the connection is over."""
        tls = self._service.tls
        if tls is None or self._tls is not None:
            await self._say(replies.NO_TLS if tls is None else replies.BAD_SEQUENCE)
            return True
        if not await begin_tls(
            self._wire, self._connection, tls, lambda: self._connection.reply(replies.READY_FOR_TLS)
        ):
            return False
        self.secured()
        self._set_deadline()
        return True


_ANSWERS: dict[Command | AuthResponse, Reply] = {
    Plain.NOOP: replies.OK,
    Plain.VRFY: replies.CANNOT_VERIFY,
    Plain.EXPN: replies.NOT_IMPLEMENTED,
    Plain.HELP: replies.HELP,
    Plain.QUIT: replies.CLOSING,
}
