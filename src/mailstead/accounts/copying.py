"""COPY and MOVE: sealed entries are written a second time, bodies never.

An entry keeps its object id and its message key, so the copy opens the same body; the object
counts one reference more, and the quota counts its octets once. The UIDs of the target are sealed
into its rows before the transaction, so they are chosen as `mailbox.uid_next` says and taken by
compare-and-swap. Who loses leaves room for what is delivered meanwhile: UIDs may have gaps
(RFC 9051 section 2.3.1.1).
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from mailstead.accounts.absorb import absorb
from mailstead.accounts.changes import Leaving, expunge
from mailstead.accounts.entries import saved_at, size_and_object
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import split
from mailstead.accounts.shelf import Shelf
from mailstead.accounts.shelfrows import ShelfRows, ShelfWrites, read_shelf
from mailstead.accounts.states import MessageState
from mailstead.accounts.turns import Wanted, batches, modseq_ahead, until_won
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store import messages as rows
from mailstead.store.accounts import fence_at
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import MailboxRow, count_messages, get_mailbox, take_uids, touch
from mailstead.store.messages import GROUP_A, GROUP_B
from mailstead.store.numbers import PAGE_MESSAGES, row_number
from mailstead.store.objects import add_refs
from mailstead.store.records import LostRace

Step = Callable[[int], None]  # told how many messages more are done
UID_ROOM = 16
MOST = 1_000_000  # messages of one account: a copy costs no octets of the quota, and must end somewhere


@dataclass(frozen=True, slots=True)
class Copied:
    """Which messages were copied or moved, and where to (COPYUID, RFC 4315 section 3).

    Args:
        sources, targets: One for one, both ascending.
    """

    uid_validity: int
    sources: list[Uid] = field(default_factory=list[Uid])
    targets: list[Uid] = field(default_factory=list[Uid])


@dataclass(frozen=True, slots=True)
class _Entry:
    """One message to be written a second time."""

    uid: Uid
    state: MessageState
    a: bytes
    b: bytes
    size: int
    object_id: bytes


@dataclass(frozen=True, slots=True)
class _Read:
    target: MailboxRow
    source_rows: ShelfRows
    target_rows: ShelfRows
    modseq: Modseq
    first: int  # the first UID of the copies


class Copying:
    """One COPY or MOVE from a mailbox to another, or to itself.

    Args:
        step: Told now and then of the messages copied or moved.
    """

    def __init__(
        self,
        database: Database,
        keys: SessionKeys,
        source_id: bytes,
        target_id: bytes,
        now: int,
        step: Step,
    ) -> None:
        self._database = database
        self._keys = keys
        self._source_id = source_id
        self._target_id = target_id
        self._now = now
        self._step = step

    async def copy(self, uids: Iterable[Uid]) -> Copied:
        """Copy those of *uids* that are there; all or none (RFC 9051 section 6.4.7).

        Up to 8,192 messages are one transaction; of more, a failure takes the first ones back.

        Raises:
            Refused: the target is gone, or has too many keywords, or there would be too many messages.
        """
        done: list[Copied] = []
        try:
            for wanted in batches(uids):
                done.append(await self._batch(wanted, move=False))
        except BaseException:
            await self._take_back(done)
            raise
        return await self._whole(done)

    async def move(self, uids: Iterable[Uid]) -> Copied:
        """Move those of *uids* that are there: each is always in exactly one of the two (RFC 6851).

        Raises:
            Refused: the target is gone, or has too many keywords.
        """
        done = [await self._batch(wanted, move=True) for wanted in batches(uids)]
        return await self._whole(done)

    async def _take_back(self, done: list[Copied]) -> None:
        for copied in done:
            await expunge(self._database, self._keys, self._target_id, copied.targets, self._now)

    async def _whole(self, done: list[Copied]) -> Copied:
        if not done:
            account_id = self._keys.account_id
            row = await self._database.read(lambda tx: get_mailbox(tx, account_id, self._target_id))
            if row is None:
                raise Refused(Reason.NO_SUCH_MAILBOX)
            return Copied(row.uid_validity)
        whole = Copied(done[0].uid_validity)
        for copied in done:
            whole.sources.extend(copied.sources)
            whole.targets.extend(copied.targets)
        return whole

    async def _batch(self, wanted: Wanted, *, move: bool) -> Copied:
        await absorb(self._database, self._keys, self._source_id, wanted)
        copied = await until_won(lambda lost: self._turn(wanted, lost, move=move))
        self._step(len(copied.targets))
        return copied

    async def _turn(self, wanted: Wanted, lost: int, *, move: bool) -> Copied:
        keys = self._keys
        read = await self._database.read(lambda tx: self._read(tx, wanted, lost, move=move))
        target = Shelf(keys, self._target_id, read.target_rows)
        within = self._source_id == self._target_id
        source = target if within else Shelf(keys, self._source_id, read.source_rows)
        entries = await self._entries(source, wanted, read.modseq)
        copied = Copied(read.target.uid_validity, [e.uid for e in entries])
        if not entries:
            return copied
        copied.targets.extend(Uid(read.first + n) for n in range(len(entries)))
        leaving = Leaving(keys, self._source_id, 0, self._now)
        if move:
            for number, group in wanted.items():
                await asyncio.sleep(0)
                leaving.take(source, number, group, read.modseq, only_deleted=False)
        await _put(target, copied.targets, entries)
        writes = [(self._target_id, await target.seal())]
        if move and not within:
            writes.append((self._source_id, await source.seal()))
        await self._write(read, entries, writes, move=move)
        return copied

    def _read(self, tx: Tx, wanted: Wanted, lost: int, *, move: bool) -> _Read:
        account_id = self._keys.account_id
        target = get_mailbox(tx, account_id, self._target_id)
        if target is None or get_mailbox(tx, account_id, self._source_id) is None:
            raise Refused(Reason.NO_SUCH_MAILBOX)
        first = target.uid_next + (UID_ROOM << min(2 * (lost - 1), 16) if lost else 0)
        most = sum(len(group) for group in wanted.values())
        if not move and count_messages(tx, account_id) + most > MOST:
            raise Refused(Reason.OVER_QUOTA)
        numbers = set(range(row_number(first), row_number(first + most) + 1))
        if self._source_id == self._target_id:
            source_rows = target_rows = read_shelf(
                tx, account_id, self._target_id, sorted(numbers | wanted.keys()), pages=True
            )
        else:
            source_rows = read_shelf(tx, account_id, self._source_id, list(wanted), pages=True)
            target_rows = read_shelf(tx, account_id, self._target_id, sorted(numbers), pages=True)
        return _Read(target, source_rows, target_rows, modseq_ahead(tx, account_id, lost), first)

    async def _entries(self, source: Shelf, wanted: Wanted, modseq: Modseq) -> list[_Entry]:
        found: list[_Entry] = []
        for number, group in wanted.items():
            states = source.states(number)
            pages = [source.page(number, g) for g in (GROUP_A, GROUP_B)]
            if pages[0] is None or pages[1] is None:
                continue
            some = set(group)
            a, b = split(GROUP_A, pages[0], some), split(GROUP_B, pages[1], some)
            for uid in group:
                state = states.get(uid)
                if state is None:
                    continue
                if uid not in a or uid not in b:
                    raise UnsealError(f"page {number} and its state name different messages")
                size, object_id = size_and_object(a[uid])
                again = MessageState(modseq, state.flags, state.keywords)
                found.append(_Entry(uid, again, saved_at(a[uid], self._now), b[uid], size, object_id))
            await asyncio.sleep(0)
        return found

    async def _write(
        self, read: _Read, entries: list[_Entry], writes: list[tuple[bytes, ShelfWrites]], *, move: bool
    ) -> None:
        keys = self._keys
        account_id = keys.account_id
        versions = {n: row.record.version for n, row in read.source_rows.states.items()}

        def work(tx: Tx) -> None:
            fence_at(tx, account_id, keys.root_gen, keys.read_gen, read.modseq)
            if move:
                touch(tx, account_id, self._source_id, read.modseq, len(entries))
            else:
                # The entries are still there, so their bodies are.
                for number, version in versions.items():
                    if rows.state_version(tx, account_id, self._source_id, number) != version:
                        raise LostRace
                add_refs(tx, account_id, [e.object_id for e in entries])
            take_uids(tx, account_id, self._target_id, read.first, len(entries), read.modseq)
            for mailbox_id, rewritten in writes:
                rewritten.apply(tx, account_id, mailbox_id)

        await self._database.write(work)


def unheard(_: int) -> None:
    """The steps of who does not tell of them."""


async def _put(target: Shelf, uids: list[Uid], entries: list[_Entry]) -> None:
    """Put entries under new UIDs into the rows of their target."""
    pairs = iter(zip(uids, entries, strict=True))
    at = 0
    while at < len(uids):
        await asyncio.sleep(0)
        number = row_number(uids[at])
        here = list(islice(pairs, min(PAGE_MESSAGES * (number + 1) + 1 - uids[at], len(uids) - at)))
        target.add(
            number,
            {uid: e.state for uid, e in here},
            ({uid: e.a for uid, e in here}, {uid: e.b for uid, e in here}),
            sum(e.size for _, e in here),
        )
        at += len(here)
