"""Sets of numbers against sets of numbers."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail.uidset import HIGHEST, STAR, SeqSet, UidSet

RANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=8)
ENDS = st.one_of(st.integers(1, 40), st.just(STAR))


def plain(ranges: list[tuple[int, int]]) -> set[int]:
    return {n for a, b in ranges for n in range(min(a, b), max(a, b) + 1)}


@given(RANGES)
def test_a_set_is_its_numbers(ranges: list[tuple[int, int]]) -> None:
    made, numbers = UidSet(ranges), plain(ranges)
    assert set(made) == numbers
    assert list(made) == sorted(numbers)
    assert len(made) == len(numbers)
    assert bool(made) == bool(numbers)
    assert all((n in made) == (n in numbers) for n in range(45))
    assert made == UidSet.of(numbers)
    assert made.highest() == max(numbers, default=0)


@given(st.lists(st.tuples(ENDS, ENDS), max_size=6), st.sets(st.integers(1, 30)))
def test_star_is_the_highest(ranges: list[tuple[int, int]], present: set[int]) -> None:
    ordered = array("I", sorted(present))
    highest = ordered[-1] if ordered else 0
    wanted = plain([(highest if a == STAR else a, highest if b == STAR else b) for a, b in ranges]) & present
    made = UidSet(ranges)
    assert {ordered[at] for positions in made.among(ordered) for at in positions} == wanted
    resolved = made.resolve(highest)
    assert set(resolved) & present == wanted
    assert resolved.highest() <= highest


def test_a_huge_range_costs_nothing() -> None:
    every = UidSet([(1, HIGHEST), (7, STAR), (1, HIGHEST)] * 1000)
    assert every.ranges == ((1, STAR),)
    assert [list(r) for r in every.among([5, 9])] == [[0, 1]]


def test_how_it_is_written() -> None:
    assert str(UidSet([(3, 1), (5, 5), (4, 4), (9, STAR)])) == "1:5,9:*"
    assert str(UidSet([(STAR, STAR)])) == "*"
    assert str(UidSet()) == ""
    assert repr(SeqSet([(1, 2)])) == "SeqSet('1:2')"


def test_two_types() -> None:
    assert UidSet([(1, 2)]) != SeqSet([(1, 2)])
    assert len({UidSet([(1, 2)]), SeqSet([(1, 2)]), UidSet([(1, 1), (2, 2)])}) == 2


@pytest.mark.parametrize("highest", [0, 1])
def test_an_empty_mailbox_has_no_star(highest: int) -> None:
    assert bool(UidSet([(STAR, STAR)]).resolve(highest)) == bool(highest)


def test_star_is_not_next_to_the_highest_number() -> None:
    assert list(UidSet([(HIGHEST, HIGHEST), (STAR, STAR)]).resolve(3)) == [3]
