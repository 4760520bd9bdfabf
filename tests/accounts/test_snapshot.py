"""Snapshots: shared, cheap to follow, and deaf to absorbing."""

import os
from pathlib import Path

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.news import news
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database
from tests.support.house import house
from tests.support.interrupted import Interrupted

FLAGGED = FlagChange(How.ADD, SystemFlag.FLAGGED)


async def test_without_change_the_snapshot_is_the_same_object(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        await h.deliver(b"Subject: x\r\n\r\n")
        account = await h.unlock()
        inbox = await h.inbox(account)
        first = await account.snapshot(inbox)
        assert await account.snapshot(inbox) is first
        assert await account.absorb(inbox) == 1
        assert await account.snapshot(inbox) is first, "absorbing is no news"
        await account.change_flags(inbox, [Uid(1)], FLAGGED)
        assert await account.snapshot(inbox) is not first
        account.close()


async def test_rows_that_did_not_change_are_shared(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        inbox = await h.inbox(account)
        for _ in range(3):  # the UIDs 1, 301 and 601
            await h.deliver(b"Subject: x\r\n\r\n")
            await database.write(lambda tx: tx.execute("UPDATE mailbox SET uid_next = uid_next + 299"))
        await account.absorb(inbox)
        before = await account.snapshot(inbox)
        assert list(before.uids) == [1, 301, 601]
        await account.change_flags(inbox, [Uid(301)], FLAGGED)
        after = await account.snapshot(inbox)
        assert after.rows[0] is before.rows[0]
        assert after.rows[2] is before.rows[2]
        assert after.rows[1] is not before.rows[1]
        assert after.uids is before.uids, "no message came or went"
        assert news(before, after).changed == [301]
        assert (news(before, after).new, news(before, after).gone) == ([], [])
        account.close()


async def test_flags_of_a_pending_are_sealed_until_somebody_asks(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        inbox = await h.inbox(account)
        await h.put(b"Subject: x\r\n\r\n", inbox, flags=int(SystemFlag.SEEN), keywords=("work",))
        sealed = await account.snapshot(inbox)
        assert sealed.sealed([1]) == {1}
        opened = await account.opened(sealed, [Uid(1)])
        state = opened.get(1)
        assert state is not None
        assert (state.flags, state.keywords) == (SystemFlag.SEEN, {"work"})
        assert not opened.sealed([1])
        assert news(sealed, opened) == news(sealed, sealed), "looking is no news"
        assert (await account.snapshot(inbox)).get(1) == state, "and is done once"
        assert (await account.status(inbox)).unseen == 0
        await account.absorb(inbox)
        again = await account.opened(sealed, [Uid(1)])  # the old one, after it was absorbed
        assert again.get(1) == state
        account.close()


async def test_looking_at_flags_does_not_swallow_a_change(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account, other = await h.unlock(), await h.unlock()
        inbox = await h.inbox(account)
        await h.deliver(b"Subject: x\r\n\r\n")
        sealed = await account.snapshot(inbox)
        await other.change_flags(inbox, [Uid(1)], FLAGGED)
        opened = await account.opened(sealed, [Uid(1)])
        state = opened.get(1)
        assert state is not None
        assert state.flags == SystemFlag.FLAGGED
        assert news(opened, await account.snapshot(inbox)).changed == [1]
        account.close()
        other.close()


async def test_what_waits_in_a_row_that_was_written_is_still_there(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        inbox = await h.inbox(account)
        await h.deliver(b"Subject: x\r\n\r\n")
        trash = (await account.mailbox("Trash")).id
        await account.copy(inbox, [Uid(1)], trash)
        await h.put(b"Subject: y\r\n\r\n", trash, flags=int(SystemFlag.SEEN))
        before = await account.snapshot(trash)
        await account.copy(inbox, [Uid(1)], trash)  # into the row where message 2 waits
        after = await account.snapshot(trash)
        assert (news(before, after).new, news(before, after).gone) == ([3], [])
        assert list(after.uids) == [1, 2, 3]
        account.close()


async def test_status_counts_what_is_absorbed_while_it_counts(database: Database, tmp_path: Path) -> None:
    interrupted = Interrupted(database)
    async with house(database, tmp_path) as h, house(interrupted, tmp_path) as slow:
        await h.move_in()
        for _ in range(3):
            await h.deliver(b"Subject: x\r\n\r\n")
        other, account = await h.unlock(), await slow.unlock()
        inbox = await h.inbox(account)
        interrupted.before_reads = [None, lambda: other.absorb(inbox)]
        status = await account.status(inbox)
        assert not interrupted.before_reads
        assert (status.messages, status.unseen) == (3, 3)
        account.close()
        other.close()


async def test_what_goes_to_quarantine_is_told_like_an_expunge(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        for n in range(3):
            await h.deliver(f"Subject: {n}\r\n\r\n".encode())
        account = await h.unlock()
        inbox = await h.inbox(account)
        await database.write(
            lambda tx: tx.execute("UPDATE pending SET summary = ? WHERE uid = 2", (b"\0" * 600,))
        )
        before = await account.snapshot(inbox)
        assert list(before.uids) == [1, 2, 3]
        tried = await account.opened(before, before.uids)
        assert tried.sealed(before.uids) == {2}, "it stays sealed, and the others are seen"
        assert await account.absorb(inbox) == 3
        after = await account.snapshot(inbox)
        assert news(before, after).gone == [2]
        assert list(after.vanished_since(before.highest_modseq)) == [2]
        assert (await account.status(inbox)).messages == 2
        row = await account.exists(inbox)
        assert row is not None
        assert row.messages == 2
        assert [uid for _, uid, _ in await account.quarantined()] == [2]
        account.close()


async def test_a_change_absorbs_what_arrived_before_and_no_more(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        inbox = await h.inbox(account)
        for _ in range(3):
            await h.deliver(b"Subject: x\r\n\r\n")
            await database.write(lambda tx: tx.execute("UPDATE mailbox SET uid_next = uid_next + 299"))
        await account.change_flags(inbox, [Uid(301)], FLAGGED)
        waiting = await database.read(lambda tx: tx.execute("SELECT uid FROM pending ORDER BY uid"))
        assert [row[0] for row in waiting] == [601], "strictly in the order of arrival"
        snapshot = await account.snapshot(inbox)
        assert list(snapshot.uids) == [1, 301, 601]
        account.close()


async def test_a_strangers_summaries_do_not_stop_absorbing(sqlite: Database, tmp_path: Path) -> None:
    """Too many keywords, and header blocks that would make a page too large to be opened again."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        inbox = await h.inbox(account)
        for n in range(200):
            keywords = (*(f"{n}-{k}" for k in range(40)), "x" * 300)
            header = b"X-Random: " + os.urandom(30_000) + b"\r\n\r\n"
            await h.put(b"Subject: x\r\n\r\n", inbox, keywords=keywords, header=header, header_whole=True)
        assert await account.absorb(inbox) == 200
        found = [m async for m in account.messages(inbox)]
        assert len(found) == 200
        assert not await account.quarantined()
        assert any(m.b.header_whole is False and m.b.described.header == b"" for m in found)
        assert all(len(m.state.keywords) <= 64 for m in found)
        account.close()
