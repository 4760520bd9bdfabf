"""Stored bodies: extents of ciphertext, counted by how many entries name them."""

from collections.abc import Sequence

from mailstead.crypto.sealed import Sealed
from mailstead.store.database import Tx

AT_ONCE = 16  # bodies of one statement
FEW = 4  # for which it is not worth it


def extents(tx: Tx, account_id: int, object_id: bytes, first: int, last: int) -> list[Sealed]:
    """The extents numbered *first* to *last* of a body, in order."""
    rows = tx.execute(
        "SELECT octets FROM extent WHERE account_id = ? AND object_id = ?"
        " AND number >= ? AND number <= ? ORDER BY number",
        (account_id, object_id, first, last),
    )
    return [Sealed(row[0]) for row in rows]


def small_bodies(tx: Tx, account_id: int, object_ids: Sequence[bytes]) -> dict[bytes, list[Sealed]]:
    """The first extent of each of these bodies that has any, and a second one where it should not be."""
    found: dict[bytes, list[Sealed]] = {}
    wanted = list(dict.fromkeys(object_ids))  # copies share a body
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        if len(some) < FEW:
            found.update((o, e) for o in some if (e := extents(tx, account_id, o, 0, 1)))
            continue
        padded = [*some, *[some[-1]] * (AT_ONCE - len(some))]
        rows = tx.execute(
            "SELECT object_id, octets FROM extent WHERE account_id = ? AND object_id IN"
            " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AND number <= 1 ORDER BY object_id, number",
            (account_id, *padded),
        )
        for object_id, octets in rows:
            found.setdefault(object_id, []).append(Sealed(octets))
    return found


def body_octets(tx: Tx, account_id: int, object_id: bytes) -> int:
    """Octets of all extents of a body together; 0 when it is not there."""
    rows = tx.execute(
        "SELECT COALESCE(SUM(LENGTH(octets)), 0) FROM extent WHERE account_id = ? AND object_id = ?",
        (account_id, object_id),
    )
    return int(rows[0][0])


def has_object(tx: Tx, account_id: int, object_id: bytes) -> bool:
    """Whether a body is stored."""
    return bool(
        tx.execute("SELECT 1 FROM object WHERE account_id = ? AND object_id = ?", (account_id, object_id))
    )


def stored_for_one(tx: Tx, account_id: int, object_id: bytes) -> int:
    """The octets that go with a body when the one entry goes that names it; 0 when others name it too."""
    rows = tx.execute(
        "SELECT stored_octets FROM object WHERE account_id = ? AND object_id = ? AND refs = 1",
        (account_id, object_id),
    )
    return int(rows[0][0]) if rows else 0


def add_refs(tx: Tx, account_id: int, object_ids: Sequence[bytes]) -> None:
    """Give each object one reference more; the octets count once, however many name them."""
    tx.execute_many(
        "UPDATE object SET refs = refs + 1 WHERE account_id = ? AND object_id = ?",
        [(account_id, object_id) for object_id in object_ids],
    )


def drop_refs(tx: Tx, account_id: int, object_ids: Sequence[bytes]) -> None:
    """Take one reference from each object; with its last one an object and its octets go."""
    named = [(account_id, object_id) for object_id in object_ids]
    tx.execute_many("UPDATE object SET refs = refs - 1 WHERE account_id = ? AND object_id = ?", named)
    gone = tx.execute_many(
        "DELETE FROM object WHERE account_id = ? AND object_id = ? AND refs = 0 RETURNING stored_octets",
        named,
    )
    freed = sum(row[0] for row in gone)
    if freed:
        tx.execute(
            "UPDATE account SET used_octets = used_octets - ? WHERE account_id = ?", (freed, account_id)
        )


def sweep_unwritten(tx: Tx, older_than: int = 3600) -> int:
    """Delete bodies that were begun and never referred to; how many.

    Args:
        older_than: Seconds of the database's clock.
    """
    rows = tx.execute(
        "DELETE FROM object WHERE refs = 0 AND created < ? RETURNING 1", (tx.now() - older_than,)
    )
    return len(rows)
