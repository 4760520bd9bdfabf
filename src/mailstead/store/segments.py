"""The search index at rest: its head, the pieces of its segments, and which document each message is.

A segment lies in pieces of one size, which are written once and deleted as a whole. A piece that no head
names is left over from work that was cut off.
"""

from collections.abc import Collection, Iterable

from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.store.database import Tx
from mailstead.store.records import put_record

SEGMENT_ID_OCTETS = 12
_ROW = b"\1" + bytes(11)  # before the number of a row of messages, so that none is the head's


def piece_id(segment_id: bytes, number: int) -> bytes:
    """The object id of a piece."""
    return segment_id + number.to_bytes(4, "big")


def row_id(number: int) -> bytes:
    """The object id of what says which documents the messages of a row are."""
    return _ROW + number.to_bytes(4, "big")


def pieces(tx: Tx, account_id: int, wanted: Iterable[bytes]) -> dict[bytes, SealedRecord]:
    """Those of the *wanted* pieces that are there, by object id."""
    found: dict[bytes, SealedRecord] = {}
    for name in wanted:
        rows = tx.execute(
            "SELECT version, epoch, write_id, octets FROM record"
            " WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ?",
            (account_id, int(Kind.SEGMENT), ZERO_ID, name),
        )
        for version, epoch, write_id, octets in rows:
            found[name] = SealedRecord(version, epoch, write_id, Sealed(octets))
    return found


def put_pieces(tx: Tx, account_id: int, some: Iterable[tuple[bytes, SealedRecord]]) -> None:
    """Write pieces, by object id."""
    for name, record in some:
        put_record(tx, account_id, Kind.SEGMENT, record, ZERO_ID, name)


def count_pieces(tx: Tx, account_id: int, segment_id: bytes) -> int:
    """How many pieces of a segment are there."""
    rows = tx.execute(
        "SELECT COUNT(*) FROM record WHERE account_id = ? AND kind = ? AND place = ?"
        " AND object_id >= ? AND object_id <= ?",
        (
            account_id, int(Kind.SEGMENT), ZERO_ID,
            piece_id(segment_id, 0), piece_id(segment_id, (1 << 32) - 1),
        ),
    )  # fmt: skip
    return int(rows[0][0])


def segment_ids(tx: Tx, account_id: int) -> set[bytes]:
    """The segments of which there is any piece."""
    rows = tx.execute(
        "SELECT object_id FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id <> ?",
        (account_id, int(Kind.SEGMENT), ZERO_ID, ZERO_ID),
    )
    return {bytes(name)[:SEGMENT_ID_OCTETS] for (name,) in rows}


def drop_segments(tx: Tx, account_id: int, segments: Iterable[bytes]) -> None:
    """Delete all pieces of these segments."""
    for segment_id in segments:
        tx.execute(
            "DELETE FROM record WHERE account_id = ? AND kind = ? AND place = ?"
            " AND object_id >= ? AND object_id <= ?",
            (
                account_id, int(Kind.SEGMENT), ZERO_ID,
                piece_id(segment_id, 0), piece_id(segment_id, (1 << 32) - 1),
            ),
        )  # fmt: skip


def document_rows(
    tx: Tx, account_id: int, mailbox_id: bytes, numbers: Collection[int] | None = None
) -> dict[int, SealedRecord]:
    """What says which documents the messages of a mailbox are, by row number; of all rows for None."""
    rows = tx.execute(
        "SELECT object_id, version, epoch, write_id, octets FROM record"
        " WHERE account_id = ? AND kind = ? AND place = ? AND object_id >= ? AND object_id <= ?"
        " ORDER BY object_id",
        (
            account_id, int(Kind.SEGMENT), mailbox_id,
            row_id(0 if numbers is None else min(numbers)),
            row_id((1 << 32) - 1 if numbers is None else max(numbers)),
        ),
    )  # fmt: skip
    found = {
        int.from_bytes(bytes(name)[-4:], "big"): SealedRecord(version, epoch, write_id, Sealed(octets))
        for name, version, epoch, write_id, octets in rows
    }
    return found if numbers is None else {n: record for n, record in found.items() if n in numbers}


def drop_documents(tx: Tx, account_id: int, mailbox_id: bytes, number: int) -> None:
    """Forget which documents the messages of a row were; it has none any more."""
    tx.execute(
        "DELETE FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ?",
        (account_id, int(Kind.SEGMENT), mailbox_id, row_id(number)),
    )


def stored_objects(tx: Tx, account_id: int) -> int:
    """How many bodies an account has."""
    return int(tx.execute("SELECT COUNT(*) FROM object WHERE account_id = ?", (account_id,))[0][0])


def objects_there(tx: Tx, account_id: int, after: bytes, most: int) -> list[bytes]:
    """The ids of up to *most* bodies that something names, ascending, behind *after*."""
    rows = tx.execute(
        "SELECT object_id FROM object WHERE account_id = ? AND object_id > ? AND refs > 0"
        " ORDER BY object_id LIMIT ?",
        (account_id, after, most),
    )
    return [bytes(name) for (name,) in rows]
