"""What every bell promises: one suite for datagrams and for PostgreSQL."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mailstead.bus.bell import Bell, open_bell
from mailstead.bus.doorbell import Doorbell

Make = Callable[[], Bell]


@pytest.fixture(params=["datagrams", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    (tmp_path / "run").mkdir()
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return lambda: open_bell(tmp_path, url)


class Ear:
    """Hears one bell."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.some = asyncio.Event()

    def hear(self, account: int) -> None:
        self.heard.append(account)
        self.some.set()

    async def until(self, *accounts: int) -> None:
        async with asyncio.timeout(10):
            while not set(accounts) <= set(self.heard):
                self.some.clear()
                await self.some.wait()


@contextlib.asynccontextmanager
async def listening(bell: Bell) -> AsyncIterator[Ear]:
    ear = Ear()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(bell.run(ear.hear))
        # It listens when a ring of somebody else arrives.
        async with asyncio.timeout(10):
            while 0 not in ear.heard or ear.heard == [0]:
                bell.ring([0])
                await asyncio.sleep(0.01)
                if ear.heard.count(0) > 1 or isinstance(bell, Doorbell):
                    break
        await asyncio.sleep(0.05)
        ear.heard.clear()
        yield ear
        task.cancel()


async def test_a_ring_is_heard_by_all_and_by_who_rang(make: Make) -> None:
    one, two, silent = make(), make(), make()
    async with listening(one) as first, listening(two) as second:
        one.ring([7])
        await first.until(7)
        await second.until(7)
        silent.ring({8, 9})  # a command rings and does not listen
        await first.until(8, 9)
        await second.until(8, 9)
    for bell in (one, two, silent):
        await bell.close()


async def test_who_stopped_listening_hears_nothing(make: Make) -> None:
    one, two = make(), make()
    async with listening(one) as first:
        pass
    async with listening(two) as second:
        two.ring([7])
        await second.until(7)
    one.ring([8])
    assert 7 not in first.heard
    assert 8 not in first.heard
    await one.close()
    await two.close()


async def test_what_was_rung_is_out_when_the_bell_is_closed(make: Make) -> None:
    one, two = make(), make()
    async with listening(one) as ear:
        two.ring([5])
        await two.close()
        await ear.until(5)
    await one.close()


def sockets(tmp_path: Path) -> list[str]:
    return [n for n in os.listdir(tmp_path / "run") if n.startswith("bell.")]


async def test_sockets_of_dead_processes_are_removed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()

    def dead(name: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
            left.bind(os.path.relpath(run / name))

    dead("bell.1.dead")
    bell = Doorbell(run)
    async with listening(bell):
        assert len(sockets(tmp_path)) == 1, "by who starts"
        dead("bell.2.dead")
        bell.ring([1])
        assert len(sockets(tmp_path)) == 1, "by who rings"
    assert sockets(tmp_path) == [], "and one's own at the end"
    await bell.close()


async def test_a_full_socket_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(os.path.relpath(tmp_path / "run" / "bell.1.deaf"))
        one, two = Doorbell(tmp_path / "run"), Doorbell(tmp_path / "run")
        async with listening(two) as ear:
            for n in range(2000):
                one.ring([n])
                if n % 50 == 0:
                    await asyncio.sleep(0)
            one.ring([2000])
            await ear.until(0)
        await one.close()
        await two.close()


async def test_a_data_folder_may_be_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    (deep / "run").mkdir(parents=True)
    one, two = open_bell(deep, None), open_bell(deep, None)
    async with listening(one) as ear:
        two.ring([3])
        await ear.until(3)
    await one.close()
    await two.close()
