"""Modified UTF-7, both ways, and only one way to write each name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.mutf7 import decode, encode

NAMES = st.text(st.characters(blacklist_categories=["Cs"]))


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("INBOX", b"INBOX"), ("", b""), ("&", b"&-"), ("a&b&", b"a&-b&-"), ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("☺!", b"&Jjo-!"), ("Entwürfe", b"Entw&APw-rfe"), ("😀", b"&2D3eAA-"), ("a/b c\"\\", b'a/b c"\\'), ("ä&", b"&AOQ-&-"),
    ],
)  # fmt: skip
def test_names_of_the_rfc(name: str, octets: bytes) -> None:
    assert encode(name) == octets
    assert decode(octets) == name


@pytest.mark.parametrize(
    "octets",
    [
        b"&AGE-", b"&AG", b"&IRw", b"&A-", b"&AAA", b"&", b"a&", b"&2AA-", b"&3AA-", b"\xc3\xa4", b"a\0", b"a\n", b"&U,BTFw-&ZeVnLIqe-",
        b"&AOR-", b"&AOQ=-", b"&AO/k-", b"&AC0-", b"&Jjo!", b"&AOQ -", b"&*-", b"&&-",
    ],
)  # fmt: skip
def test_what_is_not_canonical(octets: bytes) -> None:
    with pytest.raises(ValueError):
        decode(octets)


@given(NAMES)
def test_there_and_back(name: str) -> None:
    octets = encode(name)
    assert octets.isascii()
    assert decode(octets) == name


@given(st.one_of(st.binary(max_size=30), st.text("&-,/+AaUOQ= z0", max_size=20).map(str.encode)))
def test_any_octets_are_a_name_or_an_error(octets: bytes) -> None:
    try:
        name = decode(octets)
    except ValueError:
        return
    assert encode(name) == octets


def test_a_lone_surrogate_has_no_spelling() -> None:
    with pytest.raises(ValueError):
        encode("\ud800")
