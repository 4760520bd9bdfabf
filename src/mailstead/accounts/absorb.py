"""Absorbing: delivered mail becomes pages, sealed under the owner's own keys.

A pending was sealed by a stranger to the owner's public key; a session opens it and seals it
again into pages of 256 messages, which list forty times faster and whose keys can be erased.
One batch is one transaction; it is idempotent, and no lease guards it: the account row is the
lock, and whoever loses the race by a version reads again.

A pending is made by whoever has the public key, so nothing in it is believed: one that fails is
moved to quarantine with its octets, and never stops the others.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import NO_DIGEST, EntryA, EntryB, pack_a, pack_b
from mailstead.accounts.shelf import Shelf, ShelfRows, ShelfWrites, read_shelf
from mailstead.accounts.states import MessageState
from mailstead.crypto.unseal import LaneReader, RecordName, open_summary
from mailstead.errors import Refused, UnsealError
from mailstead.mail.mailbox import Modseq, SystemFlag, Uid
from mailstead.mail.summary import Summary
from mailstead.store import messages as rows
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import mailboxes
from mailstead.store.messages import PendingRow, row_number
from mailstead.store.records import LostRace

LANES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A pending that could be opened: its summary, and the key of its body."""

    row: PendingRow
    summary: Summary
    key: bytes

    def state(self) -> MessageState:
        """The state it arrived with."""
        return MessageState(
            Modseq(self.row.modseq),
            SystemFlag(self.summary.flags),
            frozenset(self.summary.keywords),
        )

    def entry_a(self) -> EntryA:
        """What a list shows of it."""
        s = self.summary  # what is delivered is saved here at the moment it arrives
        return EntryA(
            s.internal_date, s.internal_date, s.size, s.trace_octets, self.row.object_id, s.envelope
        )

    def entry_b(self) -> EntryB:
        """What opens and describes it."""
        s = self.summary
        return EntryB(
            self.row.object_id, self.key, self.row.lane_id, self.row.ctr, self.row.body_flags,
            NO_DIGEST, int(s.provenance), s.bodystructure, s.parts, s.preview.encode(), s.header,
            s.header_whole,
        )  # fmt: skip


@dataclass(slots=True)
class OpenedBatch:
    """What a batch of pendings turned out to be."""

    opened: list[Opened] = field(default_factory=list[Opened])
    failed: list[tuple[PendingRow, str]] = field(default_factory=list[tuple[PendingRow, str]])


def open_pendings(
    keys: SessionKeys,
    mailbox_id: bytes,
    others: frozenset[bytes],
    pendings: list[PendingRow],
    lanes: list[rows.LaneRow],
) -> OpenedBatch:
    """Open what can be opened of *pendings*; say of the others why not.

    Args:
        others: The account's other mailboxes. A summary that names one of them was moved here
            by somebody who is not the owner.
    """
    batch = OpenedBatch()
    readers: dict[bytes, LaneReader | str] = {}
    for lane in lanes:
        try:
            readers[lane.lane_id] = keys.lane(lane.epoch, lane.lane_id, lane.sealed)
        except UnsealError as error:
            readers[lane.lane_id] = str(error)
    for row in pendings:
        reader = readers.get(row.lane_id, "its lane is missing")
        if isinstance(reader, str):
            batch.failed.append((row, reader))
            continue
        try:
            opened = _open(keys, reader, row)
            if opened.summary.mailbox_id in others:
                raise UnsealError("it was delivered to another mailbox")
            batch.opened.append(opened)
        except UnsealError as error:
            batch.failed.append((row, str(error)))
    for reader in readers.values():
        if not isinstance(reader, str):
            reader.close()
    return batch


def _open(keys: SessionKeys, reader: LaneReader, row: PendingRow) -> Opened:
    key = reader.key(row.ctr)
    name = RecordName(keys.uuid, row.object_id, row.lane_id, row.ctr, row.summary_flags)
    content = open_summary(key, name, row.summary)
    return Opened(row, Summary.decode(content), bytes(key))


class Absorber:
    """Absorbs the mailboxes of one unlocked account."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys

    async def absorb(self, mailbox_id: bytes) -> int:
        """Absorb all that is pending in a mailbox, a batch at a time; how many messages."""
        total = 0
        while True:
            try:
                done = await self._batch(mailbox_id)
            except LostRace:
                continue  # another session wrote first, so progress was made
            if not done:
                return total
            total += done

    async def _batch(self, mailbox_id: bytes) -> int:
        keys = self._keys
        account_id = keys.account_id
        read = await self._database.read(lambda tx: _read(tx, account_id, mailbox_id))
        if read is None:
            return 0
        batch = open_pendings(keys, mailbox_id, read.others, read.pendings, read.lanes)
        writes = self._seal(mailbox_id, read.shelf, batch.opened) if batch.opened else None

        def work(tx: Tx) -> None:
            fence(tx, account_id, keys.root_gen, keys.read_gen, 0)
            if writes is not None:
                writes.apply(tx, account_id, mailbox_id)
            for row, reason in batch.failed:
                rows.quarantine(tx, account_id, mailbox_id, row, reason)
            rows.drop_pendings(tx, account_id, mailbox_id, read.pendings)

        await self._database.write(work)
        return len(read.pendings)

    def _seal(self, mailbox_id: bytes, read: ShelfRows, opened: list[Opened]) -> ShelfWrites:
        try:
            return _seal(Shelf(self._keys, mailbox_id, read), opened)
        except Refused:  # whoever fills a row with keywords shall not stop the mail beside his
            plain = [replace(m, summary=replace(m.summary, keywords=())) for m in opened]
            return _seal(Shelf(self._keys, mailbox_id, read), plain)


@dataclass(frozen=True, slots=True)
class _Read:
    pendings: list[PendingRow]
    lanes: list[rows.LaneRow]
    shelf: ShelfRows
    others: frozenset[bytes]  # the account's other mailboxes


def _read(tx: Tx, account_id: int, mailbox_id: bytes) -> _Read | None:
    pendings = rows.pendings(tx, account_id, mailbox_id)
    if not pendings:
        return None
    # Two rows at the most, so that a batch stays small however far apart the UIDs lie.
    last = row_number(pendings[0].uid) + 1
    pendings = [p for p in pendings if row_number(p.uid) <= last]
    # And no more encapsulations than this, however many lanes a stranger opened.
    lane_ids = list(dict.fromkeys(p.lane_id for p in pendings))[:LANES_AT_ONCE]
    pendings = [p for p in pendings if p.lane_id in lane_ids]
    numbers = sorted({row_number(p.uid) for p in pendings})
    return _Read(
        pendings,
        rows.lanes(tx, account_id, lane_ids),
        read_shelf(tx, account_id, mailbox_id, numbers, pages=True),
        frozenset(m.mailbox_id for m in mailboxes(tx, account_id)) - {mailbox_id},
    )


def _seal(shelf: Shelf, opened: list[Opened]) -> ShelfWrites:
    by_row: dict[int, list[Opened]] = defaultdict(list)
    for message in opened:
        by_row[row_number(message.row.uid)].append(message)
    for number, messages in by_row.items():
        shelf.add(
            number,
            {Uid(m.row.uid): m.state() for m in messages},
            (
                {Uid(m.row.uid): pack_a(m.entry_a()) for m in messages},
                {Uid(m.row.uid): pack_b(m.entry_b()) for m in messages},
            ),
            sum(m.summary.size for m in messages),
        )
    return shelf.seal()
