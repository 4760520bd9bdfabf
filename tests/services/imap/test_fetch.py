"""FETCH of every item, section and partial, from pages, from pendings and from bodies (RFC 3501 section 6.4.5)."""

import asyncio
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailstead.accounts.bodies import Bodies
from mailstead.accounts.entries import BodyKey
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.services.imap import fetch as fetching
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, imap_worker, octets_of

INNER = b"Subject: inner\r\nFrom: in@a.test\r\n\r\ninside\r\n"
PARTS = [
    b"Content-Type: text/plain; charset=utf-8\r\nX-Part: 1\r\n\r\nthe text\r\n",
    b"Content-Type: message/rfc822\r\n\r\n" + INNER,
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n",
]
HEADER = (
    b"From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Tue, 24 Nov 2026 12:00:00 +0100\r\nMessage-ID: <1@a.test>\r\nX-Long: a\r\n\tb\r\n"
    b'Content-Type: multipart/mixed; boundary="="\r\n\r\n'
)
TEXT = b"preamble\r\n" + b"".join(b"--=\r\n" + part for part in PARTS) + b"--=--\r\nepilogue\r\n"
WHOLE = HEADER + TEXT
SECTIONS = {
    b"BODY[]": WHOLE,
    b"BODY[HEADER]": HEADER,
    b"BODY[TEXT]": TEXT,
    b"RFC822": WHOLE,
    b"RFC822.HEADER": HEADER,
    b"RFC822.TEXT": TEXT,
    b"BODY[HEADER.FIELDS (subject X-None)]": b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n",
    b"BODY[HEADER.FIELDS (x-long)]": b"X-Long: a\r\n\tb\r\n\r\n",
    b"BODY[HEADER.FIELDS.NOT (From To Subject Date Message-ID X-Long)]": (
        b'Content-Type: multipart/mixed; boundary="="\r\n\r\n'
    ),
    b"BODY[1]": b"the text",
    b"BODY[1.MIME]": b"Content-Type: text/plain; charset=utf-8\r\nX-Part: 1\r\n\r\n",
    b"BODY[2]": INNER[:-2],
    b"BODY[2.HEADER]": b"Subject: inner\r\nFrom: in@a.test\r\n\r\n",
    b"BODY[2.TEXT]": b"inside",
    b"BODY[2.1]": b"inside",
    b"BODY[2.HEADER.FIELDS (From)]": b"From: in@a.test\r\n\r\n",
    b"BODY[3]": b"AAEC",
    b"BODY[4]": None,
    b"BODY[1.1]": None,
    b"BODY[1.HEADER]": None,
}


async def with_message(w: ImapWorker, octets: bytes, absorbed: bool) -> Client:
    await w.house.move_in()
    client = await w.login()
    await client.append(octets)
    if absorbed:
        account = await w.house.unlock()
        assert await account.absorb(await w.house.inbox(account)) == 1
        account.close()
    return client


@pytest.mark.parametrize("absorbed", [True, False])
async def test_every_section_and_partial(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, WHOLE, absorbed)
        for section, wanted in SECTIONS.items():
            asked = section.replace(b"BODY[", b"BODY.PEEK[")
            said = await client.ok(b"FETCH 1 " + asked)
            (line,) = said.having(b"FETCH")
            assert line.startswith(b"* 1 FETCH (" + section.split(b"(")[0]), "the answer names what was asked"
            assert (octets_of(line) or None) == wanted, section
            if not section.startswith(b"BODY") or wanted is None:
                continue
            for start, count in (
                (0, 5),
                (3, 4),
                (0, 10_000),
                (len(wanted), 5),
                (len(wanted) - 1, 5),
                (99_999, 1),
            ):
                said = await client.ok(b"FETCH 1 %b<%d.%d>" % (asked, start, count))
                (line,) = said.having(b"FETCH")
                assert b"]<%d> " % start in line
                assert octets_of(line) == wanted[start : start + count]
        assert await client.flags(1) <= {rb"\Recent", rb"\Seen"}


