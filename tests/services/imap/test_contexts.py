"""Searches that stand: CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267), and UPDATE with items (RFC 5465 section 7)."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from mailstead.accounts.bodies import Bodies
from mailstead.errors import Reason, Unavailable
from mailstead.services.imap import contexts, updating
from mailstead.store.database import Database
from tests.services.imap.test_standing import obey
from tests.support.imap import Client, Said, imap_worker

_ITEM = re.compile(rb"(REMOVEFROM|ADDTO) \(([0-9:, ]+)\)")


def numbers(text: bytes) -> list[int]:
    found: list[int] = []
    for piece in text.split(b",") if text else ():
        low, _, high = piece.partition(b":")
        assert not high or int(low) < int(high), "ranges rise (RFC 5267 section 3.2)"
        found += range(int(low), int(high or low) + 1)
    return found


class Result:
    """A result as the client has it, which knows nothing but what it was told."""

    def __init__(self, tag: bytes, *, uid: bool) -> None:
        self.tag, self.uid = tag, uid
        self.found: list[int] = []
        self.told = 0

    def hear(self, lines: list[bytes]) -> None:
        for line in lines:
            if (expunged := re.fullmatch(rb"\* (\d+) EXPUNGE", line)) and not self.uid:
                gone = int(expunged[1])
                assert gone not in self.found, "it was removed before"
                self.found = [n - (n > gone) for n in self.found]
            if not line.startswith(b'* ESEARCH (TAG "%b")%b' % (self.tag, b" UID" if self.uid else b"")):
                continue
            if all_of_them := re.search(rb" ALL ([0-9:,]+)", line):
                self.found = numbers(all_of_them[1])
            for word, payload in _ITEM.findall(line):
                self.told += 1
                words = payload.split(b" ")
                placed = [(int(at), numbers(some)) for at, some in zip(words[::2], words[1::2], strict=True)]
                obey(self.found, *((placed, ()) if word == b"REMOVEFROM" else ((), placed)))


async def search(client: Client, command: bytes) -> tuple[Result, Said]:
    """A search that stands, and its answer."""
    tag = client.begin(command)
    said = await client.end(tag)
    assert said.status == b"OK", said
    result = Result(tag, uid=command.startswith(b"UID"))
    result.hear(said.untagged)
    return result, said


def esearches(said: Said) -> list[bytes]:
    return [re.sub(rb'TAG "t\d+"', b"TAG", line) for line in said.having(b"ESEARCH")]


async def test_the_dialogs_of_the_rfc(sqlite: Database, tmp_path: Path) -> None:
    """RFC 5267 sections 4.2, 4.3 and 4.3.1 to 4.3.5, with other numbers."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        assert {b"CONTEXT=SEARCH", b"CONTEXT=SORT"} <= set(
            (await client.ok(b"CAPABILITY")).untagged[0].split()
        )
        for n in range(4):
            await client.append(b"Subject: %d\r\n\r\nx\r\n" % n)
        await client.ok(b"NOOP")
        client.send(b"A01 SEARCH RETURN (CONTEXT COUNT) UNDELETED UNKEYWORD $Junk\r\n")
        assert await client.response() == b'* ESEARCH (TAG "A01") COUNT 4'
        assert (await client.response()).startswith(b"A01 OK")
        client.send(b"B01 UID SEARCH RETURN (UPDATE COUNT) DELETED KEYWORD $Junk\r\n")
        assert await client.response() == b'* ESEARCH (TAG "B01") UID COUNT 0'
        assert (await client.response()).startswith(b"B01 OK")
        client.send(b"B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED\r\n")
        assert await client.response() == b"B01 BAD Tag reuse"
        client.send(b"B01 UID SEARCH RETURN (UPDATE) ALL\r\n")
        assert await client.response() == b"B01 BAD Tag reuse"
        said = await client.ok(rb"STORE 2:3 +FLAGS (\Deleted $Junk)")
        assert [line.split()[1:3] for line in said.untagged[-3:]] == [
            [b"2", b"FETCH"],
            [b"3", b"FETCH"],
            [b"ESEARCH", b"(TAG"],
        ]
        assert said.untagged[-1] == b'* ESEARCH (TAG "B01") UID ADDTO (0 2:3)', "and not the count"
        other = await w.login()
        await other.ok(b"UID EXPUNGE 2")
        said = await client.ok(b"NOOP")
        assert said.untagged == [b'* ESEARCH (TAG "B01") UID REMOVEFROM (0 2)', b"* 2 EXPUNGE"]
        assert (await client.bad(b'CANCELUPDATE "B02"')).text == b"No search with this tag is updated"
        assert (await client.ok(b'CANCELUPDATE "B01"')).text == b"No further updates"
        assert (await client.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted $Junk)")).having(b"ESEARCH") == []
        await client.bad(b'CANCELUPDATE "B01"')
        client.send(b"B01 UID SEARCH RETURN (UPDATE) DELETED\r\n")
        assert [(await client.response())[:16] for _ in range(2)] == [
            b'* ESEARCH (TAG "',
            b"B01 OK Search co",
        ], "it is free again"


