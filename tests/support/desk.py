"""An account whose INBOX is sorted by sessions that know nothing of each other."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from mailstead.accounts import storedorders
from mailstead.accounts.keptorders import KeptOrders
from mailstead.accounts.orders import Orders
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import Kind
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threads import Algorithm
from mailstead.store import orders as rows
from mailstead.store.database import Database, Tx
from tests.support.house import House, house
from tests.support.orders import KEYS, Counting, What, asked, plainly

SUBJECT, DATE, SIZE = ((Criterion(by),) for by in (By.SUBJECT, By.DATE, By.SIZE))
EVERYTHING: list[What] = [*[(Criterion(by),) for by in KEYS], *Algorithm]
COUNT = 300  # two rows: 256 and 44
CANARY = "Zq7kanarie"
ODD = (
    b"=?utf-8?q?=0A=00=01?= Zq7kanarie", b"=?utf-8?b?4oKs?=", b"", b"Re: [x] " + b"long " * 200, b"\xff\xfe",
    b"=?utf-7?q?+2AA-?=",
)  # fmt: skip


def letter(n: int) -> bytes:
    subject = ODD[n % 60] if n % 60 < len(ODD) else b"Re: s%d %b" % (n * 7919 % 1000, CANARY.encode())
    lines = [
        b"Subject: " + subject, b"From: N%d <u%d@b.test>" % (n % 11, n % 13), b"To: g: w%d@b.test;" % (n % 7),
        b"Date: %d Jun 2026 10:00 +0000" % (1 + n % 28), b"Message-ID: <%d@x>" % n,
    ]  # fmt: skip
    lines += [b"References: <%d@x> <%d@x>" % (n // 3, n // 2)] if n % 3 else []
    lines += [b"X-Noise: " + os.urandom(15_000).hex().encode()] if n % 100 == 7 else []
    return b"\r\n".join(lines) + b"\r\n\r\n" + b"." * (n % 50) + b"\r\n"


class Desk:
    """An account whose INBOX holds so many messages, and sessions of it that know nothing."""

    def __init__(self, h: House) -> None:
        self.house = h
        self.database = h.database
        self.inbox = b""
        self.least = storedorders.LEAST
        self.filled = False  # numbers of messages were needed by the last session

    @contextlib.asynccontextmanager
    async def session(self, read: list[int] | None = None) -> AsyncIterator[tuple[UnlockedAccount, Orders]]:
        """A session that is alone; *read* gets how many messages it read."""
        account = await self.house.unlock()
        online = account._online
        counting = Counting(online.reader, online.bodies)
        counting.read = []
        online.stored_orders.least = self.least
        orders = Orders(account.account_id, online.snapshots, counting, KeptOrders(), online.stored_orders)
        yield account, orders
        if read is not None:
            read += counting.taken()
        account.close()

    async def ask(
        self,
        *questions: What,
        box: bytes = b"",
        some: Callable[[int], bool] = lambda _: True,
        keep: bool = True,
    ) -> list[int]:
        """Ask in a new session, which says what is right; how many messages it read each time."""
        read: list[int] = []
        box = box or self.inbox
        async with self.session(read) as (account, orders):
            messages = [m async for m in account.messages(box) if some(m.uid)]
            for what in questions:
                found = await asked(orders, box, [m.uid for m in messages], what, keep=keep)
                assert found == plainly(messages, what), what
            await account._online.stored_orders.write()
            self.filled = orders._kept.get(account.account_id, box).filled
        return read

    async def do(self, work: Callable[[UnlockedAccount], object]) -> None:
        async with self.session() as (account, _):
            await work(account)  # type: ignore[misc]

    async def deliver(self, numbers: Iterable[int]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for n in numbers:
                tasks.create_task(self.house.deliver(letter(n)))

    async def absorb(self) -> None:
        await self.do(lambda account: account.absorb(self.inbox))

    async def stored(self, box: bytes = b"") -> dict[int, int]:
        """How many records there are of each row."""

        def work(tx: Tx) -> dict[int, int]:
            found: dict[int, int] = {}
            for name, place in tx.execute(
                "SELECT object_id, place FROM record WHERE kind = ?", (int(Kind.ORDER),)
            ):
                if place == (box or self.inbox) and name[0] != 255:
                    number = int.from_bytes(name[-4:], "big")
                    found[number] = found.get(number, 0) + 1
            return found

        return await self.database.read(work)

    async def answers(self) -> int:
        """How many answers there are."""
        count = "SELECT COUNT(*) FROM record WHERE kind = ? AND object_id >= ?"
        wanted = (int(Kind.ORDER), rows.answer_id(b""))
        return int((await self.database.read(lambda tx: tx.execute(count, wanted)))[0][0])

    async def sql(self, text: str, *parameters: object) -> None:
        await self.database.write(lambda tx: tx.execute(text, parameters))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def desk(database: Database, folder: Path, count: int = COUNT) -> AsyncIterator[Desk]:
    async with house(database, folder) as h:
        await h.move_in()
        made = Desk(h)
        await made.deliver(range(count))
        async with made.session() as (account, _):
            made.inbox = await h.inbox(account)
            await account.absorb(made.inbox)
        yield made
