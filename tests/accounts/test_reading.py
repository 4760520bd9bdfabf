"""Fetching: the columns that were asked for, of the messages that were asked for, and no others."""

import os
from pathlib import Path

import pytest

from mailstead.accounts.reading import Columns, Located
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store.database import Database
from tests.support.house import House, house


async def mixed(h: House) -> tuple[UnlockedAccount, bytes]:
    """Messages 1 to 3 absorbed, 4 and 5 waiting in the same row, 301 in the next."""
    await h.move_in()
    account = await h.unlock()
    inbox = await h.inbox(account)
    for n in range(3):
        await h.deliver(f"Subject: {n}\r\n\r\n".encode())
    await account.absorb(inbox)
    for n in range(2):
        await h.deliver(f"Subject: {n + 3}\r\n\r\n".encode())
    await h.database.write(lambda tx: tx.execute("UPDATE mailbox SET uid_next = 301"))
    await h.deliver(b"Subject: far\r\n\r\n")
    return account, inbox


@pytest.mark.parametrize("columns", [Columns.NONE, Columns.A, Columns.B, Columns.BOTH])
async def test_only_what_was_asked_for_is_opened(
    database: Database, tmp_path: Path, columns: Columns
) -> None:
    async with house(database, tmp_path) as h:
        account, inbox = await mixed(h)
        uids = [Uid(u) for u in (301, 2, 4, 3, 77)]
        rows = [row async for row in account.fetch(inbox, uids, columns)]
        assert [[m.uid for m in row] for row in rows] == [[2, 3, 4], [301]]
        whole = {m.uid: m async for m in account.messages(inbox)}
        assert sorted(whole) == [1, 2, 3, 4, 5, 301]
        for m in (m for row in rows for m in row):
            assert Located(m.uid, m.kept, whole[m.uid].a, whole[m.uid].b).state == whole[m.uid].state
            assert m.a == (whole[m.uid].a if columns & Columns.A else None)
            assert m.b == (whole[m.uid].b if columns & Columns.B else None)
        account.close()


async def test_a_column_that_nobody_asks_for_may_be_anything(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        account, inbox = await mixed(h)
        await sqlite.write(lambda tx: tx.execute("UPDATE page SET octets = ? WHERE grp = 1", (b"\0" * 500,)))
        assert [[m.uid for m in row] async for row in account.fetch(inbox, [Uid(1)], Columns.A)] == [[1]]
        with pytest.raises(UnsealError):
            async for _ in account.fetch(inbox, [Uid(1)], Columns.B):
                pass
        account.close()


async def test_a_page_that_names_other_messages_than_its_state_is_refused(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        account, inbox = await mixed(h)
        await sqlite.write(lambda tx: tx.execute("DELETE FROM page WHERE grp = 0"))
        with pytest.raises(UnsealError):
            async for _ in account.fetch(inbox, [Uid(1)], Columns.A):
                pass
        account.close()


async def test_a_body_that_was_expunged_meanwhile_is_no_damage(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        account, inbox = await mixed(h)
        message = await account.locate(inbox, Uid(2))
        await account.expunge(inbox, [Uid(2)])
        with pytest.raises(Refused) as caught:
            async for _ in account.read(message.body):
                pass
        assert caught.value.reason is Reason.NO_SUCH_MESSAGE
        # The control: octets that are missing while the body is still counted are damage.
        message = await account.locate(inbox, Uid(3))
        await database.write(lambda tx: tx.execute("DELETE FROM extent"))
        with pytest.raises(UnsealError):
            async for _ in account.read(message.body):
                pass
        account.close()


async def test_a_body_that_is_expunged_while_it_is_read_is_no_damage(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        await h.deliver(b"Subject: x\r\n\r\n" + os.urandom(300_000).hex().encode())
        account = await h.unlock()
        inbox = await h.inbox(account)
        pieces = account.read((await account.locate(inbox, Uid(1))).body)
        assert await anext(pieces)
        await account.expunge(inbox, [Uid(1)])
        with pytest.raises(Refused) as caught:
            async for _ in pieces:
                pass
        assert caught.value.reason is Reason.NO_SUCH_MESSAGE
        account.close()


async def test_recent_is_told_to_one_session(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        account, inbox = await mixed(h)
        other = await h.unlock()
        assert (await account.status(inbox)).recent > 0
        assert await account.take_recent(inbox) == range(1, 302)
        assert await other.take_recent(inbox) == range(302, 302)
        assert (await account.status(inbox)).recent == 0
        await h.deliver(b"Subject: x\r\n\r\n")
        assert await other.take_recent(inbox) == range(302, 303)
        account.close()
        other.close()
