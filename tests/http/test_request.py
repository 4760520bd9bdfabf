"""The head of a request: what is taken, what is refused, and how much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.http.request import FIELDS, HEAD_OCTETS, Request, RequestReader, Status
from mailstead.http.response import response

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


def read(octets: bytes, pieces: int = 1 << 30) -> Request | Status | None:
    reader = RequestReader()
    for at in range(0, len(octets), pieces):
        if (found := reader.receive(octets[at : at + pieces])) is not None:
            return found
    return None


@pytest.mark.parametrize(
    ("octets", "request_"),
    [
        # RFC 9112 section 3.2.1, and 3.2.2
        (b"GET /where?q=now HTTP/1.1\r\nHost: www.example.org\r\n\r\n", Request(b"GET", b"/where", b"")),
        (b"GET http://www.example.org/pub/W HTTP/1.1\r\nHost: a\r\n\r\n", Request(b"GET", b"/pub/W", b"")),
        (b"GET http://www.example.org HTTP/1.1\r\nHost: a\r\n\r\n", Request(b"GET", b"/", b"")),
        # section 3.2.4
        (b"OPTIONS * HTTP/1.1\r\nHost: www.example.org:8001\r\n\r\n", Request(b"OPTIONS", b"*", b"")),
        # RFC 6750 section 2.1
        (
            b"GET /resource HTTP/1.1\r\nHost: server.example.com\r\nAuthorization: Bearer mF_9.B5f-4.1JqM\r\n\r\n",
            Request(b"GET", b"/resource", b"Bearer mF_9.B5f-4.1JqM"),
        ),
        (b"GET /livez HTTP/1.0\r\n\r\n", Request(b"GET", b"/livez", b"")),
        (
            b"GET //livez HTTP/1.1\r\nhOsT:\t x \t\r\nX:\r\n\r\nbehind it\n\0",
            Request(b"GET", b"//livez", b""),
        ),
    ],
)
def test_requests(octets: bytes, request_: Request) -> None:
    assert read(octets) == request_


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
        (b" GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # RFC 9112 section 3.2: without Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nauthorization: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),  # section 5.1
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),  # section 5.2
        (b"GET / HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: \x07\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (b"GET /" + b"x" * HEAD_OCTETS, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * HEAD_OCTETS, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * FIELDS + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
    ],
)
def test_refusals(octets: bytes, status: int) -> None:
    assert read(octets) == status
    assert read(octets, 1) == status


def test_a_head_may_be_full_and_not_over() -> None:
    start = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    full = start + b"y" * (HEAD_OCTETS - len(start))
    for pieces in (1 << 30, 1, 7):
        assert isinstance(read(full + b"\r\n\r\n", pieces), Request)
        assert read(full + b"y\r\n\r\n", pieces) is Status.HEAD_TOO_LARGE


def test_nothing_is_kept_beyond_the_cap() -> None:
    reader = RequestReader()
    reader.receive(b"GET /" + b"x" * 1_000_000)
    assert len(reader._octets) == HEAD_OCTETS + 4


LINES = st.sampled_from(
    [
        b"GET",
        b"/metrics",
        b" ",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\n",
        b"\r",
        b"Host: x",
        b"\0",
        b":",
        b"\xff",
    ]
)


@given(st.lists(LINES | st.binary(max_size=5)).map(b"".join), st.integers(1, 20))
def test_in_pieces_as_in_one(octets: bytes, pieces: int) -> None:
    for whole in (octets, octets + GET):
        assert read(whole, pieces) == read(whole)


def test_every_status_can_be_said() -> None:
    for status in Status:
        said = response(status)
        head, content = said.split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"Content-Length: %d\r\n" % len(content) in head + b"\r\n"
        assert response(status, head_only=True) == head + b"\r\n\r\n"
