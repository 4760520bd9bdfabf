"""SQLite: readers in the event loop, one writer thread that commits in groups.

What waits is collected on the loop while a commit is in flight and handed over as one group: a
savepoint for each work, one COMMIT, one fsync, and then all of them are answered. An indexed
read takes 5 microseconds in the loop and 50 through a thread, so reads run where they are asked.

After a failed COMMIT nobody is told "stored": the connection is closed, opened again and checked
before anything more is accepted, since nothing is known of pages that the failed fsync was about.
"""

# apsw does not say the types of what it returns.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import apsw

from mailstead.errors import Exit, MailError, Reason, Trouble, Unavailable
from mailstead.store.database import Conflict, Row, SqlValue, Work
from mailstead.store.group import Group
from mailstead.store.lock import WriteLock
from mailstead.store.writer import Writer

T = TypeVar("T")

OLDEST = 3_051_003  # the WAL-reset corruption race is fixed since 3.51.3
BUSY = 4000  # milliseconds, less than a group waits for its transaction
LOG_PAGES = 4000  # of the write-ahead log, at which it is moved into the database
PAGE_OCTETS = 4096


class SqliteTx:
    """A transaction on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection

    def execute(self, sql: LiteralString, parameters: Sequence[SqlValue] = ()) -> list[Row]:
        """Run one statement; its rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def execute_many(self, sql: LiteralString, rows: Sequence[Sequence[SqlValue]]) -> list[Row]:
        """Run one statement once for each row of parameters; all rows of all of them."""
        return self.connection.executemany(sql, rows).fetchall() if rows else []

    def now(self) -> int:
        """The machine's clock: database and server share it."""
        return int(time.time())


def open_connection(path: Path) -> apsw.Connection:
    """A connection with every promise switched on, and asserted.

    Raises:
        Trouble: this SQLite is too old.
        apsw.Error: the file cannot be opened.
    """
    if apsw.sqlitelibversion() and apsw.SQLITE_VERSION_NUMBER < OLDEST:
        raise Trouble(
            f"SQLite {apsw.sqlitelibversion()} can lose mail",
            why="versions before 3.51.3 corrupt the write-ahead log of two connections",
            fix="pip install --upgrade apsw",
            exit_code=Exit.NEEDS_UPGRADE,
        )
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(BUSY)
    # Else a statement is compiled again whenever it is bound to other values (SQLITE_ENABLE_STAT4).
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (
        f"PRAGMA page_size = {PAGE_OCTETS}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
        "PRAGMA temp_store = MEMORY",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA cache_size = -16384",
    ):
        connection.execute(pragma).fetchall()
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    for name, value in expected.items():
        found = connection.pragma(name)
        if found != value:
            raise Trouble(
                f"SQLite refuses {name} = {value}",
                why=f"it answers {found!r}; without it acknowledged mail could be lost",
                fix="put the data on a local file system",
            )
    return connection


class SqliteDatabase:
    """The embedded database: one file, any number of worker processes."""

    def __init__(self, path: Path, lock: WriteLock) -> None:
        self._path = path
        self._reader = SqliteTx(open_connection(path))
        self._engine = SqliteEngine(path, lock)
        self._writer = Writer(self._engine)

    async def read(self, work: Work[T]) -> T:
        """Run *work* on one snapshot, here and now."""
        execute = self._reader.connection.execute
        try:
            execute("BEGIN")
            try:
                return work(self._reader)
            finally:
                execute("COMMIT")
        except apsw.Error as error:
            raise unavailable(error) from error

    async def write(self, work: Work[T]) -> T:
        """Run *work* in the next commit group; return once it is durable."""
        return await self._writer.write(lambda: work)

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        """As `write`, with the work asked for at the moment its group is closed."""
        return await self._writer.write(prepare)

    async def truncate_log(self) -> None:
        """Empty the write-ahead log, so that what was erased is in no live file."""
        await self._writer.between(self._engine.truncate_log)

    async def close(self) -> None:
        """Finish what was begun and close both connections."""
        await self._writer.close()
        self._reader.connection.close()


class SqliteEngine:
    """The writer thread's side: it runs one group at a time on its own connection."""

    def __init__(self, path: Path, lock: WriteLock) -> None:
        self._path = path
        self._lock = lock
        self._log_pages = 0
        self._connection: apsw.Connection | None = self._open()
        self._suspect = False

    def run(self, group: Group) -> None:
        """Run all works of *group* in one transaction; fill in what became of each.

        Raises:
            Unavailable: nothing of it is stored.
        """
        connection = self._ready()
        try:
            with self._lock:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if group.begin() and group.run_each(SqliteTx(connection), Savepoints(connection)):
                        connection.execute("COMMIT")
                finally:
                    self._abandon(connection)
        except apsw.Error as error:
            if not isinstance(error, apsw.BusyError):
                self._drop(suspect=isinstance(error, apsw.IOError | apsw.CorruptError))
            raise unavailable(error) from error

    def rest(self) -> None:
        """Keep the log short, once the group was answered; a reader in its way only puts it off."""
        if self._connection is not None and self._log_pages > LOG_PAGES:
            with contextlib.suppress(apsw.Error), self._lock:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _ready(self) -> apsw.Connection:
        if self._connection is None:
            try:
                connection = self._open()
                if self._suspect:
                    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchall()[0]
                    if verdict != "ok":
                        connection.close()
                        raise Unavailable(Reason.STORAGE_UNAVAILABLE, str(verdict))
            except apsw.Error as error:
                raise unavailable(error) from error
            self._connection, self._suspect = connection, False
        return self._connection

    def _abandon(self, connection: apsw.Connection) -> None:
        with contextlib.suppress(apsw.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _drop(self, *, suspect: bool) -> None:
        """Let go of a connection that failed; the next group opens and checks a new one."""
        if self._connection is not None:
            with contextlib.suppress(apsw.Error):
                self._connection.close(True)
        self._connection, self._suspect = None, self._suspect or suspect

    def _open(self) -> apsw.Connection:
        connection = open_connection(self._path)
        connection.set_wal_hook(self._on_commit)
        return connection

    def _on_commit(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def truncate_log(self) -> None:
        """Move the log into the database and cut it to nothing."""
        connection = self._ready()
        try:
            with self._lock:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Savepoints:
    """Undoes one work of a group and leaves its neighbours alone."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        """Mark the place to come back to."""
        self._connection.execute("SAVEPOINT work")

    def keep(self) -> None:
        """Forget the place."""
        self._connection.execute("RELEASE work")

    def undo(self) -> None:
        """Go back to the place."""
        self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")

    def fatal(self, error: Exception) -> bool:
        """Whether *error* spoils the whole transaction, not only the work that met it."""
        return isinstance(error, apsw.Error) and not isinstance(error, apsw.ConstraintError)

    def named(self, error: Exception) -> Exception:
        """*error* in the words of those above."""
        return _conflict(error) if isinstance(error, apsw.ConstraintError) else error


def _conflict(error: apsw.Error) -> Conflict:
    conflict = Conflict(str(error))
    conflict.__cause__ = error
    return conflict


def unavailable(error: apsw.Error) -> MailError:
    """What an engine's own error means to those above."""
    if isinstance(error, apsw.FullError):
        return Unavailable(Reason.STORAGE_FULL, str(error))
    code: Any = getattr(error, "extendedresult", 0)
    if code == apsw.SQLITE_IOERR_WRITE:  # a quota or a file-size limit says so in this way
        return Unavailable(Reason.STORAGE_FULL, str(error))
    return Unavailable(Reason.STORAGE_UNAVAILABLE, f"{type(error).__name__}: {error}")
