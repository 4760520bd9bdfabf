"""One POP3 connection: the dialogue around the sans-IO machine (RFC 1939)."""

import asyncio
from dataclasses import dataclass, field

from mailstead.accounts.accessentries import Door
from mailstead.accounts.logins import Admitted, Logins
from mailstead.accounts.opening import ScramProof
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import MailError, Reason, UnsealError
from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.net.listen import Gate
from mailstead.net.tls import ServerTls
from mailstead.net.wire import NEVER, TooLate, Wire
from mailstead.pop3 import responses
from mailstead.pop3.commands import Auth, Capa, Pass, Quit, Stls, User, Utf8
from mailstead.pop3.responses import Response, lines, ok
from mailstead.pop3.server import BadCommand, Event, Need, SaslResponse, ServerConnection, State
from mailstead.sasl.mechanism import Failed
from mailstead.services.dialogue import Host, begin_tls
from mailstead.services.pop3.transaction import CutOff, Transaction
from mailstead.services.sasl import Entered, SaslLogin
from mailstead.services.stopping import Stopping
from mailstead.version import __version__

LOGIN_SECONDS = 60.0  # from the greeting to the end of a login
CROWDED_SECONDS = 10.0  # and in a crowd
IDLE_SECONDS = 10 * 60.0  # RFC 1939 section 3 asks for 10 minutes at least
ERRORS, DELAYED_ERRORS = 20, 5


@dataclass(frozen=True, slots=True)
class Pop3Service:
    """Everything a session needs that is not its own.

    Args:
        implicit: TLS began with the connection.
        plaintext: Passwords may come without TLS.
    """

    logins: Logins
    gate: Gate
    tls: ServerTls | None
    stopping: Stopping
    log: Log
    implicit: bool = False
    plaintext: bool = False
    metrics: Metrics = field(default_factory=Metrics)

    async def serve(self, wire: Wire) -> None:
        """Serve one connection until it ends."""
        full = responses.TOO_MANY_CONNECTIONS.octets()
        host = Host(self.gate, self.log, full, "pop3.session.failed", self.metrics.pop3_sessions)
        await host.serve(wire, Session(self, wire))


