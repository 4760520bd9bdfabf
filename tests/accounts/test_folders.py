"""Names of mailboxes, on both engines."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.accounts import mboxes
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import ZERO_ID
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import SpecialUse, Uid
from mailstead.store.arrivals import Placed
from mailstead.store.database import Database, Tx
from tests.support.house import house

FIRST = ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"]


@contextlib.contextmanager
def refused(reason: Reason) -> Iterator[None]:
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.reason is reason


async def subscriptions(account: UnlockedAccount) -> list[str]:
    mailboxes, others = await account.names()
    return [m.name for m in mailboxes if m.subscribed] + others


async def test_create_makes_the_levels_above(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        made = await account.create_mailbox("a/b/c")
        found = {m.name: m for m in await account.mailboxes()}
        assert list(found) == [*FIRST, "a", "a/b", "a/b/c"]
        assert found["a/b/c"].id == made
        assert len({m.uid_validity for m in found.values()}) == len(found)
        assert not found["a"].subscribed
        assert found["INBOX"].subscribed
        # One spelling: NFC, INBOX in capitals.
        await account.create_mailbox("e\u0301te\u0301")
        assert (await account.mailbox("\u00e9t\u00e9")).messages == 0
        for name in ("a/b", "inbox", "\u00e9t\u00e9"):
            with refused(Reason.MAILBOX_EXISTS):
                await account.create_mailbox(name)
        for name in ("", "a//b", "/a", "a/", "a\nb", "x" * 1025):
            with pytest.raises(ValueError):
                await account.create_mailbox(name)
        account.close()


async def test_a_special_use_is_one_mailbox_s(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        for use in SpecialUse:
            with refused(Reason.SPECIAL_USE_TAKEN):
                await account.create_mailbox("a", use)
        await account.delete_mailbox("Junk")  # and its name stays, subscribed to
        await account.create_mailbox("a", SpecialUse.JUNK)
        assert (await account.mailbox("a")).special_use is SpecialUse.JUNK
        account.close()


async def test_many_counts_are_those_of_each(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        ids = [m.id for m in await account.mailboxes()]
        for absorbed in (False, True, False):
            await h.deliver(b"Subject: one\r\n\r\nbody\r\n")
            if absorbed:
                await account.absorb(ids[0])
                await account.copy(ids[0], [Uid(1)], ids[2])
            counted = [await account.statuses(ids) for _ in range(2)]
            assert counted[0] == counted[1] == {i: await account.status(i) for i in ids}
        await account.delete_mailbox("Sent")
        assert set(await account.statuses([*ids, b"?" * 16])) == {*ids} - {ids[2]}
        assert await account.statuses([]) == {}
        account.close()


async def test_what_is_below_inbox_in_any_case_is_below_the_one_inbox(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        await account.create_mailbox("inbox/sub")
        await account.create_mailbox("x/deep")
        await account.rename_mailbox("x", "Inbox/y")
        names = [m.name for m in await account.mailboxes()]
        assert sorted(names) == sorted([*FIRST, "INBOX/sub", "INBOX/y", "INBOX/y/deep"])
        with refused(Reason.MAILBOX_EXISTS):
            await account.create_mailbox("INBOX/sub")
        await account.delete_mailbox("iNBOX/y")
        account.close()


async def test_uid_validity_is_new_for_a_name_that_comes_back(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        seen: list[int] = []
        for _ in range(4):
            await account.create_mailbox("a")
            seen.append((await account.mailbox("a")).uid_validity)
            await account.delete_mailbox("a")
        assert seen == sorted(set(seen))
        account.close()


async def test_delete_keeps_what_is_below_and_the_subscription(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        await account.create_mailbox("a/b")
        await account.subscribe("a")
        await account.delete_mailbox("a")
        assert [m.name for m in await account.mailboxes()] == [*FIRST, "a/b"]
        assert "a" in await subscriptions(account)
        with refused(Reason.MAILBOX_HAS_CHILDREN):
            await account.delete_mailbox("a")
        with refused(Reason.NO_SUCH_MAILBOX):
            await account.delete_mailbox("b")
        with refused(Reason.MAILBOX_FIXED):
            await account.delete_mailbox("inbox")
        await account.create_mailbox("a")
        assert (await account.mailbox("a")).subscribed, "it was subscribed to by name"
        await account.subscribe("a", wanted=False)
        await account.subscribe("nowhere")
        await account.subscribe("nowhere")
        assert await subscriptions(account) == [*FIRST, "nowhere"]
        await account.subscribe("nowhere", wanted=False)
        await account.subscribe("nowhere", wanted=False)
        assert await subscriptions(account) == FIRST
        account.close()


def rows_left(tx: Tx) -> dict[str, int]:
    return {
        t: tx.execute(f"SELECT COUNT(*) FROM {t}")[0][0]  # type: ignore[arg-type]
        for t in ("object", "extent", "page", "state", "pending", "lane")
    }


async def test_delete_releases_everything_that_was_in_it(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        for n in range(5):
            await h.deliver(f"Subject: {n}\r\n\r\n".encode())
        inbox = await h.inbox(account)
        work = await account.create_mailbox("work")
        await account.move(inbox, [Uid(1), Uid(2)], work)
        await account.copy(inbox, [Uid(3)], work)
        await h.put(b"Subject: appended\r\n\r\n", work)  # and one that was not absorbed
        assert (await account.status(work)).messages == 4
        await account.delete_mailbox("work")
        assert await account.exists(work) is None
        left = await database.read(rows_left)
        assert left["object"] == left["extent"] == 3
        assert (left["state"], left["page"], left["pending"], left["lane"]) == (1, 2, 0, 0)
        used, octets = await database.read(
            lambda tx: tx.execute("SELECT used_octets, (SELECT SUM(stored_octets) FROM object) FROM account")[
                0
            ]
        )
        assert used == octets
        assert len(await h.read_all(account)) == 3
        account.close()


async def test_mail_to_a_mailbox_that_was_deleted_arrives_in_inbox(
    database: Database, tmp_path: Path
) -> None:
    """Also while its rows are still there, because who deleted it was killed."""
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        work = await account.create_mailbox("work")
        await h.put(b"Subject: before\r\n\r\n", work)
        await account._online.folders.delete("work")  # the names only, as before a crash
        await h.put(b"Subject: after\r\n\r\n", work)
        refusal, placed = await asyncio.gather(  # in one commit group
            h.put(b"Subject: an APPEND\r\n\r\n", work, nowhere_else=True),
            h.put(b"Subject: elsewhere\r\n\r\n", (await account.mailbox("Trash")).id, nowhere_else=True),
        )
        assert refusal is Reason.NO_SUCH_MAILBOX
        assert placed == Placed(1, placed.modseq)
        used, octets = await database.read(
            lambda tx: tx.execute("SELECT used_octets, (SELECT SUM(stored_octets) FROM object) FROM account")[
                0
            ]
        )
        assert used == octets
        assert list((await h.read_all(account)).values()) == [b"Subject: after\r\n\r\n"]
        assert [m.name for m in await account.mailboxes()] == FIRST
        await account.create_mailbox("other")
        await account.delete_mailbox("other")  # purges both
        assert (await database.read(rows_left))["object"] == 2
        account.close()


async def test_rename_takes_along_what_is_below(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        await account.create_mailbox("a/b")
        before = {m.name: m for m in await account.mailboxes()}
        await account.rename_mailbox("a", "x/y")
        after = {m.name: m for m in await account.mailboxes()}
        assert set(after) == {*FIRST, "x", "x/y", "x/y/b"}
        assert (after["x/y"].id, after["x/y/b"].id) == (before["a"].id, before["a/b"].id)
        assert after["x/y"].uid_validity == before["a"].uid_validity
        await account.rename_mailbox("Trash", "Bin")
        assert (await account.mailbox("Bin")).special_use is SpecialUse.TRASH
        assert "Trash" in await subscriptions(account)
        for old, new, why in (
            ("x/y", "Sent", Reason.MAILBOX_EXISTS),
            ("x", "x/z", Reason.MAILBOX_FIXED),
            ("nowhere", "somewhere", Reason.NO_SUCH_MAILBOX),
            ("x", "INBOX", Reason.MAILBOX_EXISTS),
        ):
            with refused(why):
                await account.rename_mailbox(old, new)
        assert {m.name: m.id for m in await account.mailboxes()} == {
            **{n: m.id for n, m in after.items() if n != "Trash"}, "Bin": after["Trash"].id
        }  # fmt: skip
        account.close()


async def test_rename_of_inbox_moves_its_messages(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        await h.deliver(b"Subject: old\r\n\r\n")
        await account.create_mailbox("INBOX/below")
        old = await account.mailbox("INBOX")
        await account.rename_mailbox("inbox", "saved/here")
        saved, inbox = await account.mailbox("saved/here"), await account.mailbox("INBOX")
        assert (saved.messages, saved.special_use) == (1, None)
        assert (inbox.id, inbox.messages, inbox.special_use) == (old.id, 0, SpecialUse.INBOX)
        assert (inbox.uid_validity, inbox.uid_next) == (old.uid_validity, old.uid_next)
        assert (await account.mailbox("INBOX/below")).messages == 0
        await h.deliver(b"Subject: new\r\n\r\n")
        assert list((await h.read_all(account)).values()) == [b"Subject: new\r\n\r\n"]
        assert [m.uid async for m in account.messages(saved.id)] == [1]
        with pytest.raises(Refused, match="MAILBOX_EXISTS"):
            await account.rename_mailbox("INBOX", "saved/here")
        assert len(await h.read_all(account)) == 1
        account.close()


async def test_two_workers_change_names_at_once(databases: list[Database], tmp_path: Path) -> None:
    async with house(databases[0], tmp_path) as one, house(databases[1], tmp_path) as two:
        await one.move_in()
        a, b = await one.unlock(), await two.unlock()
        made = await asyncio.gather(
            *(a.create_mailbox(f"a{n}") for n in range(10)),
            *(b.create_mailbox(f"b{n}") for n in range(10)),
            a.create_mailbox("both"), b.create_mailbox("both"),
            return_exceptions=True,
        )  # fmt: skip
        assert sum(isinstance(m, Refused) for m in made) == 1
        names = {m.name for m in await b.mailboxes()}
        assert names == {*FIRST, "both", *(f"{x}{n}" for x in "ab" for n in range(10))}
        rows = await databases[0].read(lambda tx: tx.execute("SELECT COUNT(*) FROM mailbox"))
        assert rows[0][0] == len(names)
        a.close()
        b.close()


async def test_names_are_not_in_the_database(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        await account.create_mailbox("canary-of-a-name")
        account.close()
        assert not any(b"canary-of-a-name" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    # The control: what is written in clear is found like this.
    await sqlite.write(
        lambda tx: tx.execute("INSERT INTO meta (name, value) VALUES ('canary-in-clear', ?)", (b"",))
    )
    assert any(b"canary-in-clear" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_a_name_without_a_mailbox_survives_encoding() -> None:
    names = [
        mboxes.MailboxName(b"A" * 16, "INBOX", SpecialUse.INBOX),
        mboxes.MailboxName(ZERO_ID, "nowhere", None),
    ]
    assert mboxes.decode(mboxes.encode(names)) == names
    assert [n.exists for n in names] == [True, False]
