"""A world of its own for the server: virtual time, a network in memory, and a disk that can fail.

Everything that happens follows from one seed, so that a seed that finds a fault finds it again,
octet for octet. The server's code is the real one, from `Wire` to `add_arrivals`.
"""

import asyncio
import random
import selectors
from collections.abc import Callable
from typing import Any, TypeVar

import apsw

from mailstead.errors import Reason, Unavailable
from mailstead.net.wire import Wire
from mailstead.store.database import Work
from mailstead.store.group import Group
from mailstead.store.sqlite import Savepoints, SqliteTx
from mailstead.store.thread import Task
from mailstead.store.writer import Writer

T = TypeVar("T")
START = 1_800_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing that is due."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_NoWaiting(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """At once: what a thread takes is no time of this clock, and comes at no moment of it."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class _NoWaiting(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        # With nothing due, only a thread (a password being hashed) can still bring something.
        ready = super().select(0 if timeout is not None else 10)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("nothing will ever happen again: somebody waits for what does not come")
        self._loop.jump(timeout)
        return []


class VirtualClock:
    """The loop's clock, as a `Clock`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return START + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()


class Link(asyncio.Transport):
    """The server's end of a connection in memory; octets arrive late, and in pieces."""

    def __init__(self, world: "World", client: "Callable[[bytes], None]", number: int) -> None:
        super().__init__()
        self._world = world
        self._client = client
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._last = {"in": 0.0, "out": 0.0}
        self.wire: Wire | None = None
        self.closed = False

    def connect(self, connected: Callable[[Wire], None]) -> None:
        self.wire = Wire(connected)
        self.wire.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 1000 + self._number) if name == "peername" else default

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self.closed

    def _later(self, way: str, action: Callable[..., None], *arguments: object) -> None:
        """In order on its way, and at a moment of its own: asyncio runs equal timers in any order."""
        world = self._world
        at = max(self._last[way], self._loop.time()) + world.rng.uniform(0.0001, 0.05)
        self._last[way] = at
        self._loop.call_at(at, action, *arguments)

    def write(self, data: Any) -> None:
        if not self.closed:
            octets = bytes(data)
            self._world.note(self._number, "S", octets)
            self._later("out", self._client, octets)

    def send(self, octets: bytes) -> None:
        """What the client sends, cut anywhere."""
        self._world.note(self._number, "C", octets)
        at = 0
        while at < len(octets):
            size = self._world.rng.choice([1, 3, 50, 1000, 100_000])
            self._later("in", self._arrive, octets[at : at + size])
            at += size

    def _arrive(self, octets: bytes) -> None:
        if not self.closed and self.wire is not None:
            self.wire.data_received(octets)

    def hang_up(self) -> None:
        """The client is gone."""
        self._later("in", self._lose)

    def close(self) -> None:
        if not self.closed:
            self._later("out", self._lose)

    def abort(self) -> None:
        self._loop.call_soon(self._lose)

    def _lose(self) -> None:
        if not self.closed:
            self.closed = True
            self._world.note(self._number, "-", b"")
            self._client(b"")
            if self.wire is not None:
                self.wire.connection_lost(None)


class World:
    """One seed's world: its randomness, and what was said in it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.said: list[tuple[float, int, str, bytes]] = []

    def note(self, number: int, who: str, octets: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.said.append((round(loop.time(), 9), number, who, octets))


class VirtualHands:
    """The writer's thread on virtual time: a task runs a while after the one before it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: list[Task] = []
        self._ended: asyncio.Event | None = None

    def submit(self, task: Task) -> None:
        self._tasks.append(task)
        if len(self._tasks) == 1:
            self._later()

    def _later(self) -> None:
        delay = self._world.rng.choice([0.0002, 0.001, 0.03, 0.5, 0.5, 7.0])
        asyncio.get_running_loop().call_later(delay, self._run)

    def _run(self) -> None:
        self._tasks[0]()
        del self._tasks[0]
        if self._tasks:
            self._later()
        elif self._ended is not None:
            self._ended.set()

    async def stop(self) -> None:
        if self._tasks:
            self._ended = asyncio.Event()
            await self._ended.wait()


class FailingEngine:
    """SQLite in memory on a disk that fills up and breaks; it takes a whole group with it then."""

    def __init__(self, world: World, connection: apsw.Connection, failures: float) -> None:
        self._world = world
        self._failures = failures
        self.connection = connection
        self.commits = self.failed = 0

    def run(self, group: Group) -> None:
        connection = self.connection
        connection.execute("BEGIN")
        if not group.begin():
            connection.execute("ROLLBACK")
            return
        group.run_each(SqliteTx(connection), Savepoints(connection))
        if self._world.rng.random() < self._failures:
            connection.execute("ROLLBACK")
            self.failed += 1
            self.report(self._world.rng.choice([Reason.STORAGE_FULL, Reason.STORAGE_UNAVAILABLE]))
        else:
            connection.execute("COMMIT")
            self.commits += 1

    def report(self, reason: Reason) -> None:
        raise Unavailable(reason)

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass


class FailingDatabase:
    """The real writer and its groups over a failing engine.

    A commit takes a while; until then its group is not durable.
    """

    def __init__(self, world: World, image: bytes, *, failures: float) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.deserialize("main", image)
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.engine = FailingEngine(world, self.connection, failures)
        self._writer = Writer(self.engine, VirtualHands(world))

    async def read(self, work: Work[T]) -> T:
        return work(SqliteTx(self.connection))

    async def write(self, work: Work[T]) -> T:
        return await self._writer.write(lambda: work)

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        return await self._writer.write(prepare)

    async def truncate_log(self) -> None:
        pass

    async def close(self) -> None:
        await self._writer.close()
        self.connection.close()
