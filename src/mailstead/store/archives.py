"""Archives: what an account had before a reset, with what opens it (docs/format.md, "Archives").

Pages, states, leaves and pendings stay in their tables. Their mailboxes have the negative of their
UIDVALIDITY, which no mailbox can have (RFC 9051 section 2.3.1.1), so that nobody finds them.
"""

from typing import NamedTuple

from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.store.database import Tx
from mailstead.store.slots import SlotRow

_DELETED = -(1 << 32)  # of a mailbox that was deleted before a reset: what it named is known to its keys only


class ArchiveRow(NamedTuple):
    """One archive.

    Args:
        created: When the account was reset, in seconds since the epoch.
        root_gen, read_gen: The generations of its ways in and keyrings.
        messages: How many it had then.
    """

    archive_id: bytes
    created: int
    root_gen: int
    read_gen: int
    messages: int


def archives(tx: Tx, account_id: int) -> list[ArchiveRow]:
    """The archives of an account, oldest first."""
    found = tx.execute(
        "SELECT archive_id, created, root_gen, read_gen, messages FROM archive WHERE account_id = ?"
        " ORDER BY root_gen",
        (account_id,),
    )
    return [ArchiveRow(*row) for row in found]


def archived_slots(tx: Tx, account_id: int, archive_id: bytes) -> list[SlotRow]:
    """The ways into an archive."""
    found = tx.execute(
        "SELECT slot_id, type, header, root_gen, read_gen, not_after, public_key, blob, tag, scram,"
        " mac, created FROM archived_slot WHERE account_id = ? AND archive_id = ?"
        " ORDER BY created, slot_id",
        (account_id, archive_id),
    )
    return [SlotRow(*row) for row in found]


def archived_record(
    tx: Tx, account_id: int, archive_id: bytes, kind: Kind, object_id: bytes = ZERO_ID
) -> SealedRecord | None:
    """A keyring or an account-wide record of an archive."""
    found = tx.execute(
        "SELECT version, epoch, write_id, octets FROM archived_record"
        " WHERE account_id = ? AND archive_id = ? AND kind = ? AND object_id = ?",
        (account_id, archive_id, int(kind), object_id),
    )
    if not found:
        return None
    version, epoch, write_id, octets = found[0]
    return SealedRecord(version, epoch, write_id, Sealed(octets))


def archive(tx: Tx, account_id: int, row: ArchiveRow, kept: tuple[int, int]) -> None:
    """Lock away all mailboxes and account-wide records of an account; nothing of mail is moved.

    The search index is deleted: it is made again of the mail.

    The anchor stays, to be followed by another: its versions go on.

    Args:
        kept: The types of the ways in that go with them; the others are deleted.
    """
    name = (account_id, row.archive_id)
    tx.execute(
        "INSERT INTO archive (account_id, archive_id, created, root_gen, read_gen, messages)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*name, row.created, row.root_gen, row.read_gen, row.messages),
    )
    tx.execute(
        "INSERT INTO archived_slot (account_id, archive_id, slot_id, type, header, root_gen, read_gen,"
        " not_after, public_key, blob, tag, scram, mac, created)"
        " SELECT account_id, ?, slot_id, type, header, root_gen, read_gen,"
        " not_after, public_key, blob, tag, scram, mac, created"
        " FROM slot WHERE account_id = ? AND type IN (?, ?)",
        (row.archive_id, account_id, *kept),
    )
    tx.execute("DELETE FROM slot WHERE account_id = ?", (account_id,))
    tx.execute(
        "INSERT INTO archived_record (account_id, archive_id, kind, object_id, version, epoch, write_id,"
        " octets) SELECT account_id, ?, kind, object_id, version, epoch, write_id, octets FROM record"
        " WHERE account_id = ? AND place = ? AND kind NOT IN (18, 24)",
        (row.archive_id, account_id, ZERO_ID),
    )
    tx.execute("DELETE FROM record WHERE account_id = ? AND place = ? AND kind <> 24", (account_id, ZERO_ID))
    tx.execute("DELETE FROM access_note WHERE account_id = ?", (account_id,))  # nobody opens them any more
    tx.execute(
        "UPDATE mailbox SET uid_validity = -uid_validity WHERE account_id = ? AND uid_validity > 0",
        (account_id,),
    )
    tx.execute(
        "UPDATE mailbox SET uid_validity = ? WHERE account_id = ? AND uid_validity = 0",
        (_DELETED, account_id),
    )


def unarchive(tx: Tx, account_id: int, archive_id: bytes, mailbox_ids: list[bytes]) -> bool:
    """Have the mailboxes of an archive be found again, and drop it; False if others have done it."""
    if not tx.execute(
        "DELETE FROM archive WHERE account_id = ? AND archive_id = ? RETURNING 1", (account_id, archive_id)
    ):
        return False
    for mailbox_id in mailbox_ids:
        tx.execute(
            "UPDATE mailbox SET uid_validity = -uid_validity"
            " WHERE account_id = ? AND mailbox_id = ? AND uid_validity < 0",
            (account_id, mailbox_id),
        )
    tx.execute(
        "UPDATE mailbox SET uid_validity = 0 WHERE account_id = ? AND uid_validity = ?",
        (account_id, _DELETED),
    )
    return True
