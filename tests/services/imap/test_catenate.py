"""CATENATE (RFC 4469), with URLs of RFC 5092."""

import asyncio
import random
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.services.imap.catenate import HEADER_CAP
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, Said, imap_worker, octets_of
from tests.support.interrupted import Interrupted

BOUNDARY = b"------------030308070208000400050907"
HEADER = (
    b"From: Bob Ar <bar@example.org>\r\nSubject: About our holiday trip\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed;\r\n              boundary="' + BOUNDARY + b'"\r\n\r\n'
)
TEXT_MIME = b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
TEXT = b"Our travel agent has sent the updated schedule.\r\n\r\nCheers,\r\nBob"
ZIP_MIME = b"Content-Type: application/x-zip-compressed\r\nContent-Transfer-Encoding: base64\r\n\r\n"
ZIP = b"UEsDBAoAAAAAAA=="
DELIMITER = b"\r\n--" + BOUNDARY + b"\r\n"
CLOSE = b"\r\n--" + BOUNDARY + b"--\r\n"
MESSAGE = HEADER + DELIMITER + TEXT_MIME + TEXT + DELIMITER + ZIP_MIME + ZIP + CLOSE
ATTACHMENT = b"Content-Type: text/plain\r\n\r\nanother attachment\r\n"
PLAIN = b"Subject: one\r\n\r\nbody\r\n"

Parts = list[bytes | tuple[bytes]]  # URLs, and texts in tuples


def pieces_of(parts: Parts) -> list[bytes]:
    """What `Client.command` takes for CATENATE: texts are literals that are waited for."""
    pieces = [b" CATENATE ("]
    for at, part in enumerate(parts):
        pieces[-1] += b" " if at else b""
        if isinstance(part, tuple):
            pieces[-1] += b"TEXT {%d}" % len(part[0])
            pieces += [part[0], b""]
        else:
            pieces[-1] += b'URL "%b"' % part
    pieces[-1] += b")"
    return pieces


async def catenate(client: Client, *parts: bytes | tuple[bytes], head: bytes = b"APPEND Drafts") -> Said:
    first, *more = pieces_of(list(parts))
    return await client.command(head + first, *more)


async def made(client: Client, *parts: bytes | tuple[bytes]) -> bytes:
    """The message that is made of *parts*."""
    said = await catenate(client, *parts)
    assert said.status == b"OK", said
    found = re.fullmatch(rb"APPENDUID \d+ (\d+)", said.code)
    assert found is not None
    return await read(client, int(found[1]))


async def read(client: Client, uid: int, mailbox: bytes = b"Drafts") -> bytes:
    """A message, by a session that is told nothing else."""
    await client.ok(b"EXAMINE " + mailbox)
    octets = await client.body(uid)
    assert octets is not None
    return octets


async def validity(client: Client, mailbox: bytes = b"Drafts") -> bytes:
    said = await client.ok(b"STATUS %b (UIDVALIDITY)" % mailbox)
    return said.untagged[0].split()[-1].rstrip(b")")


async def moved_in(w: ImapWorker, **options: object) -> Client:
    """A client that is logged in, with nothing selected, and a message in Drafts."""
    await w.house.move_in(**options)  # type: ignore[arg-type]
    client = await w.login(None)
    await client.append(MESSAGE, b"Drafts")
    return client


async def thirty(w: ImapWorker) -> Client:
    """Drafts as in the examples of RFC 4469: UID 20 is the message, 30 an attachment."""
    await w.house.move_in()
    client = await w.login(None)
    many = [*[PLAIN] * 19, MESSAGE, MESSAGE, *[PLAIN] * 8, ATTACHMENT]
    tag = client.begin(b"APPEND Drafts " + b" ".join([b"{%d+}\r\n%b" % (len(m), m) for m in many]))
    assert (await client.end(tag)).code.endswith(b" 1:30")
    return client


