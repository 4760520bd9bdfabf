"""Accounts that are online: who is told, what is tidied, who must go."""

import asyncio
import contextlib
import io
from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.logins import Logins
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.presence import Pace, Presence
from mailstead.accounts.provision import remove_account, set_status
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.bus.bell import open_bell
from mailstead.clock import SystemClock
from mailstead.log import Log
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.mail.sortkeys import By, Criterion
from mailstead.store import accounts as rows
from mailstead.store.database import Database
from tests.support.house import PASSWORD, House, house

QUICK = Pace(look=0.05, quiet=0.05)
NEVER = Pace(look=3600, quiet=3600)


class Worker:
    """A house with its presence, its bell and its logins."""

    def __init__(self, h: House, pace: Pace, *, deaf: bool = False) -> None:
        self.house = h
        self.log = io.StringIO()
        self.bell = open_bell(h.folder / "deaf" if deaf else h.folder, None)
        self.presence = Presence(h.database, self.bell, SystemClock(), Log(self.log), pace, BodyKeys(4))
        self.office = replace(h.office, ring=self.bell.ring)
        self.logins = Logins(self.office, self.presence, ("b.test",), SystemClock())
        h.batch._rung = self.bell.ring

    async def login(self, ended: asyncio.Event | None = None, name: str = "ann") -> UnlockedAccount:
        tell = ended.set if ended is not None else print
        return await self.logins.login(name, PASSWORD, "192.0.2.1", tell)


@contextlib.asynccontextmanager
async def worker(
    database: Database, folder: Path, pace: Pace = QUICK, *, deaf: bool = False
) -> AsyncIterator[Worker]:
    (folder / "deaf" / "run").mkdir(parents=True, exist_ok=True)
    async with house(database, folder) as h:
        made = Worker(h, pace, deaf=deaf)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(made.presence.run())
            await asyncio.sleep(0.01)
            try:
                yield made
            finally:
                running.cancel()
        await made.bell.close()
        assert "failed" not in made.log.getvalue()


