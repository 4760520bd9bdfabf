"""COPY and MOVE: bodies are shared, UIDs are never given twice, and nothing is lost between two workers."""

import asyncio
from pathlib import Path

import pytest

from mailstead.accounts import copying
from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.turns import ROWS_AT_ONCE
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database, Tx
from tests.support.house import House, house
from tests.support.interrupted import Interrupted


async def filled(h: House, count: int) -> tuple[UnlockedAccount, bytes, bytes]:
    await h.move_in()
    for n in range(count):
        await h.deliver(f"Subject: {n}\r\n\r\nbody {n}\r\n".encode())
    account = await h.unlock()
    return account, await h.inbox(account), (await account.mailbox("Trash")).id


def stored(tx: Tx) -> tuple[int, int, int]:
    objects, refs, octets = tx.execute("SELECT COUNT(*), SUM(refs), SUM(stored_octets) FROM object")[0]
    ((used,),) = tx.execute("SELECT used_octets FROM account")
    assert used == (octets or 0)
    return objects, refs or 0, used


async def subjects(account: UnlockedAccount, mailbox_id: bytes) -> list[bytes]:
    found = []
    async for m in account.messages(mailbox_id):
        octets = b"".join([piece async for piece in account.read(m.body)])
        found.append(octets[octets.index(b"Subject: ") + 9 :].split(b"\r\n")[0])
    return found


