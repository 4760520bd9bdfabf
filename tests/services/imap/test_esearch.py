"""SEARCH RETURN and "$" against the store (RFC 4731, RFC 5182, RFC 9394)."""

import re
from pathlib import Path

import pytest

from mailstead.errors import Reason, Unavailable
from mailstead.services.imap import search as searching
from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker


async def filled(client: Client, count: int) -> None:
    for n in range(count):
        await client.append(b"Subject: %b %d\r\n\r\nx\r\n" % (b"odd" if n % 2 else b"even", n))


async def found(client: Client, command: bytes) -> bytes:
    (line,) = [x for x in (await client.ok(command)).untagged if b"SEARCH" in x]
    return re.sub(rb' \(TAG "[^"]*"\)', b"", line)


async def test_what_is_asked_for_is_returned(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client, 6)
        await client.ok(rb"STORE 1 FLAGS (\Deleted)")
        await client.ok(b"EXPUNGE")
        said = await client.ok(b"SEARCH RETURN (MIN MAX COUNT ALL) SUBJECT odd")
        assert re.fullmatch(rb'\* ESEARCH \(TAG "t\d+"\) MIN 1 MAX 5 COUNT 3 ALL 1,3,5', said.untagged[-1])
        assert await found(client, b"UID SEARCH RETURN () SUBJECT odd") == b"* ESEARCH UID ALL 2,4,6"
        assert await found(client, b"SEARCH RETURN (COUNT) SUBJECT none") == b"* ESEARCH COUNT 0"
        assert await found(client, b"SEARCH RETURN (ALL) CHARSET UTF-8 SUBJECT none") == b"* ESEARCH"
        assert (
            await found(client, b"UID SEARCH RETURN (PARTIAL -1:-2) ALL")
            == b"* ESEARCH UID PARTIAL (-1:-2 5:6)"
        )
        modseq = int((await found(client, b"UID SEARCH RETURN (MIN) MODSEQ 1")).split()[-1])
        highest = int((await found(client, b"UID SEARCH RETURN (ALL) MODSEQ 1")).split()[-1])
        assert modseq < highest, "of the one that is told"
        assert await found(client, b"SEARCH SUBJECT odd") == b"* SEARCH 1 3 5", "who does not ask"


async def test_a_part_of_many_is_fetched(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client, 6)
        for page, uids in ((b"1:2", [1, 2]), (b"-1:-2", [5, 6]), (b"5:9", [5, 6]), (b"7:9", [])):
            said = await client.ok(b"UID FETCH 1:* (UID FLAGS) (PARTIAL %b)" % page)
            assert [int(x.split()[1]) for x in said.untagged if b"FETCH" in x] == uids
        await client.ok(rb"STORE 2,4,6 +FLAGS.SILENT (\Seen)")
        since = int((await found(client, b"UID SEARCH RETURN (MAX) MODSEQ 1 UNSEEN")).split()[-1])
        said = await client.ok(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d PARTIAL 2:3)" % since)
        assert [int(x.split()[1]) for x in said.untagged if b"FETCH" in x] == [4, 6], "of those that remain"


async def test_what_was_found_is_used_again(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client = await w.login()
        await filled(client, 6)
        assert (await client.ok(b"FETCH $ UID")).untagged == [], "nothing was saved yet"
        said = await client.ok(b"SEARCH RETURN (SAVE) SUBJECT odd")
        assert not any(b"SEARCH" in line for line in said.untagged)
        assert (await client.ok(b"FETCH $ UID")).untagged == [
            b"* %d FETCH (UID %d)" % (n, n) for n in (2, 4, 6)
        ]
        assert await found(client, b"SEARCH NOT $") == b"* SEARCH 1 3 5"
        assert (
            await found(client, b"SEARCH RETURN (SAVE COUNT) $ SMALLER 1000000 UID 4:*")
            == b"* ESEARCH COUNT 2"
        )
        await client.ok(rb"UID STORE $ +FLAGS.SILENT (\Deleted)")
        await client.ok(b"COPY $ Archive")
        await client.bad(b"FETCH 99 UID")
        said = await client.ok(b"UID EXPUNGE $")
        assert sum(b"EXPUNGE" in line for line in said.untagged) == 2
        assert (await client.ok(b"UID FETCH $ FLAGS")).untagged == [], "what is gone is not in it"
        await client.ok(b"SEARCH RETURN (SAVE MIN) ALL")
        assert [x.split()[1] for x in (await client.ok(b"FETCH $ UID")).untagged] == [b"1"]
        await client.bad(b"SEARCH RETURN (SAVE) 99")
        assert len((await client.ok(b"FETCH $ UID")).untagged) == 1, "BAD leaves it"

        async def fails(*_: object, **__: object) -> None:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE)

        with monkeypatch.context() as patch:
            patch.setattr(searching, "matching", fails)
            await client.no(b"SEARCH RETURN (SAVE) ALL")
        assert (await client.ok(b"FETCH $ UID")).untagged == [], "NO empties it"
        await client.ok(b"SEARCH RETURN (SAVE) ALL")
        await client.ok(b"SELECT Archive")
        assert (await client.ok(b"FETCH $ UID")).untagged == [], "another mailbox"
        await client.ok(b"SELECT Trash")
        assert (await client.ok(b"FETCH $ UID")).untagged == []
