"""What goes wrong is counted where somebody looks: what does not open, cannot be sealed to, or is not as it was left."""

import asyncio
from pathlib import Path

from mailstead.crypto.slots import SUBMIT_ONLY
from mailstead.errors import MailError
from mailstead.log import Log
from mailstead.mail.address import parse_mailbox
from mailstead.metrics.catalogue import Metrics
from mailstead.metrics.text import exposition
from mailstead.services.pop3.session import Pop3Service
from mailstead.store.database import Database, Tx
from tests.services.pop3.test_session import PopClient
from tests.support.house import PASSWORD, House
from tests.support.imap import Client, ImapWorker, imap_worker
from tests.support.scraped import Numbers

SMALL = b"Subject: a\r\n\r\nb\r\n"
LARGE = b"Subject: a\r\n\r\n" + b"a line of some words that are not all alike\r\n" * 9000


def shown(metrics: Metrics) -> Numbers:
    return Numbers(exposition(metrics.families, metrics.total()))


def spoil(tx: Tx, last: bool = False) -> None:
    """Change an octet at the end of the first or last piece of each stored body."""
    for object_id, number, octets in tx.execute("SELECT object_id, number, octets FROM extent"):
        if last and number == 0:
            continue
        changed = octets[:-1] + bytes((octets[-1] ^ 1,))
        tx.execute(
            "UPDATE extent SET octets = ? WHERE object_id = ? AND number = ?", (changed, object_id, number)
        )


def metrics_of(w: ImapWorker) -> Metrics:
    return w.service.metrics


async def in_pop3(w: ImapWorker) -> PopClient:
    w.service = Pop3Service(  # type: ignore[assignment]
        w.logins, w.gate, None, w.stopping, Log(w.log), plaintext=True, metrics=metrics_of(w)
    )
    client = PopClient(w.connect())
    assert (await client.line()).startswith(b"+OK ")
    await client.ok(b"USER ann")
    await client.ok(b"PASS " + PASSWORD)
    return client


async def test_what_does_not_open_is_counted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        await w.house.deliver(SMALL)
        client = await w.login()
        assert shown(metrics_of(w))("open_failures_total", protocol="imap") == 0
        await sqlite.write(spoil)
        await client.no(b"FETCH 1 BODY.PEEK[]")
        assert shown(metrics_of(w))("open_failures_total", protocol="imap") == 1
        client = await in_pop3(w)
        await client.err(b"RETR 1")
        assert shown(metrics_of(w))("open_failures_total", protocol="pop3") == 1
        assert shown(metrics_of(w))("open_failures_total", protocol="imap") == 1


async def test_what_breaks_off_is_counted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True, compress="none") as w:
        await w.house.move_in()
        await w.house.deliver(LARGE)
        client = await w.login()
        await sqlite.write(lambda tx: spoil(tx, last=True))
        client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
        await until_over(client)
        assert shown(metrics_of(w))("open_failures_total", protocol="imap") == 1
        popped = await in_pop3(w)
        popped.client.send(b"RETR 1\r\n")
        await until_over(popped.client)
        assert shown(metrics_of(w))("open_failures_total", protocol="pop3") == 1


async def until_over(client: Client) -> None:
    async with asyncio.timeout(10):
        while not client.over:
            await asyncio.sleep(0.01)


async def test_who_cannot_be_sealed_to_is_counted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        fresh = House(sqlite, tmp_path)
        for name in ("postmaster@b.test", "nobody@b.test", "who@elsewhere.test"):
            await refused(fresh, name)
        assert shown(fresh.storing.metrics)("seal_failures_total") == 0, "that is nobody's failure"
        await w.house.move_in()
        await sqlite.write(lambda tx: tx.execute("UPDATE epoch_key SET mac = ?", (bytes(32),)))
        await refused(fresh, "ann@b.test")
        await sqlite.write(lambda tx: tx.execute("DELETE FROM epoch_key"))
        await refused(fresh, "ann@b.test")
        assert shown(fresh.storing.metrics)("seal_failures_total") == 2


async def refused(h: House, name: str) -> None:
    try:
        await h.reception.recipient(parse_mailbox(name.encode()), 0)
    except MailError:
        return
    raise AssertionError(name)


async def test_logins_are_counted_by_what_came_of_them(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        sends = await w.house.app(scope=SUBMIT_ONLY)
        client = w.connect()
        await client.response()
        for password in (b"wrong", sends):
            await client.no(b'LOGIN ann "%b"' % password)
        await client.ok(b'LOGIN ann "%b"' % PASSWORD)
        await w.logins.prove("ann", sends, "192.0.2.1")
        found = shown(w.office.metrics)
        attempts = {k[1]: v for k, v in found.samples.items() if k[0] == "auth_attempts_total" and v}
        expected = {
            ("imap", "failed"): 1,
            ("imap", "refused"): 1,
            ("imap", "entered"): 1,
            ("submission", "entered"): 1,
        }
        assert attempts == {frozenset({("protocol", p), ("result", r)}): n for (p, r), n in expected.items()}


async def test_what_is_not_as_it_was_left_is_counted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        await w.house.deliver(SMALL)
        client = await w.login()
        await client.ok(b"STORE 1 +FLAGS (\\Seen)")
        await client.ok(b"LOGOUT")
        assert shown(w.presence._metrics)("not_as_left_total") == 0
        await sqlite.write(lambda tx: tx.execute("DELETE FROM state"))
        client = await w.login(mailbox=None)
        client.send(b"a SELECT INBOX\r\n")
        await client.response()
        assert shown(w.presence._metrics)("not_as_left_total") >= 1
