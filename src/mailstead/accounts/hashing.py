"""Password hashing in one thread of low priority, with a short queue and a turn for everybody.

Argon2id frees the interpreter lock, so a flood of wrong passwords costs sessions that are logged
in nothing but a nice processor. Those who wait are served in turn by where they come from, so a
flood from one address delays the others by one hash, not by its queue.
"""

import asyncio
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from mailstead.errors import Reason, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10
WAITING = 64  # hashes that may wait at once
WAITING_EACH = 8  # of one address


class Hashing:
    """The thread of one process that hashes passwords; started by the first."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "hashing", initializer=_be_nice)
        self._busy = False
        self._count = 0
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(self, whose: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run *work* in the thread, in turn.

        Args:
            whose: The address it is for, or anything else that takes turns.

        Raises:
            Unavailable: too many wait already.
        """
        loop = asyncio.get_running_loop()
        if self._busy:
            await self._turn(loop, whose)
        self._busy = True
        try:
            return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))
        finally:
            self._busy = False
            self._next()

    async def _turn(self, loop: asyncio.AbstractEventLoop, whose: str) -> None:
        queue = self._queues.setdefault(whose, deque())
        if self._count >= WAITING or len(queue) >= WAITING_EACH:
            raise Unavailable(Reason.TOO_BUSY)
        turn: asyncio.Future[None] = loop.create_future()
        queue.append(turn)
        self._count += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._busy = False
                self._next()  # it had the turn, and gives it away
            raise
        finally:
            self._count -= 1

    def _next(self) -> None:
        while self._queues:
            whose, queue = self._queues.popitem(last=False)
            while queue and queue[0].done():
                queue.popleft()
            if not queue:
                continue
            turn = queue.popleft()
            if queue:
                self._queues[whose] = queue
            self._busy = True  # nobody comes in between
            turn.set_result(None)
            return


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
