"""Where octets wait until they are a message, and the commit that makes it somebody's.

No value is plaintext from `Storing.store` on, and the types say so.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mailstead.accounts.directory import Resident
from mailstead.crypto.body import Compress
from mailstead.delivery.batch import Batch
from mailstead.delivery.body import IncomingBody, MemoryBudget
from mailstead.delivery.large import seal_large
from mailstead.delivery.sealing import Sealing
from mailstead.store.arrivals import Arrival, Letter, Outcome
from mailstead.store.database import Database

LARGE_AT_ONCE = 8  # spooled messages, of up to 1 MiB in memory each, between sealing and commit


class Storing:
    """What everything shares that stores messages in one worker.

    Args:
        memory_octets: What all unfinished bodies may hold in memory together.
        single_octets: And each of them.
    """

    def __init__(
        self,
        database: Database,
        batch: Batch,
        spool: Path,
        compress: Compress,
        memory_octets: int,
        single_octets: int,
    ) -> None:
        self.batch = batch
        self._database = database
        self._spool = spool
        self._compress: Compress = compress
        self._budget = MemoryBudget(memory_octets, single_octets)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    def body(self, trace: bytes = b"", keep: int = 0) -> IncomingBody:
        """A place for the octets of a message, which begins with *trace*."""
        return IncomingBody(trace, self._budget, self._spool, self._compress, keep)

    async def store(
        self, sealing: Sealing, residents: Mapping[int, Resident], *, each: bool, nowhere_else: bool = False
    ) -> dict[int, Outcome]:
        """Seal for each of *residents* and commit; the outcomes once they are durable.

        Args:
            residents: By whatever the outcomes shall be known by.
            each: Every one has an outcome of its own; else all or none.
            nowhere_else: If a mailbox is gone, so is its message; else it goes to INBOX.
        """
        if sealing.body.spooled:
            # Sealed and not yet written, a few of them are as much memory as this may take.
            async with self._large:
                large = [await seal_large(self._database, sealing, r) for r in residents.values()]
                letter = Letter(tuple(replace(a, nowhere_else=nowhere_else) for a in large), each)
                outcomes = await self.batch.add(letter)
        else:
            # No await from here to `add`: the lanes close when the group is taken.
            sealed = (self._seal(sealing, r, nowhere_else=nowhere_else) for r in residents.values())
            letter = Letter(tuple(sealed), each)
            outcomes = await self.batch.add(letter)
        return dict(zip(residents, outcomes, strict=True))

    def _seal(self, sealing: Sealing, to: Resident, *, nowhere_else: bool) -> Arrival:
        lane = self.batch.lane(to)
        message = sealing.message(lane, to)
        return Arrival(
            to.account_id, to.epoch, to.mailbox_id, lane.sealed, message, nowhere_else=nowhere_else
        )
