"""The rule behind the cases of area smtp-limits: a megabyte of anything keeps nobody else waiting."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.support.server import Server, Talk
from tests.support.standard import standard_asserts

pytestmark = pytest.mark.system
IN_RCPT = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<bob@local.test>\r\n"
MIB = 1 << 20

FLOODS = {
    "hello": (b"", b"EHLO a.test\r\n"),
    "empty-chunks": (IN_RCPT, b"BDAT 0\r\n"),
    "chunks": (IN_RCPT, b"BDAT 64\r\n" + b"x" * 64),
    "refused-chunks": (b"", b"BDAT 4\r\nDATA"),
    "recipients": (b"MAIL FROM:<a@a.test>\r\n", b"RCPT TO:<bob@local.test>\r\n"),
    "noise": (b"", b"NOOP x\r\nHELP\r\n"),
    "empty-lines": (b"", b"\r\n"),
    "letters": (b"", b"\x80"),
    "line-ends": (IN_RCPT + b"DATA\r\n", b"\r\n"),
    "dots": (IN_RCPT + b"DATA\r\n", b"..\r\n"),
    "messages": (b"", IN_RCPT + b"BDAT 0 LAST\r\n"),
    "headers": (IN_RCPT + b"DATA\r\n", b"a:\r\n"),
    "folds": (IN_RCPT + b"DATA\r\nSubject: x\r\n", b" \r\n"),
    "parts": (IN_RCPT + b"DATA\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", b"--b\r\n\r\n"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("floods")
    (folder / "tmp").mkdir()
    users = ("bob@local.test", "ann@b.test")
    made = Server(folder / "box", users=users, env={"TMPDIR": str(folder / "tmp")}).make().start()
    # What a server allocates once, it has allocated before the first flood is measured.
    at_once(made, "parts")
    yield made
    assert made.stop() == 0


def read_all(talk: Talk) -> None:
    with contextlib.suppress(OSError):
        while talk.socket.recv(1 << 16):
            pass


def flood(server: Server, octets: bytes) -> None:
    talk = server.connect().hello()
    reader = threading.Thread(target=read_all, args=(talk,), daemon=True)
    reader.start()
    with contextlib.suppress(ConnectionError):
        talk.send(octets + b"\r\n.\r\nQUIT\r\n")
    reader.join(20)
    talk.close()


def at_once(server: Server, name: str) -> None:
    """The same flood from four connections."""
    first, unit = FLOODS[name]
    size = MIB // 100 if name == "messages" else MIB  # a hundred and sixty each are work, not a flood
    octets = first + unit * max(1, size // len(unit))
    threads = [threading.Thread(target=flood, args=(server, octets)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_delays_nobody(server: Server, name: str) -> None:
    with standard_asserts(server, "bob@local.test"):
        at_once(server, name)


def test_a_peer_that_does_not_read_is_waited_for(server: Server) -> None:
    """Its replies do not pile up: it is read from again when it reads."""
    with standard_asserts(server, "bob@local.test"):
        talk = server.connect().hello()
        talk.socket.settimeout(3)
        with contextlib.suppress(TimeoutError):
            for _ in range(64):
                talk.send(b"MAIL FROM:<a@a.test>\r\n" + b"RCPT TO:<bob@local.test>\r\n" * 40_000)
        talk.close()
