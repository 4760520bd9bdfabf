"""The hostile inputs of cases.yaml that concern POP3, against a real server.

Each runs under the standard asserts of the file (tests/support/standard.py).
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.imaptalk import ImapTalk
from tests.support.server import PASSWORD, SAID, Server, Talk
from tests.support.standard import standard_asserts

FILE = Path(__file__).parent / "cases.yaml"
CASES = [c["id"] for c in yaml.safe_load(FILE.read_text())["cases"] if c["area"] == "pop3"]
ENDS_SERVER = ("POP-004", "POP-005")  # which the standard asserts forbid
BOB = "bob@local.test"


class PopTalk(Talk):
    """One connection; every command waits for its answer."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.ports["pop3"])
        self.greeting = self.line()

    def line(self) -> bytes:
        """The next line, without its CRLF; empty at the end."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if not (came := self.socket.recv(1 << 16)):
                return b""
            self.buffer += came
        found, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return found

    def ok(self, command: bytes) -> bytes:
        self.send(command + b"\r\n")
        line = self.line()
        assert line.startswith(b"+OK "), line
        return line[4:]

    def err(self, command: bytes) -> bytes:
        self.send(command + b"\r\n")
        line = self.line()
        assert line.startswith(b"-ERR "), line
        return line[5:]

    def lines(self, command: bytes) -> list[bytes]:
        self.ok(command)
        return list(iter(self.line, b"."))

    def log_in(self) -> "PopTalk":
        SAID.passwords += 1
        self.ok(b"USER " + BOB.encode())
        self.ok(b"PASS " + PASSWORD.encode())
        return self


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server, with three messages in INBOX."""
    folder = tmp_path_factory.mktemp("pop3cases")
    (folder / "tmp").mkdir()
    made = Server(
        folder / "box", (BOB,), listen=("smtp", "imap", "pop3"), auth="insecure_plaintext_login = true",
        env={"TMPDIR": str(folder / "tmp")},
    ).make().start()  # fmt: skip
    talk = by_imap(made)
    for n in range(3):
        talk.append(b"Subject: %d\r\n\r\n" % n + b"one line\r\n" * 10)
    talk.close()
    yield made
    assert made.stop() == 0


def by_imap(server: Server) -> ImapTalk:
    talk = ImapTalk(server.ports["imap"]).log_in(BOB)
    talk.ok(b"SELECT INBOX")
    return talk


@pytest.mark.system
@pytest.mark.parametrize("case", [*(c for c in CASES if c not in ENDS_SERVER), "TLS-003"])
def test_case(server: Server, case: str) -> None:
    with standard_asserts(server, BOB):
        RUN[case](server)


@pytest.mark.system
@pytest.mark.parametrize("case", ENDS_SERVER)
def test_case_that_ends_the_server(server: Server, case: str) -> None:
    RUN[case](server)


def test_every_case_is_run() -> None:
    assert {*CASES, "TLS-003"} == RUN.keys()


def pop_001(server: Server) -> None:
    talk = PopTalk(server).log_in()
    for line in (b"TOP 1 999999999999", b"TOP 1 -1", b"RETR 0", b"RETR 99999999999", b"DELE " + b"9" * 1000):
        talk.err(line)
    assert len(talk.lines(b"TOP 1 99999999")) == 12, "fetchmail's way to have all of a message"
    talk.ok(b"QUIT")
    talk.close()


def pop_003(server: Server) -> None:
    talk = PopTalk(server)
    assert b"<" not in talk.greeting
    assert not any(line.startswith(b"APOP") for line in talk.lines(b"CAPA"))
    talk.err(b"APOP bob c4c9334bac560ecc979e58001b3e22fb")
    talk.close()


def pop_004(server: Server) -> None:
    def unique_ids() -> list[bytes]:
        talk = PopTalk(server).log_in()
        found = [line.split(b" ")[1] for line in talk.lines(b"UIDL")]
        talk.ok(b"QUIT")
        talk.close()
        return found

    before = unique_ids()
    assert len(set(before)) == len(before) >= 3
    assert all(0 < len(name) <= 70 for name in before)
    talk = by_imap(server)
    talk.ok(b"MOVE 1 Archive")
    talk.ok(b"SELECT Archive")
    talk.ok(b"MOVE 1 INBOX")
    talk.close()
    assert unique_ids() == [*before[1:], before[0]]
    assert server.stop() == 0
    server.start()
    assert unique_ids() == [*before[1:], before[0]]


def pop_005(server: Server) -> None:
    talk = PopTalk(server).log_in()
    before = talk.lines(b"UIDL")
    talk.ok(b"DELE 1")
    server.kill()
    talk.close()
    server.start()
    talk = PopTalk(server).log_in()
    assert talk.lines(b"UIDL") == before
    talk.close()


def pop_006(server: Server) -> None:
    talk = PopTalk(server)
    talk.err(b"PASS " + PASSWORD.encode())
    talk.err(b"USER " + b"u" * 10_240)
    talk.ok(b"USER " + BOB.encode())
    talk.err(b"PASS correct\0horse")
    talk.err(b"AUTH PLAIN " + b64encode(b"\0bob\0" + b"p" * 100_000))
    assert b" " in PASSWORD.encode()
    talk.log_in()
    talk.close()


def tls_003(server: Server) -> None:
    talk = PopTalk(server)
    talk.send(b"STLS\r\nUSER eve\r\n")
    assert talk.until_closed() == b""
    talk.close()


RUN: dict[str, Callable[[Server], None]] = {
    "POP-001": pop_001, "POP-003": pop_003, "POP-004": pop_004, "POP-005": pop_005, "POP-006": pop_006,
    "TLS-003": tls_003,
}  # fmt: skip
