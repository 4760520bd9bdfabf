"""COMPRESS: everything goes on as before, with fewer octets; and what is no deflate ends the connection."""

import asyncio
import tracemalloc
import zlib
from pathlib import Path

import pytest

from mailstead.accounts.provision import set_status
from mailstead.store import accounts as rows
from mailstead.store.database import Database
from tests.support.house import PASSWORD
from tests.support.imap import QUICK, Client, deflater, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"".join(b"This is line number %d.\r\n" % n for n in range(40_000))
GARBLED = b"* BYE Malformed compressed data\r\n"


def count(client: Client) -> list[int]:
    """The sizes of what the server writes from here on."""
    assert client.pipe is not None
    sizes: list[int] = []
    hear = client.pipe._hear

    def counted(octets: bytes) -> None:
        sizes.append(len(octets))
        hear(octets)

    client.pipe._hear = counted
    return sizes


async def test_a_session_from_login_to_logout(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, QUICK) as w:
        await w.house.move_in()
        client = await w.login(None)
        assert b" COMPRESS=DEFLATE" in (await client.ok(b"CAPABILITY")).untagged[0]
        await client.compress()
        assert b"COMPRESS" not in (await client.ok(b"CAPABILITY")).untagged[0]
        await client.select()
        sizes = count(client)
        uid = await client.append(LARGE)
        assert await client.body(uid) == LARGE
        assert sum(sizes) < len(LARGE) / 3
        client.send(b"i IDLE\r\n")
        assert await client.response() == b"+ idling"
        await w.house.deliver(PLAIN)
        assert await client.response() == b"* 2 EXISTS"
        client.send(b"DONE\r\n")
        while not (await client.response()).startswith(b"i OK"):
            pass
        client.send(b"x LOGOUT\r\n")
        assert (await client.closed()).startswith(b"* BYE Logging out\r\nx OK ")


