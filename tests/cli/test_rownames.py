"""Names of rows: what is spelled is read again, what cannot be one is called that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.cli.rownames import is_name, parse, pattern, spelled
from mailstead.cli.rowwords import TABLES, WORDS
from mailstead.crypto.keyring import ROOT_ID
from mailstead.crypto.sealed import ZERO_ID, Kind
from mailstead.errors import Exit, Trouble
from mailstead.store.sealedrows import CLEAR, SORTS

ID = st.binary(min_size=16, max_size=16)
NUMBER = st.integers(0, 1 << 32)


def keys(sort: str) -> "st.SearchStrategy[tuple[object, ...]]":
    def of(column: str) -> "st.SearchStrategy[object]":
        match column:
            case "grp":
                return st.sampled_from([0, 1])
            case "number" | "uid":
                return NUMBER
            case "kind":
                return st.sampled_from([int(kind) for kind in Kind])
            case "object_id" if sort == "keyring":
                return st.sampled_from([ZERO_ID, ROOT_ID])
        return ID

    return st.tuples(*(of(column) for column in SORTS[sort].key))


@given(st.data(), st.sampled_from(sorted(SORTS)), st.sampled_from(["ann@b.test", "a/b@c.test", "ann"]))
def test_a_name_is_read_as_it_was_spelled(data: st.DataObject, sort: str, address: str) -> None:
    key = data.draw(keys(sort))
    text = spelled(sort, address, key)  # type: ignore[arg-type]
    assert is_name(text)
    found = parse(text)
    assert (found.sort, found.address, found.key, found.whole) == (sort, address, key, True)
    if key:
        begins = parse(text.rpartition("/")[0])
        assert begins.key == key[:-1]
        assert not begins.whole


@pytest.mark.parametrize(
    "text",
    [
        "page:", "page:ann@b.test/", "page:ann@b.test/xy", f"page:ann@b.test/{'A' * 32}/0/A",
        f"page:ann@b.test/{'0' * 32}/-1/A", f"page:ann@b.test/{'0' * 32}/0/C",
        f"page:ann@b.test/{'0' * 32}/0/A/0", "keyring:ann@b.test/other", f"page:ann@b.test/{'0' * 32}/٣/A",
        f"archived-record:ann@b.test/{'0' * 32}/nothing/{'0' * 32}", "mboxes:ann@b.test/x",
    ],
)  # fmt: skip
def test_what_is_no_name_is_told_how_one_looks(text: str) -> None:
    with pytest.raises(Trouble) as caught:
        parse(text)
    assert caught.value.exit_code is Exit.USAGE
    assert pattern(text.partition(":")[0]) in caught.value.fix


def test_files_are_no_names() -> None:
    for text in ("mail.db", "./page:x", "C:mail.db", "page", "/a/page:ann@b.test"):
        assert not is_name(text)


def test_every_sort_and_table_is_put_into_words() -> None:
    assert set(WORDS) == set(SORTS)
    assert set(TABLES) == set(CLEAR)
