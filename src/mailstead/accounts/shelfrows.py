"""The sealed rows of one mailbox that a write is about: as they are read, and as they shall be written."""

from dataclasses import dataclass, field

from mailstead.accounts.leaves import read_leaf
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.store import messages as rows
from mailstead.store.database import Tx
from mailstead.store.leaves import get_leaf, put_leaf
from mailstead.store.messages import GROUP_A, GROUP_B, StateRow
from mailstead.store.numbers import LEAF_BITS
from mailstead.store.orders import drop_orders
from mailstead.store.records import get_record, put_record
from mailstead.store.segments import drop_documents


@dataclass(frozen=True, slots=True)
class ShelfRows:
    """Sealed rows as read, in one snapshot."""

    states: dict[int, StateRow]
    pages: dict[tuple[int, int], SealedRecord]
    counts: SealedRecord | None
    leaves: dict[int, SealedRecord]


@dataclass(slots=True)
class ShelfWrites:
    """Sealed rows as they shall be written, and those that shall go."""

    states: list[StateRow] = field(default_factory=list[StateRow])
    pages: list[tuple[int, int, SealedRecord]] = field(default_factory=list[tuple[int, int, SealedRecord]])
    emptied: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    counts: SealedRecord | None = None
    leaves: list[tuple[int, SealedRecord]] = field(default_factory=list[tuple[int, SealedRecord]])
    fewer: set[int] = field(default_factory=set[int])  # rows from which messages went

    def apply(self, tx: Tx, account_id: int, mailbox_id: bytes) -> None:
        """Write them.

        Raises:
            LostRace: another session wrote one of them first.
        """
        for state in self.states:
            rows.put_state(tx, account_id, mailbox_id, state)
        for number, group, record in self.pages:
            rows.put_page(tx, account_id, mailbox_id, number, group, record)
        for number, group, version in self.emptied:
            rows.drop_page(tx, account_id, mailbox_id, number, group, version)
            drop_documents(tx, account_id, mailbox_id, number)
        if self.counts is not None:
            put_record(tx, account_id, Kind.COUNTS, self.counts, mailbox_id)
        for number, record in self.leaves:
            put_leaf(tx, account_id, mailbox_id, number, record)
        if self.fewer:  # nothing made of what went stays behind
            drop_orders(tx, account_id, mailbox_id, self.fewer)


def read_shelf(
    tx: Tx, account_id: int, mailbox_id: bytes, numbers: list[int], *, pages: bool, arrivals: bool = False
) -> ShelfRows:
    """The sealed rows with these *numbers* and their leaves; *pages* too, or only states and counts.

    Args:
        arrivals: Leaf 0 is wanted, too, whatever the numbers.

    Raises:
        Refused: leaf 0 is missing.
    """
    states: dict[int, StateRow] = {}
    found: dict[tuple[int, int], SealedRecord] = {}
    for number in numbers:
        for row in rows.get_states(tx, account_id, mailbox_id, first=number, last=number):
            states[number] = row
        for group in (GROUP_A, GROUP_B) if pages else ():
            record = rows.get_page(tx, account_id, mailbox_id, number, group)
            if record is not None:
                found[number, group] = record
    counts = get_record(tx, account_id, Kind.COUNTS, mailbox_id)
    wanted = {n >> LEAF_BITS for n in numbers}
    named = {n: leaf for n in wanted if (leaf := get_leaf(tx, account_id, mailbox_id, n)) is not None}
    if arrivals or counts is None or len(named) < len(wanted):
        named[0] = read_leaf(tx, account_id, mailbox_id)
    return ShelfRows(states, found, counts, named)
