"""Presence: the accounts that have sessions in this worker, what wakes them, and what ends them.

A ring names an account; if it is online here, those who watch a mailbox that moved are told, and
its tidying looks whether there is something to absorb. Every five seconds the account rows are
looked at all the same: a ring may be lost, and a session whose way in is gone must end.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mailstead.accounts.accessentries import Door
from mailstead.accounts.attendance import Account, Ended, Modseqs, Session, Unlocked, WaysIn, read_news, tell
from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.keptorders import KeptOrders
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.online import Online
from mailstead.accounts.standing import Standing
from mailstead.accounts.tidying import tidy
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.bus.bell import Bell
from mailstead.clock import Clock
from mailstead.errors import MailError
from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccessRow, AccountRow
from mailstead.store.database import Database, Tx
from mailstead.store.ledger import Ledger
from mailstead.store.slots import SlotRow

ROWS_AT_ONCE = 256  # account rows looked at in one read

Key = tuple[int, int, int]  # account id and generations


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in seconds: account rows are looked at, and logs emptied; what is a quiet moment."""

    look: float = 5.0
    quiet: float = 5.0
    traces: float = 30.0


USUAL = Pace()


class Presence:
    """The accounts that are online in this worker; `run` runs as long as the worker does."""

    def __init__(
        self,
        database: Database,
        bell: Bell,
        clock: Clock,
        log: Log,
        pace: Pace = USUAL,
        body_keys: BodyKeys | None = None,
        ledger: Ledger | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics or Metrics()
        self._leaving: set[asyncio.Task[None]] = set()
        self._pace = pace
        self._body_keys = body_keys
        self._kept_orders = KeptOrders()
        self._database = database
        self._bell = bell
        self._clock = clock
        self._log = log
        self._accounts: dict[Key, Account] = {}
        self._ids = Counter[int]()  # of the accounts in it, each above 0
        self._rung: set[int] = set()
        self._some = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._traces = False  # something was erased, and may still lie in the database's log
        self._looked: list[Callable[[set[int], set[int]], None]] = []

    def enter(
        self,
        account: AccountRow,
        slot: SlotRow,
        make_keys: Callable[[], SessionKeys],
        standing: Callable[[SessionKeys], Standing],
        ended: Ended,
        door: Door,
        *,
        writable: bool,
    ) -> UnlockedAccount:
        """A session of an account that was just unlocked.

        Args:
            make_keys: Called if no other session of the account is here.
            standing: Tells, with the keys, whether the account is as it was left.
            ended: Called once, on the loop, when the session's way in is gone, or the account disabled.
            door: By which protocol it came.
            writable: It may change mail.
        """
        key = (account.account_id, account.root_gen, account.read_gen)
        here = self._accounts.get(key)
        if here is None:
            online = Online(
                self._database, make_keys(), self._bell.ring, self._erased, self._body_keys,
                self._kept_orders, partial(self._damaged, account.account_id), self._ledger,
                searching=self._metrics.search,
            )  # fmt: skip
            here = self._accounts[key] = Account(online)
            self._ids[account.account_id] += 1
            self._metrics.keys_unlocked.set(len(self._accounts))
            if self._tasks is not None:
                here.behind = self._behind(self._tasks, here.online)
        since = int(self._clock.now())
        session = Session(slot.slot_id, slot.tag, slot.not_after, ended, door, slot.type, since)
        here.sessions.add(session)
        try:
            here.online.stand(standing(here.online.keys))
        except BaseException:
            self._leave(key, here, session)
            raise
        if here.access is not None and here.access.access_version != account.access_version:
            here.access = None  # it may have ended while it came in, and others were looked at
            self._heard(account.account_id)
        return UnlockedAccount(
            here.online, self._clock.now, lambda: self._leave(key, here, session), tidied=True,
            writable=writable,
        )  # fmt: skip

    def _behind(self, tasks: asyncio.TaskGroup, online: Online) -> "list[asyncio.Task[None]]":
        """Begin what goes on behind an account's sessions; each ends at once when it is cancelled."""
        return [
            tasks.create_task(tidy(online, self._log, self._pace.quiet, self._erased)),
            tasks.create_task(online.anchoring.run(self._log)),
        ]

    def _damaged(self, account_id: int, mailbox_id: bytes, said: list[str]) -> None:
        self._metrics.not_as_left.add()
        self._log.error(
            "presence.mailbox.not-as-left", account=account_id, mailbox=mailbox_id.hex(),
            why=said[0], differences=len(said),
        )  # fmt: skip

    def _erased(self) -> None:
        self._traces = True

    def _leave(self, key: Key, here: Account, session: Session) -> None:
        here.sessions.discard(session)
        if here.sessions:
            return
        del self._accounts[key]
        self._metrics.keys_unlocked.set(len(self._accounts))
        self._ids[key[0]] -= 1
        if not self._ids[key[0]]:
            del self._ids[key[0]]
        if self._body_keys is not None:
            self._body_keys.forget(key[0])
        self._kept_orders.forget(key[0])
        for task in here.behind:
            task.cancel()  # itself: what is still on its way to it would find the keys wiped
        if here.online.anchoring.unfinished and self._tasks is not None:
            last = self._tasks.create_task(self._anchor(here))
            self._leaving.add(last)
            last.add_done_callback(self._leaving.discard)
        else:
            here.online.keys.close()

    async def _anchor(self, here: Account) -> None:
        """Anchor what an account's sessions wrote, the last of which has left, and wipe its keys."""
        try:
            await asyncio.wait(here.behind)  # one of them may be writing it
            if here.online.anchoring.due:
                await here.online.anchoring.try_to_write(self._log)
        finally:
            here.online.keys.close()

    async def settle(self) -> None:
        """Wait for what is still to be done for those who have left."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    def unlocked(self) -> list[Unlocked]:
        """Whose keys are here, by way in and protocol."""
        found: dict[tuple[int, int, Door], list[int]] = {}
        for (account_id, _, _), here in self._accounts.items():
            for session in here.sessions:
                found.setdefault((account_id, session.slot_type, session.door), []).append(session.since)
        return [Unlocked(*key, len(since), min(since)) for key, since in sorted(found.items())]

    def on_look(self, told: Callable[[set[int], set[int]], None]) -> None:
        """Have *told* called after every look with the accounts online, and those whose ways in changed."""
        self._looked.append(told)

    async def run(self) -> None:
        """Hear the bell and look at the account rows."""
        try:
            await self._run()
        finally:
            self._tasks = None

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for here in self._accounts.values():
                here.behind = self._behind(tasks, here.online)
            tasks.create_task(self._bell.run(self._heard))
            tasks.create_task(self._attend())
            tasks.create_task(self._look_now_and_then())
            tasks.create_task(self._wipe_traces())

    def _heard(self, account_id: int) -> None:
        if account_id in self._ids:  # most mail is for somebody who is not here
            self._rung.add(account_id)
            self._some.set()

    async def _attend(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            rung, self._rung = self._rung, set()
            await self._look([a for key, a in list(self._accounts.items()) if key[0] in rung])

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._pace.look)
            everybody = list(self._accounts.values())
            for at in range(0, len(everybody), ROWS_AT_ONCE):
                some = everybody[at : at + ROWS_AT_ONCE]
                self._end_expired(some)
                await self._look(some)
                await asyncio.sleep(0)
            self._told(set())
            self._metrics.index_waiting.set(sum(a.online.indexing.left for a in self._accounts.values()))

    async def _wipe_traces(self) -> None:
        """A minute after EXPUNGE no file holds the message's key (docs/security.md)."""
        while True:
            await asyncio.sleep(self._pace.traces)
            if self._traces:
                self._traces = False
                try:
                    await self._database.truncate_log()
                except MailError as error:
                    self._traces = True
                    self._log.warning("presence.traces.put-off", reason=error.reason.name)

    def _told(self, changed: set[int]) -> None:
        online = set(self._ids)
        for told in self._looked:
            told(online, changed)

    async def _look(self, accounts: list[Account]) -> None:
        """See what changed of these accounts, and tell whom it concerns."""

        def work(
            tx: Tx,
        ) -> list[tuple[Account, AccessRow | None, Modseqs, WaysIn]]:
            return [(a, *read_news(tx, a)) for a in accounts]

        try:
            read = await self._database.read(work)
        except MailError as error:
            self._log.warning("presence.look.failed", reason=error.reason.name)
            return
        for here, access, modseqs, ways_in in read:
            before, here.access = here.access, access
            if before == access and access is not None:  # an account that is gone may never have been seen
                continue
            here.online.stirred.set()
            for watch in list(here.online.watches):
                modseq = modseqs.get(watch.mailbox_id, -1)
                if watch.modseq != modseq:
                    watch.modseq = modseq
                    watch.tell()
            if before is None or access is None or before.access_version != access.access_version:
                if before is not None:
                    self._told({here.online.account_id})
                self._end(here, access, ways_in)

    def _end(self, here: Account, access: AccessRow | None, ways_in: WaysIn) -> None:
        keys = here.online.keys
        current = (
            access is not None
            and access.status == rows.ACTIVE
            and (access.root_gen, access.read_gen) == (keys.root_gen, keys.read_gen)
        )
        for session in list(here.sessions):
            if not current or (session.slot_id, session.tag) not in ways_in:
                tell(session)

    def _end_expired(self, accounts: list[Account]) -> None:
        now = self._clock.now()
        for here in accounts:
            for session in list(here.sessions):
                if session.not_after and now >= session.not_after:
                    tell(session)
