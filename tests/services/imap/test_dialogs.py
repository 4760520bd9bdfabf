"""The dialogs of tests/dialogs/imap against the real store: in memory, and on sockets.

tests/imap/test_server.py runs those that are not in its folder `rfc` through the machine alone. In what is
expected "<>" is any text.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from mailstead.accounts.provision import create_account
from mailstead.net.listen import bind, listen
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, imap_worker

DIALOGS = sorted((Path(__file__).parents[2] / "dialogs" / "imap").rglob("*.txt"))
ANSWER = re.compile(rb"\+ |[A-Za-z]+[0-9]* (OK|NO|BAD) |\* BAD ")  # what no dialog leaves out

NOTIFIED = re.compile(rb"\* (STATUS|LIST) ")


class Peer(Protocol):
    """One client, by lines."""

    def send(self, octets: bytes) -> None: ...

    async def line(self) -> bytes: ...


class Memory:
    """A pipe in memory."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, octets: bytes) -> None:
        self._client.send(octets)

    async def line(self) -> bytes:
        while b"\r\n" not in self._client.heard:
            assert not self._client.over, "the connection is over"
            await asyncio.sleep(0.001)
        found, _, self._client.heard = self._client.heard.partition(b"\r\n")
        return found


class Socket:
    """A connection by TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def line(self) -> bytes:
        found = await self._reader.readline()
        assert found.endswith(b"\r\n"), "the connection is over"
        return found[:-2]


@contextlib.asynccontextmanager
async def connected(w: ImapWorker, way: str) -> AsyncIterator[Peer]:
    if way == "memory":
        yield Memory(w.connect())
        return
    sock = bind("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        server = await listen(sock, w.service.serve, tasks)
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        yield Socket(reader, writer)
        writer.close()
        server.close()


async def people(w: ImapWorker) -> None:
    """Who talks in the dialogs, and what they have."""
    for name, password, messages in (("bob", b"secret", 1), ("mrc", b"secret", 12), ("fred", b"fat man", 0)):
        await create_account(w.office, f"{name}@b.test", password)
        for n in range(messages):
            await w.house.deliver(b"Subject: %d\r\n\r\nx\r\n" % n, f"{name}@b.test")
    client = w.connect()
    assert (await client.response()).startswith(b"* OK")
    await client.ok(b'LOGIN fred "fat man"')
    await client.ok(b"CREATE saved-messages")


@pytest.mark.parametrize("way", ["memory", "socket"])
@pytest.mark.parametrize("path", DIALOGS, ids=lambda p: p.stem)
async def test_dialogs(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path, way: str
) -> None:
    monkeypatch.setattr("mailstead.services.imap.session.DELAYED_ERRORS", 100)
    async with imap_worker(sqlite, tmp_path) as w:
        await people(w)
        async with connected(w, way) as peer, asyncio.timeout(20):
            assert (await peer.line()).startswith(b"* OK")
            early: list[bytes] = []  # what NOTIFY tells comes when it comes
            for line in path.read_text().splitlines():
                if line.startswith("C: "):
                    peer.send(line[3:].encode() + b"\r\n")
                elif line.startswith("S: "):
                    expected = b".*".join(map(re.escape, line[3:].encode().split(b"<>")))
                    if any(re.match(expected, said) for said in early):
                        early = []
                        continue
                    while not re.match(expected, said := await peer.line()):
                        assert not ANSWER.match(said), (line, said)
                        early += [said] if NOTIFIED.match(said) else []


@pytest.mark.parametrize("way", ["memory", "socket"])
async def test_another_answer_is_found(sqlite: Database, tmp_path: Path, way: str) -> None:
    """The control: an OK where a dialog says BAD does not pass for it."""
    async with imap_worker(sqlite, tmp_path) as w:
        await people(w)
        async with connected(w, way) as peer, asyncio.timeout(20):
            await peer.line()
            peer.send(b"a NOOP\r\n")
            said = await peer.line()
            assert not said.startswith(b"a BAD")
            assert ANSWER.match(said)