async def test_what_is_written_together_is_flushed_together(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.compress()
        for n in range(30):
            await w.house.deliver(b"Subject: %d\r\n\r\nbody\r\n" % n)
        await client.ok(b"NOOP")
        sizes = count(client)
        await client.ok(b"FETCH 1:* (UID FLAGS ENVELOPE)")
        assert len(sizes) <= 3, sizes
        sizes.clear()
        client.send(b"".join(b"n%d NOOP\r\n" % n for n in range(10)))
        for n in range(10):
            assert (await client.response()).startswith(b"n%d OK" % n)
        assert len(sizes) < 10, sizes


@pytest.mark.parametrize("step", [1, 7, 1000])
async def test_what_comes_behind_the_command_is_compressed(
    sqlite: Database, tmp_path: Path, step: int
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        deflate = deflater()
        behind = deflate(b"d APPEND INBOX {%d+}\r\n%b\r\n" % (len(PLAIN), PLAIN)) + deflate(b"e LOGOUT\r\n")
        octets = b"c COMPRESS DEFLATE\r\n" + behind
        for at in range(0, len(octets), step):
            client.send(octets[at : at + step])
            if step < 1000:
                await asyncio.sleep(0)
        plain, end, compressed = (await client.closed()).partition(b"c OK DEFLATE active\r\n")
        assert (plain, end) == (b"", b"c OK DEFLATE active\r\n")
        lines = zlib.decompressobj(-15).decompress(compressed).split(b"\r\n")
        assert [line[:4] for line in lines] == [b"* 1 ", b"* 1 ", b"d OK", b"* BY", b"e OK", b""]


async def test_plain_commands_behind_the_command_are_never_read(sqlite: Database, tmp_path: Path) -> None:
    """What somebody put into the stream before there was compression is no command in it."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        client.send(b"c COMPRESS DEFLATE\r\n" + b"d CREATE evil\r\n" * 20)
        _, _, compressed = (await client.closed()).partition(b"c OK DEFLATE active\r\n")
        assert zlib.decompressobj(-15).decompress(compressed) == GARBLED
        assert (await (await w.login()).ok(b'LIST "" evil')).untagged == []


async def test_when_it_is_refused_nothing_changes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        stranger = w.connect()
        await stranger.response()
        await stranger.bad(b"COMPRESS DEFLATE")
        client = await w.login()
        for wrong in (b"COMPRESS", b"COMPRESS LZ4", b"COMPRESS DEFLATE X", b'COMPRESS "DEFLATE"'):
            await client.bad(wrong)
        await client.ok(b"NOOP")
        await client.compress()
        assert (await client.no(b"COMPRESS DEFLATE")).code == b"COMPRESSIONACTIVE"
        await client.bad(b"COMPRESS LZ4")
        await client.ok(b"NOOP")


async def test_who_must_go_is_told_so_that_he_can_read_it(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, QUICK) as w:
        await w.house.move_in()
        await w.house.move_in("bob@b.test")
        revoked, idle = await w.login(), await w.login(name=b"bob")
        for client in (revoked, idle):
            await client.compress()
        idle.send(b"i IDLE\r\n")
        assert await idle.response() == b"+ idling"
        await set_status(w.office, "ann@b.test", rows.DISABLED)
        assert (await revoked.closed()) == b"* BYE [AUTHENTICATIONFAILED] Log in again\r\n"
        w.stopping.set()
        for wire in list(w.gate.wires):
            if wire.idle:
                wire.expire()
        assert (await idle.closed()) == b"* BYE [UNAVAILABLE] Shutting down, try again later\r\n"


async def test_a_bomb_meets_the_limits_of_a_line(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.compress()
        tracemalloc.start()
        try:
            client.send(b"x" * (64 << 20))
            made, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            assert await client.response() == b"* BYE Command line too long"
            assert tracemalloc.get_traced_memory()[1] - made < 1 << 20
        finally:
            tracemalloc.stop()
        assert await client.closed() == b""


async def test_a_message_of_a_few_octets_that_becomes_too_large(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.compress()
        client.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (5 << 20, bytes(5 << 20)))
        assert (await client.response()).startswith(b"a NO [TOOBIG]")
        client.send(b"b APPEND INBOX {%d+}\r\n" % (65 << 20) + bytes(1 << 20))
        assert (await client.response()).startswith(b"* BYE [TOOBIG]")


@pytest.mark.parametrize("octets", [b"\0\0\0\xff\xff" * 50_000, b"\xff" * 10], ids=["nothing", "malformed"])
@pytest.mark.parametrize(
    "doing", [b"", b"i IDLE\r\n", b"a APPEND INBOX {100}\r\nxx"], ids=["", "idle", "append"]
)
async def test_what_cannot_be_inflated_ends_it(
    sqlite: Database, tmp_path: Path, octets: bytes, doing: bytes
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.compress()
        client.send(doing)
        await asyncio.sleep(0.02)
        client.deflate = bytes
        client.send(octets)
        client.send(b"y" * 100)
        assert (await client.response()).startswith(b"+" if doing else GARBLED[:-2])
        client.deflate = bytes
        if doing:
            assert await client.response() == GARBLED[:-2]
        await client.closed()
        await w.gate.wait_empty()
        assert list((tmp_path / "spool").iterdir()) == []


async def test_the_last_block_is_the_end(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.compress()
        made = zlib.compressobj(6, zlib.DEFLATED, -15)
        client.deflate = bytes
        client.send(made.compress(b"a NOOP\r\n") + made.flush(zlib.Z_FINISH) + b"b NOOP\r\n")
        heard = await client.closed()
        assert heard.startswith(b"a OK ")
        assert b"b OK" not in heard


@pytest.mark.parametrize("mode", [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH], ids=["flush", "finish"])
@pytest.mark.parametrize("step", [1, 3, 1000])
async def test_compression_ends_with_the_login(
    sqlite: Database, tmp_path: Path, mode: int, step: int
) -> None:
    """Commands may follow UNAUTHENTICATE at once, and they are plain (RFC 8437)."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.compress()
        await client.ok(b"NOOP")
        made = zlib.compressobj(6, zlib.DEFLATED, -15)
        client.deflate = bytes
        octets = made.compress(b"u UNAUTHENTICATE\r\n") + made.flush(mode)
        octets += b'v LOGIN ann "%b"\r\nw COMPRESS DEFLATE\r\n' % PASSWORD
        for at in range(0, len(octets), step):
            client.send(octets[at : at + step])
            await asyncio.sleep(0)
        assert (await client.response()).startswith(b"u OK")
        assert (await client.response()).startswith(b"v OK [CAPABILITY ")
        assert (await client.response()) == b"w OK DEFLATE active"
        client.inflate, client.deflate = zlib.decompressobj(-15).decompress, deflater()
        await client.select()