@pytest.mark.parametrize("command", [
    b"SEARCH RETURN (UPDATE ALL) UNDELETED SUBJECT a", b"UID SEARCH RETURN (ALL UPDATE) OR FLAGGED KEYWORD x",
    b"UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED", b"SORT RETURN (UPDATE ALL) (REVERSE SUBJECT SIZE) UTF-8 UNFLAGGED",
    b"UID SORT RETURN (UPDATE ALL) (RELEVANCY REVERSE ARRIVAL) UTF-8 FUZZY TEXT a UNDELETED", b"SEARCH RETURN (UPDATE ALL) ALL",
])  # fmt: skip
async def test_whatever_happens_the_result_is_that_of_a_new_search(
    databases: list[Database], tmp_path: Path, command: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "WAYS", 2)
    rng = random.Random(command)
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        await fill(client, rng, 20)
        await client.ok(b"NOOP")
        result, _ = await search(client, command)
        again = re.sub(rb"UPDATE ALL|ALL UPDATE", b"ALL", command)
        for _ in range(40):
            who = rng.choice((client, other))
            if who is other:
                await other.ok(b"NOOP")
            said = await act(who, rng)
            if who is client:
                result.hear(said)
            if rng.random() < 0.7:
                result.hear((await client.ok(b"NOOP")).untagged)
                fresh = Result(b"", uid=result.uid)
                lines = (await client.ok(again)).untagged
                fresh.tag = re.findall(rb'TAG "(t\d+)"', lines[-1])[0]
                fresh.hear(lines)
                assert result.found == fresh.found
        assert result.told > 3


async def fill(client: Client, rng: random.Random, count: int) -> list[bytes]:
    heard: list[bytes] = []
    for _ in range(count):
        words = b" ".join(rng.choice((b"a", b"abc", b"b", b"zz")) for _ in range(rng.randrange(4)))
        octets = b"Subject: %b\r\n\r\n%b\r\n" % (words, b"a " * rng.randrange(9))
        heard += (await client.ok(b"APPEND INBOX {%d}" % len(octets), octets)).untagged
    return heard


async def act(client: Client, rng: random.Random) -> list[bytes]:
    """Something that may change results; what was heard."""
    uids = b",".join(b"%d" % rng.randrange(1, 100) for _ in range(rng.choice((2, 20, 50))))
    match rng.randrange(6):
        case 0 | 1:
            return await fill(client, rng, rng.choice((1, 2, 12)))
        case 2:
            return (
                await client.ok(
                    rb"UID STORE %b %bFLAGS%b (\Deleted)"
                    % (uids, rng.choice((b"+", b"-")), rng.choice((b"", b".SILENT")))
                )
            ).untagged
        case 3:
            heard = (await client.ok(rb"UID STORE %b +FLAGS.SILENT (\Deleted)" % uids)).untagged
            return heard + (await client.ok(rng.choice((b"EXPUNGE", b"UID EXPUNGE " + uids)))).untagged
        case _:
            flag = rng.choice((rb"\Flagged", b"x", rb"\Seen"))
            return (
                await client.ok(b"UID STORE %b %bFLAGS (%b)" % (uids, rng.choice((b"+", b"-")), flag))
            ).untagged


