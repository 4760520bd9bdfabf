"""SELECT, EXAMINE, STATUS, CLOSE, UNSELECT and EXPUNGE (RFC 3501 sections 6.3.1, 6.3.2, 6.3.10, 6.4)."""

import re
from pathlib import Path

import pytest

from mailstead.accounts.snapshot import Snapshot, Snapshots
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import Reason, Unavailable
from mailstead.store.database import Database
from tests.support.imap import imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


def number(lines: list[bytes], code: bytes) -> int:
    (line,) = [found for found in lines if b"[" + code + b" " in found]
    found = re.search(rb"\[%b (\d+)\]" % code, line)
    assert found is not None
    return int(found[1])


async def test_what_select_says(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.append(PLAIN, options=rb"(\Seen $Work) ")
        await client.append(PLAIN)
        await client.select()
        await client.ok(b"UID STORE 1:2 +FLAGS.SILENT ()")  # they are absorbed, and no pendings any more
        await client.ok(b"UNSELECT")
        await w.house.deliver(PLAIN)
        said = await client.select()
        assert said.code == b"READ-WRITE"
        assert said.untagged[:2] == [
            rb"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work)",
            rb"* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work \*)] Flags permitted",
        ]
        assert b"* 3 EXISTS" in said.untagged
        assert b"* 1 RECENT" in said.untagged
        assert number(said.untagged, b"UNSEEN") == 2
        assert number(said.untagged, b"UIDNEXT") == 4
        validity = number(said.untagged, b"UIDVALIDITY")
        assert await client.flags(2) == set()
        assert await client.flags(3) == {rb"\Recent"}
        await client.ok(b"UNSELECT")
        again = await client.select()
        assert number(again.untagged, b"UIDVALIDITY") == validity
        assert b"* 0 RECENT" in again.untagged, "recent was the session before"
        await client.ok(b"UID STORE 1:* +FLAGS (\\Seen)")
        assert not (await client.select()).having(b"UNSEEN")


async def test_an_empty_mailbox(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        said = await client.select(b"Archive")
        assert b"* 0 EXISTS" in said.untagged
        assert not said.having(b"UNSEEN")
        assert number(said.untagged, b"UIDNEXT") == 1
        await client.bad(b"FETCH 1 FLAGS")
        await client.bad(b"FETCH * FLAGS")
        assert (await client.ok(b"UID FETCH 1:* FLAGS")).untagged == []
        assert (await client.ok(b"SEARCH ALL")).untagged == [b"* SEARCH"]
        assert (await client.ok(b"UID SEARCH UID 1:*")).untagged == [b"* SEARCH"]
        assert (await client.ok(b"UID COPY 1:* Trash")).code == b""
        assert (await client.ok(b"EXPUNGE")).untagged == []


async def test_examine_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(PLAIN)
        client = await w.login(None)
        for _ in range(2):
            said = await client.ok(b"EXAMINE INBOX")
            assert said.code == b"READ-ONLY"
            assert b"* 1 RECENT" in said.untagged, "EXAMINE takes no \\Recent"
            assert said.having(b"PERMANENTFLAGS ()")
        assert await client.body(1, b"BODY[]") is not None
        assert await client.flags(1) == {rb"\Recent"}, "BODY[] sets no \\Seen"
        for command in (b"STORE 1 +FLAGS (\\Deleted)", b"EXPUNGE", b"UID EXPUNGE 1", b"MOVE 1 Trash"):
            assert (await client.no(command)).code == b"READ-ONLY"
        writer = await w.login()
        await writer.ok(b"STORE 1 +FLAGS.SILENT (\\Deleted new)")
        told = (await client.ok(b"NOOP")).untagged
        assert told[0] == rb"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft new)"
        assert not any(b"PERMANENTFLAGS (\\" in line for line in told), "nothing is permitted here"
        assert told[-1].startswith(b"* 1 FETCH (UID 1 FLAGS (\\Deleted")
        await client.ok(b"CLOSE")
        assert await writer.uids() == [1], "CLOSE of what was examined expunges nothing"


async def test_examine_says_what_is_recent_now(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(PLAIN)
        client = await w.login()
        await client.ok(b"UNSELECT")
        assert b"* 0 RECENT" in (await client.ok(b"EXAMINE INBOX")).untagged


async def test_close_expunges_silently_and_unselect_does_not(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for _ in range(3):
            await client.append(PLAIN)
        await client.select()
        await client.ok(rb"STORE 2 +FLAGS (\Deleted)")
        await client.ok(b"UNSELECT")
        await client.select()
        assert await client.uids() == [1, 2, 3]
        assert (await client.ok(b"CLOSE")).untagged == []
        await client.bad(b"FETCH 1 FLAGS")
        await client.select()
        assert await client.uids() == [1, 3]


async def test_expunge_takes_what_is_deleted_and_uid_expunge_what_is_named(
    sqlite: Database, tmp_path: Path
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for _ in range(6):
            await client.append(PLAIN)
        await client.ok(rb"STORE 1,2,4,5 +FLAGS.SILENT (\Deleted)")
        said = await client.ok(b"UID EXPUNGE 2:3,5:*")
        assert said.untagged == [b"* 5 EXPUNGE", b"* 2 EXPUNGE"]
        assert await client.uids() == [1, 3, 4, 6]
        assert (await client.ok(b"EXPUNGE")).untagged == [b"* 3 EXPUNGE", b"* 1 EXPUNGE"]
        assert await client.uids() == [3, 6]
        assert (await client.ok(b"EXPUNGE")).untagged == []
        assert await client.append(PLAIN) == 7, "no UID is used twice"


async def test_a_select_that_fails_leaves_nothing_selected(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        assert (await client.no(b"SELECT nowhere")).code == b"NONEXISTENT"
        await client.bad(b"FETCH 1 FLAGS")
        await w.house.deliver(PLAIN)
        assert (await client.ok(b"NOOP")).untagged == [], "no news of what is not selected"
        await client.select()
        await client.bad(b"SELECT")
        assert await client.uids() == [1], "a command that is none changes nothing"


@pytest.mark.parametrize("name", [b'"x//y"', b'"&"', b"&AGE-"])
async def test_a_name_that_is_none_leaves_nothing_selected_either(
    sqlite: Database, tmp_path: Path, name: bytes
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.append(PLAIN, options=rb"(\Deleted) ")
        await client.select()
        assert (await client.no(b"SELECT " + name)).code == b"CANNOT"
        await client.bad(b"CLOSE")
        await client.select()
        assert await client.uids() == [1], "it was not expunged"


async def test_a_full_disk_shows_what_is_there(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await w.house.deliver(PLAIN)

        async def full(*_: object, **__: object) -> None:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, "no space left")

        with monkeypatch.context() as broken:
            broken.setattr(UnlockedAccount, "take_recent", full)
            broken.setattr(UnlockedAccount, "change_flags", full)
            assert b"* 1 EXISTS" in (await client.select()).untagged
            assert await client.body(1, b"BODY[]") is not None
        assert await client.flags(1) == set()


@pytest.mark.parametrize("absorbed", [True, False])
async def test_status(sqlite: Database, tmp_path: Path, absorbed: bool) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.append(PLAIN, options=rb"(\Seen) ")
        await client.append(PLAIN)
        await client.append(PLAIN)
        if absorbed:
            account = await w.house.unlock()
            await account.absorb(await w.house.inbox(account))
            account.close()
        ask = b"STATUS INBOX (UIDVALIDITY MESSAGES UNSEEN RECENT UIDNEXT)"
        (line,) = (await client.ok(ask)).untagged
        found = re.fullmatch(
            rb'\* STATUS "INBOX" \(UIDVALIDITY (\d+) MESSAGES 3 UNSEEN 2 RECENT 3 UIDNEXT 4\)', line
        )
        assert found is not None, line
        selected = await client.select()
        assert number(selected.untagged, b"UIDVALIDITY") == int(found[1])
        await client.ok(rb"STORE 2 FLAGS (\Seen)")
        (line,) = (await client.ok(ask)).having(b"STATUS")
        assert b"UNSEEN 1 RECENT 0 " in line
        assert (await client.no(b"STATUS nowhere (MESSAGES)")).code == b"NONEXISTENT"
        await client.bad(b"STATUS INBOX (MESSAGES COLOUR)")


async def test_a_mailbox_that_is_not_as_it_was_left_can_be_read(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client = await w.login(None)
        for _ in range(2):
            await client.append(PLAIN)
        await client.select()
        await client.ok(rb"STORE 1 FLAGS (\Seen)")
        await client.ok(rb"STORE 1 FLAGS (\Flagged)")
        await client.ok(b"LOGOUT")
        await sqlite.write(lambda tx: tx.execute("DELETE FROM page WHERE grp = 1"))
        client = await w.login(None)
        said = await client.select()
        assert said.code == b"READ-ONLY"
        alert = b"* NO [ALERT] INBOX, keys of messages 1-256: nothing found, version 1 was written"
        assert said.untagged[0] == alert
        assert b"* 2 EXISTS" in said.untagged
        assert await client.flags(1) == {rb"\Flagged"}
        assert (await client.no(rb"STORE 1 FLAGS ()")).code == b"READ-ONLY"
        assert (await client.no(rb"COPY 1 INBOX")).code == b"CONTACTADMIN"
        await client.append(PLAIN)
        assert b"* 3 EXISTS" in (await client.select()).untagged


async def test_status_of_sizes_and_limits(sqlite: Database, tmp_path: Path) -> None:
    """RFC 8438, and RFC 7889: one limit for all mailboxes, and APPEND keeps to it."""
    async with imap_worker(sqlite, tmp_path, message_octets=1000) as w:
        await w.house.move_in()
        client = await w.login(None)
        ask = b"STATUS INBOX (SIZE APPENDLIMIT MESSAGES)"
        assert (await client.ok(ask)).untagged == [b'* STATUS "INBOX" (SIZE 0 APPENDLIMIT 1000 MESSAGES 0)']
        await client.append(PLAIN)
        await client.append(PLAIN + b"x" * (1000 - len(PLAIN)))
        await w.house.deliver(PLAIN)
        await client.select()
        sizes = [int((await client.item(uid, b"RFC822.SIZE"))[12:]) for uid in (1, 2, 3)]
        told = (await client.ok(ask)).having(b"STATUS")
        assert told == [b'* STATUS "INBOX" (SIZE %d APPENDLIMIT 1000 MESSAGES 3)' % sum(sizes)]
        assert b"APPENDLIMIT=1000" in (await client.ok(b"CAPABILITY")).untagged[0].split()
        assert (await client.no(b"APPEND INBOX {1001}")).code == b"TOOBIG"
        await client.ok(rb"UID STORE 2 +FLAGS.SILENT (\Deleted)")
        await client.ok(b"EXPUNGE")
        listed = await client.ok(b'LIST "" INBOX RETURN (STATUS (SIZE))')
        assert listed.having(b"STATUS") == [b'* STATUS "INBOX" (SIZE %d)' % (sizes[0] + sizes[2])]


async def test_recent_is_one_session_s(databases: list[Database], tmp_path: Path) -> None:
    """Also in two workers, and also of what comes while a mailbox is selected."""
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        await one.house.deliver(PLAIN)
        clients = [await one.login(), await two.login(), await one.login()]
        for _ in range(3):
            await two.house.deliver(PLAIN)
            for client in clients:
                await client.ok(b"NOOP")
        for uid in range(1, 5):
            recent = [rb"\Recent" in await client.flags(uid) for client in clients]
            assert sum(recent) == 1, (uid, recent)
        new = [await client.ok(b"SEARCH NEW") for client in clients]
        assert sum(len(said.untagged[0].split()) - 2 for said in new) == 4


async def test_recent_is_also_what_comes_while_it_is_asked(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message between the snapshot and the taking of \\Recent is recent in the session that took it."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        newest = Snapshots.newest
        waiting = [1]

        async def and_another(self: Snapshots, mailbox_id: bytes) -> Snapshot:
            found = await newest(self, mailbox_id)
            if waiting and len(found.uids) == 1:
                waiting.clear()
                await w.house.deliver(PLAIN)
            return found

        monkeypatch.setattr(Snapshots, "newest", and_another)
        await w.house.deliver(PLAIN)
        assert b"* 1 RECENT" in (await client.ok(b"NOOP")).untagged
        assert b"* 2 RECENT" in (await client.ok(b"NOOP")).untagged
        assert await client.flags(2) == {rb"\Recent"}


async def test_a_select_that_fails_half_way_leaves_nothing_selected(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        await w.house.deliver(PLAIN)
        client = await w.login(None)

        async def fails(self: Snapshots, snapshot: Snapshot, uids: object) -> Snapshot:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE)

        with monkeypatch.context() as patch:
            patch.setattr(Snapshots, "opened", fails)
            assert (await client.no(b"SELECT INBOX")).code == b"UNAVAILABLE"
        await w.house.deliver(PLAIN)
        assert (await client.ok(b"NOOP")).untagged == [], "no news of what is not selected"
        await client.bad(b"FETCH 1 FLAGS")
        assert b"* 2 EXISTS" in (await client.select()).untagged


async def test_a_message_that_cannot_be_opened_hides_no_mailbox(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        for n in range(3):
            await w.house.deliver(b"Subject: %d\r\n\r\n" % n)
        await sqlite.write(
            lambda tx: tx.execute("UPDATE pending SET summary = ? WHERE uid = 2", (b"\0" * 600,))
        )
        client = await w.login(None)
        assert b"* 3 EXISTS" in (await client.select()).untagged
        said = await client.command(b"UID FETCH 1:3 (FLAGS)")
        assert [line[:9] for line in said.having(b"FETCH")][:1] == [b"* 1 FETCH"]
        await client.ok(b"UID FETCH 3 (BODY.PEEK[])")
