"""Purging a deleted mailbox: its rows go a batch at a time, and the bodies that only it named.

Nobody finds the mailbox any more, so nobody waits for this. It can stop anywhere and be begun
again, here or in another worker.
"""

from mailstead.accounts.entries import size_and_object
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import split
from mailstead.accounts.turns import until_won
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.store import messages as rows
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import deleted_mailboxes, purge_mailbox
from mailstead.store.messages import GROUP_A, GROUP_B, PendingRow, StateRow
from mailstead.store.objects import drop_refs
from mailstead.store.orders import drop_orders


async def deleted(database: Database, keys: SessionKeys) -> list[bytes]:
    """The mailboxes of an account that were deleted, and are not purged yet."""
    return await database.read(lambda tx: deleted_mailboxes(tx, keys.account_id))


async def purge(database: Database, keys: SessionKeys, mailbox_id: bytes) -> None:
    """Purge a mailbox that was deleted.

    Raises:
        UnsealError: a page is not what this account wrote, so nobody knows which bodies it named.
    """

    async def turn(_: int) -> bool:
        return await _purge_some(database, keys, mailbox_id)

    while await until_won(turn):
        pass


Row = tuple[StateRow, SealedRecord | None, SealedRecord | None]


async def _purge_some(database: Database, keys: SessionKeys, mailbox_id: bytes) -> bool:
    """Purge one row of messages, or of pendings; False when the last thing is gone."""
    account_id = keys.account_id

    def read(tx: Tx) -> tuple[Row | None, list[PendingRow]]:
        state = rows.next_state(tx, account_id, mailbox_id, 0)
        if state is None:
            return None, rows.pendings(tx, account_id, mailbox_id)
        pages = [rows.get_page(tx, account_id, mailbox_id, state.number, g) for g in (GROUP_A, GROUP_B)]
        return (state, pages[0], pages[1]), []

    row, pendings = await database.read(read)
    objects = [p.object_id for p in pendings]
    if row is not None and row[1] is not None:
        content = keys.open(Kind.PAGE, mailbox_id, row[0].number << 1 | GROUP_A, 0, row[1])
        objects = [size_and_object(octets)[1] for octets in split(GROUP_A, content).values()]

    def work(tx: Tx) -> bool:
        fence(tx, account_id, keys.root_gen, keys.read_gen, 0)
        if row is not None:
            _drop_row(tx, account_id, mailbox_id, row)
        rows.drop_pendings(tx, account_id, mailbox_id, pendings)
        drop_refs(tx, account_id, objects)
        if row is not None or pendings:
            return True
        purge_mailbox(tx, account_id, mailbox_id)
        return False

    return await database.write(work)


def _drop_row(tx: Tx, account_id: int, mailbox_id: bytes, row: Row) -> None:
    state, *pages = row
    drop_orders(tx, account_id, mailbox_id, [state.number])  # with the row: at the end there may be thousands
    rows.drop_state(tx, account_id, mailbox_id, state.number, state.record.version)
    for group, page in zip((GROUP_A, GROUP_B), pages, strict=True):
        if page is not None:
            rows.drop_page(tx, account_id, mailbox_id, state.number, group, page.version)
