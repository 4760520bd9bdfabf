"""Whether a worker can do what it is there for: it listens, and the database can be written."""

import asyncio
from collections.abc import Callable

from mailstead.clock import Clock
from mailstead.errors import MailError
from mailstead.store.database import Database
from mailstead.store.probe import write_probe

KEPT_SECONDS = 1.0  # an answer is given again: whoever asks often writes no more often
PATIENCE = 3.0  # seconds that the database has for a write


class Readiness:
    """Finds out now and then, when somebody asks.

    Args:
        listening: Whether every listener of the worker accepts connections.
    """

    def __init__(self, database: Database, listening: Callable[[], bool], clock: Clock) -> None:
        self._database = database
        self._listening = listening
        self._clock = clock
        self._asking = asyncio.Lock()  # whoever comes meanwhile is told the same
        self._asked = float("-inf")
        self._found: str | None = None

    async def why_not(self) -> str | None:
        """What keeps the worker from being ready, in words for anybody; None: it is."""
        if not self._listening():
            return "not every listener is up"
        async with self._asking:
            if self._clock.monotonic() - self._asked > KEPT_SECONDS:
                self._found = await self._look()
                self._asked = self._clock.monotonic()
            return self._found

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE):
                current = await self._database.write(write_probe)
        except TimeoutError:
            return "the database does not answer"
        except MailError:
            return "the database cannot be written"
        return None if current else "the tables of the database are not those of this version"
