"""What every hostile case asserts besides its own: the standard asserts of cases.yaml."""

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.server import SAID, Server

MIB = 1 << 20
# What stands on the disk in clear by design, or says nothing: addresses served here, a letter many times.
KNOWN = re.compile(rb"(?i)bob@local|ann@b\.test|postmaster|^(.)\1*$")
LOCAL = b"bob@local.test ann@b.test"


class Bystander(threading.Thread):
    """A well-behaved session that sends NOOP every 50 ms, and watches how large the server is."""

    def __init__(self, server: Server, pid: int) -> None:
        super().__init__(daemon=True)
        self.talk = server.connect().hello()
        self.pid = pid
        self.took: list[float] = []
        self.largest = 0
        self.answers: set[int] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while len(self.took) < 5 or not self.done.is_set():
            began = time.monotonic()
            self.answers.add(self.talk.command(b"NOOP")[0])
            self.took.append(time.monotonic() - began)
            self.largest = max(self.largest, resident(self.pid))
            self.done.wait(0.05)

    def finish(self) -> None:
        self.done.set()
        self.join(30)
        self.talk.close()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def canaries() -> set[bytes]:
    """Words of what was said that are long enough to be no accident."""
    found: set[bytes] = set()
    for piece in SAID.pieces[:200]:
        found |= set(re.findall(rb"[!-;=?-~]{8,60}", piece))
    return {word for word in found if not KNOWN.search(word) and word.lower() not in LOCAL}


def files_of(server: Server) -> Iterator[Path]:
    """Everything the server could have left something in."""
    yield server.log_path
    for folder in (server.data, Path(server.env["TMPDIR"])):
        yield from (p for p in folder.rglob("*") if p.is_file())


@contextlib.contextmanager
def standard_asserts(server: Server, user: str) -> Iterator[None]:
    """Run a case: NOLOSS is asserted for the INBOX of *user*, of all that was there after the case before."""
    (pid,) = server.worker_pids()
    kept = server.kept.get(user, [])
    token = os.urandom(8).hex().encode()
    talk = server.connect().hello()
    talk.send(b"MAIL FROM:<>\r\nRCPT TO:<" + user.encode() + b">\r\nDATA\r\n")
    assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
    talk.send(b"Subject: " + token + b"\r\n\r\nkept\r\n.\r\n")
    assert talk.reply()[0] == 250
    talk.close()
    time.sleep(0.05)
    before = descriptors(pid)
    size, busy = resident(pid), cpu(pid)
    SAID.clear()
    bystander = Bystander(server, pid)
    bystander.start()
    try:
        yield
    finally:
        bystander.finish()
    end = time.monotonic() + 15
    while descriptors(pid) > before and time.monotonic() < end:
        time.sleep(0.02)
    assert server.worker_pids() == [pid], "ALIVE"
    log = server.read_log()
    assert "Traceback" not in log, "ALIVE"
    assert "smtp.session.failed" not in log, "ALIVE"
    assert descriptors(pid) <= before, "FD"
    assert bystander.answers == {250}, "BYST"
    took = sorted(bystander.took)
    assert took[int(len(took) * 0.99) if len(took) >= 100 else -1] <= 0.25, ("BYST", took[-3:])
    assert took[-1] <= 1, "BYST"
    # 64 KiB is what a connection may cost: five hundred are 32 MiB.
    most = max(32 * MIB, SAID.connections << 16)
    assert bystander.largest - size <= most, ("RSS32", (bystander.largest - size) / MIB)
    # A second for each input of a megabyte; and a connection is an input of its own.
    allowed = max(1.0, SAID.octets / MIB) + 0.003 * SAID.connections
    assert cpu(pid) - busy <= allowed, ("CPU1", cpu(pid) - busy, allowed)
    end = time.monotonic() + 5
    while resident(pid) - size > 8 * MIB and time.monotonic() < end:
        time.sleep(0.1)
    assert resident(pid) - size <= 8 * MIB, ("RSS32", (resident(pid) - size) / MIB)
    words = canaries()
    for path in files_of(server):
        octets = path.read_bytes()
        assert not (found := [w for w in words if w in octets]), ("NOPLAIN", path, found)
    now = server.kept[user] = server.mails(user)
    assert now[: len(kept)] == kept, "NOLOSS"
    mine = b"Subject: " + token + b"\r\n\r\nkept\r\n"
    assert any(m.endswith(mine) for m in now[len(kept) :]), "NOLOSS"