@pytest.mark.parametrize("absorbed", [True, False])
async def test_items_and_macros(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, WHOLE, absorbed)
        envelope = (
            b'ENVELOPE ("Tue, 24 Nov 2026 12:00:00 +0100" "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" '
            b'(("Ann" NIL "ann" "a.test")) (("Ann" NIL "ann" "a.test")) (("Ann" NIL "ann" "a.test")) '
            b'((NIL NIL "bob" "b.test")) NIL NIL NIL "<1@a.test>")'
        )
        assert await client.item(1, b"ENVELOPE") == envelope
        structure = await client.item(1, b"BODYSTRUCTURE")
        assert structure.startswith(b'BODYSTRUCTURE (("TEXT" "PLAIN" ("CHARSET" "utf-8")') or (
            structure.lower().startswith(b'bodystructure (("text" "plain" ("charset" "utf-8")')
        )
        body = await client.item(1, b"BODY")
        assert len(body) < len(structure)
        size = b"RFC822.SIZE %d" % len(WHOLE)
        for macro, items in (
            (b"FAST", [b"FLAGS", b"INTERNALDATE", size]),
            (b"ALL", [b"FLAGS", b"INTERNALDATE", size, envelope]),
            (b"FULL", [b"FLAGS", b"INTERNALDATE", size, envelope, body]),
        ):
            (line,) = (await client.ok(b"FETCH 1 " + macro)).untagged
            assert all(item in line for item in items), (macro, line)
            assert (b"ENVELOPE" in line) == (macro != b"FAST")
        (line,) = (await client.ok(b"FETCH 1 (UID RFC822.SIZE)")).untagged
        assert line == b"* 1 FETCH (UID 1 %b)" % size
        (line,) = (await client.ok(b"UID FETCH 1 (FLAGS)")).untagged
        assert line == rb"* 1 FETCH (UID 1 FLAGS (\Recent))"
        (line,) = (await client.ok(b"FETCH 1 UID")).untagged
        assert line == b"* 1 FETCH (UID 1)"


async def test_a_body_sets_seen_and_says_so(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, WHOLE, absorbed=False)
        for asked in (b"BODY.PEEK[]", b"RFC822.HEADER", b"ENVELOPE", b"BODYSTRUCTURE"):
            await client.ok(b"FETCH 1 " + asked)
            assert rb"\Seen" not in await client.flags(1), asked
        for asked in (b"BODY[]", b"BODY[1]", b"RFC822", b"RFC822.TEXT", b"BODY[HEADER]"):
            await client.ok(rb"STORE 1 -FLAGS.SILENT (\Seen)")
            (line,) = (await client.ok(b"FETCH 1 " + asked)).having(b"FETCH")
            assert line.endswith(rb" FLAGS (\Seen \Recent))"), asked
            (line,) = (await client.ok(b"FETCH 1 " + asked)).having(b"FETCH")
            assert b"FLAGS" not in line, "nothing changed"
        assert (await client.ok(b"NOOP")).untagged == []


