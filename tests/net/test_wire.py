"""TLS in the middle of a connection."""

import asyncio
import time
from pathlib import Path

import pytest

from mailstead.crypto.certificate import self_signed
from mailstead.net.listen import bind, listen
from mailstead.net.tls import ServerTls
from mailstead.net.wire import Wire


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
