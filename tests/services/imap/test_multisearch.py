"""ESEARCH: one search of many mailboxes (RFC 7377)."""

import asyncio
import re
from pathlib import Path

import pytest

from mailstead.accounts.snapshot import REMEMBERED, Snapshot, Snapshots
from mailstead.errors import Reason, Refused, Unavailable, UnsealError
from mailstead.services.imap import looking
from mailstead.services.imap.context import Context
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, Said, imap_worker

ODD, EVEN = b"Subject: odd\r\n\r\nfigures\r\n", b"Subject: even\r\n\r\nletters\r\n"
_RESPONSE = re.compile(rb'\* ESEARCH \(TAG "(t\d+)" MAILBOX "([^"]+)" UIDVALIDITY ([1-9]\d*)\) UID(?: (.+))?')


def told(said: Said) -> dict[str, bytes]:
    """What was told of each mailbox."""
    found: dict[str, bytes] = {}
    for line in said.having(b"ESEARCH"):
        match = _RESPONSE.fullmatch(line)
        assert match is not None, line
        name = match[2].decode()
        assert name not in found, "one response for each"
        found[name] = match[4] or b""
    return found


async def filled(w: ImapWorker) -> Client:
    """Who has INBOX, folder1, and folder2 with what is below it; each but folder2 has two messages."""
    await w.house.move_in()
    client = await w.login(None)
    for name in (b"folder1", b"folder2/banana", b"folder2/peach/stone", b"other"):
        await client.ok(b"CREATE " + name)
    for name in (b"INBOX", b"folder1", b"folder2/banana", b"folder2/peach", b"folder2/peach/stone", b"other"):
        await client.append(ODD, name)
        await client.append(EVEN, name, rb"(\Seen) ")
    return client


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (b'mailboxes "folder1" subtree "folder2"', ["folder1", "folder2/banana", "folder2/peach", "folder2/peach/stone"]),
        (b'mailboxes "folder1" subtree-one "folder2"', ["folder1", "folder2/banana", "folder2/peach"]),
        (b"personal", ["INBOX", "folder1", "folder2/banana", "folder2/peach", "folder2/peach/stone", "other"]),
        (b"inboxes", ["INBOX"]), (b"subscribed", ["folder2/peach"]), (b"mailboxes none", []), (b"subtree none", []),
        (b"mailboxes (folder1 none other) mailboxes folder1 inboxes", ["INBOX", "folder1", "other"]),
        (b"selected", ["other"]), (b"selected mailboxes (other folder1) personal", [
            "other", "INBOX", "folder1", "folder2/banana", "folder2/peach", "folder2/peach/stone",
        ]),
    ],
)  # fmt: skip
async def test_where_it_looks(sqlite: Database, tmp_path: Path, sources: bytes, names: list[str]) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        await client.ok(b"SUBSCRIBE folder2/peach")
        for name in (b"INBOX", b"folder1", b"other"):
            await client.ok(b"UNSUBSCRIBE " + name)
        if b"selected" not in sources:
            assert list(told(await client.ok(b"ESEARCH IN (%b) ALL" % sources))) == names, (
                "without one selected"
            )
        await client.select(b"other")
        found = told(await client.ok(b"ESEARCH IN (%b) ALL" % sources))
        assert list(found) == names
        assert set(found.values()) <= {b"ALL 1:2"}
        assert list(told(await client.ok(b"ESEARCH IN (%b) SUBJECT odd UID 1" % sources))) == names
        assert not (await client.ok(b"ESEARCH IN (%b) RETURN (COUNT) SUBJECT nothing" % sources)).untagged


