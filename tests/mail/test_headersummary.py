"""ENVELOPEs taken apart give what they were made of."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.errors import UnsealError
from mailstead.mail import headersummary
from mailstead.mail.headersummary import NOBODY, FirstAddress, date_and_subject, read_envelope
from mailstead.mail.render import envelope
from mailstead.mail.structure import Scanner

RECORDED = json.loads((Path(__file__).parent / "dovecot.json").read_text())["answers"]


def made(header: bytes) -> bytes:
    scanner = Scanner()
    scanner.push(header)
    return envelope(scanner.finish().root)


def test_fields() -> None:
    found = read_envelope(made(
        b"Date: 1 Jan 2001\r\nSubject: Re: x\r\nFrom: Ann <ann@a.test>, b@b.test\r\nSender: s@s.test\r\n"
        b"To: Team: c@c.test;\r\nMessage-ID: <1@a>\r\nIn-Reply-To: <0@a>\r\n\r\n"
    ))  # fmt: skip
    assert found.date == b"1 Jan 2001"
    assert found.subject == b"Re: x"
    assert found.sender == FirstAddress(b"Ann", b"ann", b"a.test")
    assert found.to == FirstAddress(None, b"Team", None)
    assert found.cc == NOBODY
    assert (found.in_reply_to, found.message_id) == (b"<0@a>", b"<1@a>")


def test_literals_and_escapes() -> None:
    header = 'Subject: a "b" \\c\r\nFrom: "x \\" y" <ann@a.test>\r\nTo: Jürgen <j@a.test>\r\nMessage-ID: <"1\\2"@a>\r\n\r\n'
    found = read_envelope(made(header.encode()))
    assert found.subject == b'a "b" \\c'
    assert found.sender == FirstAddress(b'x " y', b"ann", b"a.test")
    assert found.to == FirstAddress("Jürgen".encode(), b"j", b"a.test")
    assert found.message_id == b'<"1\\2"@a>'
    assert found.date is None
    assert date_and_subject(made(header.encode())) == (None, b'a "b" \\c')


def test_both_ways_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a Dovecot says of a corpus, too."""
    envelopes = [answer.encode("latin-1") for answer in RECORDED.values()]
    envelopes = [e[: _end(e)] for e in envelopes]
    quick = [read_envelope(e) for e in envelopes]
    slow = [headersummary._Reader(e).envelope() for e in envelopes]
    assert quick == slow
    assert [date_and_subject(e) for e in envelopes] == [(found.date, found.subject) for found in slow]
    assert sum(headersummary._SIMPLE.fullmatch(e) is not None for e in envelopes) > len(envelopes) // 2


def _end(answer: bytes) -> int:
    """Where the ENVELOPE ends and the BODYSTRUCTURE begins."""
    reader = headersummary._Reader(answer)
    reader._octets = answer
    try:
        reader.envelope()
    except UnsealError:
        raise AssertionError(answer) from None
    return reader._at


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_header_is_read_again(noise: bytes) -> None:
    for name in (b"Subject: ", b"From: ", b"To: ", b"Message-ID: "):
        read_envelope(made(name + noise + b"\r\n\r\n"))


@pytest.mark.parametrize(
    "octets", [b"", b"(", b"()", b"(NIL NIL)", b'("a', b"({9}\r\nx", b"(" * 50_000, b"(" + b"NIL " * 20_000]
)
def test_what_is_none_is_damaged(octets: bytes) -> None:
    with pytest.raises(UnsealError):
        read_envelope(octets)
