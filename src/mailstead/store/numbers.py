"""Which row of pages and states holds which messages: 256 to a row, for life."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeVar

N = TypeVar("N", bound=int)

PAGE_MESSAGES = 256
LEAF_BITS = 6  # a leaf is of 64 rows


def row_number(uid: int) -> int:
    """The page and state row that holds *uid*."""
    return (uid - 1) >> 8


def by_row(uids: Sequence[N]) -> Iterator[tuple[int, Sequence[N]]]:
    """Ascending *uids* by the row that holds them."""
    at = 0
    while at < len(uids):
        number = row_number(uids[at])
        end = bisect_left(uids, ((number + 1) << 8) + 1, at)
        yield number, uids[at:end]
        at = end


def runs_of(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each run without a gap; *numbers* ascend.

    Each takes as many steps as its length has binary digits.
    """
    at = 0
    while at < len(numbers):
        end = len(numbers)
        if numbers[-1] - numbers[at] != end - 1 - at:
            low, high = at + 1, end - 1  # the run ends in here
            while low < high:
                middle = (low + high) // 2
                if numbers[middle] - numbers[at] == middle - at:
                    low = middle + 1
                else:
                    high = middle
            end = low
        yield numbers[at], numbers[end - 1]
        at = end
