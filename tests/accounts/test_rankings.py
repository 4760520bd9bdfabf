"""A ranking with more in it is all of them sorted, and few of the strings are looked at for that."""

from array import array
from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from mailstead.accounts.rankings import Texts, comparisons, merged

TEXTS = st.sets(st.text("abc", max_size=4), max_size=40)


@given(TEXTS, TEXTS)
async def test_new_ones_are_put_in_between(some: set[str], more: set[str]) -> None:
    texts = {hash(text): text for text in some | more}
    known = [hash(text) for text in sorted(some)]
    new = [hash(text) for text in sorted(more - some)]
    looked_at: set[int] = set()

    async def learn(numbers: Collection[int]) -> Texts:
        looked_at.update(numbers)
        return texts

    found = await merged(array("q", known), new, learn)
    assert [texts[number] for number in found] == sorted(texts.values())
    assert looked_at <= set(known)
    assert len(looked_at) <= comparisons(len(known), len(new))
