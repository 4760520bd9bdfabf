"""Sealed rows by name, as they are: what is in clear beside them, and their octets, which stay sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, NamedTuple

from mailstead.crypto.notes import SealedNote
from mailstead.crypto.sealed import Sealed, SealedLane
from mailstead.store.database import SqlValue, Tx


class Sort(NamedTuple):
    """Where the rows of one sort are.

    Args:
        rows: Table, and a condition that all of them meet.
        key: The columns that name one within its account.
        clear: What else is in clear beside it.
        octets: The column that is sealed.
    """

    rows: LiteralString
    key: tuple[LiteralString, ...]
    clear: tuple[LiteralString, ...]
    octets: LiteralString = "octets"


_WRITE: tuple[LiteralString, ...] = ("version", "epoch", "write_id")
_SLOT: tuple[LiteralString, ...] = ("type", "header", "root_gen", "read_gen", "not_after", "created")
_ARRIVED: tuple[LiteralString, ...] = (
    "modseq", "object_id", "lane_id", "ctr", "summary_flags", "body_flags",
)  # fmt: skip

# Who adds a table or a kind of record with sealed octets adds it here; a test sees to it.
SORTS: dict[str, Sort] = {
    "keyring": Sort("record WHERE kind = 20", ("object_id",), _WRITE),
    "mboxes": Sort("record WHERE kind = 19", (), _WRITE),
    "account-leaf": Sort("record WHERE kind = 23", (), _WRITE),
    "anchor": Sort("record WHERE kind = 24", (), _WRITE),
    "accesslog": Sort("record WHERE kind = 26", (), _WRITE),
    "counts": Sort("record WHERE kind = 27", ("place",), _WRITE),
    "metadata": Sort("record WHERE kind = 28", ("place",), _WRITE),
    "order": Sort("record WHERE kind = 29", ("place", "object_id"), _WRITE),
    "search": Sort("record WHERE kind = 18", ("place", "object_id"), _WRITE),
    "leaf": Sort("leaf WHERE 0 = 0", ("mailbox_id", "number"), _WRITE),
    "page": Sort("page WHERE 0 = 0", ("mailbox_id", "number", "grp"), _WRITE),
    "state": Sort("state WHERE 0 = 0", ("mailbox_id", "number"), (*_WRITE, "max_modseq")),
    "tomb": Sort("tomb WHERE 0 = 0", ("mailbox_id", "tomb_id"), ("erase_at", "epoch", "write_id", "objects")),
    "lane": Sort("lane WHERE 0 = 0", ("lane_id",), ("epoch",), "sealed"),
    "summary": Sort("pending WHERE 0 = 0", ("mailbox_id", "uid"), (*_ARRIVED, "n", "tag"), "summary"),
    "quarantine": Sort(
        "quarantine WHERE 0 = 0", ("mailbox_id", "uid"), (*_ARRIVED, "reason", "since"), "summary"
    ),
    "body": Sort("extent WHERE number = 0", ("object_id",), ()),
    "note": Sort("access_note WHERE 0 = 0", ("note_id",), ("n", "failed", "epoch", "lane", "tag")),
    "slot": Sort("slot WHERE 0 = 0", ("slot_id",), (*_SLOT, "locator", "last_used"), "blob"),
    "archived-slot": Sort("archived_slot WHERE 0 = 0", ("archive_id", "slot_id"), _SLOT, "blob"),
    "archived-record": Sort("archived_record WHERE 0 = 0", ("archive_id", "kind", "object_id"), _WRITE),
}
# Tables of which nothing is sealed: what the server needs while the owner is away.
CLEAR: tuple[LiteralString, ...] = (
    "meta", "account", "address", "epoch_key", "mailbox", "object", "archive",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One row.

    Args:
        key: What names it within its account, in the order of its sort.
        clear: Columns in clear, by name.
        sealed: Its octets; of a body those of extent 0.
        octets: How many there are; of a body those of all extents.
    """

    sort: str
    account_id: int
    account: bytes
    key: tuple[SqlValue, ...]
    clear: dict[str, SqlValue]
    sealed: Sealed
    octets: int


def count(tx: Tx) -> list[tuple[str, int, int, bool]]:
    """Sort or table, how many rows it has, their octets (0 where nothing is sealed), and whether sealed."""
    found: list[tuple[str, int, int, bool]] = []
    for name, sort in SORTS.items():
        rows = sort.rows if name != "body" else "extent"
        ((number, octets),) = tx.execute(
            f"SELECT COUNT(*), COALESCE(SUM(LENGTH({sort.octets})), 0) FROM {rows}"  # noqa: S608  # literals
        )
        if name == "body":
            ((number,),) = tx.execute("SELECT COUNT(*) FROM object")
        found.append((name, number, int(octets), True))
    for table in CLEAR:
        ((number,),) = tx.execute(f"SELECT COUNT(*) FROM {table}")  # noqa: S608  # literals
        found.append((table, number, 0, False))
    return found


