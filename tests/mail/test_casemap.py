"""i;unicode-casemap: titlecase, then decomposed (RFC 5051)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail.casemap import sort_key


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("abc", "ABC"),
        ("Grüße", "GRÜßE"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        ("Ａ", "a"),
        ("ǆ", "Ǆ"),
        ("σ", "Σ"),
    ],
)
def test_what_is_the_same(one: str, two: str) -> None:
    assert sort_key(one) == sort_key(two)


def test_what_is_not() -> None:
    assert sort_key("ß") == "ß" != sort_key("ss"), "UnicodeData.txt has no titlecase of it"
    assert sort_key("ﬁ") == "fi", "nor of this, and it is decomposed afterwards"
    assert sort_key("_") > sort_key("z"), "letters are capitals"


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_ascii_is_dealt_with_as_everything_else_is(text: str) -> None:
    assert sort_key(text + "é") == sort_key(text) + "E\u0301"


@given(st.text(), st.text())
def test_keys_are_in_the_order_of_their_octets(one: str, two: str) -> None:
    one, two = sort_key(one), sort_key(two)
    assert (one < two) == (one.encode() < two.encode())
