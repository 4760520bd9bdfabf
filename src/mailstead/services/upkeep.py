"""What must be done now and then, by any worker, without any key."""

import asyncio

from mailstead.errors import MailError
from mailstead.log import Log
from mailstead.store.database import Database
from mailstead.store.objects import sweep_unwritten
from mailstead.store.tombs import erase_due

EVERY = 30.0  # seconds; what is due is gone from every live file within 60


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
    swept = await database.write(sweep_unwritten)
    if erased or swept:
        await database.truncate_log()
    return erased + swept
