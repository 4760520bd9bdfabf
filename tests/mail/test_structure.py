"""The scanner: the same structure however the octets are cut, and a structure whatever they are."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.errors import UnsealError
from mailstead.mail.addresslist import address_list
from mailstead.mail.encodedwords import text
from mailstead.mail.header import fields, parameterised
from mailstead.mail.part import Part, Structure
from mailstead.mail.structure import DEPTH_CAP, PARTS_CAP, Scanner
from mailstead.mail.summary import Provenance, Summary, summarise
from mailstead.mail.text import display
from tests.support.pace import seconds

CORPUS = sorted(
    p for p in (Path(__file__).parent.parent / "corpus").rglob("*") if p.is_file() and p.name != "COPYING"
)
MIME = {
    c["id"]
    for c in yaml.safe_load((Path(__file__).parent.parent / "cases" / "cases.yaml").read_text())["cases"]
    if c["area"] == "mime"
}


def crlf(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def scan(octets: bytes, sizes: list[int] | None = None) -> Structure:
    scanner = Scanner()
    at = 0
    for size in sizes or [len(octets) or 1]:
        scanner.push(octets[at : at + size])
        at += size
    scanner.push(octets[at:])
    return scanner.finish()


def shape(part: Part) -> tuple[object, ...]:
    return (
        part.header_start, part.body_start, part.body_end, part.lines, part.header_lines, part.media,
        tuple(sorted(part.headers)), tuple(shape(c) for c in part.children),
    )  # fmt: skip


def whole(structure: Structure) -> tuple[object, ...]:
    texts = tuple(t and t[1] for t in (structure.text, structure.html))
    return (
        shape(structure.root),
        structure.size,
        structure.header,
        structure.header_octets,
        structure.received,
        texts,
    )


def summary(octets: bytes) -> Summary:
    made = summarise(scan(octets), internal_date=1, trace_octets=0, provenance=Provenance.DELIVERED)
    content = made.encode(b"m" * 16)
    read = Summary.decode(content)
    assert read.encode(b"m" * 16) == content
    return read


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: "/".join(p.parts[-2:]))
def test_every_cut_gives_the_same(path: Path) -> None:
    octets = crlf(path)
    expected = whole(scan(octets))
    assert expected[1] == len(octets)
    rng = random.Random(1)
    for sizes in (
        [1] * min(len(octets), 3000),
        [7] * (len(octets) // 7),
        [rng.randint(1, 90) for _ in range(len(octets) // 20)],
    ):
        assert whole(scan(octets, sizes)) == expected
    summary(octets)
    display(octets)


NESTED = (
    b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\npreamble\r\n--out\r\n"
    b'Content-Type: multipart/alternative; boundary="in"\r\n\r\n--in\r\n\r\nplain\r\n--in\r\n'
    b"Content-Type: text/html\r\n\r\n<p>html\r\n--in--\r\n--out  \r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\n\r\nbody\r\n--out--\r\nepilogue\r\n"
)


def test_parts_lie_where_they_are() -> None:
    root = scan(NESTED).root
    alternative, message = root.children
    plain, html = alternative.children
    assert NESTED[plain.body_start : plain.body_end] == b"plain"
    assert NESTED[html.header_start : html.body_start] == b"Content-Type: text/html\r\n\r\n"
    assert NESTED[html.body_start : html.body_end] == b"<p>html"
    (inner,) = message.children
    assert inner.headers[b"subject"] == [b"inner"]
    assert NESTED[inner.body_start : inner.body_end] == b"body"
    assert root.body_end == len(NESTED)


def test_bodystructure_and_envelope_of_the_rfc_kind() -> None:
    found = summary(NESTED)
    assert found.bodystructure == (
        b'((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)'
        b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 7 0 NIL NIL NIL NIL) "alternative" ("boundary" "in") NIL NIL NIL)'
        b'("message" "rfc822" NIL NIL NIL "7bit" 22 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL)'
        b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)'
        b' "mixed" ("boundary" "out") NIL NIL NIL)'
    )
    assert (
        found.envelope
        == b'(NIL NIL ((NIL NIL "a" "b.test")) ((NIL NIL "a" "b.test")) ((NIL NIL "a" "b.test")) NIL NIL NIL NIL NIL)'
    )


def test_what_is_left_open_is_filled_in() -> None:
    """A charset that nobody names is US-ASCII, languages are a list, and a multipart has a part."""
    languages = b"Content-Language: en-GB\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\nno part"
    assert summary(languages).bodystructure == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)'
        b' "mixed" ("boundary" "x") NIL ("en-GB") NIL)'
    )
    named = b"Content-Language: a, b\r\nContent-Type: text/x; name=y\r\n\r\n"
    assert summary(named).bodystructure == (
        b'("text" "x" ("name" "y" "charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL ("a" "b") NIL)'
    )


def bodies(octets: bytes) -> list[bytes]:
    return [octets[part.body_start : part.body_end] for part in scan(octets).root.children]


def test_a_line_need_only_begin_like_a_delimiter() -> None:
    """RFC 2046 section 5.1.1, note to implementors."""
    head = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    assert bodies(head + b"--a\r\n\r\n1\r\n--a-\r\n\r\n2\r\n--ab c\r\n\r\n3\r\n--a--x\r\n--a\r\n") == [
        b"1",
        b"2",
        b"3",
    ]
    assert bodies(head + b"--a\r\n\r\n1\r\n--b\r\n -- a\r\n--A\r\n-a\r\n--a--") == [
        b"1\r\n--b\r\n -- a\r\n--A\r\n-a"
    ]
    assert bodies(head + b"--a\r\n\r\n1\r\n--a" + b"x" * 2000 + b"\r\n--a--") == [b"1\r\n--a" + b"x" * 2000]


@pytest.mark.parametrize(
    ("outer", "inner", "line", "level"),
    [
        (b"a", b"ab", b"--ab", 1), (b"a", b"ab", b"--a", 0), (b"a", b"ab", b"--ax", 0), (b"ab", b"a", b"--ab", 0),
        (b"ab", b"a", b"--abc", 0), (b"ab", b"a", b"--a", 1), (b"a", b"a", b"--a", 1), (b"a--", b"a", b"--a--", 1),
        (b"a", b"a--", b"--a--", 1), (b"x" * 90, b"x" * 85, b"--" + b"x" * 90, 1),
    ],
)  # fmt: skip
def test_of_two_boundaries_the_longer_is_meant(outer: bytes, inner: bytes, line: bytes, level: int) -> None:
    octets = (
        b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n' % (outer, outer)
        + b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n\r\n1\r\n' % (inner, inner)
        + line + b"\r\n\r\n2\r\n"
    )  # fmt: skip
    root = scan(octets).root
    ended_outer = len(root.children) > 1
    assert ended_outer == (level == 0)
    assert octets[root.children[0].children[0].body_start :].startswith(b"1")


def nest(depth: int) -> bytes:
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
    )
    return opening + b"\r\nleaf\r\n"


HOSTILE: dict[str, list[bytes]] = {
    "MIM-001": [nest(1000)],
    "MIM-002": [b"Content-Type: message/rfc822\r\n\r\n" * 2000],
    "MIM-004": [b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n\r\n" * 100_000],
    "MIM-005": [
        b"Content-Type: multipart/mixed; boundary=" + b"x" * 60_000 + b"\r\n\r\n--" + b"x" * 60_000 + b"\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=" + b"y" * 900 + b"\r\n\r\n" + (b"--" + b"y" * 899 + b"\r\n") * 20_000,
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx\r\n----\r\n',
        b'Content-Type: multipart/mixed; boundary=".*+(["\r\n\r\n--.*+([\r\n\r\nx\r\n',
    ],
    "MIM-007": [b"Content-Type: " + b'"' * 20_000 + b"\r\nFrom: " + b'"' * 20_000 + b"\r\n\r\n",
                b"Content-Type: " + b";" * 50_000 + b"\r\n\r\n"],
    "MIM-008": [b"To: " + b"(" * 1000 + b"\r\nFrom: " + b"(a" * 7000 + b"\r\n\r\n"],
    "MIM-009": [b"Message-ID: " + b"<" * 20_000 + b"\r\n\r\n"],
    "MIM-010": [b"To: " + b"a@b.c, " * 32_000 + b"\r\n\r\n", b"To: " + b"g:a@b;," * 15_000 + b"\r\n\r\n"],
    "MIM-011": [b"X: " + b"y" * (10 << 20) + b"\r\n\r\nb", b"A: b\r\n" * 100_000 + b"\r\n", b"A: b\r\n" + b" c\r\n" * 200_000 + b"\r\n"],
    "MIM-012": [b"Subject: " + b"=?utf-8?q?a?= " * 16_000 + b"\r\n\r\n", b"Subject: =?=?=?=?utf-8?q?=?=?=\r\n\r\n",
                b"Subject: =?nonsense?b?####?= =?utf-8?b?YQ?=\r\n\r\n", b"Subject: =?utf-8?q?" + b"x" * 1_000_000 + b"?=\r\n\r\n"],
    "MIM-013": [b"Content-Type: text/plain; " + b"".join(b"a*%d=x; " % n for n in range(10_000)) + b"\r\n\r\n",
                b"Content-Disposition: attachment; filename*99999999999=x; filename*0*=y\r\n\r\n"],
    "MIM-014": [b'Content-Disposition: attachment; filename="a.txt\\0.exe"; filename*=utf-8\'\'b\r\n\r\n',
                "Content-Disposition: attachment; filename=\"\u202egpj.exe\"\r\n\r\n".encode()],
    "MIM-016": [b"Content-Transfer-Encoding: base64\r\n\r\n!!QQ==QQ=\r\n", b"Content-Transfer-Encoding: B64\r\n\r\nx\r\n"],
    "MIM-017": [b"Content-Type: text/plain; charset=" + c + b"\r\n\r\n+ADw-script+AD4- \\x41\r\n"
                for c in (b"utf-7", b"unicode_escape", b"raw_unicode_escape", b"punycode", b"idna", b"zlib_codec", b"hex",
                          b"rot13", b"undefined", b"utf-8\0", b"x" * 100_000, b"utf-16", b"hz", b"iso-2022-jp")],
    "MIM-018": [b"Subject: =?punycode?q?" + b"8" * 80_000 + b"?=\r\n\r\n"],
    "MIM-019": [b"A\0B: c\r\n\xff: d\r\nno colon\r\n: empty\r\n lead\r\nFrom x\r\n" + b"N" * (1 << 20) + b"\r\n\r\n", b" first\r\n\r\n"],
    "MIM-021": [b"Date: " + d + b"\r\n\r\n" for d in (b"9" * 5000, b"31 Feb 0000 99:99:99 +999999999999", b"day 99999999999")],
    "MIM-022": [b"Content-Type: text/html\r\n\r\n" + h * 100_000 for h in (b"<", b"<!", b"<![CDATA[", b"<div>", b"<!--", b"<style ")],
    "MIM-023": [b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b--\r\n", b"Content-Type: text/html\r\n\r\n",
                b"Content-Type: text/html\r\n\r\n&#55357;&amp;&nbsp;\r\n", b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xf0\x9f\x98"],
    "MIM-024": [b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n"],
}  # fmt: skip


def test_every_mime_case_is_here() -> None:
    assert MIME - set(HOSTILE) == {"MIM-026"}, "that one is tests/accounts/test_round_trip.py"


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_hostile_structure_is_survived(case: str) -> None:
    for octets in HOSTILE[case]:
        found = summary(octets)
        assert found.size == len(octets)
        assert "\x00" not in found.preview
        found.preview.encode()
        for rendered in (found.envelope, found.bodystructure):
            assert b"\0" not in rendered
        assert "<script" not in found.preview
        display(octets)


# Milliseconds of processor time that the case allows; a second where it names none.
ALLOWED = {"MIM-001": 100, "MIM-002": 100, "MIM-004": 200, "MIM-007": 20, "MIM-008": 20, "MIM-010": 100,
           "MIM-012": 50, "MIM-013": 20, "MIM-022": 500}  # fmt: skip


@pytest.mark.parametrize("case", sorted(HOSTILE))
@pytest.mark.parametrize("shown", [summary, display], ids=["summary", "display"])
def test_hostile_structure_costs_no_more_than_it_may(case: str, shown: Callable[[bytes], object]) -> None:
    def cost(octets: bytes) -> float:
        begin = time.process_time()
        shown(octets)
        return time.process_time() - begin

    limit = ALLOWED.get(case, 1000) / 1000
    for octets in HOSTILE[case]:
        assert any(cost(octets) <= seconds(limit) for _ in range(10)), "not even once"


def depth(part: Part) -> int:
    level, count = [part], 0
    while level:
        level, count = [c for p in level for c in p.children], count + 1
    return count


def test_depth_and_parts_are_capped() -> None:
    assert depth(scan(nest(1000)).root) <= DEPTH_CAP
    assert len(scan(HOSTILE["MIM-004"][0]).root.children) <= PARTS_CAP


ODD = st.lists(
    st.sampled_from([b"\r\n", b"--b", b"--", b"\n", b"Content-Type: multipart/mixed; boundary=b", b"\r\n\r\n", b":", b"a",
                     b"Content-Type: message/rfc822", b'"', b"(", b"=?utf-8?q?", b"?=", b"\0", b"\xff", b";"]),
    max_size=60,
).map(b"".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(ODD, st.lists(st.integers(1, 9), max_size=30))
def test_any_octets_cut_anywhere(octets: bytes, sizes: list[int]) -> None:
    assert whole(scan(octets, sizes)) == whole(scan(octets))
    summary(octets)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_are_no_error(octets: bytes) -> None:
    list(fields(octets))
    parameterised(octets)
    address_list(octets)
    text(octets)
    try:
        Summary.decode(octets)
    except UnsealError:
        pass
