"""Mailboxes as the server knows them: opaque ids and counters, never a name."""

from dataclasses import dataclass

from mailstead.store.database import Tx


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


def add_mailbox(tx: Tx, account_id: int, mailbox_id: bytes, modseq: int) -> MailboxRow:
    """Create a mailbox; its UIDVALIDITY is new for the account, whatever the clock says."""
    ((uid_validity,),) = tx.execute(
        "UPDATE account SET last_uid_validity = CASE WHEN last_uid_validity >= ?"
        " THEN last_uid_validity + 1 ELSE ? END WHERE account_id = ? RETURNING last_uid_validity",
        (tx.now(), tx.now(), account_id),
    )
    tx.execute(
        "INSERT INTO mailbox (account_id, mailbox_id, uid_validity, uid_next, highest_modseq,"
        " recent_uid, messages, vanished_floor) VALUES (?, ?, ?, 1, ?, 1, 0, 0)",
        (account_id, mailbox_id, uid_validity, modseq),
    )
    return MailboxRow(mailbox_id, uid_validity, 1, modseq, 1, 0, 0)


def mailboxes(tx: Tx, account_id: int) -> list[MailboxRow]:
    """All mailboxes of an account."""
    rows = tx.execute(
        "SELECT mailbox_id, uid_validity, uid_next, highest_modseq, recent_uid, messages,"
        " vanished_floor FROM mailbox WHERE account_id = ? ORDER BY uid_validity",
        (account_id,),
    )
    return [MailboxRow(*row) for row in rows]


def get_mailbox(tx: Tx, account_id: int, mailbox_id: bytes) -> MailboxRow | None:
    """One mailbox, or None when it is gone."""
    rows = tx.execute(
        "SELECT mailbox_id, uid_validity, uid_next, highest_modseq, recent_uid, messages,"
        " vanished_floor FROM mailbox WHERE account_id = ? AND mailbox_id = ?",
        (account_id, mailbox_id),
    )
    return MailboxRow(*rows[0]) if rows else None


def touch(tx: Tx, account_id: int, mailbox_id: bytes, modseq: int, fewer: int = 0) -> None:
    """Note a change of a mailbox at *modseq*, by which it has *fewer* messages."""
    tx.execute(
        "UPDATE mailbox SET highest_modseq = ?, messages = messages - ?"
        " WHERE account_id = ? AND mailbox_id = ?",
        (modseq, fewer, account_id, mailbox_id),
    )
