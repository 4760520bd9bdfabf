"""Sorting in steps is sorting."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mailstead.mail.sorting import AT_ONCE, RUN, ordered
from tests.support.steps import finished


def steps(items: Sequence[int], key: Callable[[int], Any], *, reverse: bool) -> int:
    """How many it takes."""
    return sum(1 for _ in ordered(items, key, reverse=reverse))


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1, RUN, 3 * RUN + 7])
@pytest.mark.parametrize("kinds", [1, 7, 1 << 40])
@pytest.mark.parametrize("reverse", [False, True])
def test_equals_stay_in_their_order(count: int, kinds: int, reverse: bool) -> None:
    rng = random.Random(count + kinds)
    keys = [rng.randrange(kinds) for _ in range(count)]
    items = rng.sample(range(count), count)
    assert finished(ordered(items, keys.__getitem__, reverse=reverse)) == sorted(
        items, key=keys.__getitem__, reverse=reverse
    )


def test_many_are_sorted_a_few_at_a_time() -> None:
    assert steps(range(100), int, reverse=False) == 2
    assert steps(range(4 * RUN), int, reverse=True) > 30
