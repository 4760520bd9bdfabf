"""Opening the database that the settings name."""

# apsw does not say the types of what it returns.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from mailstead.errors import Exit, Trouble
from mailstead.store.database import Database, Tx
from mailstead.store.lock import WriteLock
from mailstead.store.migrate import migrate
from mailstead.store.sqlite import SqliteDatabase, SqliteTx, open_connection

FILE = "mail.db"
FOLDERS = ("run", "spool")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the data is.

    Args:
        data: The data folder; it must exist.
        database: A postgresql:// URL, or None for SQLite in *data*.
    """

    data: Path
    database: str | None = None


def open_database(settings: StoreSettings) -> Database:
    """Open the database, and bring it up to date first.

    Raises:
        Trouble: there is no data folder, the data is newer than this code, or the database
            cannot be opened.
    """
    if not settings.data.is_dir():
        raise Trouble(
            f"there is no data folder {settings.data}",
            why="`mailstead init` makes it",
            fix="mailstead init DIR --hostname H --domain D, or set `data` in the settings",
            exit_code=Exit.NO_DATA,
        )
    for name in FOLDERS:
        (settings.data / name).mkdir(mode=0o700, exist_ok=True)
    if settings.database is not None:
        from mailstead.store.postgres import open_postgres  # noqa: PLC0415  # an optional extra

        return open_postgres(settings.database)
    return _open_sqlite(settings.data)


def _open_sqlite(data: Path) -> Database:
    path = data / FILE
    lock = WriteLock(data / "run" / "write.lock")
    try:
        if not path.exists():
            path.touch(mode=0o600)
        connection = open_connection(path)
        try:
            _migrate(connection, lock)
        finally:
            connection.close()
        return SqliteDatabase(path, lock)
    except (apsw.Error, OSError) as error:
        raise Trouble(
            f"the database {path} cannot be opened",
            why=str(error),
            fix="check the disk and the permissions of the data folder",
        ) from error


def _migrate(connection: apsw.Connection, lock: WriteLock) -> None:
    def transaction(work: Callable[[Tx], None]) -> None:
        with lock:
            connection.execute("BEGIN IMMEDIATE")
            try:
                work(SqliteTx(connection))
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    migrate(transaction, "BLOB")
