"""One connection: its dialogue, its errors, its deadlines, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailstead.accounts.hashing import Hashing
from mailstead.accounts.logins import Logins
from mailstead.accounts.presence import Pace, Presence
from mailstead.accounts.provision import Office
from mailstead.bus.bell import open_bell
from mailstead.delivery.appending import Appending
from mailstead.imap.listing import List
from mailstead.imap.responses import Answer
from mailstead.secretmem import Arena
from mailstead.services.imap.context import Context
from mailstead.services.imap.handlers import HANDLERS
from mailstead.services.imap.session import ImapService
from mailstead.store.database import Database
from tests.simulation.test_reception import image
from tests.support import virtual
from tests.support.house import CHEAP, PASSWORD, storing
from tests.support.imap import imap_worker
from tests.support.virtual import Connect, Site

__all__ = ["image"]

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def test_commands_in_a_row_are_answered_in_order(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        client.send(
            b"a NOOP\r\nb APPEND INBOX {%d+}\r\n%b\r\nc UID SEARCH ALL\r\nd CLOSE\r\n" % (len(PLAIN), PLAIN)
        )
        lines = [await client.response() for _ in range(7)]
        assert [line.split()[0] for line in lines] == [b"a", b"*", b"*", b"b", b"*", b"c", b"d"]
        assert lines[4] == b"* SEARCH 1"


async def test_octet_by_octet_it_is_the_same(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for octet in b"a APPEND INBOX (\\Seen) {5+}\r\nhello\r\nb UID FETCH 1 (FLAGS BODY[])\r\n":
            client.send(bytes((octet,)))
            await asyncio.sleep(0)
        lines = [await client.response() for _ in range(5)]
        assert lines[3] == b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) BODY[] {5}\r\nhello)"
        assert [line.split()[0] for line in lines] == [b"*", b"*", b"a", b"*", b"b"]


async def test_id_and_enable(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for command in (b"ID NIL", b'ID ("name" "x" "version" NIL)', b"ID ()"):
            (line,) = (await client.ok(command)).untagged
            assert line.startswith(b'* ID ("name" "mailstead" ')
        assert (await client.ok(b"ENABLE CONDSTORE UTF8=ACCEPT X")).untagged == [
            b"* ENABLED CONDSTORE UTF8=ACCEPT"
        ]
        await client.bad(b"ENABLE")
        await client.select()
        assert (await client.ok(b"CHECK")).untagged == []


async def test_behind_a_bye_nothing_is_news(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await w.house.deliver(PLAIN)
        assert [line[:5] for line in (await client.ok(b"LOGOUT")).untagged] == [b"* BYE"]


async def test_too_many_errors_end_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailstead.services.imap.session.DELAYED_ERRORS", 1000)
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for _ in range(19):
            await client.bad(b"NONSENSE")
        await client.ok(b"NOOP")  # who is logged in and makes sense again begins anew
        for _ in range(19):
            await client.bad(b"NONSENSE")
        assert b"* BYE Too many errors" in await _all(client, b"x NONSENSE\r\n")


async def _all(client: Any, octets: bytes) -> bytes:
    client.send(octets)
    return bytes(await client.closed())


async def test_a_peer_that_leaves_leaves_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        free = len(w.office.arena._free)
        for doing in (
            b"",
            b"a IDLE\r\n",
            b"a APPEND INBOX {100000}\r\nxxx",
            b"a FETCH 1:* BODY[",
            b"a LOGOUT\r\n",
        ):
            client = await w.login()
            client.send(doing)
            await asyncio.sleep(0.02)
            client.hang_up()
        await w.gate.wait_empty()
        w.logins._memory.remembered.forget_account(1)
        assert len(w.office.arena._free) == free, "a key is left in memory"
        assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("doing", [b"", b"a IDLE\r\n"], ids=["nothing", "idle"])
async def test_a_worker_that_stops_says_so(sqlite: Database, tmp_path: Path, doing: bytes) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, appending, fresh = await w.login(), await w.login(), w.connect()
        await fresh.response()
        client.send(doing)
        tag = appending.begin(b"APPEND INBOX {%d}" % len(PLAIN))
        await asyncio.sleep(0.05)
        w.stopping.set()  # as Worker.stop and Worker._drain do
        for wire in list(w.gate.wires):
            if wire.idle:
                wire.expire()
        bye = b"* BYE [UNAVAILABLE] Shutting down, try again later\r\n"
        assert (await client.closed()).endswith(bye)
        assert (await fresh.closed()).endswith(bye)
        assert (await appending.response()).startswith(b"+")
        appending.send(PLAIN + b"\r\n")
        said = await appending.end(tag)
        assert said.status == b"OK", "who is in the middle of a message finishes it"
        assert (await appending.closed()).endswith(bye)


async def test_an_error_in_one_command_is_no_end(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not answer is NO, also when only the news could not be had."""
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(PLAIN)
        from mailstead.accounts.snapshot import Snapshots
        from mailstead.errors import Reason, Unavailable

        async def fails(self: Snapshots, mailbox_id: bytes) -> None:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE)

        with monkeypatch.context() as patch:
            patch.setattr(Snapshots, "newest", fails)
            await client.command(b"NOOP")
            assert (await client.no(b"SELECT INBOX")).code == b"UNAVAILABLE"
            await client.bad(b"FETCH 1 FLAGS")
        await client.select()
        assert await client.uids() == [1]


