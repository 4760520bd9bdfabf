"""Disks that a crash could leave, rebuilt from the trace of a real ingest: none lacks what was acknowledged.

A server delivers onto a file system that records what is done to it (tests/support/crashfs.py).
From moments of that record disks are rebuilt on which everything is missing, in part or torn,
that no fsync covers, and opened with the server's own code. The controls: the same record with
fsyncs that do nothing, and a server that answers before it has committed.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailstead.accounts.login import unlock
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import Cost
from mailstead.secretmem import Arena
from mailstead.store.opening import StoreSettings, open_database
from tests.support.crashfs import Disk, Op, read_trace, rebuild
from tests.support.loader import Ledger, load
from tests.support.server import PASSWORD, Server, broken

FULL = os.environ.get("MAILSTEAD_FAULTS") == "full"
STATES = 5000 if FULL else 500
CLIENTS, EACH = 6, 12
ROOT = Path(__file__).resolve().parents[2]
MOUNT = "import sys, pathlib, tests.support.crashfs as c; c.mount(*map(pathlib.Path, sys.argv[1:4]))"
pytestmark = [pytest.mark.system, pytest.mark.faults]


class Marked(dict[str, bytes]):
    """What was acknowledged; each is marked in the trace the moment it is."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __setitem__(self, token: str, octets: bytes) -> None:
        fd = os.open(self.place / "ACK", os.O_WRONLY | os.O_CREAT)
        os.write(fd, token.encode())
        os.close(fd)
        super().__setitem__(token, octets)


@dataclass(frozen=True)
class Record:
    """One ingest: the disk before it, what happened, what was sent, and the key to look at it."""

    begin: Disk
    ops: list[Op]
    sent: dict[str, bytes]
    key: bytes


def record(folder: Path, env: dict[str, str] | None = None, *, stop: bool = True) -> Record:
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"needs libfuse3: {error}")
    if shutil.which("fusermount3") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("needs fuse3 and the right to use /dev/fuse")
    server = Server(folder / "box", users=("ann@b.test",), env=env or {}).make()
    place, trace = folder / "disk", folder / "trace"
    place.mkdir()
    text = server.config.read_text()
    begin = Disk.of(server.data)
    server.config.write_text(f'data = "{place}"\n{text}')
    fuse = subprocess.Popen(
        [sys.executable, "-c", MOUNT, str(server.data), str(place), str(trace)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 20
        while not place.is_mount():
            if fuse.poll() is not None or time.monotonic() > end:
                pytest.skip(f"cannot mount: {fuse.communicate()[1]}")
            time.sleep(0.05)
        server.start()
        ledger = Ledger(acknowledged=Marked(place))
        for loader in load(server.ports["smtp"], CLIENTS, "x", ledger, count=EACH):
            loader.join(120)
        if stop:
            assert server.stop() == 0  # what was in the log is moved into the database: that is recorded too
        else:
            server.kill()
        assert len(ledger.acknowledged) > CLIENTS * EACH // 2, (ledger.refused[:3], server.read_log())
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(place)], check=False)
        fuse.communicate(timeout=20)
    key = (server.folder / "server.key").read_bytes()
    return Record(begin, read_trace(trace), dict(ledger.acknowledged), key)


async def found_on(disk: Disk, folder: Path, key: bytes) -> dict[str, bytes]:
    """Every message on *disk*, by its token, as its owner reads it."""
    folder.mkdir()
    disk.write_to(folder)
    database = open_database(StoreSettings(folder))
    found: dict[str, bytes] = {}
    try:
        office = Office(database, ServerKey(key), Arena(64), Cost(19456, 1), time.time)
        account = await unlock(office, "ann@b.test", Credential.password(PASSWORD.encode()))
        async for message in account.messages((await account.mailbox("INBOX")).id):
            octets = b"".join([piece async for piece in account.read(message.body)])[message.a.trace_octets :]
            token = octets[9 : octets.index(b"\r\n")].decode()
            assert token not in found, "twice"
            found[token] = octets
        account.close()
    finally:
        await database.close()
        shutil.rmtree(folder)
    return found


async def lost_in(trace: Record, folder: Path, seed: int, *, honest: bool = True) -> list[str]:
    """What was acknowledged before the crash that *seed* chooses, and is missing after it."""
    rng = random.Random(seed)
    how = ("prefix", "subset", "torn")[seed % 3]
    acks = [i + 1 for i, op in enumerate(trace.ops) if op.kind == "ack"]
    crash = rng.choice(acks) if seed % 2 else rng.randint(1, len(trace.ops))
    told = [op.path for op in trace.ops[:crash] if op.kind == "ack"]
    disk = rebuild(trace.begin, trace.ops, crash, how, rng, honest=honest)
    found = await found_on(disk, folder / f"{seed}", trace.key)
    return [token for token in told if found.get(token) != trace.sent[token]]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return record(tmp_path_factory.mktemp("crash"))


def test_the_trace_is_one(trace: Record) -> None:
    kinds = {op.kind for op in trace.ops}
    assert {"create", "write", "fsync", "unlink", "ack"} <= kinds, kinds
    assert sum(op.kind == "ack" for op in trace.ops) == len(trace.sent) == CLIENTS * EACH
    logs = {op.file for op in trace.ops if op.kind == "create" and op.path == "/mail.db-wal"}
    written = {op.file for op in trace.ops if op.kind == "write"}
    assert logs & written
    assert trace.begin.names["/mail.db"] in written, "the checkpoint at the end is part of it"


async def test_no_crash_loses_what_was_acknowledged(trace: Record, tmp_path: Path) -> None:
    for seed in range(STATES):
        assert await lost_in(trace, tmp_path, seed) == [], f"seed {seed}"


async def test_a_disk_that_lies_loses_mail(trace: Record, tmp_path: Path) -> None:
    """The control: the same record, with fsyncs that do nothing."""
    lost = broken = 0
    for seed in range(1, 40):
        try:
            lost += len(await lost_in(trace, tmp_path, seed, honest=False))
        except Exception:  # not even the database opens any more
            broken += 1
    assert lost + broken > 10
    assert lost


async def test_an_early_answer_is_found(tmp_path: Path) -> None:
    """The control: a server whose 250 does not wait for the commit, and a disk that does all it is told."""
    early = record(tmp_path, broken(""), stop=False)
    lost = [
        await lost_in(early, tmp_path, seed) for seed in range(1, 40, 6)
    ]  # prefixes that end with an answer
    assert any(lost)
