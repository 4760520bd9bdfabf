"""Where octets wait until they are a message, and the commit that makes it somebody's.

No value is plaintext from `Storing.store` on, and the types say so.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mailstead.accounts.directory import Resident
from mailstead.clock import ticks
from mailstead.crypto.body import Compress
from mailstead.delivery.batch import Batch
from mailstead.delivery.body import IncomingBody, MemoryBudget
from mailstead.delivery.large import seal_large
from mailstead.delivery.sealing import Sealing
from mailstead.errors import Reason, Refused, Unavailable
from mailstead.metrics.catalogue import Metrics
from mailstead.store.arrivals import Arrival, Letter, Outcome, Placed, add_arrivals
from mailstead.store.database import Database, Tx

TOGETHER = 8  # messages that are sealed in one go
LARGE_AT_ONCE = 8  # spooled messages, of up to 1 MiB in memory each, between sealing and commit

Within = Callable[[Callable[[Tx], Placed]], Awaitable[Placed]]


class Storing:
    """What everything shares that stores messages in one worker.

    Args:
        memory_octets: What all unfinished bodies may hold in memory together.
        single_octets: And each of them.
        metrics: Where it is counted how long sealing and storing took.
    """

    def __init__(
        self,
        database: Database,
        batch: Batch,
        spool: Path,
        compress: Compress,
        memory_octets: int,
        single_octets: int,
        metrics: Metrics | None = None,
    ) -> None:
        self.batch = batch
        self.metrics = metrics or Metrics()
        self._database = database
        self._spool = spool
        self._compress: Compress = compress
        self._budget = MemoryBudget(memory_octets, single_octets)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    def body(self, trace: bytes = b"", keep: int = 0) -> IncomingBody:
        """A place for the octets of a message, which begins with *trace*."""
        return IncomingBody(trace, self._budget, self._spool, self._compress, keep)

    async def store(
        self, sealing: Sealing, residents: Mapping[int, Resident], *, each: bool
    ) -> dict[int, Outcome]:
        """Seal a message for each of *residents* and commit; the outcomes once they are durable.

        Args:
            residents: By whatever the outcomes shall be known by.
            each: Every one has an outcome of its own; else all or none.
        """
        messages = [(sealing, resident) for resident in residents.values()]
        outcomes = await self._commit(messages, each=each, nowhere_else=False)
        return dict(zip(residents, outcomes, strict=True))

    async def store_all(self, sealings: Sequence[Sealing], to: Resident) -> list[Outcome]:
        """Store messages in one mailbox: all or none, and if the mailbox is gone, nowhere else."""
        return await self._commit([(s, to) for s in sealings], each=False, nowhere_else=True)

    async def store_by(self, sealing: Sealing, to: Resident, within: Within) -> Placed:
        """Store a message in one mailbox or nowhere, by a transaction that has more to do.

        Args:
            within: Runs what it is given in that transaction, as often as it has to try, and returns what
                that gave in the end.

        Raises:
            Refused, Unavailable: it is not stored, and that transaction was undone.
        """
        async with self._large if sealing.body.spooled else contextlib.nullcontext():
            arrival = await self._seal_large(sealing, to)  # in a lane of its own: it may take a while
            letter = Letter((replace(arrival, nowhere_else=True),), each=False)
            stored = await within(lambda tx: placed(add_arrivals(tx, [letter])[0][0]))
            self.batch.note([[stored]])
            return stored

    async def _commit(
        self, messages: Sequence[tuple[Sealing, Resident]], *, each: bool, nowhere_else: bool
    ) -> list[Outcome]:
        spooled = any(sealing.body.spooled for sealing, _ in messages)
        if not spooled and len(messages) <= TOGETHER:
            # No await from here to `add`: the lanes close when the group is taken.
            sealed = [self._seal(*message, nowhere_else=nowhere_else) for message in messages]
            return await self.batch.add(Letter(tuple(sealed), each))
        # Sealed and not yet written, a few of them are as much memory as this may take.
        async with self._large if spooled else contextlib.nullcontext():
            large = [
                await self._seal_large(*message, whole=spooled and len(messages) > TOGETHER)
                for message in messages
            ]
            letter = Letter(tuple(replace(a, nowhere_else=nowhere_else) for a in large), each)
            return await self.batch.add(letter)

    def _seal(self, sealing: Sealing, to: Resident, *, nowhere_else: bool) -> Arrival:
        began = ticks()
        lane = self.batch.lane(to)
        try:
            message = sealing.message(lane, to)
        except Exception:
            self.metrics.seal_failures.add()
            raise
        self.metrics.seal.observe(ticks() - began)
        return Arrival(
            to.account_id, to.epoch, to.mailbox_id, lane.sealed, message, to.chain, nowhere_else=nowhere_else
        )

    async def _seal_large(self, sealing: Sealing, to: Resident, *, whole: bool = False) -> Arrival:
        began = ticks()
        arrival = await seal_large(self._database, sealing, to, whole=whole)
        self.metrics.seal.observe(ticks() - began)
        return arrival


def placed(outcome: Outcome) -> Placed:
    """Where an arrival is.

    Raises:
        Refused, Unavailable: it is nowhere.
    """
    match outcome:
        case Placed():
            return outcome
        case Reason.OVER_QUOTA | Reason.KEY_CHANGED:
            raise Unavailable(outcome)
        case _:
            raise Refused(outcome)
