"""APPEND (RFC 9051 section 6.3.12, RFC 4315, RFC 7888)."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def test_flags_date_and_octets_are_kept(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        said = await client.ok(
            rb'APPEND Archive (\Seen $Forwarded) "17-Jul-1996 02:44:25 -0700" {%d}' % len(PLAIN), PLAIN
        )
        assert re.fullmatch(rb"APPENDUID \d+ 1", said.code)
        assert said.untagged == []
        selected = await client.select(b"Archive")
        assert selected.having(b"UIDVALIDITY " + said.code.split()[1])
        assert await client.flags(1) == {rb"\Seen", rb"\Recent", b"$Forwarded"}
        assert await client.item(1, b"INTERNALDATE") == b'INTERNALDATE "17-Jul-1996 09:44:25 +0000"'
        assert await client.body(1) == PLAIN
        assert await client.item(1, b"RFC822.SIZE") == b"RFC822.SIZE %d" % len(PLAIN)


async def test_into_the_selected_mailbox_it_is_news(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        said = await client.ok(b"APPEND INBOX {%d}" % len(PLAIN), PLAIN)
        assert b"* 1 EXISTS" in said.untagged
        assert b"* 1 RECENT" in said.untagged


async def test_a_literal_that_does_not_wait(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        tag = client.begin(b"APPEND {5+}\r\nINBOX (\\Seen) {%d+}\r\n" % len(PLAIN), PLAIN)
        said = await client.end(tag)
        assert said.status == b"OK"
        assert not said.having(b"+ ")
        tag = client.begin(b"APPEND nowhere {%d+}\r\n" % len(PLAIN), PLAIN)
        assert (await client.end(tag)).code == b"TRYCREATE"
        assert (await client.ok(b"NOOP")).untagged == [], "the message was thrown away, not parsed"
        tag = client.begin(b"UID SEARCH SUBJECT {3+}\r\none")
        assert (await client.end(tag)).untagged == [b"* SEARCH 1"]


@pytest.mark.parametrize(
    "octets",
    [b"", b"\r\n", b"x", b"a\rb\nc\r\n\r\n\r", b"Subject: no body", b"\r\n\r\n\xff\xfe", PLAIN * 1000],
    ids=["none", "line", "letter", "bare", "header", "binary", "long"],
)
async def test_the_owner_s_octets_are_his_own(sqlite: Database, tmp_path: Path, octets: bytes) -> None:
    """A bare CR or LF is kept, and a message may have no octets at all."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        uid = await client.append(octets)
        assert await client.body(uid) == octets
        await client.ok(b"FETCH 1 (ENVELOPE BODYSTRUCTURE BODY[HEADER] BODY[TEXT] BODY[1])")
        await client.ok(b'UID SEARCH TEXT "anything"')


async def test_nul_is_refused(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        assert (await client.bad(b"APPEND INBOX {5}", b"a\0b\r\n")).text == b"NUL in a message"
        assert (await client.no(b"APPEND INBOX ~{5}", b"a\0b\r\n")).code == b"UNKNOWN-CTE"
        assert await client.uids() == []
        await client.ok(b"APPEND INBOX ~{5}", b"abc\r\n")
        assert await client.body(1) == b"abc\r\n"


async def test_too_large_is_refused_before_it_comes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, message_octets=1000) as w:
        await w.house.move_in()
        client = await w.login()
        tag = client.begin(b"APPEND INBOX {1001}")
        said = await client.end(tag)
        assert (said.status, said.code, said.untagged) == (b"NO", b"TOOBIG", [])
        tag = client.begin(b"APPEND INBOX {1001+}\r\n" + b"x" * 1001)
        assert (await client.end(tag)).code == b"TOOBIG"
        await client.append(b"x" * 1000)
        assert await client.uids() == [1]


async def test_over_quota_is_refused_before_it_comes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in(quota=20_000)
        client = await w.login()
        rng = random.Random(1)
        assert (await client.no(b"APPEND INBOX {30000}", b"")).code == b"OVERQUOTA"
        for _ in range(30):  # less than the quota each, and more than it together
            octets = rng.randbytes(2000).hex().encode()
            said = await client.command(b"APPEND INBOX {%d}" % len(octets), octets)
            if said.status == b"NO":
                break
        assert said.code == b"OVERQUOTA"
        assert await client.uids(), "and what was there is there"


async def test_a_missing_mailbox_is_refused_before_it_comes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        tag = client.begin(b"APPEND nowhere {10}")
        said = await client.end(tag)
        assert (said.status, said.code) == (b"NO", b"TRYCREATE")
        await client.ok(b"CREATE nowhere")
        await client.append(PLAIN, b"nowhere")


async def test_a_mailbox_that_goes_while_the_message_comes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(), await w.login()
        await client.ok(b"CREATE work")
        tag = client.begin(b"APPEND work {%d}" % len(PLAIN))
        assert (await client.response()).startswith(b"+")
        await other.ok(b"DELETE work")
        client.send(PLAIN + b"\r\n")
        said = await client.end(tag)
        assert (said.status, said.code) == (b"NO", b"TRYCREATE")
        assert await client.uids() == [], "it did not go to INBOX instead"


