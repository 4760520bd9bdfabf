"""A database before whose transactions something else happens: races, at the very moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mailstead.store.database import Database, Work

T = TypeVar("T")
Before = Callable[[], Awaitable[object]]


class Interrupted:
    """Hands everything on; before the next transactions it does what is in the lists."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.before_reads: list[Before | None] = []
        self.before_writes: list[Before | None] = []

    async def read(self, work: Work[T]) -> T:
        await _next(self.before_reads)
        return await self._database.read(work)

    async def write(self, work: Work[T]) -> T:
        await _next(self.before_writes)
        return await self._database.write(work)

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        return await self._database.write_group(prepare)

    async def truncate_log(self) -> None:
        await self._database.truncate_log()

    async def close(self) -> None:
        await self._database.close()


async def _next(waiting: list[Before | None]) -> None:
    if waiting and (before := waiting.pop(0)) is not None:
        await before()
