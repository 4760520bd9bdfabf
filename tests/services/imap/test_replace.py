"""REPLACE and UID REPLACE (RFC 8508)."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from mailstead.store.database import Database
from mailstead.store.objects import sweep_unwritten
from tests.support.imap import Client, ImapWorker, Said, imap_worker

OLD = b"Subject: old\r\n\r\nthe old one\r\n"
NEW = b"Subject: new\r\n\r\nthe new one\r\n"


async def replace(client: Client, number: int, mailbox: bytes = b"INBOX", octets: bytes = NEW) -> Said:
    return await client.command(b"REPLACE %d %b {%d}" % (number, mailbox, len(octets)), octets)


async def bodies(client: Client, mailbox: bytes = b"INBOX") -> list[bytes | None]:
    """The messages of a mailbox as another session finds them."""
    await client.ok(b"EXAMINE " + mailbox)
    return [await client.body(uid) for uid in await client.uids()]


async def filled(w: ImapWorker, count: int = 4) -> Client:
    """A client whose INBOX has messages."""
    await w.house.move_in()
    client = await w.login()
    for n in range(count):
        await client.append(OLD + b"%d" % n)
    await client.ok(b"NOOP")
    return client


EXAMPLE = (
    b"Date: Thu, 1 Jan 2015 00:05:00 -0500 (EST)\r\nFrom: Fritz Schmidt <fritz.ze@example.org>\r\n"
    b"Subject: happy new year !!\r\nTo: miss.mitzy@example.org\r\nMessage-Id: <B238822388-0100000@example.org>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
    b"Just saw the best fireworks show. Wish you were here.\r\n"
)


async def test_the_examples(database: Database, tmp_path: Path) -> None:
    """RFC 8508 sections 3.2 and 3.3; EXPUNGE before EXISTS, which is as good."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for n in range(4):
            await client.append(OLD + b"%d" % n, b"Drafts")
        selected = await client.select(b"Drafts")
        validity = re.findall(rb"UIDVALIDITY (\d+)", b" ".join(selected.untagged))[0]
        options = rb"(\Seen \Draft) "
        said = await client.ok(b"REPLACE 4 Drafts %b{%d}" % (options, len(EXAMPLE)), EXAMPLE)
        assert said.untagged == [
            b"* OK [APPENDUID %b 5] Replacement message ready" % validity, b"* 4 EXPUNGE", b"* 4 EXISTS", b"* 4 RECENT",
        ]  # fmt: skip
        assert said.text == b"Replace completed"
        assert await client.uids() == [1, 2, 3, 5]
        assert await client.body(5) == EXAMPLE
        assert await client.flags(5) == {rb"\Seen", rb"\Draft", rb"\Recent"}
        again = EXAMPLE + b"Hopefully next year you can join us.\r\n"
        said = await client.ok(b"UID REPLACE 5 Drafts %b{%d}" % (options, len(again)), again)
        assert said.untagged[0] == b"* OK [APPENDUID %b 6] Replacement message ready" % validity
        assert b"* 4 EXPUNGE" in said.untagged
        assert await client.uids() == [1, 2, 3, 6]
        assert await client.body(6) == again


@pytest.mark.parametrize("absorbed", [False, True])
async def test_nothing_of_the_old_one_is_inherited(
    database: Database, tmp_path: Path, absorbed: bool
) -> None:
    """Flags, dates, ids: all is of the new message, and the others stay as they are."""
    async with imap_worker(database, tmp_path) as w:
        client = await filled(w, 3)
        if absorbed:
            await client.ok(rb"STORE 1:3 +FLAGS (\Flagged $Work \Deleted)")
            account = await w.house.unlock()
            await account.absorb(await w.house.inbox(account))
            account.close()
        email_id = await client.item(2, b"EMAILID")
        said = await replace(client, 2)
        assert said.status == b"OK"
        assert not said.having(b"FETCH"), "nothing is said of a STORE"
        assert await client.uids() == [1, 3, 4]
        assert await client.flags(4) == {rb"\Recent"}
        assert await client.item(4, b"EMAILID") != email_id
        assert await client.body(4) == NEW
        assert rb"\Deleted" in await client.flags(3) or not absorbed, "only the one that is named goes"
        other = await w.login()
        assert await bodies(other) == [OLD + b"0", OLD + b"2", NEW]


