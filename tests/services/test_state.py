"""What a worker says of itself, and to whom."""

import asyncio
import io
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailstead.accounts.accessentries import Door
from mailstead.log import Log
from mailstead.services import state
from mailstead.services.state import PREFIX, StateSocket, ask
from mailstead.store.database import Database
from tests.accounts.test_presence import NEVER, worker


@asynccontextmanager
async def told(folder: Path, what: state.State) -> AsyncIterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = asyncio.create_task(StateSocket(folder, lambda: what, Log(io.StringIO())).run())
    while not (folder / f"{PREFIX}{os.getpid()}").exists():
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_who_connects_is_told(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / "run"  # longer than the path of a socket may be
    large = {"unlocked": ["y" * 1000] * 1000}
    async with told(deep, large):
        assert await ask(deep) == ([large], [])
        assert stat.S_IMODE((deep / f"{PREFIX}{os.getpid()}").stat().st_mode) == 0o600
    assert await ask(deep) == ([], [])
    assert list(deep.iterdir()) == [], "it is gone with its worker"


async def test_where_nobody_is_nobody_answers(tmp_path: Path) -> None:
    assert await ask(tmp_path / "none") == ([], [])
    (tmp_path / "file").touch()
    assert await ask(tmp_path / "file") == ([], [])


async def test_a_worker_that_can_have_no_socket_serves_all_the_same(tmp_path: Path) -> None:
    log = io.StringIO()
    await StateSocket(tmp_path / "none", dict, Log(log)).run()
    assert "state.socket.failed" in log.getvalue()


async def test_a_dead_worker_is_passed_over_and_a_deaf_one_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "SECONDS", 0.1)
    dead, deaf = (socket.socket(socket.AF_UNIX) for _ in range(2))
    monkeypatch.chdir(tmp_path)
    dead.bind(f"{PREFIX}1")
    dead.close()
    deaf.bind(f"{PREFIX}2")
    deaf.listen()
    async with told(tmp_path, {"pid": 3}):
        assert await ask(tmp_path) == ([{"pid": 3}], [2])
    assert not (tmp_path / f"{PREFIX}1").exists()
    deaf.close()


async def test_whose_keys_are_here_is_counted_by_way_in_and_door(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        await w.house.move_in("ben@b.test")
        app = await w.house.app()
        assert w.presence.unlocked() == []
        open_ones = [await w.login(), await w.login(), await w.login(name="ben")]
        open_ones.append((await w.logins.admit("ann", app, "192.0.2.1", print, Door.POP3)).what)
        await w.logins.prove("ann", app, "192.0.2.1")
        found = w.presence.unlocked()
        ann, ben = open_ones[0].account_id, open_ones[2].account_id
        assert [(u.account_id, u.slot_type, u.door, u.sessions) for u in found] == [
            (ann, 1, Door.IMAP, 2), (ann, 7, Door.POP3, 1), (ben, 1, Door.IMAP, 1),
        ]  # fmt: skip
        now = w.logins._clock.now()
        assert all(now - 60 < u.since <= now for u in found)
        for account in open_ones:
            account.close()
        assert w.presence.unlocked() == []