async def test_flags_that_nobody_looked_at_since_a_change(sqlite: Database, tmp_path: Path) -> None:
    """What a body's \\Seen changes brings a new snapshot, and in it other messages are sealed again."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for _ in range(3):
            await client.append(WHOLE)
        for _ in range(2):
            await client.append(WHOLE, options=rb"(\Seen \Flagged) ")
        said = await client.ok(b"FETCH 1:* (FLAGS BODY[]<0.4>)")
        flags = [line for line in said.having(b"FETCH") if rb"\Flagged" in line]
        assert len(flags) == 2, said.untagged


async def test_sections_that_are_spelled_alike(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, WHOLE, absorbed=False)
        said = await client.ok(
            b"FETCH 1 (BODY.PEEK[HEADER.FIELDS ({4+}\r\nDate)] BODY.PEEK[HEADER.FIELDS ({4+}\r\nFrom)])"
        )
        assert b"\r\nDate: " in said.untagged[0]
        assert b"\r\nFrom: " in said.untagged[0]


async def test_sets_of_messages(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, WHOLE, absorbed=True)
        for _ in range(5):
            await client.append(b"Subject: y\r\n\r\n")
        await client.ok(rb"UID STORE 3 +FLAGS.SILENT (\Deleted)")
        await client.ok(b"EXPUNGE")

        async def numbers(command: bytes) -> list[tuple[int, int]]:
            found = (await client.ok(command)).having(b"FETCH")
            return [(int(f.split()[1]), int(re.findall(rb"UID (\d+)", f)[0])) for f in found]

        assert await numbers(b"FETCH 1,3:4 UID") == [(1, 1), (3, 4), (4, 5)]
        assert await numbers(b"FETCH * UID") == [(5, 6)]
        assert await numbers(b"FETCH *:4 UID") == [(4, 5), (5, 6)]
        assert await numbers(b"FETCH 2,1,2:1 (UID)") == [(1, 1), (2, 2)]
        assert await numbers(b"UID FETCH 2:4 (UID)") == [(2, 2), (3, 4)]
        assert await numbers(b"UID FETCH 99:* (UID)") == [(5, 6)], "* is the last, also of a range above it"
        assert await numbers(b"UID FETCH 99,3 (UID)") == []
        assert await numbers(b"UID FETCH 1:4294967295 RFC822.SIZE") == [
            (1, 1),
            (2, 2),
            (3, 4),
            (4, 5),
            (5, 6),
        ]
        await client.bad(b"FETCH 6 UID")
        await client.bad(b"FETCH 0 UID")


async def test_many_messages_come_whole_and_in_order(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        octets = {n + 1: b"Subject: %d\r\n\r\n" % n + b"%d line\r\n" % n * (n * 20) for n in range(300)}
        for at in range(1, 301, 20):
            await asyncio.gather(*(w.house.deliver(octets[n]) for n in range(at, at + 20)))
        client = await w.login()
        said = await client.ok(b"UID FETCH 1:* (FLAGS BODY.PEEK[])")
        assert [int(f.split()[1]) for f in said.having(b"FETCH")] == list(range(1, 301))
        bodies = {f.partition(b"}\r\n")[2].partition(b"Subject: ")[2] for f in said.untagged}
        assert bodies == {o.partition(b"Subject: ")[2] + b")" for o in octets.values()}


async def test_a_message_that_goes_in_the_middle_of_its_body(sqlite: Database, tmp_path: Path) -> None:
    """Once a literal is announced there is no answer but its octets, or the end of the connection."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(
            w, b"Subject: x\r\n\r\n" + random.Random(1).randbytes(1_500_000).hex().encode(), absorbed=True
        )
        other = await w.login()
        assert client.pipe is not None
        assert client.pipe.wire is not None
        client.pipe.wire.pause_writing()  # the client does not read
        client.begin(b"FETCH 1 BODY.PEEK[]")
        async with asyncio.timeout(10):
            while len(client.heard) < 60_000:
                await asyncio.sleep(0.01)
        await other.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        await other.ok(b"EXPUNGE")
        client.pipe.wire.resume_writing()
        heard = await client.closed()
        assert len(heard) < 3_000_000
        assert b"\r\nt" not in heard, "an answer would be taken for octets of the message"


