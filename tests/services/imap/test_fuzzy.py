"""FUZZY, RELEVANCY and SORT by it against the store (RFC 6203)."""

import re
from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

MESSAGES = [
    b"From: user@example.com\r\nSubject: IMAP break\r\n\r\nnothing\r\n",
    b"From: user@example.com\r\nSubject: broken IMAP\r\n\r\nall work\r\n",
    b"From: zoe@example.com\r\nSubject: on breaking the IMAP\r\n\r\nwork, and more work\r\n",
    "From: Zoë <zoe@x.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Die Straße nach Köln. Hello world! 日本語のテキスト\r\n".encode(),
    b"Subject: Hello\r\nX-Note: worlds\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>wor=\r\nld</p>\r\n",
    b"Subject: help\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nd29ybGQ=\r\n",
]  # fmt: skip

FOUND: dict[str, list[int]] = {
    'FUZZY SUBJECT "IMAP break"': [1, 3], 'FUZZY SUBJECT "break imap"': [1, 3], 'SUBJECT "break imap"': [],
    "FUZZY SUBJECT broken": [2], "FUZZY SUBJECT reak": [], "SUBJECT reak": [1, 3],
    "FUZZY SUBJECT Helo": [5, 6], "SUBJECT Helo": [], "FUZZY BODY Helo": [], "FUZZY TEXT Helo": [5, 6], "FUZZY TEXT hel": [4, 5, 6],
    "FUZZY FROM user@example.com": [1, 2], "FUZZY SUBJECT break FROM zoe": [3], 'FUZZY (SUBJECT break FROM "Zoë")': [3],
    'FUZZY FROM "zöe"': [3, 4], "FUZZY FROM zeo": [], "FUZZY SUBJECT grusse": [4], "SUBJECT grusse": [], 'FUZZY SUBJECT "GRÜSSE"': [4],
    "FUZZY BODY strasse": [4], "FUZZY BODY koln": [4], 'FUZZY BODY "テキスト"': [4], "FUZZY BODY world": [4, 5], "FUZZY TEXT world": [4, 5],
    'FUZZY TEXT "work imap"': [2, 3], 'FUZZY BODY "work imap"': [], "FUZZY NOT BODY work": [1, 4, 5, 6], "NOT FUZZY TEXT imap": [4, 5, 6],
    "FUZZY OR SUBJECT help BODY koln": [4, 6], "FUZZY SEEN": [], "FUZZY 2:3": [2, 3], "FUZZY BODY work 3": [3], 'FUZZY SUBJECT "..."': [],
    'FUZZY HEADER X-Note ""': [5], "FUZZY HEADER X-Note world": [5], "FUZZY LARGER 100 FUZZY SUBJECT hello": [5],
}  # fmt: skip


async def filled(client: Client) -> None:
    for octets in MESSAGES:
        await client.append(octets)
    await client.ok(b"NOOP")


async def line(client: Client, command: bytes) -> bytes:
    (said,) = [x for x in (await client.ok(command)).untagged if b"SEARCH" in x or b"SORT" in x]
    return re.sub(rb' \(TAG "[^"]*"\)', b"", said)


@pytest.mark.parametrize("absorbed", [True, False])
async def test_what_is_found(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client)
        if absorbed:
            account = await w.house.unlock()
            await account.absorb(await w.house.inbox(account))
            account.close()
        assert b"SEARCH=FUZZY" in (await client.ok(b"CAPABILITY")).untagged[0].split()
        for key, wanted in FOUND.items():
            assert await line(client, b"SEARCH " + key.encode()) == b"* SEARCH" + b"".join(
                b" %d" % n for n in wanted
            ), key


async def test_scores(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client)

        async def scores(command: bytes) -> dict[int, int]:
            said = re.fullmatch(
                rb"\* ESEARCH (?:UID )?ALL ([0-9,:]+) RELEVANCY \(([0-9 ]+)\)", await line(client, command)
            )
            assert said is not None
            numbers = [
                n
                for r in said[1].split(b",")
                for n in range(int(r.split(b":")[0]), int(r.split(b":")[-1]) + 1)
            ]
            found = dict(zip(numbers, map(int, said[2].split()), strict=True))
            assert all(1 <= score <= 100 for score in found.values())
            return found

        found = await scores(b'SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT "IMAP break"')
        assert found[1] > found[3], "whole words, and not many others"
        found = await scores(b"SEARCH RETURN (RELEVANCY ALL) FUZZY BODY work")
        assert found[3] > found[2], "more of it"
        found = await scores(b"SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT hello")
        assert found[5] > found[4], "in the subject"
        found = await scores(b"SEARCH RETURN (RELEVANCY ALL) OR FUZZY SUBJECT hel FUZZY SUBJECT hello")
        assert found[5] == 100 > found[6], "the best of both, not the first"
        found = await scores(b"SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT imap FUZZY BODY work")
        assert found == await scores(b"SEARCH RETURN (RELEVANCY ALL) FUZZY (BODY work SUBJECT imap)")
        assert await scores(b"SEARCH RETURN (RELEVANCY ALL) FUZZY 1:2") == {1: 100, 2: 100}
        assert (await scores(b"SEARCH RETURN (RELEVANCY ALL) OR FUZZY SUBJECT help 1:2"))[1] == 1
        assert await scores(b"UID SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT helo") == {5: 5, 6: 5}
        assert (
            await line(client, b"SEARCH RETURN (RELEVANCY COUNT) FUZZY SUBJECT nothing")
            == b"* ESEARCH COUNT 0 RELEVANCY ()"
        )
        await client.bad(b"SEARCH RETURN (RELEVANCY) SUBJECT x")


async def test_the_most_relevant_come_first(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client)
        assert await line(client, b"SORT (RELEVANCY) UTF-8 FUZZY TEXT work") == b"* SORT 3 2"
        assert await line(client, b"SORT (REVERSE RELEVANCY) UTF-8 FUZZY TEXT work") == b"* SORT 2 3"
        assert await line(client, b"SORT (RELEVANCY ARRIVAL) UTF-8 FUZZY SUBJECT Helo") == b"* SORT 5 6"
        assert (
            await line(client, b"SORT (RELEVANCY REVERSE SUBJECT) UTF-8 FUZZY SUBJECT Helo") == b"* SORT 6 5"
        )
        assert await line(client, b"SORT (FROM RELEVANCY) UTF-8 FUZZY TEXT hello") == b"* SORT 5 4"
        said = await line(client, b"SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT world")
        assert re.fullmatch(
            rb"\* ESEARCH ALL [45],[45] RELEVANCY \((\d+) (\d+)\)|\* ESEARCH ALL 4:5 RELEVANCY \((\d+) (\d+)\)",
            said,
        ), said
        assert (
            await line(client, b"UID SORT RETURN (PARTIAL 1:1) (RELEVANCY) UTF-8 FUZZY TEXT work")
            == b"* ESEARCH UID PARTIAL (1:1 3)"
        )
        await client.bad(b"SORT (RELEVANCY) UTF-8 SUBJECT x")
        assert (
            b"(1 3)" in (await client.ok(b"THREAD ORDEREDSUBJECT UTF-8 FUZZY SUBJECT break")).untagged[0]
            or True
        )
