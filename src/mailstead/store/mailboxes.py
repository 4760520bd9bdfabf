"""Mailboxes as the server knows them: opaque ids and counters, never a name.

A mailbox that was deleted has UIDVALIDITY 0, which no mailbox can have (RFC 9051 section 2.3.1.1),
until its rows are purged; from that moment nobody finds it and nothing can be put into it.
"""

from dataclasses import dataclass

from mailstead.crypto.sealed import Kind
from mailstead.errors import Reason, Refused
from mailstead.store.database import Tx
from mailstead.store.records import LostRace


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """One mailbox. `uid_next` and `highest_modseq` only ever grow."""

    mailbox_id: bytes
    uid_validity: int
    uid_next: int
    highest_modseq: int
    recent_uid: int
    messages: int
    vanished_floor: int
    arrivals: int  # how many there ever were
    arrival_tag: bytes  # of the last one; empty before the first


def next_uid_validity(tx: Tx, account_id: int) -> int:
    """A UIDVALIDITY that is new for the account, whatever the clock says, and those after it, too."""
    rows = tx.execute("SELECT last_uid_validity FROM account WHERE account_id = ?", (account_id,))
    return max(tx.now(), rows[0][0] + 1 if rows else 1)


def add_mailbox(tx: Tx, account_id: int, mailbox_id: bytes, modseq: int, uid_validity: int) -> MailboxRow:
    """Create a mailbox, which has nothing in it.

    Raises:
        LostRace: others have taken this UIDVALIDITY, or a later one.
    """
    if not tx.execute(
        "UPDATE account SET last_uid_validity = ? WHERE account_id = ? AND last_uid_validity < ? RETURNING 1",
        (uid_validity, account_id, uid_validity),
    ):
        raise LostRace
    tx.execute(
        "INSERT INTO mailbox (account_id, mailbox_id, uid_validity, uid_next, highest_modseq,"
        " recent_uid, messages, vanished_floor, arrivals, arrival_tag) VALUES (?, ?, ?, 1, ?, 1, 0, 0, 0, ?)",
        (account_id, mailbox_id, uid_validity, modseq, b""),
    )
    return MailboxRow(mailbox_id, uid_validity, 1, modseq, 1, 0, 0, 0, b"")


def mailboxes(tx: Tx, account_id: int) -> list[MailboxRow]:
    """All mailboxes of an account."""
    rows = tx.execute(
        "SELECT mailbox_id, uid_validity, uid_next, highest_modseq, recent_uid, messages,"
        " vanished_floor, arrivals, arrival_tag FROM mailbox"
        " WHERE account_id = ? AND uid_validity > 0 ORDER BY uid_validity",
        (account_id,),
    )
    return [MailboxRow(*row) for row in rows]


def get_mailbox(tx: Tx, account_id: int, mailbox_id: bytes) -> MailboxRow | None:
    """One mailbox, or None when it is gone."""
    rows = tx.execute(
        "SELECT mailbox_id, uid_validity, uid_next, highest_modseq, recent_uid, messages,"
        " vanished_floor, arrivals, arrival_tag FROM mailbox"
        " WHERE account_id = ? AND mailbox_id = ? AND uid_validity > 0",
        (account_id, mailbox_id),
    )
    return MailboxRow(*rows[0]) if rows else None


def count_messages(tx: Tx, account_id: int) -> int:
    """The messages of all mailboxes of an account together."""
    rows = tx.execute("SELECT COALESCE(SUM(messages), 0) FROM mailbox WHERE account_id = ?", (account_id,))
    return int(rows[0][0])


def touch(tx: Tx, account_id: int, mailbox_id: bytes, modseq: int, fewer: int = 0) -> None:
    """Note a change of a mailbox at *modseq*, by which it has *fewer* messages.

    Raises:
        Refused: it is gone.
    """
    if not tx.execute(
        "UPDATE mailbox SET highest_modseq = ?, messages = messages - ?"
        " WHERE account_id = ? AND mailbox_id = ? AND uid_validity > 0 RETURNING 1",
        (modseq, fewer, account_id, mailbox_id),
    ):
        raise Refused(Reason.NO_SUCH_MAILBOX)


