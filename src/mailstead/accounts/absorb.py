"""Absorbing: delivered mail becomes pages, sealed under the owner's own keys.

A pending was sealed by a stranger to the owner's public key; a session opens it and seals it
again into pages of 256 messages, which list forty times faster and whose keys can be erased.
One batch is one idempotent transaction; the account row is its lock, and who loses a race reads again.

A pending is made by whoever has the public key, so nothing in it is believed: one that fails is
moved to quarantine and never stops the others; what is missing between two does (`chain`). What is put
aside, and what has no room for its keywords, can be seen, so it has a modseq and a tombstone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import takewhile

from mailstead.accounts.chain import Followed, follow, trust
from mailstead.accounts.entries import pack_a, pack_b
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pendings import Opened, OpenedBatch, open_pendings
from mailstead.accounts.preparing import prepare
from mailstead.accounts.shelf import Shelf
from mailstead.accounts.shelfrows import ShelfRows, read_shelf
from mailstead.accounts.states import MessageState
from mailstead.accounts.storedorders import StoredOrders
from mailstead.accounts.turns import modseq_ahead, until_won
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store import messages as rows
from mailstead.store.accounts import fence, fence_at
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import MailboxRow, get_mailbox, mailboxes, touch
from mailstead.store.messages import PendingRow
from mailstead.store.numbers import PAGE_MESSAGES, row_number
from mailstead.store.quarantine import quarantine

LANES_AT_ONCE = 64
LAST_UID = 1 << 32


async def absorb(database: Database, keys: SessionKeys, mailbox_id: bytes, numbers: Collection[int]) -> None:
    """Absorb all that is pending up to the last row of these *numbers*, which are about to be changed."""
    account_id, last = keys.account_id, (max(numbers, default=-1) + 1) << 8
    first = await database.read(lambda tx: rows.first_pending(tx, account_id, mailbox_id, 0))
    if first is None or first > last:
        return
    while await absorb_batch(database, keys, mailbox_id, last):
        pass


async def absorb_batch(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    last: int = LAST_UID,
    *,
    stored: StoredOrders | None = None,
) -> int:
    """Absorb up to a row of pendings: the first ones, with UIDs up to *last*; how many."""
    return await until_won(lambda lost: absorb_once(database, keys, mailbox_id, last, lost, stored=stored))


async def absorb_once(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    last: int = LAST_UID,
    lost: int = 0,
    *,
    trusting: bool = False,
    stored: StoredOrders | None = None,
) -> int:
    """As `absorb_batch`, once.

    Args:
        lost: How many races were lost before.
        stored: Gets what messages of a row that is full now are sorted by.
        trusting: The owner knows that something is missing or changed.

    Raises:
        LostRace: another session wrote first.
        Refused: what was delivered next is missing, or a leaf or a row is not the one that was written.
        UnsealError: leaf 0 is not what this account wrote.
    """
    account_id = keys.account_id
    read = await database.read(lambda tx: _read(tx, account_id, mailbox_id, last, lost))
    if read is None:
        return 0
    shelf = Shelf(keys, mailbox_id, read.shelf)
    if trusting:
        found = trust(keys.arrivals, read.mailbox, read.pendings, more=read.more)
    else:
        found = follow(keys.arrivals, read.mailbox, shelf.leaf(0).leaf, read.pendings, read.bodies)
    if not found.rows:
        raise Refused(Reason.NOT_AS_LEFT, found.missing)
    batch = await _open_followed(keys, read, found)
    changed = bool(batch.failed)
    twice = set(shelf.states(read.number).uids).intersection(row.uid for row in found.rows)
    if twice:  # UIDNEXT was set back, and mail came since
        raise Refused(Reason.NOT_AS_LEFT, f"UIDNEXT: UID {min(twice)} was given to a second message")
    if batch.opened:
        changed |= _add(shelf, read.number, batch.opened, read.modseq)
    if batch.failed:
        shelf.bury(read.number, [Uid(row.uid) for row, _ in batch.failed], read.modseq, read.now)
    writes = await shelf.seal(found.arrivals, found.tag)

    def work(tx: Tx) -> None:
        if changed:
            fence_at(tx, account_id, keys.root_gen, keys.read_gen, read.modseq)
            touch(tx, account_id, mailbox_id, read.modseq, len(batch.failed))
        else:
            fence(tx, account_id, keys.root_gen, keys.read_gen, 0)
        for row, reason in batch.failed:
            quarantine(tx, account_id, mailbox_id, row, reason)
        rows.drop_pendings(tx, account_id, mailbox_id, found.rows)
        writes.apply(tx, account_id, mailbox_id)

    await database.write(work)
    if stored is not None and found.rows[-1].uid % PAGE_MESSAGES == 0:
        await prepare(stored, mailbox_id, shelf, writes)
    return len(found.rows)


async def _open_followed(keys: SessionKeys, read: "_Read", found: Followed) -> OpenedBatch:
    batch = await open_pendings(keys, read.mailbox.mailbox_id, read.others, found.good, read.lanes)
    batch.failed = sorted([*batch.failed, *found.failed], key=lambda failed: failed[0].uid)
    return batch


@dataclass(frozen=True, slots=True)
class _Read:
    mailbox: MailboxRow
    number: int
    pendings: list[PendingRow]
    more: bool  # there are others behind them
    bodies: dict[int, tuple[int, bytes]]
    lanes: list[rows.LaneRow]
    shelf: ShelfRows
    others: frozenset[bytes]  # the account's other mailboxes
    modseq: Modseq  # of what can be seen
    now: int


def _read(tx: Tx, account_id: int, mailbox_id: bytes, last: int, lost: int) -> _Read | None:
    mailbox = get_mailbox(tx, account_id, mailbox_id)
    if mailbox is None:
        return None
    pendings = rows.pendings(tx, account_id, mailbox_id, last=last)
    if not pendings:
        return None
    # One row only, so that a batch stays small however far apart the UIDs lie.
    first = row_number(pendings[0].uid)
    pendings = [p for p in pendings if row_number(p.uid) == first]
    # And no more encapsulations than this, however many lanes a stranger opened.
    lane_ids = list(dict.fromkeys(p.lane_id for p in pendings))[:LANES_AT_ONCE]
    pendings = list(takewhile(lambda p: p.lane_id in lane_ids, pendings))
    return _Read(
        mailbox,
        first,
        pendings,
        rows.first_pending(tx, account_id, mailbox_id, pendings[-1].uid) is not None,
        rows.pending_bodies(tx, account_id, mailbox_id, pendings[0].uid - 1, pendings[-1].uid),
        rows.lanes(tx, account_id, lane_ids),
        read_shelf(tx, account_id, mailbox_id, [first], pages=True, arrivals=True),
        frozenset(m.mailbox_id for m in mailboxes(tx, account_id)) - {mailbox_id},
        modseq_ahead(tx, account_id, lost),
        tx.now(),
    )


def _add(shelf: Shelf, number: int, opened: list[Opened], modseq: Modseq) -> bool:
    """Put them on the shelf; whether some had keywords for which there is no room, and so are changed."""
    states = {Uid(m.row.uid): m.state() for m in opened}
    shelf.add(
        number,
        states,
        (
            {Uid(m.row.uid): pack_a(m.entry_a()) for m in opened},
            {Uid(m.row.uid): pack_b(m.entry_b()) for m in opened},
        ),
        sum(m.summary.size for m in opened),
    )
    cut = shelf.states(number).without_room(states)
    if cut:
        shelf.change(
            number,
            {uid: MessageState(modseq, states[uid].flags, keywords) for uid, keywords in cut.items()},
        )
    return bool(cut)
