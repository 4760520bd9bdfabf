"""One worker: a database, a post office, and the listeners in front of it."""

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mailstead.accounts.accessnotes import AccessNotes
from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.directory import Directory
from mailstead.accounts.logins import Logins
from mailstead.accounts.presence import Presence
from mailstead.accounts.provision import Office
from mailstead.bus.bell import Bell
from mailstead.clock import Clock, SystemClock
from mailstead.crypto.slots import kind_name
from mailstead.delivery.appending import Appending
from mailstead.delivery.batch import Batch
from mailstead.delivery.reception import DeliverySettings, Reception, Transaction
from mailstead.delivery.storing import Storing
from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.net.listen import Gate, listen
from mailstead.net.sweep import sweep
from mailstead.net.tls import ServerTls
from mailstead.net.wire import Wire
from mailstead.services.imap.session import LARGE_ONES, ImapService
from mailstead.services.mailtransaction import SmtpSettings
from mailstead.services.pop3.session import Pop3Service
from mailstead.services.readiness import Readiness
from mailstead.services.scrape import Scrape
from mailstead.services.smtp import SmtpService
from mailstead.services.state import State, StateSocket
from mailstead.services.upkeep import give_back, run_upkeep
from mailstead.services.watching import WatchService
from mailstead.store.measured import Measured

DRAIN_SECONDS = 25.0
IMPLICIT = ("imaps", "pop3s", "submissions")  # TLS begins with the connection


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker is told of the settings.

    Args:
        insecure_plaintext_login: Listeners on loopback take passwords without TLS.
        scram: App passwords are taken by SCRAM, too.
        scram_plus: Under TLS also bound to the connection.
        metrics_token: Whoever reads the metrics must have it.
    """

    smtp: SmtpSettings
    delivery: DeliverySettings
    connections_per_address: int = 50
    insecure_plaintext_login: bool = False
    scram: bool = True
    scram_plus: bool = True
    metrics_token: bytes | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound socket, and what to serve on it: a name of `[listen]` in the settings."""

    service: str
    sock: socket.socket

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return bool(ipaddress.ip_address(self.sock.getsockname()[0]).is_loopback)


