"""Sealing again, under the present epoch's key, what an earlier one sealed (docs/format.md, "Rotation").

It is the server's own work with the keys of whoever reads here, a batch and a transaction at a time: it
goes on where it was cut off, changes no UID, flag or modseq, and stands in nobody's way.
"""

from collections.abc import Collection
from dataclasses import dataclass

from mailstead.accounts.accountleaf import (
    open_account_leaf,
    put_account_leaf,
    read_account_leaf,
    seal_account_leaf,
    written,
)
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.shelf import Shelf
from mailstead.accounts.shelfrows import ShelfRows, ShelfWrites, read_shelf
from mailstead.accounts.turns import ROWS_AT_ONCE
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.epochs import OldRecord, count_old, old_leaves, old_records, old_rows
from mailstead.store.numbers import LEAF_BITS
from mailstead.store.orders import drop_old_orders
from mailstead.store.records import get_record, put_record


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction seals again: rows of one mailbox; when there are none, leaves; then records.

    Orders are dropped: they are made again of the mail when somebody sorts.
    """

    mailbox_id: bytes
    shelf: ShelfRows | None
    numbers: list[int]
    leaves: list[int]
    records: list[tuple[OldRecord, SealedRecord]]
    account_leaf: SealedRecord | None = None  # with records
    orders: bool = False


async def reseal_once(database: Database, keys: SessionKeys, but: Collection[bytes] = frozenset()) -> bool:
    """Seal a batch again; False when there is nothing left.

    Args:
        but: Mailboxes that are not to be written.

    Raises:
        LostRace: another session wrote one of the rows first; what it wrote is under the present key.
        Stale: the account's keys have moved on.
        UnsealError, Refused: a row is not what this account wrote; those before it are done.
    """
    batch = await database.read(lambda tx: _read(tx, keys, but))
    if batch is None:
        return False
    writes = ShelfWrites()
    if batch.shelf is not None:
        shelf = Shelf(keys, batch.mailbox_id, batch.shelf)
        for number in batch.numbers:
            shelf.again(number)
        for number in batch.leaves:
            shelf.again_leaf(number)
        writes = await shelf.seal()
    records, account_leaf = _records_again(keys, batch)

    def work(tx: Tx) -> None:
        fence(tx, keys.account_id, keys.root_gen, keys.read_gen, 0)
        writes.apply(tx, keys.account_id, batch.mailbox_id)
        for name, record in records:
            put_record(tx, keys.account_id, name.kind, record, name.place, name.object_id)
        if account_leaf is not None:
            put_account_leaf(tx, keys.account_id, account_leaf)
        if batch.orders:
            drop_old_orders(tx, keys.account_id, keys.earlier)

    await database.write(work)
    return True


async def left_to_reseal(database: Database, keys: SessionKeys) -> int:
    """How many rows and records an earlier epoch's key seals."""
    return await database.read(lambda tx: count_old(tx, keys.account_id, keys.earlier))


def _read(tx: Tx, keys: SessionKeys, but: Collection[bytes]) -> _Batch | None:
    account_id = keys.account_id
    old = old_rows(tx, account_id, keys.earlier, ROWS_AT_ONCE, but)
    if old is not None:
        mailbox_id, numbers = old
        shelf = read_shelf(tx, account_id, mailbox_id, numbers, pages=True)
        return _Batch(mailbox_id, shelf, numbers, [], [])
    old = old_leaves(tx, account_id, keys.earlier, ROWS_AT_ONCE, but)
    if old is not None:
        mailbox_id, leaves = old
        shelf = read_shelf(tx, account_id, mailbox_id, [n << LEAF_BITS for n in leaves], pages=False)
        return _Batch(mailbox_id, shelf, [], leaves, [])
    named = old_records(tx, account_id, keys.earlier, ROWS_AT_ONCE, but)
    if not named:
        return None
    derived = [n for n in named if n.kind is Kind.ORDER]
    kept = [n for n in named if n.kind not in (Kind.LEAF, Kind.ORDER)]
    found = [(n, get_record(tx, account_id, n.kind, n.place, n.object_id)) for n in kept]
    records = [(name, record) for name, record in found if record is not None]
    leaf = None if len(derived) == len(named) else read_account_leaf(tx, account_id)
    return _Batch(b"", None, [], [], records, leaf, bool(derived))


def _records_again(
    keys: SessionKeys, batch: _Batch
) -> tuple[list[tuple[OldRecord, SealedRecord]], SealedRecord | None]:
    """Records sealed again, and the account leaf that names them."""
    if batch.account_leaf is None:
        return [], None
    leaf = open_account_leaf(keys, batch.account_leaf)
    changed: list[tuple[OldRecord, SealedRecord]] = []
    for name, record in batch.records:
        # What a deleted mailbox leaves behind is named no more, and is purged soon; the head of the search
        # index names its pieces.
        if name.object_id == ZERO_ID and (name.kind, name.place) in leaf.writes:
            leaf.check(name.kind, name.place, written(record))
        content = keys.open(name.kind, name.place, 0, 0, record, name.object_id)
        again = keys.seal(name.kind, name.place, 0, record.version + 1, 0, content, name.object_id)
        changed.append((name, again))
    kept = [
        (name.kind, name.place, again)
        for name, again in changed
        if name.object_id == ZERO_ID and (name.kind, name.place) in leaf.writes
    ]
    return changed, seal_account_leaf(keys, leaf.next(kept))
