"""IMAP in one process: whole workers without sockets, and clients that speak by hand."""

import asyncio
import contextlib
import io
import itertools
import re
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.logins import Logins
from mailstead.accounts.presence import Pace, Presence
from mailstead.bus.bell import open_bell
from mailstead.clock import SystemClock
from mailstead.delivery.appending import Appending
from mailstead.log import Log
from mailstead.net.listen import Gate
from mailstead.net.sweep import sweep
from mailstead.net.wire import Wire
from mailstead.services.imap.session import ImapService
from mailstead.store.database import Database
from tests.support.house import PASSWORD, House, house

NEVER = Pace(look=3600, quiet=3600)
QUICK = Pace(look=0.05, quiet=0.05)
SECONDS = 10.0  # for anything to happen at all
_LITERAL = re.compile(rb"\{(\d+)\}\Z")
_STRING = re.compile(rb'(?:\]|RFC822[.A-Z]*)(?:<\d+>)? (?:"((?:[^"\\]|\\.)*)"|(NIL)|\{(\d+)\}\r\n)')


class Pipe(asyncio.Transport):
    """The server's end of a connection in memory, without any delay."""

    def __init__(self, hear: Callable[[bytes], None], peer: tuple[str, int]) -> None:
        super().__init__()
        self._hear = hear
        self._peer = peer
        self.wire: Wire | None = None
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else default

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: Any) -> None:
        if not self.closed and data:
            self._hear(bytes(data))

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        self.close()

    def lose(self) -> None:
        if not self.closed:
            self.closed = True
            self._hear(b"")
            if self.wire is not None:
                self.wire.connection_lost(None)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command was answered: untagged responses, and its completion."""

    untagged: list[bytes]
    status: bytes
    text: bytes

    def having(self, word: bytes) -> list[bytes]:
        """The untagged responses with *word* in them."""
        return [line for line in self.untagged if word in line]

    @property
    def code(self) -> bytes:
        """The response code of the completion, without brackets."""
        found = re.match(rb"\[([^\]]*)\]", self.text)
        return found[1] if found else b""


class Client:
    """One client; what it hears, it keeps until it is asked for."""

    def __init__(self) -> None:
        self.pipe: Pipe | None = None
        self.heard = b""
        self.over = False
        self.inflate: Callable[[bytes], bytes] = bytes
        self.deflate: Callable[[bytes], bytes] = bytes
        self._came = asyncio.Event()
        self._tags = itertools.count(1)

    def hear(self, octets: bytes) -> None:
        self.over = self.over or not octets
        self.heard += self.inflate(octets)
        self._came.set()

    def send(self, octets: bytes) -> None:
        assert self.pipe is not None
        assert self.pipe.wire is not None
        if not self.pipe.closed and octets:
            self.pipe.wire.data_received(self.deflate(octets))

    async def compress(self) -> "Client":
        await self.ok(b"COMPRESS DEFLATE")
        made = zlib.decompressobj(-15)

        def inflate(octets: bytes) -> bytes:
            found = made.decompress(octets)
            if made.eof:
                self.inflate = bytes
                found += made.unused_data
            return found

        self.inflate, self.deflate = inflate, deflater()
        return self

    def hang_up(self) -> None:
        assert self.pipe is not None
        self.pipe.lose()

    async def response(self, seconds: float = SECONDS) -> bytes:
        """The next whole response, literals and all, without its CRLF; empty at the end."""
        async with asyncio.timeout(seconds):
            while (end := self._end()) is None:
                if self.over:
                    return b""
                self._came.clear()
                await self._came.wait()
        found, self.heard = self.heard[:end], self.heard[end + 2 :]
        return found

    def _end(self) -> int | None:
        at = 0
        while (end := self.heard.find(b"\r\n", at)) >= 0:
            literal = _LITERAL.search(self.heard, at, end)
            if literal is None:
                return end
            at = end + 2 + int(literal[1])
            if len(self.heard) < at:
                return None
        return None

    async def closed(self, seconds: float = SECONDS) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(seconds):
            while not self.over:
                self._came.clear()
                await self._came.wait()
        found, self.heard = self.heard, b""
        return found

    def begin(self, *pieces: bytes) -> bytes:
        """Send a command whose answer is heard later; its tag."""
        tag = b"t%d" % next(self._tags)
        self.send(tag + b" " + b"".join(pieces) + b"\r\n")
        return tag

    async def end(self, tag: bytes) -> Said:
        """The answer to the command of *tag*."""
        untagged: list[bytes] = []
        while True:
            line = await self.response()
            first, _, rest = line.partition(b" ")
            if first == tag:
                status, _, text = rest.partition(b" ")
                return Said(untagged, status, text)
            if not line:
                return Said(untagged, b"", b"")
            untagged.append(line)

    async def command(self, *pieces: bytes) -> Said:
        """One command: its text, and after each piece that announces one, a literal."""
        tag = b"t%d" % next(self._tags)
        self.send(tag + b" " + pieces[0] + b"\r\n")
        untagged: list[bytes] = []
        for literal, text in zip(pieces[1::2], [*pieces[2::2], b""], strict=False):
            while not (line := await self.response()).startswith(b"+"):
                if line.startswith(tag + b" ") or not line:
                    status, _, rest = line.partition(b" ")[2].partition(b" ")
                    return Said(untagged, status, rest)
                untagged.append(line)
            self.send(literal + text + b"\r\n")
        said = await self.end(tag)
        return Said(untagged + said.untagged, said.status, said.text)

    async def ok(self, *pieces: bytes) -> Said:
        said = await self.command(*pieces)
        assert said.status == b"OK", (pieces[0], said)
        return said

    async def no(self, *pieces: bytes) -> Said:
        said = await self.command(*pieces)
        assert said.status == b"NO", (pieces[0], said)
        return said

    async def bad(self, *pieces: bytes) -> Said:
        said = await self.command(*pieces)
        assert said.status == b"BAD", (pieces[0], said)
        return said

    async def append(self, octets: bytes, mailbox: bytes = b"INBOX", options: bytes = b"") -> int:
        """APPEND; the UID it got."""
        said = await self.ok(b"APPEND %b %b{%d}" % (mailbox, options, len(octets)), octets)
        found = re.fullmatch(rb"APPENDUID \d+ (\d+)", said.code)
        assert found is not None, said
        return int(found[1])

    async def select(self, mailbox: bytes = b"INBOX") -> Said:
        return await self.ok(b"SELECT " + mailbox)

    async def uids(self) -> list[int]:
        """The UIDs of all messages that the client knows of, in order."""
        said = await self.ok(b"UID SEARCH ALL")
        return [int(n) for n in said.having(b"SEARCH")[0].split()[2:]]

    async def item(self, uid: int, item: bytes) -> bytes:
        """One item of one message, as its FETCH response shows it."""
        said = await self.ok(b"UID FETCH %d %b" % (uid, item))
        line = said.having(b"UID %d " % uid)[0]
        return line[line.index(b"UID %d " % uid) + len(b"UID %d " % uid) : -1]

    async def flags(self, uid: int) -> set[bytes]:
        """The flags of one message."""
        return set((await self.item(uid, b"FLAGS"))[7:-1].split())

    async def body(self, uid: int, section: bytes = b"BODY.PEEK[]") -> bytes | None:
        """The octets of one section; None for NIL."""
        return octets_of(await self.item(uid, section))


def deflater() -> Callable[[bytes], bytes]:
    """Deflates what it is given, so that all of it can be inflated at once."""
    made = zlib.compressobj(6, zlib.DEFLATED, -15)
    return lambda octets: made.compress(octets) + made.flush(zlib.Z_SYNC_FLUSH)


def octets_of(item: bytes) -> bytes | None:
    """The string behind the name of the first item."""
    found = _STRING.search(item)
    assert found is not None, item
    if found[3] is not None:
        return item[found.end() : found.end() + int(found[3])]
    return None if found[2] is not None else re.sub(rb"\\(.)", rb"\1", found[1])


class ImapWorker:
    """A house, its presence, and IMAP in front of it."""

    def __init__(
        self, h: House, pace: Pace, tasks: asyncio.TaskGroup, *, message_octets: int, plaintext: bool
    ) -> None:
        self.house = h
        self.log = io.StringIO()
        log = Log(self.log, level="debug")
        self.bell = open_bell(h.folder, None)
        h.batch._rung = self.bell.ring
        self.presence = Presence(h.database, self.bell, SystemClock(), log, pace, BodyKeys(4))
        self.office = replace(h.office, ring=self.bell.ring)
        self.logins = Logins(self.office, self.presence, ("b.test",), SystemClock())
        self.gate = Gate(1000)
        self.stopping = asyncio.Event()
        self.appending = Appending(h.storing, h.directory, SystemClock())
        self.service = ImapService(
            message_octets, self.logins, self.appending, self.gate, None, self.stopping, log,
            plaintext=plaintext,
        )  # fmt: skip
        self._tasks = tasks
        self.clients: list[Client] = []

    def connect(self, peer: str = "192.0.2.1") -> Client:
        client = Client()
        client.pipe = Pipe(client.hear, (peer, 1000 + len(self.clients)))
        client.pipe.wire = Wire(lambda wire: self._tasks.create_task(self.service.serve(wire)))
        client.pipe.wire.connection_made(client.pipe)
        self.clients.append(client)
        return client

    async def login(self, mailbox: bytes | None = b"INBOX", name: bytes = b"ann") -> Client:
        """A client that is logged in, and has selected a mailbox."""
        client = self.connect()
        assert (await client.response()).startswith(b"* OK [CAPABILITY ")
        await client.ok(b'LOGIN %b "%b"' % (name, PASSWORD))
        if mailbox is not None:
            await client.select(mailbox)
        return client


@contextlib.asynccontextmanager
async def imap_worker(
    database: Database,
    folder: Path,
    pace: Pace = NEVER,
    *,
    message_octets: int = 4 << 20,
    plaintext: bool = True,
    failures: bool = False,
    **settings: object,
) -> AsyncIterator[ImapWorker]:
    """A worker that serves while the block runs; *failures*: its log may tell of some."""
    async with house(database, folder, **settings) as h, contextlib.AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            made = ImapWorker(h, pace, tasks, message_octets=message_octets, plaintext=plaintext)
            stack.push_async_callback(made.bell.close)
            running = [tasks.create_task(made.presence.run()), tasks.create_task(sweep(made.gate.wires))]
            await asyncio.sleep(0.01)  # until the bell is heard
            try:
                yield made
            finally:
                for client in made.clients:
                    client.hang_up()
                for task in running:
                    task.cancel()
        told = made.log.getvalue().replace("login.failed", "")
        assert failures or "failed" not in told, told
