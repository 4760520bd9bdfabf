"""Leaves: which version of which row a mailbox should have, sealed (docs/format.md, "Leaves")."""

from mailstead.crypto.sealed import Sealed, SealedRecord
from mailstead.store.database import Tx
from mailstead.store.records import LostRace


def get_leaf(tx: Tx, account_id: int, mailbox_id: bytes, number: int) -> SealedRecord | None:
    """The leaf with this *number* of a mailbox."""
    rows = tx.execute(
        "SELECT version, epoch, write_id, octets FROM leaf"
        " WHERE account_id = ? AND mailbox_id = ? AND number = ?",
        (account_id, mailbox_id, number),
    )
    if not rows:
        return None
    version, epoch, write_id, octets = rows[0]
    return SealedRecord(version, epoch, write_id, Sealed(octets))


def leaves(tx: Tx, account_id: int, mailbox_id: bytes) -> dict[int, SealedRecord]:
    """All leaves of a mailbox by their numbers."""
    rows = tx.execute(
        "SELECT number, version, epoch, write_id, octets FROM leaf WHERE account_id = ? AND mailbox_id = ?",
        (account_id, mailbox_id),
    )
    return {row[0]: SealedRecord(row[1], row[2], row[3], Sealed(row[4])) for row in rows}


def page_writes(tx: Tx, account_id: int, mailbox_id: bytes) -> list[tuple[int, int, int, bytes]]:
    """Group, number, version and write id of all pages of a mailbox; from an index, no page is read."""
    rows = tx.execute(
        "SELECT grp, number, version, write_id FROM page WHERE account_id = ? AND mailbox_id = ?",
        (account_id, mailbox_id),
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def put_leaf(tx: Tx, account_id: int, mailbox_id: bytes, number: int, record: SealedRecord) -> None:
    """Write a leaf by compare-and-swap on its version.

    Raises:
        LostRace: another session wrote it first.
    """
    if record.version == 1:
        done = tx.execute(
            "INSERT INTO leaf (account_id, mailbox_id, number, version, epoch, write_id, octets)"
            " VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            (account_id, mailbox_id, number, record.epoch, record.write_id, record.sealed.octets),
        )
    else:
        done = tx.execute(
            "UPDATE leaf SET version = ?, epoch = ?, write_id = ?, octets = ? WHERE account_id = ?"
            " AND mailbox_id = ? AND number = ? AND version = ? RETURNING 1",
            (
                record.version, record.epoch, record.write_id, record.sealed.octets,
                account_id, mailbox_id, number, record.version - 1,
            ),
        )  # fmt: skip
    if not done:
        raise LostRace
