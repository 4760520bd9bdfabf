"""How a session writes: read in one snapshot, sealed, written by compare-and-swap, or again.

At most 32 rows a transaction, or 64 of which no page is written. A state is sealed with its modseq
inside before its transaction begins, so the modseq is chosen ahead of the account's, with room for
what is delivered meanwhile. The fence jumps to it; a delivery that got past it first is a lost
race, and the next try leaves more room (docs/decisions/008).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.shelfrows import ShelfRows, ShelfWrites, read_shelf
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store.accounts import fence_at, last_modseq
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import touch
from mailstead.store.numbers import by_row
from mailstead.store.records import LostRace

T = TypeVar("T")

ROWS_AT_ONCE = 32
STATES_AT_ONCE = 64
MODSEQ_ROOM = 256
MOST_RACES = 1000

Wanted = dict[int, Sequence[Uid]]  # UIDs by row


def batches(uids: Iterable[Uid], rows: int = ROWS_AT_ONCE) -> list[Wanted]:
    """UIDs by row, so many rows at a time."""
    found = list(by_row(sorted(set(uids))))
    return [dict(found[at : at + rows]) for at in range(0, len(found), rows)]


async def until_won(turn: Callable[[int], Awaitable[T]]) -> T:
    """Call *turn* with the number of races lost so far, until it loses none.

    Raises:
        Refused: DAMAGED: nobody loses so many races; a row's version was set by somebody else.
    """
    for lost in range(MOST_RACES):
        try:
            return await turn(lost)
        except LostRace:
            continue
    raise Refused(Reason.DAMAGED, f"{MOST_RACES} times a row was not of the version that it was read as")


def modseq_ahead(tx: Tx, account_id: int, lost: int) -> Modseq:
    """The modseq that a change read in this snapshot will have."""
    return Modseq(last_modseq(tx, account_id) + (MODSEQ_ROOM << min(2 * lost, 20)))


async def read_rows(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    numbers: Iterable[int],
    lost: int,
    *,
    pages: bool,
) -> tuple[ShelfRows, Modseq]:
    """Rows to be changed, and the modseq that the change will have."""

    def work(tx: Tx) -> tuple[ShelfRows, Modseq]:
        return (
            read_shelf(tx, keys.account_id, mailbox_id, list(numbers), pages=pages),
            modseq_ahead(tx, keys.account_id, lost),
        )

    return await database.read(work)


async def write_rows(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    modseq: Modseq,
    writes: ShelfWrites,
    fewer: int = 0,
    more: Callable[[Tx], None] | None = None,
) -> None:
    """Write a change of one mailbox, which loses *fewer* messages by it.

    Args:
        more: What else belongs to the same transaction.

    Raises:
        LostRace: somebody else wrote first.
        Refused: the mailbox is gone.
        Stale: the account's keys have moved on.
    """

    def work(tx: Tx) -> None:
        fence_at(tx, keys.account_id, keys.root_gen, keys.read_gen, modseq)
        touch(tx, keys.account_id, mailbox_id, modseq, fewer)
        writes.apply(tx, keys.account_id, mailbox_id)
        if more is not None:
            more(tx)

    await database.write(work)