class Session:
    """One connection's dialogue."""

    def __init__(self, service: Pop3Service, wire: Wire) -> None:
        self._service = service
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._secure = service.implicit
        self._connection = ServerConnection(plaintext_login=service.implicit or service.plaintext)
        self._sasl = SaslLogin(service.logins, wire, self._enter, UnlockedAccount.close)
        self._account: UnlockedAccount | None = None
        self._transaction: Transaction | None = None
        self._busy = False
        self._errors = 0
        self._begun = self._loop.time()

    def forget(self) -> None:
        """The connection is over; what was only marked stays."""
        self._sasl.drop()
        if self._account is not None:
            self._account.close()
            self._account = None

    def _revoked(self) -> None:
        """The way in is gone: at once, or as soon as a response that was begun is cut off."""
        if self._busy:
            self._wire.abort()
        else:
            self._wire.write(responses.LOGIN_REVOKED.octets())
            self._wire.close()

    def greet(self) -> None:
        """Say who is here."""
        self._wire.write(ok("mailstead POP3 ready").octets())

    async def step(self) -> bool:
        """Deal with one event; False when the connection is over."""
        event = self._connection.next_event()
        if event is Need.OCTETS:
            return await self._read()
        self._busy, self._wire.deadline = True, NEVER  # it is we who take the time
        try:
            return await self._deal_with(event)
        except CutOff as cut:
            self._service.log.warning("pop3.response.cut", detail=str(cut.__cause__))
            if isinstance(cut.__cause__, UnsealError):
                self._service.metrics.open_failures.add("pop3")
            self._wire.abort()
            return False
        finally:
            self._busy = False

    async def _read(self) -> bool:
        """Take the next octets from the wire; False when there are none any more."""
        wire = self._wire
        if self._connection.state is State.CLOSED:
            wire.close()
            return False
        stopping = self._service.stopping
        if stopping.is_set():
            return self._say_goodbye(responses.SHUTTING_DOWN)
        if self._account is None:
            wire.deadline, wire.hurry = self._begun + LOGIN_SECONDS, LOGIN_SECONDS - CROWDED_SECONDS
        else:
            wire.deadline, wire.hurry = self._loop.time() + IDLE_SECONDS, 0.0
        if self._loop.time() > wire.deadline:
            return self._say_goodbye(responses.TOO_SLOW)
        try:
            await wire.drain()
            wire.idle = True
            octets = await wire.read()
        except TooLate:
            return self._say_goodbye(responses.SHUTTING_DOWN if stopping.is_set() else responses.TOO_SLOW)
        finally:
            wire.idle = False
        if not octets:
            wire.close()
            return False
        self._connection.receive(octets)
        return True

    def _say_goodbye(self, last: Response) -> bool:
        self._wire.write(last.octets())
        self._wire.close()
        return False

    async def _deal_with(self, event: Event | Need) -> bool:
        """Do what *event* asks for; False when the connection is over."""
        match event:
            case BadCommand():
                await self._respond(event.response)
            case Stls():
                return await self._start_tls()
            case Capa():
                await self._respond(ok("Capabilities follow"), lines(self._capabilities()))
            case Utf8():
                await self._respond(ok("Text may be UTF-8"))
            case User():
                await self._respond(ok("And the password?"))  # whoever it is
            case Pass():
                await self._respond(await self._log_in(self._connection.user, event.password))
            case Auth(mechanism=None):
                await self._respond(
                    ok("Mechanisms follow"), lines(name.encode() for name in self._sasl.mechanisms)
                )
            case Auth() | SaslResponse():
                await self._authenticate(event)
            case Need():
                raise AssertionError("every event was answered")
            case _:
                await self._transact(event)
        return True

    async def _transact(self, event: Event) -> None:
        transaction = self._transaction
        try:
            if isinstance(event, Quit):
                removed = transaction is None or await transaction.update()
                await self._respond(responses.GOODBYE if removed else responses.NOT_DELETED)
                return
            assert transaction is not None, "the state table lets nobody here before"
            response = await transaction.answer(event, self._connection.respond)
        except MailError as error:
            if error.reason in (Reason.DAMAGED, Reason.NOT_AS_LEFT, Reason.STORAGE_UNAVAILABLE):
                self._service.log.warning("pop3.command.failed", reason=error.reason.name, detail=str(error))
            response = responses.FOR_REASON.get(error.reason, responses.NOT_AVAILABLE)
        except UnsealError as error:
            self._service.log.error("pop3.command.damaged", detail=str(error))
            response = responses.DAMAGED
        if response is not None:
            await self._respond(response)

    async def _respond(self, response: Response, more: bytes = b"") -> None:
        """Answer the last event. What the peer did wrong counts; what we cannot do now does not."""
        line = self._connection.respond(response)
        if response in (responses.DAMAGED, responses.FOR_REASON[Reason.DAMAGED]):
            self._service.metrics.open_failures.add("pop3")
        self._wire.write(line + more if response.positive else line)
        if response.positive:
            if self._account is not None:
                self._errors = 0
            return
        if response.code is not None and response.code.startswith("SYS/"):
            return
        self._errors += 1
        if self._errors >= ERRORS:
            self._wire.write(responses.TOO_MANY_ERRORS.octets())
            self._connection.close()
        elif self._errors >= DELAYED_ERRORS:
            await self._wire.drain()
            await asyncio.sleep(1)

    def _capabilities(self) -> list[bytes]:
        """What can be done here and now (RFC 2449 section 6)."""
        found = [
            b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"UTF8 USER",
            b"EXPIRE NEVER", b"IMPLEMENTATION mailstead-" + __version__.encode(),
        ]  # fmt: skip
        if self._connection.plaintext_login:
            found += [b"USER", b"SASL " + " ".join(self._sasl.mechanisms).encode()]
        if self._service.tls is not None and not self._secure:
            found.append(b"STLS")
        return found

    async def _authenticate(self, event: Auth | SaslResponse) -> None:
        try:
            if isinstance(event, Auth):
                assert event.mechanism is not None
                found = await self._sasl.begin(event.mechanism, event.initial)
            else:
                found = await self._sasl.go_on(event.octets)
        except MailError as error:
            refused = responses.FOR_REASON.get(error.reason, responses.NOT_AVAILABLE)
            if self._sasl.by_proof and error.reason is Reason.LOGIN_FAILED:
                refused = responses.SCRAM_FAILED
            await self._respond(refused)
            return
        match found:
            case None:
                await self._respond(responses.NO_SUCH_MECHANISM)
            case bytes():
                self._wire.write(self._connection.challenge(found))
            case Entered():
                await self._respond(await self._entered(found))
            case Failed():
                await self._respond(responses.MALFORMED if found.malformed else responses.LOGIN_FAILED)

    async def _log_in(self, user: bytes, password: bytes) -> Response:
        name = user.decode("utf-8", "replace")
        try:
            admitted = await self._enter(name, password)
        except MailError as error:
            return responses.FOR_REASON.get(error.reason, responses.NOT_AVAILABLE)
        return await self._entered(Entered(name, admitted.what))

    async def _enter(self, name: str, given: bytes | ScramProof) -> Admitted[UnlockedAccount]:
        log = self._service.log
        try:
            return await self._service.logins.admit(name, given, self._wire.peer[0], self._revoked, Door.POP3)
        except MailError as error:
            log.info("pop3.login.failed", user=log.address(name), reason=error.reason.name)
            if error.reason is Reason.DAMAGED:
                log.error("pop3.login.damaged", user=log.address(name), detail=str(error))
            raise

    async def _entered(self, entered: Entered[UnlockedAccount]) -> Response:
        log, name = self._service.log, entered.name
        self._account = account = entered.what
        try:
            self._transaction = await Transaction.begin(account, self._wire)
        except (MailError, UnsealError) as error:
            log.error("pop3.maildrop.failed", user=log.address(name), detail=str(error))
            self.forget()
            damaged = isinstance(error, UnsealError)
            return responses.FOR_REASON[Reason.DAMAGED] if damaged else responses.NOT_AVAILABLE
        log.info("pop3.login", user=log.address(name))
        return ok(f"{self._transaction.count} messages")

    async def _start_tls(self) -> bool:
        """Answer STLS; False when the connection is over."""
        tls = self._service.tls
        if tls is None or self._secure:
            await self._respond(responses.NO_TLS)
            return True
        if not await begin_tls(
            self._wire, self._connection, tls, lambda: self._connection.respond(responses.BEGIN_TLS)
        ):
            return False
        self._connection.secured()
        self._secure = True
        return True
