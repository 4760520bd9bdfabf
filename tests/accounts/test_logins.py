"""Logins: names, one error, delays that are nobody else's, and passwords that are remembered."""

import asyncio
import threading
from pathlib import Path

import pytest

from mailstead.accounts.delays import (
    FORGOTTEN_SECONDS,
    FREE,
    LONGEST_SECONDS,
    MOST_SECONDS,
    NETWORK_FREE,
    PATIENCE_SECONDS,
    STEP_SECONDS,
    Delays,
)
from mailstead.accounts.hashing import WAITING, WAITING_EACH, Hashing
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.remembered import SECONDS
from mailstead.errors import MailError, Reason, Refused, Unavailable
from mailstead.store.database import Database
from tests.accounts.test_presence import NEVER, Worker, worker
from tests.support.house import PASSWORD


async def test_a_name_is_an_address_or_its_local_part(database: Database, tmp_path: Path) -> None:
    async with worker(database, tmp_path, NEVER) as w:
        await w.house.move_in("\u00e9va@b.test")
        for name in ("\u00e9va@b.test", "\u00c9VA@B.test", "\u00e9va", "E\u0301VA", "e\u0301va@b.TEST"):
            (await w.login(name=name)).close()
        for name in ("eva", "\u00e9va@c.test", "", "@", "a@b@c", "x" * 5000, "\ud800", "a\0b"):
            await fails(w, name, PASSWORD)


async def fails(w: Worker, name: str, password: bytes, peer: str = "192.0.2.9") -> None:
    with pytest.raises(Refused) as caught:
        await w.logins.login(name, password, f"{peer}-{name[:9]!r}", print)
    assert caught.value.reason is Reason.LOGIN_FAILED


async def test_every_failure_is_one_error_and_one_hash(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        counted = Counting()
        object.__setattr__(w.office, "hashing", counted)
        attempts = [
            ("ann", b"wrong"), ("nobody", PASSWORD), ("ann", b"a\0b"), ("ann", b""), ("ann", b"x" * 1025),
            ("nobody", b"\0"), ("@", PASSWORD),
        ]  # fmt: skip
        for at, (name, password) in enumerate(attempts):
            await fails(w, name, password, f"192.0.2.{at}")
            assert counted.hashes == at + 1, (name, password)


class Counting(Hashing):
    def __init__(self) -> None:
        super().__init__()
        self.hashes = 0

    async def run(self, whose, work, *args, **kwargs):
        self.hashes += 1
        return await super().run(whose, work, *args, **kwargs)


async def test_a_password_in_use_is_not_hashed_again(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        counted = Counting()
        object.__setattr__(w.office, "hashing", counted)
        remembered = w.logins._memory.remembered
        one, two = await w.login(), await w.login()
        assert counted.hashes == 1
        await fails(w, "ann", b"wrong")
        assert counted.hashes == 2, "a wrong one is"
        one.close()
        now = w.logins._clock.monotonic()
        remembered.sweep({two.account_id}, now + 1000)
        assert len(remembered) == 1, "as long as there is a session"
        two.close()
        remembered.sweep(set(), now + 1000 + SECONDS - 1)
        assert len(remembered) == 1, "and a minute more"
        remembered.sweep(set(), now + 1000 + SECONDS + 1)
        assert len(remembered) == 0
        (await w.login()).close()
        assert counted.hashes == 3
        # Changed where nobody rings: the account row tells.
        await change_password(
            w.house.office, "ann@b.test", Credential.password(PASSWORD), b"another password"
        )
        await fails(w, "ann", PASSWORD)


def test_the_delay_grows_for_one_name_from_one_address_only() -> None:
    delays, now = Delays(), 1000.0
    key, others = ("ann", "192.0.2.1"), [("ann", "192.0.2.2"), ("ben", "192.0.2.1")]
    waits: list[float] = []
    for _ in range(FREE + 6):
        wait = delays.take(*key, now)
        assert wait is not None
        waits.append(wait)
        now += wait
        delays.failed(*key, now)
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE:] == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_SECONDS]
    assert [delays.take(*other, now) for other in others] == [0.0, 0.0]
    together = [delays.take(*key, now) for _ in range(9)]
    assert together[0] == LONGEST_SECONDS
    assert None in together, "no more wait at once than patience allows"
    assert all(w is None or w <= PATIENCE_SECONDS for w in together)
    delays.succeeded(*key)
    assert delays.take(*key, now) == 0.0