async def test_what_is_found_is_told_of_each_mailbox(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        for _ in range(3):
            await client.append(ODD, b"folder1")
        await client.ok(b"ENABLE CONDSTORE")
        three = b"IN (mailboxes (INBOX folder1 other)) "
        assert told(await client.ok(b"ESEARCH %bRETURN (MIN MAX COUNT ALL) SUBJECT odd" % three)) == {
            "INBOX": b"MIN 1 MAX 1 COUNT 1 ALL 1", "folder1": b"MIN 1 MAX 5 COUNT 4 ALL 1,3:5",
            "other": b"MIN 1 MAX 1 COUNT 1 ALL 1",
        }  # fmt: skip
        assert told(await client.ok(b"ESEARCH %bRETURN (PARTIAL 2:3) SUBJECT odd" % three)) == {
            "INBOX": b"PARTIAL (2:3 NIL)", "folder1": b"PARTIAL (2:3 3:4)", "other": b"PARTIAL (2:3 NIL)",
        }  # fmt: skip
        assert told(await client.ok(b"ESEARCH %bRETURN (CONTEXT COUNT) SEEN" % three)) == dict.fromkeys(
            ("INBOX", "folder1", "other"), b"COUNT 1"
        )
        found = told(await client.ok(b"ESEARCH %bRETURN (ALL RELEVANCY) FUZZY SUBJECT odd" % three))
        assert re.fullmatch(rb"ALL 1,3:5 RELEVANCY \((\d+) (\d+ ){2}\d+\)", found["folder1"])
        for name, status in ((b"folder1", "folder1"), (b"other", "other")):
            said = (await client.ok(b"STATUS %b (HIGHESTMODSEQ UIDVALIDITY)" % name)).untagged[0]
            highest, validity = re.findall(rb"(?:HIGHESTMODSEQ|UIDVALIDITY) (\d+)", said)
            said = await client.ok(b"ESEARCH IN (mailboxes %b) RETURN (COUNT) MODSEQ 1" % name)
            assert told(said)[status].endswith(b" MODSEQ " + highest), "of this mailbox"
            assert said.having(b"UIDVALIDITY " + validity)
        low = int(
            told(await client.ok(b"ESEARCH IN (mailboxes folder1) RETURN (MIN) MODSEQ 1"))["folder1"].split()[
                -1
            ]
        )
        assert low < int(highest)


async def test_numbers_beyond_the_end_are_no_error(sqlite: Database, tmp_path: Path) -> None:
    """RFC 7377 section 2.1: a client has its search go on by a hundred messages at a time."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        await client.append(ODD, b"folder1")
        three = b"ESEARCH IN (mailboxes (INBOX folder1 Drafts)) "
        assert told(await client.ok(three + b"2:100")) == {"INBOX": b"ALL 2", "folder1": b"ALL 2:3"}
        assert told(await client.ok(three + b"3:100")) == {"folder1": b"ALL 3"}
        assert told(await client.ok(three + b"*")) == {"INBOX": b"ALL 2", "folder1": b"ALL 3"}
        assert told(await client.ok(three + b"101:200")) == {}
        await client.select()
        assert told(await client.ok(b"ESEARCH 101:200")) == {}


async def test_what_needs_a_selected_mailbox(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        for command in (
            b"ESEARCH ALL", b"ESEARCH IN (selected) ALL", b"ESEARCH IN (personal selected) ALL",
            b"ESEARCH RETURN (SAVE) ALL", b"ESEARCH IN (personal) RETURN (UPDATE) ALL",
        ):  # fmt: skip
            said = await client.bad(command)
            assert (said.text, said.untagged) == (b"No mailbox is selected", []), command
        stranger = w.connect()
        await stranger.response()
        await stranger.bad(b"ESEARCH IN (personal) ALL")


async def test_the_selected_mailbox_is_as_the_client_knows_it(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        await client.select()
        await client.ok(b"ESEARCH RETURN (SAVE) SUBJECT odd")
        assert told(await client.ok(b"ESEARCH IN (personal) UID 1:2 NOT $"))["INBOX"] == b"ALL 2"
        found = told(await client.ok(b"ESEARCH IN (inboxes mailboxes other) $"))
        assert found == {"INBOX": b"ALL 1"}, "it means nothing in another one"
        other = await w.login()
        await other.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        await other.ok(b"EXPUNGE")
        await other.append(ODD)
        said = await client.ok(b"ESEARCH IN (selected) ALL")
        assert told(said) == {"INBOX": b"ALL 1:2"}, "nobody told it yet"
        assert b"* 1 EXPUNGE" in said.untagged, "which a search by UID may"
        assert told(await client.ok(b"ESEARCH ALL")) == {"INBOX": b"ALL 2:3"}
        assert told(await client.ok(b"ESEARCH RETURN (SAVE MIN) ALL")) == {"INBOX": b"MIN 2"}
        assert (await client.ok(b"UID SEARCH $")).untagged == [b"* SEARCH 2"]
        await client.ok(b"ESEARCH RETURN (SAVE) SUBJECT none")
        assert (await client.ok(b"UID SEARCH $")).untagged == [b"* SEARCH"]


@pytest.mark.parametrize("rev2", [False, True])
async def test_every_mailbox_is_searched_as_examine_and_search_would(
    sqlite: Database, tmp_path: Path, rev2: bool
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        await w.house.deliver(b"Subject: new\r\n\r\nletters\r\n")
        await (await w.login()).append(
            ODD, options=rb"(\Flagged $Work) "
        )  # the first ones are recent no more
        if rev2:
            await client.ok(b"ENABLE IMAP4rev2")
        for key in (
            b"ALL", b"SEEN", b"NOT SEEN", b"RECENT", b"NEW", b"OLD", b"FLAGGED", b"KEYWORD $work", b"BODY letters", b"TEXT odd",
            b"SUBJECT even", b"1", b"2:*", b"UID *", b"LARGER 30", b"SINCE 1-Jan-2020", b"SAVEDSINCE 1-Jan-2020", b"OR SEEN BODY figures",
            b"YOUNGER 100000", b"FUZZY BODY figure", b"$",
        ):  # fmt: skip
            await client.ok(b"UNSELECT") if key != b"ALL" else None
            found = told(await client.ok(b"ESEARCH IN (personal) " + key))
            for name in ("INBOX", "folder1", "folder2", "Drafts"):
                await client.ok(b"EXAMINE " + name.encode())
                (line,) = (await client.ok(b"UID SEARCH RETURN (ALL) " + key)).having(b"ESEARCH")
                assert found.get(name, b"") == line.partition(b" UID")[2].strip(), (key, name)


async def test_nothing_changes_where_it_looks(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        await w.house.deliver(ODD)
        items = b"(MESSAGES RECENT UIDNEXT UNSEEN HIGHESTMODSEQ)"
        before = [(await client.ok(b"STATUS %b %b" % (n, items))).untagged for n in (b"INBOX", b"folder1")]
        waiting = await pendings(sqlite)
        assert waiting
        found = told(await client.ok(b"ESEARCH IN (personal) OR RECENT UNSEEN TEXT odd"))
        assert found["INBOX"] == b"ALL 1,3"
        assert [
            (await client.ok(b"STATUS %b %b" % (n, items))).untagged for n in (b"INBOX", b"folder1")
        ] == before
        assert before[0][0].count(b"RECENT 3") == 1
        assert await pendings(sqlite) == waiting, "they were read, and no more"
        assert (await client.select()).having(b"RECENT") == [b"* 3 RECENT"]


async def pendings(database: Database) -> list[object]:
    return await database.read(
        lambda tx: list(tx.execute("SELECT mailbox_id, uid FROM pending ORDER BY 1, 2"))
    )


async def test_others_keep_what_they_look_at(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Snapshot | None] = []
    follow = Snapshots._follow

    async def counted(self: Snapshots, old: Snapshot | None, read: object) -> Snapshot:
        followed.append(old)
        return await follow(self, old, read)  # type: ignore[arg-type]  # as it came

    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        for n in range(REMEMBERED + 4):
            await client.ok(b"CREATE many/%d" % n)
        other = await w.login(b"folder1")
        assert len(told(await client.ok(b"ESEARCH IN (personal) ALL"))) == 6
        await client.append(ODD, b"folder1")
        monkeypatch.setattr(Snapshots, "_follow", counted)
        assert b"* 3 EXISTS" in (await other.ok(b"NOOP")).untagged
        assert followed
        assert None not in followed, "only what is new was read"


async def test_updates_are_those_of_the_selected_mailbox(sqlite: Database, tmp_path: Path) -> None:
    """RFC 7377 section 2.2."""
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        other = await w.login(None)
        await client.select(b"folder1")
        tag = client.begin(b"ESEARCH IN (personal) RETURN (UPDATE COUNT) SUBJECT odd")
        assert len(told(await client.end(tag))) == 6
        client.send(tag + b" ESEARCH RETURN (UPDATE) ALL\r\n")
        assert await client.response() == tag + b" BAD Tag reuse"
        await other.append(ODD, b"other")
        assert not (await client.ok(b"NOOP")).untagged
        await other.append(ODD, b"folder1")
        (line,) = (await client.ok(b"NOOP")).having(b"ESEARCH")
        match = _RESPONSE.fullmatch(line)
        assert match is not None
        assert match.groups()[::3] == (tag, b"ADDTO (0 3)")
        assert match[2] == b"folder1"
        await client.ok(rb"UID STORE 1 +FLAGS.SILENT (\Deleted)")
        said = await client.ok(b"EXPUNGE")
        assert re.fullmatch(
            rb'\* ESEARCH \(TAG "t\d+" MAILBOX "folder1" .*REMOVEFROM \(0 1\)', said.untagged[0]
        )
        await client.ok(b'CANCELUPDATE "%b"' % tag)
        tag = client.begin(b"ESEARCH IN (mailboxes other) RETURN (UPDATE COUNT) SUBJECT odd")
        said = await client.end(tag)
        assert told(said) == {"other": b"COUNT 2"}
        assert said.having(b"NOUPDATE") == [
            b'* NO [NOUPDATE "%b"] The selected mailbox was not searched' % tag
        ]
        tag = client.begin(b"ESEARCH RETURN (UPDATE) SUBJECT late")
        assert not (await client.end(tag)).untagged
        await other.append(b"Subject: late\r\n\r\n", b"folder1")
        assert told(await client.ok(b"NOOP")) == {"folder1": b"ADDTO (0 4)"}


async def test_a_mailbox_that_cannot_be_read_hides_no_other(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    glimpse = Snapshots.glimpse
    failure: Exception = Refused(Reason.NO_SUCH_MAILBOX)

    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        client = await filled(w)
        account = await w.house.unlock()
        wrong = (await account.mailbox("folder1")).id
        account.close()

        async def failing(self: Snapshots, mailbox_id: bytes) -> Snapshot:
            if mailbox_id == wrong:
                raise failure
            return await glimpse(self, mailbox_id)

        monkeypatch.setattr(Snapshots, "glimpse", failing)
        rest = ["INBOX", "folder2/banana", "folder2/peach", "folder2/peach/stone", "other"]
        assert list(told(await client.ok(b"ESEARCH IN (personal) ALL"))) == rest, "it is gone since"
        failure = UnsealError("a page is not what it was")
        said = await client.no(b"ESEARCH IN (personal) ALL")
        assert (list(told(said)), said.code) == (rest, b"CONTACTADMIN"), (
            "who asked knows that something lacks"
        )
        failure = Unavailable(Reason.STORAGE_UNAVAILABLE)
        said = await client.no(b"ESEARCH IN (personal) ALL")
        assert (list(told(said)), said.code) == (["INBOX"], b"UNAVAILABLE")


async def test_others_have_their_turn(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []

    async def counted(context: Context) -> None:
        turns.append(1)
        if len(turns) == 3:
            other = await w.login()
            assert len((await other.ok(b"NOOP")).text) > 0
        await looking.take_turns(context)

    monkeypatch.setattr("mailstead.services.imap.multisearch.take_turns", counted)
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        for n in range(50):
            await client.ok(b"CREATE many/%d" % n)
        other = 0

        async def count() -> None:
            nonlocal other
            while True:
                await asyncio.sleep(0)
                other += 1

        task = asyncio.create_task(count())
        async with asyncio.timeout(10):
            assert len(told(await client.ok(b"ESEARCH IN (personal) ALL"))) == 6
        task.cancel()
        assert len(turns) > 50, "after each mailbox"
        assert other > len(turns)


async def test_a_peer_that_is_gone_is_not_searched_for(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    glimpse = Snapshots.glimpse

    async def counted(self: Snapshots, mailbox_id: bytes) -> Snapshot:
        nonlocal looked
        looked += 1
        if looked == 2:
            client.hang_up()
        return await glimpse(self, mailbox_id)

    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        monkeypatch.setattr(Snapshots, "glimpse", counted)
        client.begin(b"ESEARCH IN (personal) ALL")
        await client.closed()
        for _ in range(50):
            await asyncio.sleep(0)
        assert looked == 2


async def test_names_and_uidonly(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        assert b"MULTISEARCH" in (await client.ok(b"CAPABILITY")).untagged[0].split()
        await client.ok(b"CREATE K&APY-ln")
        await client.append(ODD, b"K&APY-ln")
        assert told(await client.ok(b"ESEARCH IN (mailboxes K&APY-ln) ALL")) == {"K&APY-ln": b"ALL 1"}
        await client.ok(b"ENABLE UIDONLY IMAP4rev2")
        command = 'ESEARCH IN (mailboxes "Köln") RETURN (COUNT) ALL'.encode()
        assert told(await client.ok(command)) == {"Köln": b"COUNT 1"}
        assert (await client.bad(b"ESEARCH IN (mailboxes INBOX) 1:2")).code == b"UIDREQUIRED"
        await client.select()
        await client.append(EVEN)
        assert told(await client.ok(b"ESEARCH SUBJECT even")) == {"INBOX": b"ALL 1"}


async def test_a_mailbox_that_was_renamed_or_deleted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w)
        other = await w.login(None)
        await client.select(b"other")
        await other.ok(b"RENAME other another")
        assert list(told(await client.ok(b"ESEARCH IN (selected personal) SUBJECT odd")))[:2] == [
            "another",
            "INBOX",
        ]
        await other.ok(b"DELETE another")
        assert (await client.ok(b"NOOP")).having(b"EXPUNGE")
        assert list(told(await client.ok(b"ESEARCH IN (selected inboxes) SUBJECT odd"))) == ["INBOX"]
