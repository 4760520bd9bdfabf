"""Pages: entries by UID, and a length that tells nobody what is in another entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.accounts.entries import EntryA, compressed_a, pack_a, unpack_a
from mailstead.accounts.pages import merge, pick, split
from mailstead.crypto.frame import compress
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid

SECRET = b'(NIL "Your login code is 482913" NIL NIL NIL NIL NIL NIL NIL NIL)'


def entry(envelope: bytes) -> EntryA:
    return EntryA(1, 2, 3, 4, b"o" * 16, compressed_a(envelope))


def guess(code: int) -> bytes:
    return b'(NIL "Your login code is %06d" NIL NIL NIL NIL NIL NIL NIL NIL)' % code


def length(*envelopes: bytes) -> int:
    page = merge(None, 0, {Uid(n + 1): pack_a(entry(e)) for n, e in enumerate(envelopes)}, set())
    assert page is not None
    return len(page)


def test_the_length_of_a_page_says_nothing_of_a_guess() -> None:
    alone = {code: length(guess(code)) for code in (482913, *range(100_000, 100_300))}
    beside = {code: length(SECRET, guess(code)) for code in alone}
    assert len({beside[code] - alone[code] for code in alone}) == 1


def test_if_entries_were_compressed_together_it_would() -> None:
    """The control: the right guess is the shortest."""
    together = {
        code: len(compress((SECRET + guess(code)) * 1)) for code in (482913, *range(100_000, 100_300))
    }
    assert min(together, key=together.__getitem__) == 482913
    assert sorted(together.values())[0] < sorted(together.values())[1]


@given(
    st.dictionaries(st.integers(1, 256), st.binary(max_size=50), max_size=20), st.sets(st.integers(1, 256))
)
def test_entries_come_and_go(envelopes: dict[int, bytes], gone: set[int]) -> None:
    packed = {Uid(uid): pack_a(entry(e)) for uid, e in envelopes.items()}
    page = merge(None, 0, packed, set())
    left = merge(page, 0, {}, {Uid(uid) for uid in gone})
    kept = {} if left is None else split(0, left)
    for some in (gone, set(envelopes), {1, 256}):
        found = {} if left is None else pick(0, left, some)
        assert found == {uid: e for uid, e in kept.items() if uid in some}
    assert {uid: unpack_a(e).envelope for uid, e in kept.items()} == {
        uid: e for uid, e in envelopes.items() if uid not in gone
    }


def test_a_page_is_read_strictly() -> None:
    page = merge(None, 0, {Uid(1): pack_a(entry(b"a")), Uid(2): pack_a(entry(b"b"))}, set())
    assert page is not None
    for bad in (
        page[:-1],
        page + b"\0",
        page[:3],
        b"\x02" + page[1:],
        page[:4] + page[16:28] + page[4:16] + page[28:],
    ):
        with pytest.raises(UnsealError):
            split(0, bad)
    for wrong in (b"", page[:3], page[:20], b"\x02" + page[1:], page[:12] + b"\xff" + page[13:]):
        with pytest.raises(UnsealError):
            pick(0, wrong, {1})
    for read in (split, pick):
        with pytest.raises(UnsealError):
            read(1, page, {1})