async def test_into_another_mailbox(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, 2)
        validity = (await client.ok(b"STATUS Sent (UIDVALIDITY)")).untagged[0].split()[-1].rstrip(b")")
        said = await client.ok(rb"UID REPLACE 1 Sent (\Seen) {%d}" % len(NEW), NEW)
        assert said.untagged == [
            b"* OK [APPENDUID %b 1] Replacement message ready" % validity,
            b"* 1 EXPUNGE",
        ]
        assert await client.uids() == [2]
        other = await w.login()
        assert await bodies(other, b"Sent") == [NEW]


async def test_whoever_looks_on_is_told(sqlite: Database, tmp_path: Path) -> None:
    """And a session with QRESYNC hears UIDs, and the mod-sequence up to which it was told."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, 3)
        await client.ok(b"ENABLE QRESYNC")
        other = await w.login()
        await other.ok(b"ENABLE QRESYNC")
        await other.select()
        idle = await w.login()
        tag = idle.begin(b"IDLE")
        assert (await idle.response()).startswith(b"+")
        said = await replace(client, 2)
        assert said.untagged[1:] == [b"* VANISHED 2", b"* 3 EXISTS", b"* 3 RECENT"]
        modseq = re.fullmatch(rb"HIGHESTMODSEQ (\d+)", said.code)
        assert modseq is not None
        at = await client.item(4, b"MODSEQ")
        assert int(re.findall(rb"\d+", at)[0]) <= int(modseq[1])
        status = (await client.ok(b"STATUS INBOX (HIGHESTMODSEQ)")).untagged[0]
        assert status.endswith(b"HIGHESTMODSEQ %b)" % modseq[1])
        heard = await other.ok(b"NOOP")
        assert b"* VANISHED 2" in heard.untagged
        assert b"* 3 EXISTS" in heard.untagged
        assert {await idle.response(), await idle.response()} == {b"* 2 EXPUNGE", b"* 3 EXISTS"}
        idle.send(b"DONE\r\n")
        assert (await idle.end(tag)).status == b"OK"


async def test_a_program_that_was_away_is_told_that_it_went(sqlite: Database, tmp_path: Path) -> None:
    """As if it had been expunged by UID EXPUNGE (RFC 8508 section 4.5)."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, 3)
        other = await w.login(None)
        await other.ok(b"ENABLE QRESYNC")
        whole = b" ".join((await other.select()).untagged)
        validity = re.findall(rb"UIDVALIDITY (\d+)", whole)[0]
        modseq = re.findall(rb"HIGHESTMODSEQ (\d+)", whole)[0]
        await other.ok(b"UNSELECT")
        assert (await replace(client, 2)).status == b"OK"
        said = await other.ok(b"SELECT INBOX (QRESYNC (%b %b))" % (validity, modseq))
        assert b"* VANISHED (EARLIER) 2" in said.untagged
        assert [re.findall(rb"UID (\d+)", line) for line in said.having(b" FETCH ")] == [[b"4"]]


async def test_which_message_is_meant(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, 3)
        assert (await client.ok(b"REPLACE * INBOX {%d}" % len(NEW), NEW)).having(b"* 3 EXPUNGE")
        assert (await client.ok(b"UID REPLACE * INBOX {%d}" % len(NEW), NEW)).having(b"* 3 EXPUNGE")
        assert await client.uids() == [1, 2, 5]
        for wrong in (
            b"REPLACE 4",
            b"REPLACE 0",
            b"REPLACE 1:2",
            b"REPLACE 1,2",
            b"REPLACE $",
            b"UID REPLACE 1:*",
        ):
            said = await client.bad(wrong + b" INBOX {%d}" % len(NEW), NEW)
            assert not said.untagged
        for gone in (3, 77):
            said = await client.no(b"UID REPLACE %d INBOX {%d}" % (gone, len(NEW)), NEW)
            assert (said.code, said.untagged) == (b"NONEXISTENT", [])
        assert await client.uids() == [1, 2, 5]
        empty = await w.login(b"Drafts")
        await empty.bad(b"REPLACE * INBOX {%d}" % len(NEW), NEW)
        await empty.no(b"UID REPLACE * INBOX {%d}" % len(NEW), NEW)


