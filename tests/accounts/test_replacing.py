"""REPLACE: the one goes and the other comes, or neither, whatever happens in between."""

import random
from pathlib import Path

import pytest

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.provision import NewAccount
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.clock import SystemClock
from mailstead.delivery.appending import Appended, Appending
from mailstead.errors import MailError, Reason, Refused, Unavailable
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store import accounts as rows
from mailstead.store.arrivals import Placed
from mailstead.store.database import Database, Tx
from tests.support.house import House, house
from tests.support.interrupted import Interrupted

NEW = b"Subject: new\r\n\r\nthe new one\r\n"
LARGE = b"Subject: large\r\n\r\n" + random.Random(1).randbytes(1_500_000).hex().encode()


async def filled(h: House) -> tuple[NewAccount, UnlockedAccount, bytes]:
    made = await h.move_in()
    for n in range(3):
        await h.deliver(b"Subject: %d\r\n\r\nbody\r\n" % n)
    account = await h.unlock()
    return made, account, await h.inbox(account)


async def begun(h: House, account: UnlockedAccount, mailbox_id: bytes, octets: bytes = NEW) -> Appended:
    appending = Appending(h.storing, h.directory, SystemClock())
    appended = await appending.begin(account.account_id, mailbox_id, Flags(), None, len(octets))
    for at in range(0, len(octets), 65536):
        appended.push(octets[at : at + 65536])
    return appended


async def replaced(h: House, account: UnlockedAccount, inbox: bytes, uid: int, appended: Appended) -> Placed:
    appending = Appending(h.storing, h.directory, SystemClock())
    return await appending.finish_within(appended, account.replacing(inbox, Uid(uid)).by)


async def state(h: House, account: UnlockedAccount) -> dict[int, bytes]:
    """What is there; and what is stored is what the quota counts, without anything that nobody names."""
    stored = await h.database.read(
        lambda tx: tx.execute("SELECT object_id, stored_octets FROM object WHERE refs > 0")
    )
    used = await h.database.read(lambda tx: tx.execute("SELECT used_octets FROM account"))
    named = {m.b.object_id async for m in account.messages(await h.inbox(account))}
    assert {row[0] for row in stored} == named
    assert used == [(sum(row[1] for row in stored),)]
    return await h.read_all(account)


@pytest.mark.parametrize("octets", [NEW, LARGE], ids=["small", "large"])
async def test_a_race_that_is_lost_is_run_again(database: Database, tmp_path: Path, octets: bytes) -> None:
    """Somebody changes another message of the row, and mail comes: none of it is lost, and it is done once."""
    raced = Interrupted(database)
    async with house(raced, tmp_path, memory_octets=50_000, single_octets=20_000) as h:
        _, account, inbox = await filled(h)
        await account.absorb(inbox)
        other = await h.unlock()
        appended = await begun(h, account, inbox, octets)

        async def interfere() -> None:
            await other.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.SEEN))

        async def deliver() -> None:
            for n in range(300):  # more than there is room for before the modseq that was chosen
                await h.deliver(b"Subject: more %d\r\n\r\n" % n)

        ahead = 0 if octets is NEW else 1  # writes before the one that counts
        raced.before_writes = [*[None] * ahead, interfere, None, deliver, None]
        placed = await replaced(h, account, inbox, 2, appended)
        assert raced.before_writes in ([], [None]), "both were in between"
        found = await state(h, account)
        assert list(found) == [1, *range(3, 305)]
        assert found[placed.uid] == octets
        assert (await account.locate(inbox, Uid(1))).state.flags == SystemFlag.SEEN
        for session in (account, other):
            session.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_failure_within_undoes_all_of_it(database: Database, tmp_path: Path, when: str) -> None:
    """The old one is there, the new one is not, and nobody's numbers have moved."""
    async with house(database, tmp_path) as h:
        _, account, inbox = await filled(h)
        await account.absorb(inbox)
        before, counters = await state(h, account), await account.exists(inbox)
        appending = Appending(h.storing, h.directory, SystemClock())
        replacing = account.replacing(inbox, Uid(2))

        async def fails(place):  # type: ignore[no-untyped-def]
            def work(tx: Tx) -> Placed:
                if when == "after":
                    place(tx)
                raise Unavailable(Reason.STORAGE_FULL)

            return await replacing.by(work)

        with pytest.raises(Unavailable):
            await appending.finish_within(await begun(h, account, inbox), fails)
        assert await state(h, account) == before
        assert await account.exists(inbox) == counters
        await replaced(h, account, inbox, 2, await begun(h, account, inbox))
        assert list(await state(h, account)) == [1, 3, 4]
        account.close()


