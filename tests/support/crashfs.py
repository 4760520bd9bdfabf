"""A file system in memory that writes down everything that is done to it, and the disks a crash could leave.

The trace holds writes, truncations, fsyncs, changes of names, and the moments at which a client
was told "250": it writes the message's token to the file ACK. From any moment of it a disk can be
rebuilt on which only that is certain which an fsync has made so.

`mount` serves it, beginning with what is in a folder.
"""

import errno
import os
import pickle
import random
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACK = "/ACK"
SECTOR = 512


@dataclass(frozen=True)
class Op:
    """One thing that happened, in order: a file is known by number, a name by path."""

    kind: str  # create, mkdir, unlink, rename | write, truncate | fsync, fsyncdir | ack
    file: int = 0
    path: str = ""
    to: str = ""
    at: int = 0
    octets: bytes = b""


NAMES = ("create", "mkdir", "unlink", "rename")


@dataclass
class Disk:
    """Names and contents."""

    names: dict[str, int] = field(default_factory=dict)  # 0 is a folder
    files: dict[int, bytearray] = field(default_factory=dict)

    @staticmethod
    def of(folder: Path) -> "Disk":
        disk = Disk({"/": 0})
        for path in sorted(folder.rglob("*")):
            name = "/" + str(path.relative_to(folder))
            if path.is_dir():
                disk.names[name] = 0
            elif path.is_file():
                disk.names[name] = len(disk.files) + 1
                disk.files[disk.names[name]] = bytearray(path.read_bytes())
        return disk

    def copy(self) -> "Disk":
        return Disk(dict(self.names), {n: bytearray(o) for n, o in self.files.items()})

    def apply(self, op: Op) -> None:
        match op.kind:
            case "create":
                self.names[op.path] = op.file
                self.files.setdefault(op.file, bytearray())
            case "mkdir":
                self.names[op.path] = 0
            case "unlink":
                self.names.pop(op.path, None)
            case "rename":
                if op.path in self.names:
                    self.names[op.to] = self.names.pop(op.path)
            case "write":
                octets = self.files.setdefault(op.file, bytearray())
                if len(octets) < op.at:
                    octets.extend(bytes(op.at - len(octets)))
                octets[op.at : op.at + len(op.octets)] = op.octets
            case "truncate":
                octets = self.files.setdefault(op.file, bytearray())
                del octets[op.at :]
                octets.extend(bytes(op.at - len(octets)))
            case _:
                pass

    def write_to(self, folder: Path) -> None:
        for name, number in sorted(self.names.items()):
            path = folder / name[1:]
            if number == 0:
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(self.files[number])


def rebuild(
    begin: Disk, ops: list[Op], crash: int, how: str, rng: random.Random, *, honest: bool = True
) -> Disk:
    """A disk that a crash after the first *crash* operations could leave.

    Args:
        how: "prefix": all of them; "subset": of what no fsync covers, any; "torn": of each write, any sectors.
        honest: False: an fsync does nothing (the control).
    """
    done = ops[:crash]
    disk = begin.copy()
    synced: dict[int, int] = {}  # file: its last fsync
    certain = -1  # names change in order, as in a journal: up to here they have
    for index, op in enumerate(done):
        if not honest:
            break
        if op.kind == "fsync":
            synced[op.file] = index
        if op.kind in ("fsync", "fsyncdir"):
            for before in range(certain + 1, index):
                other = done[before]
                ours = other.file == op.file if op.kind == "fsync" else os.path.dirname(other.path) == op.path
                if other.kind in NAMES and ours:
                    certain = before
    loose = [i for i, op in enumerate(done) if op.kind in NAMES and i > certain]
    last_name = certain if not loose else rng.choice([certain, *loose])
    keep = rng.choice([0.0, 0.3, 0.5, 0.9])
    for index, op in enumerate(done):
        if how == "prefix":
            disk.apply(op)
        elif op.kind in NAMES:
            if index <= last_name:
                disk.apply(op)
        elif op.kind in ("write", "truncate"):
            if index < synced.get(op.file, -1):
                disk.apply(op)
            elif op.kind == "write" and how == "torn":
                for at in range(0, len(op.octets), SECTOR):
                    if rng.random() < keep:
                        disk.apply(Op("write", op.file, at=op.at + at, octets=op.octets[at : at + SECTOR]))
            elif rng.random() < keep:
                disk.apply(op)
    disk.names = {name: n for name, n in disk.names.items() if n == 0 or n in disk.files}
    return disk


