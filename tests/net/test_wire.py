"""TLS in the middle of a connection."""

import asyncio
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from mailstead.crypto.certificate import self_signed
from mailstead.net.deflate import PIECE_OCTETS
from mailstead.net.listen import bind, listen
from mailstead.net.tls import ServerTls
from mailstead.net.wire import HIGH_WATER, Wire


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    certificate, key = self_signed("localhost", time.time())
    (tmp_path / "c").write_bytes(certificate)
    (tmp_path / "k").write_bytes(key)
    return ServerTls(tmp_path / "c", tmp_path / "k")


async def test_in_the_middle_nothing_may_have_come(tls: ServerTls) -> None:
    refused = asyncio.Event()

    async def serve(wire: Wire) -> None:
        while not wire.unread:
            await asyncio.sleep(0.001)
        with pytest.raises(ConnectionAbortedError):
            await wire.start_tls(tls.context)
        refused.set()
        wire.abort()

    sock = bind("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        server = await listen(sock, serve, tasks)
        _, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(b"NOOP\r\n")
        await refused.wait()
        writer.close()
        server.close()


class Reading(asyncio.Transport):
    """A transport that knows whether it reads."""

    reads = True

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


async def test_who_does_not_take_what_is_inflated_is_sent_no_more() -> None:
    """The peer is held up by what its octets say, not by what they are."""
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = made.compress(bytes(200 << 20)) + made.flush(zlib.Z_SYNC_FLUSH)
    wire = Wire(lambda w: None)
    transport = Reading()
    wire.connection_made(transport)
    wire.compress(bomb[:100])
    came = bomb[100:]
    while transport.reads:
        wire.data_received(came[:4096])
        came = came[4096:]
    assert len(bomb) - len(came) < HIGH_WATER + 4200
    taken = len(await wire.read())
    while not transport.reads:
        assert taken < 2 << 20, "what came first is a hundred octets: a hundred thousand"
        taken += len(await wire.read())
    for _ in range(100):
        assert len(await wire.read()) <= PIECE_OCTETS
    wire.data_received(came)
    assert not transport.reads
    for _ in range(500):
        assert len(await wire.read()) <= PIECE_OCTETS
    assert not transport.reads, "there is enough to take"


@pytest.mark.parametrize("linger", [False, True])
async def test_the_last_word_is_sent_before_the_end(linger: bool) -> None:
    wire, transport = Wire(lambda w: None), Reading()
    wire.connection_made(transport)
    wire.compress(b"")
    wire.write(b"* BYE\r\n")
    wire.eof_received()
    if linger:
        await wire.linger(1, 1)
    else:
        wire.close()
    assert zlib.decompressobj(-15).decompress(transport.sent) == b"* BYE\r\n"
    wire.connection_lost(None)
    assert wire._deflater is not None
    assert wire._deflater._timer is None
    wire.write(b"behind the end")
    assert wire._deflater._timer is None


async def test_while_nothing_is_inflated_others_have_their_turn() -> None:
    wire = Wire(lambda w: None)
    wire.compress(b"\0\0\0\xff\xff" * 1000)
    reading = asyncio.create_task(wire.read())
    turns = 0
    while not (wire._inflater is None or wire._inflater.hungry):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    reading.cancel()
