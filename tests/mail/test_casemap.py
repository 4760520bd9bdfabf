"""i;unicode-casemap: titlecase, then decomposed (RFC 5051)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail import casemap
from mailstead.mail.casemap import border, fold, sort_key

# Marks, jamo, a ligature, what has no titlecase of one character, and what is titlecase already.
HARD = "ab\r\nÄßéﬁŉΣςİǄǅǆაᾀᾈ\u0301\u0323\u0345\u09c7\u09be\u1100\u1161\u11a8각日か\u3099\U0001f600"


def titlecased(character: str) -> str:
    """Step (2)(a), from what is known of SpecialCasing.txt: where it has more than one there, there is none."""
    title = character.title()
    return title if len(title) == 1 else character


def decomposed(character: str) -> str:
    """Step (2)(b)."""
    kinds = unicodedata.decomposition(character).split()
    parts = [chr(int(part, 16)) for part in kinds if not part.startswith("<")]
    return "".join(map(decomposed, parts)) if parts else character


def slow_fold(text: str) -> str:
    return unicodedata.normalize("NFKD", "".join(map(titlecased, text)))


def test_every_character_is_prepared_as_the_rfc_says() -> None:
    """U+10FFFF stands between them, so that marks stay where they are."""
    for first in range(0, 0x110000, 1 << 12):
        characters = [chr(n) for n in range(first, first + (1 << 12)) if not 0xAC00 <= n <= 0xD7A3]
        expected = casemap.LAST.join([decomposed(titlecased(c)) for c in characters])
        assert unicodedata.normalize("NFD", expected) == fold(casemap.LAST.join(characters))


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("\u01c4", "\u0044\u007a\u030c"),  # RFC 5051 section 2
        ("각", "\u1100\u1161\u11a8"),  # as Normalization Form KD has it
        ("a\u0301\u0323", "A\u0323\u0301"),  # which section 4 allows
        ("straße", "STRAßE"),
        ("ŉﬁｚ\u00a0²", "ʼnfiZ 2"),
    ],
)
def test_what_is_compared(text: str, prepared: str) -> None:
    assert fold(text) == prepared


@given(st.text(HARD, max_size=60), st.integers(1, 40))
def test_folding_in_pieces(string: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(casemap, "_FOLDED", 61)
        repeated = string * 6
        assert fold(repeated) == slow_fold(repeated)
    found, at = "", 0
    while at < len(string):
        end = at + (border(string[at : at + size]) or len(string))
        found, at = found + fold(string[at:end]), end
    assert found == slow_fold(string)


def test_nothing_but_marks_is_folded_in_time() -> None:
    assert len(fold("\u0301\u0323" * 50_000)) == 100_000
    assert fold("é" * 5000) == "E\u0301" * 5000


def test_what_could_not_be_decoded_comes_last() -> None:
    """RFC 5255 section 4.6, strings 1 to 4."""
    octets = [
        b"\xd0\xc0\xd0\xbd\xd0\xb4\xd1\x80\xd0\xb5\xd0\xb9",
        b"\xd1\x81\xd0\x95\xd0\xa0\xd0\x93\xd0\x95\xd0\x99",
        b"\xd0\x92\xd0\xb0\xd1\x81\xd0\xb8\xd0\xbb\xd0\xb8\xff\xb9",
        b"\xe1\xcc\xc5\xcb\xd3\xc5\xca",
    ]
    charsets = ["utf-8", "utf-8", "utf-8", "koi8_r"]
    keys = [sort_key(o.decode(c, "replace")) for o, c in zip(octets, charsets, strict=True)]
    assert sorted(range(1, 5), key=lambda n: keys[n - 1]) == [4, 2, 3, 1]
    assert sort_key("z") < sort_key("\U0001f600") < keys[2]


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