async def test_new_messages_are_told_in_idle_and_expunged_ones_at_once(
    sqlite: Database, tmp_path: Path
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(), await w.login()
        await client.append(b"Subject: a\r\n\r\nx\r\n")
        await client.append(b"Subject: b\r\n\r\nx\r\n")
        await client.ok(b"NOOP")
        await search(client, b"SEARCH RETURN (UPDATE) UNDELETED")
        await search(client, b"UID SORT RETURN (UPDATE) (REVERSE SUBJECT) UTF-8 ALL")
        tag = client.begin(b"IDLE")
        assert await client.response() == b"+ idling"
        await other.append(b"Subject: aa\r\n\r\nx\r\n")
        said = [await client.response() for _ in range(3)]
        assert said[0] == b"* 3 EXISTS"
        assert [re.sub(rb"t\d+", b"", line) for line in said[1:]] == [
            b'* ESEARCH (TAG "") ADDTO (0 3)', b'* ESEARCH (TAG "") UID ADDTO (2 3)',
        ]  # fmt: skip
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        said = [await client.response() for _ in range(2)]
        assert said[0].startswith(b"* 1 FETCH")
        assert said[1].endswith(b"REMOVEFROM (0 1)")
        await other.ok(b"EXPUNGE")
        said = [await client.response() for _ in range(2)]
        assert said[0].endswith(b"UID REMOVEFROM (3 1)")
        assert said[1] == b"* 1 EXPUNGE"
        client.send(b"DONE\r\n")
        await client.end(tag)
        await other.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        await other.ok(b"EXPUNGE")
        said = (await client.ok(b"FETCH 1:2 UID")).untagged
        assert [line for line in said if b"EXPUNGE" in line] == [], "their numbers stay"
        assert [line.split(b") ")[1] for line in said if b"ESEARCH" in line] == [
            b"REMOVEFROM (0 1)",
            b"UID REMOVEFROM (1 2)",
        ]
        assert (await client.ok(b"NOOP")).untagged == [b"* 1 EXPUNGE"]


async def test_what_was_a_number_then_stays_the_message(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for n in range(4):
            await client.append(b"Subject: %d\r\n\r\nx\r\n" % n)
        await client.ok(b"NOOP")
        await client.ok(b"SEARCH RETURN (SAVE) 2:3")
        results = {}
        for key in (
            b"2:*",
            b"UID 2:*",
            b"$",
            b"NOT 1:2",
            b"UID *",
            b"YOUNGER 1000",
            b"MODSEQ 999999",
            b"UID 7:9",
        ):
            results[key], _ = await search(client, b"UID SEARCH RETURN (UPDATE ALL) " + key)
        await client.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        heard = (await client.ok(b"EXPUNGE")).untagged
        heard += (await client.ok(b"APPEND INBOX {14}", b"Subject: x\r\n\r\n")).untagged
        heard += (await client.ok(rb"SEARCH RETURN (SAVE) 1")).untagged
        heard += (await client.ok(rb"STORE 1:4 +FLAGS (\Seen)")).untagged
        for key, found in {
            b"2:*": [2, 3, 4], b"UID 2:*": [2, 3, 4, 5], b"$": [2, 3], b"NOT 1:2": [3, 4, 5], b"UID *": [4], b"YOUNGER 1000": [2, 3, 4, 5],
            b"MODSEQ 999999": [], b"UID 7:9": [],
        }.items():  # fmt: skip
            results[key].hear(heard)
            assert results[key].found == found, key


async def test_a_session_has_room_for_some(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(b"Subject: a\r\n\r\nx\r\n")
        await client.append(b"Subject: b\r\n\r\nx\r\n")
        await client.ok(b"NOOP")
        for _ in range(contexts.CONTEXTS_CAP):
            assert (await search(client, b"SEARCH RETURN (UPDATE COUNT) SEEN"))[1].having(b"NOUPDATE") == []
        result, said = await search(client, b"UID SORT RETURN (UPDATE COUNT) (DATE) UTF-8 UNSEEN")
        assert said.untagged[-2:] == [
            b'* ESEARCH (TAG "%b") UID COUNT 2' % result.tag, b'* NO [NOUPDATE "%b"] Too many contexts' % result.tag,
        ]  # fmt: skip
        assert len(esearches(await client.ok(rb"STORE 1 +FLAGS (\Seen)"))) == contexts.CONTEXTS_CAP
        await client.ok(b"SELECT INBOX")
        assert esearches(await client.ok(rb"STORE 2 +FLAGS (\Seen)")) == [], (
            "another mailbox, or the same one anew"
        )
        monkeypatch.setattr(contexts, "RESULTS_CAP", 3)
        assert (await search(client, b"SEARCH RETURN (UPDATE) 1:2"))[1].having(b"NOUPDATE") == []
        assert (await search(client, b"SEARCH RETURN (UPDATE) 1:2"))[1].having(b"NOUPDATE") != []
        assert (await search(client, b"SEARCH RETURN (UPDATE) 1"))[1].having(b"NOUPDATE") == []
        await client.ok(b"UNSELECT")
        await client.bad(b'CANCELUPDATE "x"')


async def test_only_messages_that_changed_are_looked_at(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for n in range(40):
            await client.append(b"Subject: %d\r\n\r\nword\r\n" % n)
        await client.ok(b"NOOP")
        for command in (
            b"SEARCH RETURN (UPDATE) BODY word",
            b"SEARCH RETURN (UPDATE) UNSEEN BODY word",
            b"SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL",
        ):
            await search(client, command)
        read: list[int] = []
        small = Bodies.small

        async def counted(self: Bodies, messages: object) -> object:
            some = list(messages)  # type: ignore[call-overload]
            read.extend(m.uid for m in some)
            return await small(self, some)

        monkeypatch.setattr(Bodies, "small", counted)
        await client.ok(rb"STORE 3,5 +FLAGS (\Seen)")
        assert read == [], "the flags decide"
        await client.ok(rb"STORE 5 -FLAGS (\Seen)")
        assert read == [5]
        sorted_ones = 0
        sort = updating.sorted_by

        async def counting(context: object, criteria: object, found: updating.Found) -> object:
            nonlocal sorted_ones
            sorted_ones += len(found.uids)
            return await sort(context, criteria, found)  # type: ignore[arg-type]

        monkeypatch.setattr(updating, "sorted_by", counting)
        await client.append(b"Subject: 7\r\n\r\nword\r\n")
        assert set(read) == {5, 41}
        assert 0 < sorted_ones < 20, "of forty"


async def test_items_of_new_messages(sqlite: Database, tmp_path: Path) -> None:
    """RFC 5465 section 7."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        boss = b"To: bob@example.org\r\nFrom: myboss@example.org\r\nSubject: Re: good morning\r\n\r\nx\r\n"
        await client.append(boss)
        await client.ok(b"NOOP")
        await search(
            client, b'SEARCH RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) FROM "boss"'
        )
        await search(client, b"UID SEARCH RETURN (UPDATE (RFC822.SIZE UID)) UNSEEN")
        await client.append(b"From: nobody@example.org\r\n\r\nx\r\n")
        said = (await client.ok(b"APPEND INBOX {%d}" % len(boss), boss)).untagged
        assert said[0] == b"* 3 EXISTS"
        fetched, first, second = said[-3:]
        assert fetched.startswith(b"* 3 FETCH (UID 3 BODY[HEADER.FIELDS (TO FROM SUBJECT)] {")
        assert fetched.endswith(b"RFC822.SIZE %d)" % len(boss)), "one response"
        assert b"\r\nSubject: Re: good morning\r\n" in fetched
        assert re.sub(rb"t\d+", b"a00", first) == b'* ESEARCH (TAG "a00") ADDTO (0 3)'
        assert second.endswith(b"UID ADDTO (0 3)")
        assert await client.flags(3) == {rb"\Recent"}
        assert (await client.ok(rb"STORE 3 +FLAGS (\Seen)")).having(b"HEADER.FIELDS") == []
        said = (await client.ok(rb"STORE 3 -FLAGS (\Seen)")).untagged
        assert [line for line in said if b"RFC822.SIZE" in line] == [], "it is not new"
        await client.ok(b"NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange))")
        other = await w.login()
        await other.append(boss)
        said = [await client.response() for _ in range(4)]
        assert [line.split(b" ")[2] for line in said[:2]] == [b"EXISTS", b"FETCH"]
        assert b"RFC822.SIZE" in said[1]
        assert b"FLAGS (" in said[1], "what NOTIFY says is wanted is in the same response"
        assert said[2].endswith(b"ADDTO (0 4)")


async def test_what_cannot_be_looked_at_ends_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(b"Subject: a\r\n\r\nx\r\n")
        await client.ok(b"NOOP")
        broken, _ = await search(client, b"SEARCH RETURN (UPDATE) BODY x")
        sound, _ = await search(client, b"SEARCH RETURN (UPDATE) ALL")

        async def fails(*_: object) -> None:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE)

        with monkeypatch.context() as patch:
            patch.setattr(Bodies, "small", fails)
            said = await client.ok(b"APPEND INBOX {14}", b"Subject: a\r\n\r\n")
            assert said.untagged[-2:] == [
                b'* NO [NOUPDATE "%b"] It cannot be updated any more' % broken.tag, b'* ESEARCH (TAG "%b") ADDTO (0 2)' % sound.tag,
            ]  # fmt: skip
        assert len(esearches(await client.ok(b"APPEND INBOX {14}", b"Subject: a\r\n\r\n"))) == 1


async def test_a_mailbox_that_is_deleted_has_no_messages(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(b"Archive"), await w.login()
        await client.append(b"Subject: a\r\n\r\nx\r\n", b"Archive")
        await client.ok(b"NOOP")
        await search(client, b"SEARCH RETURN (UPDATE) ALL")
        await other.ok(b"DELETE Archive")
        await asyncio.sleep(0.05)
        said = (await client.ok(b"NOOP")).untagged
        assert said[0].endswith(b"REMOVEFROM (0 1)")
        assert said[1] == b"* 1 EXPUNGE"


async def test_who_knows_uids_only(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login()
        await client.ok(b"ENABLE QRESYNC UIDONLY")
        await client.select()
        await other.append(b"Subject: a\r\n\r\nx\r\n")
        await client.ok(b"NOOP")
        await search(client, b"UID SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL")
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        await other.ok(b"EXPUNGE")
        said = (await client.ok(b"NOOP")).untagged
        assert said[0].endswith(b"UID REMOVEFROM (1 1)")
        assert said[1] == b"* VANISHED 1"
