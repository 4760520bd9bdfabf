"""Messages at rest: pendings as delivered, and the pages and states the owner's sessions write.

Row number of a page or state is (uid - 1) >> 8, for life: nothing is ever renumbered. Pages and
states are written by compare-and-swap on their version, like records.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailstead.crypto.sealed import Sealed, SealedRecord
from mailstead.store.database import Row, Tx
from mailstead.store.numbers import PAGE_MESSAGES
from mailstead.store.records import LostRace

GROUP_A, GROUP_B = 0, 1

PendingHead = tuple[int, int, int]  # UID, modseq, number among the arrivals


@dataclass(frozen=True, slots=True)
class PendingRow:
    """One delivered message that no session has absorbed yet."""

    uid: int
    modseq: int
    object_id: bytes
    lane_id: bytes
    ctr: int
    summary_flags: int
    body_flags: int
    summary: Sealed
    n: int  # its number among the arrivals of its mailbox
    tag: bytes  # its tag in the chain of arrivals


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One encapsulation: the sealed seed of a lane, and the epoch that opens it."""

    lane_id: bytes
    epoch: int
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class StateRow:
    """The sealed flags and modseqs of up to 256 messages."""

    number: int
    max_modseq: int
    record: SealedRecord


def pendings(
    tx: Tx, account_id: int, mailbox_id: bytes, after: int = 0, last: int = 1 << 32
) -> list[PendingRow]:
    """The first 256 pendings of a mailbox with UIDs above *after* and up to *last*, in UID order."""
    rows = tx.execute(
        "SELECT uid, modseq, object_id, lane_id, ctr, summary_flags, body_flags, summary, n, tag"
        " FROM pending WHERE account_id = ? AND mailbox_id = ? AND uid > ? AND uid <= ?"
        " ORDER BY uid LIMIT ?",
        (account_id, mailbox_id, after, last, PAGE_MESSAGES),
    )
    return [PendingRow(r[0], r[1], r[2], r[3], r[4], r[5], r[6], Sealed(r[7]), r[8], r[9]) for r in rows]


def pending_bodies(
    tx: Tx, account_id: int, mailbox_id: bytes, after: int, last: int
) -> dict[int, tuple[int, bytes]]:
    """Octets of the bodies of pendings with UIDs above *after* and up to *last*, and their first 56."""
    rows = tx.execute(
        "SELECT uid, (SELECT COALESCE(SUM(LENGTH(octets)), 0) FROM extent WHERE"
        " extent.account_id = pending.account_id AND extent.object_id = pending.object_id),"
        " (SELECT SUBSTR(octets, 1, 56) FROM extent WHERE extent.account_id = pending.account_id"
        " AND extent.object_id = pending.object_id AND number = 0)"
        " FROM pending WHERE account_id = ? AND mailbox_id = ? AND uid > ? AND uid <= ?",
        (account_id, mailbox_id, after, last),
    )
    return {uid: (octets, head or b"") for uid, octets, head in rows}


def row_pendings(tx: Tx, account_id: int, mailbox_id: bytes, number: int) -> list[PendingRow]:
    """The pendings of one row, in UID order."""
    return pendings(tx, account_id, mailbox_id, number << 8, (number + 1) << 8)


def first_pending(tx: Tx, account_id: int, mailbox_id: bytes, after: int) -> int | None:
    """The lowest UID above *after* of a pending."""
    found = tx.execute(
        "SELECT MIN(uid) FROM pending WHERE account_id = ? AND mailbox_id = ? AND uid > ?",
        (account_id, mailbox_id, after),
    )
    return None if found[0][0] is None else int(found[0][0])


