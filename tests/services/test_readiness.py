"""Ready is who listens and can write: against a real database that refuses, hangs and comes back."""

import asyncio
import resource
from pathlib import Path

import apsw
import pytest

from mailstead.services import readiness
from mailstead.services.readiness import Readiness
from mailstead.store.database import Database
from mailstead.store.migrate import SCHEMA_VERSION, get_meta, put_meta
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.probe import totals
from tests.support.house import house


class Hand:
    """A clock that somebody turns by hand."""

    at = 100.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


async def test_who_can_write_is_ready(database: Database) -> None:
    assert await Readiness(database, lambda: True, Hand()).why_not() is None


async def test_who_does_not_listen_is_not_ready(sqlite: Database) -> None:
    assert await Readiness(sqlite, lambda: False, Hand()).why_not() == "not every listener is up"


async def test_who_cannot_write_is_not_ready_until_he_can(tmp_path: Path) -> None:
    database = open_database(StoreSettings(tmp_path))
    clock = Hand()
    ready = Readiness(database, lambda: True, clock)
    connection = database._engine._connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = ON")  # as a disk that was mounted again to be read only
    assert await ready.why_not() == "the database cannot be written"
    assert await ready.why_not() == "the database cannot be written", "as it was found a moment ago"
    clock.at += 2
    async with asyncio.timeout(10):
        while await ready.why_not() is not None:  # the connection is opened anew
            clock.at += 2
    await database.close()


async def test_a_disk_without_room_is_not_ready(tmp_path: Path) -> None:
    """Only what really writes finds it out: a transaction that writes nothing would be made all the same."""
    database = open_database(StoreSettings(tmp_path))
    clock = Hand()
    ready = Readiness(database, lambda: True, clock)
    assert await ready.why_not() is None
    written = await database.read(lambda tx: get_meta(tx, "probe"))
    assert written is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = (tmp_path / "mail.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (log, before[1]))  # no file of this process grows beyond it
    try:
        clock.at += 2
        assert await ready.why_not() == "the database cannot be written"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    async with asyncio.timeout(10):
        while await ready.why_not() is not None:
            clock.at += 2
            await asyncio.sleep(0.01)
    await database.close()


async def test_who_must_wait_is_not_ready_and_all_who_ask_wait_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "PATIENCE", 0.3)
    database = open_database(StoreSettings(tmp_path))
    other = apsw.Connection(str(tmp_path / "mail.db"))
    other.execute("BEGIN IMMEDIATE")
    ready = Readiness(database, lambda: True, Hand())
    loop = asyncio.get_running_loop()
    began = loop.time()
    said = await asyncio.gather(*(ready.why_not() for _ in range(50)))
    assert set(said) == {"the database does not answer"}
    assert loop.time() - began < 3
    other.execute("ROLLBACK")
    other.close()
    await database.close()


async def test_asking_often_writes_once_a_second(sqlite: Database) -> None:
    writes = 0

    class Counting:
        async def write(self, work):
            nonlocal writes
            writes += 1
            return await sqlite.write(work)

    clock = Hand()
    ready = Readiness(Counting(), lambda: True, clock)  # type: ignore[arg-type]
    for _ in range(100):
        clock.at += 0.1
        await ready.why_not()
    assert 9 <= writes <= 10


async def test_other_tables_are_not_ready(sqlite: Database) -> None:
    for name, value, why in (
        ("schema_version", SCHEMA_VERSION - 1, "the tables of the database are not those of this version"),
        ("schema_compat", SCHEMA_VERSION + 1, "the database cannot be written"),
    ):
        await sqlite.write(lambda tx, name=name, value=value: put_meta(tx, name, str(value).encode()))
        assert await Readiness(sqlite, lambda: True, Hand()).why_not() == why


async def test_all_accounts_are_added_up(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        assert await database.read(lambda tx: totals(tx, 0)) is None
        for name in ("ann", "ben"):
            await h.move_in(f"{name}@b.test")
        await h.deliver(b"Subject: a\r\n\r\nb\r\n", "ann@b.test", "ben@b.test")
        await h.deliver(b"Subject: a\r\n\r\nb\r\n", "ann@b.test")
        found = await database.read(lambda tx: totals(tx, 0))
        assert found is not None
        last, messages, octets = found
        assert messages == 3
        assert octets > 900
        assert await database.read(lambda tx: totals(tx, last)) is None
