"""The machine: lines, states, and what is asked for before it is answered (RFC 1939 section 3)."""

from base64 import b64encode

import pytest

from mailstead.pop3 import responses
from mailstead.pop3.commands import (
    Auth,
    Capa,
    Dele,
    List,
    Pass,
    Quit,
    Retr,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
)
from mailstead.pop3.responses import ok
from mailstead.pop3.server import LINE_OCTETS, BadCommand, Event, Need, SaslResponse, ServerConnection, State

DONE = ok("done")


def connection(*, plaintext: bool = True, logged_in: bool = False) -> ServerConnection:
    made = ServerConnection(plaintext_login=plaintext)
    if logged_in:
        made.receive(b"USER a\r\nPASS b\r\n")
        for _ in range(2):
            made.next_event()
            made.respond(DONE)
        assert made.state is State.TRANSACTION
    return made


def event_of(line: bytes, **how: bool) -> Event:
    made = connection(**how)
    made.receive(line)
    event = made.next_event()
    assert not isinstance(event, Need)
    return event


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"stat\r\n", Stat()), (b"LIST\r\n", List()), (b"LIST 3\r\n", List(3)), (b"Uidl 0012\r\n", Uidl(12)),
        (b"RETR 1\r\n", Retr(1)), (b"TOP 1 0\r\n", Top(1, 0)), (b"TOP 1 2147483647\r\n", Top(1, (1 << 31) - 1)),
        (b"DELE 9999999999\r\n", Dele(9_999_999_999)), (b"QUIT\r\n", Quit()), (b"CAPA\r\n", Capa()),
    ],
)  # fmt: skip
def test_commands_of_a_transaction(line: bytes, command: object) -> None:
    assert event_of(line, logged_in=True) == command


@pytest.mark.parametrize(
    "line",
    [
        b"RETR\r\n", b"RETR 0\r\n", b"RETR -1\r\n", b"RETR 1 2\r\n", b"RETR 99999999999\r\n", b"RETR 1.0\r\n",
        b"TOP 1\r\n", b"TOP 1 -1\r\n", b"TOP 1 99999999999\r\n", b"TOP 1 x\r\n", b"LIST  1\r\n", b"STAT 1\r\n", b"NONE\r\n", b"\r\n",
        b" STAT\r\n", b"STAT\n", b"STAT\r\r\n", b"ST\0AT\r\n", b"USER a\r\n", b"PASS b\r\n", b"STLS\r\n",
        b"AUTH PLAIN\r\n", b"APOP a b\r\n", b"DELE \xb2\r\n", b"UTF8\r\n",
    ],
)  # fmt: skip
def test_what_a_transaction_refuses(line: bytes) -> None:
    event = event_of(line, logged_in=True)
    assert isinstance(event, BadCommand)
    assert event.response.octets().startswith(b"-ERR ")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"USER \xc3\xa4@b.test\r\n", User("ä@b.test".encode())), (b"AUTH\r\n", Auth(None)),
        (b"AUTH plain\r\n", Auth("PLAIN")), (b"AUTH PLAIN =\r\n", Auth("PLAIN", b"")),
        (b"AUTH PLAIN AGEAYg==\r\n", Auth("PLAIN", b"\0a\0b")), (b"STLS\r\n", Stls()), (b"UTF8\r\n", Utf8()),
        (b"utf8 USER\r\n", Utf8()),
    ],
)  # fmt: skip
def test_commands_before_the_login(line: bytes, command: object) -> None:
    assert event_of(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"STAT\r\n", b"PASS x\r\n", b"APOP a b\r\n", b"USER\r\n", b"USER a b\r\n", b"AUTH PLAIN a\r\n",
        b"AUTH PLAIN AGEAYg== x\r\n", b"NOOP\r\n",
    ],
)  # fmt: skip
def test_what_is_refused_before_the_login(line: bytes) -> None:
    assert isinstance(event_of(line), BadCommand)


@pytest.mark.parametrize("line", [b"USER a\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN AGEAYg==\r\n"])
def test_no_password_is_asked_for_without_tls(line: bytes) -> None:
    event = event_of(line, plaintext=False)
    assert isinstance(event, BadCommand)
    assert event.response is responses.NO_PLAINTEXT


