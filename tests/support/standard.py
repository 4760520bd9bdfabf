"""What every hostile case asserts besides its own: the standard asserts of cases.yaml."""

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.imaptalk import ImapTalk
from tests.support.pace import seconds
from tests.support.server import SAID, Server

MIB = 1 << 20
HASHING = 19 * MIB  # argon2_kib of tests/support/server.py
# What stands on the disk in clear by design, or says nothing: addresses served here, a letter many times.
KNOWN = re.compile(rb"(?i)bob@local|ann@b\.test|postmaster|^(.)\1*$")
LOCAL = b"bob@local.test ann@b.test"


class Bystander(threading.Thread):
    """A well-behaved session that sends NOOP every 50 ms, and watches how large the server is."""

    def __init__(self, server: Server, pid: int, imap: str | None) -> None:
        super().__init__(daemon=True)
        if imap is None:
            talk = self.talk = server.connect().hello()
            self.noop = lambda: talk.command(b"NOOP")[0] == 250
        else:
            session = self.talk = ImapTalk(server.ports["imap"]).log_in(imap)
            session.ok(b"SELECT INBOX")
            self.noop = lambda: session.ask(b"NOOP").status == b"OK"
        self.pid = pid
        self.took: list[float] = []
        self.largest = 0
        self.answers: set[bool] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while len(self.took) < 5 or not self.done.is_set():
            began = time.monotonic()
            self.answers.add(self.noop())
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


def mails(server: Server, user: str) -> list[bytes]:
    """Every message of a user's INBOX, by IMAP."""
    with contextlib.closing(ImapTalk(server.ports["imap"])) as talk:
        talk.log_in(user).ok(b"EXAMINE INBOX")
        found = talk.ok(b"UID FETCH 1:* BODY.PEEK[]").having(b"BODY[]")
    return [line.partition(b"}\r\n")[2][:-1] for line in found]


@contextlib.contextmanager
def standard_asserts(server: Server, user: str, *, imap: str | None = None) -> Iterator[None]:
    """Run a case: NOLOSS is asserted for the INBOX of *user*, of all that was there after the case before.

    With *imap* the bystander is an IMAP session of this user, and IMAP is how INBOX is read.
    """
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
    logged = len(server.read_log())
    bystander = Bystander(server, pid, imap)
    bystander.start()
    try:
        yield
    finally:
        bystander.finish()
    end = time.monotonic() + 15
    while descriptors(pid) > before and time.monotonic() < end:
        time.sleep(0.02)
    assert server.worker_pids() == [pid], "ALIVE"
    log = server.read_log()[logged:]
    assert "Traceback" not in log, "ALIVE"
    assert "session.failed" not in log, "ALIVE"
    assert descriptors(pid) <= before, "FD"
    assert bystander.answers == {True}, "BYST"
    took = sorted(bystander.took)
    second = seconds(1)
    assert took[int(len(took) * 0.99) if len(took) >= 100 else -1] <= 0.25 * second, ("BYST", took[-3:])
    assert took[-1] <= second, "BYST"
    # 64 KiB is what a connection may cost: five hundred are 32 MiB.
    most = max(32 * MIB, SAID.connections << 16)
    assert bystander.largest - size <= most, ("RSS32", (bystander.largest - size) / MIB)
    # A second for each input of a megabyte; and a connection is an input of its own.
    allowed = second * (max(1.0, SAID.octets / MIB) + 0.003 * SAID.connections + 0.1 * SAID.passwords)
    assert cpu(pid) - busy <= allowed, ("CPU1", cpu(pid) - busy, allowed)
    # What hashing a password takes, the thread that does it may keep for the next one.
    base = size + 8 * MIB + (HASHING if SAID.passwords else 0)
    end = time.monotonic() + 5
    while resident(pid) > base and time.monotonic() < end:
        time.sleep(0.1)
    assert resident(pid) <= base, ("RSS32", (resident(pid) - size) / MIB)
    words = canaries()
    for path in files_of(server):
        octets = path.read_bytes()
        assert not (found := [w for w in words if w in octets]), ("NOPLAIN", path, found)
    now = server.kept[user] = server.mails(user) if imap is None else mails(server, user)
    assert now[: len(kept)] == kept, "NOLOSS"
    mine = b"Subject: " + token + b"\r\n\r\nkept\r\n"
    assert any(m.endswith(mine) for m in now[len(kept) :]), "NOLOSS"
