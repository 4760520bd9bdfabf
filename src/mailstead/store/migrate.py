"""Migrations: numbered SQL files, forward only; old code refuses new data.

Each file is one transaction, and the version is written in it: a crash leaves the old schema or
the new one. `SCHEMA_VERSION` is what this code writes; data whose `compat` is higher than that
was written by code that this code could harm.
"""

import os
import re
from collections.abc import Callable
from functools import partial
from importlib import resources
from typing import LiteralString, cast

from mailstead.errors import Exit, Trouble
from mailstead.store.database import Tx

SCHEMA_VERSION = 5
SCHEMA_COMPAT = 5  # the oldest SCHEMA_VERSION that may still use what this code writes

_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value {bytes} NOT NULL)"


def get_meta(tx: Tx, name: str) -> bytes | None:
    """A fact about the database as a whole."""
    rows = tx.execute("SELECT value FROM meta WHERE name = ?", (name,))
    return bytes(rows[0][0]) if rows else None


def put_meta(tx: Tx, name: str, value: bytes) -> None:
    """Write a fact about the database as a whole."""
    tx.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?",
        (name, value, value),
    )


def schema_version(tx: Tx) -> int:
    """The schema the data has; 0 for none.

    Raises:
        Trouble: it was written by a newer version that this one could harm.
    """
    compat = int(get_meta(tx, "schema_compat") or b"0")
    if compat > SCHEMA_VERSION:
        raise Trouble(
            "this data was written by a newer mailstead",
            why=f"it needs schema {compat}, and this version knows {SCHEMA_VERSION}",
            fix="run the newer version, or restore a backup taken before the upgrade",
            exit_code=Exit.NEEDS_UPGRADE,
        )
    return int(get_meta(tx, "schema_version") or b"0")


def migrate(transaction: Callable[[Callable[[Tx], None]], None], octets_type: LiteralString) -> None:
    """Bring the data up to `SCHEMA_VERSION`, one file and one transaction after the other.

    Args:
        transaction: Runs a function in a transaction of its own, durably.
        octets_type: What the engine calls a column of octets.
    """
    transaction(lambda tx: _prepare(tx, octets_type))
    for number, text in schema_files():
        transaction(partial(_apply, number=number, text=text, octets_type=octets_type))


def _prepare(tx: Tx, octets_type: LiteralString) -> None:
    tx.execute(_META.replace("{bytes}", octets_type))
    if get_meta(tx, "instance") is None:
        put_meta(tx, "instance", os.urandom(16))
    schema_version(tx)


def _apply(tx: Tx, number: int, text: str, octets_type: LiteralString) -> None:
    if schema_version(tx) >= number:
        return
    for statement in statements(text):
        # Schema files are part of this program, not input; mypy does not tell the types apart.
        tx.execute(cast("LiteralString", statement.replace("{bytes}", octets_type)))  # type: ignore[redundant-cast]
    put_meta(tx, "schema_version", str(number).encode())
    put_meta(tx, "schema_compat", str(SCHEMA_COMPAT).encode())


def schema_files() -> list[tuple[int, str]]:
    """Number and text of every schema file, in order."""
    folder = resources.files("mailstead.store").joinpath("schema")
    files = sorted((f.name, f.read_text()) for f in folder.iterdir() if f.name.endswith(".sql"))
    return [(int(name[:3]), text) for name, text in files]


def statements(text: str) -> list[str]:
    """The statements of a schema file; comments are dropped."""
    bare = re.sub(r"--[^\n]*", "", text)
    return [s.strip() for s in bare.split(";") if s.strip()]
