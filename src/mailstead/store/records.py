"""Sealed singletons: keyrings, mailbox names, settings, counts.

A record is written by compare-and-swap on its version: it was sealed before the transaction
began, for the version it is about to have.
"""

from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.store.database import Tx


class LostRace(Exception):
    """Another session wrote first: read again, seal again, and repeat."""


def get_record(
    tx: Tx, account_id: int, kind: Kind, place: bytes = ZERO_ID, object_id: bytes = ZERO_ID
) -> SealedRecord | None:
    """The record of this *kind* at *place*, if there is one."""
    rows = tx.execute(
        "SELECT version, epoch, write_id, octets FROM record"
        " WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ?",
        (account_id, int(kind), place, object_id),
    )
    if not rows:
        return None
    version, epoch, write_id, octets = rows[0]
    return SealedRecord(version, epoch, write_id, Sealed(octets))


def write_id_of(tx: Tx, account_id: int, kind: Kind) -> bytes | None:
    """What names the last write of an account's record of this *kind*, which has no place."""
    rows = tx.execute(
        "SELECT write_id FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ?",
        (account_id, int(kind), ZERO_ID, ZERO_ID),
    )
    return rows[0][0] if rows else None


def writes(tx: Tx, account_id: int) -> dict[tuple[int, bytes], tuple[int, bytes]]:
    """Version and write id of each record of an account by kind and place; no record is read."""
    rows = tx.execute(
        "SELECT kind, place, version, write_id FROM record WHERE account_id = ? AND object_id = ?",
        (account_id, ZERO_ID),
    )
    return {(kind, place): (version, write_id) for kind, place, version, write_id in rows}


def put_record(
    tx: Tx,
    account_id: int,
    kind: Kind,
    record: SealedRecord,
    place: bytes = ZERO_ID,
    object_id: bytes = ZERO_ID,
) -> None:
    """Write *record* in the place of its predecessor; version 1 must have none.

    Raises:
        LostRace: the predecessor's version is not one less.
    """
    if record.version == 1:
        done = tx.execute(
            "INSERT INTO record (account_id, kind, place, object_id, version, epoch, write_id, octets)"
            " VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            (
                account_id, int(kind), place, object_id,
                record.epoch, record.write_id, record.sealed.octets,
            ),
        )  # fmt: skip
    else:
        done = tx.execute(
            "UPDATE record SET version = ?, epoch = ?, write_id = ?, octets = ?"
            " WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ? AND version = ?"
            " RETURNING 1",
            (
                record.version, record.epoch, record.write_id, record.sealed.octets,
                account_id, int(kind), place, object_id, record.version - 1,
            ),
        )  # fmt: skip
    if not done:
        raise LostRace


def replace_record(
    tx: Tx, account_id: int, kind: Kind, record: SealedRecord, found: SealedRecord | None
) -> None:
    """Write *record* in the place of the one that was *found*, whatever version its row has.

    Raises:
        LostRace: that one is not there any more.
    """
    name = (account_id, int(kind), ZERO_ID, ZERO_ID)
    gone = tx.execute(
        "DELETE FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id = ?"
        " RETURNING write_id",
        name,
    )
    if [write_id for (write_id,) in gone] != ([] if found is None else [found.write_id]):
        raise LostRace
    tx.execute(
        "INSERT INTO record (account_id, kind, place, object_id, version, epoch, write_id, octets)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*name, record.version, record.epoch, record.write_id, record.sealed.octets),
    )
