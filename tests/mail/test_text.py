"""Previews and what a terminal shows: readable, and nothing a terminal would obey."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.mail.structure import Scanner
from mailstead.mail.text import display, preview, safe
from mailstead.mail.transfer import quoted_printable


def previewed(octets: bytes) -> str:
    scanner = Scanner()
    scanner.push(octets)
    return preview(scanner.finish())


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"Subject: x\r\n\r\nHello,\r\n\r\n  world\t!\r\n", "Hello, world !"),
        (b"Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n", "hello"),
        (b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nf=FCr =\r\n dich\r\n", "für dich"),
        (b"Content-Type: text/html\r\n\r\n<style>p{}</style><p>A &lt;b&gt; &amp; c<br>d<!-- x --></p>", "A <b> & c d"),
        (b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>h\r\n--b\r\n\r\nplain\r\n--b--", "plain"),
        (b"Content-Type: image/png\r\n\r\nx", ""),
        (b"\r\n" + b"word " * 100, ("word " * 100)[:200]),
        (b"", ""),
    ],
)  # fmt: skip
def test_previews(octets: bytes, expected: str) -> None:
    assert previewed(octets) == expected


@pytest.mark.parametrize(
    ("octets", "expected"),
    [  # RFC 2045 section 6.7
        (b"Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.", b"Now's the time for all folk to come to the aid of their country."),
        (b"a=3Db=3d=0A", b"a=b=\n"),
        (b"a=ZZ b= c=", b"a=ZZ b= c="),
        (b"soft= \t\r\nbreak", b"softbreak"),
    ],
)  # fmt: skip
def test_quoted_printable(octets: bytes, expected: bytes) -> None:
    assert quoted_printable(octets) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=100), st.sampled_from([b"", b"Content-Type: text/html\r\n"]))
def test_no_sign_that_a_terminal_obeys_comes_through(written: str, head: bytes) -> None:
    octets = (
        head
        + b"Subject: "
        + written.encode(errors="replace")
        + b"\r\n\r\n"
        + written.encode(errors="replace")
    )
    for shown in (safe(written), display(octets), previewed(octets)):
        for character in shown:
            assert character in "\n\t" or unicodedata.category(character) not in (
                "Cc",
                "Cf",
                "Cs",
                "Co",
                "Zl",
                "Zp",
            )


def test_what_is_displayed() -> None:
    octets = (
        b"Received: x\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.test>\r\nSubject: \x1b]0;owned\x07\r\nX-Odd: y\r\n"
        b"\r\nline one\r\n\x1b[2Jline two\r\n"
    )
    assert (
        display(octets)
        == "From: Jörg <j@x.test>\nSubject: \ufffd]0;owned\ufffd\n\nline one\n\ufffd[2Jline two"
    )
    assert display(b"Content-Type: image/png\r\n\r\nx").endswith("[no text]")
