"""Who may be written to, as a stranger is told it: codes on the wire."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import PASSWORD, Server, Talk

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("replies") / "box", users=("ann@b.test",)).make()
    for user, options in (("full@b.test", ("--quota", "1")), ("keyless@b.test", ()), ("gone@b.test", ())):
        added = made.run("user", "add", user, "--password-file", "-", *options, stdin=PASSWORD.encode())
        assert added.returncode == 0, added.stderr
    assert made.run("user", "disable", "gone@b.test").returncode == 0
    with sqlite3.connect(made.data / "mail.db") as connection:
        connection.execute(
            "UPDATE epoch_key SET public_key = zeroblob(length(public_key)) WHERE account_id ="
            " (SELECT account_id FROM address WHERE address = 'keyless@b.test')"
        )
    connection.close()
    made.start()
    yield made
    assert made.stop() == 0


REPLIES = {
    b"ann@b.test": b"250 2.1.5",
    b"ANN@B.TEST.": b"250 2.1.5",
    b'"ann"@b.test': b"250 2.1.5",
    b"postmaster": b"250 2.1.5",
    b"Postmaster@b.test": b"250 2.1.5",
    b"abuse@b.test": b"250 2.1.5",
    b"nobody@b.test": b"550 5.1.1",
    b"ann@other.test": b"550 5.7.1",
    b"ann@sub.b.test": b"550 5.7.1",
    b"gone@b.test": b"550 5.2.1",
    b"full@b.test": b"452 4.2.2",
    b"keyless@b.test": b"451 4.3.0",
}


def begin(server: Server, size: bytes = b" SIZE=5000", service: str = "smtp") -> Talk:
    talk = server.connect(service).hello(b"LHLO" if service == "lmtp" else b"EHLO")
    assert talk.command(b"MAIL FROM:<a@a.test>" + size)[0] == 250
    return talk


@pytest.mark.parametrize("path", REPLIES, ids=lambda p: p.decode())
@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_each_recipient_has_its_answer(server: Server, path: bytes, service: str) -> None:
    talk = begin(server, service=service)
    code, text = talk.command(b"RCPT TO:<" + path + b">")
    assert text.startswith(REPLIES[path]), text
    if code != 250:
        answer = talk.command(b"DATA")[0]
        assert answer == (503 if service == "lmtp" else 554)
    talk.close()


def test_a_mailbox_that_turns_out_to_be_full_takes_nothing(server: Server) -> None:
    """SMTP: all or none. LMTP: each for itself, in the order of RCPT, also when one is named twice."""
    paths = (b"ann@b.test", b"full@b.test", b"ann@b.test")
    before = len(server.listed())
    for service, codes in (("smtp", [452]), ("lmtp", [250, 452, 250])):
        talk = begin(server, b"", service)
        for path in paths:
            assert talk.command(b"RCPT TO:<" + path + b">")[0] == 250
        assert talk.command(b"DATA")[0] == 354
        talk.send(b"Subject: x\r\n\r\nno size was announced\r\n.\r\n")
        assert [talk.reply()[0] for _ in codes] == codes
        assert talk.command(b"NOOP")[0] == 250
        talk.close()
    assert len(server.listed()) == before + 1


def test_before_anybody_lives_here_postmaster_waits(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", users=("x@b.test",)).make()
    assert server.run("user", "remove", "x@b.test", "--yes").returncode == 0
    server.start()
    talk = begin(server)
    assert talk.command(b"RCPT TO:<postmaster>")[0] == 451
    assert talk.command(b"RCPT TO:<abuse@b.test>")[0] == 451
    assert talk.command(b"RCPT TO:<x@b.test>")[0] == 550
    talk.close()
    assert server.stop() == 0


def test_the_greeting_says_what_is_there(server: Server) -> None:
    talk = server.connect()
    assert talk.reply()[1] == b"220 mx.b.test ESMTP mailstead\r\n"
    lines = talk.command(b"EHLO a.test")[1].splitlines()
    words = {line[4:] for line in lines[1:]}
    assert {
        b"STARTTLS", b"PIPELINING", b"SIZE 52428800", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES", b"CHUNKING",
        b"DSN", b"LIMITS RCPTMAX=100", b"HELP",
    } == words  # fmt: skip
    assert talk.command(b"VRFY ann")[0] == 252
    assert talk.command(b"HELP MAIL")[0] == 214
    assert talk.command(b"NOOP anything")[0] == 250
    assert talk.command(b"AUTH PLAIN AGEAYg==")[0] == 502, "there are no logins here, and none is offered"
    talk.close()
