"""What mailboxes are sorted and threaded by, at rest: a record for each field and row of messages.

Some orders of whole mailboxes lie beside them: answers, each by the question.

Made of the mail beside it, so it may be gone at any time, and counts against no quota.
"""

from collections.abc import Iterable

from mailstead.crypto.sealed import Kind, Sealed, SealedRecord
from mailstead.store.database import Tx
from mailstead.store.messages import GROUP_A
from mailstead.store.records import LostRace, put_record

FIELDS = 10  # they are numbered from 1
ANSWERS = 8  # of one mailbox
_FIRST_ANSWER = bytes((255,)) + bytes(15)


def order_id(field: int, number: int) -> bytes:
    """The object id of the record of a field and a row."""
    return bytes((field,)) + bytes(11) + number.to_bytes(4, "big")


def order_rows(
    tx: Tx, account_id: int, mailbox_id: bytes, field: int, first: int, last: int
) -> dict[int, SealedRecord]:
    """The records of a field for the rows from *first* to *last*, in order, by number."""
    rows = tx.execute(
        "SELECT object_id, version, epoch, write_id, octets FROM record"
        " WHERE account_id = ? AND kind = ? AND place = ? AND object_id >= ? AND object_id <= ?"
        " ORDER BY object_id",
        (account_id, int(Kind.ORDER), mailbox_id, order_id(field, first), order_id(field, last)),
    )
    return {
        int.from_bytes(name[-4:], "big"): SealedRecord(version, epoch, write_id, Sealed(octets))
        for name, version, epoch, write_id, octets in rows
    }


def put_order(
    tx: Tx,
    account_id: int,
    mailbox_id: bytes,
    field: int,
    number: int,
    page: tuple[int, bytes],
    record: SealedRecord,
) -> bool:
    """Write the record of a field and a row, if it is still of what is there; False if it is not.

    Args:
        page: Version and write id of the page that it was made of.
    """
    there = tx.execute(
        "SELECT version, write_id FROM page"
        " WHERE account_id = ? AND mailbox_id = ? AND number = ? AND grp = ?",
        (account_id, mailbox_id, number, GROUP_A),
    )
    if not there or tuple(there[0]) != page:
        return False
    try:
        put_record(tx, account_id, Kind.ORDER, record, mailbox_id, order_id(field, number))
    except LostRace:  # another session's is as good
        return False
    return True


def answer_id(question: bytes) -> bytes:
    """The object id of the answer to a question of up to 15 octets."""
    return bytes((255,)) + question.ljust(15, b"\0")


def put_answer(
    tx: Tx,
    account_id: int,
    mailbox_id: bytes,
    question: bytes,
    record: SealedRecord,
) -> bool:
    """Write the answer to a question; False when another session wrote one first."""
    ((count,),) = tx.execute(
        "SELECT COUNT(*) FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id >= ?",
        (account_id, int(Kind.ORDER), mailbox_id, _FIRST_ANSWER),
    )
    if record.version == 1 and count >= ANSWERS:
        _drop_answers(tx, account_id, mailbox_id)
    try:
        put_record(tx, account_id, Kind.ORDER, record, mailbox_id, answer_id(question))
    except LostRace:  # it is as good
        return False
    return True


def _drop_answers(tx: Tx, account_id: int, mailbox_id: bytes) -> None:
    tx.execute(
        "DELETE FROM record WHERE account_id = ? AND kind = ? AND place = ? AND object_id >= ?",
        (account_id, int(Kind.ORDER), mailbox_id, _FIRST_ANSWER),
    )


def drop_orders(tx: Tx, account_id: int, mailbox_id: bytes, numbers: Iterable[int]) -> None:
    """Drop the records of all fields of these rows."""
    if not tx.execute(
        "SELECT 1 FROM record WHERE account_id = ? AND kind = ? AND place = ? LIMIT 1",
        (account_id, int(Kind.ORDER), mailbox_id),
    ):
        return
    for number in numbers:
        tx.execute(
            "DELETE FROM record WHERE account_id = ? AND kind = ? AND place = ?"
            " AND object_id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account_id, int(Kind.ORDER), mailbox_id,
                *[order_id(field, number) for field in range(1, FIELDS + 1)],
            ),
        )  # fmt: skip


def drop_old_orders(tx: Tx, account_id: int, epochs: Iterable[int]) -> None:
    """Drop what is sealed under the keys of earlier *epochs*."""
    for epoch in epochs:
        tx.execute(
            "DELETE FROM record WHERE account_id = ? AND kind = ? AND epoch = ?",
            (account_id, int(Kind.ORDER), epoch),
        )