@pytest.mark.parametrize("password", [b"two words", b" x", b"x ", b"p\xff", b"x" * 1024, b"a\tb"])
def test_a_password_is_the_rest_of_its_line(password: bytes) -> None:
    made = connection()
    made.receive(b"USER a\r\nPASS " + password + b"\r\n")
    assert made.next_event() == User(b"a")
    assert made.next_event() is Need.RESPONSE
    made.respond(DONE)
    assert made.next_event() == Pass(password)
    assert made.user == b"a"


def test_pass_comes_right_behind_user() -> None:
    made = connection()
    for line, kind in (
        (b"USER a\r\n", User),
        (b"CAPA\r\n", Capa),
        (b"NOOP\r\n", BadCommand),
        (b"PASS b\r\n", BadCommand),
    ):
        made.receive(line)
        event = made.next_event()
        assert isinstance(event, kind), line
        made.respond(event.response if isinstance(event, BadCommand) else DONE)


@pytest.mark.parametrize("length", [LINE_OCTETS, LINE_OCTETS + 1, 10 * LINE_OCTETS])
@pytest.mark.parametrize("piece", [1 << 20, 1000, 7])
def test_a_line_that_is_too_long_is_one_error(length: int, piece: int) -> None:
    made = connection()
    octets = b"USER " + b"x" * length + b"\r\nQUIT\r\n"
    events: list[Event] = []
    for at in range(0, len(octets), piece):
        made.receive(octets[at : at + piece])
        assert len(made._received) <= LINE_OCTETS + piece
        while not isinstance(event := made.next_event(), Need):
            events.append(event)
            made.respond(responses.TOO_LONG)
    assert [type(e) for e in events] == [BadCommand, Quit]


def test_sasl_goes_on_line_by_line() -> None:
    made = connection()
    made.receive(b"AUTH PLAIN\r\n")
    assert made.next_event() == Auth("PLAIN")
    assert made.challenge(b"") == b"+ \r\n"
    made.receive(b64encode(b"\0a\0" + b"p" * 8000) + b"\r\n")
    event = made.next_event()
    assert isinstance(event, SaslResponse)
    assert event.octets == b"\0a\0" + b"p" * 8000
    assert made.respond(responses.LOGIN_FAILED) == b"-ERR [AUTH] Authentication failed\r\n"
    assert made.state is State.AUTHORIZATION
    made.receive(b"AUTH PLAIN\r\n")
    made.next_event()
    made.challenge(b"")
    made.receive(b"*\r\nAUTH LOGIN\r\n")
    event = made.next_event()
    assert isinstance(event, BadCommand)
    assert event.response is responses.CANCELLED
    made.respond(event.response)
    assert made.next_event() == Auth("LOGIN")
    made.challenge(b"x")
    made.receive(b"x" * 100_000 + b"\r\n")
    event = made.next_event()
    assert isinstance(event, BadCommand)
    assert event.response is responses.TOO_LONG


def test_behind_quit_nothing_is_read() -> None:
    made = connection(logged_in=True)
    made.receive(b"QUIT\r\nDELE 1\r\n")
    assert made.next_event() == Quit()
    made.respond(responses.NOT_DELETED)
    assert made.state is State.CLOSED
    assert made.next_event() is Need.OCTETS
    assert not made.buffered


def test_tls_forgets_what_was_said_before() -> None:
    made = connection(plaintext=False)
    made.receive(b"STLS\r\n")
    assert made.next_event() == Stls()
    made.respond(responses.BEGIN_TLS)
    made.secured()
    made.receive(b"USER a\r\n")
    assert made.next_event() == User(b"a")


def test_to_ask_which_mechanisms_there_are_is_no_login() -> None:
    made = connection()
    made.receive(b"AUTH\r\nSTAT\r\nUSER a\r\n")
    assert made.next_event() == Auth(None)
    made.respond(DONE)
    assert made.state is State.AUTHORIZATION
    refused = made.next_event()
    assert isinstance(refused, BadCommand)
    assert refused.response == responses.NOT_NOW
    made.respond(refused.response)
    assert made.next_event() == User(b"a")
