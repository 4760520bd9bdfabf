"""SEARCH by the index finds what SEARCH without one finds, in every script, and looks at few messages."""

import asyncio
import random
from pathlib import Path

import pytest

from mailstead.accounts.searchindex import CLUES_CAP, SearchIndex
from mailstead.services.imap import looking
from mailstead.services.imap import search as searching
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, imap_worker

WORDS = [
    "report",
    "invoice",
    "Quarterly",
    "lunch",
    "Straße",
    "Schöne",
    "Grüße",
    "naïve",
    "café",
    "résumé",
    "Привет",
    "мир",
    "ёлка",
    "Ελλάδα",
    "日本語",
    "中文輸入",
    "東京都",
    "สวัสดี",
    "한국어",
    "ŉ",
    "ǅ",
    "İstanbul",
    "ﬁnance",
    "１２３",
    "a1b2c3",
    "deadbeef",
    "4711",
    "face",
    "x",
]
SEPARATORS = (" ", " ", " ", ", ", ". ", "-", "\r\n", "", "/", "@", "_")


def text(chance: random.Random) -> str:
    found = "".join(chance.choice(WORDS) + chance.choice(SEPARATORS) for _ in range(chance.randint(1, 30)))
    if chance.random() < 0.2:
        found += "".join(chance.choice("abcdefghijKLMNOP0123456789") for _ in range(chance.randint(30, 150)))
    return found


def letter(chance: random.Random, n: int) -> bytes:
    subject, body = text(chance).replace("\r\n", " ")[:60], text(chance)
    lines = [
        f"From: P{n % 7} <p{n % 5}@a.test>",
        "To: ann@b.test",
        f"Subject: {subject}",
        f"X-Odd: odd{n % 3}",
    ]
    lines += [f"Cc: c{n}@c.test"] if n % 4 == 0 else []
    head = "\r\n".join([*lines, f"Message-ID: <m{n}@x>"])
    if n % 3 == 0:
        html = f"<p>{body.replace('c', '&#99;')}</p><div style='display: none'>unseen{n}</div>tag<b>ged</b>"
        return f"{head}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n".encode()
    if n % 3 == 1:
        return (
            f"{head}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8"
            f"\r\n\r\n{body}\r\n--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment;"
            f" filename*=utf-8''f%C3%BCr{n}.png\r\n\r\nx\r\n--b--\r\n"
        ).encode()
    return f"{head}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n".encode()


async def index(w: ImapWorker, least: int = 1) -> None:
    """Absorb and index all that is there."""
    account = await w.house.unlock()
    await account.absorb(await w.house.inbox(account))
    account._online.indexing.least = least
    while await account._online.indexing.step():
        pass
    account.close()


async def searched(client: Client, key: bytes, string: str | None = None) -> list[int]:
    pieces = [b"UID SEARCH " + key] if string is None else [
        b"UID SEARCH %b {%d}" % (key, len(string.encode())), string.encode()
    ]  # fmt: skip
    (line,) = (await client.ok(*pieces)).having(b"* SEARCH")
    return [int(n) for n in line.split()[2:]]


