"""Header blocks, and the parameters of structured fields (RFC 5322, RFC 2045, RFC 2231)."""

import time

import pytest

from mailstead.mail.header import FIELDS_CAP, PARAMS_CAP, fields, first, media_type, parameterised
from mailstead.mail.rfc2231 import join_pieces
from tests.support.pace import seconds


def test_fields_are_unfolded_and_keep_their_order() -> None:
    block = b"Subject: a\r\n b\r\n\tc\r\nTo:x\r\nsubject :  d \r\nnot a field\r\n: none\r\n\r\n"
    assert list(fields(block)) == [(b"subject", b"a b\tc"), (b"to", b"x"), (b"subject", b"d")]
    assert first(block, b"subject") == b"a b\tc"
    assert first(block, b"cc") is None


@pytest.mark.parametrize(
    ("value", "kind", "params"),
    [
        # RFC 2045 section 5.1
        (b"text/plain; charset=us-ascii (Plain text)", b"text/plain", [(b"charset", b"us-ascii")]),
        (b'text/plain; charset="us-ascii"', b"text/plain", [(b"charset", b"us-ascii")]),
        # RFC 2046 section 5.1.1
        (b'multipart/mixed; boundary="gc0pJq0M:08jU534c0p"', b"multipart/mixed", [(b"boundary", b"gc0pJq0M:08jU534c0p")]),
        # RFC 2231 sections 3, 4 and 4.1
        (b'message/external-body; access-type=URL; URL*0="ftp://"; URL*1="cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"',
         b"message/external-body", [(b"access-type", b"URL"), (b"URL", b"ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar")]),
        (b"application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", b"application/x-stuff",
         [(b"title*", b"us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A")]),
        (b"application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
         b"application/x-stuff", [(b"title*", b"us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn't it!")]),
        (b"a/b; x=\"a;b=c\"; y=\"un", b"a/b", [(b"x", b"a;b=c"), (b"y", b"un")]),
        (b"", b"", []),
    ],
)  # fmt: skip
def test_parameters(value: bytes, kind: bytes, params: list[tuple[bytes, bytes]]) -> None:
    parsed = parameterised(value)
    assert (parsed.value, list(parsed.params)) == (kind, params)


def test_pieces_that_make_no_whole_stay_as_they_came() -> None:
    gap = [(b"n*1", b"x"), (b"N*3", b"y")]
    assert join_pieces([(b"a", b"1"), *gap]) == [(b"a", b"1"), *gap]
    twice = [(b"n*0", b"x"), (b"n*0*", b"y")]
    assert join_pieces(twice) == twice
    assert join_pieces([(b"n*1", b"b"), (b"N*0", b"a")]) == [(b"N", b"ab")], "in any order and case"
    assert join_pieces([(b"n*0", b"a'b"), (b"n*1*", b"%41")]) == [(b"n*", b"''a'b%41")]
    for odd in (b"*", b"*0", b"n*x", b"n**0", b"n*9999999"):
        assert join_pieces([(odd, b"v")]) == [(odd, b"v")]


def test_media_types() -> None:
    assert media_type(b"Text / HTML") == (b"Text", b"HTML")
    for bad in (b"", b"text", b"text/", b"/x", b"a/b/c", b"a b/c", b"text/pl ain"):
        assert media_type(bad) is None


def test_everything_is_capped_and_linear() -> None:
    assert sum(1 for _ in fields(b"a: b\r\n" * 3 * FIELDS_CAP)) == FIELDS_CAP
    assert len(parameterised(b"a/b;" + b"c=d;" * 3 * PARAMS_CAP).params) == PARAMS_CAP
    pieces = b"a/b;" + b"".join(b"c*%d=d;" % n for n in reversed(range(90)))
    assert parameterised(pieces).params == ((b"c", b"d" * 90),)
    for sign in (b"(", b'"', b"\\", b";", b"=", b"*", b" ", b"a*"):
        start = time.process_time()
        parameterised(b"a/b; x=" + sign * (1 << 20))
        list(fields(b"A: " + sign * (1 << 20) + b"\r\n" + sign * (1 << 20)))
        assert time.process_time() - start < seconds(1), sign
