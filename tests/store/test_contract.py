"""What every engine promises: one suite, run on SQLite and on PostgreSQL."""

import asyncio
from pathlib import Path

import pytest

from mailstead.errors import Exit, MailError, Reason, Trouble
from mailstead.store.accounts import (
    AccountRow,
    Stale,
    add_account,
    fence,
    fence_at,
    last_modseq,
    scram_salt,
)
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import add_mailbox, mailboxes, next_uid_validity
from mailstead.store.migrate import SCHEMA_VERSION, get_meta, migrate, put_meta, schema_files, statements
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.records import LostRace
from mailstead.store.slots import set_scram_salt, slots


def put(name: str, value: bytes = b"v"):
    return lambda tx: tx.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (name, value))


def names(tx: Tx) -> list[str]:
    return [r[0] for r in tx.execute("SELECT name FROM meta WHERE name LIKE 't%' ORDER BY name")]


async def test_octets_and_numbers_come_back_as_they_went(database: Database) -> None:
    octets = bytes(range(256)) * 3
    await database.write(put("t", octets))
    assert await database.read(lambda tx: get_meta(tx, "t")) == octets
    big = await database.read(lambda tx: tx.execute("SELECT CAST(? AS BIGINT)", (2**62,)))
    assert big == [(2**62,)]


async def test_what_work_returns_and_raises_reaches_its_caller(database: Database) -> None:
    assert await database.write(lambda tx: 7) == 7

    def fails(tx: Tx) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await database.write(fails)
    with pytest.raises(KeyError, match="mine"):
        await database.read(fails)


async def test_failed_work_leaves_nothing_and_harms_no_neighbour(database: Database) -> None:
    def half(tx: Tx) -> None:
        put("t-half")(tx)
        raise KeyError

    works = [put("t-1"), half, put("t-2"), put("t-1"), put("t-3")]
    results = await asyncio.gather(*(database.write(w) for w in works), return_exceptions=True)
    assert [isinstance(r, Exception) for r in results] == [False, True, False, True, False]
    assert await database.read(names) == ["t-1", "t-2", "t-3"]
    with pytest.raises(Exception):  # whatever the engine calls it
        await database.write(put("t-1"))
    with pytest.raises(KeyError):
        await database.write(half)
    assert await database.read(names) == ["t-1", "t-2", "t-3"]


async def test_a_reader_sees_one_snapshot_and_may_not_see_half(database: Database) -> None:
    def two(tx: Tx) -> None:
        put("t-a")(tx)
        put("t-b")(tx)

    await asyncio.gather(database.write(two), *(database.read(names) for _ in range(20)))
    assert await database.read(names) == ["t-a", "t-b"]


async def test_foreign_keys_hold(database: Database) -> None:
    def orphan(tx: Tx) -> None:
        tx.execute(
            "INSERT INTO pending (account_id, mailbox_id, uid, modseq, object_id, lane_id, ctr, summary_flags,"
            " body_flags, summary) VALUES (1, ?, 1, 1, ?, ?, 0, 0, 0, ?)",
            (b"m" * 16, b"o" * 16, b"l" * 16, b""),
        )

    with pytest.raises(Exception):
        await database.write(orphan)


def account(tx: Tx) -> int:
    return add_account(tx, AccountRow(0, b"u" * 16, 0, 1, 1, 1, b"", 5, b"i" * 16, 0, 0, 1, 0))


async def test_writers_of_one_account_are_ordered(database: Database) -> None:
    await database.write(account)
    taken = await asyncio.gather(*(database.write(lambda tx: fence(tx, 1, 1, 1, 2)) for _ in range(50)))
    assert sorted(taken) == list(range(7, 107, 2))
    with pytest.raises(Stale):
        await database.write(lambda tx: fence(tx, 1, 1, 2, 1))
    await database.write(lambda tx: fence_at(tx, 1, 1, 1, 200))
    for modseq in (200, 150):
        with pytest.raises(LostRace):
            await database.write(lambda tx, m=modseq: fence_at(tx, 1, 1, 1, m))
    assert await database.read(lambda tx: last_modseq(tx, 1)) == 200


async def test_uid_validity_only_grows(database: Database) -> None:
    await database.write(account)
    for n in range(5):
        await database.write(
            lambda tx, n=n: add_mailbox(tx, 1, bytes((n,)) * 16, 1, next_uid_validity(tx, 1))
        )
    found = [m.uid_validity for m in await database.read(lambda tx: mailboxes(tx, 1))]
    assert found == sorted(set(found))
    assert len(found) == 5


