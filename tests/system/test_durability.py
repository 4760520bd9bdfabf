"""Acknowledged is durable: kill -9 at any moment, full disks, failing fsyncs, and controls that lose mail."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loader import Ledger, load, missing
from tests.support.server import Server, broken

FULL = os.environ.get("MAILSTEAD_FAULTS") == "full"
KILLS = 100 if FULL else 20
STRACE = shutil.which("strace")
pytestmark = [pytest.mark.system, pytest.mark.faults]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("durable") / "box"


def test_nothing_acknowledged_is_lost_by_kill_9(folder: Path) -> None:
    """Two workers, twenty clients, kills at random moments; every 250 is there afterwards, once."""
    server = Server(folder, workers=2).make()
    ledger, rng = Ledger(), random.Random(4)
    for round_ in range(KILLS):
        server.start()
        loaders = load(server.ports["smtp"], 20, f"r{round_}", ledger)
        time.sleep(rng.uniform(0.05, 0.6))
        server.kill()
        for loader in loaders:
            loader.join(10)
    mails = server.mails()
    assert len(ledger.acknowledged) > KILLS * 10, "the test did its work"
    assert missing(ledger, mails) == []
    tokens = [m[m.index(b"X-Token: ") :].split(b"\r\n")[0] for m in mails]
    assert len(tokens) == len(set(tokens)), "nothing is there twice"


def wait_until_traced(pid: int) -> None:
    """Every thread of the server has a tracer."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        states = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        if all("TracerPid:\t0\n" not in state for state in states):
            return
        time.sleep(0.02)
    pytest.fail("strace does not attach")


def is_gone(server: Server, pid: int) -> bool:
    """Whether a worker was killed: its connections end a moment before it does."""
    end = time.monotonic() + 1
    while pid in server.worker_pids() and time.monotonic() < end:
        time.sleep(0.02)
    return pid not in server.worker_pids()


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_a_kill_at_every_system_call_loses_nothing(folder: Path) -> None:
    """A three-message ingest, killed at its Nth write, fsync or send, for every N there is."""
    server = Server(folder, workers=1).make()
    calls = "pwrite64,fdatasync,fsync,ftruncate,unlink,sendto,write,writev"
    ledger = Ledger()
    points = range(1, 400)
    kills = survivals = 0
    for number in points:
        server.start()
        (pid,) = server.worker_pids()
        tracer = subprocess.Popen(
            [STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}",
             "-e", f"inject={calls}:signal=SIGKILL:when={number}", "-p", str(pid)],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until_traced(pid)
        loaders = load(server.ports["smtp"], 1, f"k{number}", ledger, count=3)
        for loader in loaders:
            loader.join(15)
        killed = is_gone(server, pid)
        kills, survivals = kills + killed, 0 if killed else survivals + 1
        server.kill()
        tracer.kill()
        tracer.wait(10)
        if survivals == 3:  # there are no more calls than that
            break
    assert kills >= 5, "there were kills in the middle"
    assert missing(ledger, server.mails()) == []


def test_the_test_can_fail(folder: Path) -> None:
    """The control: a server whose 250 does not wait for the commit loses mail by the same kills."""
    server = Server(folder, workers=1, env=broken("")).make()
    ledger = Ledger()
    for round_ in range(6):
        server.start()
        loaders = load(server.ports["smtp"], 20, f"c{round_}", ledger)
        time.sleep(0.3)
        server.kill()
        for loader in loaders:
            loader.join(10)
        if missing(ledger, server.mails()):
            return
    pytest.fail("acknowledging before the commit was not noticed")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 10 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")
    place = Path(f"/tmp/mailstead-small-{os.getpid()}")
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(place)], capture_output=True
    )
    if done.returncode:
        place.rmdir()
        pytest.skip(f"cannot mount: {done.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


def test_a_full_disk_defers_and_recovers(small_disk: Path, tmp_path: Path) -> None:
    server = (
        Server(small_disk / "box", log_path=tmp_path / "log", extra="[limits]\nfree_octets = 0")
        .make()
        .start()
    )
    ledger = Ledger()
    loaders = load(server.ports["smtp"], 4, "fill", ledger, count=500)
    for loader in loaders:
        loader.join(60)
    replies = {answer[:3] for answer in ledger.refused}
    assert replies, "the disk was never full"
    assert replies <= {b"451", b"452", b"250"}, replies
    assert ledger.acknowledged
    grown = small_disk / "box" / "data" / "mail.db"
    assert grown.exists()
    subprocess.run(["mount", "-o", "remount,size=96m", str(small_disk)], check=True)
    after = Ledger()
    end = time.monotonic() + 20
    while not after.acknowledged and time.monotonic() < end:
        for loader in load(server.ports["smtp"], 1, f"after{time.monotonic()}", after, count=1):
            loader.join(10)
    assert after.acknowledged, "it takes mail again, without a restart"
    assert server.stop() == 0
    ledger.acknowledged |= after.acknowledged
    assert missing(ledger, server.mails()) == []


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_a_failing_fsync_defers_and_recovers(folder: Path) -> None:
    """EIO from the fifth to the ninth fdatasync: 451, nothing acknowledged is lost, and then it goes on."""
    server = Server(folder).make().start()
    (pid,) = server.worker_pids()
    tracer = subprocess.Popen(
        [STRACE, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
         "-e", "inject=fdatasync:error=EIO:when=5..9", "-p", str(pid)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until_traced(pid)
    ledger = Ledger()
    for loader in load(server.ports["smtp"], 1, "eio", ledger, count=40):
        loader.join(60)
    tracer.send_signal(signal.SIGTERM)
    tracer.wait(60)
    assert {a[:3] for a in ledger.refused} == {b"451"}, ledger.refused[:3]
    assert len(ledger.acknowledged) > 20
    assert server.worker_pids() == [pid]
    assert server.stop() == 0
    assert missing(ledger, server.mails()) == []


def test_a_file_size_limit_is_no_death(folder: Path) -> None:
    """RLIMIT_FSIZE: 452, and no SIGXFSZ."""
    limit = f"import os,resource,sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000000, {resource.RLIM_INFINITY}));"
    limit += " os.execv(sys.argv[1], sys.argv[1:])"
    server = (
        Server(folder, wrap=[sys.executable, "-c", limit], extra="[limits]\nfree_octets = 0").make().start()
    )
    ledger = Ledger()
    for loader in load(server.ports["smtp"], 4, "size", ledger, count=150):
        loader.join(60)
    assert {a[:3] for a in ledger.refused} <= {b"451", b"452"}
    assert ledger.refused
    assert len(server.worker_pids()) == 1
    assert server.stop() == 0
    assert missing(ledger, server.mails()) == []
