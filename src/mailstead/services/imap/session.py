"""One IMAP connection: the dialogue around the sans-IO machine (RFC 9051 section 3).

What came in between is told before the answer to a command, as far as the protocol allows it then.
"""

import asyncio
from dataclasses import dataclass, field

from mailstead.accounts.logins import Logins
from mailstead.clock import ticks
from mailstead.delivery.appending import Appending
from mailstead.errors import MailError, Reason, UnsealError
from mailstead.imap import append, replace, session
from mailstead.imap import responses as answers
from mailstead.imap.capability import Offer
from mailstead.imap.commands import Command
from mailstead.imap.events import (
    AppendChunk,
    AppendEnd,
    AppendNext,
    BadCommand,
    Event,
    Need,
    SaslResponse,
    WantsContinuation,
)
from mailstead.imap.notify import UNASKED
from mailstead.imap.responses import FOR_REASON, Answer, Condition, ok
from mailstead.imap.server import ServerConnection
from mailstead.imap.state import State
from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.net.deflate import Garbled
from mailstead.net.listen import Gate
from mailstead.net.tls import ServerTls
from mailstead.net.wire import NEVER, TooLate, Wire
from mailstead.services.dialogue import Host, begin_tls
from mailstead.services.imap.append import Upload
from mailstead.services.imap.compress import switch
from mailstead.services.imap.context import Context, CutOff
from mailstead.services.imap.handlers import HANDLERS, NAMES
from mailstead.services.imap.login import LOGIN_SECONDS, Entrance
from mailstead.services.imap.updating import tell, tell_after
from mailstead.services.stopping import Stopping

CROWDED_SECONDS = 10.0  # and in a crowd
IDLE_SECONDS = 31 * 60.0  # RFC 9051 section 5.4 asks for 30 minutes at least, whatever the crowd
ERRORS, DELAYED_ERRORS = 20, 5
LARGE_ONES = 2
_FAILED_LOGINS = (answers.LOGIN_FAILED, answers.SCRAM_FAILED)
_ASKING = (State.AUTHENTICATED, State.SELECTED)


@dataclass(frozen=True, slots=True)
class ImapService:
    """Everything a session needs that is not its own.

    Args:
        implicit: TLS began with the connection.
        plaintext: Passwords may come without TLS.
        hostname: Of this server.
        large_ones: How many large messages may be searched at once.
    """

    message_octets: int
    logins: Logins
    appending: Appending
    gate: Gate
    tls: ServerTls | None
    stopping: Stopping
    log: Log
    implicit: bool = False
    plaintext: bool = False
    hostname: str = ""
    large_ones: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_ONES))
    metrics: Metrics = field(default_factory=Metrics)

    async def serve(self, wire: Wire) -> None:
        """Serve one connection until it ends."""
        full = answers.TOO_MANY_CONNECTIONS.octets()
        host = Host(self.gate, self.log, full, "imap.session.failed", self.metrics.imap_sessions)
        await host.serve(wire, Session(self, wire))


