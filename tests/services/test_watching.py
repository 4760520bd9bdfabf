"""Whoever asks, and however: what is answered, how soon, and what it costs nobody else."""

import asyncio
import contextlib
import io
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.net.listen import Gate, bind, listen
from mailstead.net.sweep import STRESS, sweep
from mailstead.net.wire import Wire
from mailstead.services.watching import MOST, SECONDS, WatchService
from tests.simulation.test_reception import image
from tests.support import virtual
from tests.support.virtual import Connect, Site

__all__ = ["image"]

HOST = b"Host: x\r\n"
LIVE = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"


async def lively() -> str:
    return "mailstead_x 1\n"


async def ready() -> str | None:
    return None


async def unready() -> str | None:
    return "because"


def service(
    log: Log, gate: Gate, token: bytes | None = None, why: Callable[[], Awaitable[str | None]] = ready
) -> WatchService:
    return WatchService(gate, log, Metrics().watching, {}, lively, why, token)


@asynccontextmanager
async def served(made: WatchService, **options: int) -> AsyncIterator[int]:
    """Its port; *options* are those of its socket."""
    sock = bind("127.0.0.1", 0)
    for name, value in options.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    async with asyncio.TaskGroup() as tasks:
        server = await listen(sock, made.serve, tasks)
        sweeping = tasks.create_task(sweep(made.gate.wires, every=0.05))
        try:
            yield sock.getsockname()[1]
        finally:
            server.close()
            for wire in list(made.gate.wires):
                wire.abort()
            sweeping.cancel()


async def say(port: int, octets: bytes, seconds: float = 5) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(seconds):
            writer.write(octets)
            return await reader.read()
    finally:
        await gone(writer)


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def status(said: bytes) -> int:
    assert said.startswith(b"HTTP/1.1 "), said
    head, _, content = said.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert len(content) in (length, 0)
    return int(said[9:12])


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def port(log: io.StringIO) -> AsyncIterator[int]:
    async with served(service(Log(log), Gate(1000))) as port:
        yield port
    assert log.getvalue() == "", "nothing that a stranger sends is a mistake of ours"


async def test_what_is_there_is_answered(port: int) -> None:
    for path in (b"/livez", b"/healthz/live", b"/readyz", b"/healthz/ready", b"/metrics", b"/metrics?a=b"):
        whole = await say(port, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert status(whole) == 200, path
        head = await say(port, b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert head == whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert b"Content-Type: text/plain; version=0.0.4" in whole


async def test_what_is_not_there_or_not_allowed_is_said(port: int) -> None:
    for octets, wanted in (
        (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /metrics/ HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /../livez HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /%6civez HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", 405),
        (b"CONNECT x:1 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /livez HTTP/3.0\r\n" + HOST + b"\r\n", 505),
        (b"\x16\x03\x01\x00\x05hello", 400),
        (b"GET /livez HTTP/1.1\n\n", 400),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    ):
        assert status(await say(port, octets)) == wanted, octets[:40]


async def test_a_refusal_is_read_by_who_sends_on(port: int) -> None:
    """It is not lost in a reset because more was sent than was read."""
    said = await say(port, b"GET /" + b"x" * 50_000)
    assert status(said) == 431


async def test_noise_is_answered_or_cut_and_others_are_served(port: int) -> None:
    rng = random.Random(1)
    for _ in range(200):
        noise = rng.randbytes(rng.randrange(1, 300)) + rng.choice([b"", b"\r\n\r\n", b"\n", LIVE])
        with contextlib.suppress(ConnectionError, TimeoutError):
            said = await say(port, noise, 0.05)
            assert said == b"" or status(said) in (200, 400, 404, 405, 431, 505)
    assert status(await say(port, LIVE, 1)) == 200


async def test_a_crowd_of_the_slow_keeps_nobody_out(port: int) -> None:
    crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * MOST)]
    for _, writer in crowd:
        writer.write(LIVE[:-1])
    await asyncio.sleep(0.1)
    for _ in range(20):
        assert status(await say(port, LIVE, 1)) == 200
    for reader, _ in crowd[:MOST]:  # the oldest made room
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(1):
                assert await reader.read() == b""
    for _, writer in crowd:
        await gone(writer)


@pytest.mark.parametrize("octets", [60_000, 32 << 20])
async def test_who_does_not_read_is_cut(
    octets: int, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of an answer that the loop would hold for him, and nobody would see it any more."""
    monkeypatch.setattr("mailstead.services.watching.SECONDS", 0.5)

    async def much() -> str:
        return "x" * octets

    made = WatchService(Gate(1000), Log(log), Metrics().watching, {}, much, ready)
    async with served(made, SO_SNDBUF=4096) as port:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", port))
            peer.sendall(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
            async with asyncio.timeout(5):
                while not made.here:
                    await asyncio.sleep(0.01)
                while made.here:
                    await asyncio.sleep(0.05)
            peer.setblocking(False)
            loop, taken = asyncio.get_running_loop(), 0
            with contextlib.suppress(ConnectionError):
                while came := await loop.sock_recv(peer, 65536):
                    taken += len(came)
            assert taken < octets
    assert log.getvalue() == ""


def test_a_request_has_ten_seconds(image: bytes, tmp_path: Path) -> None:
    async def act(connect: Connect) -> None:
        slow, quick = connect(), connect()
        taking = asyncio.create_task(slow.trickle(b"GET /livez HTTP/1.1\r\nX: " + b"y" * 1000, 0.5))
        await asyncio.sleep(5)
        assert status(await quick.say(LIVE)) == 200
        assert SECONDS - 1 <= await taking <= SECONDS + 2
        assert slow.heard == b""

    virtual.on_virtual_time(image, tmp_path, lambda site: service(site.log, site.gate), act)


def test_in_a_crowd_of_others_it_is_served_all_the_same(image: bytes, tmp_path: Path) -> None:
    others: list[tuple[Gate, Wire]] = []

    def made(site: Site) -> WatchService:
        for _ in range(STRESS + 1):
            others.append((site.gate, wire := Wire(lambda _: None)))
            site.gate.enter(wire)
        return service(site.log, site.gate)

    async def act(connect: Connect) -> None:
        try:
            peer = connect()
            peer.link.send(LIVE[:-1])
            await asyncio.sleep(5)
            assert status(await peer.say(LIVE[-1:])) == 200
        finally:
            for gate, wire in others:
                gate.leave(wire)

    virtual.on_virtual_time(image, tmp_path, made, act)


async def test_not_ready_says_why_and_lives(log: io.StringIO) -> None:
    async with served(service(Log(log), Gate(1000), why=unready)) as port:
        said = await say(port, b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n")
        assert status(said) == 503
        assert said.endswith(b"\r\n\r\nbecause\n")
        assert status(await say(port, LIVE)) == 200


async def test_only_the_token_opens(log: io.StringIO) -> None:
    token = b"t0ken" * 5
    async with served(service(Log(log), Gate(1000), token)) as port:
        for given, wanted in (
            (b"Bearer " + token, 200),
            (b"bearer   " + token, 200),
            (b"Bearer " + token + b"x", 401),
            (b"Bearer " + token[:-1], 401),
            (b"Bearer \xff", 401),
            (b"Bearer", 401),
            (b"", 401),
            (token, 401),
            (b"Basic " + token, 401),
        ):
            asked = b"GET /metrics HTTP/1.1\r\n" + HOST + b"Authorization: " + given + b"\r\n\r\n"
            said = await say(port, asked)
            assert status(said) == wanted, given
            assert (b"mailstead_x" in said) == (wanted == 200)
        assert status(await say(port, b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")) == 401