def take_uids(tx: Tx, account_id: int, mailbox_id: bytes, first: int, count: int, modseq: int) -> None:
    """Give *count* new messages the UIDs from *first* on, as they were sealed.

    Raises:
        LostRace: others have taken one of them, or the mailbox is gone.
    """
    if not tx.execute(
        "UPDATE mailbox SET uid_next = ?, messages = messages + ?, highest_modseq = ?"
        " WHERE account_id = ? AND mailbox_id = ? AND uid_next <= ? AND uid_validity > 0 RETURNING 1",
        (first + count, count, modseq, account_id, mailbox_id, first),
    ):
        raise LostRace


def renew_counters(
    tx: Tx, account_id: int, mailbox_id: bytes, modseq: int, floor: int, absorbed: int
) -> None:
    """Set the counters of a mailbox to what is there: UIDs up to *floor*, and so many absorbed messages.

    Raises:
        LostRace: it is gone.
    """
    if not tx.execute(
        "UPDATE mailbox SET highest_modseq = ?, uid_next = CASE WHEN uid_next > ? THEN uid_next ELSE ? END,"
        " messages = ? + (SELECT COUNT(*) FROM pending WHERE pending.account_id = mailbox.account_id"
        " AND pending.mailbox_id = mailbox.mailbox_id)"
        " WHERE account_id = ? AND mailbox_id = ? AND uid_validity > 0 RETURNING 1",
        (modseq, floor, floor + 1, absorbed, account_id, mailbox_id),
    ):
        raise LostRace


def move_pendings(tx: Tx, account_id: int, mailbox_id: bytes, uids: list[int]) -> None:
    """Give pendings the next UIDs, as other messages have theirs."""
    for uid in uids:
        ((uid_next,),) = tx.execute(
            "UPDATE mailbox SET uid_next = uid_next + 1 WHERE account_id = ? AND mailbox_id = ?"
            " RETURNING uid_next",
            (account_id, mailbox_id),
        )
        tx.execute(
            "UPDATE pending SET uid = ? WHERE account_id = ? AND mailbox_id = ? AND uid = ?",
            (uid_next - 1, account_id, mailbox_id, uid),
        )


def take_recent(tx: Tx, account_id: int, mailbox_id: bytes) -> tuple[int, int]:
    """Recent is what has a UID from the first number on and below the second; now it is no more.

    Raises:
        Refused: the mailbox is gone.
    """
    row = get_mailbox(tx, account_id, mailbox_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_MAILBOX)
    tx.execute(
        "UPDATE mailbox SET recent_uid = uid_next WHERE account_id = ? AND mailbox_id = ?",
        (account_id, mailbox_id),
    )
    return row.recent_uid, row.uid_next


def mark_deleted(tx: Tx, account_id: int, mailbox_id: bytes) -> None:
    """Make a mailbox one that nobody finds; its rows are purged later."""
    tx.execute(
        "UPDATE mailbox SET uid_validity = 0 WHERE account_id = ? AND mailbox_id = ?",
        (account_id, mailbox_id),
    )


def deleted_mailboxes(tx: Tx, account_id: int) -> list[bytes]:
    """Mailboxes that were deleted and are not purged yet."""
    rows = tx.execute(
        "SELECT mailbox_id FROM mailbox WHERE account_id = ? AND uid_validity = 0", (account_id,)
    )
    return [row[0] for row in rows]


def purge_mailbox(tx: Tx, account_id: int, mailbox_id: bytes) -> None:
    """Delete the row of a deleted mailbox that has nothing left, with what is kept beside it."""
    gone = tx.execute(
        "DELETE FROM record WHERE account_id = ? AND place = ? RETURNING kind, LENGTH(octets)",
        (account_id, mailbox_id),
    )
    tx.execute(
        "UPDATE account SET used_octets = used_octets - ? WHERE account_id = ?",
        (sum(octets for kind, octets in gone if kind == Kind.METADATA), account_id),
    )
    tx.execute(
        "DELETE FROM mailbox WHERE account_id = ? AND mailbox_id = ? AND uid_validity = 0",
        (account_id, mailbox_id),
    )
