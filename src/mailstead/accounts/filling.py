"""Filling the columns that a command needs: out of what is kept, of what is stored, and of the messages."""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Generator
from dataclasses import dataclass, replace
from typing import TypeVar

from mailstead.accounts.columns import C, Links, Numbers, of_these, with_more
from mailstead.accounts.keptorders import KeptMailbox
from mailstead.accounts.marks import Extra, Field, Making, Mark
from mailstead.accounts.states import Uids
from mailstead.accounts.storedorders import Recalled, StoredOrders
from mailstead.accounts.summaries import Check, Summaries
from mailstead.mail.mailbox import Uid
from mailstead.mail.sortkeys import By
from mailstead.store.numbers import by_row, row_number

FEW = 32  # messages that are read without asking what is stored of them

T = TypeVar("T")
_Lacking = dict[Field, set[int]]  # UIDs
_Row = list[tuple[Uid, list[Mark]]]


class Gone(Exception):
    """Messages of which numbers are kept are not there any more."""

    def __init__(self, uids: Collection[int]) -> None:
        super().__init__()
        self.uids = uids


@dataclass(frozen=True, slots=True)
class Filling:
    """Fills what is kept of one mailbox.

    Args:
        there: All its messages.
        check: Called now and then, to raise when nobody waits any more.
        stored: What other sessions left; None: nothing is asked of it.
        keep: What is read may be stored.
    """

    summaries: Summaries
    mailbox_id: bytes
    kept: KeptMailbox
    there: Uids
    check: Check
    stored: StoredOrders | None
    keep: bool

    async def fill(self, asked: Uids, making: Making) -> Uids:
        """Read what is not kept of these messages; those that are there."""
        wanted = set(asked)
        lacking: _Lacking = {}
        for field in making.fields:
            column = self._column(field)
            if column.uids != asked and (missing := wanted.difference(column.uids)):
                lacking[field] = missing
            await asyncio.sleep(0)
        recalled = await self._recall(lacking, making)
        unread = set[int]().union(*lacking.values())
        if not unread:
            return asked
        whole = self._whole_rows(unread, lacking) if recalled is not None and self.keep else {}
        new = {field: Links() if isinstance(field, Extra) else Numbers() for field in lacking}
        async for row in self.read(unread, making):
            unread.difference_update([uid for uid, _ in row])
            for at, field in enumerate(making.fields):
                if field in lacking:
                    some = [(uid, marks[at]) for uid, marks in row if uid in lacking[field]]
                    _add(new[field], some)
            if recalled is not None and row and whole.get(row_number(row[0][0])) == len(row):
                self._store(recalled, row, lacking, making)
        for field, column in new.items():
            await self._join(field, column)
        return array("I", [uid for uid in asked if uid not in unread]) if unread else asked

    def read(self, uids: Collection[int], making: Making) -> AsyncIterator[_Row]:
        """What is made of these messages, as far as they are there, a row at a time."""
        return self.summaries.of(
            self.mailbox_id,
            map(Uid, uids),
            making.make,
            self.check,
            envelopes=making.envelopes,
            headers=making.headers,
        )

    async def _recall(self, lacking: _Lacking, making: Making) -> Recalled | None:
        """Take what is stored of what is *lacking*, and is so no more; None: nothing was asked of it."""
        if self.stored is None or max(map(len, lacking.values()), default=0) < FEW:
            return None
        numbers = {number for number, _ in by_row(sorted(set[int]().union(*lacking.values())))}
        texts = {field: found for field, found in making.texts.items() if field in lacking}
        recalled = await self.stored.recall(self.mailbox_id, numbers, list(lacking), texts)
        for field, column in recalled.columns.items():
            await self._join(field, await _only(column, lacking[field]))
            lacking[field].difference_update(column.uids)
            if not lacking[field]:
                del lacking[field]
            await asyncio.sleep(0)
        return recalled

    def _whole_rows(self, unread: set[int], lacking: _Lacking) -> dict[int, int]:
        """See to it that rows are read as a whole of which half is; how many messages each of them has."""
        there, whole = self.there, dict[int, int]()
        more: set[int] = set()
        for number, some in by_row(sorted(unread)):
            here = there[bisect_left(there, (number << 8) + 1) : bisect_left(there, (number + 1 << 8) + 1)]
            if 2 * len(some) >= len(here):
                whole[number] = len(here)
                more.update(here)
        more -= unread
        if more:
            unread |= more
            for field, uids in lacking.items():
                uids.update(more.difference(self._column(field).uids))
        return whole

    def _store(self, recalled: Recalled, row: _Row, lacking: _Lacking, making: Making) -> None:
        assert self.stored is not None, "something was recalled"
        number = row_number(row[0][0])
        for at, field in enumerate(making.fields):
            if field in lacking and not lacking[field].isdisjoint([uid for uid, _ in row]):
                marks = [(uid, found[at]) for uid, found in row]
                self.stored.keep(recalled, self.mailbox_id, number, field, marks, making.texts.get(field, {}))

    async def _join(self, field: Field, column: Numbers | Links) -> None:
        """Add a column of other messages to what is kept."""
        if isinstance(field, By) and isinstance(column, Numbers):
            self.kept.numbers[field] = self._sharing(
                await in_turns(with_more(self.kept.numbers[field], column))
            )
        elif isinstance(column, Links):
            self.kept.links = self._sharing(await in_turns(with_more(self.kept.links, column)))

    def _column(self, field: Field) -> Numbers | Links:
        if isinstance(field, Extra):
            return self.kept.links
        return self.kept.numbers.setdefault(field, Numbers())

    def _sharing(self, column: C) -> C:
        """A column that has the same list of UIDs as others, if it can."""
        return replace(column, uids=self.there) if column.uids == self.there else column


def _add(column: Numbers | Links, some: list[tuple[Uid, Mark]]) -> None:
    uids = [uid for uid, _ in some]
    if isinstance(column, Numbers):
        column.add(uids, [mark for _, mark in some if isinstance(mark, int)])
    else:
        column.add(uids, [mark for _, mark in some if not isinstance(mark, int)])


async def _only(column: Numbers | Links, uids: set[int]) -> Numbers | Links:
    """What a column has of *uids*."""
    if uids.issuperset(column.uids):
        return column
    some = array("I", filter(uids.__contains__, column.uids))
    if isinstance(column, Numbers):
        return await in_turns(of_these(column, some))
    return await in_turns(of_these(column, some))


async def in_turns(steps: Generator[None, None, T]) -> T:
    """What *steps* return; others have their turn in between."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found
        await asyncio.sleep(0)
