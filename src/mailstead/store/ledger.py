"""The ledger of this node: a file beside the database, to which is appended what must not be forgotten.

Rule 1: a line is appended after the commit it is about, and before anybody is answered; so the ledger
may lag behind the database, and never leads. It is on the disk a second later, not at once.
Rule 2: all processes of a node write one file, each under its lock and chained to the line before.
Rule 3: whatever is wrong with the file, mail is taken: `failed` is told.
Rule 4: what an older crash has left at its end, and does not follow, is cut off when it is opened, or
made short.

It is made short now and then: the last line of each mailbox that is there is enough.
"""

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Container, Generator
from pathlib import Path
from typing import BinaryIO

from mailstead.crypto.ledger import (
    LINE_OCTETS,
    MAC_OCTETS,
    NO_TAG,
    START,
    TAG_OCTETS,
    LedgerChain,
    Line,
    LineType,
    read_lines,
)
from mailstead.crypto.sealed import ZERO_ID
from mailstead.store.book import Book, Known, merged

OWN = "own.log"
SYNC_SECONDS = 1.0
DAY = 86400
SHORT = 1 << 20  # octets, up to which it is not made shorter within a day
CHECKED = 3000 * LINE_OCTETS  # at its end, when it is opened: more cannot have been on its way to the disk


