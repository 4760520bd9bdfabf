"""Taking a mailbox as it is: its owner knows that it is not as it was left, and wants to go on.

What is there stays: a message whose page entries are both there is a message, with the flags that
its state row has, or without any. Rows that do not open are given up, those that do not agree are
made to, the counts are counted anew, and new leaves name what is there now. Then what waits is
absorbed, whatever its tags say; what does not open goes to quarantine as ever.
"""

import asyncio
from dataclasses import dataclass, field, replace

from mailstead.accounts import leaves
from mailstead.accounts.absorb import absorb_once
from mailstead.accounts.accountleaf import NAMED, AccountLeaf, seal_account_leaf
from mailstead.accounts.anchor import Anchor, seal_anchor
from mailstead.accounts.anchoring import Anchored, found_counts
from mailstead.accounts.chain import last_arrival
from mailstead.accounts.counts import Counts
from mailstead.accounts.entries import size_and_object
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.leaves import Leaf, LeafPage, open_leaf, seal_leaf
from mailstead.accounts.pages import merge, split
from mailstead.accounts.shelf import open_state
from mailstead.accounts.shelfrows import ShelfWrites
from mailstead.accounts.standing import AccountHeads, read_account
from mailstead.accounts.states import FLAGS, MessageState, RowStates, StatePage
from mailstead.accounts.tombstones import Tombstone
from mailstead.accounts.turns import modseq_ahead, until_won
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store import leaves as stored
from mailstead.store import messages as rows
from mailstead.store.accounts import Stale, fence, fence_at
from mailstead.store.database import Database, Tx
from mailstead.store.ledger import Ledger
from mailstead.store.mailboxes import MailboxRow, get_mailbox, move_pendings, renew_counters
from mailstead.store.messages import GROUP_A, GROUP_B, StateRow
from mailstead.store.numbers import LEAF_BITS
from mailstead.store.records import get_record, replace_record

_VERSIONS = range(1 << 62)  # that an account can come to
NOT_OPENED = (UnsealError, Stale)  # the latter of a row that claims to be of keys to come


async def accept_account(database: Database, keys: SessionKeys, ledger: Ledger | None) -> None:
    """Take the account's own records as they are: new leaf, and an anchor with floors that are there.

    Raises:
        Stale: the account's keys have moved on.
    """

    known = None if ledger is None else ledger.of(keys.uuid).anchor

    def read(tx: Tx) -> tuple[AccountHeads, SealedRecord, SealedRecord]:
        heads = read_account(tx, keys.account_id)
        writes = {
            name: write
            for name, write in heads.writes.items()
            if name[0] in NAMED and (name[1] == ZERO_ID or name[1] in heads.mailboxes)
        }
        leaf = seal_account_leaf(keys, AccountLeaf(_above(heads.leaf), writes))
        version = _above(heads.anchor, 0 if known is None else known.number)
        keyring = heads.writes[Kind.KEYRING, ZERO_ID][0]
        floors = found_counts(tx, keys, heads, {})
        anchor = Anchor(version, tx.now(), keyring, (leaf.version, leaf.write_id), floors)
        return heads, leaf, seal_anchor(keys, anchor)

    async def turn(_: int) -> None:
        heads, leaf, anchor = await database.read(read)

        def work(tx: Tx) -> None:
            fence(tx, keys.account_id, keys.root_gen, keys.read_gen, 0)
            replace_record(tx, keys.account_id, Kind.LEAF, leaf, heads.leaf)
            replace_record(tx, keys.account_id, Kind.ANCHOR, anchor, heads.anchor)

        await database.write(work)
        Anchored(anchor).note(ledger, keys.uuid)

    await until_won(turn)


def _above(found: SealedRecord | None, known: int = 0) -> int:
    """A version above that of a row that somebody may have changed, and above what is *known*."""
    there = 0 if found is None else found.version
    return max(there, known) + 1 if there in _VERSIONS else known + 1


