"""Rankings: numbers in the order of what they stand for, which is read to be compared.

They are hashes of strings, or places of messages. A new one is looked up between the others by halves, all
new ones at once.
"""

from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

Texts = Mapping[int, str]  # by what stands for them
Learn = Callable[[Collection[int]], Awaitable[Mapping[int, Any]]]  # what these at least stand for


async def merged(known: "array[int]", new: Sequence[int], learn: Learn) -> "array[int]":
    """A ranking that has what is *new*, too; that is in its order, and none of it is *known*."""
    places = await _places(known, new, learn)
    ranking, last = known[:0], 0
    for number, place in zip(new, places, strict=True):
        ranking.extend(known[last:place])
        ranking.append(number)
        last = place
    ranking.extend(known[last:])
    return ranking


def comparisons(known: int, new: int) -> int:
    """How many strings of as many as are *known* are read at most to find the places of *new* ones."""
    return min(known, new * known.bit_length())


async def _places(known: "array[int]", new: Sequence[int], learn: Learn) -> list[int]:
    """Before which of the *known* each new one comes."""
    places = [0] * len(new)
    # The new ones from here to there are among these known ones.
    spans = [(0, len(known), 0, len(new))] if new else []
    while spans:
        texts = await learn([known[(low + high) // 2] for low, high, _, _ in spans if low < high])
        deeper: list[tuple[int, int, int, int]] = []
        for low, high, first, end in spans:
            if low == high:
                places[first:end] = [low] * (end - first)
                continue
            middle = (low + high) // 2
            cut = bisect_left(new, texts[known[middle]], first, end, key=texts.__getitem__)
            deeper += [(low, middle, first, cut)] if first < cut else []
            deeper += [(middle + 1, high, cut, end)] if cut < end else []
        spans = deeper
    return places
