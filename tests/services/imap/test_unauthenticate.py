"""UNAUTHENTICATE (RFC 8437): who comes next on the connection begins from nothing."""

import asyncio
from pathlib import Path

from mailstead.store.database import Database
from tests.support.house import PASSWORD
from tests.support.imap import imap_worker


async def test_nothing_of_a_login_is_left(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.move_in("bob@b.test")
        client = await w.login()
        await client.bad(b"UNAUTHENTICATE now")
        await client.ok(b"ENABLE UTF8=ACCEPT QRESYNC")
        await client.ok(b'CREATE "\xc3\xa4"')
        await client.ok(b'SELECT "\xc3\xa4"')
        await client.ok(b"UNAUTHENTICATE")
        (line,) = (await client.ok(b"CAPABILITY")).untagged
        assert b"AUTH=PLAIN" in line
        assert b"UNAUTHENTICATE" not in line
        for command in (b"SELECT INBOX", b"NOOP X", b"ENABLE CONDSTORE", b"UNAUTHENTICATE", b"FETCH 1 FLAGS"):
            await client.bad(command)
        assert (await client.ok(b"NOOP")).untagged == []
        await client.ok(b'LOGIN bob "%b"' % PASSWORD)
        await client.bad(b"SELECT INBOX (QRESYNC (1 1))")
        assert not any(
            b"Mod" in line or b"CLOSED" in line for line in (await client.ok(b"SELECT INBOX")).untagged[:1]
        )
        assert (await client.ok(b'LIST "" "*"')).untagged != []
        assert not any(b"&AOQ-" in line for line in (await client.ok(b'LIST "" "*"')).untagged), (
            "another's mailbox"
        )
        await client.ok(b"UNAUTHENTICATE")
        await client.ok(b'LOGIN ann "%b"' % PASSWORD)
        assert any(line.endswith(b'"&AOQ-"') for line in (await client.ok(b'LIST "" "*"')).untagged)


async def test_who_logs_out_so_has_a_minute_again_and_small_lines(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.ok(b"UNAUTHENTICATE")
        assert client.pipe is not None
        assert client.pipe.wire is not None
        assert 50 < client.pipe.wire.deadline - asyncio.get_running_loop().time() <= 60
        client.send(b"x" * 9000)
        assert (await client.response()).startswith(b"* BYE")
