"""PostgreSQL: the same transactions through psycopg 3, in threads of the store's own.

One writer thread commits in groups as on SQLite; reads run in a small pool of threads, each with
a connection. A lost connection is opened again by the next group; what was in flight is answered
"not stored", because nobody knows.
"""

import asyncio
import contextlib
import queue
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString, TypeVar

import psycopg
from psycopg import errors

from mailstead.errors import Reason, Trouble, Unavailable
from mailstead.store.database import Conflict, Row, SqlValue, Tx, Work
from mailstead.store.group import Group
from mailstead.store.migrate import migrate
from mailstead.store.writer import Writer

T = TypeVar("T")

READERS = 4
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = "30000"


class PostgresTx:
    """A transaction on one connection."""

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self._cursor = connection.cursor()

    def execute(self, sql: LiteralString, parameters: Sequence[SqlValue] = ()) -> list[Row]:
        """Run one statement; its rows."""
        self._cursor.execute(_translated(sql), parameters, prepare=True)
        return [] if self._cursor.description is None else self._cursor.fetchall()

    def execute_many(self, sql: LiteralString, rows: Sequence[Sequence[SqlValue]]) -> list[Row]:
        """Run one statement once for each row of parameters, in one pipeline; all rows of all of them."""
        found: list[Row] = []
        if rows:
            returning = "RETURNING" in sql
            self._cursor.executemany(_translated(sql), rows, returning=returning)
            while returning:
                found += self._cursor.fetchall()
                returning = bool(self._cursor.nextset())
        return found

    def now(self) -> int:
        """The database's clock: every host asks the same one."""
        self._cursor.execute("SELECT CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)")
        row = self._cursor.fetchone()
        assert row is not None
        return int(row[0])


def _translated(sql: LiteralString) -> LiteralString:
    """The statement with psycopg's placeholders."""
    return sql.replace("%", "%%").replace("?", "%s")


def _connect(url: str) -> "psycopg.Connection[Row]":
    connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", (STATEMENT_MILLISECONDS,))
        for name, loses in (("fsync", "off"), ("synchronous_commit", "off")):
            cursor.execute("SELECT current_setting(%s)", (name,))
            row = cursor.fetchone()
            if row is not None and row[0] == loses:
                connection.close()
                raise Trouble(
                    f"PostgreSQL runs with {name} = {loses}",
                    why="a power cut would lose mail that was acknowledged",
                    fix=f"set {name} = on in postgresql.conf",
                )
    return connection


def data_directory(tx: Tx) -> str | None:
    """Where the server keeps its files; None when this role may not know."""
    found = tx.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    return str(found[0][0]) if found and found[0][0] else None


def open_postgres(url: str) -> "PostgresDatabase":
    """Connect, and bring the data up to date.

    Raises:
        Trouble: it does not answer, or would lose acknowledged mail.
    """
    try:
        with _connect(url) as connection:

            def transaction(work: Callable[[Tx], None]) -> None:
                with connection.transaction():
                    # One migration at a time, however many hosts start together.
                    connection.execute("SELECT pg_advisory_xact_lock(6276)")
                    work(PostgresTx(connection))

            migrate(transaction, "BYTEA")
    except psycopg.Error as error:
        raise Trouble(
            "PostgreSQL does not answer",
            why=str(error).strip() or type(error).__name__,
            fix="check [storage] database and that the server runs",
        ) from error
    return PostgresDatabase(url)


class PostgresDatabase:
    """A PostgreSQL server that any number of hosts share."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = PostgresEngine(url)
        self._writer = Writer(self._engine)
        self._threads = ThreadPoolExecutor(READERS, "store-reader")
        self._idle: queue.SimpleQueue[psycopg.Connection[Row]] = queue.SimpleQueue()

    async def read(self, work: Work[T]) -> T:
        """Run *work* on one snapshot, in a reader thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, work)

    def _read(self, work: Work[T]) -> T:
        try:
            with self._connection() as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                with connection.transaction():
                    return work(PostgresTx(connection))
        except psycopg.Error as error:
            raise unavailable(error) from error

    @contextlib.contextmanager
    def _connection(self) -> "Generator[psycopg.Connection[Row]]":
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = _connect(self._url)
        try:
            yield connection
        except psycopg.OperationalError:
            connection.close()
            raise
        except BaseException:
            self._idle.put(connection)
            raise
        self._idle.put(connection)

    async def write(self, work: Work[T]) -> T:
        """Run *work* in the next commit group; return once it is durable."""
        return await self._writer.write(lambda: work)

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        """As `write`, with the work asked for at the moment its group is closed."""
        return await self._writer.write(prepare)

    async def truncate_log(self) -> None:
        """VACUUM what upkeep deletes from; pg_wal and replicas keep ciphertext while they are kept."""
        await self._writer.between(self._engine.vacuum)

    async def close(self) -> None:
        """Finish what was begun and close all connections."""
        await self._writer.close()
        self._threads.shutdown()
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


class PostgresEngine:
    """The writer thread's side."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Row] | None = None

    def run(self, group: Group) -> None:
        """Run all works of *group* in one transaction.

        Raises:
            Unavailable: nothing of it is stored, or nobody knows.
        """
        try:
            connection = self._ready()
            with connection.transaction():
                if not group.begin() or not group.run_each(PostgresTx(connection), _Savepoint(connection)):
                    raise psycopg.Rollback
        except psycopg.OperationalError as error:
            self.close()
            raise unavailable(error) from error
        except psycopg.Error as error:
            raise unavailable(error) from error

    def rest(self) -> None:
        """PostgreSQL looks after its own log."""

    def _ready(self) -> "psycopg.Connection[Row]":
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._url)
        return self._connection

    def vacuum(self) -> None:
        """VACUUM the tables that upkeep deletes from."""
        try:
            for table in ("tomb", "object", "extent", "page", "state", "pending", "lane"):
                self._ready().execute(f"VACUUM {table}")
        except psycopg.Error as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


class _Savepoint:
    """Undoes one work of a group and leaves its neighbours alone."""

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self._connection = connection

    def begin(self) -> None:
        self._connection.execute("SAVEPOINT work")

    def keep(self) -> None:
        self._connection.execute("RELEASE SAVEPOINT work")

    def undo(self) -> None:
        self._connection.execute("ROLLBACK TO SAVEPOINT work")
        self._connection.execute("RELEASE SAVEPOINT work")

    def fatal(self, error: Exception) -> bool:
        """Whether *error* spoils the whole transaction, not only the work that met it."""
        return isinstance(error, psycopg.Error) and not isinstance(error, psycopg.IntegrityError)

    def named(self, error: Exception) -> Exception:
        if not isinstance(error, psycopg.IntegrityError):
            return error
        conflict = Conflict(str(error))
        conflict.__cause__ = error
        return conflict


def unavailable(error: psycopg.Error) -> Unavailable:
    """What an engine's own error means to those above."""
    if isinstance(error, errors.DiskFull):
        return Unavailable(Reason.STORAGE_FULL, str(error))
    if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure | errors.LockNotAvailable):
        return Unavailable(Reason.TOO_BUSY, str(error))
    return Unavailable(Reason.STORAGE_UNAVAILABLE, f"{type(error).__name__}: {error}")
