"""A finished order is good for another session, which mends it when something came or went."""

from pathlib import Path

import pytest

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.mending import MOST
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
        for what in questions:
            assert await d.ask(what) == [1], "what came is read, and nothing else"
            assert d.filled == isinstance(what, Algorithm)
            assert await d.ask(what) == []
            assert not d.filled
        await d.absorb()
        assert await d.ask(*questions) == []
        assert not d.filled
        await d.do(lambda account: account.expunge(d.inbox, [Uid(3)]))
        for what in questions:
            read = await d.ask(what)
            assert d.filled == isinstance(what, Algorithm)
            assert d.filled or read == [], "it was taken out"
        assert await d.ask(*questions) == []
        assert not d.filled
        box = b""

        async def move(account: UnlockedAccount) -> None:
            nonlocal box
            box = await account.create_mailbox("work")
            await account.move(d.inbox, list(map(Uid, range(10, 100))), box)

        await d.do(move)
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


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("by", [By.SUBJECT, By.ARRIVAL, By.SIZE, By.FROM])
async def test_an_order_is_mended(sqlite: Database, tmp_path: Path, by: By, *, reverse: bool) -> None:
    """Many came, with strings of before and others; many went; both at once; and all of them."""
    what = (Criterion(by, reverse=reverse), Criterion(By.DATE, reverse=not reverse))
    async with desk(sqlite, tmp_path) as d:
        d.least = 1
        await d.ask(what)
        for came, went in (
            (range(COUNT, COUNT + MOST), ()),
            ((), range(2, 280, 3)),
            ((4, 5, 4, COUNT + 90), (COUNT, COUNT + MOST)),
            ((7,), range(1, COUNT + MOST + 5)),
            ((8,), [COUNT + MOST + 5]),
        ):
            await d.deliver(came)
            if len(came) % 2:
                await d.absorb()
            if went:
                await d.do(lambda account, went=went: account.expunge(d.inbox, list(map(Uid, went))))
            await d.ask(what)
            assert not d.filled
        await d.deliver(range(MOST + 1))
        await d.ask(what)
        assert d.filled, "so many are not looked up"


async def test_what_goes_while_an_order_is_mended_is_not_in_it(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        d.least = 1
        await d.ask(SUBJECT)
        await d.deliver([COUNT])
        async with d.session() as (account, orders):
            uids = range(1, COUNT + 2)

            async def meanwhile() -> None:
                await account.expunge(d.inbox, [Uid(COUNT + 1), Uid(9)])

            orders._summaries.meanwhile = meanwhile  # type: ignore[attr-defined]
            found = await asked(orders, d.inbox, uids, SUBJECT, keep=True)
            assert sorted(found) == [uid for uid in uids if uid not in (9, COUNT + 1)]  # type: ignore[type-var]
            await account._online.stored_orders.write()
        assert await d.ask(SUBJECT) == []


async def test_one_of_two_answers_is_enough(sqlite: Database, tmp_path: Path) -> None:
    async with desk(sqlite, tmp_path) as d:
        d.least = 1
        async with d.session() as (one, its), d.session() as (two, others):
            for orders in (its, others):
                await asked(orders, d.inbox, range(1, COUNT + 1), SUBJECT, keep=True)
            await one._online.stored_orders.write()
            await two._online.stored_orders.write()
        assert await d.answers() == 1


async def test_an_answer_means_nothing_in_another_place_and_no_more_than_it_did_at_another_time(
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
            assert not d.filled, "it is mended"
            assert await d.ask(what) == []
        await d.sql("UPDATE record SET octets = zeroblob(300) WHERE object_id >= ? AND kind = 29", names[1])
        assert await d.ask(SUBJECT, SIZE) == [44, 44], "the row that was written since"
        assert d.filled
