"""UIDONLY (RFC 9586): no sequence number goes either way."""

from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.house import PASSWORD
from tests.support.imap import Client, ImapWorker, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def mailbox(w: ImapWorker, *more: bytes) -> Client:
    """A client with UIDONLY and four messages, of which 2 is gone: UIDs are not numbers."""
    await w.house.move_in()
    old = await w.login(None)
    for options in (b"(\\Seen) ", b"(\\Deleted) ", b"", b"", b""):
        await old.append(PLAIN, options=options)
    await old.select()
    await old.ok(b"EXPUNGE")
    old.hang_up()
    client = await w.login(None)
    said = await client.ok(b" ".join((b"ENABLE UIDONLY", *more)))
    assert said.untagged == [b" ".join((b"* ENABLED UIDONLY", *more))]
    said = await client.select()
    assert not said.having(b"UNSEEN")
    assert said.having(b"EXISTS") == [b"* 4 EXISTS"]
    return client


@pytest.mark.parametrize(
    "command",
    [b"FETCH 1 FLAGS", b"STORE 1 +FLAGS (\\Seen)", b"SEARCH ALL", b"SEARCH UID 3", b"COPY 1 Trash",
     b"MOVE 1 Trash", b"REPLACE 1 INBOX {3}", b"REPLACE 1 {3}", b"SORT (DATE) UTF-8 ALL", b"THREAD REFERENCES UTF-8 ALL", b"UID SEARCH 1:2", b"UID SEARCH *",
     b"UID SEARCH NOT (1)", b"UID SEARCH RETURN (ALL) OR 1 SEEN", b"UID SORT (DATE) UTF-8 1",
     b"UID THREAD REFERENCES UTF-8 1"],
)  # fmt: skip
async def test_numbers_are_refused(sqlite: Database, tmp_path: Path, command: bytes) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w)
        said = await client.bad(command)
        assert said.code == b"UIDREQUIRED"
        assert not said.untagged


async def test_a_literal_of_a_refused_command_is_not_wanted(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w)
        assert (await client.bad(b"SEARCH SUBJECT {3}", b"one")).code == b"UIDREQUIRED"
        tag = client.begin(b"SEARCH SUBJECT {3+}\r\none")
        assert (await client.end(tag)).code == b"UIDREQUIRED"
        await client.ok(b"NOOP")


async def test_uidfetch_says_what_was_asked_for(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w)
        said = await client.ok(b"UID FETCH 3:* (FLAGS)")
        assert said.untagged == [b"* %d UIDFETCH (FLAGS ())" % uid for uid in (3, 4, 5)]
        assert (await client.ok(b"UID FETCH 3 (UID FLAGS)")).untagged == [b"* 3 UIDFETCH (UID 3 FLAGS ())"]
        assert (await client.ok(b"UID FETCH 1,4 UID")).untagged == [
            b"* 1 UIDFETCH (UID 1)", b"* 4 UIDFETCH (UID 4)",
        ]  # fmt: skip
        assert (await client.ok(b"UID FETCH 4 RFC822.SIZE")).untagged == [
            b"* 4 UIDFETCH (RFC822.SIZE %d)" % len(PLAIN)
        ]
        assert (await client.ok(b"UID FETCH 5 BODY[TEXT]")).untagged == [
            b"* 5 UIDFETCH (BODY[TEXT] {6}\r\nbody\r\n FLAGS (\\Seen))"
        ]
        assert (await client.ok(b"UID SEARCH UNSEEN")).untagged == [b"* SEARCH 3 4"]
        await client.ok(b"UID SEARCH RETURN (SAVE) UNSEEN")
        assert len((await client.ok(b"UID FETCH $ FLAGS")).untagged) == 2
        assert (await client.ok(b"UID SEARCH NOT $")).untagged == [b"* SEARCH 1 5"]


async def test_store_copy_and_expunge(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w)
        said = await client.ok(b"UID STORE 3,5 +FLAGS (\\Deleted)")
        assert said.untagged == [b"* %d UIDFETCH (FLAGS (\\Deleted))" % uid for uid in (3, 5)]
        assert (await client.ok(b"UID EXPUNGE 5")).untagged == [b"* VANISHED 5"]
        assert (await client.ok(b"EXPUNGE")).untagged == [b"* VANISHED 3"]
        said = await client.ok(b"UID MOVE 4 Trash")
        assert said.untagged[1:] == [b"* VANISHED 4"]
        assert b"[COPYUID " in said.untagged[0]
        said = await client.ok(b"UID REPLACE 1 INBOX {%d}" % len(PLAIN), PLAIN)
        assert said.untagged[1:] == [b"* VANISHED 1", b"* 1 EXISTS", b"* 1 RECENT"]
        assert b"[APPENDUID " in said.untagged[0]


async def test_it_hears_of_others(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w)
        other = await w.login()
        await other.ok(b"STORE 2 +FLAGS (\\Flagged)")
        await other.ok(b"UID STORE 5 +FLAGS (\\Deleted)")
        await other.ok(b"EXPUNGE")
        await other.append(PLAIN)
        assert (await client.ok(b"NOOP")).untagged == [
            b"* VANISHED 5", b"* 4 EXISTS", b"* 3 UIDFETCH (FLAGS (\\Flagged))",
        ]  # fmt: skip


async def test_with_condstore_and_qresync(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w, b"QRESYNC")
        (line,) = (await client.ok(b"UID FETCH 5 FLAGS")).untagged
        assert line.startswith(b"* 5 UIDFETCH (FLAGS () MODSEQ (")
        modseq = int(line[line.index(b"MODSEQ (") + 8 : -2])
        (line,) = (await client.ok(b"UID STORE 4 +FLAGS.SILENT (\\Flagged)")).untagged
        assert line.startswith(b"* 4 UIDFETCH (MODSEQ (")
        (line,) = (await client.ok(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % modseq)).untagged
        assert line.startswith(b"* 4 UIDFETCH (FLAGS (\\Flagged) MODSEQ (")
        said = await client.ok(b"UID STORE 3:4 (UNCHANGEDSINCE %d) +FLAGS (\\Seen)" % modseq)
        assert said.code == b"MODIFIED 4"
        await client.ok(b"UNSELECT")
        validity = (await client.ok(b"STATUS INBOX (UIDVALIDITY)")).untagged[0].split()[-1][:-1]
        opening = b"SELECT INBOX (QRESYNC (%b 1 1:9" % validity
        said = await client.ok(opening + b"))")
        assert said.having(b"VANISHED") == [b"* VANISHED (EARLIER) 2"]
        assert said.having(b"UIDFETCH")[0].startswith(b"* 1 UIDFETCH (FLAGS (\\Seen) MODSEQ (")
        assert len(said.having(b"UIDFETCH")) == 4
        assert (await client.bad(opening + b" (1:2 1,3)))")).code == b"UIDREQUIRED"


async def test_it_is_not_qresync_and_ends_with_unauthenticate(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await mailbox(w)
        await client.bad(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)")
        await client.ok(b"UNAUTHENTICATE")
        await client.ok(b'LOGIN ann "%b"' % PASSWORD)
        await client.select()
        assert (await client.ok(b"FETCH 2 FLAGS")).untagged == [b"* 2 FETCH (FLAGS ())"]
