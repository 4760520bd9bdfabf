"""What is still sealed under the keys of an earlier epoch, by table.

Epochs are named one by one: between those whose keys a session has there may be some of an archive.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from mailstead.crypto.sealed import Kind
from mailstead.store.database import Row, Tx

# What only an epoch's seed opens: mail that waits, or was put aside, and notes of the access log.
_MAIL = (
    "SELECT 1 FROM lane WHERE account_id = ? AND epoch = ? AND ("
    "lane_id IN (SELECT lane_id FROM pending WHERE account_id = ?)"
    " OR lane_id IN (SELECT lane_id FROM quarantine WHERE account_id = ?)) LIMIT 1"
)
_NOTES = "SELECT 1 FROM access_note WHERE account_id = ? AND epoch = ? LIMIT 1"
_SEALED = (
    "SELECT 1 FROM page WHERE account_id = ? AND epoch = ? UNION ALL"
    " SELECT 1 FROM state WHERE account_id = ? AND epoch = ? UNION ALL"
    " SELECT 1 FROM leaf WHERE account_id = ? AND epoch = ? UNION ALL"
    " SELECT 1 FROM record WHERE account_id = ? AND epoch = ? UNION ALL"
    " SELECT 1 FROM tomb WHERE account_id = ? AND epoch = ? LIMIT 1"
)
_COUNT = (
    "SELECT (SELECT COUNT(*) FROM page WHERE account_id = ? AND epoch = ?)"
    " + (SELECT COUNT(*) FROM state WHERE account_id = ? AND epoch = ?)"
    " + (SELECT COUNT(*) FROM leaf WHERE account_id = ? AND epoch = ?)"
    " + (SELECT COUNT(*) FROM record WHERE account_id = ? AND epoch = ? AND kind <> 24)"
)

_ALL = 1 << 62


class EpochUse(NamedTuple):
    """What of an epoch is still needed."""

    seed: bool
    store_key: bool


class OldRecord(NamedTuple):
    """The name of an account-wide or a mailbox's record."""

    kind: Kind
    place: bytes
    object_id: bytes


def epoch_use(tx: Tx, account_id: int, epoch: int) -> EpochUse:
    """What of an epoch is still needed to open something."""
    mail = tx.execute(_MAIL, (account_id, epoch, account_id, account_id))
    notes = tx.execute(_NOTES, (account_id, epoch))
    sealed = tx.execute(_SEALED, (account_id, epoch) * 5)
    return EpochUse(bool(mail or notes), bool(sealed))


def count_old(tx: Tx, account_id: int, epochs: Sequence[int]) -> int:
    """How many pages, states, leaves and records are sealed under the keys of earlier *epochs*."""
    return sum(int(tx.execute(_COUNT, (account_id, epoch) * 4)[0][0]) for epoch in epochs)


def old_rows(
    tx: Tx, account_id: int, epochs: Sequence[int], most: int, but: Collection[bytes]
) -> tuple[bytes, list[int]] | None:
    """A mailbox with rows of earlier *epochs*, none of *but*, and the numbers of up to *most* of them."""
    for epoch in epochs:
        found = tx.execute(
            "SELECT mailbox_id, number FROM state WHERE account_id = ? AND epoch = ? UNION"
            " SELECT mailbox_id, number FROM page WHERE account_id = ? AND epoch = ?"
            " ORDER BY mailbox_id, number LIMIT ?",
            (account_id, epoch, account_id, epoch, _ALL if but else most),
        )
        if some := [row for row in found if row[0] not in but][:most]:
            return _of_first(some)
    return None


def old_leaves(
    tx: Tx, account_id: int, epochs: Sequence[int], most: int, but: Collection[bytes]
) -> tuple[bytes, list[int]] | None:
    """A mailbox with leaves of earlier *epochs*, none of *but*, and the numbers of up to *most* of them."""
    for epoch in epochs:
        found = tx.execute(
            "SELECT mailbox_id, number FROM leaf WHERE account_id = ? AND epoch = ?"
            " ORDER BY mailbox_id, number LIMIT ?",
            (account_id, epoch, _ALL if but else most),
        )
        if some := [row for row in found if row[0] not in but][:most]:
            return _of_first(some)
    return None


def _of_first(found: list[Row]) -> tuple[bytes, list[int]]:
    mailbox_id = bytes(found[0][0])
    return mailbox_id, [int(number) for place, number in found if bytes(place) == mailbox_id]


def old_records(
    tx: Tx, account_id: int, epochs: Sequence[int], most: int, but: Collection[bytes]
) -> list[OldRecord]:
    """Up to *most* records of earlier *epochs*, of no mailbox in *but*.

    The keyrings, which no epoch seals, are none, nor is the anchor, which is written with the keyrings.
    """
    for epoch in epochs:
        found = tx.execute(
            "SELECT kind, place, object_id FROM record WHERE account_id = ? AND epoch = ?"
            " AND kind <> 24 ORDER BY kind, place, object_id LIMIT ?",
            (account_id, epoch, _ALL if but else most),
        )
        if some := [row for row in found if row[1] not in but][:most]:
            return [OldRecord(Kind(kind), bytes(place), bytes(object_id)) for kind, place, object_id in some]
    return []


def later_pages(tx: Tx, account_id: int, mailbox_id: bytes, epoch: int) -> list[tuple[int, int]]:
    """Group and number of the pages of a mailbox that claim to be of a later epoch; reads every row."""
    found = tx.execute(
        "SELECT grp, number FROM page WHERE account_id = ? AND mailbox_id = ? AND epoch > ?"
        " ORDER BY grp, number",
        (account_id, mailbox_id, epoch),
    )
    return [(int(group), int(number)) for group, number in found]