def pending_heads(
    tx: Tx, account_id: int, mailbox_id: bytes, first: int = 0, last: int = 1 << 32
) -> list[PendingHead]:
    """UID, modseq and number of the pendings with UIDs *first* to *last*, in UID order."""
    rows = tx.execute(
        "SELECT uid, modseq, n FROM pending WHERE account_id = ? AND mailbox_id = ?"
        " AND uid >= ? AND uid <= ? ORDER BY uid",
        (account_id, mailbox_id, first, last),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def waiting(tx: Tx, account_id: int, limit: int) -> dict[bytes, int]:
    """How many pendings wait in which mailbox, of the first *limit* of an account; an archive's do not."""
    rows = tx.execute(
        "SELECT mailbox_id, COUNT(*) FROM (SELECT mailbox_id FROM pending WHERE account_id = ?"
        " AND mailbox_id NOT IN (SELECT mailbox_id FROM mailbox WHERE account_id = ? AND uid_validity < 0)"
        " LIMIT ?) AS first_few GROUP BY mailbox_id",
        (account_id, account_id, limit),
    )
    return {row[0]: row[1] for row in rows}


def lanes(tx: Tx, account_id: int, lane_ids: Sequence[bytes]) -> list[LaneRow]:
    """The lanes with these ids."""
    found: list[LaneRow] = []
    for lane_id in lane_ids:
        rows = tx.execute(
            "SELECT lane_id, epoch, sealed FROM lane WHERE account_id = ? AND lane_id = ?",
            (account_id, lane_id),
        )
        found.extend(LaneRow(row[0], row[1], Sealed(row[2])) for row in rows)
    return found


def drop_pendings(tx: Tx, account_id: int, mailbox_id: bytes, absorbed: Sequence[PendingRow]) -> None:
    """Delete pendings that were absorbed, and every lane whose last pending is among them.

    Raises:
        LostRace: one of them is gone already: another session absorbed it.
    """
    for row in absorbed:
        if not tx.execute(
            "DELETE FROM pending WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
            " AND object_id = ? RETURNING 1",
            (account_id, mailbox_id, row.uid, row.object_id),
        ):
            raise LostRace
    for lane_id in {row.lane_id for row in absorbed}:
        tx.execute(
            "DELETE FROM lane WHERE account_id = ? AND lane_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM pending WHERE account_id = ? AND lane_id = ?) AND NOT EXISTS"
            " (SELECT 1 FROM quarantine WHERE account_id = ? AND lane_id = ?)",
            (account_id, lane_id, account_id, lane_id, account_id, lane_id),
        )


def get_page(tx: Tx, account_id: int, mailbox_id: bytes, number: int, group: int) -> SealedRecord | None:
    """One column group of one page."""
    rows = tx.execute(
        "SELECT version, epoch, write_id, octets FROM page"
        " WHERE account_id = ? AND mailbox_id = ? AND number = ? AND grp = ?",
        (account_id, mailbox_id, number, group),
    )
    if not rows:
        return None
    version, epoch, write_id, octets = rows[0]
    return SealedRecord(version, epoch, write_id, Sealed(octets))


def put_page(
    tx: Tx, account_id: int, mailbox_id: bytes, number: int, group: int, record: SealedRecord
) -> None:
    """Write a column group by compare-and-swap.

    Raises:
        LostRace: another session wrote it first.
    """
    if record.version == 1:
        done = tx.execute(
            "INSERT INTO page (account_id, mailbox_id, number, grp, version, epoch, write_id, octets)"
            " VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            (
                account_id, mailbox_id, number, group,
                record.epoch, record.write_id, record.sealed.octets,
            ),
        )  # fmt: skip
    else:
        done = tx.execute(
            "UPDATE page SET version = ?, epoch = ?, write_id = ?, octets = ? WHERE account_id = ?"
            " AND mailbox_id = ? AND number = ? AND grp = ? AND version = ? RETURNING 1",
            (
                record.version, record.epoch, record.write_id, record.sealed.octets,
                account_id, mailbox_id, number, group, record.version - 1,
            ),
        )  # fmt: skip
    if not done:
        raise LostRace