async def test_what_is_not_there_is_not_replaced(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        _, account, inbox = await filled(h)
        before = await state(h, account)
        assert await account.replacing(inbox, Uid(9)).frees() == 0
        with pytest.raises(Refused) as caught:
            await replaced(h, account, inbox, 9, await begun(h, account, inbox))
        assert caught.value.reason is Reason.NO_SUCH_MESSAGE
        with pytest.raises(Refused) as caught:
            await replaced(h, account, b"n" * 16, 1, await begun(h, account, inbox))
        assert caught.value.reason is Reason.NO_SUCH_MESSAGE
        with pytest.raises(Refused) as caught:
            await replaced(h, account, inbox, 1, await begun(h, account, b"n" * 16))
        assert caught.value.reason is Reason.NO_SUCH_MAILBOX
        assert await state(h, account) == before
        assert h.storing._budget.used == 0
        account.close()


async def test_a_source_that_goes_at_the_last_moment(sqlite: Database, tmp_path: Path) -> None:
    raced = Interrupted(sqlite)
    async with house(raced, tmp_path) as h:
        _, account, inbox = await filled(h)
        await account.create_mailbox("work")
        work = (await account.mailbox("work")).id
        await account.move(inbox, [Uid(1)], work)
        appended = await begun(h, account, inbox)
        other = await h.unlock()
        raced.before_writes = [lambda: other.delete_mailbox("work")]
        with pytest.raises(MailError) as caught:
            await replaced(h, account, work, 1, appended)
        assert caught.value.reason is Reason.NO_SUCH_MESSAGE
        assert list(await state(h, account)) == [2, 3]
        for session in (account, other):
            session.close()


async def test_what_it_frees_is_what_nobody_else_names(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        _, account, inbox = await filled(h)
        octets = await database.read(lambda tx: tx.execute("SELECT stored_octets FROM object"))
        assert await account.replacing(inbox, Uid(1)).frees() == octets[0][0]
        await account.copy(inbox, [Uid(1)], inbox)
        assert await account.replacing(inbox, Uid(1)).frees() == 0
        assert await account.replacing(inbox, Uid(2)).frees() == octets[1][0]
        account.close()


async def test_a_key_that_changed_meanwhile(sqlite: Database, tmp_path: Path) -> None:
    """Once more, under the key that is current."""
    async with house(sqlite, tmp_path) as h:
        made, account, inbox = await filled(h)
        appended = await begun(h, account, inbox)
        macs = h.server_key.rows

        def rotate(tx: Tx) -> None:
            ((public,),) = tx.execute("SELECT public_key FROM epoch_key")
            mac = macs.account(made.uuid, rows.ACTIVE, 2, 1, 1)
            tx.execute("UPDATE account SET epoch = 2, mac = ?", (mac,))
            tx.execute(
                "INSERT INTO epoch_key (account_id, epoch, suite, state, public_key, mac) VALUES (1, 2, 1, 1, ?, ?)",
                (public, macs.epoch_key(made.uuid, 2, 1, 1, public)),
            )

        await sqlite.write(rotate)
        assert (await replaced(h, account, inbox, 2, appended)).uid == 4
        uids = await sqlite.read(
            lambda tx: tx.execute("SELECT uid, epoch FROM pending JOIN lane USING (account_id, lane_id)")
        )
        assert uids == [(4, 2)], "the old one is absorbed and gone"
        account.close()
