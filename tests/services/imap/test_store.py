"""STORE, COPY and MOVE (RFC 3501 section 6.4.6, RFC 9051 sections 6.4.7 and 6.4.8, RFC 4315)."""

import re
from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def filled(client: Client, count: int) -> None:
    for _ in range(count):
        await client.append(PLAIN)


async def test_store_sets_adds_and_removes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client, 3)
        said = await client.ok(rb"STORE 1:2 FLAGS (\Seen $Work)")
        assert said.untagged[0].startswith(b"* FLAGS (")
        assert said.untagged[1].startswith(b"* OK [PERMANENTFLAGS (")
        assert said.untagged[2:] == [
            rb"* 1 FETCH (FLAGS (\Seen \Recent $Work))",
            rb"* 2 FETCH (FLAGS (\Seen \Recent $Work))",
        ]
        said = await client.ok(rb"UID STORE 2 +FLAGS \Flagged \Seen")
        assert said.untagged == [rb"* 2 FETCH (UID 2 FLAGS (\Flagged \Seen \Recent $Work))"]
        said = await client.ok(rb"STORE 2 -FLAGS (\Seen $Work \Draft)")
        assert said.untagged == [rb"* 2 FETCH (FLAGS (\Flagged \Recent))"]
        assert (await client.ok(rb"STORE 2 FLAGS ()")).untagged == [rb"* 2 FETCH (FLAGS (\Recent))"]
        await client.bad(rb"STORE 4 FLAGS (\Seen)")
        await client.bad(rb"STORE 1 FLAGS (\Recent)")
        await client.bad(rb"STORE 1 COLOURS (\Seen)")
        assert (await client.ok(rb"UID STORE 99 FLAGS (\Seen)")).untagged == []


async def test_a_store_that_changes_nothing_shows_what_is_there(sqlite: Database, tmp_path: Path) -> None:
    """Also of a message whose flags nobody has looked at since it was appended."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(PLAIN, options=rb"(\Flagged $Work) ")
        said = await client.ok(rb"STORE 1 -FLAGS (\Seen)")
        assert said.untagged[-1] == rb"* 1 FETCH (FLAGS (\Flagged \Recent $Work))"


async def test_silent_store_is_silent_of_its_own_change_only(
    databases: list[Database], tmp_path: Path
) -> None:
    """What another did meanwhile is told all the same (RFC 3501 section 6.4.6)."""
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        await filled(client, 3)
        assert (await client.ok(rb"STORE 1:3 +FLAGS.SILENT (\Seen)")).untagged == []
        assert (await client.ok(b"NOOP")).untagged == []
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 2 +FLAGS (\Flagged)")
        said = await client.ok(rb"STORE 1:3 +FLAGS.SILENT (\Answered)")
        assert said.untagged == [rb"* 2 FETCH (UID 2 FLAGS (\Answered \Flagged \Seen \Recent))"]
        await other.ok(rb"STORE 3 -FLAGS (\Seen)")
        await client.ok(b"NOOP")
        assert (await client.ok(rb"STORE 3 +FLAGS.SILENT (\Seen)")).untagged == []
        await other.ok(b"NOOP")
        assert rb"\Seen" in await other.flags(3)


@pytest.mark.parametrize("absorbed", [True, False])
async def test_a_keyword_is_one_in_whatever_case(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    """RFC 9051 section 2.3.2: it keeps the case it came in, and is compared without."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.append(PLAIN, options=b"($Work) ")
        await client.append(PLAIN, options=b"($WORK) ")
        if absorbed:
            account = await w.house.unlock()
            await account.absorb(await w.house.inbox(account))
            account.close()
        await client.select()
        assert (await client.ok(b"SEARCH KEYWORD $wORK")).untagged == [b"* SEARCH 1 2"]
        said = await client.ok(b"STORE 1 +FLAGS ($WORK)")
        assert len(re.findall(rb"(?i)\$work", said.untagged[-1])) == 1
        said = await client.ok(b"STORE 2 +FLAGS ($work other)")
        assert len(re.findall(rb"(?i)\$work", said.untagged[-1])) == 1
        listed = (await client.select()).untagged[0]
        assert len(re.findall(rb"(?i)\$work", listed)) == 1, "FLAGS names it once"
        await client.ok(b"STORE 1:2 -FLAGS ($wOrK)")
        assert await client.flags(1) <= {rb"\Recent"}
        assert await client.flags(2) <= {rb"\Recent", b"other"}
        assert (await client.ok(b"SEARCH UNKEYWORD $work")).untagged == [b"* SEARCH 1 2"]


