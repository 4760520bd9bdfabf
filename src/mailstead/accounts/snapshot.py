"""A mailbox at one moment: its counters, UIDs, flags and modseqs; immutable, and shared.

A snapshot follows another by opening only what changed: state rows whose max_modseq is above the
old highest_modseq, and pendings above the old uid_next. All other rows are the same objects, so
500 sessions on one mailbox hold one copy, and what is new between two snapshots is found by
looking at the rows that differ.

Absorbing changes no UID and no modseq, so it makes no new snapshot. A pending is known by UID and
modseq, which are in clear; its flags are sealed in its SUMMARY and looked at when somebody asks
(`Snapshots.opened`), so that a mailbox of 100,000 pendings can be selected at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from mailstead.accounts.inspecting import Heads, differences, read_heads
from mailstead.accounts.joining import only_pendings, with_pendings
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pendings import open_pendings
from mailstead.accounts.shelf import open_state
from mailstead.accounts.states import MessageState, RowStates, StatePage, Uids, no_uids
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store import messages as rows
from mailstead.store.accounts import Stale
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import MailboxRow, get_mailbox, mailboxes
from mailstead.store.messages import PendingHead, StateRow
from mailstead.store.numbers import row_number

REMEMBERED = 16  # mailboxes of one account
ROWS_AT_ONCE = 32  # opened before others get their turn


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One mailbox at one moment.

    Args:
        mailbox: Its counters; `recent_uid` may be older than the rest.
        rows: State rows by number, ascending.
        uids: Of all messages, ascending: the one with sequence number n is `uids[n - 1]`.
    """

    mailbox: MailboxRow
    rows: Mapping[int, RowStates]
    uids: Uids

    @property
    def highest_modseq(self) -> Modseq:
        """HIGHESTMODSEQ (RFC 7162 section 3.1.2.1)."""
        return Modseq(self.mailbox.highest_modseq)

    def get(self, uid: int) -> MessageState | None:
        """The state of a message, if it is here; without flags while it is sealed."""
        row = self.rows.get(row_number(uid))
        return None if row is None else row.get(uid)

    def sealed(self, uids: Iterable[int]) -> set[int]:
        """Which of *uids* have flags that nobody has looked at yet."""
        if not any(row.sealed for row in self.rows.values()):
            return set()
        return {u for u in uids if (row := self.rows.get(row_number(u))) is not None and u in row.sealed}

    def keywords(self, uids: Iterable[int]) -> set[str]:
        """Every keyword that one of *uids* has."""
        if not any(row.keywords for row in self.rows.values()):
            return set()
        with_some = (row.keywords.get(u) for u in uids if (row := self.rows.get(row_number(u))) is not None)
        return set[str]().union(*filter(None, with_some))

    def changed_since(self, modseq: int) -> Iterator[Uid]:
        """Messages that changed after *modseq* (RFC 7162 section 3.1.4), in UID order."""
        for row in self.rows.values():
            if row.newest > modseq:
                yield from (Uid(u) for u, m in zip(row.uids, row.modseqs, strict=True) if m > modseq)

    def vanished_since(self, modseq: int) -> Iterator[Uid]:
        """Messages that were expunged after *modseq*, in UID order, as far as tombstones tell.

        They tell all when *modseq* is not below `mailbox.vanished_floor`.
        """
        for row in self.rows.values():
            yield from (uid for uid, tombstone in row.tombstones() if tombstone.modseq > modseq)