async def test_example_1(database: Database, tmp_path: Path) -> None:
    """An attachment is replaced (RFC 4469 appendix A); TEXT is 42 octets long there as here."""
    async with imap_worker(database, tmp_path) as w:
        client = await thirty(w)
        assert (len(DELIMITER), len(CLOSE)) == (42, 44)
        base = b"/Drafts;UIDVALIDITY=%b/;UID=20" % await validity(client)
        said = await catenate(
            client, base + b"/;section=HEADER", (DELIMITER,), base + b"/;section=1.MIME", base + b"/;section=1", (DELIMITER,),
            base.replace(b"UID=20", b"UID=30"), (CLOSE,), head=rb"APPEND Drafts (\Seen \Draft $MDNSent)",
        )  # fmt: skip
        assert said.status == b"OK"
        assert said.code == b"APPENDUID %b 31" % await validity(client)
        wanted = HEADER + DELIMITER + TEXT_MIME + TEXT + DELIMITER + ATTACHMENT + CLOSE
        assert await read(client, 31) == wanted
        assert await client.flags(31) - {rb"\Recent"} == {rb"\Seen", rb"\Draft", b"$MDNSent"}
        assert await client.body(31, b"BODY.PEEK[2]") == b"another attachment\r\n"


async def test_example_2(sqlite: Database, tmp_path: Path) -> None:
    """Text and header are new, and the attachment is as it was."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await thirty(w)
        base = b"/Drafts;UIDVALIDITY=%b/;UID=20" % await validity(client)
        new = HEADER.replace(b"holiday", b"business") + DELIMITER + TEXT_MIME + b"Other text.\r\n" + DELIMITER
        octets = await made(client, (new,), base + b"/;Section=2.MIME", base + b"/;Section=2", (CLOSE,))
        assert octets == new + ZIP_MIME + ZIP + CLOSE
        await client.ok(b"SELECT Drafts")
        await client.ok(rb"UID STORE 20 +FLAGS.SILENT (\Deleted)")


async def test_example_4(sqlite: Database, tmp_path: Path) -> None:
    """One URL is bad: it is told which, and no continuation is sent behind it."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await thirty(w)
        base = b"/Drafts;UIDVALIDITY=%b/;UID=" % await validity(client)
        tag = client.begin(b"APPEND Sent (\\Seen $MDNSent) CATENATE (TEXT {4}")
        assert (await client.response()).startswith(b"+")
        client.send(b'head URL "%b20" TEXT {42}\r\n' % base)
        assert (await client.response()).startswith(b"+")
        client.send(DELIMITER + b' URL "%b113330/;section=1.5.9" TEXT {42}\r\n' % base)
        said = await client.end(tag)
        assert (said.status, said.untagged) == (b"NO", [])
        assert said.code == b"BADURL %b113330/;section=1.5.9" % base
        await client.ok(b"SELECT Sent")
        assert await client.uids() == []
        assert w.house.storing._budget.used == 0


