"""Notes for the access log that wait until their owner's session takes them in.

They are bounded where they are written: an account that nobody opens keeps its newest, and the
tries that failed cannot push out the logins.
"""

from mailstead.crypto.notes import SealedNote
from mailstead.crypto.sealed import Sealed, SealedLane
from mailstead.store.database import Tx

MOST_NOTES = 2000  # of an account
MOST_FAILED = 200


def add_note(tx: Tx, account_id: int, note: SealedNote, *, failed: bool) -> bool:
    """Insert a note, and delete the oldest of its sort beyond the cap.

    Returns:
        False when the account has gone on to another epoch, or is gone: nothing was written.
    """
    lane = note.lane
    if not tx.execute("SELECT 1 FROM account WHERE account_id = ? AND epoch = ?", (account_id, lane.epoch)):
        return False
    ((last,),) = tx.execute(
        "SELECT COALESCE(MAX(n), 0) FROM access_note WHERE account_id = ? AND failed = ?",
        (account_id, int(failed)),
    )
    n = int(last) + 1
    tx.execute(
        "INSERT INTO access_note (account_id, note_id, n, failed, epoch, lane, octets, tag)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            account_id, lane.lane_id, n, int(failed), lane.epoch, lane.sealed.octets, note.octets.octets,
            note.tag,
        ),
    )  # fmt: skip
    tx.execute(
        "DELETE FROM access_note WHERE account_id = ? AND failed = ? AND n <= ?",
        (account_id, int(failed), n - (MOST_FAILED if failed else MOST_NOTES)),
    )
    return True


def epochs_of_notes(tx: Tx, account_id: int, most: int) -> list[int]:
    """The epochs of up to *most* notes that wait."""
    rows = tx.execute("SELECT epoch FROM access_note WHERE account_id = ? LIMIT ?", (account_id, most))
    return [int(epoch) for (epoch,) in rows]


def waiting_notes(tx: Tx, account_id: int, most: int) -> list[SealedNote]:
    """Up to *most* notes, the oldest first."""
    rows = tx.execute(
        "SELECT note_id, epoch, lane, octets, tag FROM access_note WHERE account_id = ?"
        " ORDER BY failed, n, note_id LIMIT ?",
        (account_id, most),
    )
    return [
        SealedNote(SealedLane(bytes(note_id), epoch, Sealed(lane)), Sealed(octets), bytes(tag))
        for note_id, epoch, lane, octets, tag in rows
    ]


def remove_notes(tx: Tx, account_id: int, note_ids: list[bytes]) -> None:
    """Delete notes that were taken in."""
    tx.execute_many(
        "DELETE FROM access_note WHERE account_id = ? AND note_id = ?",
        [(account_id, note_id) for note_id in note_ids],
    )
