"""Numbers that stand for what messages are sorted and threaded by, a column for each; no content.

A column is filled by who makes it, and is never changed once others can see it.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Self, TypeVar

from mailstead.accounts.states import Uids, no_uids
from mailstead.mail.sorting import ordered

AT_ONCE = 8192  # messages, then others get their turn
_SPARSE = 16  # times as many in a column as are looked for: they are looked up one by one


def no_numbers() -> "array[int]":
    """An empty column of 64 bits each, with a sign."""
    return array("q")


@dataclass(frozen=True, slots=True)
class Numbers:
    """One number of each message: a date, a size, or what stands for a string.

    Args:
        uids: Ascending.
        values: In the same order.
    """

    uids: Uids = field(default_factory=no_uids)
    values: "array[int]" = field(default_factory=no_numbers)

    @property
    def octets(self) -> int:
        """What it takes in memory, without its UIDs."""
        return 8 * len(self.values)

    def add(self, uids: Iterable[int], values: Iterable[int]) -> None:
        """Fill it further, with messages that come behind the others."""
        self.uids.extend(uids)
        self.values.extend(values)

    def join(self, other: Self) -> None:
        """Fill it further with what another has, whose messages come behind."""
        self.uids.extend(other.uids)
        self.values.extend(other.values)

    def before(self, other: Self, uids: Uids) -> Self:
        """What this column has and then what *other* has, as what it has of *uids*."""
        return type(self)(uids, self.values + other.values)

    def only(self, places: Sequence[int], uids: Uids) -> Generator[None, None, Self]:
        """What it has at *places*, as what it has of *uids*."""
        yield
        return type(self)(uids, array("q", map(self.values.__getitem__, places)))


Link = tuple[int, int, Sequence[int]]  # id, reply, references


@dataclass(frozen=True, slots=True)
class Links:
    """What links each message to others.

    Args:
        ids: What stands for the Message-ID; 0 without one.
        replies: 1 where the subject is one of a reply or a forward, else 0.
        ends: Where the references of each message end, and those of the next begin.
        references: What stands for the ids that messages refer to.
    """

    uids: Uids = field(default_factory=no_uids)
    ids: "array[int]" = field(default_factory=no_numbers)
    replies: bytearray = field(default_factory=bytearray)
    ends: "array[int]" = field(default_factory=no_uids)
    references: "array[int]" = field(default_factory=no_numbers)

    @property
    def octets(self) -> int:
        """As `Numbers.octets`."""
        return 13 * len(self.ids) + 8 * len(self.references)

    def add(self, uids: Iterable[int], links: Iterable[Link]) -> None:
        """As `Numbers.add`."""
        self.uids.extend(uids)
        for own, reply, references in links:
            self.ids.append(own)
            self.replies.append(reply)
            self.references.extend(references)
            self.ends.append(len(self.references))

    def join(self, other: Self) -> None:
        """As `Numbers.join`."""
        count = len(self.references)
        self.uids.extend(other.uids)
        self.ids.extend(other.ids)
        self.replies.extend(other.replies)
        self.ends.extend([count + end for end in other.ends])
        self.references.extend(other.references)

    def before(self, other: Self, uids: Uids) -> Self:
        """As `Numbers.before`."""
        ids, replies, count = self.ids + other.ids, self.replies + other.replies, len(self.references)
        ends = self.ends + array("I", [count + end for end in other.ends])
        return type(self)(uids, ids, replies, ends, self.references + other.references)

    def only(self, places: Sequence[int], uids: Uids) -> Generator[None, None, Self]:
        """As `Numbers.only`."""
        lists = yield from self.lists()
        found = type(self)(uids)
        for at in range(0, len(places), AT_ONCE):
            some = places[at : at + AT_ONCE]
            found.add((), [(self.ids[place], self.replies[place], lists[place]) for place in some])
            yield
        return found

    def lists(self) -> Generator[None, None, list[Sequence[int]]]:
        """What each message refers to."""
        lists: list[Sequence[int]] = []
        start, ends, references = 0, iter(self.ends), self.references
        while some := list(islice(ends, AT_ONCE)):
            for end in some:
                lists.append(references[start:end] if start < end else ())
                start = end
            yield
        return lists


C = TypeVar("C", Numbers, Links)


def with_more(column: C, new: C) -> Generator[None, None, C]:
    """A column with what *new* has, which are other messages."""
    uids = column.uids + new.uids
    both = column.before(new, uids)
    if not column.uids or not new.uids or column.uids[-1] < new.uids[0]:
        return both
    order = yield from ordered(range(len(uids)), uids.__getitem__)
    return (yield from both.only(order, array("I", map(uids.__getitem__, order))))


def of_these(column: C, uids: Uids) -> Generator[None, None, C]:
    """What a column has of *uids*, which are ascending and all in it."""
    if column.uids == uids:
        return column
    places: list[int] = []
    for at in range(0, len(uids), AT_ONCE):
        some = uids[at : at + AT_ONCE]
        low, high = bisect_left(column.uids, some[0]), bisect_right(column.uids, some[-1])
        if high - low > _SPARSE * len(some):
            places += [bisect_left(column.uids, uid, low, high) for uid in some]
        else:
            known = dict(zip(column.uids[low:high], range(low, high), strict=True))
            places += map(known.__getitem__, some)
        yield
    return (yield from column.only(places, uids))
