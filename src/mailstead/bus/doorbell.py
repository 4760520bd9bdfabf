"""Unix datagrams between the processes on one data folder.

Each listener has a socket DATA/run/bell.PID.N; a ring is one datagram to each of them, with the
numbers of all accounts it is for. A full socket loses it, which is allowed; a socket that nobody
holds any more is removed by whoever finds it.
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
TOGETHER = 512  # account numbers in one datagram
_NUMBER = struct.Struct(">Q")


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
        rung = list(accounts)
        if self._heard is not None:
            for account in rung:
                self._heard(account)
        others = self._others()
        if not others:
            return
        for at in range(0, len(rung), TOGETHER):
            octets = b"".join(map(_NUMBER.pack, rung[at : at + TOGETHER]))
            for name in others:
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
            loop.add_reader(mine, _hear, mine, heard)
            await loop.create_future()  # until it is cancelled
        finally:
            self._heard = None
            loop.remove_reader(mine)
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


def _hear(mine: socket.socket, heard: Callable[[int], None]) -> None:
    with contextlib.suppress(BlockingIOError):
        octets = mine.recv(TOGETHER * _NUMBER.size)
        if len(octets) % _NUMBER.size == 0:
            for (account,) in _NUMBER.iter_unpack(octets):
                heard(account)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made
