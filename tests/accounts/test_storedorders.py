"""What one session read to sort is good for another, for as long as it is of the mail that is there."""

import asyncio
import os
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from mailstead.accounts import filling, storedorders
from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.opening import Credential
from mailstead.accounts.preparing import FIELDS
from mailstead.accounts.purging import deleted, purge
from mailstead.accounts.resealing import left_to_reseal, reseal_once
from mailstead.accounts.rotation import rotate
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import Kind
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threads import Algorithm
from mailstead.store import orders as rows
from mailstead.store.accounts import Stale
from mailstead.store.database import Database
from tests.support.desk import CANARY, COUNT, DATE, EVERYTHING, SIZE, SUBJECT, Desk, desk
from tests.support.house import PASSWORD, house
from tests.support.orders import KEYS, asked


async def test_a_new_session_reads_nothing_and_says_the_same(database: Database, tmp_path: Path) -> None:
    async with desk(database, tmp_path) as d:
        assert await d.ask(*EVERYTHING) == [COUNT] * (len(KEYS) + 1), "threads need dates and subjects, too"
        assert await d.stored() == {0: rows.FIELDS, 1: rows.FIELDS}
        for what in EVERYTHING:
            assert await d.ask(what) == [], what
        assert await d.ask((Criterion(By.DATE, reverse=True), *SUBJECT, *SIZE)) == []
        assert await d.ask(SUBJECT, DATE, Algorithm.REFERENCES, some=lambda uid: uid % 3 == 0) == []


async def test_what_a_full_row_is_sorted_by_is_made_when_it_is_absorbed(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database, tmp_path, 0) as d:
        await d.deliver(range(200))
        await d.absorb()
        await d.deliver(range(200, 2 * 256 + 20))
        async with d.session() as (account, _):
            assert await account.absorb(d.inbox) == 2 * 256 + 20 - 200
            await account._online.stored_orders.write()
        assert await d.stored() == {0: len(FIELDS), 1: len(FIELDS)}
        for by in FIELDS:
            assert await d.ask((Criterion(by),)) == [20], "of the row that is not full"
        await d.do(lambda account: account.expunge(d.inbox, [Uid(9)]))
        assert await d.ask(SUBJECT) == [255], "its row is another one"


async def test_a_row_with_an_envelope_that_had_no_room_is_not_made_when_it_is_absorbed(
    sqlite: Database, tmp_path: Path
) -> None:
    async with desk(sqlite, tmp_path, 0) as d:
        await d.deliver(range(255))
        await d.house.deliver(b"Subject: " + os.urandom(40_000).hex().encode() + b"\r\n\r\n.\r\n")
        async with d.session() as (account, _):
            await account.absorb(d.inbox)
            await account._online.stored_orders.write()
        assert await d.stored() == {}


