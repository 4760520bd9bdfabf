"""What was done and seen: what the leakage table is checked against."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mailstead.leakcheck.acts import Arranged, Server
from mailstead.scan import Scan
from mailstead.store.accounts import find_recipient
from mailstead.store.database import Database, Row, SqlValue, Tx
from mailstead.store.sealedrows import SealedRow, listed, read
from mailstead.store.tables import TABLES, rows_after, values_of

_AT_ONCE = 64  # rows: of extents that is 16 MiB


@dataclass(slots=True)
class Scene:
    """An installation in which two people have lived for a minute.

    Args:
        data: The data folder.
        postgres: Whether the database is PostgreSQL, and not a file in it.
        pendings, lanes: Rows of the owner before the first login.
        erased: The first octets of what was erased since.
        waited: Seconds since; None when nobody waited.
        found: By canary, where it was met.
    """

    database: Database
    server: Server
    data: Path
    postgres: bool
    owner: int = 0
    other: int = 0
    pendings: list[SealedRow] = field(default_factory=list[SealedRow])
    lanes: list[SealedRow] = field(default_factory=list[SealedRow])
    arranged: Arranged | None = None
    erased: list[bytes] = field(default_factory=list[bytes])
    waited: float | None = None
    found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    async def sealed(self, sort: str, account_id: int) -> list[SealedRow]:
        """All rows of a sort that an account has."""

        def work(tx: Tx) -> list[SealedRow]:
            rows = [read(tx, sort, account_id, key) for key, _ in listed(tx, sort, account_id, ())]
            return [row for row in rows if row is not None]

        return await self.database.read(work)

    async def numbers(self) -> None:
        """Learn by what numbers the two accounts go."""

        def work(tx: Tx, address: str) -> int:
            found = find_recipient(tx, address)
            assert found is not None, "it was just made"
            return found.account.account_id

        self.owner = await self.database.read(lambda tx: work(tx, self.server.owner))
        self.other = await self.database.read(lambda tx: work(tx, self.server.other))

    def where(self, names: Iterable[str]) -> list[str]:
        """Where any of these canaries was met: for each its name, the first place, and how many more."""
        said: list[str] = []
        for name in names:
            first, *rest = dict.fromkeys(self.found.get(name, [])) or [""]
            if first:
                said.append(f"{name}: {first}" + (f" and {len(rest)} more" if rest else ""))
        return said


async def all_rows(database: Database) -> AsyncIterator[tuple[str, list[Row]]]:
    """Every row of every table with all its columns, some at a time, read back through the connection."""
    for table in TABLES:
        last: tuple[SqlValue, ...] | None = None
        while True:
            rows = await database.read(partial(rows_after, table=table, last=last, most=_AT_ONCE))
            if not rows:
                break
            last = rows[-1][0]
            yield table, [row for _, row in rows]


async def look_at_rows(database: Database, scan: Scan) -> int:
    """Look at every value of every row; how many rows there are."""
    count = 0
    async for table, rows in all_rows(database):
        count += len(rows)
        for row in rows:
            for value in values_of(row):
                scan.look(f"table {table}", value)
    return count


async def numbers_in_clear(database: Database, accounts: Sequence[int], wanted: frozenset[int]) -> list[str]:
    """The tables in which one of these accounts has a column in clear that is one of these numbers."""
    found: set[str] = set()
    async for table, rows in all_rows(database):
        own = [row for row in rows if row[0] in accounts]  # it is the first column, where there is one
        if any(value in wanted for row in own for value in row if isinstance(value, int)):
            found.add(f"table {table}")
    return sorted(found)


async def known_in_clear(database: Database, words: Mapping[str, bytes], names: Iterable[str]) -> list[str]:
    """Those of *words*, by name, that are part of an address here or of the server's own *names*.

    The table says that these are in clear: finding them tells nothing.
    """
    clear = [name.encode() for name in names]
    async for table, rows in all_rows(database):
        if table == "address":
            clear += [next(values_of(row)) for row in rows]
    return [name for name, word in words.items() if any(word.lower() in one.lower() for one in clear)]


async def engine_folder(database: Database) -> str | None:
    """Where PostgreSQL keeps its files; None when this role may not know."""
    from mailstead.store.postgres import data_directory  # noqa: PLC0415  # an optional extra

    return await database.read(data_directory)
