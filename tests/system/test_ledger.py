"""What was noted is on the disk when a command, or the server, has ended."""

import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.server import COMMAND, PASSWORD, Server

STRACE = shutil.which("strace")
ANN = "ann@b.test"
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]


def traced(path: Path) -> list[str]:
    return [str(STRACE), "-f", "-y", "-qq", "-e", "trace=pwrite64,fsync", "-o", str(path)]


def done_to_it(path: Path) -> list[str]:
    """What was done to the ledger, in order."""
    return re.findall(r"(\w+)\(\d+<[^>]*/ledger/own\.log>", path.read_text())


def test_lines_of_a_command_are_on_the_disk_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "box", users=(ANN,)).make()
    monkeypatch.setattr("tests.support.server.COMMAND", [*traced(tmp_path / "trace"), *COMMAND])
    made = server.run("key", "app", "add", ANN, "phone", "--password-file", "-", stdin=PASSWORD.encode())
    assert made.returncode == 0, made.stderr
    done = done_to_it(tmp_path / "trace")
    assert "pwrite64" in done, "the anchor"
    assert done[-1] == "fsync"


def test_lines_of_the_server_are_on_the_disk_when_it_ends(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", users=(ANN,), listen=("lmtp",)).make()
    server.wrap = traced(tmp_path / "trace")
    server.start()
    (main,) = server.worker_pids()  # of strace
    talk = server.connect("lmtp").hello(b"LHLO")
    for line in (b"MAIL FROM:<x@y.test>", f"RCPT TO:<{ANN}>".encode(), b"DATA", b"Subject: x\r\n\r\n."):
        assert talk.command(line)[0] in (250, 354)
    talk.close()
    os.kill(main, signal.SIGTERM)
    assert server.process is not None
    assert server.process.wait(timeout=40) == 0
    done = done_to_it(tmp_path / "trace")
    assert "pwrite64" in done, "the arrival"
    assert done[-1] == "fsync"