async def filled(w: ImapWorker, count: int, chance: random.Random) -> list[bytes]:
    """INBOX with so many messages: most are indexed, in three segments, some of them are gone, ten are not indexed."""
    await w.house.move_in()
    letters = [letter(chance, n) for n in range(count)]
    for first, last in ((0, count // 2), (count // 2, count - 40), (count - 40, count - 10)):
        for octets in letters[first:last]:
            await w.house.deliver(octets)
        await index(w)
    for octets in letters[count - 10 :]:
        await w.house.deliver(octets)
    client = await w.login()
    await client.ok(b"UID STORE 3,9,30:33,120 +FLAGS.SILENT (\\Deleted)")
    await client.ok(b"EXPUNGE")
    await client.ok(b"UID STORE 2:60 +FLAGS.SILENT (\\Seen)")
    return letters


async def test_it_finds_what_is_found_without_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    async with imap_worker(sqlite, tmp_path) as w:
        letters = await filled(w, 180, chance)
        client = await w.login()
        strings = [
            "tagged",
            "unseen0",
            "für1",
            "odd1",
            "x-odd",
            "ANN",
            "p3@a.test",
            " ",
            "--",
            "@",
            "e",
            "m17@x",
            "c1",
        ]
        for octets in chance.sample(letters, 60):
            whole = octets.decode().replace("\r\n", " ")
            at, length = chance.randrange(len(whole) - 5), chance.choice((1, 2, 3, 5, 8, 13, 21, 34, 60))
            strings.append(whole[at : at + length])
        keys = [(key, s) for s in strings for key in (b"BODY", b"TEXT")]
        keys += [
            (k, s) for s in strings[:40] for k in (b"SUBJECT", b"FROM", b"HEADER X-Odd", b"HEADER Message-ID")
        ]
        keys += [
            (b"NOT BODY", "report"), (b"SEEN TEXT", "invoice"), (b"OR SEEN BODY", "lunch"), (b"UID 1:70 NOT SEEN BODY", "face"),
            (b"NOT NOT TEXT", "mir"), (b"HEADER Cc", ""), (b"HEADER X-None", ""), (b"ALL OR NOT SEEN SUBJECT", "x"),
            (b"FUZZY TEXT", "resume"), (b"FUZZY SUBJECT", "strasse"), (b"FUZZY FROM", "p3"), (b"FUZZY SUBJECT", "invioce"),
            (b"FUZZY BODY", "schone gruße"), (b"FUZZY BODY", "中文"), (b"FUZZY TEXT", "ινϖ"), (b"BODY", ""),
        ]  # fmt: skip
        by_index = [await searched(client, *key) for key in keys]
        monkeypatch.setattr(searching, "WORTH_ASKING", 1 << 30)
        for key, found in zip(keys, by_index, strict=True):
            assert found == await searched(client, *key), key
        assert sum(map(bool, by_index)) > 60, "there is something to be found"


async def test_it_looks_at_few_messages(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    async def counting(judge, candidate, octets):  # type: ignore[no-untyped-def]
        looked.append(candidate.uid)
        return await look_through(judge, candidate, octets)

    look_through = looking.look_through
    monkeypatch.setattr(looking, "look_through", counting)
    async with imap_worker(sqlite, tmp_path) as w:
        await filled(w, 180, random.Random(8))
        client = await w.login()
        for key, most in (
            (b"BODY report", 0),
            (b"TEXT p3", 0),
            (b'BODY "zzz yyy"', 0),
            (b"NOT BODY face", 0),
        ):
            looked.clear()
            await searched(client, key)
            assert len(looked) <= 10 + most, key  # ten are not indexed
        looked.clear()
        await asyncio.sleep(0)
        monkeypatch.setattr(searching, "WORTH_ASKING", 1 << 30)
        await searched(client, b"BODY zebra")
        assert len(looked) > 100


async def test_a_search_for_very_much_is_not_asked_of_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found takes room for each word, and a search may have a thousand."""
    asked: list[object] = []

    async def look_up(self, there, clue):  # type: ignore[no-untyped-def]
        asked.append(clue)
        return await really(self, there, clue)

    really = SearchIndex._look_up
    monkeypatch.setattr(SearchIndex, "_look_up", look_up)
    async with imap_worker(sqlite, tmp_path) as w:
        await filled(w, 100, random.Random(10))
        client = await w.login()
        few = await searched(client, b"OR BODY report " * 9 + b"BODY invoice")
        assert len(set(asked)) == 2
        asked.clear()
        many = b"".join(b"OR BODY none%d " % n for n in range(CLUES_CAP))
        assert await searched(client, many + b"OR BODY report BODY invoice") == few
        assert asked == []


async def test_what_is_copied_and_moved_is_known_without_being_read_again(
    sqlite: Database, tmp_path: Path
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await filled(w, 100, random.Random(9))
        client = await w.login()
        await client.ok(b"CREATE there")
        await asyncio.sleep(1.1)  # what was copied has another time of saving than of arrival
        await client.ok(b"UID COPY 10:20 there")
        await client.ok(b"UID MOVE 40:70 there")
        account = await w.house.unlock()
        online = account._online
        before = await online.search_index.head()
        assert before is not None
        online.indexing.least = 1
        await index(w)
        after = await online.search_index.head()
        assert after is not None
        assert after.documents - before.documents <= 10, "only those that were not indexed before"
        account.close()
        await client.select(b"there")
        await searched(client, b"TEXT p3")
