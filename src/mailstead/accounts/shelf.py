"""The rows of one mailbox that a write changes: read, opened, changed, sealed again, written.

Records are sealed before the transaction and written in it by compare-and-swap on `version`, so
the writer thread holds no key, and whoever loses a race reads again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mailstead.accounts import leaves
from mailstead.accounts.counts import Counts
from mailstead.accounts.flagging import FlagChange, FlagOutcome, change_row
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.leaves import Leaf, LeafPage, Write, is_first, open_leaf, seal_leaf
from mailstead.accounts.pages import merge
from mailstead.accounts.shelfrows import ShelfRows, ShelfWrites
from mailstead.accounts.states import MessageState, RowStates, StatePage
from mailstead.accounts.tombstones import Tombstone
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store.messages import GROUP_A, GROUP_B, StateRow
from mailstead.store.numbers import LEAF_BITS


class Shelf:
    """Opened rows of one mailbox, as a write changes them.

    A row that is not the one its leaf names is refused (NOT_AS_LEFT), so that no write makes a new
    leaf of what somebody has set back.
    """

    def __init__(self, keys: SessionKeys, mailbox_id: bytes, read: ShelfRows) -> None:
        self._keys = keys
        self._place = mailbox_id
        self._read = read
        self._states: dict[int, StatePage] = {}
        self._pages: dict[tuple[int, int], bytes | None] = {}
        self._changed: set[int] = set()
        self._fewer: set[int] = set()
        self._leaves: dict[int, LeafPage] = {}
        self._leaves_again: set[int] = set()
        self.counts = Counts()
        if read.counts is not None:
            self.counts = Counts.decode(keys.open(Kind.COUNTS, mailbox_id, 0, 0, read.counts))

    def states(self, number: int) -> StatePage:
        """The states of a row, to be looked at."""
        page = self._states.get(number)
        if page is None:
            row = self._read.states.get(number)
            self._compare(leaves.STATE, number, None if row is None else row.record)
            page = StatePage(None if row is None else open_state(self._keys, self._place, row))
            self._states[number] = page
        return page

    def page(self, number: int, group: int) -> bytes | None:
        """The content of a column group; None when there is none."""
        if (number, group) not in self._pages:
            record = self._read.pages.get((number, group))
            self._compare(group, number, record)
            self._pages[number, group] = (
                None
                if record is None
                else self._keys.open(Kind.PAGE, self._place, number << 1 | group, 0, record)
            )
        return self._pages[number, group]

    def add(
        self,
        number: int,
        states: Mapping[Uid, MessageState],
        entries: tuple[Mapping[Uid, bytes], Mapping[Uid, bytes]],
        size: int,
    ) -> None:
        """Add messages to a row: their states, and their packed entries of both groups."""
        page = self.states(number)
        for uid, state in states.items():
            page.put(uid, state)
        for group in (GROUP_A, GROUP_B):
            content = merge(self.page(number, group), group, entries[group], set())
            self._pages[number, group] = content
        self._changed.add(number)
        top = max(s.modseq for s in states.values())
        self.counts = self.counts.add(states.values(), size, top)

    def change(self, number: int, states: Mapping[Uid, MessageState]) -> None:
        """Give messages of a row other states."""
        page = self.states(number)
        old = [state for uid in states if (state := page.get(uid)) is not None]
        for uid, state in states.items():
            page.put(uid, state)
        self._changed.add(number)
        top = max(s.modseq for s in states.values())
        self.counts = self.counts.add(old, 0, 0, sign=-1).add(states.values(), 0, top)

    def flag(
        self,
        number: int,
        uids: Sequence[Uid],
        change: FlagChange,
        modseq: Modseq,
        unchanged_since: Modseq | None,
        outcome: FlagOutcome,
    ) -> None:
        """Change flags of messages of a row (`flagging.change_row`)."""
        page = self.states(number)
        unseen, deleted = page.tally()
        if change_row(page, uids, change, modseq, unchanged_since, outcome):
            now_unseen, now_deleted = page.tally()
            self.counts = self.counts.flagged(now_unseen - unseen, now_deleted - deleted, modseq)
            self._changed.add(number)

    def remove(self, number: int, sizes: Mapping[Uid, int], modseq: Modseq, when: int) -> None:
        """Take messages out of a row, leaving tombstones; *sizes* names them."""
        page = self.states(number)
        gone = [page.pop(uid) for uid in sizes]
        self._fewer.add(number)
        self.bury(number, sizes, modseq, when)
        for group in (GROUP_A, GROUP_B):
            self._pages[number, group] = merge(self.page(number, group), group, {}, set(sizes))
        self.counts = self.counts.add(gone, sum(sizes.values()), modseq, sign=-1)

    def bury(self, number: int, uids: Iterable[Uid], modseq: Modseq, when: int) -> None:
        """Leave tombstones of messages that are in no page."""
        page = self.states(number)
        for uid in uids:
            page.bury(uid, Tombstone(modseq, when))
        self._changed.add(number)

    def again(self, number: int) -> None:
        """Have a row sealed again as it is, under the present keys."""
        self.states(number)
        for group in (GROUP_A, GROUP_B):
            self.page(number, group)
        self._changed.add(number)

    def again_leaf(self, number: int) -> None:
        """Have a leaf sealed again as it is."""
        self._leaves_again.add(number)

    async def seal(self, arrivals: int | None = None, tag: bytes = b"") -> ShelfWrites:
        """Seal the rows that were changed, a few at a time so that others get their turn.

        Args:
            arrivals: How many are absorbed by this, the last with this *tag*; None: none.

        Raises:
            Refused: a row would be larger than its format allows (too many keywords).
        """
        writes = ShelfWrites(fewer=self._fewer)
        for number in sorted(self._changed):
            writes.states.append(self._seal_state(number, self._states[number]))
            for group in (GROUP_A, GROUP_B):
                self._seal_page(writes, number, group)
            await asyncio.sleep(0)
        counts = self._read.counts
        version = 1 if counts is None else counts.version + 1
        if arrivals is not None:
            self.leaf(0).absorb(arrivals, tag)
        if arrivals is not None or counts is None:
            self.again_leaf(0)
        self._seal_leaves(writes, self._leaves_again)
        writes.counts = self._keys.seal(Kind.COUNTS, self._place, 0, version, 0, self.counts.encode())
        return writes

    def _seal_leaves(self, writes: ShelfWrites, touched: set[int]) -> None:
        for state in writes.states:
            page, leaf = self._states[state.number], self._leaf_of(state.number)
            leaf.put(leaves.STATE, state.number, state.record)
            leaf.raise_floors(max(page.uids, default=0), state.max_modseq)
            touched.add(state.number >> LEAF_BITS)
        for number, group, record in writes.pages:
            self._leaf_of(number).put(group, number, record)
        for number, group, _ in writes.emptied:
            self._leaf_of(number).drop(group, number)
        for number in touched.copy():
            if self.leaf(number).leaf.version == 0:
                self.leaf(0).grow()
                touched.add(0)
        named = dict(self.counts.leaves)
        for number in sorted(touched):
            record = seal_leaf(self._keys, self.leaf(number).next())
            named[number] = (record.version, record.write_id)
            writes.leaves.append((number, record))
        self.counts = replace(self.counts, leaves=named)

    def _seal_page(self, writes: ShelfWrites, number: int, group: int) -> None:
        if (number, group) not in self._pages:
            return  # nobody asked for it, so nobody changed it
        content = self._pages[number, group]
        old = self._read.pages.get((number, group))
        if content is not None:
            version = 1 if old is None else old.version + 1
            record = self._keys.seal(Kind.PAGE, self._place, number << 1 | group, version, 0, content)
            writes.pages.append((number, group, record))
        elif old is not None:
            writes.emptied.append((number, group, old.version))

    def _seal_state(self, number: int, page: StatePage) -> StateRow:
        try:
            content = page.encode()
        except ValueError as error:
            raise Refused(Reason.TOO_MANY_KEYWORDS) from error
        old = self._read.states.get(number)
        version = 1 if old is None else old.record.version + 1
        modseq = page.max_modseq()
        record = self._keys.seal(Kind.STATE, self._place, number, version, modseq, content)
        return StateRow(number, modseq, record)

    def _leaf_of(self, number: int) -> LeafPage:
        return self.leaf(number >> LEAF_BITS)

    def leaf(self, number: int) -> LeafPage:
        """The leaf with this number, a new one if there is none yet."""
        page = self._leaves.get(number)
        if page is None:
            record = self._read.leaves.get(number)
            opened = None if record is None else open_leaf(self._keys, self._place, number, record)
            found = None if record is None else (record.version, record.write_id)
            if not (self._read.counts is None and (opened is None or is_first(opened))):
                _same(leaves.LEAF, number, found, self.counts.leaves.get(number))
            page = self._leaves[number] = LeafPage(
                Leaf(self._place, number, 0, self.leaf(0).leaf.uid_validity) if opened is None else opened
            )
        return page

    def _compare(self, kind: int, number: int, record: SealedRecord | None) -> None:
        found = None if record is None else (record.version, record.write_id)
        _same(kind, number, found, self._leaf_of(number).get(kind, number))


def open_state(keys: SessionKeys, mailbox_id: bytes, row: StateRow) -> RowStates:
    """Open a state row.

    Raises:
        UnsealError: it is not what this account wrote in this place.
    """
    return RowStates.decode(keys.open(Kind.STATE, mailbox_id, row.number, row.max_modseq, row.record))


def _same(kind: int, number: int, found: Write | None, written: Write | None) -> None:
    differs = leaves.difference(kind, number, found, written)
    if differs:
        raise Refused(Reason.NOT_AS_LEFT, differs)
