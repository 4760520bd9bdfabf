"""Notes for the access log, made where somebody logs in and written behind him.

Rule 1: a login waits for no note and fails for none. Rule 2: everything here is bounded, whatever
comes. What was seen is kept by way in, peer and door, and a second later all accounts' notes are
sealed to their delivery keys and written; tries that failed are counted and written once a minute.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from mailstead.accounts.accessentries import SEVERAL, Door, Entries, Entry, Key, Outcome, packed_peer
from mailstead.accounts.directory import Directory
from mailstead.crypto.notes import seal_note
from mailstead.errors import MailError, Reason
from mailstead.log import Log
from mailstead.store.accessnotes import add_note
from mailstead.store.accounts import find_recipient
from mailstead.store.database import Conflict, Database
from mailstead.store.slots import SlotRow

GATHER_SECONDS = 1.0
FAILED_SECONDS = 60.0
PAUSE_SECONDS = 5.0  # after a database that could not be written
ACCOUNTS = 1024  # that have something to be written
PEERS, FAILED_PEERS = 64, 16  # of an account that are kept apart
AT_ONCE = 32  # transactions that run together

Witness = Callable[[int, Entry], None]  # told an account's number, and what was seen


_Waiting = dict[Key, Entry]  # of one account


class AccessNotes:
    """What one process saw and has not written yet."""

    def __init__(self, database: Database, directory: Directory, log: Log) -> None:
        self._database = database
        self._directory = directory
        self._log = log
        self._entered: dict[int, _Waiting] = {}
        self._failed: dict[int, _Waiting] = {}
        self._some = asyncio.Event()
        self.lost = 0  # that no account will hear of

    def saw(self, account_id: int, entry: Entry) -> None:
        """Remember that somebody got in, or tried; neither waits nor raises."""
        failed = entry.outcome is Outcome.FAILED
        self._keep(self._failed if failed else self._entered, account_id, entry)
        if not failed:
            self._some.set()

    def _keep(self, waiting: dict[int, _Waiting], account_id: int, entry: Entry) -> None:
        kept = waiting.get(account_id)
        if kept is None:
            if len(waiting) >= ACCOUNTS:
                self.lost += entry.count
                return
            kept = waiting[account_id] = {}
        peers = FAILED_PEERS if entry.outcome is Outcome.FAILED else PEERS
        if entry.key not in kept and len(kept) >= peers:
            entry = replace(entry, peer=SEVERAL)
        known = kept.get(entry.key)
        kept[entry.key] = entry if known is None else known.joined(entry)

    async def run(self) -> None:
        """Write what comes, for as long as the process runs."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_entered())
            tasks.create_task(self._write_failed())

    async def _write_entered(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._some.clear()
            if not await self._try(self._entered, failed=False):
                self._some.set()
                await asyncio.sleep(PAUSE_SECONDS)
            if self.lost:
                self._log.warning("access.notes.lost", notes=self.lost)
                self.lost = 0

    async def _write_failed(self) -> None:
        while True:
            await asyncio.sleep(FAILED_SECONDS)
            if not await self._try(self._failed, failed=True):
                self._log.warning("access.notes.put-off")

    async def flush(self) -> None:
        """Write everything now, as well as it goes: the process ends."""
        await self._try(self._entered, failed=False)
        await self._try(self._failed, failed=True)

    async def _try(self, waiting: dict[int, _Waiting], *, failed: bool) -> bool:
        try:
            return await self._write(waiting, failed=failed)
        except Exception as error:  # the top of a job: no note ends the process, or what it did
            self._log.unforeseen("access.notes.failed", error)
            return True

    async def _write(self, waiting: dict[int, _Waiting], *, failed: bool) -> bool:
        """Write what waits; False when some of it could not be, and waits still."""
        taken = sorted(waiting.items())
        waiting.clear()
        done = True
        for at in range(0, len(taken), AT_ONCE):
            some = taken[at : at + AT_ONCE]
            written = await asyncio.gather(*(self._write_one(i, w, failed=failed) for i, w in some))
            for (account_id, kept), one in zip(some, written, strict=True):
                if one:
                    continue
                done = False
                for entry in kept.values():
                    self._keep(waiting, account_id, entry)
        return done

    async def _write_one(self, account_id: int, kept: _Waiting, *, failed: bool) -> bool:
        content = Entries(tuple(kept.values())).encode()
        try:
            resident = await self._directory.at(account_id)
            note = seal_note(resident.uuid, resident.epoch, resident.key, resident.chain, content)
            return await self._database.write(
                lambda tx: add_note(tx, account_id, note, failed=failed)
            )  # False: sealed to an epoch that has just ended
        except MailError as error:
            if error.reason in (Reason.STORAGE_FULL, Reason.STORAGE_UNAVAILABLE):
                return False
        except Conflict:  # the account went this moment
            pass
        self.lost += len(kept)
        return True


def seen(now: float, door: Door, outcome: Outcome, slot: SlotRow | None = None, peer: str = "") -> Entry:
    """What to tell a `Witness` of a login.

    Args:
        now: Seconds since the epoch.
        slot: The way in, unless nothing was opened.
        peer: The client's address; empty: it is a command here.
    """
    at = int(now)
    if slot is None:
        return Entry(at, at, 1, door, outcome, peer=packed_peer(peer))
    return Entry(at, at, 1, door, outcome, slot.type, slot.slot_id, packed_peer(peer), slot.locator)


async def account_of(database: Database, address: str) -> int | None:
    """The number of the account that somebody tried to open, if there is one."""
    try:
        found = await database.read(lambda tx: find_recipient(tx, address))
    except MailError:  # whoever failed hears of that and not of this
        return None
    return None if found is None else found.account.account_id
