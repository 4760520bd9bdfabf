"""CONDSTORE and QRESYNC (RFC 7162): what is told with mod-sequences, and to whom.

That a client which was away comes back to what there is, test_model.py finds out.
"""

import re
from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.imap import Client, Said, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def filled(client: Client, count: int) -> None:
    for _ in range(count):
        await client.append(PLAIN)


def modseqs(said: Said) -> list[int]:
    return [int(found) for line in said.untagged for found in re.findall(rb"MODSEQ \((\d+)\)", line)]


def highest(said: Said) -> int:
    (found,) = re.findall(rb"\[HIGHESTMODSEQ (\d+)\]", b" ".join([*said.untagged, said.text]))
    return int(found)


async def test_every_select_says_how_far_it_goes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        before = highest(await client.ok(b"EXAMINE INBOX"))
        await filled(client, 2)
        assert highest(await client.ok(b"SELECT INBOX")) > before
        status = await client.ok(b"STATUS INBOX (HIGHESTMODSEQ MESSAGES)")
        assert int(re.findall(rb"HIGHESTMODSEQ (\d+)", status.untagged[-1])[0]) > before


@pytest.mark.parametrize(
    "command",
    [
        b"SELECT INBOX (CONDSTORE)", b"FETCH 1 MODSEQ", b"FETCH 1 FLAGS (CHANGEDSINCE 1)", b"STATUS INBOX (HIGHESTMODSEQ)",
        b"STORE 1 (UNCHANGEDSINCE 0) FLAGS ()", b"SEARCH MODSEQ 1", b"ENABLE CONDSTORE", b"ENABLE QRESYNC",
    ],
)  # fmt: skip
async def test_who_asks_for_mod_sequences_is_told_them_from_then_on(
    sqlite: Database, tmp_path: Path, command: bytes
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(), await w.login()
        await filled(client, 1)
        await client.ok(b"NOOP")
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 1 +FLAGS (\Flagged)")
        (line,) = [line for line in (await client.ok(b"NOOP")).untagged if b"FETCH" in line]
        assert b"MODSEQ" not in line, "it did not ask for it"
        said = await client.ok(command)
        if not command.startswith(b"SELECT"):
            assert highest(said), "of the mailbox that is selected"
        await other.ok(rb"STORE 1 -FLAGS (\Flagged)")
        (line,) = [line for line in (await client.ok(b"NOOP")).untagged if b"FETCH" in line]
        assert re.fullmatch(rb"\* 1 FETCH \(UID 1 FLAGS \([^)]*\) MODSEQ \(\d+\)\)", line)


async def test_only_what_changed_since_is_fetched(databases: list[Database], tmp_path: Path) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        await filled(client, 5)
        since = highest(await client.ok(b"SELECT INBOX (CONDSTORE)"))
        assert (await client.ok(b"FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % since)).untagged == []
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 2,4 +FLAGS (\Seen)")
        await client.ok(b"NOOP")
        said = await client.ok(b"UID FETCH 1:3 (FLAGS) (CHANGEDSINCE %d)" % since)
        assert [line.split()[1] for line in said.untagged] == [b"2"]
        assert modseqs(said)[0] > since
        said = await client.ok(b"FETCH 1:* (ENVELOPE) (CHANGEDSINCE %d)" % since)
        assert [line.split()[1] for line in said.untagged] == [b"2", b"4"]
        assert len(modseqs(said)) == 2
        assert all(b"ENVELOPE (" in line for line in said.untagged)
        said = await client.ok(b"FETCH 1:2 MODSEQ")
        assert modseqs(said)[0] <= since < modseqs(said)[1]
        said = await client.ok(b"SEARCH MODSEQ %d" % (since + 1))
        assert said.untagged == [
            b"* SEARCH 2 4 (MODSEQ %d)" % max(modseqs(await client.ok(b"FETCH 2,4 MODSEQ")))
        ]
        assert (await client.ok(b"UID SEARCH MODSEQ %d FROM nobody" % since)).untagged == [b"* SEARCH"]
        await client.bad(b"UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)")


async def test_a_store_leaves_alone_what_changed_since(databases: list[Database], tmp_path: Path) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        await filled(client, 4)
        since = highest(await client.ok(b"SELECT INBOX (CONDSTORE)"))
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 2 +FLAGS (\Answered)")
        said = await client.ok(rb"STORE 1:3 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\Seen)" % since)
        assert said.text.startswith(b"[MODIFIED 2] ")
        told = [line for line in said.untagged if b"FLAGS" not in line]
        assert [re.match(rb"\* (\d) FETCH \(UID \d MODSEQ \(\d+\)\)\Z", line)[1] for line in told] == [
            b"1",
            b"3",
        ]  # type: ignore[index]
        (news,) = [line for line in said.untagged if b"FLAGS" in line]
        assert news.startswith(rb"* 2 FETCH (UID 2 FLAGS (\Answered"), "why it was left alone"
        await client.ok(b"EXPUNGE")
        said = await client.ok(rb"UID STORE 2:4 (UNCHANGEDSINCE 0) FLAGS (\Deleted)")
        assert said.text.startswith(b"[MODIFIED 2:4] ")
        assert [line for line in said.untagged if b"FLAGS" in line] == []
        said = await client.ok(rb"UID STORE 4 (UNCHANGEDSINCE %d) +FLAGS (\Deleted)" % since)
        assert not said.text.startswith(b"[")
        assert len(modseqs(said)) == 1
        said = await client.ok(b"EXPUNGE")
        assert [line for line in said.untagged if b"EXPUNGE" in line] == [b"* 4 EXPUNGE"]
        assert highest(said) > since


async def test_who_enabled_qresync_hears_which_uids_vanished(
    databases: list[Database], tmp_path: Path
) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        await filled(client, 6)
        await client.bad(b"SELECT INBOX (QRESYNC (1 1))")
        assert (await client.ok(b"ENABLE QRESYNC")).untagged[0] == b"* ENABLED QRESYNC"
        said = await client.ok(b"SELECT INBOX")
        assert said.untagged[0] == b"* OK [CLOSED] The other mailbox is closed"
        since = highest(said)
        validity = int(re.findall(rb"UIDVALIDITY (\d+)", b" ".join(said.untagged))[0])
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 2:3,5 +FLAGS (\Deleted)")
        await other.ok(b"EXPUNGE")
        await other.ok(rb"STORE 1 +FLAGS (\Flagged)")
        said = await client.ok(b"NOOP")
        assert said.untagged[0] == b"* VANISHED 2:3,5"
        assert not any(b"EXPUNGE" in line for line in said.untagged)
        said = await client.ok(b"UID FETCH 1:4 (FLAGS) (CHANGEDSINCE %d VANISHED)" % since)
        assert said.untagged[0] == b"* VANISHED (EARLIER) 2:3"
        assert [line.split()[1] for line in said.untagged[1:]] == [b"1"]

        back = await two.login(None)
        await back.ok(b"ENABLE QRESYNC")
        said = await back.ok(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, since))
        assert said.untagged[-2] == b"* VANISHED (EARLIER) 2:3,5"
        assert re.fullmatch(rb"\* 1 FETCH \(UID 1 FLAGS \(\\Flagged\) MODSEQ \(\d+\)\)", said.untagged[-1])
        said = await back.ok(b"SELECT INBOX (QRESYNC (%d %d 3,6))" % (validity, since))
        assert said.untagged[-1] == b"* VANISHED (EARLIER) 3", "of others it did not ask"
        said = await back.ok(b"SELECT INBOX (QRESYNC (%d %d))" % (validity + 1, since))
        assert not any(b"VANISHED" in line or b"FETCH" in line for line in said.untagged)
