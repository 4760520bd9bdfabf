"""Sets of message numbers, sequence-set of RFC 9051 section 9: two types with one algorithm.

A set is its ranges, sorted and merged, so 1:4294967295 costs what 1 costs. STAR stands for "*",
the highest number in use, and is known only to whoever holds the mailbox: `resolve` asks for it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

STAR = 1 << 32  # above every number there can be: 32 bits, not zero
HIGHEST = STAR - 1

Range = tuple[int, int]


class _Numbers:
    """Ranges of numbers, both ends included; equal when they hold the same numbers."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        """Take ranges in any order, overlapping or not, either end first."""
        self.ranges: tuple[Range, ...] = _merged(ranges)

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Self:
        """The set of these numbers, in any order."""
        made = cls()
        made.ranges = tuple(_runs(sorted(numbers)))
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash((type(self), self.ranges))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, (number, STAR)) - 1
        return at >= 0 and number <= self.ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        """Every number, ascending. Resolve a set that a client sent first: it may be long."""
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __str__(self) -> str:
        """The set as IMAP writes it."""
        return ",".join(_shown(low) if low == high else f"{low}:{_shown(high)}" for low, high in self.ranges)

    def resolve(self, highest: int) -> Self:
        """The set with *highest* for "*", and nothing above it; empty when it is 0.

        A range that ends in "*" holds *highest* even if it begins above it (RFC 9051 section 9).
        """
        if not highest:
            return type(self)()
        kept: list[Range] = []
        for low, high in self.ranges:
            if high == STAR:
                kept.append((min(low, highest), highest))
            elif low <= highest:
                kept.append((low, min(high, highest)))
        return type(self)(kept)

    def among(self, numbers: Sequence[int]) -> Iterator[range]:
        """Where in the ascending *numbers* those of this set stand, as ranges of positions."""
        if not numbers:
            return
        for low, high in self.resolve(numbers[-1]).ranges:
            start, stop = bisect_left(numbers, low), bisect_right(numbers, high)
            if start < stop:
                yield range(start, stop)

    def highest(self) -> int:
        """The highest number that is named, STAR not counted; 0 without one."""
        for low, high in reversed(self.ranges):
            if high != STAR:
                return high
            if low != STAR:
                return low
        return 0


class UidSet(_Numbers):
    """A set of UIDs."""

    __slots__ = ()


class SeqSet(_Numbers):
    """A set of message sequence numbers: it means something only against one session's view."""

    __slots__ = ()


class SavedUids(UidSet):
    """ "$" where UIDs are meant: what the session's last saving search found (RFC 5182)."""

    __slots__ = ()


class SavedNumbers(SeqSet):
    """ "$" where sequence numbers are meant."""

    __slots__ = ()


Saved = SavedUids | SavedNumbers


def in_order(numbers: Iterable[int]) -> str:
    """A set as IMAP writes it, of numbers whose order means something: what rises by one is a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join([f"{low}:{high}" if low < high else f"{low}" for low, high in runs])


def _shown(number: int) -> str:
    return "*" if number == STAR else str(number)


def _runs(ordered: list[int]) -> Iterator[Range]:
    if not ordered:
        return
    low = high = ordered[0]
    for number in ordered:
        if number > high + 1:
            yield low, high
            low = number
        high = number
    yield low, high


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    if isinstance(ranges, list) and len(ranges) == 1 and ranges[0][0] <= ranges[0][1]:
        return (ranges[0],)
    ordered = sorted((a, b) if a <= b else (b, a) for a, b in ranges)
    if len(ordered) < 2:
        return tuple(ordered)
    merged: list[Range] = []
    low, high = ordered[0]
    for start, stop in ordered[1:]:
        # STAR is not next to HIGHEST: what it is depends on the mailbox.
        if start <= high or (start == high + 1 and start != STAR):
            high = max(high, stop)
        else:
            merged.append((low, high))
            low, high = start, stop
    merged.append((low, high))
    return tuple(merged)
