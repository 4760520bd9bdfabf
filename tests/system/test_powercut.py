"""Power cuts on a real file system: everything that was not flushed is gone, and no acknowledged mail is.

The ioctl that shuts a file system down without flushing its journal is what a power cut looks like
from above. The control runs the same server with an fsync that does nothing.
"""

import fcntl
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loader import Ledger, load, missing
from tests.support.server import Server

FULL = os.environ.get("MAILSTEAD_FAULTS") == "full"
CUTS = 20 if FULL else 2
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = (2).to_bytes(4, "little")
EATMYDATA = next(iter(Path("/usr/lib").glob("*/libeatmydata.so*")), None)
pytestmark = [pytest.mark.system, pytest.mark.faults]


class Disk:
    """An ext4 of its own in a file, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(4 << 30)  # sparse
        self._run("mkfs.ext4", "-q", "-F", str(self.image))
        self.plug_in()

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"{command[0]}: {done.stderr.decode().strip()}")

    def plug_in(self) -> None:
        self._run("mount", "-o", "loop", str(self.image), str(self.place))

    def cut(self) -> None:
        fd = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(fd)

    def unplug(self) -> None:
        """Take it off for good: mounted again while anybody holds it, it would be the one that is shut down."""
        end = time.monotonic() + 15
        while subprocess.run(["umount", str(self.place)], capture_output=True, check=False).returncode:
            if not self.place.is_mount() or time.monotonic() > end:
                return
            time.sleep(0.05)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")
    made = Disk(tmp_path)
    yield made
    made.unplug()


def cut_in_the_middle(disk: Disk, server: Server, ledger: Ledger, name: str, seconds: float) -> None:
    server.start()
    loaders = load(server.ports["smtp"], 10, name, ledger)
    time.sleep(seconds)
    with ledger.lock:
        told = dict(ledger.acknowledged)
    disk.cut()
    for loader in loaders:
        loader.stop.set()
    server.kill()
    for loader in loaders:
        loader.join(10)
    # A machine without power acknowledges nothing. This one still runs, and its kernel may call an fsync
    # good whose journal commit was aborted under it.
    ledger.acknowledged = told
    disk.unplug()
    disk.plug_in()


def test_nothing_acknowledged_is_lost_by_a_power_cut(disk: Disk, tmp_path: Path) -> None:
    server = Server(
        disk.place / "box", workers=2, extra="[limits]\nfree_octets = 0", log_path=tmp_path / "log"
    ).make()
    os.sync()
    ledger, rng = Ledger(), random.Random(5)
    for number in range(CUTS):
        cut_in_the_middle(disk, server, ledger, f"p{number}", rng.uniform(0.2, 1.0))
    assert len(ledger.acknowledged) > CUTS * 10
    assert missing(ledger, server.mails()) == []


def test_the_cut_is_one(disk: Disk, tmp_path: Path) -> None:
    """The control: with an fsync that does nothing, the same cut loses acknowledged mail."""
    if EATMYDATA is None:
        pytest.skip("libeatmydata is not installed")
    server = Server(
        disk.place / "box", extra="[limits]\nfree_octets = 0", log_path=tmp_path / "log",
        env={"LD_PRELOAD": str(EATMYDATA)},
    ).make()  # fmt: skip
    os.sync()
    ledger = Ledger()
    cut_in_the_middle(disk, server, ledger, "control", 0.6)
    server.env = {}
    assert ledger.acknowledged
    try:
        mails = server.mails()
    except AssertionError:  # not even the database opens any more
        return
    assert missing(ledger, mails)
