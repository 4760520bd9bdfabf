"""What a client that does what it is told has, is what is kept (RFC 5267 sections 4.3.3 and 4.3.4)."""

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.searchkeys import Everything
from mailstead.imap.sort import By, Criterion
from mailstead.imap.updates import Placed
from mailstead.services.imap import standing as standings
from mailstead.services.imap.standing import Standing


def obey(result: list[int], removed: Sequence[Placed], added: Sequence[Placed]) -> None:
    """What a client does; it knows nothing but the responses."""
    for at, uids in removed:
        if at:
            assert result[at - 1 : at - 1 + len(uids)] == list(uids), "the first will be at that place"
            del result[at - 1 : at - 1 + len(uids)]
        else:
            for uid in uids:
                result.remove(uid)
    for at, uids in added:
        if at:
            assert at - 1 <= len(result)
            result[at - 1 : at - 1] = uids
        else:
            result[:] = sorted([*result, *uids])


def made(uids: Sequence[int], criteria: tuple[Criterion, ...] = ()) -> Standing:
    return Standing(b"t", b'(TAG "t")', True, Everything(), 0.0, array("I", uids), criteria)


@pytest.mark.parametrize("few", [0, 8])
@given(data=st.data())
def test_any_change(few: int, data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.integers(0, 9), min_size=30, max_size=30))  # by UID
    criteria = (Criterion(By.SIZE),) if data.draw(st.booleans()) else ()
    uids = data.draw(st.sets(st.integers(1, 29)))

    def order(some: set[int]) -> list[int]:
        return sorted(some, key=lambda u: (keys[u], u)) if criteria else sorted(some)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standings, "FEW", few)
        kept = made(order(uids), criteria)
        client = order(uids)
        for _ in range(3):
            leaving = data.draw(st.sets(st.integers(1, 29)))
            removed = kept.remove(leaving)
            uids -= leaving
            joining = data.draw(st.sets(st.integers(1, 29))) - uids
            before = order(uids)
            places = [
                (sum((keys[b], b) < (keys[u], u) if criteria else b < u for b in before), u)
                for u in order(joining)
            ]
            obey(client, removed, kept.add(places if criteria else [(0, u) for _, u in places]))
            uids |= joining
            assert client == list(kept.order) == order(uids)
            assert all((uid in kept) == (uid in uids) for uid in range(30))
            assert len(kept) == len(uids)


def test_what_stands_together_is_told_together() -> None:
    kept = made([5, 6, 9, 1, 2], (Criterion(By.SIZE),))
    assert kept.remove([6, 9, 2, 77]) == [(5, [2]), (2, [6, 9])]
    assert kept.add([(0, 3), (0, 4), (2, 8)]) == [(1, [3, 4]), (5, [8])]
    assert list(kept.order) == [3, 4, 5, 1, 8]
    assert made([1, 2]).remove([3]) == []
    assert made([1, 2]).add([]) == []
