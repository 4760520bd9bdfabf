"""Every table there is, by what its rows are named: for who counts all rows, or looks at all octets.

A test holds this list to the schema files.
"""

from collections.abc import Iterator
from typing import LiteralString

from mailstead.store.database import Row, SqlValue, Tx

# The primary key of each, in its order.
TABLES: dict[LiteralString, tuple[LiteralString, ...]] = {
    "meta": ("name",),
    "account": ("account_id",),
    "address": ("address",),
    "epoch_key": ("account_id", "epoch"),
    "slot": ("account_id", "slot_id"),
    "record": ("account_id", "kind", "place", "object_id"),
    "mailbox": ("account_id", "mailbox_id"),
    "lane": ("account_id", "lane_id"),
    "object": ("account_id", "object_id"),
    "extent": ("account_id", "object_id", "number"),
    "pending": ("account_id", "mailbox_id", "uid"),
    "page": ("account_id", "mailbox_id", "number", "grp"),
    "state": ("account_id", "mailbox_id", "number"),
    "tomb": ("account_id", "tomb_id"),
    "quarantine": ("account_id", "mailbox_id", "uid"),
    "leaf": ("account_id", "mailbox_id", "number"),
    "archive": ("account_id", "archive_id"),
    "archived_slot": ("account_id", "archive_id", "slot_id"),
    "archived_record": ("account_id", "archive_id", "kind", "object_id"),
    "access_note": ("account_id", "note_id"),
}


def rows_after(
    tx: Tx, table: LiteralString, last: tuple[SqlValue, ...] | None, most: int
) -> list[tuple[tuple[SqlValue, ...], Row]]:
    """Up to *most* whole rows of a table behind the one named *last*, each with its primary key."""
    key = TABLES[table]
    names: LiteralString = ", ".join(key)
    marks: LiteralString = ", ".join("?" for _ in key)
    where: LiteralString = "" if last is None else f" WHERE ({names}) > ({marks})"
    found = tx.execute(
        f"SELECT {names}, {table}.* FROM {table}{where} ORDER BY {names} LIMIT ?",  # noqa: S608  # literals
        (*(last or ()), most),
    )
    return [(row[: len(key)], row[len(key) :]) for row in found]


def values_of(row: Row) -> Iterator[bytes]:
    """What of a row can hold text or octets, as octets."""
    for value in row:
        if isinstance(value, str):
            yield value.encode()
        elif isinstance(value, bytes):
            yield value
