"""The writer's four rules (mailstead.store.writer), with engines and hands that do as they are told."""

import asyncio
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from mailstead.errors import MailError, Reason, Unavailable
from mailstead.store import writer as writer_module
from mailstead.store.database import Conflict, Database, Tx
from mailstead.store.group import Group
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.writer import Writer


class Engine:
    """Runs works without a database; *before* is called first and may raise."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.groups: list[int] = []
        self.before = before
        self.closed = False

    def run(self, group: Group) -> None:
        self.before()
        if not group.begin():
            return
        self.groups.append(len(group.jobs))
        for job in group.jobs:
            job.run(None)  # type: ignore[arg-type]

    def rest(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


async def test_works_that_wait_share_a_transaction() -> None:
    """And are asked for at the very moment their group is closed."""
    engine = Engine()
    writer = Writer(engine)
    results = await asyncio.gather(*(writer.write(lambda n=n: lambda tx: n) for n in range(100)))
    assert results == list(range(100))
    assert engine.groups[0] == 1
    assert len(engine.groups) < 5, "99 waited while the first was written"
    await writer.close()
    assert engine.closed
    with pytest.raises(MailError):
        await writer.write(lambda: lambda tx: None)


async def test_nobody_is_answered_before_the_commit() -> None:
    order: list[str] = []
    writer = Writer(Engine(lambda: order.append("commit")))
    await writer.write(lambda: lambda tx: None)
    order.append("answer")
    assert order == ["commit", "answer"]
    await writer.close()


async def test_who_waits_too_long_is_told_and_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds the database: the work is certain not to run later, and the next one does."""
    monkeypatch.setattr(writer_module, "PATIENCE", 0.05)
    held = threading.Event()
    ran: list[str] = []
    engine = Engine(held.wait)
    writer = Writer(engine)
    first = asyncio.ensure_future(writer.write(lambda: lambda tx: ran.append("first")))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(writer.write(lambda: lambda tx: ran.append("second")))
    for waiting in (first, second):
        with pytest.raises(Unavailable) as caught:
            await waiting
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    with pytest.raises(Unavailable):
        await writer.write(lambda: lambda tx: ran.append("third"))
    held.set()
    await writer.between(lambda: None)
    await asyncio.sleep(0)
    await writer.write(lambda: lambda tx: ran.append("fourth"))
    assert ran == ["fourth"]
    await writer.close()


async def test_after_a_failure_the_next_group_waits_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "FIRST_PAUSE", 0.02)
    loop = asyncio.get_running_loop()
    tries: list[float] = []

    def fail() -> None:
        tries.append(loop.time())
        if len(tries) < 4:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE)

    writer = Writer(Engine(fail))
    for _ in range(3):
        with pytest.raises(Unavailable):
            await writer.write(lambda: lambda tx: None)
    await writer.write(lambda: lambda tx: None)
    gaps = [b - a for a, b in pairwise(tries)]
    assert gaps[0] >= 0.02
    assert gaps[1] >= 0.04
    assert gaps[2] >= 0.08
    await writer.close()


async def test_everybody_has_a_failure_of_his_own() -> None:
    """One exception that many raise would gather the tracebacks of all."""

    def fail() -> None:
        raise Unavailable(Reason.STORAGE_FULL, "no room")

    writer = Writer(Engine(fail))
    caught = await asyncio.gather(
        *(writer.write(lambda: lambda tx: None) for _ in range(3)), return_exceptions=True
    )
    assert len({id(error) for error in caught}) == 3
    assert all(isinstance(e, Unavailable) and e.reason is Reason.STORAGE_FULL for e in caught)
    await writer.close()


async def test_who_is_gone_before_his_group_is_closed_is_not_written() -> None:
    started, held = threading.Event(), threading.Event()
    ran: list[str] = []

    def before() -> None:
        started.set()
        held.wait()

    writer = Writer(Engine(before))
    first = asyncio.ensure_future(writer.write(lambda: lambda tx: ran.append("first")))
    await asyncio.sleep(0)
    gone = asyncio.ensure_future(writer.write(lambda: lambda tx: ran.append("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    held.set()
    await first
    await writer.close()
    assert ran == ["first"]


async def test_a_work_that_cannot_be_made_fails_alone() -> None:
    def broken() -> Callable[[Tx], None]:
        raise ValueError("broken")

    writer = Writer(Engine())
    caught = await asyncio.gather(
        writer.write(lambda: lambda tx: "a"),
        writer.write(broken),
        writer.write(lambda: lambda tx: next(iter(()))),
        return_exceptions=True,
    )
    assert caught[0] == "a"
    assert isinstance(caught[1], ValueError)
    assert isinstance(caught[2], RuntimeError), "a future cannot carry StopIteration"
    await writer.close()


async def test_closing_writes_what_waits() -> None:
    held = threading.Event()
    ran: list[int] = []
    writer = Writer(Engine(held.wait))
    waiting = [asyncio.ensure_future(writer.write(lambda n=n: lambda tx: ran.append(n))) for n in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0)
    held.set()
    await closing
    await asyncio.gather(*waiting)
    assert ran == [0, 1, 2]


async def test_a_broken_constraint_harms_no_neighbour(database: Database) -> None:
    """And is named in the store's own words, on both engines."""
    add = "INSERT INTO meta (name, value) VALUES (?, ?)"
    results = await asyncio.gather(
        *(database.write(lambda tx, n=n: tx.execute(add, (f"n{n // 2}", b"x"))) for n in range(6)),
        return_exceptions=True,
    )
    assert [isinstance(r, Conflict) for r in results] == [False, True] * 3
    found = await database.read(lambda tx: tx.execute("SELECT name FROM meta WHERE name LIKE 'n%'"))
    assert sorted(name for (name,) in found) == ["n0", "n1", "n2"]


async def test_a_lock_that_somebody_keeps_defers_and_is_got_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds SQLite's write lock: 451 in time, and no restart once it lets go."""
    import fcntl

    monkeypatch.setattr(writer_module, "PATIENCE", 0.1)
    database = open_database(StoreSettings(tmp_path))
    with (tmp_path / "run" / "write.lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            await database.write(lambda tx: tx.execute("INSERT INTO meta VALUES ('late', x'00')"))
    while True:  # the thread wakes up, and finds that nobody waits
        try:
            await database.write(lambda tx: tx.execute("INSERT INTO meta VALUES ('next', x'00')"))
        except Unavailable:
            await asyncio.sleep(0.01)
        else:
            break
    found = await database.read(lambda tx: tx.execute("SELECT name FROM meta"))
    assert ("next",) in found
    assert ("late",) not in found
    await database.close()
