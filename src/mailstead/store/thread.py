"""The thread that waits for the disk, so that the event loop does not.

It is a seam: a simulation hands in something that runs the same tasks on a virtual clock.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Protocol

Task = Callable[[], None]


class Hands(Protocol):
    """Runs tasks one after the other, in their order; a task never raises."""

    def submit(self, task: Task) -> None:
        """Run *task* after all that were submitted before; called on the loop, returns at once."""
        ...

    async def stop(self) -> None:
        """Return once all that was submitted has run; nothing may be submitted any more."""
        ...


class WriterThread:
    """A thread of its own, started by the first task."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, task: Task) -> None:
        """Run *task* in the thread."""
        if self._thread is None:
            # A daemon, so that a disk that never answers cannot keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
            self._thread.start()
        self._queue.put(task)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            task()

    async def stop(self) -> None:
        """End the thread once it has run everything."""
        if self._thread is None:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        self._queue.put(lambda: _tell(loop, ended))
        self._queue.put(None)
        await ended.wait()
        self._thread.join()  # it has nothing left to do but to end
        self._thread = None


def _tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    loop.call_soon_threadsafe(ended.set)
