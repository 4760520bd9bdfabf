"""Dots and lines: piece by piece as all at once (RFC 1939 sections 3 and 7)."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailstead.pop3.text import Stuffer, TopCutter

TEXT = st.lists(
    st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r", b"\n", b"\r\n.\r\n", b"word"]), max_size=30
)


def in_pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(octets), *(c for c in cuts if c < len(octets))})
    return [octets[a:b] for a, b in pairwise(at)]


def read_back(response: bytes) -> bytes:
    """As a client reads it: up to the line with a dot alone, with one dot less on others."""
    lines = response.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end + 1 :] == [b""], "nothing comes behind"
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:end])


@given(TEXT, st.lists(st.integers(0, 60), max_size=5))
def test_what_is_stuffed_is_read_back(parts: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(parts)
    stuffer = Stuffer()
    response = b"".join([stuffer.push(piece) for piece in in_pieces(octets, cuts)]) + stuffer.end()
    whole = octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"
    assert read_back(response) == whole


@given(TEXT, st.integers(0, 5), st.lists(st.integers(0, 60), max_size=5))
def test_the_top_is_the_header_and_some_lines(parts: list[bytes], lines: int, cuts: list[int]) -> None:
    octets = b"".join(parts)
    cutter = TopCutter(lines)
    found = b""
    for piece in in_pieces(octets, cuts):
        if cutter.done:
            break
        found += cutter.push(piece)
    header, empty, body = (b"\r\n" + octets).partition(b"\r\n\r\n")
    kept = b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:lines])
    expected = (header + empty + kept)[2:] if empty else octets
    if empty and len(body.split(b"\r\n")) <= lines:
        expected = octets  # all of it; there is no line end behind the last
    assert found == expected
