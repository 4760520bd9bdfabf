"""Tidying behind an account's sessions: purging what was deleted, absorbing what was delivered, sealing
again what an earlier epoch's key sealed, taking notes into the access log.

It is the server's own work with the keys of whoever reads here; it changes no UID, flag or modseq.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Generator
from functools import partial

from mailstead.accounts.absorb import absorb_once
from mailstead.accounts.accesslog import take_in_if_due
from mailstead.accounts.online import Online
from mailstead.accounts.purging import deleted, purge
from mailstead.accounts.resealing import reseal_once
from mailstead.errors import MailError, UnsealError
from mailstead.index.segment import Damaged
from mailstead.log import Log
from mailstead.store.accounts import Stale
from mailstead.store.messages import waiting
from mailstead.store.records import LostRace

WAITING = 64  # pendings that are absorbed without waiting for a quiet moment


async def tidy(online: Online, log: Log, quiet: float, erased: Callable[[], None]) -> None:
    """Purge what was deleted, absorb what was delivered, store what was sorted, and index it, while online.

    Args:
        quiet: Seconds in which nothing happens before little is absorbed.
        erased: Called when something went for good, whose traces may be in a log.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_store_orders(online, log))
        tasks.create_task(_index(online, log))
        await _tidy(online, log, quiet, erased)


async def _tidy(online: Online, log: Log, quiet: float, erased: Callable[[], None]) -> None:
    stages = (
        partial(_purge, online, log, erased), partial(_absorb, online, log, quiet),
        partial(_reseal, online), partial(_take_in, online),
    )  # fmt: skip
    while True:
        online.stirred.clear()
        for stage in stages:
            with _putting_off(online, log):
                await stage()
        online.absorbed.set()
        await online.stirred.wait()


@contextlib.contextmanager
def _putting_off(online: Online, log: Log) -> Generator[None]:
    """Log why something cannot be done now; what comes behind it is done all the same."""
    try:
        yield
    except (MailError, UnsealError) as error:
        log.warning("presence.tidy.put-off", account=online.account_id, why=str(error))
    except Exception as error:  # the top of a job: the worker goes on
        log.error("presence.tidy.failed", account=online.account_id, error=type(error).__name__)


async def _purge(online: Online, log: Log, erased: Callable[[], None]) -> None:
    """Purge what was deleted, unless the account is not as it was left: then nobody knows what was."""
    for mailbox_id in await deleted(online.database, online.keys):
        with _putting_off(online, log):
            await online.intact()
            await purge(online.database, online.keys, mailbox_id)
            erased()


async def _take_in(online: Online) -> None:
    async with online.turn:
        await take_in_if_due(online.database, online.keys)


async def _store_orders(online: Online, log: Log) -> None:
    """Write what sessions found when they sorted; no answer waits for it."""
    stored = online.stored_orders
    while True:
        await stored.some.wait()
        try:
            await stored.write()
        except Stale:  # its sessions end
            return
        except MailError as error:
            log.warning("presence.orders.put-off", account=online.account_id, why=str(error))
        except Exception as error:  # the top of a job: the worker goes on
            log.error("presence.orders.failed", account=online.account_id, error=type(error).__name__)


async def _index(online: Online, log: Log) -> None:
    """Keep the search index as long as the account is online, a piece of work at a time."""
    while True:
        await online.absorbed.wait()
        online.absorbed.clear()
        try:
            while await _index_step(online, log):
                pass
        except Stale:  # its sessions end
            return
        except (MailError, UnsealError) as error:
            log.warning("presence.index.put-off", account=online.account_id, why=str(error))
        except Exception as error:  # the top of a job: the worker goes on
            log.error("presence.index.failed", account=online.account_id, error=type(error).__name__)


async def _index_step(online: Online, log: Log) -> bool:
    try:
        await online.intact()
        done = await online.indexing.step()
    except LostRace:  # another worker is at it
        await asyncio.sleep(random.uniform(1.0, 5.0))  # noqa: S311  # not a secret
        return True
    except (Damaged, UnsealError) as error:
        log.warning("presence.index.begun-again", account=online.account_id, why=str(error))
        with contextlib.suppress(LostRace):  # another worker has begun another
            await online.indexing.begin_again()
        return True
    if done:
        await online.wrote(soon=False)
    return done


async def _reseal(online: Online) -> None:
    """Go on with what a rotation began: nothing stays under an earlier epoch's key.

    Not in what is not as it was left, which would be lifted above what it should be.
    """
    if online.resealed or not online.keys.earlier:
        return
    while True:
        await online.intact()
        async with online.turn:
            try:
                going = await reseal_once(online.database, online.keys, online.damaged_mailboxes())
            except LostRace:  # what another session wrote is under the present key
                going = True
        if not going:
            break
        await asyncio.sleep(0)
    online.resealed = not online.damaged_mailboxes()


async def _absorb(online: Online, log: Log, quiet: float) -> None:
    """Absorb at once when many wait, and otherwise in a quiet moment, a batch at a time."""
    while True:
        found = await online.database.read(lambda tx: waiting(tx, online.account_id, WAITING))
        if not found:
            return
        if sum(found.values()) < WAITING and not await _quiet(online.stirred, quiet):
            continue
        absorbed = 0
        for mailbox_id in found:
            try:
                await online.intact(mailbox_id)
                async with online.turn:
                    absorbed += await absorb_once(
                        online.database, online.keys, mailbox_id, stored=online.stored_orders
                    )
            except (MailError, UnsealError) as error:  # the others are absorbed all the same
                log.warning("presence.absorb.put-off", account=online.account_id, why=str(error))
            except LostRace:  # another worker is at it
                await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311  # not a secret
                absorbed += 1
        if not absorbed:
            return
        await online.wrote()


async def _quiet(stirred: asyncio.Event, seconds: float) -> bool:
    """Wait until nothing has happened for *seconds*; False as soon as something does."""
    stirred.clear()
    try:
        async with asyncio.timeout(seconds):
            await stirred.wait()
    except TimeoutError:
        return True
    return False
