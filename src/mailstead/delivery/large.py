"""A message too large for memory: its extents are committed ahead of it, 1 MiB at a time.

They lie under an object row with refs = 0, which nothing refers to and upkeep sweeps after an
hour; the message's own transaction sets refs = 1. Such a message has a lane of its own.
"""

import asyncio
import os

from mailstead.accounts.directory import Resident
from mailstead.crypto import arrivals
from mailstead.crypto.lanes import LaneWriter
from mailstead.crypto.sealed import Sealed, SealedMessage
from mailstead.delivery.sealing import Sealing, stored_octets
from mailstead.store.arrivals import Arrival, write_ahead
from mailstead.store.database import Database

AHEAD_EXTENTS = 4  # 1,049,600 octets a transaction


async def seal_large(database: Database, sealing: Sealing, to: Resident, *, whole: bool = False) -> Arrival:
    """Seal a message for one recipient, all but its last extents already written; *whole*: those, too.

    Raises:
        Unavailable: the disk is full or failing.
    """
    object_id = os.urandom(16)
    lane = LaneWriter(to.uuid, to.epoch, to.key)
    ahead = 0
    written = 0
    head = b""
    waiting: list[Sealed] = []
    try:
        with lane.next() as sealer:
            summary_flags, summary = sealer.summary(
                object_id, sealing.summary(to), compressed=sealing.prepared.compressed
            )
            body_flags, extents = sealer.body(object_id, sealing.prepared)
            for extent in extents:
                head = head or extent.octets[: arrivals.HEAD_OCTETS]
                if len(waiting) == AHEAD_EXTENTS:
                    written += sum(len(e.octets) for e in waiting)
                    await _write(database, to.account_id, object_id, ahead, waiting)
                    ahead += len(waiting)
                    waiting = []
                waiting.append(extent)
                await asyncio.sleep(0)  # an extent is a millisecond of work: others have a turn
            if whole and waiting:
                written += sum(len(e.octets) for e in waiting)
                await _write(database, to.account_id, object_id, ahead, waiting)
                ahead += len(waiting)
                waiting = []
    finally:
        lane.close()
    body_octets = written + sum(len(e.octets) for e in waiting)
    message = SealedMessage(
        ctr=sealer.ctr,
        object_id=object_id,
        summary_flags=summary_flags,
        summary=summary,
        body_flags=body_flags,
        extents=tuple(waiting),
        stored_octets=written + stored_octets(summary, tuple(waiting)),
        digest=arrivals.digest(summary, body_octets, head),
    )
    return Arrival(to.account_id, to.epoch, to.mailbox_id, lane.sealed, message, to.chain, ahead)


async def _write(
    database: Database, account_id: int, object_id: bytes, first: int, extents: list[Sealed]
) -> None:
    await database.write(lambda tx: write_ahead(tx, account_id, object_id, first, extents))
