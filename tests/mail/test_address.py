"""Paths of the envelope, and the one form in which they are looked up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.mail.address import Address, AddressError, canonical_local, parse_mailbox, parse_path


@pytest.mark.parametrize(
    ("octets", "expected", "rest"),
    [
        (b"<>", None, b""),
        (b"<a@b.test>", Address("a", "b.test"), b""),
        (b"<a@b.test> SIZE=3", Address("a", "b.test"), b" SIZE=3"),
        (b"<@r.test,@s.test:a@b.test>", Address("a", "b.test"), b""),
        (b'<"a b>"@b.test>', Address("a b>", "b.test"), b""),
        (b'<"a\\"b"@b.test>', Address('a"b', "b.test"), b""),
        (b"<a@[192.0.2.1]>", Address("a", "[192.0.2.1]"), b""),
        (b"<Postmaster>", Address("Postmaster", ""), b""),
    ],
)
def test_paths(octets: bytes, expected: Address | None, rest: bytes) -> None:
    assert parse_path(octets) == (expected, rest)


@pytest.mark.parametrize(
    "octets",
    [b"a@b.test", b"<a@b.test", b"<a>", b"<a@>", b"<@b.test>", b"<a@b@c>", b"<a b@c.test>", b"<a@b..test>", b"<.a@b.test>",
     b"<a@-b.test>", b"<a\x00@b.test>", b"<\xff@b.test>", b"<a@[999]>", b'<"a@b.test>', b"<" + b"a" * 300 + b"@b.test>"],
)  # fmt: skip
def test_what_is_no_path(octets: bytes) -> None:
    with pytest.raises(AddressError):
        parse_path(octets)


def test_canonical_forms() -> None:
    for same in ("BOB@B.Test", "bob@b.test.", "ｂｏｂ@b.test"):
        assert parse_mailbox(same.encode()).canonical() == "bob@b.test"
    assert parse_mailbox("a@bücher.test".encode()).canonical() == "a@xn--bcher-kva.test"
    assert canonical_local("cafe\u0301") == canonical_local("CAF\u00c9")
    assert canonical_local("stra\u00dfe") != canonical_local("strasse")
    for odd in ("\ufb00", "\u00b2", "a\u200bb", "\u2126x".replace("\u2126", "\u2460")):
        with pytest.raises(AddressError):
            canonical_local(odd)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20))
def test_canonical_is_a_fixed_point(local: str) -> None:
    try:
        once = canonical_local(local)
    except AddressError:
        return
    assert canonical_local(once) == once


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_any_octets_give_a_path_or_the_error(octets: bytes) -> None:
    for attempt in (octets, b"<" + octets + b">"):
        try:
            found, _ = parse_path(attempt)
        except AddressError:
            continue
        if found is not None and found.domain:
            again, rest = parse_path(f"<{found}>".encode())
            assert (again, rest) == (found, b"")
