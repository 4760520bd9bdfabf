"""A service and its peers on virtual time, against a database in memory."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mailstead.accounts.directory import Directory
from mailstead.crypto.serverkey import ServerKey
from mailstead.delivery.batch import Batch
from mailstead.delivery.reception import DeliverySettings
from mailstead.log import Log
from mailstead.net.listen import Gate
from mailstead.net.sweep import sweep
from mailstead.net.wire import Wire
from tests.simulation.simulator import FailingDatabase, Link, VirtualClock, VirtualLoop, World
from tests.simulation.test_reception import SERVER_KEY


class Service(Protocol):
    async def serve(self, wire: Wire) -> None: ...


class Peer:
    """A client by hand."""

    def __init__(self, world: World, number: int, service: Service, tasks: asyncio.TaskGroup) -> None:
        self.heard = b""
        self.ended: float | None = None
        self.link = Link(world, self._hear, number)
        self.link.connect(lambda wire: tasks.create_task(service.serve(wire)))

    def _hear(self, octets: bytes) -> None:
        self.heard += octets
        if not octets:
            self.ended = asyncio.get_running_loop().time()

    async def say(self, octets: bytes) -> bytes:
        """Send, and what is answered within a second or two."""
        before = len(self.heard)
        self.link.send(octets)
        await asyncio.sleep(2)
        return self.heard[before:]

    async def trickle(self, octets: bytes, every: float) -> float:
        """Send *octets* one at a time until the server has had enough; how long that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for octet in octets:
            self.link.send(bytes((octet,)))
            await asyncio.sleep(every)
            if self.ended is not None:
                return self.ended - began
        raise AssertionError("it was never too much")


Connect = Callable[[], Peer]


@dataclass
class Site:
    """What a service is made of, in *folder*; *stack* is left when it is over."""

    folder: Path
    database: FailingDatabase
    batch: Batch
    key: ServerKey
    clock: VirtualClock
    gate: Gate
    log: Log
    stack: AsyncExitStack

    @property
    def directory(self) -> Directory:
        return Directory(self.database, self.key.rows)

    def settings(self, **settings: int) -> DeliverySettings:
        return DeliverySettings("mx", ("b.test",), self.folder, free_octets=0, **settings)  # type: ignore[arg-type]


def on_virtual_time(
    image: bytes,
    folder: Path,
    make: Callable[[Site], Service],
    act: Callable[[Connect], Awaitable[None]],
    **crowd: int,
) -> None:
    """Let *act* connect to the service that *make* makes; nothing is left behind, and nothing failed.

    Args:
        crowd: What `sweep` is told besides.
    """

    @asynccontextmanager
    async def serving() -> AsyncIterator[Connect]:
        world = World(1)
        world.rng = random.Random(1)
        database = FailingDatabase(world, image, failures=0.0)
        clock = VirtualClock(asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            log = Log(stack.enter_context((folder / "log").open("w")))
            site = Site(
                folder, database, Batch(database), ServerKey(SERVER_KEY), clock, Gate(10_000), log, stack
            )
            service = make(site)
            async with asyncio.TaskGroup() as background, asyncio.TaskGroup() as tasks:
                running = [
                    background.create_task(site.batch.run()),
                    background.create_task(sweep(site.gate.wires, **crowd)),
                ]
                peers: list[Peer] = []

                def connect() -> Peer:
                    peers.append(Peer(world, len(peers), service, tasks))
                    return peers[-1]

                yield connect
                for peer in peers:
                    peer.link.hang_up()
                await site.gate.wait_empty()
                for task in running:
                    task.cancel()
        assert "failed" not in (folder / "log").read_text()
        assert list((folder / "spool").iterdir()) == []

    async def run() -> None:
        async with serving() as connect:
            await act(connect)

    (folder / "spool").mkdir()
    (folder / "run").mkdir()
    loop = VirtualLoop()
    try:
        loop.run_until_complete(run())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
