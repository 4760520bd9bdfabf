"""BODY out of BODYSTRUCTURE, for every message of the corpus."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.body import without_extensions
from mailstead.mail.render import bodystructure
from mailstead.mail.structure import Scanner

CORPUS = sorted(
    p for p in (Path(__file__).parent.parent / "corpus").rglob("*") if p.suffix in (".eml", ".txt")
)


@pytest.mark.parametrize(
    ("structure", "body"),
    [
        (  # RFC 3501 section 7.4.2
            b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 2279 48 NIL NIL NIL NIL)',
            b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 2279 48)',
        ),
        (
            b'(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1152 23 NIL NIL NIL NIL)("IMAGE" "GIF" ("NAME" "a(b") "<x>" "d" "BASE64" 4554 NIL'
            b' ("attachment" ("filename" "f")) ("a" "b") NIL) "MIXED" ("BOUNDARY" "x") NIL NIL NIL)',
            b'(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1152 23)("IMAGE" "GIF" ("NAME" "a(b") "<x>" "d" "BASE64" 4554) "MIXED")',
        ),
        (
            b'("message" "rfc822" NIL NIL NIL "7bit" 22 (NIL "i" ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL NIL NIL NIL)'
            b' (("text" "plain" NIL NIL NIL "7bit" 4 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL) 2 "md5" NIL NIL NIL)',
            b'("message" "rfc822" NIL NIL NIL "7bit" 22 (NIL "i" ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL NIL NIL NIL)'
            b' (("text" "plain" NIL NIL NIL "7bit" 4 0) "mixed") 2)',
        ),
        (b'("text" "plain" ("name" {4}\r\n)"\r\n) NIL NIL "7bit" 1 0 NIL NIL NIL NIL)', b'("text" "plain" ("name" {4}\r\n)"\r\n) NIL NIL "7bit" 1 0)'),
        (b"", b""), (b"NIL", b"NIL"), (b"(", b"("), (b'("a" "b"))', b'("a" "b"))'),
    ],
)  # fmt: skip
def test_examples(structure: bytes, body: bytes) -> None:
    assert without_extensions(structure) == body
    assert without_extensions(body) == body


def test_the_corpus() -> None:
    for path in CORPUS:
        scanner = Scanner()
        scanner.push(re.sub(rb"\r?\n", b"\r\n", path.read_bytes()))
        structure = bodystructure(scanner.finish().root)
        body = without_extensions(structure)
        assert without_extensions(body) == body != structure
        assert body.count(b"(") == body.count(b")") or b'"' in body


@given(
    st.lists(
        st.sampled_from(
            [
                b"(",
                b")",
                b" ",
                b'"a"',
                b"NIL",
                b"3",
                b'"text"',
                b'"message"',
                b'"rfc822"',
                b"{2}\r\n",
                b"x",
                b'"',
            ]
        )
    ).map(b"".join)
)
def test_any_octets_come_back_or_are_cut(structure: bytes) -> None:
    assert len(without_extensions(structure)) <= len(structure)


def test_a_deep_one_is_quick() -> None:
    deep = b"(" * 50_000
    assert without_extensions(deep) == deep