async def test_the_log_tells_where_a_mistake_was_and_not_what_was_sent(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client, other = await w.login(), await w.login()
        with monkeypatch.context() as patch:
            patch.setitem(HANDLERS, List, _mistaken)
            client.send(b'a LIST "" zephyrine\r\n')
            await client.closed()
        told = w.log.getvalue()
        assert "imap.session.failed" in told
        assert "RuntimeError" in told
        assert "test_session.py:" in told
        assert "zephyrine" not in told
        await other.ok(b"NOOP")


async def _mistaken(_: Context, command: List) -> Answer:
    raise RuntimeError(f"what to do with {command}")


# On virtual time

STRESS = 30  # connections, above which the idle ones are hurried


class Inline(Hashing):
    """No thread: on virtual time nothing else would wait for it."""

    async def run(self, whose: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)


def imap(site: Site) -> ImapService:
    office = Office(site.database, site.key, Arena(256), CHEAP, site.clock.now, Inline())
    bell = open_bell(site.folder, None)
    site.stack.push_async_callback(bell.close)
    presence = Presence(site.database, bell, site.clock, site.log, Pace(quiet=1e9))
    logins = Logins(replace(office, ring=bell.ring), presence, ("b.test",), site.clock)
    store = storing(site.database, site.batch, site.settings())
    appending = Appending(store, site.directory, site.clock)
    return ImapService(1 << 20, logins, appending, site.gate, None, asyncio.Event(), site.log, plaintext=True)


def on_virtual_time(image: bytes, folder: Path, act: Callable[[Connect], Awaitable[None]]) -> None:
    virtual.on_virtual_time(image, folder, imap, act, stress=STRESS)


LOGIN = b'a LOGIN ann "%b"\r\n' % PASSWORD


def test_who_does_not_log_in_has_a_minute(image: bytes, tmp_path: Path) -> None:
    """From the greeting on, whatever he does meanwhile."""

    async def act(connect: Connect) -> None:
        silent, busy, authenticating, late = connect(), connect(), connect(), connect()
        assert (await authenticating.say(b"a AUTHENTICATE PLAIN\r\n")).endswith(b"+ \r\n")
        trickling = asyncio.ensure_future(connect().trickle(b"a NOOP " + b"x" * 1000, 0.5))
        for _ in range(25):
            await busy.say(b"a NOOP\r\n")
        assert b"a OK [CAPABILITY " in await late.say(LOGIN)
        await asyncio.sleep(15)
        for peer in (silent, busy, authenticating):
            assert peer.ended is not None
            assert 60 <= peer.ended <= 62
            assert peer.heard.endswith(b"* BYE Timeout, closing connection\r\n")
        assert 60 <= await trickling <= 62
        await asyncio.sleep(100)
        assert late.ended is None, "who is logged in stays"

    on_virtual_time(image, tmp_path, act)


@pytest.mark.parametrize("idle", [True, False])
def test_who_is_logged_in_may_be_silent_for_half_an_hour(image: bytes, tmp_path: Path, idle: bool) -> None:
    """RFC 9051 section 5.4, also with so many connections that those who are not are hurried."""

    async def act(connect: Connect) -> None:
        peer = connect()
        assert b"OK" in await peer.say(LOGIN)
        if idle:
            assert (await peer.say(b"b IDLE\r\n")).endswith(b"+ idling\r\n")
        crowd = [connect() for _ in range(STRESS + 10)]
        await asyncio.sleep(15)
        assert all(p.ended is not None for p in crowd), "who is not logged in has ten seconds then"
        for _ in range(119):
            crowd = [connect() for _ in range(STRESS + 10)]
            await asyncio.sleep(15)
            for one in crowd:
                one.link.hang_up()
        assert peer.ended is None
        await asyncio.sleep(20 * 60)
        assert peer.heard.endswith(b"* BYE Timeout, closing connection\r\n")

    on_virtual_time(image, tmp_path, act)


def test_a_fresh_connection_in_a_crowd_can_log_in(image: bytes, tmp_path: Path) -> None:
    async def act(connect: Connect) -> None:
        for _ in range(STRESS + 10):
            assert b"OK" in await connect().say(LOGIN)
        peer = connect()
        await asyncio.sleep(3)
        assert peer.ended is None
        assert b"a OK [CAPABILITY " in await peer.say(LOGIN)

    on_virtual_time(image, tmp_path, act)


def test_a_message_has_three_minutes_and_what_the_slowest_rate_allows(image: bytes, tmp_path: Path) -> None:
    async def act(connect: Connect) -> None:
        peer = connect()
        assert b"OK" in await peer.say(LOGIN)
        await asyncio.sleep(1000)
        assert (await peer.say(b"b APPEND INBOX {100000}\r\n")).startswith(b"+ ")
        assert 178 <= await peer.trickle(b"x\r\n" * 2000, 0.1) <= 190
        assert peer.heard.endswith(b"* BYE Timeout, closing connection\r\n")

    on_virtual_time(image, tmp_path, act)