async def eventually(read, wanted, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while await read() != wanted:
            await asyncio.sleep(0.01)


async def test_sessions_share_keys_that_the_last_one_wipes(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        free = len(w.office.arena._free)
        one = await w.login()
        after_one = len(w.office.arena._free)
        two = await w.login()
        assert one._online is two._online
        assert len(w.office.arena._free) == after_one
        inbox = await w.house.inbox(one)
        assert await one.snapshot(inbox) is await two.snapshot(inbox)
        one.close()
        one.close()
        assert (await two.mailbox("INBOX")).id == inbox
        two.close()
        w.logins._memory.remembered.forget_account(two.account_id)
        assert len(w.office.arena._free) == free, "a key is left in memory"


async def test_sessions_share_orders_that_the_last_one_forgets(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        await w.house.deliver(b"Subject: x\r\n\r\n")
        one, two = await w.login(), await w.login()
        inbox = await w.house.inbox(one)
        kept = w.presence._kept_orders
        for account in (one, two):
            answer = await account.orders.sorted(
                inbox, array("I", [1]), (Criterion(By.SUBJECT),), lambda _: None
            )
            assert answer is kept.get(one.account_id, inbox).finished[Criterion(By.SUBJECT),]
            assert list(answer.places) == [0]
        one.close()
        assert kept._mailboxes
        two.close()
        assert not kept._mailboxes
        assert not kept._octets


async def test_a_delivery_in_another_worker_is_told(databases: list[Database], tmp_path: Path) -> None:
    async with worker(databases[0], tmp_path, NEVER) as one, worker(databases[1], tmp_path, NEVER) as two:
        await one.house.move_in()
        account = await one.login()
        inbox, trash = await one.house.inbox(account), (await account.mailbox("Trash")).id
        told, other = asyncio.Event(), asyncio.Event()
        unwatch = account.watch(inbox, told.set)
        account.watch(trash, other.set)
        one.bell.ring([account.account_id])
        async with asyncio.timeout(10):
            await told.wait()  # of the beginning
        told.clear()
        other.clear()
        await two.house.deliver(b"Subject: x\r\n\r\n")
        async with asyncio.timeout(10):
            await told.wait()
        assert list((await account.snapshot(inbox)).uids) == [1]
        assert not other.is_set(), "nothing happened there"
        told.clear()
        elsewhere = await two.login()
        await elsewhere.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.SEEN))
        async with asyncio.timeout(10):
            await told.wait()
        told.clear()
        unwatch()
        await two.house.deliver(b"Subject: y\r\n\r\n")
        await asyncio.sleep(0.1)
        assert not told.is_set()
        account.close()
        elsewhere.close()


@pytest.mark.parametrize("look", [True, False])
async def test_a_lost_ring_is_found_by_looking(databases: list[Database], tmp_path: Path, look: bool) -> None:
    async with (
        worker(databases[0], tmp_path, QUICK if look else NEVER) as one,
        worker(databases[1], tmp_path, NEVER, deaf=True) as two,
    ):
        await one.house.move_in()
        account = await one.login()
        inbox = await one.house.inbox(account)
        told = asyncio.Event()
        account.watch(inbox, told.set)
        one.bell.ring([account.account_id])

        async def seen() -> bool:
            return all(here.access is not None for here in one.presence._accounts.values())

        await eventually(seen, True)  # a look may have come before the ring, and before the watch
        told.clear()
        await two.house.deliver(b"Subject: x\r\n\r\n")  # nobody hears its bell
        if look:
            async with asyncio.timeout(10):
                await told.wait()
        else:
            await asyncio.sleep(0.3)
            assert not told.is_set(), "the control: without looking nobody knows"
        account.close()


async def test_pendings_are_absorbed_in_a_quiet_moment(database: Database, tmp_path: Path) -> None:
    async def waiting() -> int:
        return (await database.read(lambda tx: tx.execute("SELECT COUNT(*) FROM pending")))[0][0]

    async with worker(database, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(b"Subject: before\r\n\r\n")
        account = await w.login()
        await eventually(waiting, 0)
        for _ in range(5):
            await w.house.deliver(b"Subject: x\r\n\r\n")
        await eventually(waiting, 0)
        assert len(await w.house.read_all(account)) == 6
        account.close()
        await w.house.deliver(b"Subject: nobody is there\r\n\r\n")
        await asyncio.sleep(0.3)
        assert await waiting() == 1


async def test_many_pendings_do_not_wait_for_a_quiet_moment(sqlite: Database, tmp_path: Path) -> None:
    async def waiting() -> int:
        return (await sqlite.read(lambda tx: tx.execute("SELECT COUNT(*) FROM pending")))[0][0]

    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        account = await w.login()
        for _ in range(63):
            await w.house.deliver(b"Subject: x\r\n\r\n")
        await asyncio.sleep(0.2)
        assert await waiting() == 63
        await w.house.deliver(b"Subject: x\r\n\r\n")
        await eventually(waiting, 0)
        account.close()


async def test_what_a_crash_left_of_a_deleted_mailbox_goes_at_the_next_login(
    database: Database, tmp_path: Path
) -> None:
    async def objects() -> int:
        return (await database.read(lambda tx: tx.execute("SELECT COUNT(*) FROM object")))[0][0]

    async with worker(database, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(b"Subject: x\r\n\r\n")
        dying = await w.house.unlock()
        work = await dying.create_mailbox("work")
        await dying.copy(await w.house.inbox(dying), [Uid(1)], work)
        await dying.move(await w.house.inbox(dying), [Uid(1)], work)
        await dying._online.folders.delete("work")
        dying.close()
        assert await objects() == 1
        account = await w.login()
        await eventually(objects, 0)
        account.close()


@pytest.mark.parametrize("wipes", [True, False])
async def test_nothing_of_an_expunged_message_stays_in_the_log(
    sqlite: Database, tmp_path: Path, wipes: bool
) -> None:
    log = tmp_path / "mail.db-wal"
    pace = replace(NEVER, traces=0.05 if wipes else 3600)
    async with worker(sqlite, tmp_path, pace) as w:
        await w.house.move_in()
        await w.house.deliver(b"Subject: x\r\n\r\n")
        account = await w.login()
        inbox = await w.house.inbox(account)
        await account.absorb(inbox)
        await asyncio.sleep(0.1)
        assert log.stat().st_size > 0, "without an EXPUNGE nobody hurries"
        await account.expunge(inbox, [Uid(1)])
        await asyncio.sleep(0.5)
        assert (log.stat().st_size == 0) == wipes
        account.close()


@pytest.mark.parametrize("how", ["password", "disable", "remove"])
async def test_a_session_whose_way_in_is_gone_ends(database: Database, tmp_path: Path, how: str) -> None:
    async with worker(database, tmp_path, NEVER) as w:
        await w.house.move_in()
        await w.house.move_in("ben@b.test")
        ended, bens = asyncio.Event(), asyncio.Event()
        account, ben = await w.login(ended), await w.login(bens, "ben")
        await account.subscribe("x")  # rings, and is no reason to go
        await asyncio.sleep(0.1)
        assert not ended.is_set()
        assert len(w.logins._memory.remembered) == 2
        match how:
            case "password":
                old = Credential.password(PASSWORD)
                await change_password(w.office, "ann@b.test", old, b"another password")
            case "disable":
                await set_status(w.office, "ann@b.test", rows.DISABLED)
            case _:
                await remove_account(w.office, "ann@b.test")
        async with asyncio.timeout(5):
            await ended.wait()
        assert not bens.is_set()
        assert len(w.logins._memory.remembered) == 1, "and the password is forgotten"
        account.close()
        ben.close()


async def test_what_goes_on_behind_the_last_session_ends_before_its_keys_are_wiped(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when what it waited for came in the very moment that the session left."""
    began, go, went_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> int:
        began.set()
        await go.wait()
        went_on.set()
        return 0

    monkeypatch.setattr("mailstead.accounts.tidying.deleted", slow)
    async with worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        session = await w.login()
        await began.wait()
        go.set()
        session.close()
        await asyncio.sleep(0.05)
        assert not went_on.is_set()
