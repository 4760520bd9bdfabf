"""A finished order is good for another session for as long as nothing comes or goes."""

from pathlib import Path

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threads import Algorithm
from mailstead.store import orders as rows
from mailstead.store.database import Database
from tests.support.desk import COUNT, DATE, EVERYTHING, SIZE, SUBJECT, desk
from tests.support.orders import What, asked


async def test_an_answer_is_good_while_nothing_comes_or_goes(database: Database, tmp_path: Path) -> None:
    async with desk(database, tmp_path) as d:
        d.least = 1
        questions: list[What] = [(Criterion(By.SUBJECT, reverse=True), *DATE), *Algorithm]
        for what in questions:
            await d.ask(what)
            assert d.filled
        assert await d.answers() == 3
        await d.do(lambda a: a.change_flags(d.inbox, [Uid(7)], FlagChange(How.ADD, SystemFlag.SEEN)))
        assert await d.ask(*questions) == []
        assert not d.filled, "no number of a message was needed"
        assert await d.ask(*questions, some=lambda uid: uid != 9) == []
        assert d.filled, "it is that of all messages and no others"
        await d.deliver([COUNT])
        tags = await database.read(lambda tx: tx.execute("SELECT tag FROM pending"))
        for what in questions:
            assert await d.ask(what) == [1]
            assert d.filled
            assert await d.ask(what) == []
            assert not d.filled, "it waits, and is named all the same"
        await d.sql("UPDATE pending SET tag = ?", bytes(32))
        assert await d.ask(questions[0]) == [1]
        await d.sql("UPDATE pending SET tag = ?", b"")
        for _ in range(2):
            assert await d.ask(questions[0]) == [1], "what has no tag"
        (tag,) = tags[0]
        await d.sql("UPDATE pending SET tag = ?", tag)
        await d.absorb()
        for what in questions:
            await d.ask(what)
            assert d.filled
        assert await d.ask(*questions) == []
        assert not d.filled
        await d.do(lambda account: account.expunge(d.inbox, [Uid(3)]))
        assert await d.answers() == 0, "it said where the message stands"
        for what in questions:
            await d.ask(what)
            assert d.filled
        box = b""

        async def move(account: UnlockedAccount) -> None:
            nonlocal box
            box = await account.create_mailbox("work")
            await account.move(d.inbox, list(map(Uid, range(10, 100))), box)

        await d.do(move)
        assert await d.answers() == 0
        assert await d.ask(*questions, box=box) != []
        assert await d.ask(*questions, box=box) == []


async def test_no_mailbox_has_many_answers(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path, 40) as d:
        d.least = 1
        for what in EVERYTHING:
            await d.ask(what)
        assert await d.answers() == len(EVERYTHING) - rows.ANSWERS
        await d.ask(SUBJECT)
        assert await d.answers() <= rows.ANSWERS


async def test_an_answer_to_what_changed_meanwhile_is_not_written(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        d.least = 1
        async with d.session() as (account, orders):
            await asked(orders, d.inbox, range(1, COUNT + 1), SUBJECT, keep=True)
            await d.deliver([COUNT])
            await account._online.stored_orders.write()
        assert await d.answers() == 0
        await d.absorb()
        async with d.session() as (one, its), d.session() as (two, others):
            for orders in (its, others):
                await asked(orders, d.inbox, range(1, COUNT + 2), SUBJECT, keep=True)
            await one._online.stored_orders.write()
            await two._online.stored_orders.write()
        assert await d.answers() == 1, "one of two is enough"


async def test_an_answer_means_nothing_in_another_place_or_at_another_time(
    sqlite: Database, tmp_path: Path
) -> None:
    async with desk(sqlite, tmp_path) as d:
        d.least = 1
        await d.ask(SUBJECT)
        await d.ask(SIZE)
        names = [rows.answer_id(bytes((0, field))) for field in (8, 7)]
        for new, old in ((bytes(16), names[0]), names, (names[1], bytes(16))):
            await d.sql("UPDATE record SET object_id = ? WHERE object_id = ? AND kind = 29", new, old)
        for what in (SUBJECT, SIZE):
            assert await d.ask(what) == []
            assert d.filled
            assert await d.ask(what) == []
            assert not d.filled
        await d.sql("CREATE TABLE older AS SELECT * FROM record WHERE kind = 29")
        await d.do(lambda account: account.expunge(d.inbox, [Uid(299)]))
        await d.deliver([1000])
        await d.absorb()
        await d.sql("INSERT OR REPLACE INTO record SELECT * FROM older")
        for what in (SUBJECT, SIZE):
            await d.ask(what)
            assert d.filled
            assert await d.ask(what) == []
            assert not d.filled
        await d.sql("UPDATE record SET octets = zeroblob(300) WHERE object_id >= ? AND kind = 29", names[1])
        assert await d.ask(SUBJECT, SIZE) == []
        assert d.filled
