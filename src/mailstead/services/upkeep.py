"""What must be done now and then, by any worker, without any key."""

import asyncio
import ctypes
from collections.abc import Sized

from mailstead.errors import MailError
from mailstead.log import Log
from mailstead.store.database import Database, Tx
from mailstead.store.objects import sweep_unwritten
from mailstead.store.slots import sweep_sessions
from mailstead.store.tombs import erase_due

EVERY = 30.0  # seconds; what is due is gone from every live file within 60
CROWD = 100  # connections that left within LEFT seconds
LEFT = 2.0


async def run_upkeep(database: Database, log: Log) -> None:
    """Erase what is due and sweep what was never finished, for as long as the worker runs."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            await upkeep_once(database)
        except MailError as error:
            log.warning("upkeep.put-off", reason=error.reason.name)


async def upkeep_once(database: Database) -> int:
    """One round; how many rows were erased. The write-ahead log is emptied of them too."""
    erased = 0
    while batch := await database.write(erase_due):
        erased += batch
    swept = await database.write(_sweep)
    if erased or swept:
        await database.truncate_log()
    return erased + swept


def _sweep(tx: Tx) -> int:
    sweep_sessions(tx)
    return sweep_unwritten(tx)


async def give_back(connections: Sized) -> None:
    """Return memory to the system when a crowd has left, for as long as the worker runs.

    glibc keeps what a thousand handshakes freed: some 50 KiB each, until the next crowd comes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries have none, and no need
    most = 0
    while trim is not None:
        await asyncio.sleep(LEFT)
        most = max(most, len(connections))
        if len(connections) + CROWD <= most:
            trim(0)
            most = len(connections)
