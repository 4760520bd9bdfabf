"""SEARCH by every key of RFC 3501 section 6.4.4, in pages and in pendings."""

import asyncio
from pathlib import Path

import pytest

from mailstead.mail.searching import PIECE, InBody
from mailstead.services.imap import looking
from mailstead.services.imap.judge import Judge
from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

ONE = (
    b"From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nCc: cy@c.test\r\nSubject: Quarterly Report\r\n"
    b"Date: Mon, 02 Jan 2023 23:30:00 -0500\r\nX-Spam: no\r\n\r\nThe figures are attached.\r\n"
)
TWO = (
    "From: Jürgen <j@a.test>\r\nTo: ann@b.test\r\nBcc: dan@d.test\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Tue, 3 Jan 2023 01:00:00 +0000\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "U2Now7ZuZSBHcsO8w59lIGF1cyBLw7Zsbg==\r\n"
).encode()
THREE = b"Subject: no date\r\n\r\n" + b"filler\r\n" * 500
DATES = (b"01-Feb-2023 10:00:00 +0000", b"02-Feb-2023 23:59:59 +0000", b"03-Feb-2023 00:00:00 +0000")
FLAGS = (rb"\Seen \Answered", rb"\Flagged \Draft $Work", rb"\Deleted")

KEYS: dict[bytes, list[int]] = {
    b"ALL": [1, 2, 3], b"1:2": [1, 2], b"UID 2:*": [2, 3], b"*": [3], b"1:2 2:3": [2],
    b"SEEN": [1], b"UNSEEN": [2, 3], b"ANSWERED": [1], b"UNANSWERED": [2, 3], b"FLAGGED": [2],
    b"UNFLAGGED": [1, 3], b"DRAFT": [2], b"UNDRAFT": [1, 3], b"DELETED": [3], b"UNDELETED": [1, 2],
    b"KEYWORD $Work": [2], b"KEYWORD $WORK": [2], b"UNKEYWORD $work": [1, 3], b"KEYWORD none": [],
    b"RECENT": [1, 2, 3], b"NEW": [2, 3], b"OLD": [],
    b"BEFORE 2-Feb-2023": [1], b"ON 2-Feb-2023": [2], b"SINCE 02-Feb-2023": [2, 3], b'ON "03-Feb-2023"': [3],
    b"SENTBEFORE 3-Jan-2023": [1], b"SENTON 3-Jan-2023": [2], b"SENTSINCE 3-Jan-2023": [2],
    b"NOT SENTSINCE 1-Jan-2023": [3],
    b"LARGER 1000": [3], b"SMALLER 1000": [1, 2], b"LARGER %d" % len(THREE): [], b"SMALLER %d" % len(THREE): [1, 2],
    b"FROM ann": [1], b"FROM ANN@A.TEST": [1], b"TO ann": [2], b"CC cy@": [1], b"BCC dan": [2],
    b"SUBJECT quarterly": [1], b'SUBJECT "ly Rep"': [1], b"SUBJECT attached": [],
    b"HEADER X-Spam no": [1], b'HEADER x-spam ""': [1], b'HEADER Date ""': [1, 2], b"HEADER X-None x": [],
    b"BODY figures": [1], b"BODY quarterly": [], b"TEXT quarterly": [1], b"TEXT FIGURES": [1],
    b'BODY "are att"': [1], b"BODY filler": [3], b'TEXT ""': [1, 2, 3],
    b"NOT SEEN": [2, 3], b"OR SEEN DELETED": [1, 3], b"NOT OR SEEN DELETED": [2], b"(SEEN ANSWERED)": [1],
    b"OR (SUBJECT report SEEN) (BODY filler)": [1, 3], b"UNSEEN NOT BODY filler": [2],
    b"OR OR 1 2 3": [1, 2, 3], b"NOT (OR 1 2)": [3], b"SEEN BODY filler": [],
}  # fmt: skip


async def found(client: Client, *pieces: bytes) -> list[int]:
    said = await client.ok(*pieces)
    (line,) = said.having(b"* SEARCH")
    return [int(n) for n in line.split()[2:]]


