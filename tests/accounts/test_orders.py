"""What is kept of orders and threads gives what is found afresh, whatever happens in between."""

import asyncio
import contextlib
import gc
import os
import random
from array import array
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.keptorders import KeptMailbox, KeptOrders
from mailstead.accounts.ordering import STALE
from mailstead.accounts.orders import Orders
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threads import Algorithm
from mailstead.store.database import Database
from tests.support.house import House, house
from tests.support.orders import KEYS, Counting, What, asked, plainly

SEEDS = range(int(os.environ.get("MAILSTEAD_MODEL_SEEDS", "3")))
STEPS = 30
WORDS = (
    "alpha",
    "ALPHA (fwd)",
    "Re: alpha",
    "[list] re: beta",
    "beta",
    "=?utf-8?q?=C3=A9?=",
    "",
    'zeta "q\\',
)
SUBJECT, DATE, SIZE = ((Criterion(by),) for by in (By.SUBJECT, By.DATE, By.SIZE))


def nobody_waits(_: int) -> None:
    raise ConnectionResetError


class World:
    """Two sessions in two workers that last, two mailboxes, and things that happen."""

    def __init__(self, seed: int, h: House, accounts: list[UnlockedAccount], boxes: list[bytes]) -> None:
        self.rng = random.Random(seed)
        self.house = h
        self.accounts = accounts
        self.boxes = boxes
        self.count = 0

    def message(self) -> bytes:
        self.count += 1
        rng, own = self.rng, self.count
        subject = rng.choice(WORDS) if rng.random() < 0.5 else f"Re: {rng.randrange(10**6)}"
        lines = [f"Subject: {subject}", f"From: {rng.choice(WORDS)[:5]} <u{rng.randrange(99)}@b.test>"]
        lines += [f"To: {rng.choice(['', 'X '])}<v{rng.randrange(9)}@b.test>"] if rng.random() < 0.8 else []
        lines += [f"Cc: g: w{rng.randrange(9)}@b.test;"] if rng.random() < 0.3 else []
        lines += [f"Date: {rng.randint(1, 28)} Jun 2026 10:00 +0000"] if rng.random() < 0.8 else []
        lines += [f"Message-ID: <{own}@x>"] if rng.random() < 0.9 else []
        above = " ".join(f"<{rng.randint(max(1, own - 40), own)}@x>" for _ in range(rng.randint(1, 3)))
        lines += [rng.choice([f"References: {above}", f"In-Reply-To: {above}"])] if rng.random() < 0.6 else []
        lines += [f"X-Noise: {rng.randbytes(15_000).hex()}"] if rng.random() < 0.02 else []
        return ("\r\n".join(lines) + "\r\n\r\n" + "." * rng.randrange(50)).encode()

    async def deliver(self, count: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(self.house.deliver(self.message()))

    async def happen(self) -> None:
        rng = self.rng
        account = rng.choice(self.accounts)
        box, other = rng.sample(self.boxes, 2)
        uids = list(map(Uid, (await account.snapshot(box)).uids))
        some = rng.sample(uids, min(len(uids), rng.choice([1, 3, 30])))
        match rng.choice(
            [
                "deliver",
                "deliver",
                "append",
                "append",
                "copy",
                "move",
                "expunge",
                "expunge",
                "flags",
                "absorb",
            ]
        ):
            case "deliver":
                await self.deliver(rng.choice([1, 2, 9]))
            case "append":
                await self.house.put(self.message(), other, flags=rng.choice([0, 1]))
            case "copy":
                await account.copy(box, some, other)
            case "move":
                await account.move(box, some, other)
            case "expunge":
                await account.expunge(box, some)
            case "flags":
                await account.change_flags(box, some, FlagChange(How.ADD, SystemFlag.DELETED))
            case _:
                await account.absorb(box)

    def question(self) -> What:
        if self.rng.random() < 0.3:
            return self.rng.choice(list(Algorithm))
        chosen = self.rng.sample(list(KEYS), self.rng.choice([1, 1, 2, 3]))
        return tuple(Criterion(by, self.rng.random() < 0.4) for by in chosen)

    async def check(self) -> None:
        """Both sessions, and one that has just come, say what the algorithm says."""
        box, what = self.rng.choice(self.boxes), self.question()
        fresh = await self.house.unlock()
        fresh._online.stored_orders.least = self.rng.choice([1, 1000])
        everything = [m async for m in fresh.messages(box)]
        some = everything
        if everything and self.rng.random() < 0.4:
            some = sorted(
                self.rng.sample(everything, self.rng.randint(1, len(everything))), key=lambda m: m.uid
            )
        wanted = plainly(some, what)
        for account in (*self.accounts, fresh):
            keep = self.rng.random() < 0.5
            assert await asked(account.orders, box, [m.uid for m in some], what, keep=keep) == wanted, what
            if self.rng.random() < 0.7:
                await account._online.stored_orders.write()
        fresh.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_kept_is_what_is_found_afresh(
    databases: list[Database], tmp_path: Path, seed: int
) -> None:
    async with house(databases[0], tmp_path) as h, house(databases[1], tmp_path) as there:
        await h.move_in()
        accounts = [await h.unlock(), await there.unlock()]
        boxes = [await h.inbox(accounts[0]), await accounts[0].create_mailbox("work")]
        world = World(seed, h, accounts, boxes)
        await world.deliver(150)
        for _ in range(STEPS):
            await world.happen()
            for _n in range(3):
                await world.check()
        for account in accounts:
            account.close()


class Bench:
    """One account whose INBOX holds so many messages, and orders that count what they read."""

    def __init__(self, h: House, account: UnlockedAccount, inbox: bytes) -> None:
        online = account._online
        self.house, self.account, self.inbox = h, account, inbox
        self.summaries = Counting(online.reader, online.bodies)
        self.summaries.read = []
        self.kept = KeptOrders()
        self.orders = Orders(account.account_id, online.snapshots, self.summaries, self.kept)

    async def uids(self) -> list[int]:
        return list((await self.account.snapshot(self.inbox)).uids)

    async def ask(self, what: What, uids: Iterable[int] | None = None) -> list[int] | bytes:
        """What the orders say, which is right."""
        wanted = sorted(await self.uids() if uids is None else uids)
        found = await asked(self.orders, self.inbox, wanted, what)
        messages = [m async for m in self.account.messages(self.inbox) if m.uid in wanted]
        assert found == plainly(messages, what)
        return found

    @property
    def mailbox(self) -> KeptMailbox:
        return self.kept.get(self.account.account_id, self.inbox)


def plain(subject: str) -> bytes:
    return b"Subject: %b\r\nDate: 1 Jan 2026 10:00 +0000\r\nMessage-ID: <%d@x>\r\n\r\nx\r\n" % (
        subject.encode(),
        hash(subject) & 0xFFFF,
    )


@contextlib.asynccontextmanager
async def bench(database: Database, folder: Path, count: int) -> AsyncIterator[Bench]:
    async with house(database, folder) as h:
        await h.move_in()
        async with asyncio.TaskGroup() as tasks:
            for n in range(count):
                tasks.create_task(h.deliver(plain(f"s{n:05} {n % 7}")))
        account = await h.unlock()
        inbox = await h.inbox(account)
        await account.absorb(inbox)
        yield Bench(h, account, inbox)
        account.close()


async def test_only_what_came_since_is_read(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 300) as b:
        for what in (SUBJECT, DATE, SIZE, Algorithm.REFERENCES):
            await b.ask(what)
            assert b.summaries.taken() == [300]
            for again in (what, (Criterion(By.SIZE, reverse=True), *what) if what is SIZE else what):
                await b.ask(again)
            assert b.summaries.taken() == []
        await b.ask((*SUBJECT, *DATE))
        await b.ask(Algorithm.ORDEREDSUBJECT)
        assert b.summaries.taken() == [], "the columns are the same"
        await b.house.deliver(plain("Re: s00200 4"))
        await b.ask(SUBJECT)
        assert b.summaries.taken() == [1], "a string that is known has its place"
        await b.house.deliver(plain("s00150 a"))
        await b.ask(SUBJECT)
        assert b.summaries.taken() == [1] * 10, "another is compared with a few"
        await b.ask(SIZE)
        assert b.summaries.taken() == [2]
        await b.account.change_flags(b.inbox, [Uid(7)], FlagChange(How.ADD, SystemFlag.SEEN))
        await b.account.expunge(b.inbox, [Uid(8), Uid(150), Uid(302)])
        for what in (SUBJECT, SIZE):
            await b.ask(what)
        assert b.summaries.taken() == []


async def test_many_new_strings_are_sorted_with_all_others(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 100) as b:
        await b.ask(SUBJECT, range(1, 61))
        assert b.summaries.taken() == [60]
        await b.ask(SUBJECT)
        assert b.summaries.taken() == [40, 60]


async def test_a_few_among_many_are_sorted_by_themselves(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 300) as b:
        await b.ask(SUBJECT, range(1, 251))
        await b.ask(SUBJECT, [251, 252])
        await b.ask(SUBJECT, [3, 253])
        assert b.summaries.taken() == [250, 2, 1, 1], "none of the others"
        await b.ask(SUBJECT)
        assert b.summaries.taken()[0] == 47


async def test_numbers_of_expunged_messages_fall_out(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, STALE + 100) as b:
        for what in (SUBJECT, Algorithm.REFERENCES):
            await b.ask(what)
        await b.account.expunge(b.inbox, map(Uid, range(1, STALE + 51)))
        await b.ask(SIZE)
        kept = b.mailbox
        for column in (kept.links, kept.numbers[By.SUBJECT], kept.numbers[By.DATE]):
            assert list(column.uids) == list(range(STALE + 51, STALE + 101))
        assert len(kept.rankings[By.SUBJECT]) == 50
        await b.house.deliver(plain("s00000 b"))
        b.summaries.taken()
        for what in (SUBJECT, Algorithm.REFERENCES):
            await b.ask(what)
        assert max(b.summaries.taken()) <= 2


async def test_what_is_expunged_while_it_is_compared_with_is_not_there(
    sqlite: Database, tmp_path: Path
) -> None:
    async with bench(sqlite, tmp_path, 300) as b:
        await b.ask(SUBJECT)
        await b.house.deliver(plain("s00150 a"))
        expunging = [Uid(150), Uid(151), Uid(152)]

        async def before_it_is_looked_up() -> None:
            b.summaries.meanwhile = lambda: b.account.expunge(b.inbox, expunging)

        b.summaries.meanwhile = before_it_is_looked_up
        uids = array("I", await b.uids())
        answer = await b.orders.sorted(b.inbox, uids, SUBJECT, lambda _: None)
        assert set(answer.uids) == set(uids) - {*expunging}
        await b.ask(SUBJECT)


async def test_what_is_expunged_while_it_is_read_is_not_there(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 5) as b:
        for last, what in ((5, SUBJECT), (4, Algorithm.REFERENCES), (3, SIZE)):
            expunging = [Uid(last)]
            b.summaries.meanwhile = lambda some=expunging: b.account.expunge(b.inbox, some)  # type: ignore[misc]
            found = await asked(b.orders, b.inbox, range(1, last + 1), what)
            assert found == await b.ask(what)


async def test_what_cannot_be_opened_is_passed_over(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 3) as b:
        await b.house.deliver(plain("late"))
        await sqlite.write(lambda tx: tx.execute("UPDATE pending SET summary = ?", (b"\0" * 200,)))
        for what in (SUBJECT, SIZE, Algorithm.REFERENCES):
            for _ in range(2):
                found = await asked(b.orders, b.inbox, await b.uids(), what)
                assert found == plainly([m async for m in b.account.messages(b.inbox)], what)


async def test_damage_is_told_and_nothing_else_is_harmed(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 3) as b:
        known = await b.ask(SIZE)
        await sqlite.write(lambda tx: tx.execute("UPDATE page SET octets = ?", (b"\0" * 500,)))
        with pytest.raises(UnsealError):
            await b.orders.sorted(b.inbox, array("I", [1, 2, 3]), SUBJECT, lambda _: None)
        assert await asked(b.orders, b.inbox, [1, 2, 3], SIZE) == known


async def test_sessions_that_want_the_same_find_it_together(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 20) as b:
        answers = await asyncio.gather(*[b.ask(SUBJECT) for _ in range(5)])
        assert all(answer == answers[0] for answer in answers)
        assert b.summaries.taken() == [20]


async def test_who_goes_away_leaves_his_turn_to_others(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 20) as b:
        with pytest.raises(ConnectionResetError):
            await b.orders.sorted(b.inbox, array("I", range(1, 21)), SUBJECT, nobody_waits)
        task = asyncio.create_task(b.ask(SUBJECT))
        await asyncio.sleep(0)
        task.cancel()
        await b.ask(SUBJECT)


async def test_a_mailbox_that_is_gone_holds_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 3) as b:
        box = await b.account.create_mailbox("box")
        await b.account.copy(b.inbox, [Uid(1), Uid(2)], box)
        assert await asked(b.orders, box, [1, 2], SUBJECT) == [1, 2]
        await b.account.delete_mailbox("box")
        assert await asked(b.orders, box, [1, 2], SUBJECT) == []
        assert await asked(b.orders, box, [1, 2], Algorithm.REFERENCES) == b""


