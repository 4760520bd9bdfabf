"""Sections of messages: the RFC's tree, what is missing, and header fields as they came."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail.section import Section, Text, filter_header, locate, tree
from mailstead.mail.structure import Scanner
from mailstead.mail.summary import Provenance, Summary, summarise

CORPUS = sorted(
    p for p in (Path(__file__).parent.parent / "corpus").rglob("*") if p.suffix in (".eml", ".txt")
)

# The structure of the example in RFC 3501 section 6.4.5.
INNER = (
    b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\n3.1\r\n"
    b"--in\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--in--\r\n"
)
DEEP = b"Subject: deep\r\n\r\ndeep text"
RFC = (
    b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\n"
    b"--out\r\nContent-Type: text/plain\r\n\r\none\r\n"
    b"--out\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"
    b"--out\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + b"\r\n"
    b"--out\r\nContent-Type: multipart/mixed; boundary=four\r\n\r\n"
    b"--four\r\nContent-Type: image/gif\r\nContent-Id: <x>\r\n\r\n4.1\r\n"
    b"--four\r\nContent-Type: message/rfc822\r\n\r\n" + DEEP + b"\r\n--four--\r\n--out--\r\n"
)


def summary(octets: bytes) -> Summary:
    scanner = Scanner()
    scanner.push(octets)
    return summarise(scanner.finish(), internal_date=0, trace_octets=0, provenance=Provenance.APPENDED)


def part(octets: bytes, path: str, text: Text = Text.ALL) -> bytes | None:
    made = summary(octets)
    root = tree(made.parts, made.bodystructure)
    assert root is not None
    numbers = tuple(map(int, path.split("."))) if path else ()
    found = locate(root, Section(numbers, text))
    return None if found is None else octets[found.start : found.stop]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("", Text.ALL, RFC),
        ("", Text.HEADER, RFC[: RFC.index(b"--out")]),
        ("", Text.TEXT, RFC[RFC.index(b"--out") :]),
        ("1", Text.ALL, b"one"),
        ("1", Text.MIME, b"Content-Type: text/plain\r\n\r\n"),
        ("2", Text.ALL, b"two"),
        ("3", Text.ALL, INNER),
        ("3", Text.MIME, b"Content-Type: message/rfc822\r\n\r\n"),
        ("3", Text.HEADER, INNER[: INNER.index(b"--in")]),
        ("3", Text.TEXT, INNER[INNER.index(b"--in") :]),
        ("3.1", Text.ALL, b"3.1"),
        ("3.1", Text.MIME, b"\r\n"),
        ("3.2", Text.ALL, b"3.2"),
        ("4.1", Text.ALL, b"4.1"),
        ("4.1", Text.MIME, b"Content-Type: image/gif\r\nContent-Id: <x>\r\n\r\n"),
        ("4.2", Text.ALL, DEEP),
        ("4.2", Text.HEADER, b"Subject: deep\r\n\r\n"),
        ("4.2", Text.TEXT, b"deep text"),
        ("4.2.1", Text.ALL, b"deep text"),
        ("4.2.1", Text.MIME, b"Subject: deep\r\n\r\n"),
        ("5", Text.ALL, None), ("1.1", Text.ALL, None), ("3.3", Text.ALL, None), ("4.2.2", Text.ALL, None),
        ("4.2.1.1", Text.ALL, None), ("1", Text.HEADER, None), ("1", Text.TEXT, None), ("4", Text.HEADER, None),
    ],
)  # fmt: skip
def test_sections_of_the_rfc(path: str, text: Text, expected: bytes | None) -> None:
    assert part(RFC, path, text) == expected


def test_a_message_without_parts_has_one() -> None:
    octets = b"Subject: x\r\n\r\nbody"
    assert part(octets, "1") == b"body"
    assert part(octets, "1", Text.MIME) == b"Subject: x\r\n\r\n"
    assert part(octets, "1.1") is None
    assert part(octets, "2") is None


def test_a_multipart_without_parts_has_none() -> None:
    assert part(b"Content-Type: multipart/mixed; boundary=q\r\n\r\nnothing\r\n", "1") is None


def test_a_message_that_is_a_message() -> None:
    octets = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhello"
    assert part(octets, "1") == b"Subject: in\r\n\r\nhello"
    assert part(octets, "1", Text.HEADER) == b"Subject: in\r\n\r\n"
    assert part(octets, "1.1") == b"hello"


def test_the_line_end_before_a_delimiter_is_the_delimiters() -> None:
    octets = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: y\r\n\r\n--a\r\n\r\nz\r\n--a--\r\n"
    assert part(octets, "1", Text.MIME) == b"X: y\r\n"
    assert part(octets, "1") == b""
    assert part(octets, "2") == b"z"


_M, _C = b"Content-Type: message/rfc822\r\n", b"Content-Type: multipart/mixed; boundary=c\r\n"


@pytest.mark.parametrize(
    ("content", "sections"),
    [
        (b"X: y", {"1.MIME": b"X: y", "1": b""}),
        (b"X: y\r\n", {"1.MIME": b"X: y\r\n", "1": b""}),
        (b"", {"1.MIME": b"", "1": b""}),
        (b"\r\n", {"1.MIME": b"\r\n", "1": b""}),
        (_M, {"1.MIME": _M, "1": b"", "1.HEADER": b""}),
        (_M + b"\r\n", {"1.MIME": _M + b"\r\n", "1": b"\r\n", "1.HEADER": b"", "1.TEXT": b""}),
        (_M + b"\r\nS: x", {"1": b"S: x\r\n", "1.HEADER": b"S: x", "1.TEXT": b""}),
        (_M + b"\r\nS: x\r\n", {"1": b"S: x\r\n\r\n", "1.HEADER": b"S: x\r\n", "1.TEXT": b""}),
        (_C, {"1.MIME": _C, "1": b""}),
        (_C + b"\r\n--c\r\nX: y", {"1": b"--c\r\nX: y\r\n", "1.1.MIME": b"X: y", "1.1": b""}),
        (_C + b"\r\n--c", {"1": b"--c\r\n", "1.1.MIME": b"", "1.1": b""}),
        (_M + b"\r\n" + _M, {"1": _M + b"\r\n", "1.HEADER": _M}),
        (_C + b"\r\n--c\r\n\r\nx\r\n--c--", {"1": b"--c\r\n\r\nx\r\n--c--\r\n", "1.1": b"x"}),
    ],
)
def test_a_delimiter_right_behind_a_header(content: bytes, sections: dict[str, bytes]) -> None:
    """As Dovecot 2.3 has them, which was asked."""
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + content + b"\r\n--b--\r\n"
    for name, wanted in sections.items():
        path = name.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ.")
        text = Text[name[len(path) + 1 :] or "ALL"]
        assert part(octets, path, text) == wanted, name


def test_every_part_of_the_corpus_lies_inside_its_message() -> None:
    for path in CORPUS:
        octets = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
        assert (part(octets, "", Text.HEADER) or b"") + (part(octets, "", Text.TEXT) or b"") == octets
        for numbers in ("1", "2", "1.1", "1.2.1", "2.1", "3"):
            for text in (Text.ALL, Text.HEADER, Text.TEXT, Text.MIME):
                found = part(octets, numbers, text)
                assert found is None or found in octets


@pytest.mark.parametrize("path", [(0,), (1, 0)])
def test_there_is_no_part_zero(path: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        Section(path)


@given(st.binary(max_size=100), st.lists(st.integers(1, 3), max_size=4), st.sampled_from(list(Text)))
def test_any_tree_gives_octets_or_nothing(parts: bytes, path: list[int], text: Text) -> None:
    root = tree(parts)
    if root is not None and (path or text is not Text.MIME):
        fields = (b"x",) if text in (Text.FIELDS, Text.FIELDS_NOT) else ()
        assert isinstance(locate(root, Section(tuple(path), text, fields)), range | None)


BLOCK = b"Subject: a\r\n b\r\nFrom: x\r\nno colon\r\nX : y\r\nsubject: two\r\n\r\n"


def test_fields_come_as_they_are() -> None:
    assert filter_header(BLOCK, (b"SUBJECT",), wanted=True) == b"Subject: a\r\n b\r\nsubject: two\r\n\r\n"
    assert filter_header(BLOCK, (b"subject", b"x"), wanted=False) == b"From: x\r\nno colon\r\n\r\n"
    assert filter_header(BLOCK, (b"absent",), wanted=True) == b"\r\n"
    assert filter_header(b"A: b", (b"a",), wanted=True) == b"A: b\r\n\r\n"
    assert filter_header(b"A: b\nB: c\n\n", (b"a",), wanted=True) == b"A: b\n\n"


@given(st.lists(st.sampled_from([b"A: b", b" c", b"\r\n", b"\n", b"B", b":", b"\r"])).map(b"".join))
def test_wanted_and_unwanted_are_all(block: bytes) -> None:
    wanted = filter_header(block, (b"a",), wanted=True)
    rest = filter_header(block, (b"a",), wanted=False)
    assert len(wanted) + len(rest) <= len(block) + 6
    assert filter_header(wanted, (b"a",), wanted=True) == wanted


def test_a_long_header_is_no_trouble() -> None:
    assert filter_header(b"A: b\r\n" + b" c\r\n" * 50_000 + b"\r\n", (b"b",), wanted=True) == b"\r\n"
