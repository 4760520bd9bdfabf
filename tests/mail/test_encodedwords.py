"""Encoded words as people read them: the examples of RFC 2047 section 8, and text whatever comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.mail.charset import decode
from mailstead.mail.encodedwords import base64, text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
        (b"=?ISO-8859-1?Q?Andr=E9?= Pirard", "Andr\u00e9 Pirard"),
        (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\t=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
         "If you can read this you understand the example."),
        (b"=?ISO-8859-1?Q?a?=", "a"),
        (b"=?ISO-8859-1?Q?a?= b", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a_b?=", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        (b"=?utf-8*de?Q?=C3=A4?=", "\u00e4"),  # RFC 2231 section 5
        (b"a =?x", "a =?x"),
        (b"=?utf-7?Q?+ADw-?=", "+ADw-"),
        ("\u00e4".encode(), "\u00e4"),
    ],
)  # fmt: skip
def test_examples(value: bytes, expected: str) -> None:
    assert text(value) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"=?", b"?=", b"utf-8", b"?q?", b"?B?", b"=41", b"_", b" ", b"\xff", b"QUI", b"="])
    ).map(b"".join)
)
def test_any_octets_give_text(value: bytes) -> None:
    text(value).encode()


def test_base64_leaves_out_what_does_not_belong() -> None:
    assert base64(b"QU JD\r\nR!A==") == b"ABCD"
    for odd in (b"", b"=", b"Q", b"QQ", b"QQQ", b"QQQQQ", b"\xff"):
        base64(odd)


@pytest.mark.parametrize(
    "name",
    [b"unicode_escape", b"punycode", b"idna", b"zlib_codec", b"rot13", b"utf-7", b"x" * 5000, b"\xff", b""],
)
def test_no_codec_is_found_by_a_name_of_the_sender(name: bytes) -> None:
    assert decode(b"\\x41+ADw-", name) == "\\x41+ADw-"


def test_charsets() -> None:
    assert decode(b"\xe4", b" ISO-8859-1 ") == "\u00e4"
    assert decode("\u65e5".encode("shift_jis"), b"Shift_JIS") == "\u65e5"
    assert decode(b"\xe4", b"utf-8") == "\ufffd"
    assert decode("\u00e4".encode(), None) == "\u00e4"