def read_trace(path: Path) -> list[Op]:
    ops: list[Op] = []
    with path.open("rb") as file:
        while True:
            try:
                ops.append(pickle.load(file))
            except EOFError:
                return ops


def mount(folder: Path, place: Path, trace: Path) -> None:
    """Serve the file system until it is unmounted."""
    import mfusepy

    class Recording(mfusepy.Operations):  # type: ignore[misc]  # it has no types
        use_ns = True

        def __init__(self) -> None:
            self.disk = Disk.of(folder)
            self.next = len(self.disk.files) + 1
            self.modes: dict[str, int] = {}
            self.sockets: set[str] = set()
            self.trace = trace.open("wb", buffering=0)

        def _do(self, op: Op) -> None:
            self.disk.apply(op)
            self.trace.write(pickle.dumps(op))

        def _file(self, path: str) -> int:
            number = self.disk.names.get(path)
            if number is None:
                raise mfusepy.FuseOSError(errno.ENOENT)
            return number

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            socket = path in self.sockets
            number = -1 if socket else fh if fh else self._file(path)
            now = time.time_ns()
            kind = (
                stat.S_IFDIR | 0o700
                if number == 0
                else (stat.S_IFSOCK if socket else stat.S_IFREG) | self.modes.get(path, 0o600)
            )
            size = 0 if number <= 0 else len(self.disk.files[number])
            return {
                "st_mode": kind, "st_nlink": 1, "st_size": size, "st_uid": os.getuid(), "st_gid": os.getgid(),
                "st_mtime": now, "st_atime": now, "st_ctime": now,
            }  # fmt: skip

        def readdir(self, path: str, fh: int) -> list[str]:
            names = [n for n in (*self.disk.names, *self.sockets) if n != "/" and os.path.dirname(n) == path]
            return [".", "..", *(os.path.basename(n) for n in names)]

        def create(self, path: str, mode: int, fi: int | None = None) -> int:
            number, self.next = self.next, self.next + 1
            self._do(Op("create", number, path))
            return number

        def mknod(self, path: str, mode: int, dev: int) -> int:
            """A socket: a name without octets, and no mail is lost with it."""
            self.sockets.add(path)
            return 0

        def open(self, path: str, flags: int) -> int:
            return self._file(path)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return bytes(self.disk.files[fh][offset : offset + size])

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            if path == ACK:
                self._do(Op("ack", path=data.decode().strip()))
            else:
                self._do(Op("write", fh, at=offset, octets=bytes(data)))
            return len(data)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            self._do(Op("truncate", fh or self._file(path), at=length))
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            self._do(Op("fsync", fh))
            return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            self._do(Op("fsyncdir", path=path))
            return 0

        def unlink(self, path: str) -> int:
            if path in self.sockets:
                self.sockets.remove(path)
                return 0
            self._do(Op("unlink", self._file(path), path))
            return 0

        def rename(self, old: str, new: str) -> int:
            self._do(Op("rename", self._file(old), old, new))
            return 0

        def mkdir(self, path: str, mode: int) -> int:
            self._do(Op("mkdir", path=path))
            return 0

        def chmod(self, path: str, mode: int) -> int:
            self.modes[path] = stat.S_IMODE(mode)
            return 0

        def utimens(self, path: str, times: object = None) -> int:
            return 0

        def statfs(self, path: str) -> dict[str, int]:
            return {
                "f_bsize": 4096,
                "f_frsize": 4096,
                "f_blocks": 1 << 28,
                "f_bfree": 1 << 27,
                "f_bavail": 1 << 27,
            }

    mfusepy.FUSE(Recording(), str(place), foreground=True, nothreads=True)
