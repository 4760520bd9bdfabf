"""STATUS of a mailbox, from its COUNTS and its pendings; no page and no state row is opened.

A result is remembered by highest_modseq: every change of what is counted moves it. What a pending
counts is sealed in its SUMMARY, so each is opened once and remembered while it waits.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from mailstead.accounts.counts import Counts
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pendings import open_pendings
from mailstead.accounts.states import MessageState
from mailstead.accounts.turns import until_won
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store import messages as rows
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import MailboxRow, get_mailbox, mailboxes
from mailstead.store.messages import LaneRow, PendingHead, PendingRow
from mailstead.store.records import LostRace, get_record

COUNTED_AT_ONCE = 64  # mailboxes, then others get their turn


@dataclass(frozen=True, slots=True)
class Status:
    """What STATUS tells of a mailbox (RFC 9051 section 6.3.11).

    Args:
        recent: Messages that no session has been told of as recent (RFC 3501 section 2.3.2).
        size: Octets of all messages together (RFC 8438).
    """

    mailbox_id: bytes
    uid_validity: int
    uid_next: Uid
    highest_modseq: Modseq
    messages: int
    unseen: int
    deleted: int
    recent: int
    size: int


_Known = dict[int, tuple[MessageState, int]]  # state and size of opened pendings, by UID


class Statuses:
    """Counts the mailboxes of one account."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys
        self._counted: dict[bytes, tuple[int, Counts]] = {}  # at which highest_modseq
        self._opened: dict[bytes, _Known] = {}

    async def status(self, mailbox_id: bytes) -> Status:
        """The counts of a mailbox as it is now.

        Raises:
            Refused: it is gone.
            UnsealError: COUNTS is not what this account wrote.
        """
        return await until_won(lambda _: self._status(mailbox_id))

    async def many(self, mailbox_ids: Iterable[bytes]) -> dict[bytes, Status]:
        """The counts of mailboxes; of all that have not changed since they were counted, in one read.

        One that is gone, or whose counts do not open, is left out.
        """
        account_id = self._keys.account_id
        rows = {r.mailbox_id: r for r in await self._database.read(lambda tx: mailboxes(tx, account_id))}
        found: dict[bytes, Status] = {}
        counted = 0
        for mailbox_id in mailbox_ids:
            at, counts = self._counted.get(mailbox_id, (-1, Counts()))
            row = rows.get(mailbox_id)
            if row is not None and row.highest_modseq == at:
                found[mailbox_id] = _status(row, counts)
            elif row is not None:
                with contextlib.suppress(Refused, UnsealError):
                    found[mailbox_id] = await self.status(mailbox_id)
                counted += 1
                if counted % COUNTED_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return found

    async def _status(self, mailbox_id: bytes) -> Status:
        account_id = self._keys.account_id
        at, _ = self._counted.get(mailbox_id, (-1, Counts()))
        read = await self._database.read(lambda tx: _read(tx, account_id, mailbox_id, at))
        if read is None:
            self._counted.pop(mailbox_id, None)
            self._opened.pop(mailbox_id, None)
            raise Refused(Reason.NO_SUCH_MAILBOX)
        row = read.mailbox
        if row.highest_modseq != at:
            self._counted[mailbox_id] = (row.highest_modseq, await self._count(read))
        return _status(row, self._counted[mailbox_id][1])

    async def _count(self, read: "_Read") -> Counts:
        mailbox_id = read.mailbox.mailbox_id
        counts = Counts()
        if read.counts is not None:
            counts = Counts.decode(self._keys.open(Kind.COUNTS, mailbox_id, 0, 0, read.counts))
        if not read.pendings:
            self._opened.pop(mailbox_id, None)
            return counts
        known = self._opened.get(mailbox_id, {})
        # Only what still waits is remembered.
        known = {uid: known[uid] for uid, *_ in read.pendings if uid in known}
        self._opened[mailbox_id] = known
        missing = [uid for uid, *_ in read.pendings if uid not in known]
        while missing:
            seen, opened = await self._open(mailbox_id, missing[0])
            if missing[0] not in seen:
                raise LostRace  # absorbed since: COUNTS has it now
            known |= opened
            missing = [uid for uid in missing if uid not in seen]
        states = [known[uid] for uid, *_ in read.pendings if uid in known]
        return counts.add(
            [state for state, _ in states], sum(size for _, size in states), read.mailbox.highest_modseq
        )

    async def _open(self, mailbox_id: bytes, first: int) -> tuple[set[int], _Known]:
        """The pendings from *first* on, some at a time: all that were seen, and those that opened."""
        account_id = self._keys.account_id

        def work(tx: Tx) -> tuple[list[PendingRow], list[LaneRow], frozenset[bytes]]:
            pendings = rows.pendings(tx, account_id, mailbox_id, after=first - 1)
            return (
                pendings,
                rows.lanes(tx, account_id, list({p.lane_id for p in pendings})),
                frozenset(m.mailbox_id for m in mailboxes(tx, account_id)) - {mailbox_id},
            )

        pendings, lanes, others = await self._database.read(work)
        batch = await open_pendings(self._keys, mailbox_id, others, pendings, lanes)
        seen = {p.uid for p in pendings}
        return seen, {m.row.uid: (m.state(), m.summary.size) for m in batch.opened}


def _status(row: MailboxRow, counts: Counts) -> Status:
    recent = max(0, min(row.uid_next - row.recent_uid, counts.messages))
    return Status(
        row.mailbox_id, row.uid_validity, Uid(row.uid_next), Modseq(row.highest_modseq), counts.messages,
        counts.unseen, counts.deleted, recent, counts.size,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Read:
    mailbox: MailboxRow
    counts: SealedRecord | None
    pendings: list[PendingHead]


def _read(tx: Tx, account_id: int, mailbox_id: bytes, at: int) -> _Read | None:
    mailbox = get_mailbox(tx, account_id, mailbox_id)
    if mailbox is None:
        return None
    if mailbox.highest_modseq == at:
        return _Read(mailbox, None, [])
    return _Read(
        mailbox,
        get_record(tx, account_id, Kind.COUNTS, mailbox_id),
        rows.pending_heads(tx, account_id, mailbox_id),
    )
