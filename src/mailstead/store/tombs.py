"""Expunged messages that can still be undeleted, and their erasure, which needs no key."""

from mailstead.crypto.sealed import SealedRecord
from mailstead.store.database import Tx
from mailstead.store.objects import drop_refs

ID_OCTETS = 16


def add_tomb(
    tx: Tx,
    account_id: int,
    mailbox_id: bytes,
    tomb_id: bytes,
    erase_at: int,
    record: SealedRecord,
    object_ids: list[bytes],
) -> None:
    """Keep the sealed entries of one EXPUNGE until *erase_at* (seconds since the epoch)."""
    tx.execute(
        "INSERT INTO tomb (account_id, tomb_id, mailbox_id, erase_at, epoch, write_id, octets,"
        " objects) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            account_id, tomb_id, mailbox_id, erase_at, record.epoch, record.write_id,
            record.sealed.octets, b"".join(object_ids),
        ),
    )  # fmt: skip


def erase_due(tx: Tx, limit: int = 64) -> int:
    """Delete up to *limit* tombs whose time has come, with the bodies only they named; how many."""
    rows = tx.execute(
        "SELECT account_id, tomb_id, objects FROM tomb WHERE erase_at <= ? ORDER BY erase_at LIMIT ?",
        (tx.now(), limit),
    )
    for account_id, tomb_id, objects in rows:
        drop_refs(tx, account_id, [objects[i : i + ID_OCTETS] for i in range(0, len(objects), ID_OCTETS)])
        tx.execute("DELETE FROM tomb WHERE account_id = ? AND tomb_id = ?", (account_id, tomb_id))
    return len(rows)