@pytest.mark.parametrize("how", ["whole", "leaves"])
async def test_a_large_message_is_spooled_sealed(sqlite: Database, tmp_path: Path, how: str) -> None:
    """On the disk is nothing of it in clear, and of one that does not come to its end nothing at all."""
    async with imap_worker(sqlite, tmp_path, memory_octets=20_000, single_octets=10_000) as w:
        await w.house.move_in()
        client = await w.login()
        line = b"Zq7kanarie is what is looked for, again and again\r\n"
        octets = b"Subject: x\r\n\r\n" + line * 20_000
        tag = client.begin(b"APPEND INBOX {%d}" % len(octets))
        assert (await client.response()).startswith(b"+")
        half = len(octets) // 2
        client.send(octets[:half])
        await asyncio.sleep(0.2)
        assert w.house.storing._budget is not None
        assert all(b"kanarie" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        if how == "leaves":
            client.hang_up()
            await asyncio.sleep(0.05)
            assert list((tmp_path / "spool").iterdir()) == []
            other = await w.login()
            assert await other.uids() == []
            return
        client.send(octets[half:] + b"\r\n")
        assert (await client.end(tag)).status == b"OK"
        assert list((tmp_path / "spool").iterdir()) == []
        assert all(b"kanarie" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        assert await client.body(1) == octets
        assert await client.body(1, b"BODY.PEEK[TEXT]<100000.50>") == (line * 20_000)[100_000:100_050]


async def test_what_is_no_append(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.bad(b"APPEND INBOX (\\Recent) {5}")
        await client.bad(b'APPEND INBOX "31-Feb-2024 00:00:00 +0000" {5}')
        await client.bad(b"APPEND INBOX")
        assert (await client.bad(b"APPEND INBOX {5}", b"abc\r\n", b" more")).text
        assert await client.uids() == []


async def test_keywords_are_kept_or_refused(sqlite: Database, tmp_path: Path) -> None:
    """A row has room for 255 different ones: the last messages lose what does not fit, and it is told."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        said = await client.no(b"APPEND INBOX (" + many(b"k", 65) + b") {1+}\r\nx")
        assert said.code == b"LIMIT"
        for n, count in enumerate([64, *[60] * 6]):
            await client.append(b"Subject: x\r\n\r\n", options=b"(" + many(b"m%d-" % n, count) + b") ")
        await client.ok(b"NOOP")
        assert await keywords(client) == [64, *[60] * 6]
        other = await w.login()
        assert await keywords(other) == [64, *[60] * 6]
        for said in (await client.ok(rb"STORE 7 +FLAGS.SILENT (\Seen)"), await other.ok(b"NOOP")):
            assert [line.split()[1] for line in said.having(b"FETCH")] == [b"5", b"6", b"7"]
        for session in (client, other):
            assert await keywords(session) == [64, 60, 60, 60, 11, 0, 0]


def many(prefix: bytes, count: int) -> bytes:
    return b" ".join([b"%b%d" % (prefix, n) for n in range(count)])


async def keywords(client: Client) -> list[int]:
    """How many each message has."""
    lines = (await client.ok(b"FETCH 1:* FLAGS")).having(b"* ")
    found = [line for line in lines if b" FETCH " in line]
    return [
        sum(f not in (b"\\Recent", b"\\Seen") for f in line.partition(b"FLAGS (")[2][:-2].split())
        for line in found
    ]


async def test_several_messages_are_appended_or_none(database: Database, tmp_path: Path) -> None:
    """MULTIAPPEND (RFC 3502): UIDs in their order, and all of them or none."""
    async with imap_worker(database, tmp_path, memory_octets=60_000, single_octets=30_000) as w:
        await w.house.move_in()
        client = await w.login()
        large = b"Subject: large\r\n\r\n" + random.Random(1).randbytes(60_000).hex().encode()
        given = [PLAIN, large, PLAIN + b"x"]
        pieces: list[bytes] = [b"APPEND Archive (\\Seen) {%d}" % len(given[0])]
        for n, octets in enumerate(given):
            after = b" ($k%d) {%d}" % (n, len(given[n + 1])) if n + 1 < len(given) else b""
            pieces += [octets, after]
        said = await client.ok(*pieces)
        assert re.fullmatch(rb"APPENDUID \d+ 1:3", said.code)
        await client.select(b"Archive")
        assert [await client.body(uid) for uid in (1, 2, 3)] == given
        assert await client.flags(1) - {rb"\Recent"} == {rb"\Seen"}
        assert await client.flags(3) - {rb"\Recent"} == {b"$k1"}
        assert list((tmp_path / "spool").iterdir()) == []
        many = b" ".join([b"{%d+}\r\n%b" % (len(PLAIN), PLAIN)] * 40)
        tag = client.begin(b"APPEND Archive " + many)
        assert (await client.end(tag)).code.endswith(b" 4:43")

        tag = client.begin(b"APPEND Archive {%d+}\r\n%b (\\Recent) {3+}\r\nabc" % (len(PLAIN), PLAIN))
        assert (await client.end(tag)).status == b"BAD"
        tag = client.begin(b"APPEND Archive {%d+}\r\n%b {3+}\r\na\0c" % (len(PLAIN), PLAIN))
        assert (await client.end(tag)).status == b"BAD"
        await client.ok(b"NOOP")
        assert await client.uids() == list(range(1, 44))


async def test_several_messages_are_within_the_quota_together_or_not_at_all(
    sqlite: Database, tmp_path: Path
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in(quota=20_000)
        client = await w.login()
        octets = [b"Subject: x\r\n\r\n" + random.Random(n).randbytes(3000).hex().encode() for n in range(4)]
        said = await client.no(
            b"APPEND INBOX {%d}" % len(octets[0]), octets[0], b" {%d}" % len(octets[1]), octets[1],
            b" {%d}" % len(octets[2]), octets[2], b" {%d}" % len(octets[3]), octets[3],
        )  # fmt: skip
        assert said.code == b"OVERQUOTA", "by what was announced"
        assert w.house.storing._budget.used == 0
        many = b" ".join([b"{1+}\r\nx"] * 200)  # each has room, and what is sealed of all of them has not
        tag = client.begin(b"APPEND INBOX " + many)
        assert (await client.end(tag)).code == b"OVERQUOTA"
        assert await client.uids() == []
        await client.append(b"x")
