"""The lists of all tables and of all sealed rows, held against the schema and the format."""

import re
from pathlib import Path

import pytest

from mailstead.crypto.sealed import Kind
from mailstead.store.database import Database, Tx
from mailstead.store.migrate import schema_files
from mailstead.store.sealedrows import CLEAR, SORTS, count, listed, read
from mailstead.store.tables import TABLES, rows_after, values_of
from tests.support.house import house

SCHEMA = "\n".join(text for _, text in schema_files())
FORMAT = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text()
SEALED = {"octets", "sealed", "summary", "blob"}  # columns
# Kinds of record that have a table of their own.
APART = {Kind.BODY, Kind.SUMMARY, Kind.PAGE, Kind.STATE, Kind.LEAF, Kind.TOMB, Kind.ACCESSLOG}


def test_every_table_is_listed_by_its_primary_key() -> None:
    made = re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", SCHEMA, re.S)
    found: dict[str, tuple[str, ...]] = {"meta": ("name",)}
    for name, columns in made:
        of_several = re.search(r"^  PRIMARY KEY \(([^)]+)\)", columns, re.M)
        alone = re.search(r"^  (\w+) \w+ PRIMARY KEY", columns, re.M)
        assert of_several or alone, name
        found[name] = tuple(of_several[1].split(", ")) if of_several else (alone[1],)  # type: ignore[index]
    assert found == TABLES


def test_every_table_is_called_sealed_or_clear() -> None:
    sealed = {sort.rows.split()[0] for sort in SORTS.values()}
    assert sealed | set(CLEAR) == set(TABLES)
    assert not sealed & set(CLEAR)
    for name, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", SCHEMA, re.S):
        has = bool(SEALED & set(re.findall(r"^  (\w+) \{bytes\}", columns, re.M)))
        assert has == (name in sealed), name


def test_every_kind_of_record_has_a_sort() -> None:
    reserved = {Kind[name] for name in re.findall(r"\| \d+ \| (\w+) \| [^|]*\| reserved", FORMAT)}
    own = {Kind(int(n)) for s in SORTS.values() for n in re.findall(r"kind = (\d+)", s.rows)}
    assert own | APART | reserved == set(Kind) - {Kind.SPOOL}


async def test_rows_are_found_by_the_names_they_are_listed_by(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        await h.deliver(b"Subject: x\r\n\r\n")
        await h.deliver(b"Subject: y\r\n\r\n" + b"y" * 300_000)
        account = await h.unlock()
        await account.absorb(await h.inbox(account))
        account.close()
        await h.deliver(b"Subject: z\r\n\r\n")

    def work(tx: Tx) -> dict[str, int]:
        seen: dict[str, int] = {}
        for name, rows, octets, sealed in count(tx):
            if not sealed:
                continue
            found = listed(tx, name, 1, ())
            assert len(found) == rows, name
            assert sum(size for _, size in found) == octets, name
            for key, size in found:
                row = read(tx, name, 1, key)
                assert row is not None
                assert row.octets == size
                assert [key] == [k for k, _ in listed(tx, name, 1, key)]
            seen[name] = rows
        return seen

    seen = await database.read(work)
    assert {name: seen[name] for name in ("page", "state", "body", "summary", "lane", "slot", "keyring")} == {
        "page": 2, "state": 1, "body": 3, "summary": 1, "lane": 1, "slot": 2, "keyring": 2,
    }  # fmt: skip
    assert await database.read(lambda tx: read(tx, "page", 2, (b"x" * 16, 0, 0))) is None


@pytest.mark.parametrize("most", [1, 3, 100])
async def test_all_rows_of_all_tables_are_read(database: Database, tmp_path: Path, most: int) -> None:
    """By pages of any size, each once; every octet that is stored comes by."""
    async with house(database, tmp_path) as h:
        await h.move_in()
        await h.move_in("bob@b.test")
        for n in range(5):
            await h.deliver(b"Subject: %d\r\n\r\n" % n)
    seen = 0
    for table in TABLES:
        last, keys = None, []
        while rows := await database.read(lambda tx, t=table, at=last: rows_after(tx, t, at, most)):  # type: ignore[misc]
            assert len(rows) <= most
            keys += [key for key, _ in rows]
            last = rows[-1][0]
            seen += sum(len(value) for _, row in rows for value in values_of(row))
        assert len(keys) == len(set(keys))
        total = await database.read(lambda tx, t=table: tx.execute(f"SELECT COUNT(*) FROM {t}"))  # type: ignore[misc]
        assert len(keys) == total[0][0], table
    sealed = await database.read(lambda tx: sum(octets for _, _, octets, _ in count(tx)))
    assert seen > sealed > 5000
