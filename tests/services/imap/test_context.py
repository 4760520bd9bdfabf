"""What a session hears of what others do: news, IDLE, two workers, and mailboxes that go (RFC 2177)."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import pytest

from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.imap.server import ServerConnection
from mailstead.services.imap.context import Context
from mailstead.store.database import Database
from tests.support.imap import imap_worker
from tests.support.pace import seconds

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def test_idle_tells_at_once(databases: list[Database], tmp_path: Path) -> None:
    """Of another worker's deliveries, flags and expunges, and within 100 ms."""
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        one.bell.ring([1])
        await asyncio.sleep(0.1)
        tag = client.begin(b"IDLE")
        assert await client.response() == b"+ idling"
        took = []
        for n in range(1, 8):
            await two.house.deliver(PLAIN)
            began = time.monotonic()
            assert await client.response() == b"* %d EXISTS" % n
            took.append(time.monotonic() - began)
            assert (await client.response()).endswith(b" RECENT")
        assert sorted(took)[len(took) // 2] < seconds(0.1), took
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 2 +FLAGS (\Flagged)")
        assert await client.response() == rb"* 2 FETCH (UID 2 FLAGS (\Flagged \Recent))"
        await other.ok(rb"STORE 2:3 +FLAGS (\Deleted)")
        assert [await client.response() for _ in range(2)] == [
            rb"* 2 FETCH (UID 2 FLAGS (\Flagged \Deleted \Recent))",
            rb"* 3 FETCH (UID 3 FLAGS (\Deleted \Recent))",
        ]
        await other.ok(b"EXPUNGE")
        assert [await client.response() for _ in range(2)] == [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]
        client.send(b"done\r\n")
        said = await client.end(tag)
        assert (said.status, said.untagged) == (b"OK", [])
        assert await client.uids() == [1, 4, 5, 6, 7]


async def test_idle_ends_with_done_and_with_nothing_else(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        tag = client.begin(b"IDLE")
        assert await client.response() == b"+ idling"
        client.send(b"NOOP\r\n")
        assert (await client.end(tag)).status == b"BAD"
        await client.ok(b"NOOP")
        client.send(b"a IDLE\r\nDONE\r\nb NOOP\r\n")
        assert [(await client.response()).split()[0] for _ in range(3)] == [b"+", b"a", b"b"]
        tag = client.begin(b"IDLE")
        await client.response()
        client.send(b"DO")
        await asyncio.sleep(0.01)
        client.send(b"NE\r\n")
        assert (await client.end(tag)).status == b"OK"


async def test_what_came_before_idle_is_told_when_it_begins(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await w.house.deliver(PLAIN)
        await asyncio.sleep(0.05)
        client.begin(b"IDLE")
        lines = {await client.response() for _ in range(3)}
        assert lines == {b"* 1 EXISTS", b"* 1 RECENT", b"+ idling"}


async def test_the_other_worker_s_sessions_see_it(databases: list[Database], tmp_path: Path) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        uid = await client.append(PLAIN, options=rb"(\Seen $Mine) ")
        told = (await other.ok(b"NOOP")).untagged
        assert b"* 1 EXISTS" in told
        assert await other.flags(uid) == {rb"\Seen", b"$Mine"}
        await other.ok(rb"STORE 1 FLAGS ($Mine $Yours)")
        told = (await client.ok(b"NOOP")).untagged
        assert told[0].startswith(b"* FLAGS (")
        assert b"$Yours" in told[0]
        assert told[-1] == rb"* 1 FETCH (UID 1 FLAGS (\Recent $Mine $Yours))"
        await client.ok(b"CREATE work")
        await other.ok(b"MOVE 1 work")
        assert b"* 1 EXPUNGE" in (await client.ok(b"NOOP")).untagged
        await client.select(b"work")
        assert await client.body(1) == PLAIN


@pytest.mark.parametrize("own", [True, False])
async def test_a_mailbox_that_is_deleted_while_it_is_selected(
    databases: list[Database], tmp_path: Path, own: bool
) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(None), await two.login(None)
        await client.ok(b"CREATE work")
        for _ in range(2):
            await client.append(PLAIN, b"work", rb"(\Deleted) ")
        await client.select(b"work")
        await (client if own else other).ok(b"DELETE work")
        told = (await client.ok(b"NOOP")).untagged if not own else []
        assert not own or (await client.ok(b"UID SEARCH ALL")).untagged == [b"* SEARCH"]
        assert own or told == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
        for command in (
            b"UID STORE 1:* FLAGS ()",
            b"UID FETCH 1:* BODY[]",
            b"EXPUNGE",
            b"UID COPY 1:* INBOX",
        ):
            said = await client.command(command)
            assert said.status in (b"OK", b"NO"), command
            assert not said.having(b"FETCH")
        await client.ok(b"CREATE work")
        await client.append(PLAIN, b"work")
        assert (await client.ok(b"NOOP")).untagged == [], "the new one is another mailbox"
        await client.command(b"CLOSE")
        assert b"* 1 EXISTS" in (await client.select(b"work")).untagged


async def test_absorbing_is_no_news(databases: list[Database], tmp_path: Path) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client = await one.login()
        for _ in range(3):
            await two.house.deliver(PLAIN)
        await client.ok(b"NOOP")
        account = await two.house.unlock()
        assert await account.absorb(await two.house.inbox(account)) == 3
        account.close()
        assert (await client.ok(b"NOOP")).untagged == []
        assert (await client.ok(b"UID FETCH 1:* FLAGS")).untagged == [
            rb"* %d FETCH (UID %d FLAGS (\Recent))" % (n, n) for n in (1, 2, 3)
        ]


async def test_a_client_that_does_not_read_is_not_written_to_for_ever(
    sqlite: Database, tmp_path: Path
) -> None:
    """A hundred thousand commands at once: the answers wait until the first are taken."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        assert client.pipe is not None
        assert client.pipe.wire is not None
        client.pipe.wire.pause_writing()
        client.send(b"a CAPABILITY\r\n" * 100_000)
        await asyncio.sleep(0.2)
        assert len(client.heard) < 20_000
        client.hang_up()


async def test_a_peer_that_takes_nothing_has_no_longer_to_log_in() -> None:
    """Writing has a deadline of its own; before the login it ends with the time for that."""

    class Slow:
        transport, deadline = object(), 0.0

        def __init__(self) -> None:
            self.waited: list[float] = []

        def write(self, octets: bytes) -> None:
            pass

        async def drain(self) -> None:
            self.waited.append(self.deadline)

    wire: Any = Slow()
    context = Context(wire, ServerConnection(plaintext_login=True, append_limit=1), asyncio.Semaphore(2))
    context.until = asyncio.get_running_loop().time() + 5
    await context.send(b"x")
    context.account = cast("UnlockedAccount", object())
    await context.send(b"x")
    assert wire.waited[0] == context.until
    assert wire.waited[1] > context.until + 200
