"""OBJECTID: mailboxes and messages keep their names wherever they go (RFC 8474)."""

import re
from pathlib import Path

from mailstead.accounts.reading import Columns
from mailstead.imap.fetch import Body, Item
from mailstead.mail.section import Section
from mailstead.services.imap.fetched import columns_of
from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def mailbox_id(client: Client, name: bytes) -> bytes:
    """MAILBOXID of a mailbox, which SELECT, EXAMINE, STATUS and LIST agree on."""
    said = await client.ok(b"STATUS %b (MAILBOXID MESSAGES)" % name)
    found = re.fullmatch(
        rb'\* STATUS "[^"]+" \(MAILBOXID \(([A-Za-z0-9_-]{1,255})\) MESSAGES \d+\)', said.untagged[0]
    )
    assert found is not None, said
    for command in (b"EXAMINE ", b"SELECT "):
        (line,) = (await client.ok(command + name)).having(b"MAILBOXID")
        assert line.startswith(b"* OK [MAILBOXID (%b)] " % found[1])
    (line,) = (await client.ok(b'LIST "" %b RETURN (STATUS (MAILBOXID))' % name)).having(b"STATUS")
    assert line.endswith(b" (MAILBOXID (%b))" % found[1])
    return found[1]


async def test_a_mailbox_keeps_its_id(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        code = (await client.ok(b"CREATE foo")).code
        foo = await mailbox_id(client, b"foo")
        assert code == b"MAILBOXID (%b)" % foo
        assert (await client.ok(b"RENAME foo renamed")).code == b""
        assert await mailbox_id(client, b"renamed") == foo
        inbox = await mailbox_id(client, b"INBOX")
        await client.ok(b"RENAME INBOX old")
        assert await mailbox_id(client, b"INBOX") == inbox
        ids = {foo, inbox, await mailbox_id(client, b"old")}
        await client.ok(b"DELETE renamed")
        await client.ok(b"CREATE renamed")
        assert len(ids | {await mailbox_id(client, b"renamed")}) == 4, "a new one is another"


async def email_ids(client: Client) -> list[bytes]:
    """EMAILIDs of all messages of the selected mailbox, in order; THREADID is NIL."""
    found: list[bytes] = []
    for line in (await client.ok(b"UID FETCH 1:* (EMAILID THREADID)")).having(b"FETCH"):
        parts = re.fullmatch(
            rb"\* \d+ FETCH \(UID \d+ EMAILID \(([A-Za-z0-9_-]{1,255})\) THREADID NIL\)", line
        )
        assert parts is not None, line
        found.append(parts[1])
    return found


async def test_copies_are_the_same_message(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(PLAIN)
        await w.house.deliver(PLAIN)
        await client.append(PLAIN + b"x" * 100_000)
        await client.ok(b"NOOP")
        waiting = await email_ids(client)
        assert len(set(waiting)) == 3
        await client.ok(b"COPY 1:2 Archive")
        await client.ok(rb"STORE 1:* +FLAGS.SILENT (\Seen)")  # they are absorbed
        assert await email_ids(client) == waiting
        await client.ok(b"COPY 1 INBOX")
        await client.ok(b"NOOP")
        assert await email_ids(client) == [*waiting, waiting[0]]
        assert (await client.ok(b"SEARCH EMAILID " + waiting[0])).untagged == [b"* SEARCH 1 4"]
        await client.ok(b"MOVE 2:3 Archive")
        assert (await client.ok(b"SEARCH EMAILID " + waiting[1])).untagged == [b"* SEARCH"]
        await client.select(b"Archive")
        assert await email_ids(client) == [waiting[0], waiting[1], waiting[1], waiting[2]]


async def test_ids_among_other_items(sqlite: Database, tmp_path: Path) -> None:
    """Whatever is read for the others, and also from what is kept of messages asked for again."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for _ in range(3):
            await client.append(PLAIN)
        await client.ok(rb"STORE 1:2 +FLAGS.SILENT (\Seen)")
        ids = await email_ids(client)
        for uid, name in enumerate(ids, 1):
            for items in (
                b"EMAILID",
                b"EMAILID FLAGS",
                b"EMAILID RFC822.SIZE",
                b"EMAILID ENVELOPE",
                b"EMAILID BODYSTRUCTURE",
            ):
                assert (await client.item(uid, b"(%b)" % items)).startswith(b"EMAILID (%b)" % name)
            for _ in range(4):
                item = await client.item(uid, b"(EMAILID THREADID RFC822.SIZE BODY.PEEK[])")
                assert item.startswith(b"EMAILID (%b) THREADID NIL RFC822.SIZE " % name)
                assert item.endswith(PLAIN)
        assert await client.item(1, b"THREADID") == b"THREADID NIL"
        assert await client.item(1, b"(THREADID FLAGS)") == rb"THREADID NIL FLAGS (\Seen \Recent)"


def test_no_more_is_read_for_an_id_than_must_be() -> None:
    ids = (Item.UID, Item.EMAILID, Item.THREADID)
    assert columns_of(ids) is Columns.A
    assert columns_of((*ids, Item.ENVELOPE)) is Columns.A
    assert columns_of((*ids, Item.SIZE, Body(Section(), b"BODY[]"))) is Columns.BODY
    assert columns_of((*ids, Item.BODYSTRUCTURE)) is Columns.BOTH


async def test_search_by_id(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for _ in range(3):
            await client.append(PLAIN)
        first, second, third = await email_ids(client)
        assert (await client.ok(b"SEARCH OR EMAILID %b EMAILID %b" % (third, first))).untagged == [
            b"* SEARCH 1 3"
        ]
        assert (await client.ok(b"UID SEARCH NOT EMAILID " + second)).untagged == [b"* SEARCH 1 3"]
        assert (await client.ok(b"SEARCH SUBJECT one EMAILID " + second)).untagged == [b"* SEARCH 2"]
        for nobody in (
            b"EMAILID " + first.upper(),
            b"EMAILID M1",
            b"EMAILID " + first[1:],
            b"THREADID T1",
            b"THREADID NIL",
        ):
            assert (await client.ok(b"SEARCH " + nobody)).untagged == [b"* SEARCH"]
        assert (await client.ok(b"SEARCH NOT THREADID T1")).untagged == [b"* SEARCH 1 2 3"]
        assert (await client.ok(b"SEARCH OR THREADID T1 EMAILID " + third)).untagged == [b"* SEARCH 3"]