@pytest.mark.parametrize("absorbed", [True, False])
async def test_every_key(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for octets, flags, date in zip((ONE, TWO, THREE), FLAGS, DATES, strict=True):
            await client.append(octets, options=b'(%b) "%b" ' % (flags, date))
        if absorbed:
            account = await w.house.unlock()
            await account.absorb(await w.house.inbox(account))
            account.close()
        await client.select()
        for key, wanted in KEYS.items():
            assert await found(client, b"SEARCH " + key) == wanted, key
        for text in ("grüße", "GRÜßE", "Schöne", "köln", "KÖLN", "Ko\u0308ln", "ｋöln", "ko"):
            octets = text.encode()
            key = b"SUBJECT" if text.lower() == "grüße" else b"BODY"
            literal = b" {%d}" % len(octets)
            assert await found(client, b"SEARCH CHARSET UTF-8 " + key + literal, octets) == [2], text
            assert await found(client, b"UID SEARCH TEXT" + literal, octets) == [2]
            assert await found(client, b'SEARCH %b "%b"' % (key, octets)) == [2], "UTF-8 without CHARSET"
        octets = "Jürgen".encode()
        assert await found(client, b"SEARCH CHARSET UTF-8 OR FROM {%d}" % len(octets), octets, b" SEEN") == [
            1,
            2,
        ]


async def test_charsets(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(ONE)
        assert b"I18NLEVEL=1" in (await client.ok(b"CAPABILITY")).untagged[0].split()
        assert await found(client, b"SEARCH CHARSET us-ascii SUBJECT report") == [1]
        assert await found(client, b'SEARCH CHARSET "UTF-8" SUBJECT report') == [1]
        said = await client.no(b"SEARCH CHARSET KOI8-R SUBJECT report")
        assert said.code == b"BADCHARSET (US-ASCII UTF-8)"
        assert said.untagged == []
        await client.bad(b"SEARCH CHARSET US-ASCII SUBJECT {2}", "é".encode())
        await client.bad(b"SEARCH")
        await client.bad(b"SEARCH COLOUR red")


async def test_numbers_are_the_session_s_own(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for _ in range(4):
            await client.append(ONE)
        await client.ok(rb"UID STORE 2 +FLAGS.SILENT (\Deleted)")
        await client.ok(b"EXPUNGE")
        assert await found(client, b"SEARCH ALL") == [1, 2, 3]
        assert await found(client, b"UID SEARCH 2:3") == [3, 4]
        assert await found(client, b"UID SEARCH UID 1:3") == [1, 3]
        assert await found(client, b"SEARCH UID 3") == [2]
        await client.bad(b"SEARCH 4")


async def test_others_have_their_turn_while_a_large_body_is_searched(
    sqlite: Database, tmp_path: Path
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        head = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
        await client.append(head + "schöne Tage ".encode() * 150_000 + "am Ende Köln".encode())
        await client.ok(b"NOOP")
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        octets = "tage am ende KÖLN".encode()
        assert await found(client, b"SEARCH BODY {%d}" % len(octets), octets) == [1]
        assert turns > (2 << 20) // PIECE
        task.cancel()


async def test_few_large_messages_are_searched_at_once(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most = 0, 0

    async def slowly(judge: Judge, octets: bytes) -> InBody:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return InBody()

    monkeypatch.setattr(looking, "_found", slowly)
    monkeypatch.setattr(Judge, "rules_out", lambda *_: False)
    monkeypatch.setattr(looking, "LARGE", len(TWO))
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        clients = [await w.login() for _ in range(5)]
        await clients[0].append(TWO)
        await clients[0].append(THREE)
        for key, wanted in ((b"1 BODY figures", 5), (b"2 BODY figures", 2)):
            for client in clients:
                await client.ok(b"NOOP")
            most = 0
            await asyncio.gather(*(client.ok(b"SEARCH " + key) for client in clients))
            assert most == wanted


async def test_dates_beyond_the_years(sqlite: Database, tmp_path: Path) -> None:
    """An INTERNALDATE may lie before the year 1 or after the year 9999 in UTC."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for date in (b"31-Dec-9999 23:59:59 -1200", b"01-Jan-0001 00:00:00 +1200"):
            await client.append(ONE, options=b'"%b" ' % date)
        await client.ok(b"NOOP")
        assert await found(client, b"SEARCH SINCE 1-Jan-2000") == [1]
        assert await found(client, b"SEARCH ON 31-Dec-9999") == [1]
        assert await found(client, b"SEARCH BEFORE 1-Jan-2000") == [2]
