"""Commit groups: what is collected on the loop, and the thread that makes it durable."""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from mailstead.errors import Reason, Unavailable
from mailstead.store.database import Tx, Work

T = TypeVar("T")

GROUP_WORKS = 512


class Savepoint(Protocol):
    """How an engine undoes one work of a transaction."""

    def begin(self) -> None:
        """Mark the place to come back to."""
        ...

    def keep(self) -> None:
        """Forget the place."""
        ...

    def undo(self) -> None:
        """Go back to the place."""
        ...

    def fatal(self, error: BaseException) -> bool:
        """Whether *error* spoils the transaction as a whole."""
        ...


class Engine(Protocol):
    """What a writer thread drives; `run` is called in that thread only."""

    def run(self, group: "Group") -> None:
        """Make a group durable, or raise."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


@dataclass(slots=True)
class Job:
    """One work that waits, and what became of it."""

    future: "asyncio.Future[Any]"
    prepare: Callable[[], Work[Any]]
    work: Work[Any] | None = None
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Group:
    """Works that share one transaction and one fsync."""

    jobs: list[Job] = field(default_factory=list[Job])

    def run_each(self, tx: Tx, savepoint: Savepoint) -> None:
        """Run the works in order; one that raises is undone and harms no other."""
        if len(self.jobs) == 1:  # the transaction itself undoes it
            (job,) = self.jobs
            assert job.work is not None
            job.result = job.work(tx)
            return
        for job in self.jobs:
            assert job.work is not None
            savepoint.begin()
            try:
                job.result = job.work(tx)
            except Exception as error:
                if savepoint.fatal(error):
                    raise
                savepoint.undo()
                job.error = error
            else:
                savepoint.keep()

    def settle(self, failure: BaseException | None) -> None:
        """Answer everybody; called on the loop once the commit is durable, or has failed."""
        for job in self.jobs:
            if job.future.done():
                continue
            error = failure or job.error
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(job.result)


class Writer:
    """Hands groups to the engine, one at a time, each with all that had collected."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[Job] = []
        self._busy = False
        self._closed = False
        self._idle: asyncio.Future[None] | None = None
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def write(self, prepare: Callable[[], Work[T]]) -> T:
        """Run the work that *prepare* returns when its group is closed."""
        if self._closed:
            raise Unavailable(Reason.SHUTTING_DOWN)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(Job(future, prepare))
        if not self._busy:
            self._hand_over(loop)
        return cast("T", await future)

    async def between(self, task: Callable[[], None]) -> None:
        """Run *task* in the writer thread, between two groups."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            try:
                task()
            except Exception as error:
                loop.call_soon_threadsafe(_fail, future, error)
            else:
                loop.call_soon_threadsafe(_succeed, future)

        self._put(run)
        await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        group = Group(self._waiting[:GROUP_WORKS])
        del self._waiting[:GROUP_WORKS]
        for job in group.jobs:
            job.work = job.prepare()
        self._busy = True

        def run() -> None:
            failure: BaseException | None = None
            try:
                self._engine.run(group)
            except Exception as error:
                failure = error
            loop.call_soon_threadsafe(self._done, loop, group, failure)

        self._put(run)

    def _done(self, loop: asyncio.AbstractEventLoop, group: Group, failure: BaseException | None) -> None:
        self._busy = False
        # The next group is on its way before anybody is answered: the disk does not wait for us.
        if self._waiting:
            self._hand_over(loop)
        group.settle(failure)
        if self._idle is not None and not self._busy:
            _succeed(self._idle)

    def _put(self, task: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
            self._thread.start()
        self._queue.put(task)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            task()

    async def close(self) -> None:
        """Let what waits be written, then stop the thread."""
        self._closed = True
        if self._busy:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._engine.close()


def _succeed(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: "asyncio.Future[None]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
