"""Unix datagrams between the processes on one data folder.

Each listener has a socket DATA/run/bell.PID.N; a ring is 8 octets to each of them. A full socket
loses it, which is allowed; a socket that nobody holds any more is removed by whoever finds it.
"""

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PREFIX = "bell."
TICK_NS = 50_000_000
_RING = struct.Struct(">Q")


class Doorbell:
    """The bell of one process.

    Args:
        folder: DATA/run, which only this server's user can enter.
    """

    def __init__(self, folder: Path) -> None:
        # Addressed by descriptor: a socket's path has 108 octets, and a data folder may be deep.
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._out = _socket()
        self._name: str | None = None
        self._heard: Callable[[int], None] | None = None
        self._listed: tuple[int, list[str]] = (-1, [])

    def ring(self, accounts: Iterable[int]) -> None:
        """Tell this process and all others."""
        for account in accounts:
            if self._heard is not None:
                self._heard(account)
            octets = _RING.pack(account)
            for name in self._others():
                self._send(octets, name)

    def _others(self) -> list[str]:
        changed = os.fstat(self._folder).st_mtime_ns
        if changed != self._listed[0]:
            # A folder's time is coarse: within one tick of it a socket may come unnoticed.
            settled = time.time_ns() - changed > TICK_NS
            names = [n for n in os.listdir(self._folder) if n.startswith(PREFIX) and n != self._name]
            self._listed = (changed if settled else -1, names)
        return list(self._listed[1])

    def _send(self, octets: bytes, name: str) -> None:
        try:
            self._out.sendto(octets, self._path(name))
        except ConnectionRefusedError:  # its process is dead
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
        except OSError:
            pass  # it went this moment, or is full: who waits looks for himself

    def _path(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder}/{name}"

    async def run(self, heard: Callable[[int], None]) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        mine = _socket()
        self._name = f"{PREFIX}{os.getpid()}.{os.urandom(4).hex()}"
        try:
            mine.bind(self._path(self._name))
            self._sweep()
            self._heard = heard
            while True:
                octets = await loop.sock_recv(mine, _RING.size)
                if len(octets) == _RING.size:
                    heard(*_RING.unpack(octets))
        finally:
            self._heard = None
            mine.close()
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)

    def _sweep(self) -> None:
        """Remove the sockets that dead processes left."""
        with _socket() as probe:
            for name in self._others():
                try:
                    probe.connect(self._path(name))
                except ConnectionRefusedError:
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=self._folder)
                except OSError:
                    pass

    async def close(self) -> None:
        """Nothing waits: a datagram is out at once."""
        self._out.close()
        os.close(self._folder)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made
