"""Columns are what dicts from UID to numbers are."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from mailstead.accounts.columns import Link, Links, Numbers, of_these, with_more
from mailstead.mail.sorting import AT_ONCE
from tests.support.steps import finished

UIDS = st.integers(1, 40)
SOME = st.dictionaries(UIDS, st.integers(-(1 << 63), (1 << 63) - 1))
NUMBER = st.integers(-(1 << 63), (1 << 63) - 1)
LINKS = st.dictionaries(UIDS, st.tuples(NUMBER, st.integers(0, 1), st.lists(NUMBER, max_size=3)))


def numbers(some: dict[int, int]) -> Numbers:
    column = Numbers()
    column.add(sorted(some), [some[uid] for uid in sorted(some)])
    return column


def links(some: dict[int, Link]) -> Links:
    column = Links()
    column.add(sorted(some), [some[uid] for uid in sorted(some)])
    return column


@given(SOME, SOME, st.sets(UIDS))
def test_numbers(some: dict[int, int], more: dict[int, int], wanted: set[int]) -> None:
    new = {uid: more[uid] for uid in more.keys() - some.keys()}
    both = finished(with_more(numbers(some), numbers(new)))
    assert both == numbers(some | new)
    there = sorted(wanted & (some | new).keys())
    assert finished(of_these(both, array("I", there))) == numbers({uid: (some | new)[uid] for uid in there})


@given(LINKS, LINKS, st.sets(UIDS))
def test_links(some: dict[int, Link], more: dict[int, Link], wanted: set[int]) -> None:
    new = {uid: more[uid] for uid in more.keys() - some.keys()}
    both = finished(with_more(links(some), links(new)))
    assert both == links(some | new)
    assert [list(found) for found in finished(both.lists())] == [
        list(link[2]) for _, link in sorted((some | new).items())
    ]
    there = sorted(wanted & (some | new).keys())
    assert finished(of_these(both, array("I", there))) == links({uid: (some | new)[uid] for uid in there})


def test_many_and_few_of_many() -> None:
    everything = {uid: -uid for uid in range(1, 3 * AT_ONCE)}
    column = numbers(everything)
    for step in (1, 2, 999):
        wanted = array("I", range(1, 3 * AT_ONCE, step))
        assert finished(of_these(column, wanted)).values == array("q", [-uid for uid in wanted])
    odd, even = ({uid: -uid for uid in range(first, 3 * AT_ONCE, 2)} for first in (1, 2))
    assert finished(with_more(numbers(odd), numbers(even))) == column
