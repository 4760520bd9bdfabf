"""What the search index says of a mailbox: which of its messages have a string, surely or perhaps.

What is not indexed yet, and what is not certain, is left to who asks, to look at the messages themselves;
so what a search finds is the same with an index and without one.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailstead.accounts.indexhead import IndexHead, Segment, decode_row
from mailstead.accounts.indexpieces import Pieces, Wanted
from mailstead.accounts.keys import SessionKeys
from mailstead.clock import ticks
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.index.lookup import NOTHING, Looking, look_up
from mailstead.index.segment import SPAN, Damaged, Layout
from mailstead.index.terms import Clue
from mailstead.mail.uidset import UidSet
from mailstead.metrics.families import Histogram
from mailstead.store.accounts import Stale
from mailstead.store.database import Database, Tx
from mailstead.store.records import get_record
from mailstead.store.segments import document_rows, row_id

ROWS_AT_ONCE = 32  # of documents, opened before others get their turn
CLUES_CAP = (
    64  # of one search: what is found of each takes 64 KiB for each span; with more, messages are looked at
)

Where = tuple[Clue, bytes]  # and in which fields it is true


class Question(NamedTuple):
    """What messages are looked for.

    Args:
        groups: Of each group one clue at least is true of such a message; there is one at least.
        sure: A message of which they are true is such a one.
    """

    groups: tuple[tuple[Where, ...], ...]
    sure: bool


class Hits(NamedTuple):
    """The messages of which the clues of a question are true.

    Args:
        uids: Those; of messages that are known no others are what was asked for.
        sure: All of them are.
        known: The messages that the index knows.
    """

    uids: frozenset[int]
    sure: bool
    known: UidSet


Run = tuple[int, int, int]  # first UID, lower half of its document, and how many follow each other in both


@dataclass(frozen=True, slots=True)
class _Columns:
    """Of a mailbox: its messages in each span, and which documents they are."""

    spans: Mapping[int, Sequence[Run]]
    known: UidSet


_Looking = tuple[Segment, Looking]


class SearchIndex:
    """The search index of one account, as sessions ask it.

    Args:
        searching: Counts how long it takes.
    """

    def __init__(self, database: Database, keys: SessionKeys, searching: Histogram | None = None) -> None:
        self._searching = searching
        self.pieces = Pieces(database, keys)
        self._database = database
        self._keys = keys
        self.damage = ""  # what somebody found who asked
        self._head: IndexHead | None = None
        self._head_write = b""
        self._columns: dict[bytes, _Columns] = {}

    async def ask(self, mailbox_id: bytes, questions: Collection[Question]) -> dict[Question, Hits] | None:
        """The answers to *questions* about a mailbox; None while there is no index that could say."""
        began = ticks()
        try:
            head = await self.head()
            if head is None or not head.segments:
                return None
            columns = await self._columns_of(mailbox_id, head)
            if not columns.spans:
                return None
            clues = list(dict.fromkeys(where for q in questions for group in q.groups for where in group))
            if len(clues) > CLUES_CAP:
                return None
            segments = [s for s in head.segments if s.span in columns.spans]
            layouts = await self.pieces.layouts(segments)
            there = _newest_first(segments, layouts)
            found = {clue: await self._look_up(there, clue) for clue in clues}
        except Stale:
            return None
        except (UnsealError, Damaged) as error:
            self.damage = str(error)
            return None
        hits = {q: _hits(q, columns, found) for q in questions}
        if self._searching is not None:
            self._searching.observe(ticks() - began)
        return hits

    async def head(self) -> IndexHead | None:
        """The newest head; None before there is any.

        Raises:
            UnsealError: it is not what this account wrote.
            Stale: the account's keys have moved on.
        """
        record = await self._database.read(lambda tx: get_record(tx, self._keys.account_id, Kind.SEGMENT))
        if record is None:
            self._take(None, b"")
        elif record.write_id != self._head_write:
            self._take(open_head(self._keys, record), record.write_id)
        return self._head

    def _take(self, head: IndexHead | None, write_id: bytes) -> None:
        self._head, self._head_write = head, write_id
        self._columns.clear()
        self.pieces.forget_others(() if head is None else head.segments)

    async def _columns_of(self, mailbox_id: bytes, head: IndexHead) -> _Columns:
        found = self._columns.get(mailbox_id)
        if found is None:
            found = await self._read_columns(mailbox_id, head)
            self._columns[mailbox_id] = found
        return found

    async def _read_columns(self, mailbox_id: bytes, head: IndexHead) -> _Columns:
        def work(tx: Tx) -> dict[int, SealedRecord]:
            return document_rows(tx, self._keys.account_id, mailbox_id)

        runs: list[list[int]] = []  # first UID and document, and how many
        for at, (number, record) in enumerate((await self._database.read(work)).items()):
            if at % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)
            row = open_row(self._keys, mailbox_id, number, record, head.index_id)
            for uid, document in zip(*row, strict=True) if row else ():
                last = runs[-1] if runs else [0, 0, 0]
                follows = uid - last[0] == document - last[1] == last[2]
                if follows and document % SPAN:
                    last[2] += 1
                else:
                    runs.append([uid, document, 1])
        spans: dict[int, list[Run]] = {}
        for uid, document, count in runs:
            spans.setdefault(document // SPAN, []).append((uid, document % SPAN, count))
        return _Columns(spans, UidSet(tuple((uid, uid + count - 1) for uid, _, count in runs)))

    async def _look_up(self, there: Sequence[tuple[Segment, Layout]], clue: Where) -> dict[int, bytes]:
        """For each span an octet for each lower half of a document: 1 if the clue is true of it."""
        found: dict[int, bytes] = {}
        looking = [(segment, look_up(layout, *clue)) for segment, layout in there]
        sent: list[list[bytes] | None] = [None] * len(looking)
        while looking:
            going, wanted = list[_Looking](), list[Wanted]()
            for one, octets in zip(looking, sent, strict=True):
                segment, work = one
                try:
                    stretches = next(work) if octets is None else work.send(octets)
                except StopIteration as done:
                    found[segment.span] = _either(found.get(segment.span, NOTHING), done.value)
                else:
                    going.append(one)
                    wanted.append((segment, stretches))
            looking = going
            sent = list(await self.pieces.read(wanted)) if wanted else []
            await asyncio.sleep(0)
        return found


def _newest_first(segments: Sequence[Segment], layouts: Sequence[Layout]) -> list[tuple[Segment, Layout]]:
    return list(zip(segments, layouts, strict=True))[::-1]


def _either(one: bytes, other: bytes | bytearray) -> bytes:
    if one is NOTHING:
        return bytes(other)
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(SPAN, "little")


def _both(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(SPAN, "little")


def _hits(question: Question, columns: _Columns, found: Mapping[Where, Mapping[int, bytes]]) -> Hits:
    uids: list[int] = []
    for span, runs in columns.spans.items():
        flags: bytes | None = None
        for group in question.groups:
            more = NOTHING
            for where in group:
                more = _either(more, found[where].get(span, NOTHING))
            flags = more if flags is None else _both(flags, more)
        assert flags is not None, "there is one group at least"
        for uid, lower, count in runs:
            at = flags.find(1, lower, lower + count)
            while at >= 0:
                uids.append(uid + at - lower)
                at = flags.find(1, at + 1, lower + count)
    return Hits(frozenset(uids), question.sure, columns.known)


def open_head(keys: SessionKeys, record: SealedRecord) -> IndexHead:
    """Open the head of an account's index.

    Raises:
        UnsealError: it is not what this account wrote.
        Stale: the account's keys have moved on.
    """
    return IndexHead.decode(record.version, keys.open(Kind.SEGMENT, bytes(16), 0, 0, record))


def open_row(
    keys: SessionKeys, mailbox_id: bytes, number: int, record: SealedRecord, index_id: bytes
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """UIDs and documents of a row of messages; None when nothing good is there."""
    try:
        content = keys.open(Kind.SEGMENT, mailbox_id, 0, 0, record, row_id(number))
        return decode_row(index_id, content)
    except (UnsealError, Stale):
        return None
