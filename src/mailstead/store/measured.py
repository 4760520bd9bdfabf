"""A database that says how long it takes, and how often it cannot."""

from collections.abc import Callable
from typing import TypeVar

from mailstead.clock import ticks
from mailstead.errors import Reason, Unavailable
from mailstead.metrics.catalogue import Metrics
from mailstead.store.database import Database, Work

T = TypeVar("T")

# What a database says; all else comes of the work it was given.
_ITS_OWN = (Reason.STORAGE_FULL, Reason.STORAGE_UNAVAILABLE, Reason.TOO_BUSY)


class Measured:
    """*database* itself, as far as anybody can tell who uses it."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._took = metrics.store_operation
        self._failed = metrics.store_failures

    async def read(self, work: Work[T]) -> T:
        """Run *work* on one snapshot."""
        began = ticks()
        try:
            return await self._database.read(work)
        except Unavailable as error:
            self._count(error, "read")
            raise
        finally:
            self._took.observe(ticks() - began, "read")

    async def write(self, work: Work[T]) -> T:
        """Run *work* in the next commit group; return once it is durable."""
        return await self.write_group(lambda: work)

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        """As `write`, with the work asked for at the moment its group is closed."""
        began = ticks()
        try:
            return await self._database.write_group(prepare)
        except Unavailable as error:
            self._count(error, "write")
            raise
        finally:
            self._took.observe(ticks() - began, "write")

    def _count(self, error: Unavailable, op: str) -> None:
        if error.reason in _ITS_OWN:
            self._failed.add(op)

    async def truncate_log(self) -> None:
        """See to it that what was erased is in no live file any more."""
        await self._database.truncate_log()

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
        await self._database.close()
