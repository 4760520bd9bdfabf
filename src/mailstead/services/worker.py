"""One worker: a database, a post office, and the listeners in front of it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailstead.accounts.directory import Directory
from mailstead.clock import Clock, SystemClock
from mailstead.crypto.serverkey import ServerKey
from mailstead.delivery.batch import Batch
from mailstead.delivery.reception import DeliverySettings, Reception, Transaction
from mailstead.log import Log
from mailstead.net.listen import Gate, listen
from mailstead.net.tls import ServerTls
from mailstead.net.wire import sweep
from mailstead.services.mailtransaction import SmtpSettings
from mailstead.services.smtp import SmtpService
from mailstead.services.upkeep import give_back, run_upkeep
from mailstead.store.database import Database

DRAIN_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker is told of the settings."""

    smtp: SmtpSettings
    delivery: DeliverySettings
    connections_per_address: int = 50


class Worker:
    """Serves until it is told to stop, and then lets those finish who are in the middle of a mail.

    Args:
        sockets: What to serve on bound sockets: "smtp" or "lmtp".
        shower: Called with each accepted message, for `serve --show-mail`.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        database: Database,
        server_key: ServerKey,
        tls: ServerTls | None,
        sockets: Sequence[tuple[str, socket.socket]],
        log: Log,
        clock: Clock | None = None,
        shower: Callable[[Transaction], None] | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._tls = tls
        self._sockets = sockets
        self._log = log
        self._stopping = asyncio.Event()
        self._gate = Gate(settings.connections_per_address)
        self._batch = Batch(database, settings.delivery.lane_messages)
        self._reception = Reception(
            settings.delivery,
            database,
            Directory(database, server_key.rows),
            self._batch,
            clock or SystemClock(),
            shower,
        )

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve; *ready* is called once every listener accepts connections."""
        async with asyncio.TaskGroup() as background:
            tasks = [
                background.create_task(self._batch.run()),
                background.create_task(sweep(self._gate.wires)),
                background.create_task(give_back(self._gate.wires)),
                background.create_task(run_upkeep(self._database, self._log)),
            ]
            async with asyncio.TaskGroup() as sessions:
                servers = [
                    await listen(sock, self._service(kind).serve, sessions) for kind, sock in self._sockets
                ]
                ready()
                await self._stopping.wait()
                for server in servers:
                    server.close()
                await self._drain()
            for task in tasks:
                task.cancel()

    def _service(self, kind: str) -> SmtpService:
        return SmtpService(
            self._settings.smtp,
            self._reception,
            self._gate,
            self._tls,
            self._stopping,
            self._log,
            lmtp=kind == "lmtp",
        )

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