async def test_nothing_of_a_message_is_kept(sqlite: Database, tmp_path: Path) -> None:
    """Numbers, and how threads are written; no string that a message has."""
    async with bench(sqlite, tmp_path, 50) as b:
        for criteria in ([by] for by in KEYS):
            await b.ask(tuple(map(Criterion, criteria)))
        for algorithm in Algorithm:
            await b.ask(algorithm)
        met: dict[int, object] = {}
        waiting: list[object] = [b.mailbox]
        while waiting:
            thing = waiting.pop()
            if id(thing) in met or isinstance(thing, type | asyncio.Lock | By | Algorithm | Criterion):
                continue
            met[id(thing)] = thing
            waiting += gc.get_referents(thing)
        strings = [thing for thing in met.values() if isinstance(thing, str)]
        octets = {bytes(thing) for thing in met.values() if isinstance(thing, bytes)}
        assert not strings
        assert all(set(text) <= set(b"n ()") for text in octets)
        assert len(octets) >= 1, "and these were found"


async def test_relevancy_is_that_of_a_search_and_is_not_kept(sqlite: Database, tmp_path: Path) -> None:
    async with bench(sqlite, tmp_path, 4) as b:
        uids = array("I", range(1, 5))
        criteria = (Criterion(By.RELEVANCY), Criterion(By.SUBJECT, reverse=True))
        by_subject = await b.ask(SUBJECT)
        for best in by_subject:
            scores = {uid: 100 if uid == best else 1 for uid in uids}
            answer = await b.orders.sorted(b.inbox, uids, criteria, lambda _: None, scores)
            others = [uid for uid in by_subject if uid != best]
            assert [answer.uids[at] for at in answer.places] == [best, *others[::-1]]
