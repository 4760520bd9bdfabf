"""What a worker says of itself, on a socket of its own: whose keys it holds, and in what kind of memory.

Whoever connects gets one JSON object and nothing else can be asked. The socket is
DATA/run/status.PID, mode 0600 in a folder of mode 0700: it answers the server's user, and root.
It names accounts by their numbers.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from mailstead.log import Log

PREFIX = "status."
SECONDS = 5.0  # for one answer
OCTETS = 16 << 20

State = dict[str, Any]


class StateSocket:
    """The socket of one worker.

    Args:
        folder: DATA/run.
        tell: Gives what there is to say, as JSON knows it.
    """

    def __init__(self, folder: Path, tell: Callable[[], State], log: Log) -> None:
        self._log = log
        self._folder = folder
        self._tell = tell

    async def run(self) -> None:
        """Answer, for as long as this runs; where there can be no socket, nobody is answered."""
        try:
            await self._serve()
        except OSError as error:
            self._log.warning("state.socket.failed", why=error.strerror)

    async def _serve(self) -> None:
        with _entered(self._folder) as folder:
            path = f"{folder}/{PREFIX}{os.getpid()}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.bind(path)
                os.chmod(path, 0o600)
                server = await asyncio.start_unix_server(self._answer, sock=sock)
                async with server:
                    await asyncio.get_running_loop().create_future()  # until it is cancelled
            finally:
                sock.close()
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                writer.write(json.dumps(self._tell()).encode())
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # whoever asked has gone
        finally:
            writer.close()


async def ask(folder: Path) -> tuple[list[State], list[int]]:
    """What the workers on a data folder say, and the pids of those that did not answer in time.

    Args:
        folder: DATA/run; it need not be there.
    """
    try:
        with _entered(folder) as entered:
            return await _ask_all(entered)
    except (FileNotFoundError, NotADirectoryError):
        return [], []


async def _ask_all(folder: str) -> tuple[list[State], list[int]]:
    said: list[State] = []
    silent: list[int] = []
    for name in sorted(n for n in os.listdir(folder) if n.startswith(PREFIX)):
        pid = name.removeprefix(PREFIX)
        try:
            said.append(await _ask_one(f"{folder}/{name}"))
        except (ConnectionRefusedError, FileNotFoundError):  # its process is dead
            with contextlib.suppress(OSError):
                os.unlink(f"{folder}/{name}")
        except (OSError, TimeoutError, ValueError):
            silent += [int(pid)] if pid.isdecimal() else []
    return said, silent


async def _ask_one(path: str) -> State:
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            octets = bytearray()
            while len(octets) <= OCTETS and (piece := await reader.read(65536)):
                octets += piece
            state: State = json.loads(octets)
            return state
        finally:
            writer.close()


@contextlib.contextmanager
def _entered(folder: Path) -> Generator[str]:
    """A short path to a folder: a socket's has 108 octets, and a data folder may be deep."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