async def test_it_is_refused_before_the_message_comes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, message_octets=1000) as w:
        client = await filled(w, 2)
        for command, status, code in (
            (b"REPLACE 1 nowhere {10}", b"NO", b"TRYCREATE"),
            (b"UID REPLACE 2 nowhere {10}", b"NO", b"TRYCREATE"),
            (b"REPLACE 1 INBOX {1001}", b"NO", b"TOOBIG"),
            (b"REPLACE 9 INBOX {10}", b"BAD", b""),
            (b"REPLACE 1 INBOX (\\Recent) {10}", b"BAD", b""),
            (b"REPLACE 1 INBOX", b"BAD", b""),
            (b"REPLACE INBOX {10}", b"BAD", b""),
        ):
            said = await client.end(client.begin(command))
            assert (said.status, said.code, said.untagged) == (status, code, []), command
            if command.endswith(b" {10}"):
                said = await client.end(client.begin(command.replace(b"}", b"+}") + b"\r\n0123456789"))
                assert (said.status, said.code) == (status, code), command
        await client.ok(b"EXAMINE INBOX")
        said = await client.end(client.begin(b"REPLACE 1 INBOX {10}"))
        assert (said.status, said.code) == (b"NO", b"READ-ONLY")
        await client.ok(b"UNSELECT")
        for command in (b"REPLACE 1 INBOX {10}", b"UID REPLACE 1 INBOX {10+}\r\n0123456789"):
            assert (await client.end(client.begin(command))).status == b"BAD"
        other = await w.login()
        assert await bodies(other) == [OLD + b"0", OLD + b"1"]


async def test_what_comes_in_other_ways(sqlite: Database, tmp_path: Path) -> None:
    """Literals that do not wait, literal8, UTF8, a mailbox as a literal, and words in any case."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, 1)
        await client.ok(b"ENABLE UTF8=ACCEPT")
        for head, tail in (
            (b"uid Replace 1 inbox {%d+}\r\n", b""),
            (b"REPLACE 1 {5+}\r\nINBOX {%d+}\r\n", b""),
            (b"UID REPLACE 3 {5+}\r\nINBOX () ~{%d+}\r\n", b""),
            (b'REPLACE 1 INBOX (\\Seen) "17-Jul-1996 02:44:25 -0700" utf8 (~{%d+}\r\n', b")"),
        ):
            said = await client.end(client.begin(head % len(NEW) + NEW + tail))
            assert (said.status, len(said.having(b"APPENDUID"))) == (b"OK", 1), head
            assert not said.having(b"+ ")
        assert await client.uids() == [5]
        assert await client.item(5, b"INTERNALDATE") == b'INTERNALDATE "17-Jul-1996 09:44:25 +0000"'
        assert (await client.no(b"REPLACE 1 INBOX ~{5}", b"a\0b\r\n")).code == b"UNKNOWN-CTE"
        await client.bad(b"REPLACE 1 INBOX {5}", b"a\0b\r\n")
        await client.bad(b"REPLACE 1 INBOX {5}", b"abc\r\n", b" more")
        said = await client.end(client.begin(b"REPLACE 1 INBOX {3+}\r\nabc {3+}\r\ndef"))
        assert said.status == b"BAD", "there is no MULTIAPPEND of it (RFC 8508 section 4.7)"
        assert await client.uids() == [5]
        assert (await client.ok(b"NOOP")).untagged == []


def noise(seed: int, size: int) -> bytes:
    return b"Subject: x\r\n\r\n" + random.Random(seed).randbytes(size // 2).hex().encode()


async def test_the_quota_has_room_for_what_goes(database: Database, tmp_path: Path) -> None:
    """Where an APPEND finds none; and when it is too much all the same, the old one stays."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in(quota=40_000)
        client = await w.login()
        await client.append(noise(1, 30_000))
        await client.ok(b"NOOP")
        before = await w.house.database.read(lambda tx: tx.execute("SELECT used_octets FROM account"))
        large = noise(2, 30_000)
        assert (await client.no(b"APPEND INBOX {%d}" % len(large), large)).code == b"OVERQUOTA"
        assert (await replace(client, 1, octets=large)).status == b"OK"
        after = await w.house.database.read(lambda tx: tx.execute("SELECT used_octets FROM account"))
        assert abs(after[0][0] - before[0][0]) < 2000, "it is counted once"
        too_large = noise(3, 80_000)
        said = await client.end(client.begin(b"REPLACE 1 INBOX {%d}" % len(too_large)))
        assert (said.status, said.code, said.untagged) == (b"NO", b"OVERQUOTA", [])
        assert await client.body(2) == large
        await client.ok(b"COPY 1 Trash")
        said = await replace(client, 1, octets=noise(4, 30_000))
        assert (said.status, said.code) == (b"NO", b"OVERQUOTA"), "a copy of the old one takes its room still"
        assert await client.body(2) == large
        assert await client.uids() == [2]


