"""Sorting many things in steps, so that others can have their turn in between."""

from collections.abc import Callable, Generator, Sequence
from heapq import merge
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 4 << 10  # are sorted, or merged of many, without a break
RUN = 16 << 10  # that were sorted already are merged without one


def ordered(
    items: Sequence[T], key: Callable[[T], Any], *, reverse: bool = False
) -> Generator[None, None, list[T]]:
    """*items* from the lowest *key* to the highest, or in *reverse*; equals stay as they were."""
    runs: list[list[T]] = []
    for start in range(0, len(items), RUN):
        run: list[T] = []
        for at in range(start, min(start + RUN, len(items)), AT_ONCE):
            run += sorted(items[at : at + AT_ONCE], key=key, reverse=reverse)
            yield
        run.sort(key=key, reverse=reverse)
        runs.append(run)
        yield
    if len(runs) == 1:
        return runs[0]
    found: list[T] = []
    merged = merge(*runs, key=key, reverse=reverse)
    while some := list(islice(merged, AT_ONCE)):
        found += some
        yield
    return found
