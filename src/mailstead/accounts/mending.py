"""An order to which messages came, or from which some went: new ones are looked up by halves.

So a few rows are read, and not those of all messages.
"""

from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailstead.accounts.columns import Numbers
from mailstead.accounts.filling import Filling, Gone
from mailstead.accounts.keptorders import Finished
from mailstead.accounts.marks import Making, Mark, is_string
from mailstead.accounts.rankings import merged
from mailstead.accounts.states import Uids
from mailstead.accounts.storedorders import StoredOrders
from mailstead.mail.sortkeys import Criterion
from mailstead.store.numbers import by_row

MOST = 16  # messages that are looked up; to put all in order takes as long as to look up more

_Key = tuple[Any, ...]  # what a message is compared by


@dataclass(frozen=True, slots=True)
class _Reversed:
    """A string that comes before those that it comes behind."""

    text: str

    def __lt__(self, other: "_Reversed") -> bool:
        return self.text > other.text


async def mended(
    before: Finished, asked: Uids, criteria: Sequence[Criterion], filling: Filling, stored: StoredOrders
) -> Finished | None:
    """The order of the messages of *asked*, out of what it was *before*; None when it is not done faster so.

    Args:
        asked: All messages of the mailbox, ascending.

    Raises:
        Gone: one of them is not there.
    """
    there = bisect_right(asked, before.uids[-1]) if before.uids else 0
    known = _those_of(before, asked[:there])
    if known is None or len(asked) - there > MOST:
        return None
    keys = _Keys(asked, criteria, filling, stored)
    new = range(there, len(asked))
    found = await keys.learn(new)
    return Finished(asked, asked, await merged(known, sorted(new, key=found.__getitem__), keys.learn))


def _those_of(before: Finished, uids: Uids) -> "array[int] | None":
    """The order of *uids*, as their places; None when some of them were not there before."""
    if before.uids == uids:
        return before.places
    places = {uid: place for place, uid in enumerate(uids)}
    order = [before.uids[place] for place in before.places]
    known = array("I", [places[uid] for uid in order if uid in places])
    return known if len(known) == len(uids) else None


class _Keys:
    """What messages are compared by, by their place; a row is read when one of its messages is asked for."""

    def __init__(
        self, asked: Uids, criteria: Sequence[Criterion], filling: Filling, stored: StoredOrders
    ) -> None:
        self._asked = asked
        self._criteria = criteria
        self._filling = filling
        self._stored = stored
        self._making = Making([criterion.by for criterion in criteria], filling.mailbox_id)
        self._found: dict[int, _Key] = {}

    async def learn(self, places: Collection[int]) -> Mapping[int, _Key]:
        """The keys of these at least."""
        unread = {self._asked[place]: place for place in places if place not in self._found}
        if unread:
            async for uid, marks in self._marks(sorted(unread)):
                place = unread.pop(uid)
                self._found[place] = (*map(self._part, self._criteria, marks), place)
        if unread:
            raise Gone(unread)
        return self._found

    async def _marks(self, uids: list[int]) -> AsyncIterator[tuple[int, Sequence[Mark]]]:
        """What was made of these messages: as it is stored, or else now."""
        making, mailbox_id = self._making, self._filling.mailbox_id
        numbers = {number for number, _ in by_row(uids)}
        recalled = await self._stored.recall(mailbox_id, numbers, making.fields, making.texts)
        columns = [
            dict(zip(column.uids, column.values, strict=True))
            for column in map(recalled.columns.__getitem__, making.fields)
            if isinstance(column, Numbers)
        ]
        left: list[int] = []
        for uid in uids:
            if all(uid in column for column in columns):
                yield uid, [column[uid] for column in columns]
            else:
                left.append(uid)
        if left:
            async for row in self._filling.read(left, making):
                for some in row:
                    yield some

    def _part(self, criterion: Criterion, mark: Mark) -> "int | str | _Reversed":
        """What is compared of one message by one criterion."""
        assert isinstance(mark, int), "nothing is sorted by links"
        if not is_string(criterion.by):
            return -mark if criterion.reverse else mark
        text = self._making.texts[criterion.by][mark]
        return _Reversed(text) if criterion.reverse else text
