"""Telling how far a long command has come, so that its client goes on waiting (RFC 9585).

Rule: whatever is sent meanwhile is whole responses by one write each, so that this one stands within none.
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator

from mailstead.imap.inprogress import in_progress

EVERY = 10.0  # seconds; RFC 9585 section 4 recommends 10 to 15


class Progress:
    """The command that a connection is answering.

    Args:
        write: Sends whole responses, whether the peer takes them now or not.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._tag = b""
        self._goal: int | None = None
        self._done = 0
        self._alarm: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def of(self, tag: bytes, goal: int | None = None) -> Generator[None]:
        """Tell of the command with this *tag*, every ten seconds by the loop's clock while this lasts.

        Args:
            goal: How many messages there are to look at, where that is known.
        """
        self._tag, self._goal, self._done = tag, goal, 0
        self._wait()
        try:
            yield
        finally:
            if self._alarm is not None:
                self._alarm.cancel()

    def step(self, count: int) -> None:
        """So many messages more are done."""
        self._done += count

    def _wait(self) -> None:
        self._alarm = asyncio.get_running_loop().call_later(EVERY, self._tell)

    def _tell(self) -> None:
        self._write(in_progress(self._tag, self._done, self._goal))
        self._wait()
