"""Quarantine: pendings that cannot be opened, kept with all their octets until somebody looks."""

from mailstead.store.database import Tx
from mailstead.store.messages import PendingRow


def quarantine(tx: Tx, account_id: int, mailbox_id: bytes, row: PendingRow, reason: str) -> None:
    """Move a pending that cannot be opened out of the way, with all its octets."""
    tx.execute(
        "INSERT INTO quarantine (account_id, mailbox_id, uid, modseq, object_id, lane_id, ctr,"
        " summary_flags, body_flags, summary, reason, since)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            account_id, mailbox_id, row.uid, row.modseq, row.object_id, row.lane_id, row.ctr,
            row.summary_flags, row.body_flags, row.summary.octets, reason, tx.now(),
        ),
    )  # fmt: skip


def quarantined(tx: Tx, account_id: int) -> list[tuple[bytes, int, str]]:
    """Mailbox id, UID and reason of every message in quarantine."""
    rows = tx.execute(
        "SELECT mailbox_id, uid, reason FROM quarantine WHERE account_id = ? ORDER BY mailbox_id, uid",
        (account_id,),
    )
    return [(row[0], row[1], row[2]) for row in rows]
