"""Kept body keys: they open what the page opens, for messages that are there, and are wiped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.flagging import FlagChange
from mailstead.accounts.reading import Columns, Fetched
from mailstead.accounts.states import RowStates
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.mail.flags import How
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database, Work
from tests.support.house import House, house


@asynccontextmanager
async def with_three(
    database: Database, folder: Path, kept: BodyKeys
) -> AsyncIterator[tuple[House, UnlockedAccount, bytes]]:
    """Messages 1 to 3 in a page, and *kept* for the account that has them."""
    async with house(database, folder) as h:
        await h.move_in()
        account = await h.unlock()
        account._online.reader._body_keys = kept
        inbox = await h.inbox(account)
        for n in range(3):
            await h.deliver(b"Subject: %d\r\n\r\n" % n)
        await account.absorb(inbox)
        yield h, account, inbox
        account.close()


async def fetched(account: UnlockedAccount, mailbox: bytes, *uids: int) -> list[Fetched]:
    rows = [row async for row in account.fetch(mailbox, map(Uid, uids), Columns.BODY)]
    return [message for row in rows for message in row]


async def octets(account: UnlockedAccount, message: Fetched) -> bytes:
    return b"".join([piece async for piece in account.read(message.body)])


async def no_pages(database: Database) -> None:
    """Whoever reads a page from here on fails."""
    await database.write(lambda tx: tx.execute("UPDATE page SET octets = ?", (b"\0" * 500,)))


async def test_the_third_body_of_a_row_needs_no_page(database: Database, tmp_path: Path) -> None:
    kept = BodyKeys(4)
    async with with_three(database, tmp_path, kept) as (_, account, inbox):
        first = await fetched(account, inbox, 2)
        assert not kept._rows
        await fetched(account, inbox, 1)
        assert len(kept._rows) == 1
        await no_pages(database)
        third = await fetched(account, inbox, 2, 3)
        assert [m.uid for m in third] == [2, 3]
        assert third[0].body == first[0].body
        assert third[0].size == first[0].size
        assert (await octets(account, third[1])).endswith(b"Subject: 2\r\n\r\n")


async def test_a_change_of_flags_is_seen_and_keeps_the_keys(sqlite: Database, tmp_path: Path) -> None:
    async with with_three(sqlite, tmp_path, BodyKeys(4)) as (_, account, inbox):
        for _n in range(2):
            await fetched(account, inbox, 1)
        await account.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.SEEN))
        await no_pages(sqlite)
        (message,) = await fetched(account, inbox, 1)
        assert isinstance(message.kept, RowStates)
        state = message.kept.get(1)
        assert state is not None
        assert state.flags & SystemFlag.SEEN


async def test_what_was_expunged_is_not_there(database: Database, tmp_path: Path) -> None:
    async with with_three(database, tmp_path, BodyKeys(4)) as (h, account, inbox):
        for _n in range(2):
            await fetched(account, inbox, 1)
        await account.copy(inbox, [Uid(2)], (await account.mailbox("Archive")).id)  # its body stays
        other = await h.unlock()
        await other.expunge(inbox, [Uid(2)])
        assert [m.uid for m in await fetched(account, inbox, 1, 2)] == [1]
        assert await fetched(account, inbox, 2) == []
        other.close()


async def test_what_came_later_is_there_too(sqlite: Database, tmp_path: Path) -> None:
    async with with_three(sqlite, tmp_path, BodyKeys(4)) as (h, account, inbox):
        for _n in range(2):
            await fetched(account, inbox, 1)
        await h.deliver(b"Subject: late\r\n\r\n")
        assert [m.uid for m in await fetched(account, inbox, 3, 4)] == [3, 4], "one is a pending"
        await account.absorb(inbox)
        for _n in range(2):
            late = (await fetched(account, inbox, 3, 4))[1]
            assert (await octets(account, late)).endswith(b"Subject: late\r\n\r\n")
        await no_pages(sqlite)
        assert [m.uid for m in await fetched(account, inbox, 4)] == [4]


async def test_a_mailbox_that_was_deleted_has_none(sqlite: Database, tmp_path: Path) -> None:
    async with with_three(sqlite, tmp_path, BodyKeys(4)) as (_, account, inbox):
        await account.create_mailbox("box")
        box = (await account.mailbox("box")).id
        await account.copy(inbox, [Uid(1)], box)
        for _n in range(3):
            assert [m.uid for m in await fetched(account, box, 1)] == [1]
        await account.delete_mailbox("box")
        assert await fetched(account, box, 1) == []


async def test_rows_are_wiped_when_others_are_kept_and_when_the_account_goes(
    sqlite: Database, tmp_path: Path
) -> None:
    kept = BodyKeys(1)
    async with with_three(sqlite, tmp_path, kept) as (_, account, inbox):
        archive = (await account.mailbox("Archive")).id
        await account.copy(inbox, [Uid(1)], archive)
        key = (await fetched(account, inbox, 1))[0].body.key
        await fetched(account, inbox, 1)
        memory = kept._arena._memory
        assert key in bytes(memory)
        for _n in range(2):
            await fetched(account, archive, 1)
        assert len(kept._rows) == 1
        kept.forget(account.account_id + 1)
        assert len(kept._rows) == 1
        kept.forget(account.account_id)
        assert not kept._rows
        assert not any(memory), "a key is left in memory"
        for _n in range(3):
            assert [m.uid for m in await fetched(account, inbox, 1)] == [1]


async def test_a_row_that_is_wiped_while_it_is_looked_at_is_read_again(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = BodyKeys(1)
    async with with_three(sqlite, tmp_path, kept) as (_, account, inbox):
        for _n in range(2):
            await fetched(account, inbox, 1)
        read = account._online.reader._database.read

        async def late(work: Work[object]) -> object:
            found = await read(work)
            kept.forget(account.account_id)
            return found

        monkeypatch.setattr(account._online.reader._database, "read", late)
        assert [m.uid for m in await fetched(account, inbox, 1)] == [1]


async def test_nothing_is_kept_in_memory_that_may_be_swapped(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailstead.secretmem._map_secret", _ordinary)
    kept = BodyKeys(4)
    async with with_three(sqlite, tmp_path, kept) as (_, account, inbox):
        for _n in range(3):
            await fetched(account, inbox, 1)
        assert not kept._rows


def _ordinary(libc: object, size: int) -> tuple[int, str]:
    import mailstead.secretmem as memory

    address = libc.mmap(  # type: ignore[attr-defined]
        None, size, memory._PROT_READ_WRITE, memory._MAP_PRIVATE_ANONYMOUS, -1, 0
    )
    return int(address), "ordinary"