def test_who_guesses_from_everywhere_is_slowed_and_told_of_and_the_owner_is_not() -> None:
    delays, now = Delays(), 1000.0
    delays.succeeded("ann", "198.51.100.7")
    told = [delays.failed("ann", f"203.0.{n >> 8}.{n & 255}", now) for n in range(1000)]
    assert [n + 1 for n, tell in enumerate(told) if tell] == [64, 128, 256, 512]
    assert delays.take("ann", "192.0.2.1", now) == MOST_SECONDS, "one who was never here"
    assert [delays.take("ann", "192.0.2.1", now) for _ in range(99)] == [MOST_SECONDS] * 99, "side by side"
    assert delays.take("ann", "198.51.100.200", now) == 0.0, "from the network she got in from"
    assert delays.take("ben", "192.0.2.1", now) == 0.0
    assert delays.take("ann", "192.0.2.1", now + FORGOTTEN_SECONDS + 1) == 0.0


def test_a_network_that_guesses_at_many_names_is_slowed() -> None:
    for one, same, other in (
        ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"),
        ("192.0.2.1", "::ffff:192.0.2.9", "192.0.3.1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe80:0:0:1::1"),
    ):
        delays = Delays()
        waits = []
        for n in range(NETWORK_FREE + 60):
            waits.append(delays.take(f"name{n}", one, 1.0))
            delays.failed(f"name{n}", one, 1.0)
        assert waits[:NETWORK_FREE] == [0.0] * NETWORK_FREE
        assert waits[NETWORK_FREE] == STEP_SECONDS
        assert waits[-1] == MOST_SECONDS
        assert delays.take("somebody", same, 1.0) == MOST_SECONDS
        assert delays.take("somebody", other, 1.0) == 0.0


async def test_those_who_wait_for_a_hash_are_served_in_turn() -> None:
    hashing = Hashing()
    gate = threading.Event()
    order: list[str] = []

    async def one(whose: str) -> None:
        await hashing.run(whose, gate.wait, 10)
        order.append(whose)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(1 + WAITING_EACH):
            tasks.create_task(one("flood"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as caught:
            await one("flood")
        assert caught.value.reason is Reason.TOO_BUSY
        tasks.create_task(one("ann"))
        cancelled = tasks.create_task(one("ben"))
        await asyncio.sleep(0)
        cancelled.cancel()
        gate.set()
    assert order.index("ann") <= 2, order
    assert order.count("flood") == 1 + WAITING_EACH
    await one("later")


async def test_a_flood_fills_no_more_than_the_queue() -> None:
    hashing = Hashing()
    gate = threading.Event()
    tries = [asyncio.ensure_future(hashing.run(f"{n}", gate.wait, 10)) for n in range(WAITING + 50)]
    await asyncio.sleep(0)
    gate.set()
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(d, MailError) for d in done) == 49
    assert sum(d is True for d in done) == WAITING + 1


async def test_a_flood_of_wrong_passwords_does_not_hold_up_who_is_logged_in(
    sqlite: Database, tmp_path: Path
) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        account = await w.login()
        inbox = await w.house.inbox(account)
        await w.house.deliver(b"Subject: x\r\n\r\n")
        loop = asyncio.get_running_loop()
        flood = [
            asyncio.ensure_future(w.logins.login(f"user{n}", b"wrong", f"192.0.2.{n}", print))
            for n in range(50)
        ]
        worst = 0.0
        while not all(f.done() for f in flood):
            began = loop.time()
            await account.snapshot(inbox)
            await account.status(inbox)
            worst = max(worst, loop.time() - began)
            await asyncio.sleep(0.005)
        done = await asyncio.gather(*flood, return_exceptions=True)
        assert all(isinstance(d, Refused) for d in done)
        assert worst < 0.25, worst
        account.close()