class Worker:
    """Serves until it is told to stop, and then lets those finish who are in the middle of a mail.

    Args:
        office: The database, the server's secret, and where keys are held.
        bell: Rings when something of an account changed; closed by who opened it.
        shower: Called with each accepted message, for `serve --show-mail`.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        office: Office,
        bell: Bell,
        tls: ServerTls | None,
        sockets: Sequence[Bound],
        log: Log,
        clock: Clock | None = None,
        shower: Callable[[Transaction], None] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._metrics = metrics = metrics or Metrics()
        delivery, database = settings.delivery, Measured(office.database, metrics)
        directory = Directory(database, office.server_key.rows)
        self._settings = settings
        self._database = database
        self._tls = tls
        self._sockets = sockets
        self._log = log
        self._stopping = asyncio.Event()
        self._gate = Gate(settings.connections_per_address)
        self._ledger = office.ledger
        self._batch = Batch(database, delivery.lane_messages, bell.ring, office.ledger)
        storing = Storing(
            database, self._batch, delivery.data / "spool", delivery.compress, delivery.memory_octets,
            delivery.single_octets, metrics,
        )  # fmt: skip
        self._reception = Reception(delivery, storing, directory, clock, shower)
        self._appending = Appending(storing, directory, clock)
        self._body_keys = BodyKeys()
        self._presence = Presence(
            database, bell, clock, log, body_keys=self._body_keys, ledger=office.ledger, metrics=metrics
        )
        self._arena, self._since = office.arena, int(clock.now())
        self._state = StateSocket(delivery.data / "run", self.state, log)
        self._large_ones = asyncio.Semaphore(LARGE_ONES)
        self._notes = AccessNotes(database, directory, log)
        self._servers: list[asyncio.Server] = []
        self._readiness = Readiness(database, self._listening, clock)
        self._scrape = Scrape(metrics, database, delivery.data, tls, clock)
        self._watchers = dict[Wire, None]()
        office = replace(office, database=database, metrics=metrics, ring=bell.ring, witness=self._notes.saw)
        self._logins = Logins(
            office, self._presence, delivery.domains, clock, scram=settings.scram,
            scram_plus=settings.scram_plus,
            guessed=lambda name: log.warning("login.guessed-at", user=log.address(name)),
        )  # fmt: skip

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve; *ready* is called once every listener accepts connections."""
        async with asyncio.TaskGroup() as background:
            tasks = [
                background.create_task(self._batch.run()),
                background.create_task(sweep(self._gate.wires)),
                background.create_task(give_back(self._gate.wires)),
                background.create_task(run_upkeep(self._database, self._log)),
                background.create_task(self._presence.run()),
                background.create_task(self._logins.run()),
                background.create_task(self._notes.run()),
                background.create_task(self._state.run()),
            ]
            if self._ledger is not None:
                tasks.append(background.create_task(self._ledger.run()))
            await self._logins.look()
            async with asyncio.TaskGroup() as sessions:
                self._servers = [
                    await listen(
                        bound.sock, self._service(bound).serve, sessions,
                        self._tls if bound.service in IMPLICIT else None,
                    )
                    for bound in self._sockets
                ]  # fmt: skip
                self._metrics.workers.set(1)
                ready()
                await self._stopping.wait()
                self._metrics.workers.set(0)
                for server in self._servers:
                    server.close()
                await self._drain()
            await self._notes.flush()
            await self._presence.settle()
            if self._ledger is not None:
                self._ledger.sync()
            for task in tasks:
                task.cancel()

    def _listening(self) -> bool:
        """Whether every listener accepts connections, and will go on doing so."""
        up = len(self._servers) == len(self._sockets) and all(s.is_serving() for s in self._servers)
        return up and not self._stopping.is_set()

    def _service(self, bound: Bound) -> SmtpService | ImapService | Pop3Service | WatchService:
        if bound.service == "metrics":
            return WatchService(
                self._gate, self._log, self._metrics.watching, self._watchers, self._scrape.text,
                self._readiness.why_not, self._settings.metrics_token,
            )  # fmt: skip
        plaintext = self._settings.insecure_plaintext_login and bound.loopback
        implicit = bound.service in IMPLICIT
        if bound.service in ("imap", "imaps"):
            return ImapService(
                self._settings.smtp.message_octets, self._logins, self._appending, self._gate, self._tls,
                self._stopping, self._log, implicit=implicit, plaintext=plaintext,
                hostname=self._settings.smtp.hostname, large_ones=self._large_ones, metrics=self._metrics,
            )  # fmt: skip
        if bound.service in ("pop3", "pop3s"):
            return Pop3Service(
                self._logins, self._gate, self._tls, self._stopping, self._log, implicit=implicit,
                plaintext=plaintext, metrics=self._metrics,
            )  # fmt: skip
        logins = self._logins if bound.service in ("submission", "submissions") else None
        return SmtpService(
            self._settings.smtp, self._reception, self._gate, self._tls, self._stopping, self._log,
            lmtp=bound.service == "lmtp", logins=logins, implicit=implicit, plaintext=plaintext,
            listener=bound.service, metrics=self._metrics,
        )  # fmt: skip

    def state(self) -> State:
        """Whose keys are here, and where they lie; no name, no address."""
        return {
            "pid": os.getpid(),
            "since": self._since,
            "connections": len(self._gate.wires),
            "memory": {"keys": self._arena.kind, "rows": self._body_keys.memory},
            "unlocked": [
                {
                    "account": one.account_id, "way_in": kind_name(one.slot_type),
                    "protocol": one.door.name.lower(), "sessions": one.sessions, "since": one.since,
                }
                for one in self._presence.unlocked()
            ],
        }  # fmt: skip

    async def _drain(self) -> None:
        """Send the idle away, wait for the others, and cut off who takes too long."""
        for wire in list(self._gate.wires):
            if wire.idle:
                wire.expire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._gate.wait_empty()
        for wire in list(self._gate.wires):
            wire.abort()

    def stop(self) -> None:
        """Accept nothing more, and end when nobody is in the middle of anything."""
        self._stopping.set()