async def accept_mailbox(database: Database, keys: SessionKeys, mailbox_id: bytes, uid: int = 0) -> None:
    """Take a mailbox as it is; harmless when it is as it was left, and when done twice.

    Args:
        uid: What is known to have been given to a message, and is not to be given again.

    Raises:
        Stale: the account's keys have moved on.
    """

    async def turn(lost: int) -> None:
        taking = await database.read(lambda tx: _read(tx, keys, mailbox_id, lost))
        if taking is not None:
            await taking.take(database, uid)

    async def rest(lost: int) -> int:
        return await absorb_once(database, keys, mailbox_id, lost=lost, trusting=True)

    await until_won(turn)
    while await until_won(rest):
        pass


@dataclass(slots=True)
class _Taking:
    keys: SessionKeys
    mailbox: MailboxRow
    numbers: list[int]
    old_leaves: dict[int, SealedRecord]
    old_counts: SealedRecord | None
    pendings: list[rows.PendingHead]
    modseq: Modseq
    now: int
    counts: Counts = field(default_factory=Counts)
    writes: ShelfWrites = field(default_factory=ShelfWrites)
    made: dict[int, LeafPage] = field(default_factory=dict[int, LeafPage])
    taken: set[int] = field(default_factory=set[int])  # UIDs of messages that are there

    async def take(self, database: Database, given: int) -> None:
        """Bring all rows into agreement, and write leaves that name them."""
        keys, box = self.keys, self.mailbox.mailbox_id
        for number in self.old_leaves.keys() | {0} | {n >> LEAF_BITS for n in self.numbers}:
            self.made[number] = self._new_leaf(number)
        for number in self.numbers:
            await self._row(database, number)
            await asyncio.sleep(0)
        self._seal()
        floor = max(
            *(leaf.leaf.uid_floor for leaf in self.made.values()), *(uid for uid, *_ in self.pendings), given
        )
        twice = [uid for uid, *_ in self.pendings if uid in self.taken]

        def work(tx: Tx) -> None:
            fence_at(tx, keys.account_id, keys.root_gen, keys.read_gen, self.modseq)
            renew_counters(tx, keys.account_id, box, self.modseq, floor, self.counts.messages)
            move_pendings(tx, keys.account_id, box, twice)
            self.writes.apply(tx, keys.account_id, box)

        await database.write(work)

    def _new_leaf(self, number: int) -> LeafPage:
        """A leaf with nothing in it, of the version of the one that is there, and its floors if it opens."""
        leaf = Leaf(self.mailbox.mailbox_id, number, 0, self.mailbox.uid_validity)
        record = self.old_leaves.get(number)
        if record is not None:
            try:
                old = open_leaf(self.keys, self.mailbox.mailbox_id, number, record)
            except NOT_OPENED:
                old = leaf
            leaf = Leaf(leaf.mailbox_id, number, record.version, leaf.uid_validity, old.uid_floor)
        page = LeafPage(leaf)
        if number == 0 and not self.pendings:
            page.absorb(*last_arrival(self.keys.arrivals, self.mailbox))
        return page

    async def _row(self, database: Database, number: int) -> None:
        account_id, box = self.keys.account_id, self.mailbox.mailbox_id
        state, a, b = await database.read(
            lambda tx: (
                rows.get_states(tx, account_id, box, first=number, last=number),
                rows.get_page(tx, account_id, box, number, GROUP_A),
                rows.get_page(tx, account_id, box, number, GROUP_B),
            )
        )
        opened = self._opened_state(state)
        page, changed = StatePage(opened), opened is None
        gone = set[Uid]() if opened is None else {uid for uid, _ in opened.tombstones()}
        found = [self._opened_page(number, group, r) for group, r in ((GROUP_A, a), (GROUP_B, b))]
        there = (found[0].keys() & found[1].keys()) - gone
        for uid in [u for u in page.uids if u not in there]:
            page.pop(Uid(uid))
            page.bury(Uid(uid), Tombstone(self.modseq, self.now))
            self.writes.fewer.add(number)
            changed = True
        for uid in sorted(there.difference(page.uids)):
            page.put(uid, MessageState(self.modseq, FLAGS[0], frozenset()))
            changed = True
        if changed:
            self._put_state(number, state[0] if state else None, page)
        else:
            self._name(leaves.STATE, number, state[0].record)
        for group, record, entries in ((GROUP_A, a, found[0]), (GROUP_B, b, found[1])):
            self._put_page(number, group, record, entries, there)
        self.counts = self.counts.add(
            [s for _, s in page.items()],
            sum(size_and_object(found[0][uid])[0] for uid in there),
            page.max_modseq(),
        )
        self.made[number >> LEAF_BITS].raise_floors(max(there, default=0), page.max_modseq())
        self.taken |= there

    def _opened_state(self, state: list[StateRow]) -> RowStates | None:
        try:
            return open_state(self.keys, self.mailbox.mailbox_id, state[0]) if state else None
        except NOT_OPENED:
            return None

    def _opened_page(self, number: int, group: int, record: SealedRecord | None) -> dict[Uid, bytes]:
        if record is None:
            return {}
        box = self.mailbox.mailbox_id
        try:
            entries = split(group, self.keys.open(Kind.PAGE, box, number << 1 | group, 0, record))
            if group == GROUP_A:
                for octets in entries.values():
                    size_and_object(octets)
        except NOT_OPENED:
            return {}
        return entries

    def _put_state(self, number: int, old: StateRow | None, page: StatePage) -> None:
        version = 1 if old is None else old.record.version + 1
        box, modseq = self.mailbox.mailbox_id, page.max_modseq()
        record = self.keys.seal(Kind.STATE, box, number, version, modseq, page.encode())
        self.writes.states.append(StateRow(number, modseq, record))
        self._name(leaves.STATE, number, record)

    def _put_page(
        self,
        number: int,
        group: int,
        old: SealedRecord | None,
        entries: dict[Uid, bytes],
        there: set[Uid],
    ) -> None:
        if entries.keys() == there and (old is None) == (not there):
            if old is not None:
                self._name(group, number, old)
            return
        content = merge(None, group, {uid: entries[uid] for uid in there}, set())
        if content is None:
            assert old is not None
            self.writes.emptied.append((number, group, old.version))
            return
        version = 1 if old is None else old.version + 1
        box = self.mailbox.mailbox_id
        record = self.keys.seal(Kind.PAGE, box, number << 1 | group, version, 0, content)
        self.writes.pages.append((number, group, record))
        self._name(group, number, record)

    def _name(self, kind: int, number: int, record: SealedRecord) -> None:
        self.made[number >> LEAF_BITS].put(kind, number, record)

    def _seal(self) -> None:
        box, named = self.mailbox.mailbox_id, dict[int, leaves.Write]()
        for number, page in sorted(self.made.items()):
            if number == 0:
                page.leaf = replace(page.leaf, leaves=len(self.made))
            record = seal_leaf(self.keys, page.next())
            self.writes.leaves.append((number, record))
            named[number] = (record.version, record.write_id)
        version = 1 if self.old_counts is None else self.old_counts.version + 1
        content = replace(self.counts, leaves=named).encode()
        self.writes.counts = self.keys.seal(Kind.COUNTS, box, 0, version, 0, content)


def _read(tx: Tx, keys: SessionKeys, mailbox_id: bytes, lost: int) -> _Taking | None:
    account_id = keys.account_id
    mailbox = get_mailbox(tx, account_id, mailbox_id)
    if mailbox is None:
        return None
    numbers = {row.number for row in rows.get_states(tx, account_id, mailbox_id)}
    numbers |= {number for _, number, *_ in stored.page_writes(tx, account_id, mailbox_id)}
    old = stored.leaves(tx, account_id, mailbox_id)
    modseq = max(modseq_ahead(tx, account_id, lost), mailbox.highest_modseq + 1)
    for number, record in old.items():
        try:
            modseq = max(modseq, open_leaf(keys, mailbox_id, number, record).modseq_floor + 1)
        except NOT_OPENED:
            continue
    return _Taking(
        keys, mailbox, sorted(numbers), old, get_record(tx, account_id, Kind.COUNTS, mailbox_id),
        rows.pending_heads(tx, account_id, mailbox_id), Modseq(modseq), tx.now(),
    )  # fmt: skip
