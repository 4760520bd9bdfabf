"""NOTIFY (RFC 5465): what happens is told as it happens, to who asked for it."""

import asyncio
import itertools
import re
from pathlib import Path

import pytest

from mailstead.imap.notify import Notify
from mailstead.services.imap import notify
from mailstead.services.imap.context import Context
from mailstead.services.imap.elsewhere import Seen
from mailstead.store.database import Database
from tests.support.imap import QUICK, Client, imap_worker

PLAIN = b"From: a@b.test\r\nSubject: one\r\n\r\nbody\r\n"
EVERYTHING = b"(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"


async def heard(client: Client, count: int) -> list[bytes]:
    """So many responses that nobody asked for; the numbers of a mailbox's life left out."""
    lines = [await client.response() for _ in range(count)]
    return [re.sub(rb" (UIDVALIDITY|HIGHESTMODSEQ) \d+", b"", line) for line in lines]


async def test_other_mailboxes_are_told_of_between_commands(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(None), await w.login(None)
        await other.ok(b"CREATE Lists/Lemonade")
        await other.append(PLAIN, b"Lists/Lemonade")
        said = await client.ok(b"NOTIFY SET STATUS (subtree Lists (MessageNew MessageExpunge))")
        assert [re.sub(rb"UIDVALIDITY \d+", b"UIDVALIDITY 4", line) for line in said.untagged] == [
            b'* STATUS "Lists" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 4)',
            b'* STATUS "Lists/Lemonade" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 4)',
        ]
        await other.append(PLAIN, b"Lists/Lemonade")
        assert await heard(client, 1) == [b'* STATUS "Lists/Lemonade" (MESSAGES 2 UIDNEXT 3)']
        await w.house.deliver(PLAIN)
        await other.select(b"Lists/Lemonade")
        await other.ok(b"STORE 1 +FLAGS (\\Deleted)")
        await other.ok(b"EXPUNGE")
        assert await heard(client, 1) == [b'* STATUS "Lists/Lemonade" (MESSAGES 1 UIDNEXT 3)']
        await client.ok(b"NOTIFY NONE")
        await other.append(PLAIN, b"Lists/Lemonade")
        assert not (await client.ok(b"NOOP")).untagged


async def test_names_and_subscriptions(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(None), await w.login(None)
        assert not (await client.ok(b"NOTIFY SET " + EVERYTHING)).untagged
        await other.ok(b"CREATE a/b")
        assert await heard(client, 2) == [
            b'* LIST (\\HasChildren) "/" "a"', b'* LIST (\\HasNoChildren) "/" "a/b"',
        ]  # fmt: skip
        await other.ok(b"RENAME a/b c")
        assert await heard(client, 1) == [b'* LIST (\\HasNoChildren) "/" "c" ("OLDNAME" ("a/b"))']
        await other.ok(b"SUBSCRIBE c")
        assert await heard(client, 1) == [b'* LIST (\\HasNoChildren \\Subscribed) "/" "c"']
        await other.ok(b"DELETE c")
        assert await heard(client, 1) == [b'* LIST (\\NonExistent \\Subscribed) "/" "c"']
        await other.ok(b"UNSUBSCRIBE c")
        assert await heard(client, 1) == [b'* LIST (\\NonExistent) "/" "c"']
        await other.ok(b"DELETE a")
        assert await heard(client, 1) == [b'* LIST (\\NonExistent) "/" "a"']


async def test_flags_elsewhere(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        await w.house.deliver(PLAIN)
        other, client = await w.login(), await w.login(None)
        await client.ok(b"ENABLE CONDSTORE")
        await client.ok(b"NOTIFY SET (inboxes (MessageNew MessageExpunge FlagChange))")
        await other.ok(b"STORE 1 +FLAGS (\\Seen)")
        assert await heard(client, 1) == [b'* STATUS "INBOX" (MESSAGES 1 UIDNEXT 2 UNSEEN 0)']
        await other.ok(b"STORE 1 +FLAGS (\\Flagged)")
        assert await heard(client, 1) == [b'* STATUS "INBOX" (MESSAGES 1 UIDNEXT 2 UNSEEN 0)']


async def test_new_messages_come_with_what_is_wanted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(), await w.login()
        await client.ok(
            b"NOTIFY SET (selected (MessageNew (UID FLAGS BODY[HEADER.FIELDS (FROM SUBJECT)]) MessageExpunge))"
        )
        await other.append(PLAIN)
        said = [await client.response() for _ in range(2)]
        assert said[0] == b"* 1 EXISTS"
        assert said[1].startswith(b"* 1 FETCH (UID 1 FLAGS () BODY[HEADER.FIELDS (FROM SUBJECT)] {")
        assert b"Subject: one" in said[1]
        await other.ok(b"NOOP")
        await other.ok(b"STORE 1 +FLAGS (\\Deleted)")  # which nobody asked to hear
        await other.ok(b"EXPUNGE")
        assert await heard(client, 1) == [b"* 1 EXPUNGE"]


async def test_delayed_expunges_wait_for_a_command(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        await w.house.deliver(PLAIN)
        other, client = await w.login(), await w.login()
        await client.ok(b"NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))")
        await other.ok(b"STORE 1 +FLAGS (\\Deleted)")
        assert await heard(client, 1) == [b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"]
        await other.ok(b"EXPUNGE")
        await other.append(PLAIN)
        assert await heard(client, 1) == [b"* 2 EXISTS"]
        assert not (await client.command(b"FETCH 1 (FLAGS)")).untagged
        assert (await client.ok(b"NOOP")).untagged == [b"* 1 EXPUNGE"]


async def test_none_is_silent_but_for_who_asks(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(), await w.login()
        await client.ok(b"NOTIFY NONE")
        await other.append(PLAIN)
        assert not (await client.ok(b"STATUS Trash (MESSAGES)")).having(b"EXISTS")
        assert (await client.ok(b"NOOP")).having(b"EXISTS")


async def test_with_idle_and_uidonly(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(), await w.login(None)
        await client.ok(b"ENABLE UIDONLY")
        await client.select()
        await client.ok(b"NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge)) " + EVERYTHING)
        tag = client.begin(b"IDLE")
        assert (await client.response()).startswith(b"+")
        await other.append(PLAIN)
        assert await heard(client, 2) == [b"* 1 EXISTS", b"* 1 UIDFETCH (FLAGS ())"]
        await other.append(PLAIN, b"Trash")
        assert await heard(client, 1) == [b'* STATUS "Trash" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)']
        client.send(b"DONE\r\n")
        assert (await client.end(tag)).status == b"OK"
        await client.ok(b"UNAUTHENTICATE")


async def test_what_happens_all_the_time_is_looked_at_now_and_then(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at thousands of mailboxes for every message would leave nothing to the others."""
    looks: list[float] = []
    look = notify._look

    async def slow(context: Context, wanted: Notify, old: Seen) -> Seen:
        looks.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        return await look(context, wanted, old)

    monkeypatch.setattr(notify, "_look", slow)
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"NOTIFY SET " + EVERYTHING)
        for _ in range(10):
            await w.house.deliver(PLAIN)
            await asyncio.sleep(0.01)
        while not client.heard.count(b"MESSAGES 10 "):
            await asyncio.sleep(0.01)
    between = [b - a for a, b in itertools.pairwise(looks[1:])]
    assert between, "it looked again, and found the last one"
    assert min(between) >= 0.1


async def test_annotations_are_told_by_their_names(database: Database, tmp_path: Path) -> None:
    """Sections 5.6 and 5.7; what the client did itself is no news, and values are not told."""
    async with imap_worker(database, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(None), await w.login(b"INBOX")
        await other.ok(b'SETMETADATA INBOX (/private/a "1" /private/b "2")')
        await other.ok(b'SETMETADATA "" (/private/z "1")')
        await other.ok(b'SETMETADATA Trash (/private/a "1")')
        said = await client.ok(
            b"NOTIFY SET (mailboxes Trash NONE) (personal (MailboxMetadataChange ServerMetadataChange))"
        )
        assert not said.untagged
        await other.ok(b'SETMETADATA INBOX (/private/a "3" /private/b NIL /shared/comment "x")')
        assert await heard(client, 1) == [b'* METADATA "INBOX" /private/a /private/b /shared/comment']
        await other.ok(b'SETMETADATA "" (/shared/comment "x" /private/z "1")')
        assert await heard(client, 1) == [b'* METADATA "" /shared/comment']
        await other.ok(b'SETMETADATA Trash (/private/a "2")')  # which nobody asked to hear
        await other.ok(b'SETMETADATA "" (/shared/comment NIL)')
        assert await heard(client, 1) == [b'* METADATA "" /shared/comment']
        await other.ok(b"SETMETADATA Sent (/private/specialuse NIL)")
        assert await heard(client, 1) == [b'* METADATA "Sent" /private/specialuse']
        await other.ok(rb'SETMETADATA Sent (/private/specialuse "\\Sent" /private/c "x")')
        assert await heard(client, 1) == [b'* METADATA "Sent" /private/c /private/specialuse']
        for mine in (
            b'INBOX (/private/a "4" /private/new "x")', b'"" (/private/z "2")', b"Sent (/private/specialuse NIL /private/c NIL)",
        ):  # fmt: skip
            assert not (await client.ok(b"SETMETADATA " + mine)).untagged
        assert not (await client.ok(b"NOOP")).untagged
        # Both at once: only what the other did is news.
        await other.ok(b'SETMETADATA INBOX (/private/d "x")')
        client.send(b'x1 SETMETADATA INBOX (/private/a "5")\r\nx2 NOOP\r\n')
        said_lines = [await client.response() for _ in range(3)]
        assert b'* METADATA "INBOX" /private/d' in said_lines, said_lines
        await other.ok(b'SETMETADATA INBOX (/private/a "6")')
        assert await heard(client, 1) == [b'* METADATA "INBOX" /private/a']
        await other.ok(b"CREATE work")
        await other.ok(b'SETMETADATA work ("/private/with space" "x")')
        assert await heard(client, 1) == [b'* METADATA "work" "/private/with space"']
        await other.ok(b"RENAME work play")
        await other.ok(b"SETMETADATA play (/private/a NIL)")
        await other.ok(b'SETMETADATA play (/private/a "")')
        assert await heard(client, 1) == [b'* METADATA "play" /private/a']


async def test_annotations_of_what_is_listened_to_from_now_on_are_no_news(
    sqlite: Database, tmp_path: Path
) -> None:
    async with imap_worker(sqlite, tmp_path, pace=QUICK) as w:
        await w.house.move_in()
        other, client = await w.login(None), await w.login(None)
        await other.ok(b"CREATE work")
        await other.ok(b'SETMETADATA work (/private/a "1")')
        await client.ok(b"NOTIFY SET (subscribed (MailboxMetadataChange SubscriptionChange))")
        await other.ok(b"SUBSCRIBE work")
        assert await heard(client, 1) == [b'* LIST (\\HasNoChildren \\Subscribed) "/" "work"']
        await other.ok(b'SETMETADATA work (/private/b "1")')
        assert await heard(client, 1) == [b'* METADATA "work" /private/b']