async def test_too_much_for_the_quota_at_the_end_leaves_the_old_one(sqlite: Database, tmp_path: Path) -> None:
    """What else came while the message did; the transaction is undone as a whole."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in(quota=40_000)
        client, other = await w.login(), await w.login(None)
        await client.append(OLD)
        await client.ok(b"NOOP")
        large = noise(1, 30_000)
        tag = client.begin(b"REPLACE 1 INBOX {%d}" % len(large))
        assert (await client.response()).startswith(b"+")
        await other.append(noise(2, 38_000), b"Trash")
        await other.append(noise(3, 18_000), b"Trash")
        client.send(large + b"\r\n")
        said = await client.end(tag)
        assert (said.status, said.code, said.untagged) == (b"NO", b"OVERQUOTA", [])
        assert await client.body(1) == OLD
        assert (await client.ok(b"NOOP")).untagged == []
        assert await bodies(other) == [OLD]


@pytest.mark.parametrize("what", ["message", "source", "target"])
async def test_what_goes_while_the_message_comes(sqlite: Database, tmp_path: Path, what: str) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(), await w.login()
        for name in (b"work", b"target"):
            await client.ok(b"CREATE " + name)
        await client.append(OLD, b"work")
        await client.select(b"work")
        tag = client.begin(b"REPLACE 1 target {%d}" % len(NEW))
        assert (await client.response()).startswith(b"+")
        if what == "message":
            await other.select(b"work")
            await other.ok(b"STORE 1 FLAGS (\\Deleted)")
            await other.ok(b"EXPUNGE")
        else:
            await other.ok(b"DELETE " + (b"work" if what == "source" else b"target"))
        client.send(NEW + b"\r\n")
        said = await client.end(tag)
        assert said.status == b"NO"
        assert said.code == (b"TRYCREATE" if what == "target" else b"EXPUNGEISSUED")
        assert not said.having(b"APPENDUID")
        if what == "target":
            assert await bodies(other, b"work") == [OLD]
        else:
            assert await bodies(other, b"target") == []
        assert await bodies(other) == [], "nothing went to INBOX instead"


@pytest.mark.parametrize("how", ["whole", "leaves"])
async def test_a_large_one_is_spooled_sealed(sqlite: Database, tmp_path: Path, how: str) -> None:
    """And the old one is there until all of it is."""
    async with imap_worker(sqlite, tmp_path, memory_octets=20_000, single_octets=10_000) as w:
        client = await filled(w, 1)
        octets = b"Subject: x\r\n\r\n" + b"Zq7kanarie is what is looked for, again and again\r\n" * 30_000
        octets += random.Random(1).randbytes(700_000).hex().encode()
        tag = client.begin(b"REPLACE 1 INBOX {%d}" % len(octets))
        assert (await client.response()).startswith(b"+")
        client.send(octets[:1_000_000])
        await asyncio.sleep(0.1)
        assert all(b"kanarie" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        other = await w.login()
        assert await bodies(other) == [OLD + b"0"]
        if how == "leaves":
            client.hang_up()
            await asyncio.sleep(0.05)
            assert await bodies(other) == [OLD + b"0"]
        else:
            client.send(octets[1_000_000:] + b"\r\n")
            assert (await client.end(tag)).status == b"OK"
            assert await bodies(other) == [octets]
            assert all(b"kanarie" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        assert list((tmp_path / "spool").iterdir()) == []
        assert w.house.storing._budget.used == 0
        rows = await sqlite.read(lambda tx: tx.execute("SELECT refs FROM object"))
        assert rows == [(1,)], "of the old one nothing is left, or nothing of the new one"
        assert await sqlite.write(lambda tx: sweep_unwritten(tx, -1)) == 0


async def test_it_is_offered_to_who_is_logged_in(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        assert b"REPLACE" in (await client.ok(b"CAPABILITY")).untagged[0].split()