async def test_one_that_cannot_be_opened_does_not_hide_the_others(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, b"Subject: 1\r\n\r\none\r\n", absorbed=True)
        await client.append(b"Subject: 2\r\n\r\nthe second\r\n")
        await client.append(b"Subject: 3\r\n\r\nthree\r\n")
        whole = Bodies._open

        def damaged(self: Bodies, message: BodyKey, sealed: object) -> bytes:
            if message.uid == 2:
                raise UnsealError("the body is cut")
            return whole(self, message, sealed)  # type: ignore[arg-type]

        monkeypatch.setattr(Bodies, "_open", damaged)
        said = await client.no(b"UID FETCH 1:3 BODY.PEEK[TEXT]")
        assert said.code == b"CONTACTADMIN"
        assert [octets_of(f) for f in said.having(b"FETCH")] == [b"one\r\n", b"three\r\n"]
        assert (await client.no(b"FETCH 2 (BODY.PEEK[])")).untagged == []
        await client.ok(b"NOOP")


@pytest.mark.parametrize("more", [b"", b"x" * 998 + b"\r\n"], ids=["small", "large"])
async def test_one_that_is_expunged_meanwhile_does_not_hide_the_others(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    going = b"Subject: 2\r\n\r\nthe second\r\n" + more * 80
    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, b"Subject: 1\r\n\r\none\r\n", absorbed=True)
        await client.append(going)
        await client.append(b"Subject: 3\r\n\r\nthree\r\n")
        await client.append(b"Subject: 4\r\n\r\nfour\r\n")
        await client.ok(b"NOOP")
        account = await w.house.unlock()
        inbox = await w.house.inbox(account)
        small, large = Bodies.small, Bodies._reader

        async def late(self: Bodies, messages: Sequence[BodyKey]) -> object:
            """Behind the read of its row, before that of its body."""
            if waiting and any(m.uid == waiting[0] for m in messages):
                await account.expunge(inbox, waiting)
            return await small(self, messages)

        async def late_too(self: Bodies, message: BodyKey) -> object:
            if message.size == len(going):
                await account.expunge(inbox, waiting)
            return await large(self, message)

        monkeypatch.setattr(Bodies, "small", late)
        monkeypatch.setattr(Bodies, "_reader", late_too)
        waiting = [Uid(2)]
        said = await client.no(b"FETCH 1:3 BODY.PEEK[TEXT]")
        assert said.code == b"EXPUNGEISSUED"
        assert [octets_of(f) for f in said.having(b"FETCH")] == [b"one\r\n", b"three\r\n"]
        await client.append(going)
        await client.ok(b"NOOP")
        waiting = [Uid(5)]
        said = await client.ok(b"UID FETCH 1:5 BODY.PEEK[TEXT]")
        assert [octets_of(f) for f in said.having(b"FETCH")] == [b"one\r\n", b"three\r\n", b"four\r\n"]
        await client.append(going)
        await client.ok(b"NOOP")
        waiting = [Uid(6)]
        assert (await client.ok(b"UID SEARCH NOT BODY one")).having(b"SEARCH") == [b"* SEARCH 3 4"]
        account.close()


@pytest.mark.parametrize("items", [b"BODYSTRUCTURE", b"BODY.PEEK[]", b"BODY.PEEK[HEADER]"])
async def test_no_more_is_held_than_is_sent_together(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: bytes
) -> None:
    monkeypatch.setattr(fetching, "TOGETHER", 1000)
    monkeypatch.setattr(fetching, "SENT_TOGETHER", 1000)
    held: list[int] = []
    respond = fetching._Rows._respond

    async def spied(self: fetching._Rows, waiting: list[fetching._Waiting]) -> None:
        held.append(sum(m.size if b"PEEK[]" in items else len(p[0]) for m, p, _ in waiting))  # type: ignore[arg-type]
        await respond(self, waiting)

    async with imap_worker(sqlite, tmp_path) as w:
        client = await with_message(w, WHOLE, absorbed=True)
        for _ in range(9):
            await client.append(WHOLE)
        await client.ok(b"NOOP")
        monkeypatch.setattr(fetching._Rows, "_respond", spied)
        said = await client.ok(b"FETCH 1:10 (%b)" % items)
        assert len(said.having(b"FETCH")) == 10
        assert max(held) < 1000 + 2 * len(WHOLE)
