"""The dialogue against the clock: total deadlines, on virtual time (the limits of security.md d.4)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailstead.delivery.reception import Reception
from mailstead.services.mailtransaction import SmtpSettings
from mailstead.services.smtp import SmtpService
from tests.simulation.test_reception import image
from tests.support import virtual
from tests.support.house import storing
from tests.support.virtual import Connect, Site

__all__ = ["image"]


def smtp(site: Site) -> SmtpService:
    settings = site.settings(memory_octets=2000, single_octets=1000)
    reception = Reception(settings, storing(site.database, site.batch, settings), site.directory, site.clock)
    return SmtpService(SmtpSettings("mx"), reception, site.gate, None, asyncio.Event(), site.log)


def on_virtual_time(image: bytes, folder: Path, act: Callable[[Connect], Awaitable[None]]) -> None:
    virtual.on_virtual_time(image, folder, smtp, act)


IN_DATA = b"EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n"


def test_the_whole_command_has_five_minutes(image: bytes, tmp_path: Path) -> None:
    async def act(connect: Connect) -> None:
        assert 299 <= await connect().trickle(b"NOOP " + b"x" * 1000, 20) <= 305

    on_virtual_time(image, tmp_path, act)


def test_under_stress_the_idle_have_ten_seconds(image: bytes, tmp_path: Path) -> None:
    """All of them, also those who came before there were many."""

    async def act(connect: Connect) -> None:
        early = [connect() for _ in range(400)]
        await asyncio.sleep(100)
        busy = early.pop()
        assert b"354" in await busy.say(IN_DATA)
        late = [connect() for _ in range(200)]
        await asyncio.sleep(5)
        assert all(p.ended is not None for p in early)
        assert all(p.ended is None for p in late)
        assert busy.ended is None, "who is in the middle of a message is not idle"

    on_virtual_time(image, tmp_path, act)


def test_a_message_has_three_minutes_and_what_the_slowest_rate_allows(image: bytes, tmp_path: Path) -> None:
    """Ten octets a second are too few: 180 s, a fiftieth more, and the spool is gone (LIM-010)."""

    async def act(connect: Connect) -> None:
        peer = connect()
        assert b"354" in await peer.say(IN_DATA)
        assert 178 <= await peer.trickle(b"x\r\n" * 2000, 0.1) <= 190
        assert peer.heard.endswith(b"421 4.4.2 Timeout, closing connection\r\n")

    on_virtual_time(image, tmp_path, act)


def test_a_large_message_buys_the_next_one_no_time(image: bytes, tmp_path: Path) -> None:
    async def act(connect: Connect) -> None:
        peer = connect()
        assert b"354" in await peer.say(IN_DATA)
        await peer.say((b"y" * 998 + b"\r\n") * 500 + b".\r\n")
        await asyncio.sleep(60)
        assert b"250 2.0.0 stored as" in peer.heard
        assert b"354" in await peer.say(IN_DATA)
        assert 178 <= await peer.trickle(b"x\r\n" * 2000, 0.1) <= 190

    on_virtual_time(image, tmp_path, act)


@pytest.mark.parametrize("before", [b"", IN_DATA + b"hi\r\n.\r\n"])
def test_a_chunk_that_is_thrown_away_has_its_time(before: bytes, image: bytes, tmp_path: Path) -> None:
    """It is read to its end and refused then, not cut off by a deadline of long ago."""

    async def act(connect: Connect) -> None:
        peer = connect()
        await asyncio.sleep(250)
        await peer.say(b"EHLO a\r\n" + before)
        await asyncio.sleep(200)
        await peer.say(b"BDAT 10 LAST\r\nab")
        await asyncio.sleep(100)
        assert (await peer.say(b"cdefghij")).startswith(b"503 5.5.1")
        assert (await peer.say(b"NOOP\r\n")).startswith(b"250")

    on_virtual_time(image, tmp_path, act)


def test_small_chunks_are_noise(image: bytes, tmp_path: Path) -> None:
    async def act(connect: Connect) -> None:
        in_rcpt = IN_DATA.removesuffix(b"DATA\r\n")
        small, large = connect(), connect()
        for peer, chunk in ((small, b"BDAT 1\r\nx"), (large, b"BDAT 100\r\n" + b"x" * 98 + b"\r\n")):
            await peer.say(in_rcpt)
            assert peer.link.wire is not None
            peer.link.wire.data_received(chunk * 300)  # all at once
        await asyncio.sleep(60)
        assert small.heard.endswith(b"421 4.7.0 Too many commands without mail\r\n")
        assert large.heard.endswith(b"250 2.0.0 30000 octets received\r\n")

    on_virtual_time(image, tmp_path, act)