def listed(
    tx: Tx, name: str, account_id: int, given: Sequence[SqlValue]
) -> list[tuple[tuple[SqlValue, ...], int]]:
    """The keys of a sort's rows that begin with what is *given*, with their octets; none is read."""
    sort = SORTS[name]
    if name == "body":
        such = " AND object_id = ?" if given else ""
        found = tx.execute(
            f"SELECT object_id, SUM(LENGTH(octets)) FROM extent WHERE account_id = ?{such}"  # noqa: S608  # literals
            " GROUP BY object_id ORDER BY object_id",
            (account_id, *given),
        )
        return [((object_id,), int(octets)) for object_id, octets in found]
    keys: LiteralString = "".join(f"{column}, " for column in sort.key)
    order: LiteralString = ", ".join((*sort.key, "account_id"))
    found = tx.execute(
        f"SELECT {keys}LENGTH({sort.octets}) FROM {sort.rows} AND account_id = ?{_such(sort, given)}"  # noqa: S608  # literals
        f" ORDER BY {order}",
        (account_id, *given),
    )
    return [(row[:-1], row[-1]) for row in found]


def read(tx: Tx, name: str, account_id: int, key: Sequence[SqlValue]) -> SealedRow | None:
    """The row of a sort with this whole key."""
    sort = SORTS[name]
    columns: LiteralString = ", ".join((*sort.clear, sort.octets))
    found = tx.execute(
        f"SELECT {columns} FROM {sort.rows} AND account_id = ?{_such(sort, key)}",  # noqa: S608  # literals
        (account_id, *key),
    )
    account = tx.execute("SELECT uuid, root_gen, read_gen FROM account WHERE account_id = ?", (account_id,))
    if not found or not account:
        return None
    uuid, root_gen, read_gen = account[0]
    *values, octets = found[0]
    clear: dict[str, SqlValue] = dict(zip(sort.clear, values, strict=True))
    length = len(octets)
    if name == "body":
        clear |= _of_body(tx, account_id, key[0])
        length = _body_octets(tx, account_id, key[0])
    if name == "keyring":
        clear |= {"root_gen": root_gen, "read_gen": read_gen}
    return SealedRow(name, account_id, uuid, tuple(key), clear, Sealed(octets), length)


def whole_body(tx: Tx, row: SealedRow) -> Sealed:
    """All octets of a body."""
    found = tx.execute(
        "SELECT octets FROM extent WHERE account_id = ? AND object_id = ? ORDER BY number",
        (row.account_id, row.key[0]),
    )
    return Sealed(b"".join(octets for (octets,) in found))


def note_of(row: SealedRow) -> SealedNote:
    """A note, with the lane beside it."""
    (note_id,), epoch = row.key, row.clear["epoch"]
    lane, tag = row.clear["lane"], row.clear["tag"]
    assert isinstance(note_id, bytes)
    assert isinstance(epoch, int)
    assert isinstance(lane, bytes)
    assert isinstance(tag, bytes)
    return SealedNote(SealedLane(note_id, epoch, Sealed(lane)), row.sealed, tag)


def _such(sort: Sort, given: Sequence[SqlValue]) -> LiteralString:
    return "".join(f" AND {column} = ?" for column in sort.key[: len(given)])


def _body_octets(tx: Tx, account_id: int, object_id: SqlValue) -> int:
    ((octets,),) = tx.execute(
        "SELECT COALESCE(SUM(LENGTH(octets)), 0) FROM extent WHERE account_id = ? AND object_id = ?",
        (account_id, object_id),
    )
    return int(octets)


def _of_body(tx: Tx, account_id: int, object_id: SqlValue) -> dict[str, SqlValue]:
    """What is in clear of a body: how often it is named, and while it is pending its lane and flags."""
    ((extents,),) = tx.execute(
        "SELECT COUNT(*) FROM extent WHERE account_id = ? AND object_id = ?", (account_id, object_id)
    )
    clear: dict[str, SqlValue] = {"extents": extents}
    for refs, created in tx.execute(
        "SELECT refs, created FROM object WHERE account_id = ? AND object_id = ?", (account_id, object_id)
    ):
        clear |= {"refs": refs, "created": created}
    for lane_id, ctr, flags in tx.execute(
        "SELECT lane_id, ctr, body_flags FROM pending WHERE account_id = ? AND object_id = ?",
        (account_id, object_id),
    ):
        clear |= {"lane_id": lane_id, "ctr": ctr, "body_flags": flags}
    return clear