class Snapshots:
    """The newest snapshot of each mailbox that the sessions of one account here are looking at.

    The first of a mailbox is compared with its leaves; `damage` is what differed then.

    Args:
        damaged: Told of a mailbox that is not as it was left, and how.
    """

    def __init__(
        self, database: Database, keys: SessionKeys, damaged: Callable[[bytes, list[str]], None]
    ) -> None:
        self._damaged = damaged
        self.damage: dict[bytes, list[str]] = {}
        self._database = database
        self._keys = keys
        self._newest: OrderedDict[bytes, Snapshot] = OrderedDict()
        self._turns: dict[bytes, asyncio.Lock] = {}

    async def newest(self, mailbox_id: bytes, *, afresh: bool = False) -> Snapshot:
        """The mailbox as it is now; the same object as before when nothing changed, unless *afresh*.

        Raises:
            Refused: it is gone.
            UnsealError: a state row is not what this account wrote.
        """
        async with self._turns.setdefault(mailbox_id, asyncio.Lock()):
            # One that was found damaged is compared again, until somebody has seen to it.
            old = None if afresh or mailbox_id in self.damage else self._newest.get(mailbox_id)
            read = await self._look(mailbox_id, old)
            if read is None:
                self._newest.pop(mailbox_id, None)
                raise Refused(Reason.NO_SUCH_MAILBOX)
            if old is not None and not read.news:
                self._newest.move_to_end(mailbox_id)
                return old
            snapshot = self._newest[mailbox_id] = await self._follow(old, read)
            self._newest.move_to_end(mailbox_id)
            if len(self._newest) > REMEMBERED:
                forgotten, _ = self._newest.popitem(last=False)
                self._turns.pop(forgotten, None)
            return snapshot

    async def glimpse(self, mailbox_id: bytes) -> Snapshot:
        """The mailbox as it is now, as `newest`; but nothing that sessions look at is forgotten for it."""
        if mailbox_id in self._newest:
            return await self.newest(mailbox_id)
        read = await self._look(mailbox_id, None)
        if read is None:
            raise Refused(Reason.NO_SUCH_MAILBOX)
        return await self._follow(None, read)

    async def _look(self, mailbox_id: bytes, old: Snapshot | None) -> "_Read | None":
        """Read what is new; what differs in a mailbox that is new here is looked at a second time."""
        account_id = self._keys.account_id
        known = self.damage.pop(mailbox_id, [])
        said: list[str] = []
        while True:
            read = await self._database.read(lambda tx: _read(tx, account_id, mailbox_id, old))
            if read is None or read.heads is None:
                return read
            before, said = said, differences(self._keys, read.mailbox, read.heads, read.states, read.pendings)
            if not said:
                return read
            if before:
                break
        self.damage[mailbox_id] = said
        if said != known:
            self._damaged(mailbox_id, said)
        return read

    async def _follow(self, old: Snapshot | None, read: "_Read") -> Snapshot:
        known = {} if old is None else dict(old.rows)
        pendings = {n: list(found) for n, found in groupby(read.pendings, lambda p: row_number(p[0]))}
        for at, row in enumerate(read.states):
            if at % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)
            states = self._opened_state(read.mailbox.mailbox_id, row)
            here = pendings.pop(row.number, None)
            if here is not None:
                states = with_pendings(states, here, known.get(row.number))
            known[row.number] = states
        for number, here in pendings.items():
            before = known.get(number)
            if before is None:
                known[number] = only_pendings(here)
            else:
                known[number] = with_pendings(before, here, before)
        return Snapshot(read.mailbox, *_in_order(old, known))

    def _opened_state(self, mailbox_id: bytes, row: StateRow) -> RowStates:
        try:
            return open_state(self._keys, mailbox_id, row)
        except Stale as error:
            if self.damage.get(mailbox_id):  # it says so, and no later keys have
                raise UnsealError("a state row claims to be of keys to come") from error
            raise

    async def opened(self, snapshot: Snapshot, uids: Iterable[int]) -> Snapshot:
        """*snapshot* with the flags of those of *uids* that were sealed in it.

        One that cannot be opened stays sealed; absorbing puts it into quarantine.
        """
        numbers = sorted({row_number(uid) for uid in snapshot.sealed(uids)})
        if not numbers:
            return snapshot
        mailbox_id = snapshot.mailbox.mailbox_id
        filled = dict(snapshot.rows)
        for number in numbers:
            before = snapshot.rows[number]
            after = await self._open_row(mailbox_id, number, before)
            filled[number] = after
            newest = self._newest.get(mailbox_id)
            if newest is not None and newest.rows.get(number) is before:
                # The same news as ever, so whoever holds the old object misses nothing.
                self._newest[mailbox_id] = replace(newest, rows={**newest.rows, number: after})
        return replace(snapshot, rows=filled)

    async def _open_row(self, mailbox_id: bytes, number: int, row: RowStates) -> RowStates:
        account_id = self._keys.account_id

        def work(
            tx: Tx,
        ) -> tuple[list[StateRow], list[rows.PendingRow], list[rows.LaneRow], frozenset[bytes]]:
            pendings = rows.row_pendings(tx, account_id, mailbox_id, number)
            return (
                rows.get_states(tx, account_id, mailbox_id, first=number, last=number),
                pendings,
                rows.lanes(tx, account_id, list({p.lane_id for p in pendings})),
                frozenset(m.mailbox_id for m in mailboxes(tx, account_id)) - {mailbox_id},
            )

        states, pendings, lanes, others = await self._database.read(work)
        batch = await open_pendings(self._keys, mailbox_id, others, pendings, lanes)
        found: dict[int, MessageState] = {m.row.uid: m.state() for m in batch.opened}
        for state in states:  # absorbed since the snapshot
            found.update(open_state(self._keys, mailbox_id, state).items())
        page = StatePage(row)
        for uid in row.sealed & found.keys():
            known = row.get(uid)
            assert known is not None
            # Flags may be newer than the snapshot; with its modseq the change is still news later.
            page.put(Uid(uid), replace(found[uid], modseq=known.modseq))
        return page.row(row.gone, row.sealed - found.keys())


@dataclass(frozen=True, slots=True)
class _Read:
    mailbox: MailboxRow
    states: list[StateRow]
    pendings: list[PendingHead]
    news: bool = True
    heads: Heads | None = None  # of a mailbox that is looked at for the first time


def _read(tx: Tx, account_id: int, mailbox_id: bytes, old: Snapshot | None) -> _Read | None:
    mailbox = get_mailbox(tx, account_id, mailbox_id)
    if mailbox is None:
        return None
    if old is None:
        states = rows.get_states(tx, account_id, mailbox_id)
        heads = read_heads(tx, account_id, mailbox_id)
        return _Read(mailbox, states, rows.pending_heads(tx, account_id, mailbox_id), heads=heads)
    if mailbox.highest_modseq == old.mailbox.highest_modseq:
        return _Read(mailbox, [], [], news=False)
    states = rows.states_since(tx, account_id, mailbox_id, old.mailbox.highest_modseq)
    uid_next = old.mailbox.uid_next
    pendings = rows.pending_heads(tx, account_id, mailbox_id, first=uid_next)
    for state in states:  # what still waits in a row that was written
        first, last = (state.number << 8) + 1, min((state.number + 1) << 8, uid_next - 1)
        if first < uid_next:
            pendings += rows.pending_heads(tx, account_id, mailbox_id, first, last)
    return _Read(mailbox, states, sorted(pendings))


def _in_order(old: Snapshot | None, known: dict[int, RowStates]) -> tuple[dict[int, RowStates], Uids]:
    """The rows in their order, and all their UIDs: the old ones when only flags changed."""
    if (
        old is not None
        and known.keys() == old.rows.keys()
        and all(row is (before := old.rows[n]) or row.uids == before.uids for n, row in known.items())
    ):
        return known, old.uids
    ordered = dict(sorted(known.items()))
    uids = no_uids()
    for row in ordered.values():
        uids.extend(row.uids)
    return ordered, uids
