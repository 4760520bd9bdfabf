"""IMAP4rev2 (RFC 9051) beside IMAP4rev1: what ENABLE changes, and for whom."""

from pathlib import Path

from mailstead.store.database import Database
from tests.support.imap import imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def test_select_says_what_rev2_asks_for(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, old = await w.login(None), await w.login(None)
        assert (await client.ok(b"ENABLE imap4rev2 unknown")).untagged == [b"* ENABLED IMAP4rev2"]
        await client.append(PLAIN)
        await client.ok(b'CREATE "Archive/2026"')
        said = await client.ok(b"SELECT inbox")
        assert said.having(b"LIST") == [b'* LIST (\\HasNoChildren) "/" "INBOX" ("OLDNAME" ("inbox"))']
        assert said.having(b"EXISTS") == [b"* 1 EXISTS"]
        assert not said.having(b"RECENT") + said.having(b"UNSEEN")
        said = await client.ok(b"EXAMINE Archive")
        assert said.untagged[0].startswith(b"* OK [CLOSED]")
        assert said.having(b"LIST") == [b'* LIST (\\HasChildren \\Archive) "/" "Archive"']
        said = await old.select()
        assert said.having(b"RECENT") == [b"* 1 RECENT"], "who uses IMAP4rev2 takes it from nobody"
        assert said.having(b"UNSEEN")
        assert not said.having(b"LIST")
        assert not (await old.select(b"Archive")).having(b"CLOSED")


async def test_nothing_is_recent(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(PLAIN)
        client = await w.login(None)
        await client.ok(b"ENABLE IMAP4rev2")
        await client.select()
        await w.house.deliver(PLAIN)
        said = await client.ok(b"NOOP")
        assert said.having(b"EXISTS") == [b"* 2 EXISTS"]
        assert not said.having(b"RECENT")
        assert await client.flags(1) == await client.flags(2) == set()


async def test_search_is_answered_with_esearch(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"ENABLE IMAP4rev2")
        for _ in range(3):
            await client.append(PLAIN)
        await client.ok(b"SELECT INBOX")
        tag = client.begin(b"SEARCH ALL")
        assert (await client.end(tag)).untagged == [b'* ESEARCH (TAG "%b") ALL 1:3' % tag]
        tag = client.begin(b"UID SEARCH CHARSET UTF-8 SUBJECT one")
        assert (await client.end(tag)).untagged == [b'* ESEARCH (TAG "%b") UID ALL 1:3' % tag]
        tag = client.begin(b"SEARCH SEEN")
        assert (await client.end(tag)).untagged == [b'* ESEARCH (TAG "%b")' % tag]


async def test_names_are_utf_8_and_old_names_are_told(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"ENABLE IMAP4rev2")
        said = await client.ok('CREATE "Bu\u0308cher"'.encode())
        assert said.untagged == [
            '* LIST (\\HasNoChildren) "/" "Bücher" ("OLDNAME" ("Bu\u0308cher"))'.encode()
        ]
        assert not (await client.ok('CREATE "Größe"'.encode())).untagged
        said = await client.ok('RENAME "Größe" "Bücher/klein"'.encode())
        assert said.untagged == ['* LIST (\\HasNoChildren) "/" "Bücher/klein" ("OLDNAME" ("Größe"))'.encode()]
        said = await client.ok('STATUS "Bücher" (MESSAGES DELETED)'.encode())
        assert said.untagged == ['* STATUS "Bücher" (MESSAGES 0 DELETED 0)'.encode()]


async def test_status_counts_what_is_deleted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for options in (b"", b"(\\Deleted) ", b"(\\Deleted \\Seen) "):
            await client.append(PLAIN, options=options)
        said = await client.ok(b"STATUS INBOX (DELETED UNSEEN)")
        assert said.untagged == [b'* STATUS "INBOX" (DELETED 2 UNSEEN 2)']


async def test_it_is_enabled_before_a_mailbox_is_selected(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.select()
        await client.bad(b"ENABLE IMAP4rev2")
        await client.bad(b"ENABLE CONDSTORE UIDONLY")
        assert (await client.ok(b"SEARCH ALL")).untagged == [b"* SEARCH"]
        assert (await client.ok(b"ENABLE CONDSTORE")).having(b"ENABLED")