async def test_with_replace(sqlite: Database, tmp_path: Path) -> None:
    """RFC 8508 section 4.2: header fields are put before the message that goes."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w)
        await client.ok(b"SELECT Drafts")
        fields = b"To: Mitzy <miss.mitzy@example.org>\r\nSubject: My view of the fireworks\r\n"
        first, *more = pieces_of([(fields,), b"/Drafts/;UID=1"])
        said = await client.ok(b"UID REPLACE 1 Drafts" + first, *more)
        assert said.having(b"[APPENDUID %b 2] " % await validity(client))
        assert b"* 1 EXPUNGE" in said.untagged
        assert await client.uids() == [2]
        assert await client.body(2) == fields + MESSAGE
        said = await client.no(b"REPLACE 1 Drafts" + pieces_of([b"/Drafts/;UID=1"])[0])
        assert said.code == b"BADURL /Drafts/;UID=1"
        assert await client.body(2) == fields + MESSAGE


SECTIONS = [
    b"", b"HEADER", b"TEXT", b"1", b"1.MIME", b"2", b"2.MIME", b"HEADER.FIELDS (From Subject)", b"HEADER.FIELDS.NOT (From)",
    b"3", b"3.HEADER", b"3.TEXT", b"3.1", b"3.MIME", b"3.HEADER.FIELDS (subject)", b"HEADER.FIELDS (None-Such)",
]  # fmt: skip
NESTED = (
    HEADER + DELIMITER + TEXT_MIME + TEXT + DELIMITER + ZIP_MIME + DELIMITER
    + b"Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\ninside it" + CLOSE
)  # fmt: skip


@pytest.mark.parametrize("absorbed", [True, False])
@pytest.mark.parametrize("parts", [3, 1500], ids=["few", "many"])
async def test_a_url_gives_what_fetch_gives(
    sqlite: Database, tmp_path: Path, parts: int, absorbed: bool
) -> None:
    """Of every section and partial, and of messages whose summary has no room for their parts."""
    more = b"".join([DELIMITER + b"\r\n%d" % n for n in range(parts - 3)])
    octets = NESTED[: -len(CLOSE)] + more + CLOSE
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(b"Archive")
        await client.append(octets, b"Archive")
        await client.ok(b"NOOP")
        if absorbed:
            account = await w.house.unlock()
            await account.absorb((await account.mailbox("Archive")).id)
            account.close()
        uid = 0
        for section in SECTIONS:
            for partial in (None, (0, 5), (3, 4), (2, None), (99_999, 7))[: 5 if parts == 3 else 1]:
                shown = section.replace(b" ", b"%20").replace(b"(", b"%28")
                url = b"/Archive/;UID=1" + (b"/;SECTION=" + shown if section else b"")
                peek = b"BODY.PEEK[%b]" % section
                if partial is not None:
                    start, count = partial
                    url += b"/;PARTIAL=%d" % start + (b".%d" % count if count else b"")
                    peek += b"<%d.%d>" % (start, count or 1_000_000)
                wanted = await client.body(1, peek)
                assert (await catenate(client, (b"<",), url, url, (b">",))).status == b"OK", url
                uid += 1
                assert await read(client, uid) == b"<" + (wanted or b"") * 2 + b">", url
                await client.ok(b"SELECT Archive")
        assert rb"\Seen" not in await client.flags(1)


async def test_which_urls_are_good(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        w.service = replace(w.service, hostname="mx.B.test")
        client = await moved_in(w)
        await client.ok(b'CREATE "&ZeVnLIqe- a/b;c"')
        await client.append(PLAIN, b'"&ZeVnLIqe- a/b;c"')
        for url in (
            b"/Drafts/;UID=1", b"/drafts/../Drafts/;uid=1", b"imap://ann@mx.b.test/Drafts/;UID=1", b"IMAP://ANN%40B.test@MX.b.test:143/Drafts/;UID=1",
            b"imap://ann;AUTH=*@mx.b.test/Drafts/;UID=1", b"//ann@mx.b.test/Drafts/;UID=1", b"imap://ann%40b.test;AUTH=PLAIN@mx.b.test/Drafts/;UID=1",
        ):  # fmt: skip
            assert await made(client, url) == MESSAGE, url
            await client.ok(b"UNSELECT")
        assert await made(client, b"/%E6%97%A5%E6%9C%AC%E8%AA%9E%20a/b%3Bc/;UID=1") == PLAIN
        await client.ok(b"SELECT Drafts")
        assert await made(client, b";UID=1") == MESSAGE, "of the selected mailbox"
        assert await made(client, b";UID=1/;SECTION=1") == TEXT
        await client.ok(b'SELECT "&ZeVnLIqe- a/b;c"')
        assert (await catenate(client, b";UIDVALIDITY=1/;UID=1")).code.startswith(b"BADURL")
        assert (await catenate(client, b";UID=1")).status == b"OK"
        await client.ok(b"UNSELECT")
        assert (await catenate(client, b";UID=1")).code == b"BADURL ;UID=1", "none is selected"


BAD_URLS: list[tuple[bytes, bytes | None]] = [
    (b"/nowhere/;UID=1", None), (b"/Drafts/;UID=2", None), (b"/Drafts;UIDVALIDITY=1/;UID=1", None), (b"/Drafts/;UID=1/;SECTION=7", None), (b"/Drafts/;UID=1/;SECTION=1.HEADER", None),
    (b"/bob/;UID=1", None), (b"/~bob/INBOX/;UID=1", None), (b"imap://bob@mx.b.test/Drafts/;UID=1", None), (b"imap://bob%40b.test@mx.b.test/Drafts/;UID=1", None), (b"imap://mx.b.test/Drafts/;UID=1", None), (b"imap://;AUTH=*@mx.b.test/Drafts/;UID=1", None),
    (b"imap://ann@other.test/Drafts/;UID=1", None), (b"imap://ann@mx.b.test:144/Drafts/;UID=1", None), (b"imap://ann@mx.b.test.evil.test/Drafts/;UID=1", None), (b"imap://ann%00@mx.b.test/Drafts/;UID=1", None),
    (b"http://ann@mx.b.test/Drafts/;UID=1", None), (b"file:///etc/passwd", None), (b"Drafts/;UID=1", None), (b"/Drafts", None), (b"/Drafts?ALL", None), (b"imap://ann@mx.b.test/", None),
    (b"/Drafts/;UID=1;URLAUTH=anonymous:internal:91354a473744909de610943775f92038", None), (b"/a]b/;UID=1", b"/a%5Db/;UID=1"), (b"", b'""'), (b"/\xc3\xa9/;UID=1", b"/%C3%A9/;UID=1"), (b"a b\x7f\x01", b"a b%7F%01"),
    (b"\r\n* BYE", b"%0D%0A* BYE"), (b"/%5D/;UID=1", None),
]  # fmt: skip


async def test_everything_else_is_a_bad_url(sqlite: Database, tmp_path: Path) -> None:
    """And the answer says which one it is, in octets that end no response."""
    async with imap_worker(sqlite, tmp_path) as w:
        w.service = replace(w.service, hostname="mx.b.test")
        await w.house.move_in("bob@b.test")
        await w.house.deliver(b"Subject: bob's\r\n\r\n", "bob@b.test")
        client = await moved_in(w)
        for url, shown in BAD_URLS:
            literal = b"URL {%d+}\r\n%b" % (len(url), url)
            for end in (b")", b" TEXT {5+}\r\nafter)", b" TEXT {5+}\r\nafter URL /x TEXT {3+}\r\nmore)"):
                said = await client.end(client.begin(b"APPEND Drafts CATENATE (" + literal + end))
                assert (said.status, said.untagged) == (b"NO", [])
                assert said.code == b"BADURL " + (url if shown is None else shown)
            said = await client.end(client.begin(b"APPEND Drafts CATENATE (TEXT {1+}\r\nx " + literal + b")"))
            assert said.code.startswith(b"BADURL ")
        await client.ok(b"SELECT Drafts")
        assert await client.uids() == [1]
        assert w.house.storing._budget.used == 0


async def test_with_multiappend_and_utf8(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w)
        await client.ok(b"ENABLE UTF8=ACCEPT")
        name = "Subject: Grüße\r\n".encode()
        said = await client.end(
            client.begin(
                b"APPEND Drafts (\\Seen) CATENATE (UTF8 (~{%d+}\r\n%b) URL /Drafts/;UID=1 TEXT {3+}\r\nend)" % (len(name), name),
                b" {%d+}\r\n%b" % (len(PLAIN), PLAIN),
                b' ($k) "17-Jul-1996 02:44:25 -0700" CATENATE (URL {14+}\r\n/Drafts/;UID=1)',
                b" UTF8 (~{1+}\r\nx)",
            )
        )  # fmt: skip
        assert said.code.endswith(b" 2:5")
        assert [await read(client, uid) for uid in (2, 3, 4, 5)] == [
            name + MESSAGE + b"end",
            PLAIN,
            MESSAGE,
            b"x",
        ]
        assert await client.flags(4) - {rb"\Recent"} == {b"$k"}
        assert await client.item(4, b"INTERNALDATE") == b'INTERNALDATE "17-Jul-1996 09:44:25 +0000"'
        said = await client.end(
            client.begin(b"APPEND Drafts CATENATE (URL /Drafts/;UID=1) CATENATE (URL /Drafts/;UID=9)")
        )
        assert said.code == b"BADURL /Drafts/;UID=9"
        assert (await client.ok(b"STATUS Drafts (MESSAGES)")).untagged[0].endswith(b"(MESSAGES 5)"), (
            "all or none"
        )


async def test_the_sum_of_its_parts_may_not_be_too_large(sqlite: Database, tmp_path: Path) -> None:
    """Nor what is read for one command; it is said before the octets come."""
    async with imap_worker(sqlite, tmp_path, message_octets=2000) as w:
        await w.house.move_in()
        client = await w.login(None)
        octets = b"Subject: x\r\n\r\n" + b"y" * 1500
        await client.append(octets, b"Drafts")
        url = b"/Drafts/;UID=1"
        rest = 2000 - len(octets)
        assert await made(client, (b"z" * rest,), url) == b"z" * rest + octets
        for parts in (
            [url, url],
            [url, (b"z" * (rest + 1),)],
            [(b"z" * (rest + 1),), url],
            [(b"z" * 1999,), (b"zz",)],
        ):
            said = await catenate(client, *parts)
            assert (said.status, said.code) == (b"NO", b"TOOBIG"), parts
        tag = client.begin(b"APPEND Drafts CATENATE (URL %b TEXT {%d}" % (url, rest + 1))
        assert (await client.end(tag)).code == b"TOOBIG"
        said = await client.ok(b"APPEND Drafts" + b" CATENATE (URL %b)" % url * 2)
        assert said.code.endswith(b" 3:4")
        said = await client.no(b"APPEND Drafts" + b" CATENATE (URL %b)" % url * 3)
        assert said.code == b"LIMIT"
        assert (await client.ok(b"STATUS Drafts (MESSAGES)")).untagged[0].endswith(b"(MESSAGES 4)")


async def test_the_quota_counts_what_urls_name(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w, quota=30_000)
        large = b"Subject: x\r\n\r\n" + random.Random(1).randbytes(10_000).hex().encode()
        await client.append(large, b"Drafts")
        for parts in ([b"/Drafts/;UID=2"], [(b"x",), b"/Drafts/;UID=2"], [b"/Drafts/;UID=1", (large,)]):
            assert (await catenate(client, *parts)).code == b"OVERQUOTA", parts
        assert w.house.storing._budget.used == 0
        assert await made(client, b"/Drafts/;UID=1") == MESSAGE


async def test_a_header_is_looked_through_only_up_to_a_size(sqlite: Database, tmp_path: Path) -> None:
    """Longer ones are there as a whole."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w)
        fields = b"".join([b"X-%d: %b\r\n" % (n, b"y" * 900) for n in range(60)])
        longer = b"".join([b"X-%d: %b\r\n" % (n, b"y" * 900) for n in range(HEADER_CAP // 900)])
        for block in (fields, longer):
            await client.append(b"Subject: s\r\n" + block + b"\r\nbody", b"Drafts")
        url = b"/Drafts/;UID=%d/;SECTION=HEADER"
        assert await made(client, url % 2 + b".FIELDS%20(subject)") == b"Subject: s\r\n\r\n"
        await client.ok(b"UNSELECT")
        assert (await catenate(client, url % 3 + b".FIELDS%20(subject)")).code == b"LIMIT"
        assert await made(client, url % 3) == b"Subject: s\r\n" + longer + b"\r\n"


def large_message(size: int) -> bytes:
    line = b"Zq7kanarie is what is looked for, again and again\r\n"
    noise = random.Random(1).randbytes(size // 2).hex().encode()
    return b"Subject: x\r\n\r\n" + line * (size // 5 // len(line)) + noise[: size - size // 5]


async def test_a_large_one_is_spooled_sealed_and_not_held(sqlite: Database, tmp_path: Path) -> None:
    """Neither on the disk in clear nor in memory as a whole, and others have their turn meanwhile."""
    octets = large_message(12_000_000)
    async with imap_worker(
        sqlite, tmp_path, message_octets=13_000_000, memory_octets=100_000, single_octets=50_000
    ) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login(None)
        await client.append(octets, b"Drafts")
        tag = client.begin(b"APPEND Drafts CATENATE (URL /Drafts/;UID=1 TEXT {10}")
        turns = 0
        tracemalloc.start()
        while b"+ " not in client.heard:
            await other.ok(b"NOOP")
            turns += 1
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert turns > 50
        assert most < 6_000_000, "an extent or two, and the spool's pieces"
        assert (await client.response()).startswith(b"+")
        assert all(b"kanarie" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        client.send(b"at the end)\r\n")
        said = await client.end(tag)
        assert said.status == b"OK"
        assert list((tmp_path / "spool").iterdir()) == []
        assert all(b"kanarie" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        assert await read(client, 2) == octets + b"at the end"


async def test_who_leaves_leaves_nothing(sqlite: Database, tmp_path: Path) -> None:
    """In the middle of what a URL names: it is not read to its end for nobody."""
    async with imap_worker(
        sqlite, tmp_path, message_octets=13_000_000, memory_octets=100_000, single_octets=50_000
    ) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login(b"Drafts")
        await client.append(large_message(12_000_000), b"Drafts")
        client.begin(b"APPEND Drafts CATENATE (URL /Drafts/;UID=1)")
        while not w.house.storing._budget.used:  # until the first octets of it are here
            await asyncio.sleep(0)
        client.hang_up()
        async with asyncio.timeout(20):
            while len(w.gate.wires) > 1:
                await asyncio.sleep(0.01)
        assert w.house.storing._budget.used == 0
        await other.ok(b"NOOP")
        assert await other.uids() == [1], "it was not made for nobody"


@pytest.mark.parametrize("when", ["found", "read"])
async def test_a_message_that_goes_on_the_way(tmp_path: Path, sqlite: Database, when: str) -> None:
    raced = Interrupted(sqlite)
    async with imap_worker(raced, tmp_path, message_octets=4_000_000) as w:
        client = await moved_in(w)
        other = await w.login(None)
        await client.append(large_message(3_000_000), b"Drafts")
        await other.select(b"Drafts")
        await other.ok(rb"UID STORE 2 +FLAGS (\Deleted)")
        gone: list[bool] = []

        async def expunge() -> None:
            gone.append(True)
            await other.ok(b"EXPUNGE")

        # Of the mailboxes, the quota and the page first; then of the extents.
        raced.before_reads = [*[None] * (7 if when == "found" else 10), expunge]
        said = await catenate(client, (b"x",), b"/Drafts/;UID=2", (b"y",))
        assert gone == [True]
        assert (said.status, said.code) == (b"NO", b"BADURL /Drafts/;UID=2")
        assert (await client.ok(b"STATUS Drafts (MESSAGES)")).untagged[0].endswith(b"(MESSAGES 1)")
        assert w.house.storing._budget.used == 0


async def test_a_target_that_is_missing_or_goes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w)
        other = await w.login(None)
        assert (await catenate(client, b"/Drafts/;UID=1", head=b"APPEND nowhere")).code == b"TRYCREATE"
        await client.ok(b"CREATE work")
        tag = client.begin(b"APPEND work CATENATE (URL /Drafts/;UID=1 TEXT {1}")
        assert (await client.response()).startswith(b"+")
        await other.ok(b"DELETE work")
        client.send(b"x)\r\n")
        assert (await client.end(tag)).code == b"TRYCREATE"


async def test_many_sources_are_not_mixed_up(sqlite: Database, tmp_path: Path) -> None:
    """Messages of other mailboxes with the same UID, and of one mailbox with other parts."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w)
        await client.append(PLAIN, b"Archive")
        await client.append(PLAIN, b"Drafts")
        assert (
            await made(client, b"/Drafts/;UID=1", b"/Archive/;UID=1", b"/Drafts/;UID=1")
            == MESSAGE + PLAIN + MESSAGE
        )
        await client.ok(b"UNSELECT")
        urls = [b"/Drafts/;UID=%d/;SECTION=1" % uid for uid in (1, 2, 1)]
        assert await made(client, *urls) == TEXT + b"body\r\n" + TEXT


async def test_into_the_selected_mailbox_it_is_news(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await moved_in(w)
        await client.ok(b"SELECT Drafts")
        said = await catenate(client, b";UID=1")
        assert b"* 2 EXISTS" in said.untagged
        assert octets_of(await client.item(2, b"BODY.PEEK[]")) == MESSAGE


async def test_it_is_offered_to_who_is_logged_in(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        assert b"CATENATE" in (await client.ok(b"CAPABILITY")).untagged[0].split()
