"""A database file that is looked at and never written: a backup, or a copy that somebody has."""

# apsw does not say the types of what it returns.
# pyright: reportUnknownMemberType=false

from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import apsw

from mailstead.errors import Exit, Trouble
from mailstead.store.database import Work
from mailstead.store.migrate import SCHEMA_VERSION, schema_version
from mailstead.store.sqlite import SqliteTx

T = TypeVar("T")

_MAGIC = b"SQLite format 3\x00"


def is_database(head: bytes) -> bool:
    """Whether a file that begins with these octets is an SQLite database."""
    return head.startswith(_MAGIC)


class Copy:
    """One such file, opened for reading; with its write-ahead log, if that lies beside it.

    Raises:
        Trouble: it is no mailstead database, or of another version than this one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Without a log nothing is made beside the file, whose folder may belong to somebody else.
        how = "mode=ro" if log_of(path).exists() else "immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        try:
            self._connection = apsw.Connection(f"file:{quote(str(path.resolve()))}?{how}", flags=flags)
        except apsw.Error as error:
            raise self._unusable(error) from error
        version = self.read(schema_version)
        if version != SCHEMA_VERSION:
            self.close()
            raise Trouble(
                f"{path} is of another version",
                why=f"it has schema {version}, and this version looks into schema {SCHEMA_VERSION}",
                fix="use the mailstead that wrote it, or restore it and let this one bring it up to date",
                exit_code=Exit.NEEDS_UPGRADE,
            )

    def read(self, work: Work[T]) -> T:
        """Run *work*, which may not write.

        Raises:
            Trouble: the file is damaged, or no database of mailstead.
        """
        try:
            return work(SqliteTx(self._connection))
        except apsw.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: apsw.Error) -> Trouble:
        return Trouble(
            f"{self._path} is no database of mailstead, or damaged", why=str(error),
            fix="name the mail.db of a data folder, or another copy of it", exit_code=Exit.BACKUP_UNUSABLE,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


def log_of(path: Path) -> Path:
    """Where the write-ahead log of a database lies."""
    return path.with_name(path.name + "-wal")