async def test_what_cannot_be_sorted_is_absorbed_all_the_same(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def malformed(*_: object) -> None:
        raise UnsealError("the ENVELOPE is malformed")

    async with desk(sqlite, tmp_path, 0) as d:
        await d.deliver(range(256))
        monkeypatch.setattr("mailstead.accounts.preparing.Making.make", malformed)
        async with d.session() as (account, _):
            assert await account.absorb(d.inbox) == 256
        assert await d.stored() == {}


async def test_only_what_is_in_no_record_is_read(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        await d.ask(SUBJECT, Algorithm.REFERENCES)
        await d.deliver([COUNT])
        for what in (SUBJECT, DATE, Algorithm.REFERENCES):
            assert await d.ask(what) == [1], "it waits"
        await d.absorb()
        for what in (SUBJECT, Algorithm.REFERENCES):
            assert await d.ask(what) == [45], "its row is another one"
            assert await d.ask(what) == []
        await d.do(lambda a: a.change_flags(d.inbox, [Uid(7)], FlagChange(How.ADD, SystemFlag.SEEN)))
        assert await d.ask(Algorithm.REFERENCES) == [], "flags do not matter"


async def test_rows_are_stored_that_were_asked_for_by_half(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        assert await d.ask(SUBJECT, some=lambda uid: uid not in {5, 270}) == [COUNT]
        assert await d.stored() == {0: 1, 1: 1}
        assert await d.ask(DATE, some=lambda uid: uid % 4 == 0) == [75]
        assert await d.stored() == {0: 1, 1: 1}, "not by a quarter"
        assert await d.ask(SIZE, some=lambda uid: uid < filling.FEW) == [filling.FEW - 1]


async def test_nothing_of_an_expunged_message_stays(database: Database, tmp_path: Path) -> None:
    async with desk(database, tmp_path) as d:
        await d.ask(*EVERYTHING)
        await d.do(lambda account: account.expunge(d.inbox, [Uid(299)]))
        assert await d.stored() == {0: rows.FIELDS}, "its row's records went with it"
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == [43, 43]
        await d.do(lambda account: account.expunge(d.inbox, [Uid(1)], 3))
        assert await d.stored() == {1: 3}
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == [255, 255]
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == []
        replaced: list[object] = []

        async def replace(account: UnlockedAccount) -> None:
            replaced.append(await account.replacing(d.inbox, Uid(2)).by(lambda _: 0))

        await d.do(replace)
        assert replaced == [0]
        assert await d.stored() == {1: 3}
        assert await d.ask(SUBJECT) == [254]


async def test_what_moves_leaves_nothing_behind(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d, d.session() as (account, _):
        box = await account.create_mailbox("work")
        await account.copy(d.inbox, list(map(Uid, range(1, 101))), box)
        await d.ask(SUBJECT, Algorithm.REFERENCES)
        await d.ask(SUBJECT, Algorithm.REFERENCES, box=box)
        assert (await d.stored(), await d.stored(box)) == ({0: 3, 1: 3}, {0: 3})
        await account.move(d.inbox, list(map(Uid, range(290, 296))), box)
        assert await d.stored() == {0: 3}
        assert await d.ask(SUBJECT, box=box) == [106]
        await account.move(box, [Uid(1)], box)
        assert not await d.stored(box)
        assert await d.ask(SUBJECT, Algorithm.REFERENCES, box=box) == [106, 106]
        await account.delete_mailbox("work")
        for mailbox_id in await deleted(d.database, account._online.keys):
            await purge(d.database, account._online.keys, mailbox_id)
        assert not await d.stored(box)


async def test_what_changed_meanwhile_is_not_written(database: Database, tmp_path: Path) -> None:
    async with desk(database, tmp_path) as d, d.session() as (one, its), d.session() as (two, others):
        uids = range(1, COUNT + 1)
        for account, orders in ((one, its), (two, others)):
            await asked(orders, d.inbox, uids, SUBJECT, keep=True)
            assert account._online.stored_orders.some.is_set()
        await one.expunge(d.inbox, [Uid(280)])
        await asyncio.gather(one._online.stored_orders.write(), two._online.stored_orders.write())
        assert await d.stored() == {0: 1}, "both had read the message, and both had the other row"
        assert await d.ask(SUBJECT) == [43]


async def test_of_two_who_write_at_once_one_is_enough(databases: list[Database], tmp_path: Path) -> None:
    async with desk(databases[0], tmp_path) as d, house(databases[1], tmp_path) as there:
        elsewhere = await there.unlock()
        async with d.session() as (account, orders):
            for some in (orders, elsewhere.orders):
                for what in (SUBJECT, Algorithm.REFERENCES):
                    await asked(some, d.inbox, range(1, COUNT + 1), what, keep=True)
            await asyncio.gather(
                account._online.stored_orders.write(), elsewhere._online.stored_orders.write()
            )
        elsewhere.close()
        assert await d.stored() == {0: 3, 1: 3}
        assert await d.ask(*EVERYTHING[:0], SUBJECT, Algorithm.REFERENCES) == []


def damaged(text: str) -> Callable[[Desk], object]:
    return lambda d: d.sql(f"UPDATE record SET {text} WHERE kind = ?", int(Kind.ORDER))


@pytest.mark.parametrize(
    "text",
    [
        "octets = zeroblob(500)",
        "octets = x''",
        "write_id = zeroblob(16)",
        "version = version + 1",
        "epoch = epoch + 1",
        "octets = substr(octets, 1, length(octets) - 1)",
    ],
)
async def test_what_does_not_open_is_made_again(sqlite: Database, tmp_path: Path, text: str) -> None:
    async with desk(sqlite, tmp_path) as d:
        await d.ask(SUBJECT, Algorithm.REFERENCES)
        await damaged(text)(d)  # type: ignore[misc]
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == [COUNT] * 2
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == [], "and is written again"


async def test_records_mean_nothing_in_another_place(sqlite: Database, tmp_path: Path) -> None:
    """Exchanged between mailboxes, rows and fields, by who can write the database."""
    async with desk(sqlite, tmp_path, 600) as d, d.session() as (account, _):
        box = await account.create_mailbox("work")
        await account.copy(d.inbox, list(map(Uid, range(600, 0, -1))), box)
        await account.expunge(box, [Uid(3)])
        questions = (SUBJECT, SIZE, DATE)
        await d.ask(*questions)
        await d.ask(*questions, box=box)
        other = b"x" * 16
        for place, to in ((d.inbox, other), (box, d.inbox), (other, box)):
            await d.sql(
                "UPDATE record SET place = ? WHERE place = ? AND kind = ?", to, place, int(Kind.ORDER)
            )
        assert await d.ask(*questions) == [600] * 3
        assert await d.ask(*questions, box=box) == [599] * 3
        assert await d.ask(*questions) == []
        name = "UPDATE record SET object_id = ? WHERE object_id = ? AND place = ?"
        pairs = [((8, 0), (8, 1)), ((7, 0), (3, 0))]
        for one, two in pairs:
            a, b = rows.order_id(*one), rows.order_id(*two)
            for new, old in ((other, a), (a, b), (b, other)):
                await d.sql(name, new, old, d.inbox)
        assert await d.ask(*questions) == [512, 256, 256]


async def test_an_older_record_is_of_an_older_page(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        await d.ask(SUBJECT, Algorithm.REFERENCES)
        copy = "CREATE TABLE older AS SELECT * FROM record WHERE kind = 29"
        await d.sql(copy)
        await d.do(lambda account: account.expunge(d.inbox, [Uid(299)]))
        await d.deliver([1000, 1001])
        await d.absorb()
        await d.sql("INSERT OR REPLACE INTO record SELECT * FROM older")
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == [45, 45], "the row that changed since"
        await d.sql("DELETE FROM record WHERE kind = 29")
        await d.ask(SUBJECT)
        await d.sql("INSERT OR REPLACE INTO record SELECT * FROM older")
        assert await d.ask(SUBJECT) == [45]


async def test_another_message_with_a_uid_that_was_used_is_sorted_by_its_own(
    sqlite: Database, tmp_path: Path
) -> None:
    """A mailbox that was set back, and accepted, gives UIDs a second time; records of before are left."""
    tables = "mailbox", "page", "state", "leaf", "record"
    async with desk(sqlite, tmp_path) as d:
        for name in tables:
            await d.sql(f"CREATE TABLE old_{name} AS SELECT * FROM {name}")
        await d.deliver([500, 501])
        await d.absorb()
        await d.ask(SUBJECT, SIZE)
        await d.sql("CREATE TABLE newer AS SELECT * FROM record WHERE kind = 29")
        await d.sql("DELETE FROM mailbox")
        await d.sql("DELETE FROM record WHERE kind = 29")
        for name in tables:
            await d.sql(f"INSERT OR REPLACE INTO {name} SELECT * FROM old_{name}")
        await d.deliver([900, 901])
        await d.absorb()
        await d.sql("INSERT OR REPLACE INTO record SELECT * FROM newer")
        async with d.session() as (account, _):
            assert (await account.snapshot(d.inbox)).uids[-2:] == array("I", [301, 302])
        assert await d.ask(SUBJECT, SIZE) == [46, 46]
        assert await d.ask(SUBJECT, SIZE) == []


async def test_a_rotation_drops_what_old_keys_sealed(database: Database, tmp_path: Path) -> None:
    async with desk(database, tmp_path) as d:
        await d.ask(SUBJECT, Algorithm.REFERENCES)
        await d.sql(
            "UPDATE record SET octets = ? WHERE kind = ? AND object_id = ?",
            bytes(300), int(Kind.ORDER), rows.order_id(8, 0),
        )  # fmt: skip
        async with d.session() as (before, orders):
            await asked(orders, d.inbox, range(1, COUNT + 1), SIZE, keep=True)
            rotated = await rotate(d.house.office, "ann@b.test", Credential.password(PASSWORD))
            with pytest.raises(Stale):
                await before._online.stored_orders.write()
        await d.ask(DATE)
        while await reseal_once(d.database, rotated.keys):
            pass
        assert await left_to_reseal(d.database, rotated.keys) == 0
        rotated.keys.close()
        old = "SELECT 1 FROM record WHERE kind = ? AND epoch = 1"
        assert not await d.database.read(lambda tx: tx.execute(old, (int(Kind.ORDER),)))
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) != []
        assert await d.ask(SUBJECT, Algorithm.REFERENCES) == []


async def test_who_may_not_write_leaves_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        assert await d.ask(SUBJECT, keep=False) == [COUNT]
        assert not await d.stored()


async def test_nothing_is_written_into_a_mailbox_that_is_not_as_it_was_left(
    sqlite: Database, tmp_path: Path
) -> None:
    async with desk(sqlite, tmp_path) as d:
        await d.sql("CREATE TABLE older AS SELECT * FROM state WHERE number = 1")
        await d.do(lambda a: a.change_flags(d.inbox, [Uid(299)], FlagChange(How.ADD, SystemFlag.SEEN)))
        await d.sql("INSERT OR REPLACE INTO state SELECT * FROM older")
        assert await d.ask(SUBJECT) == [COUNT]
        assert not await d.stored()
        async with d.session() as (account, _):
            await account.snapshot(d.inbox)
            assert account._online.snapshots.damage[d.inbox]


async def test_a_store_that_is_away_costs_time_only(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d, d.session() as (account, orders):
        stored = account._online.stored_orders
        await asked(orders, d.inbox, range(1, COUNT + 1), SUBJECT, keep=True)
        stored._octets = storedorders.MOST + 1  # nobody writes
        await asked(orders, d.inbox, range(1, COUNT + 1), DATE, keep=True)
        await stored.write()
        assert await d.stored() == {0: 1, 1: 1}, "what had no room is made again"
        assert await d.ask(DATE) == [COUNT]


async def test_it_counts_against_no_quota_and_changes_no_mailbox(database: Database, tmp_path: Path) -> None:
    async with desk(database, tmp_path) as d, d.session() as (account, _):
        seen = await account.quota(), (await account.snapshot(d.inbox)).mailbox
        await d.ask(*EVERYTHING)
        assert await d.stored()
        assert (await account.quota(), (await account.snapshot(d.inbox)).mailbox) == seen
        await account.expunge(d.inbox, [Uid(3)])
        assert (await account.quota())[0] < seen[0][0]


async def test_no_subject_lies_on_the_disk(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        await d.ask(*EVERYTHING)
        await sqlite.truncate_log()
        octets = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        for spelled in (CANARY, CANARY.upper(), CANARY.lower()):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
                assert spelled.encode(encoding) not in octets
        texts: dict[int, str] = {}
        async with d.session() as (account, orders):
            stored = account._online.stored_orders
            await stored.recall(d.inbox, {0, 1}, [By.SUBJECT], {By.SUBJECT: texts})
            assert any(CANARY.upper() in text for text in texts.values()), "and it is in the records"
            assert not orders._kept.get(account.account_id, d.inbox).numbers