async def test_a_copy_shares_the_body_and_the_quota(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        account, inbox, trash = await filled(h, 3)
        await account.change_flags(inbox, [Uid(2)], FlagChange(How.ADD, SystemFlag.SEEN, frozenset({"work"})))
        before = await database.read(stored)
        copied = await account.copy(inbox, [Uid(2), Uid(3), Uid(9)], trash)
        assert (copied.sources, copied.targets) == ([2, 3], [1, 2])
        objects, refs, used = await database.read(stored)
        assert (objects, refs, used) == (before[0], before[1] + 2, before[2])
        original, copy = await account.locate(inbox, Uid(2)), await account.locate(trash, Uid(1))
        assert (copy.state.flags, copy.state.keywords) == (original.state.flags, original.state.keywords)
        assert copy.state.modseq > original.state.modseq
        assert copy.a.internal_date == original.a.internal_date
        assert (copy.b.object_id, copy.b.key) == (original.b.object_id, original.b.key)
        # The body stays as long as either is there.
        await account.expunge(inbox, [Uid(2)])
        assert await subjects(account, trash) == [b"1", b"2"]
        await account.expunge(trash, [Uid(1)])
        assert (await database.read(stored))[0] == 2
        account.close()


async def test_move_leaves_each_message_in_one_place(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        account, inbox, trash = await filled(h, 4)
        before = await database.read(stored)
        moved = await account.move(inbox, [Uid(1), Uid(3)], trash)
        assert (moved.sources, moved.targets) == ([1, 3], [1, 2])
        assert await subjects(account, inbox) == [b"1", b"3"]
        assert await subjects(account, trash) == [b"0", b"2"]
        again = await account.move(inbox, [Uid(2)], inbox)
        assert (again.sources, again.targets) == ([2], [5])
        assert await subjects(account, inbox) == [b"3", b"1"]
        assert await database.read(stored) == before
        account.close()


async def test_a_target_that_is_gone_changes_nothing(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        account, inbox, trash = await filled(h, 2)
        await account.delete_mailbox("Trash")
        for act in (account.copy, account.move):
            for uids in ([Uid(1)], []):
                with pytest.raises(Refused) as caught:
                    await act(inbox, uids, trash)
                assert caught.value.reason is Reason.NO_SUCH_MAILBOX
        assert await subjects(account, inbox) == [b"0", b"1"]
        account.close()


async def test_copies_end_at_the_most_messages_an_account_may_have(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MOST", 6)
    async with house(database, tmp_path) as h:
        account, inbox, trash = await filled(h, 3)
        uids = [Uid(1), Uid(2), Uid(3)]
        await account.copy(inbox, uids, trash)
        for target in (trash, inbox):
            with pytest.raises(Refused) as caught:
                await account.copy(inbox, uids, target)
            assert caught.value.reason is Reason.OVER_QUOTA
        assert len(await subjects(account, trash)) == len(await subjects(account, inbox)) == 3
        await account.move(inbox, uids, trash)
        assert len(await subjects(account, trash)) == 6, "a move adds none"
        account.close()


async def test_how_far_it_has_come_is_told_after_each_transaction(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        account, inbox, trash = await filled(h, 0)
        for _ in range(ROWS_AT_ONCE + 2):  # each in a row of its own
            await h.deliver(b"Subject: x\r\n\r\n")
            await sqlite.write(lambda tx: tx.execute("UPDATE mailbox SET uid_next = uid_next + 256"))
        uids = [Uid(uid) for uid in (await account.snapshot(inbox)).uids]
        for act in (account.copy, account.move):
            steps: list[int] = []
            await act(inbox, [*uids, Uid(uids[-1] + 1)], trash, steps.append)
            assert steps == [ROWS_AT_ONCE, 2], "of those that were there"
        account.close()


async def test_a_row_of_the_target_that_is_full_of_keywords_takes_none(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        account, inbox, trash = await filled(h, 4)
        for uid in (1, 2, 3, 4):
            many = frozenset(f"k{uid}-{n}" for n in range(60))
            await account.change_flags(inbox, [Uid(uid)], FlagChange(How.ADD, keywords=many))
        await account.copy(inbox, [Uid(u) for u in (1, 2, 3, 4)], trash)
        await account.change_flags(
            inbox, [Uid(1)], FlagChange(How.SET, keywords=frozenset(f"z{n}" for n in range(60)))
        )
        before = await sqlite.read(stored)
        with pytest.raises(Refused) as caught:
            await account.copy(inbox, [Uid(1), Uid(2)], trash)
        assert caught.value.reason is Reason.TOO_MANY_KEYWORDS
        assert len(await subjects(account, trash)) == 4, "none of them"
        assert await sqlite.read(stored) == before
        account.close()


async def test_two_workers_move_and_copy_while_mail_arrives(
    databases: list[Database], tmp_path: Path
) -> None:
    async with house(databases[0], tmp_path) as one, house(databases[1], tmp_path) as two:
        a, inbox, trash = await filled(one, 60)
        b = await two.unlock()
        copies = 0

        async def arrive() -> None:
            for n in range(60, 100):
                assert isinstance((await two.deliver(f"Subject: {n}\r\n\r\nbody {n}\r\n".encode()))[0], str)

        async def move(account: UnlockedAccount, source: bytes, target: bytes) -> None:
            for _ in range(8):
                snapshot = await account.snapshot(source)
                await account.move(source, [Uid(u) for u in snapshot.uids[::2]], target)

        async def copy(account: UnlockedAccount) -> None:
            nonlocal copies
            for _ in range(4):
                snapshot = await account.snapshot(inbox)
                copied = await account.copy(inbox, [Uid(u) for u in snapshot.uids[:2]], trash)
                copies += len(copied.targets)

        await asyncio.gather(arrive(), move(a, inbox, trash), move(b, trash, inbox), copy(b))
        found = await subjects(a, inbox) + await subjects(a, trash)
        assert len(found) == 100 + copies
        assert {int(s) for s in found} == set(range(100)), "a message was lost"
        objects, refs, _ = await databases[0].read(stored)
        assert (objects, refs) == (100, 100 + copies)
        for account in (a, b):
            for mailbox in (inbox, trash):
                snapshot = await account.snapshot(mailbox)
                row = await account.exists(mailbox)
                assert row is not None
                assert row.messages == len(snapshot.uids) == (await account.status(mailbox)).messages
            account.close()


async def test_a_copy_of_what_is_expunged_at_that_moment_has_no_lost_body(
    database: Database, tmp_path: Path
) -> None:
    interrupted = Interrupted(database)
    async with house(database, tmp_path) as h, house(interrupted, tmp_path) as slow:
        other, inbox, trash = await filled(h, 2)
        account = await slow.unlock()
        await account.absorb(inbox)
        interrupted.before_writes = [  # the second try has room for another's modseq
            lambda: other.change_flags(inbox, [Uid(2)], FlagChange(How.ADD, SystemFlag.SEEN)),
            lambda: other.expunge(inbox, [Uid(1)]),
        ]
        copied = await account.copy(inbox, [Uid(1), Uid(2)], trash)
        assert not interrupted.before_writes
        assert copied.sources == [2]
        assert await subjects(account, trash) == [b"1"]
        account.close()
        other.close()


async def test_an_entry_put_into_another_mailbox_by_hand_is_refused(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        account, inbox, trash = await filled(h, 2)
        await account.absorb(inbox)
        for table in ("state", "page"):
            await sqlite.write(
                lambda tx, t=table: tx.execute(f"UPDATE {t} SET mailbox_id = ?", (trash,))  # type: ignore[arg-type]
            )
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE mailbox SET uid_next = 9, messages = 2, highest_modseq = 9 WHERE mailbox_id = ?",
                (trash,),
            )
        )
        with pytest.raises(UnsealError):
            await account.snapshot(trash)
        with pytest.raises(Refused, match="flags of messages 1-256: version 1 found, nothing was written"):
            await account.copy(trash, [Uid(1)], inbox)
        account.close()
