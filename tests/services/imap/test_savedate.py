"""SAVEDATE (RFC 8514): when a message came into the mailbox that it is in."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailstead.imap.dates import date_time, read_date_time
from mailstead.store.database import Database
from tests.support.house import House
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"
OLD = read_date_time(b"28-Dec-2014 23:30:00 +0000")


async def saved(client: Client, uid: int) -> int:
    """The save date of a message, in seconds since the epoch."""
    found = re.fullmatch(rb'SAVEDATE "(.{26})"', await client.item(uid, b"SAVEDATE"))
    assert found is not None
    return read_date_time(found[1])


async def numbers(client: Client, keys: bytes) -> bytes:
    said = await client.ok(b"SEARCH " + keys)
    return said.having(b"SEARCH")[0].removeprefix(b"* SEARCH").strip()


async def put_old(h: House, mailbox: str, count: int = 1, save_date: int = OLD) -> None:
    """Messages that were appended long ago, of a mail that is older."""
    account = await h.unlock()
    for _ in range(count):
        await h.put(PLAIN, (await account.mailbox(mailbox)).id, internal_date=1000, save_date=save_date)
    account.close()


async def absorb(h: House, mailbox: str) -> None:
    account = await h.unlock()
    await account.absorb((await account.mailbox(mailbox)).id)
    account.close()


async def test_a_date_that_is_given_is_not_the_save_date(sqlite: Database, tmp_path: Path) -> None:
    """Whatever an APPEND says, it is saved when it comes; and absorbing changes nothing."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        before = int(time.time())
        await client.append(PLAIN, options=b'"17-Jul-1996 02:44:25 -0700" ')
        await client.append(PLAIN)
        await w.house.deliver(PLAIN)
        after = time.time()
        await client.ok(b"NOOP")
        at_first = [await saved(client, uid) for uid in (1, 2, 3)]
        assert all(before <= when <= after for when in at_first)
        await absorb(w.house, "INBOX")
        await client.ok(rb"STORE 1:* +FLAGS (\Flagged)")
        assert [await saved(client, uid) for uid in (1, 2, 3)] == at_first
        assert await client.item(1, b"INTERNALDATE") == b'INTERNALDATE "17-Jul-1996 09:44:25 +0000"'
        other = await w.login()
        assert [await saved(other, uid) for uid in (1, 2, 3)] == at_first


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("how", [b"COPY", b"MOVE"])
async def test_a_copy_is_saved_when_it_is_made(
    database: Database, tmp_path: Path, how: bytes, absorbed: bool
) -> None:
    """And its source stays as it was; the internal date goes with both (RFC 8514 section 3)."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        await put_old(w.house, "INBOX", 2)
        if absorbed:
            await absorb(w.house, "INBOX")
        client = await w.login()
        before = int(time.time())
        await client.ok(how + b" 1 Trash")
        assert await saved(client, 2) == OLD
        if how == b"COPY":
            assert await saved(client, 1) == OLD
        await client.select(b"Trash")
        assert before <= await saved(client, 1) <= time.time()
        assert await client.item(1, b"INTERNALDATE") == b"INTERNALDATE " + date_time(1000)


async def test_a_copy_within_a_mailbox_has_a_save_date_of_its_own(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await put_old(w.house, "INBOX")
        client = await w.login()
        await client.ok(b"COPY 1 INBOX")
        assert await saved(client, 1) == OLD
        assert await saved(client, 2) > OLD


async def test_messages_of_inbox_that_is_renamed_are_saved_then(sqlite: Database, tmp_path: Path) -> None:
    """RENAME INBOX moves them; a mailbox that only has another name keeps its messages as they are."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await put_old(w.house, "INBOX")
        await put_old(w.house, "Archive")
        client = await w.login(None)
        await client.ok(b"RENAME INBOX moved")
        await client.ok(b"RENAME Archive kept")
        await client.select(b"moved")
        assert await saved(client, 1) > OLD
        await client.select(b"kept")
        assert await saved(client, 1) == OLD


async def test_the_examples(sqlite: Database, tmp_path: Path) -> None:
    """RFC 8514 sections 4.2 and 4.3, the numbers less 992; dates are shown in UTC."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await put_old(w.house, "INBOX", 2)
        await put_old(w.house, "INBOX", 7, read_date_time(b"01-Jan-2015 18:50:53 +0100"))
        client = await w.login()
        said = await client.ok(b"FETCH 6 (SAVEDATE)")
        assert said.untagged == [b'* 6 FETCH (SAVEDATE " 1-Jan-2015 17:50:53 +0000")']
        assert await numbers(client, b"SAVEDON 28-Dec-2014") == b"1 2"
        assert await numbers(client, b"SAVEDSINCE 28-Dec-2014") == b"1 2 3 4 5 6 7 8 9"


@pytest.mark.parametrize("absorbed", [False, True])
async def test_searches_by_save_date(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await put_old(w.house, "INBOX")
        client = await w.login()
        await client.append(PLAIN, options=b'"28-Dec-2014 12:00:00 +0000" ')
        if absorbed:
            await absorb(w.house, "INBOX")
        today = datetime.fromtimestamp(await saved(client, 2), UTC).strftime("%d-%b-%Y").encode()
        for keys, found in (
            (b"SAVEDBEFORE 28-Dec-2014", b""),
            (b"SAVEDBEFORE 29-Dec-2014", b"1"),
            (b"SAVEDON 28-Dec-2014", b"1"),
            (b"ON 28-Dec-2014", b"2"),
            (b"SAVEDON " + today, b"2"),
            (b"SAVEDSINCE 29-Dec-2014", b"2"),
            (b"NOT SAVEDSINCE 29-Dec-2014", b"1"),
            (b"SAVEDSINCE 1-Jan-1970", b"1 2"),
            (b"OR SAVEDON 28-Dec-2014 ON 28-Dec-2014", b"1 2"),
            (b"SAVEDBEFORE 29-Dec-2014 SUBJECT two", b""),
            (b"SAVEDATESUPPORTED", b"1 2"),
            (b"NOT SAVEDATESUPPORTED", b""),
        ):
            assert await numbers(client, keys) == found, keys
        said = await client.ok(b"UID SEARCH RETURN (COUNT) SAVEDATESUPPORTED")
        assert said.having(b"COUNT 2")
        await client.select(b"Drafts")
        assert await numbers(client, b"SAVEDATESUPPORTED") == b""
        for wrong in (b"SAVEDON", b"SAVEDON x", b"SAVEDON 31-Feb-2014", b"SAVEDATESUPPORTED 1-Jan-2014"):
            await client.bad(b"SEARCH " + wrong)


async def test_it_is_offered_to_who_is_logged_in(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        said = await client.ok(b"CAPABILITY")
        assert b"SAVEDATE" in said.untagged[0].split()