def test_a_migration_is_whole_or_not_there() -> None:
    """Cut at every statement: the version is the old one, and the transaction was never committed."""
    number, text = schema_files()[0]
    assert number == 1
    total = len(statements(text))
    assert total > 10

    class Cut(Exception):
        pass

    for stop in range(total):

        class Counting:
            def __init__(self) -> None:
                self.ran = 0
                self.meta: dict[str, bytes] = {}

            def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
                if sql.startswith("SELECT value"):
                    found = self.meta.get(str(parameters[0]))
                    return [(found,)] if found is not None else []
                if sql.startswith("INSERT INTO meta"):
                    self.meta[str(parameters[0])] = parameters[1]  # type: ignore[assignment]
                    return []
                if sql.startswith("CREATE TABLE IF NOT EXISTS meta"):
                    return []
                if self.ran == stop:
                    raise Cut
                self.ran += 1
                return []

        kept: dict[str, bytes] = {}

        def transaction(work, kept=kept) -> None:
            tx = Counting()
            tx.meta = dict(kept)
            work(tx)
            kept.clear()
            kept.update(tx.meta)

        with pytest.raises(Cut):
            migrate(transaction, "BLOB")  # type: ignore[arg-type]
        assert "schema_version" not in kept


async def test_newer_data_is_refused(tmp_path: Path) -> None:
    database = open_database(StoreSettings(tmp_path))
    await database.write(lambda tx: put_meta(tx, "schema_compat", str(SCHEMA_VERSION + 1).encode()))
    await database.close()
    with pytest.raises(Trouble) as caught:
        open_database(StoreSettings(tmp_path))
    assert caught.value.exit_code is Exit.NEEDS_UPGRADE


async def test_a_database_that_is_locked_is_unavailable_and_the_loop_goes_on(tmp_path: Path) -> None:
    import apsw  # to be the other process

    database = open_database(StoreSettings(tmp_path))
    other = apsw.Connection(str(tmp_path / "mail.db"))
    other.execute("BEGIN IMMEDIATE")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.05)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(MailError) as caught:
        await asyncio.wait_for(database.write(put("t")), 8)
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert ticks > 20
    other.execute("ROLLBACK")
    other.close()
    await database.write(put("t"))
    ticking.cancel()
    await database.close()


def test_no_data_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as caught:
        open_database(StoreSettings(tmp_path / "none"))
    assert caught.value.exit_code is Exit.NO_DATA


async def test_the_log_is_emptied_of_what_was_erased(sqlite: Database, tmp_path: Path) -> None:
    secret = b"erase me please" * 100
    await sqlite.write(put("t", secret))
    await sqlite.write(lambda tx: tx.execute("DELETE FROM meta WHERE name = 't'"))
    files = [tmp_path / "mail.db", tmp_path / "mail.db-wal"]
    assert any(secret[:200] in f.read_bytes() for f in files), "the control: it is there before"
    await sqlite.truncate_log()
    assert not any(secret[:200] in f.read_bytes() for f in files)


async def test_postgres_that_would_lose_mail_is_refused(postgres_url: str, tmp_path: Path) -> None:
    from tests.support.engines import fresh_postgres

    url = fresh_postgres(postgres_url)
    separator = "&" if "?" in url else "?"
    with pytest.raises(Trouble, match="synchronous_commit"):
        open_database(StoreSettings(tmp_path, f"{url}{separator}options=-c%20synchronous_commit%3Doff"))


async def test_data_of_schema_1_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made before there were app passwords has them from now on, and its ways in open."""
    first = [f for f in schema_files() if f[0] == 1]
    with monkeypatch.context() as before:
        before.setattr("mailstead.store.migrate.schema_files", lambda: first)
        old = open_database(StoreSettings(tmp_path))
    assert await old.read(lambda tx: get_meta(tx, "schema_version")) == b"1"

    def fill(tx: Tx) -> None:
        octets = b"\xff"
        tx.execute("INSERT INTO account VALUES (1, ?, 0, 1, 1, 1, ?, 1, 0, ?, 0, 0, 1, 7)", (octets,) * 3)
        tx.execute("INSERT INTO slot VALUES (1, ?, 1, ?, 1, 1, 0, ?, ?, ?, ?, ?, 7)", (octets,) * 7)

    await old.write(fill)
    await old.close()
    new = open_database(StoreSettings(tmp_path))
    (row,) = await new.read(lambda tx: slots(tx, 1))
    assert (row.slot_id, row.created, row.locator, row.last_used) == (b"\xff", 7, "", 0)
    assert await new.read(lambda tx: scram_salt(tx, 1)) is None
    await new.write(lambda tx: set_scram_salt(tx, 1, b"s"))
    await new.write(lambda tx: set_scram_salt(tx, 1, b"t"))
    assert await new.read(lambda tx: scram_salt(tx, 1)) == b"s", "the first one stays"
    await new.close()
