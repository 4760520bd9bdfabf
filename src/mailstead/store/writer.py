"""The writer: what is collected on the loop, and handed over in groups to become durable.

Rule 1: while one group is on its way to the disk, works collect; the moment it is there, all of
them are the next group. So the disk is never idle, and the slower it is the larger the groups.
Rule 2: nobody is answered before the fsync that covers him.
Rule 3: nobody waits longer than `PATIENCE` for his transaction to begin, whatever holds the
database: he is told "unavailable", and his work is certain not to run later.
Rule 4: after a failure the next group waits a little, longer each time, and is then tried.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

from mailstead.errors import MailError, Reason, Unavailable
from mailstead.store.database import Work
from mailstead.store.group import Engine, Group, Job
from mailstead.store.thread import Hands, WriterThread

T = TypeVar("T")

GROUP_WORKS = 512
PATIENCE = 5.0  # seconds
FIRST_PAUSE = 0.02  # seconds; doubled with every failure in a row
LONGEST_PAUSE = 2.0


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
            pause = 0.0 if self._closed else self._pause_after(failure)
            self._pause = loop.call_later(pause, self._resume, loop)
        group.settle(failure)
        self._rest_if_idle()

    def _pause_after(self, failure: BaseException) -> float:
        if isinstance(failure, MailError) and failure.reason is Reason.STORAGE_FULL:
            return 0.0  # a full disk says so at once, and has room again at any moment
        pause = min(FIRST_PAUSE * 2.0**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        return pause

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