class Session:
    """One connection's dialogue."""

    def __init__(self, service: ImapService, wire: Wire) -> None:
        self._service = service
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._secure = service.implicit
        self._connection = ServerConnection(
            plaintext_login=service.implicit or service.plaintext, append_limit=service.message_octets
        )
        self._context = Context(wire, self._connection, service.large_ones)
        self._entrance = Entrance(self._context, service.logins, service.log, self._revoked)
        self._upload = Upload(self._context, service.appending, service.message_octets, service.hostname)
        self._errors = 0
        self._context.until = self._loop.time() + LOGIN_SECONDS

    def forget(self) -> None:
        """The connection is over."""
        self._upload.discard()
        self._entrance.sasl.drop()
        self._context.leave()

    def _revoked(self) -> None:
        """The way in is gone: at once, or as soon as a response that was begun is cut off."""
        if self._context.busy:
            self._wire.abort()
        else:
            self._wire.write(answers.LOGIN_REVOKED.octets())
            self._wire.close()

    def _offer(self) -> Offer:
        return Offer(
            logged_in=self._context.account is not None,
            starttls=self._service.tls is not None and not self._secure,
            plaintext_login=self._connection.plaintext_login,
            append_limit=self._connection.append_limit,
            mechanisms=self._entrance.sasl.mechanisms,
            compressing=self._wire.compressing,
        )

    def greet(self) -> None:
        """Say who is here, and what he can do."""
        self._wire.write(ok("mailstead ready", self._offer().code()).octets())

    async def step(self) -> bool:
        """Deal with one event; False when the connection is over."""
        event = self._connection.next_event()
        try:
            return await self._read() if event is Need.OCTETS else await self._deal_with(event)
        except CutOff as cut:
            self._service.log.warning("imap.response.cut", detail=str(cut.__cause__))
            if isinstance(cut.__cause__, UnsealError):
                self._service.metrics.open_failures.add("imap")
            self._wire.abort()
            return False

    async def _read(self) -> bool:
        """Take the next octets from the wire; False when there are none any more."""
        wire, context = self._wire, self._context
        if self._connection.state is State.LOGOUT:
            wire.close()
            return False
        if self._service.stopping.is_set() and self._connection.state is not State.APPENDING:
            return self._say_goodbye(answers.SHUTTING_DOWN)
        self._set_deadline()
        if self._loop.time() > wire.deadline:
            return self._say_goodbye(answers.TOO_SLOW)
        try:
            await wire.drain()
            context.busy, wire.idle = False, self._connection.state is not State.APPENDING
            octets = await wire.read_or_nudge(nudged=self._listens)
        except TooLate:
            stopping = self._service.stopping.is_set()
            return self._say_goodbye(answers.SHUTTING_DOWN if stopping else answers.TOO_SLOW)
        except Garbled:
            wire.write(answers.GARBLED.octets())
            await wire.linger(self._service.message_octets, 30.0)
            return False
        finally:
            context.busy, wire.idle = True, False
        if octets is None:
            expunges = self._connection.state is State.IDLE or context.notify.at_once
            await tell(context, self._service.log, expunges=expunges)
            return True
        if not octets:
            wire.close()
            return False
        self._connection.receive(octets)
        return True

    @property
    def _listens(self) -> bool:
        """Whether the client is told of news while it asks for nothing."""
        state = self._connection.state
        return state is State.IDLE or (self._context.notify is not UNASKED and state in _ASKING)

    def _say_goodbye(self, last: Answer) -> bool:
        self._wire.write(last.octets())
        self._wire.close()
        return False

    def _set_deadline(self) -> None:
        if self._context.account is None:
            self._wire.deadline = self._context.until
            self._wire.hurry = LOGIN_SECONDS - CROWDED_SECONDS
        elif self._connection.state is State.APPENDING:
            self._wire.deadline = self._upload.deadline
        else:
            self._wire.deadline = self._loop.time() + IDLE_SECONDS
            self._wire.hurry = 0.0

    async def _deal_with(self, event: Event | Need) -> bool:
        """Do what *event* asks for; False when the connection is over."""
        self._wire.deadline = NEVER  # it is we who take the time
        match event:
            case WantsContinuation():
                self._wire.write(event.octets)
            case AppendChunk():
                self._upload.push(event.octets)
            case BadCommand():
                self._upload.discard()
                await self._answer(event.reply)
                if event.fatal:
                    await self._wire.linger(self._service.message_octets, 30.0)
                    return False
            case session.StartTls():
                return await self._start_tls()
            case session.Idle():
                await tell(self._context, self._service.log, expunges=True)
                self._wire.write(self._connection.go_ahead())
            case Need():
                raise AssertionError("every event was answered")
            case _:
                await self._try(event)
        return True

    async def _try(self, event: Command | SaslResponse | AppendNext | AppendEnd) -> None:
        """Answer a command, whatever becomes of it."""
        began, metrics = ticks(), self._service.metrics
        try:
            answer = await self._handle(event)
        except MailError as error:
            if error.reason in (Reason.DAMAGED, Reason.NOT_AS_LEFT, Reason.STORAGE_UNAVAILABLE):
                self._service.log.warning("imap.command.failed", reason=error.reason.name, detail=str(error))
            answer = FOR_REASON[error.reason]
        except UnsealError as error:
            self._service.log.error("imap.command.damaged", detail=str(error))
            answer = FOR_REASON[Reason.DAMAGED]
        if answer is None:
            return
        if answer is FOR_REASON[Reason.DAMAGED]:
            metrics.open_failures.add("imap")
        self._upload.discard()  # of an APPEND that failed before its end
        await tell_after(event, self._context, self._service.log)
        metrics.imap_command.observe(ticks() - began, NAMES[type(event)])
        await self._answer(answer)
        switch(self._context, event, answer)

    async def _answer(self, answer: Answer) -> None:
        octets = self._connection.reply(answer)
        if self._connection.state is State.AUTHENTICATED:
            self._context.deselect()
        await self._context.send(octets)
        if answer.condition is Condition.OK and self._context.account is not None:
            self._errors = 0
        if answer.condition is not Condition.BAD and answer not in _FAILED_LOGINS:
            return
        self._errors += 1
        if self._errors >= ERRORS:
            self._wire.write(answers.TOO_MANY_ERRORS.octets())
            self._connection.close()
        elif self._errors >= DELAYED_ERRORS:
            await asyncio.sleep(1)

    async def _handle(self, event: Command | SaslResponse | AppendNext | AppendEnd) -> Answer | None:
        """The answer to a command; None when it goes on."""
        context = self._context
        match event:
            case session.Capability():
                await context.send(self._offer().octets())
                return ok("Capability completed")
            case session.Logout():
                context.deselect()  # behind a BYE nothing is news
                await context.send(answers.LOGGING_OUT.octets())
                return ok("Logout completed")
            case session.Login():
                return await self._entrance.login(event)
            case session.Authenticate() | SaslResponse():
                found = await self._entrance.authenticate(event)
                if isinstance(found, Answer):
                    return found
                self._wire.write(self._connection.challenge(found))
                return None
            case append.Append() | replace.Replace() | AppendNext():
                return await self._upload.let_come(event)
            case AppendEnd():
                return await self._upload.finish(event)
            case session.Done():
                return ok("Idle completed")
            case _:
                return await HANDLERS[type(event)](context, event)

    async def _start_tls(self) -> bool:
        """Answer STARTTLS; False when the connection is over."""
        tls = self._service.tls
        if tls is None or self._secure:
            await self._answer(answers.NO_TLS)
            return True
        if not await begin_tls(
            self._wire, self._connection, tls, lambda: self._connection.reply(answers.BEGIN_TLS)
        ):
            return False
        self._connection.secured()
        self._secure = True
        return True
