"""Framing: cuts change nothing, limits come first, and a literal is what its octets are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.imap.framing import AFTER_LOGIN, BEFORE_LOGIN, Announced, Fault, Framer, Limits, Piece
from mailstead.imap.responses import Condition

SMALL = Limits(line=60, literal=20, literals=2, total=30, waste=50)


def run(octets: bytes, size: int = 1 << 20, limits: Limits = SMALL) -> list[object]:
    """Everything that comes out when literals are kept if they may be, and are refused else."""
    framer = Framer(limits)
    out: list[object] = []
    for at in range(0, len(octets), size):
        framer.receive(octets[at : at + size])
        while (found := framer.next()) is not None:
            out.append(found)
            if isinstance(found, Announced):
                answer = framer.too_large(found)
                if answer is None:
                    framer.keep()
                else:
                    out.append(answer)
                    fault = framer.refuse()
                    if fault is not None:
                        out.append(fault)
    return out


def commands(octets: bytes, limits: Limits = SMALL) -> list[object]:
    return [o for o in run(octets, limits=limits) if isinstance(o, tuple)]


def test_lines_and_literals() -> None:
    assert commands(b"a NOOP\r\nb LOGIN {3}\r\nb\r\n {0+}\r\n\r\nc NOOP\r\n") == [
        (b"a NOOP",), (b"b LOGIN ", b"b\r\n", b" ", b"", b""), (b"c NOOP",),
    ]  # fmt: skip


def test_a_literal_is_octets() -> None:
    text = "é{5}\r\nx".encode()
    assert commands(b"a SEARCH TEXT {%d}\r\n%b\r\nb NOOP\r\n" % (len(text), text)) == [
        (b"a SEARCH TEXT ", text, b""), (b"b NOOP",),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [b"21", b"4294967295", b"99999999999999999999"])
def test_too_large_is_said_before_anything_is_sent(size: bytes) -> None:
    out = run(b"a LOGIN {" + size + b"}\r\nb NOOP\r\n")
    assert out[1].octets(b"a").startswith(b"a BAD [TOOBIG]")  # type: ignore[attr-defined]
    assert out[2:] == [(b"b NOOP",)]


def test_too_large_and_on_its_way_is_thrown_away() -> None:
    out = run(b"a LOGIN {40+}\r\n" + b"\n" * 40 + b" {5+}\r\nabcde x\r\nb NOOP\r\n")
    assert out[2:] == [(b"b NOOP",)]


def test_too_much_to_be_thrown_away_ends_it() -> None:
    for octets in (b"a LOGIN {51+}\r\n", b"a LOGIN {40+}\r\n" + b"x" * 40 + b" {11+}\r\n"):
        out = run(octets + b"b NOOP\r\n" * 20)
        assert isinstance(out[-1], Fault)
        assert out[-1].answer.condition is Condition.BYE
    assert BEFORE_LOGIN.waste <= 8 << 10


def test_a_refused_sender_who_waits_sends_nothing() -> None:
    assert run(b"a X {21+}\r\n" + b"x" * 21 + b" {5}\r\nb NOOP\r\n")[2:] == [(b"b NOOP",)]


@pytest.mark.parametrize(
    "digits", [b"9" * 5000, b"\xd9\xa3", b"1_0", b"+5", b" 5", b"05", b"-1", b"", b"5-", b"5 "]
)
def test_only_numbers_announce(digits: bytes) -> None:
    limits = AFTER_LOGIN
    assert commands(b"a LOGIN {" + digits + b"}\r\nb NOOP\r\n", limits) == [
        (b"a LOGIN {" + digits + b"}",),
        (b"b NOOP",),
    ]


@pytest.mark.parametrize("digits", [b"05+", b"+5+", b"+", b"x+", b"-1+"])
def test_what_may_be_followed_by_a_literal_ends_it(digits: bytes) -> None:
    (fault,) = run(b"a LOGIN {" + digits + b"}\r\nb NOOP\r\n")
    assert isinstance(fault, Fault)
    assert fault.answer.condition is Condition.BYE


def test_literals_are_counted() -> None:
    out = run(b"a SEARCH" + b" {1+}\r\nx" * 3 + b"\r\nb NOOP\r\n")
    assert out[-1] == (b"b NOOP",)
    assert any(getattr(o, "code", b"") == b"LIMIT" for o in out)
    assert len(commands(b"a SEARCH" + b" {16+}\r\n" + b"x" * 16 + b" {15+}\r\n" + b"x" * 15 + b"\r\n")) == 0


@pytest.mark.parametrize(
    "octets",
    [
        b"a NOOP" + b" " * 100,
        b"x" * 61,
        b"x" * 61 + b"\r\n",
        b"a {5+}\r\n12345" + b"x" * 60,
        b'a LOGIN "' + b"x" * 100,
    ],
)
def test_lines_are_limited(octets: bytes) -> None:
    last = run(octets)[-1]
    assert isinstance(last, Fault)
    assert last.answer.condition is Condition.BYE


def test_lines_end_with_crlf() -> None:
    assert [type(o) for o in run(b"a NOOP\nb NOOP\r\n")] == [Fault, tuple]
    for octets in (b"a LOGIN {5+}\nb NOOP\r\n", b"a LOGIN {1+}\r\nx y\nb NOOP\r\n"):
        last = run(octets)[-1]
        assert isinstance(last, Fault)
        assert last.answer.condition is Condition.BYE
    assert commands(b"a\rb NOOP\r\n") == [(b"a\rb NOOP",)]


def test_a_message_is_handed_out() -> None:
    framer = Framer(AFTER_LOGIN)
    framer.receive(b"a APPEND x {10}\r\n01234")
    assert isinstance(framer.next(), Announced)
    assert framer.next() is None
    framer.hand_out()
    assert framer.next() == Piece(b"01234", last=False)
    assert framer.next() is None
    framer.receive(b"56789\r\nb NOOP\r\n")
    assert framer.next() == Piece(b"56789", last=True)
    assert framer.next() == (b"",)
    assert framer.next() == (b"b NOOP",)
    assert not framer.buffered


def test_lines_without_literals() -> None:
    framer = Framer()
    framer.receive(b"DO")
    assert framer.line() is None
    framer.receive(b"NE {5}\r\nx\n")
    assert framer.line() == b"DONE {5}"
    assert isinstance(framer.line(), Fault)


PIECES = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b" NOOP", b"{3}\r\n", b"{3+}\r\n", b"~{2}\r\n", b"{25+}\r\n", b"{}", b"xyz", b'"',
                     b"{0}\r\n", b"{05+}", b"x" * 24]),
    max_size=25,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(PIECES)
def test_octet_by_octet_equals_whole(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    whole = run(octets)
    assert run(octets, 1) == whole
    assert run(octets, 3) == whole