class Ledger:
    """The ledger of this node.

    Args:
        failed: Told of an error, when what should have been noted is not.
    """

    def __init__(
        self, folder: Path, chain: LedgerChain, failed: Callable[[str], None] = lambda _: None
    ) -> None:
        self._folder = folder
        self._path = folder / OWN
        self._chain = chain
        self.failed = failed
        self._fd = -1
        self._at = 0  # how much of it is read
        self._book = Book()
        self._dirty = False
        self._short = SHORT
        self._made_short = time.monotonic()

    # Writing

    def note(self, lines: list[Line]) -> None:
        """Append *lines*, which are about what has been committed."""
        try:
            with self._locked() as (fd, size):
                end = size // LINE_OCTETS * LINE_OCTETS
                _append(fd, end, self._chain.write(_mac_before(fd, end), lines))
        except OSError as error:
            self.failed(f"{self._path}: {error.strerror or error}")
        self._dirty = True

    def arrived(self, account: bytes, mailbox_id: bytes, count: int, uid: int, tag: bytes) -> Line:
        """The line of a mailbox's last arrival; *tag* is all of its tag."""
        return Line(LineType.ARRIVAL, account, mailbox_id, count, uid, tag[:TAG_OCTETS], _now())

    def anchored(self, account: bytes, version: int, write_id: bytes) -> None:
        """Note that an anchor was written."""
        self.note([Line(LineType.ANCHORED, account, ZERO_ID, version, 0, write_id, _now())])

    def revoke(self, account: bytes, slots: list[tuple[bytes, int]]) -> None:
        """Note slots that were revoked, each with when it would have expired, on the disk."""
        if slots:
            self.note([Line(LineType.REVOKED, account, i, until, 0, NO_TAG, _now()) for i, until in slots])
            self.sync()

    def gone(self, account: bytes, mailbox_id: bytes = ZERO_ID) -> None:
        """Note that a mailbox was deleted; without one, that the account was removed."""
        self.note([Line(LineType.GONE, account, mailbox_id, 0, 0, NO_TAG, _now())])

    def restored(self, account: bytes) -> None:
        """Note that what the database has of an account counts, whatever was noted before."""
        self.note([Line(LineType.RESTORED, account, ZERO_ID, 0, 0, NO_TAG, _now())])
        self.sync()

    def sync(self) -> None:
        """Have it on the disk."""
        if self._dirty and self._fd >= 0:
            self._dirty = False
            try:
                os.fsync(self._fd)
            except OSError as error:
                self.failed(f"{self._path}: {error.strerror or error}")

    async def run(self) -> None:
        """See to it, as long as the worker runs, that it is on the disk and stays short."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await asyncio.to_thread(self.sync)
            if self._fd < 0:
                continue
            size = os.fstat(self._fd).st_size
            if size > self._short or time.monotonic() - self._made_short > DAY:
                await asyncio.to_thread(self.make_short)

    def make_short(self) -> None:
        """Write the least that says the same, in the place of the file."""
        self._made_short = time.monotonic()
        made = self._path.with_suffix(f".{threading.get_native_id()}")
        try:
            octets = self._path.read_bytes()
            octets = octets[: self._chain.follow(octets)]
            book = Book()
            book.read(read_lines(octets))
            kept = self._chain.write(START, book.lines(_now()))
            with open(made, "wb", opener=_private) as file:
                file.write(kept)
                file.flush()
                os.fsync(file.fileno())  # most of it, before anybody waits
                self._take_place(made, file, octets, kept[-MAC_OCTETS:] or START)
            made.unlink(missing_ok=True)
        except OSError as error:
            self.failed(f"{self._path}: {error.strerror or error}")
        else:
            self._short = max(SHORT, 4 * len(kept))

    def _take_place(self, made: Path, file: BinaryIO, octets: bytes, last: bytes) -> None:
        """Have *file* replace the one that began with *octets*, with what was appended to that since.

        Args:
            last: The MAC that *file* ends with.
        """
        with self._path.open("rb") as old:
            # By a descriptor of its own, so that it also waits for who writes in this process.
            fcntl.flock(old, fcntl.LOCK_EX)
            here = old.read()
            if not os.fstat(old.fileno()).st_nlink or not here.startswith(octets):
                return  # another process was faster, before or while this one waited
            rest = here[len(octets) :]
            whole = self._chain.follow(rest, octets[-MAC_OCTETS:] or START)
            if whole < len(rest):
                self._cut_off(len(rest) - whole)
            file.write(self._chain.write(last, read_lines(rest[:whole])))
            file.flush()
            os.fsync(file.fileno())  # some of it was on the disk, and may have been said to be
            made.replace(self._path)
            sync_folder(self._folder)  # before anybody writes into it

    # Reading

    def of(self, account: bytes) -> Known:
        """What is noted of an account, as of now."""
        self._read_on()
        return self._book.of(account)

    def revoked(self) -> Container[bytes]:
        """The ids of slots that were revoked, as of now."""
        self._read_on()
        return self._book.revoked

    def _read_on(self) -> None:
        try:
            self._open()
            size = os.fstat(self._fd).st_size // LINE_OCTETS * LINE_OCTETS
            if size > self._at:
                self._book.read(read_lines(os.pread(self._fd, size - self._at, self._at)))
                self._at = size
        except OSError as error:
            self.failed(f"{self._path}: {error.strerror or error}")

    def all_nodes(self, account: bytes) -> tuple[Known, list[str]]:
        """What this ledger and copies of other nodes' beside it know of an account, every line checked.

        Returns:
            And what is wrong with them, in words.
        """
        books: list[Book] = []
        said: list[str] = []
        self._read_on()
        for path in sorted(self._folder.glob("*.log")):
            octets = path.read_bytes()
            whole = self._chain.follow(octets)
            if len(octets) - whole >= LINE_OCTETS:
                lines = whole // LINE_OCTETS
                said.append(f"{path}: what is behind {lines} lines was not written by this server")
            books.append(Book())
            books[-1].read(read_lines(octets[:whole]))
        return merged(books, account), said

    # The file

    @contextlib.contextmanager
    def _locked(self) -> Generator[tuple[int, int]]:
        """The open file and its size; nobody else writes it meanwhile."""
        while True:
            fd = self._open()
            fcntl.flock(fd, fcntl.LOCK_EX)
            found = os.fstat(fd)
            if found.st_nlink:
                break
            fcntl.flock(fd, fcntl.LOCK_UN)  # another one has taken its place
        try:
            yield fd, found.st_size
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _open(self) -> int:
        if self._fd >= 0 and os.fstat(self._fd).st_nlink:
            return self._fd
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._fd, self._at, self._book = fd, 0, Book()
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            size = os.fstat(fd).st_size
            whole = self._checked(fd, max(0, size - CHECKED) // LINE_OCTETS * LINE_OCTETS)
            if whole < size:
                os.ftruncate(fd, whole)
                self._cut_off(size - whole)
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)
        return fd

    def _checked(self, fd: int, start: int) -> int:
        """How much of the file is lines that follow, of which those from *start* on are looked at."""
        octets = os.pread(fd, os.fstat(fd).st_size, start)
        whole = self._chain.follow(octets, _mac_before(fd, start))
        return start + whole if whole or not start else self._checked(fd, 0)

    def _cut_off(self, size: int) -> None:
        self.failed(f"{self._path}: cut off {size} octets that do not follow")

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _mac_before(fd: int, at: int) -> bytes:
    """The MAC to which the line at *at* is chained."""
    return os.pread(fd, MAC_OCTETS, at - MAC_OCTETS) if at else START


def _append(fd: int, end: int, octets: bytes) -> None:
    """Write *octets* at the end; none of them if not all can be.

    Raises:
        OSError: they are not written.
    """
    try:
        if os.pwrite(fd, octets, end) == len(octets):
            return
    except OSError:
        os.ftruncate(fd, end)
        raise
    os.ftruncate(fd, end)
    raise OSError("no room")


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _now() -> int:
    return int(time.time())
