"""Pendings: what was delivered and is sealed to the owner's public key, opened with his keys.

One is made by whoever has the public key, so nothing in it is believed.
"""

import asyncio
from dataclasses import dataclass, field

from mailstead.accounts.entries import NO_DIGEST, Described, EntryA, EntryB, compressed_a, compressed_b
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.states import FLAGS, KEYWORD_OCTETS, MessageState
from mailstead.crypto.lanes import SUMMARY_FLAGS
from mailstead.crypto.unseal import LaneReader, RecordName, open_summary
from mailstead.errors import UnsealError
from mailstead.mail.flags import KEYWORDS_CAP
from mailstead.mail.mailbox import Modseq
from mailstead.mail.summary import Summary
from mailstead.store.messages import LaneRow, PendingRow

OPENED_AT_ONCE = 16  # then others get their turn: each may cost a decapsulation


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
            FLAGS[self.summary.flags],
            frozenset(k for k in self.summary.keywords[:KEYWORDS_CAP] if len(k.encode()) <= KEYWORD_OCTETS),
        )

    @property
    def _compress(self) -> bool:
        return self.row.summary_flags == SUMMARY_FLAGS

    def entry_a(self) -> EntryA:
        """What a list shows of it."""
        s = self.summary
        return EntryA(
            s.internal_date, s.save_date, s.size, s.trace_octets, self.row.object_id,
            compressed_a(s.envelope, compress=self._compress),
        )  # fmt: skip

    def entry_b(self) -> EntryB:
        """What opens and describes it."""
        s = self.summary
        described = Described(s.bodystructure, s.parts, s.preview.encode(), s.header)
        compressed, header_whole = compressed_b(
            described, header_whole=s.header_whole, compress=self._compress
        )
        return EntryB(
            self.row.object_id, self.key, self.row.lane_id, self.row.ctr, self.row.body_flags,
            NO_DIGEST, int(s.provenance), header_whole, compressed,
        )  # fmt: skip


@dataclass(slots=True)
class OpenedBatch:
    """What a batch of pendings turned out to be."""

    opened: list[Opened] = field(default_factory=list[Opened])
    failed: list[tuple[PendingRow, str]] = field(default_factory=list[tuple[PendingRow, str]])


async def open_pendings(
    keys: SessionKeys,
    mailbox_id: bytes,
    others: frozenset[bytes],
    pendings: list[PendingRow],
    lanes: list[LaneRow],
) -> OpenedBatch:
    """Open what can be opened of *pendings*; say of the others why not.

    Args:
        others: The account's other mailboxes. A summary that names one of them was moved here
            by somebody who is not the owner.
    """
    batch = OpenedBatch()
    sealed = {lane.lane_id: lane for lane in lanes}
    readers: dict[bytes, LaneReader | str] = {}
    for at, row in enumerate(pendings):
        if at % OPENED_AT_ONCE == OPENED_AT_ONCE - 1:
            await asyncio.sleep(0)
        if row.lane_id not in readers:
            readers[row.lane_id] = _open_lane(keys, sealed.get(row.lane_id))
        reader = readers[row.lane_id]
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


def _open_lane(keys: SessionKeys, lane: LaneRow | None) -> LaneReader | str:
    if lane is None:
        return "its lane is missing"
    try:
        return keys.lane(lane.epoch, lane.lane_id, lane.sealed)
    except UnsealError as error:
        return str(error)


def _open(keys: SessionKeys, reader: LaneReader, row: PendingRow) -> Opened:
    key = reader.key(row.ctr)
    name = RecordName(keys.uuid, row.object_id, row.lane_id, row.ctr, row.summary_flags)
    content = open_summary(key, name, row.summary)
    return Opened(row, Summary.decode(content), bytes(key))
