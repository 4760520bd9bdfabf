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