async def test_copy_tells_where_to(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client, 4)
        await client.append(PLAIN, b"Trash")
        await client.ok(rb"STORE 2 FLAGS (\Flagged mine)")
        date = await client.item(2, b"INTERNALDATE")
        said = await client.ok(b"COPY 2,4 Trash")
        found = re.fullmatch(rb"COPYUID (\d+) 2,4 2:3", said.code)
        assert found is not None, said
        assert said.untagged == []
        assert (await client.no(b"COPY 1 nowhere")).code == b"TRYCREATE"
        assert (await client.no(b"UID COPY 1 nowhere")).code == b"TRYCREATE"
        await client.bad(b"COPY 5 Trash")
        said = await client.ok(b"COPY 1 INBOX")
        assert re.fullmatch(rb"COPYUID \d+ 1 5", said.code)
        assert b"* 5 EXISTS" in said.untagged, "a copy into the selected mailbox is news"
        selected = await client.select(b"Trash")
        assert selected.having(b"UIDVALIDITY " + found[1])
        assert await client.uids() == [1, 2, 3]
        assert {rb"\Flagged", b"mine"} <= await client.flags(2)
        assert await client.item(2, b"INTERNALDATE") == date
        assert await client.body(2) == PLAIN


async def test_move_tells_where_to_before_they_go(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client, 4)
        said = await client.ok(b"MOVE 1,3:4 Archive")
        assert re.fullmatch(rb"\* OK \[COPYUID \d+ 1,3:4 1:3\] Moved", said.untagged[0])
        assert said.untagged[1:] == [b"* 4 EXPUNGE", b"* 3 EXPUNGE", b"* 1 EXPUNGE"]
        assert await client.uids() == [2]
        said = await client.ok(b"UID MOVE 1:* Archive")
        assert said.untagged[1:] == [b"* 1 EXPUNGE"]
        assert (await client.ok(b"UID MOVE 1:* Archive")).untagged == []
        assert (await client.no(b"UID MOVE 1 nowhere")).code == b"TRYCREATE"
        await client.select(b"Archive")
        assert await client.uids() == [1, 2, 3, 4]
        said = await client.ok(b"MOVE 1:2 Archive")
        assert said.having(b"COPYUID")[0].split()[4:6] == [b"1:2", b"5:6]"]
        assert await client.uids() == [3, 4, 5, 6], "a move to where it is gives new UIDs"


async def test_what_another_session_expunged(databases: list[Database], tmp_path: Path) -> None:
    """The numbers stay what they were until a command may tell (RFC 9051 section 7.5.1)."""
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        await filled(client, 4)
        await client.ok(b"NOOP")
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 2 +FLAGS (\Deleted)")
        await other.ok(b"EXPUNGE")
        said = await client.no(rb"STORE 1:4 +FLAGS (\Seen)")
        assert said.code == b"EXPUNGEISSUED"
        assert not said.having(b"EXPUNGE"), "not during STORE"
        assert [line.split()[1] for line in said.having(rb"\Seen")] == [b"1", b"3", b"4"]
        assert not (await client.command(b"FETCH 1:4 (UID)")).having(b"EXPUNGE")
        assert (await client.command(b"SEARCH ALL")).untagged == [b"* SEARCH 1 3 4"]
        assert not (await client.command(b"COPY 2 Trash")).having(b"COPYUID")
        assert b"* 2 EXPUNGE" in (await client.ok(b"NOOP")).untagged or len(await client.uids()) == 3
        await client.bad(b"FETCH 4 FLAGS")
