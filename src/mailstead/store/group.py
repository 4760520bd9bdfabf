"""Commit groups: what is collected on the loop, and handed over to become durable.

Rule 1: while one group is on its way to the disk, works collect; the moment it is there, all of
them are the next group. So the disk is never idle, and the slower it is the larger the groups.
Rule 2: nobody is answered before the fsync that covers him.
Rule 3: nobody waits longer than `PATIENCE` for his transaction to begin, whatever holds the
database: he is told "unavailable", and his work is certain not to run later.
Rule 4: after a failure the next group waits a little, longer each time, and is then tried.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from mailstead.errors import MailError, Reason, Unavailable
from mailstead.store.database import Tx, Work
from mailstead.store.thread import Hands, WriterThread

T = TypeVar("T")

GROUP_WORKS = 512
PATIENCE = 5.0  # seconds
FIRST_PAUSE = 0.02  # seconds; doubled with every failure in a row
LONGEST_PAUSE = 2.0


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

    def fatal(self, error: Exception) -> bool:
        """Whether *error* spoils the transaction as a whole."""
        ...

    def named(self, error: Exception) -> Exception:
        """*error* in the words of `mailstead.store.database`, where it has some."""
        ...


class Engine(Protocol):
    """What a writer drives; all but `close` is called in its thread only."""

    def run(self, group: "Group") -> None:
        """Make a group durable and fill in what became of each job; or raise, with nothing done.

        Must call `Group.begin` when its transaction has begun, and do nothing if that says no.
        """
        ...

    def rest(self) -> None:
        """Do what could wait until the group was answered; must not raise."""
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

    def run(self, tx: Tx) -> None:
        """Run the work, which must have been prepared."""
        assert self.work is not None
        try:
            self.result = self.work(tx)
        except StopIteration as error:  # a future cannot carry it
            raise RuntimeError("work raised StopIteration") from error


@dataclass(slots=True)
class Group:
    """Works that share one transaction and one fsync."""

    jobs: list[Job] = field(default_factory=list[Job])
    # Empty until its transaction has begun or nobody waits any more: whoever is first decides.
    _fate: list[str] = field(default_factory=list[str])
    _deciding: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """The transaction has begun: from now on the outcome is the disk's. False: too late."""
        return self._decide("begun")

    def give_up(self) -> bool:
        """Nobody waits for it any more. False: it has begun, and will have an outcome."""
        return self._decide("given up")

    def _decide(self, fate: str) -> bool:
        with self._deciding:
            if not self._fate:
                self._fate.append(fate)
            return self._fate[0] == fate

    def run_each(self, tx: Tx, savepoint: Savepoint) -> bool:
        """Run the works in order; one that raises is undone and harms no other.

        Returns:
            Whether there is anything to commit.
        """
        alone = len(self.jobs) == 1  # the transaction itself undoes it
        for job in self.jobs:
            job.result = job.error = None
            if not alone:
                savepoint.begin()
            try:
                job.run(tx)
            except Exception as error:
                if savepoint.fatal(error):
                    raise
                job.error = savepoint.named(error)
                if not alone:
                    savepoint.undo()
            else:
                if not alone:
                    savepoint.keep()
        return any(job.error is None for job in self.jobs)

    def settle(self, failure: BaseException | None) -> None:
        """Answer everybody; called on the loop once the commit is durable, or has failed."""
        for job in self.jobs:
            if job.future.done():
                continue
            error = job.error if failure is None else _own(failure)
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(job.result)


def _own(failure: BaseException) -> BaseException:
    """A failure for each to raise: one that many raise gathers the tracebacks of all."""
    if not isinstance(failure, MailError):
        return failure
    copy = type(failure)(failure.reason, str(failure))
    copy.__cause__ = failure
    return copy


class Writer:
    """Hands groups to the engine, one at a time, each with all that had collected."""

    def __init__(self, engine: Engine, hands: Hands | None = None) -> None:
        self._engine = engine
        self._hands = hands or WriterThread()
        self._waiting: list[Job] = []
        self._busy = False  # a group is on its way, or the pause after a failure
        self._stuck = False  # the group on its way was given up, and has not come back
        self._closed = False
        self._failures = 0
        self._pause: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._idle: asyncio.Event | None = None

    async def write(self, prepare: Callable[[], Work[T]]) -> T:
        """Run the work that *prepare* returns when its group is closed.

        Cancelled before that, it never runs; after that it runs, and nobody hears of it.
        """
        if self._closed:
            raise Unavailable(Reason.SHUTTING_DOWN)
        if self._stuck:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, "the database is held by somebody else")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(Job(future, prepare))
        if not self._busy:
            self._hand_over(loop)
        return cast("T", await future)

    async def between(self, task: Callable[[], None]) -> None:
        """Run *task* in the writer's thread, between two groups."""
        if self._closed:
            raise Unavailable(Reason.SHUTTING_DOWN)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            failure: Exception | None = None
            try:
                task()
            except Exception as error:
                failure = error
            loop.call_soon_threadsafe(_answer, future, failure)

        self._hands.submit(run)
        await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        group = Group()
        while self._waiting and not group.jobs:
            taken = self._waiting[:GROUP_WORKS]
            del self._waiting[:GROUP_WORKS]
            group.jobs += [job for job in taken if _prepared(job)]
        if not group.jobs:
            return
        self._busy = True
        self._patience = loop.call_later(PATIENCE, self._give_up, group)

        def run() -> None:
            failure: BaseException | None = None
            try:
                self._engine.run(group)
            except BaseException as error:  # whatever it is, its caller must hear of it
                failure = error
            loop.call_soon_threadsafe(self._done, loop, group, failure)
            self._engine.rest()

        self._hands.submit(run)

    def _give_up(self, group: Group) -> None:
        if not group.give_up():
            return
        self._stuck = True
        group.jobs += self._waiting
        self._waiting = []
        group.settle(Unavailable(Reason.STORAGE_UNAVAILABLE, "the database is held by somebody else"))
        if self._idle is not None:
            self._idle.set()

    def _done(self, loop: asyncio.AbstractEventLoop, group: Group, failure: BaseException | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._busy = self._stuck = False
        if failure is None:
            self._failures = 0
            # The next group is on its way before anybody is answered: the disk does not wait for us.
            if self._waiting:
                self._hand_over(loop)
        else:
            self._busy = True
            pause = 0.0 if self._closed else min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
            self._failures = min(self._failures + 1, 16)
            self._pause = loop.call_later(pause, self._resume, loop)
        group.settle(failure)
        self._rest_if_idle()

    def _resume(self, loop: asyncio.AbstractEventLoop) -> None:
        self._busy, self._pause = False, None
        if self._waiting:
            self._hand_over(loop)
        self._rest_if_idle()

    def _rest_if_idle(self) -> None:
        if self._idle is not None and not self._busy:
            self._idle.set()

    async def close(self) -> None:
        """Let what waits be written, then stop the thread."""
        if self._closed:
            return
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
            self._resume(asyncio.get_running_loop())
        if self._busy:
            self._idle = asyncio.Event()
            await self._idle.wait()
        if self._stuck:
            return  # its thread hangs in the kernel; it dies with the process
        await self._hands.stop()
        self._engine.close()


def _prepared(job: Job) -> bool:
    """Ask for the work; False if nobody wants it any more, or there is none."""
    if job.future.done():
        return False
    try:
        job.work = job.prepare()
    except Exception as error:
        job.future.set_exception(error)
        return False
    return True


def _answer(future: "asyncio.Future[None]", failure: Exception | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
