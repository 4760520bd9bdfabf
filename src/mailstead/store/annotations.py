"""Annotations at rest: a METADATA record for each mailbox that has some, and one for the account.

They count against the quota, as the octets they are sealed in.
"""

from collections.abc import Sequence

from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.errors import Reason, Refused
from mailstead.store.database import Tx
from mailstead.store.mailboxes import get_mailbox
from mailstead.store.records import put_record

AT_ONCE = 64  # records of one statement, each of some 128 KiB at most


def annotations(tx: Tx, account_id: int, places: Sequence[bytes]) -> dict[bytes, SealedRecord]:
    """The METADATA records of up to `AT_ONCE` places that have one, by one statement."""
    if not places:
        return {}
    assert len(places) <= AT_ONCE
    padded = [*places, *[places[-1]] * (AT_ONCE - len(places))]
    rows = tx.execute(
        "SELECT place, version, epoch, write_id, octets FROM record"
        " WHERE account_id = ? AND kind = ? AND object_id = ? AND place IN"
        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (account_id, int(Kind.METADATA), ZERO_ID, *padded),
    )
    return {place: SealedRecord(version, epoch, wid, Sealed(o)) for place, version, epoch, wid, o in rows}


def all_annotations(tx: Tx, account_id: int, places: Sequence[bytes]) -> dict[bytes, SealedRecord]:
    """The METADATA records of places that have one, however many places."""
    found: dict[bytes, SealedRecord] = {}
    for at in range(0, len(places), AT_ONCE):
        found |= annotations(tx, account_id, places[at : at + AT_ONCE])
    return found


def write_ids(tx: Tx, account_id: int) -> dict[bytes, bytes]:
    """What names the last write of each METADATA record of an account; no record is read."""
    rows = tx.execute(
        "SELECT place, write_id FROM record WHERE account_id = ? AND kind = ?",
        (account_id, int(Kind.METADATA)),
    )
    return {row[0]: row[1] for row in rows}


def put_annotations(tx: Tx, account_id: int, place: bytes, record: SealedRecord) -> None:
    """Write the METADATA record of a mailbox, or with 16 zero octets that of the account.

    Raises:
        LostRace: its predecessor's version is not one less.
        Refused: the mailbox is gone, or the account would hold more than it may.
    """
    if place != ZERO_ID and get_mailbox(tx, account_id, place) is None:
        raise Refused(Reason.NO_SUCH_MAILBOX)
    rows = tx.execute(
        "SELECT LENGTH(octets) FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ?",
        (account_id, int(Kind.METADATA), place, ZERO_ID),
    )
    put_record(tx, account_id, Kind.METADATA, record, place)
    more = len(record.sealed.octets) - (rows[0][0] if rows else 0)
    ((used, limit),) = tx.execute(
        "UPDATE account SET used_octets = used_octets + ? WHERE account_id = ?"
        " RETURNING used_octets, quota_octets",
        (more, account_id),
    )
    if more > 0 and limit and used > limit:
        raise Refused(Reason.OVER_QUOTA)