def drop_page(tx: Tx, account_id: int, mailbox_id: bytes, number: int, group: int, version: int) -> None:
    """Delete a column group that has no entry left, by compare-and-swap on *version*."""
    if not tx.execute(
        "DELETE FROM page WHERE account_id = ? AND mailbox_id = ? AND number = ? AND grp = ?"
        " AND version = ? RETURNING 1",
        (account_id, mailbox_id, number, group, version),
    ):
        raise LostRace


def get_states(
    tx: Tx, account_id: int, mailbox_id: bytes, first: int = 0, last: int = 1 << 32
) -> list[StateRow]:
    """State rows numbered *first* to *last*."""
    rows = tx.execute(
        "SELECT number, max_modseq, version, epoch, write_id, octets FROM state"
        " WHERE account_id = ? AND mailbox_id = ? AND number >= ? AND number <= ? ORDER BY number",
        (account_id, mailbox_id, first, last),
    )
    return [_state_row(row) for row in rows]


def states_since(tx: Tx, account_id: int, mailbox_id: bytes, since: int) -> list[StateRow]:
    """State rows whose max_modseq is above *since*; the others are not even looked at."""
    rows = tx.execute(
        "SELECT number, max_modseq, version, epoch, write_id, octets FROM state"
        " WHERE account_id = ? AND mailbox_id = ? AND max_modseq > ?",
        (account_id, mailbox_id, since),
    )
    return sorted((_state_row(row) for row in rows), key=lambda row: row.number)


def _state_row(row: Row) -> StateRow:
    return StateRow(row[0], row[1], SealedRecord(row[2], row[3], row[4], Sealed(row[5])))


def put_state(tx: Tx, account_id: int, mailbox_id: bytes, row: StateRow) -> None:
    """Write a state row by compare-and-swap.

    Raises:
        LostRace: another session wrote it first.
    """
    record = row.record
    if record.version == 1:
        done = tx.execute(
            "INSERT INTO state (account_id, mailbox_id, number, version, max_modseq, epoch,"
            " write_id, octets) VALUES (?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            (
                account_id, mailbox_id, row.number, row.max_modseq,
                record.epoch, record.write_id, record.sealed.octets,
            ),
        )  # fmt: skip
    else:
        done = tx.execute(
            "UPDATE state SET version = ?, max_modseq = ?, epoch = ?, write_id = ?, octets = ?"
            " WHERE account_id = ? AND mailbox_id = ? AND number = ? AND version = ? RETURNING 1",
            (
                record.version, row.max_modseq, record.epoch, record.write_id, record.sealed.octets,
                account_id, mailbox_id, row.number, record.version - 1,
            ),
        )  # fmt: skip
    if not done:
        raise LostRace


def next_state(tx: Tx, account_id: int, mailbox_id: bytes, number: int) -> StateRow | None:
    """The first state row from *number* on."""
    rows = tx.execute(
        "SELECT number, max_modseq, version, epoch, write_id, octets FROM state"
        " WHERE account_id = ? AND mailbox_id = ? AND number >= ? ORDER BY number LIMIT 1",
        (account_id, mailbox_id, number),
    )
    return _state_row(rows[0]) if rows else None


def state_version(tx: Tx, account_id: int, mailbox_id: bytes, number: int) -> int:
    """The version of a state row; 0 when there is none."""
    rows = tx.execute(
        "SELECT version FROM state WHERE account_id = ? AND mailbox_id = ? AND number = ?",
        (account_id, mailbox_id, number),
    )
    return int(rows[0][0]) if rows else 0


def drop_state(tx: Tx, account_id: int, mailbox_id: bytes, number: int, version: int) -> None:
    """Delete a state row by compare-and-swap on *version*.

    Raises:
        LostRace: another session wrote or deleted it first.
    """
    if not tx.execute(
        "DELETE FROM state WHERE account_id = ? AND mailbox_id = ? AND number = ? AND version = ?"
        " RETURNING 1",
        (account_id, mailbox_id, number, version),
    ):
        raise LostRace
