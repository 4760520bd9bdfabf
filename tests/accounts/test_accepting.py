"""`verify` and `--accept`: what differs is said, and once its owner knows, he can go on."""

from pathlib import Path

import pytest

from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.accounts.verifying import Difference
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import SystemFlag
from mailstead.store.database import Database, Tx
from tests.accounts.test_leaves import FAR, FLAGGED, SEEN, TAMPERS, lived_in
from tests.support.house import House, house


async def verified(account: UnlockedAccount) -> list[Difference]:
    done: list[tuple[int, int]] = []
    mailboxes, said = await account.verifying.verify(lambda n, of: done.append((n, of)))
    assert done == [(n + 1, mailboxes) for n in range(mailboxes)]
    return said


async def usable(h: House, account: UnlockedAccount, inbox: bytes) -> None:
    """All that is there can be read and changed, mail arrives, and nothing differs."""
    shown = [m.uid async for m in account.messages(inbox)]
    assert list(await h.read_all(account)) == shown
    assert (await account.status(inbox)).messages == len(shown)
    row = await account.exists(inbox)
    assert row is not None
    assert row.messages == len(shown)
    await account.change_flags(inbox, shown, FLAGGED)
    await account.change_flags(inbox, shown, SEEN)
    await account.copy(inbox, shown, inbox)
    await h.deliver(b"Subject: next\r\n\r\n")
    assert await account.absorb(inbox) == 1
    assert len([m async for m in account.messages(inbox)]) == 2 * len(shown) + 1
    await account.expunge(inbox, shown[:1])
    assert await verified(account) == []
    other = await h.unlock()
    assert await verified(other) == []
    other.close()


@pytest.mark.parametrize("how", TAMPERS)
async def test_what_is_accepted_can_be_used(database: Database, tmp_path: Path, how: str) -> None:
    async with house(database, tmp_path) as h:
        inbox, saved = await lived_in(h)
        account = await h.unlock()
        assert await verified(account) == [], "the control"
        before = await h.read_all(account)
        await database.write(TAMPERS[how][0](inbox, saved))
        said = await verified(account)
        assert said
        assert all(str(d).startswith("INBOX, ") for d in said if "account's" not in d.words)
        await account.verifying.accept(said)
        assert await verified(account) == []
        after = await h.read_all(account)
        row = {1, 3, 4}
        lost = {
            "no page": row,
            "another write id": row,
            "the pending": {FAR + 1},
            "the pending and its counter": {FAR + 1},
        }
        assert after == {uid: m for uid, m in before.items() if uid not in lost.get(how, set())}
        assert not await account.quarantined()
        await usable(h, account, inbox)
        account.close()


async def test_what_was_accepted_twice_is_as_it_was(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        inbox, _ = await lived_in(h)
        account = await h.unlock()
        before = await h.read_all(account)
        for _ in range(2):
            await account.verifying.accept([Difference("INBOX", inbox, "nothing")])
        assert await h.read_all(account) == before
        state = (await account.snapshot(inbox)).get(1)
        assert state is not None
        assert state.flags == SystemFlag.SEEN | SystemFlag.FLAGGED
        await usable(h, account, inbox)
        account.close()


async def test_a_message_with_a_uid_of_another_gets_one_of_its_own(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        inbox, _ = await lived_in(h)
        account = await h.unlock()
        await account.absorb(inbox)
        before = await h.read_all(account)
        await database.write(
            lambda tx: tx.execute("UPDATE mailbox SET uid_next = 3 WHERE mailbox_id = ?", (inbox,))
        )
        await h.deliver(b"Subject: twice\r\n\r\n")
        said = await verified(account)
        assert "UIDNEXT: 4 found, there was a message 20001" in [d.words for d in said]
        await account.verifying.accept(said)
        assert await h.read_all(account) == before | {FAR + 2: b"Subject: twice\r\n\r\n"}
        await usable(h, account, inbox)
        account.close()


async def test_a_changed_pending_is_said_without_absorbing_it(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        await database.write(lambda tx: tx.execute("UPDATE pending SET modseq = modseq - 1"))
        account = await h.unlock()
        for _ in range(2):
            assert [str(d) for d in await verified(account)] == [
                f"INBOX, message {FAR + 1}: it is not as it was delivered"
            ]
        await account.verifying.accept(await verified(account))
        assert await verified(account) == []
        assert FAR + 1 in await h.read_all(account)
        account.close()


async def test_mailboxes_that_came_or_went_are_said(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        account = await h.unlock()
        trash = (await account.mailbox("Trash")).id

        def replace(tx: Tx) -> None:
            tx.execute("DELETE FROM leaf WHERE mailbox_id = ?", (trash,))
            tx.execute("UPDATE mailbox SET mailbox_id = ? WHERE mailbox_id = ?", (b"x" * 16, trash))

        await database.write(replace)
        said = [str(d) for d in await verified(account)]
        assert "Trash, the mailbox is missing, with all that was in it" in said
        assert any("the list of mailboxes does not name it" in words for words in said)
        account.close()


async def test_older_data_is_taken_in_when_its_owner_says_so(database: Database, tmp_path: Path) -> None:
    """Numbers without tags, and no leaves: as a migration leaves it."""
    async with house(database, tmp_path) as h:
        await h.move_in()
        for n in range(3):
            await h.deliver(b"Subject: %d\r\n\r\n" % n)
        await database.write(lambda tx: tx.execute("UPDATE pending SET tag = ?", (b"",)))
        await database.write(lambda tx: tx.execute("UPDATE mailbox SET arrival_tag = ?", (b"",)))
        await database.write(lambda tx: tx.execute("DELETE FROM leaf"))
        account = await h.unlock()
        inbox = await h.inbox(account)
        said = await verified(account)
        assert len(said) == len(await account.mailboxes())
        assert {d.words for d in said} == {"leaf 0 is missing: nothing says what was written"}
        await account.verifying.accept(said)
        assert list(await h.read_all(account)) == [1, 2, 3]
        await usable(h, account, inbox)
        account.close()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("state", ["flags of messages 1-256", "flags of messages 19969-20224"]),
        (
            "page",
            [
                f"{what} of messages {where}"
                for what in ("list entries", "keys")
                for where in ("1-256", "19969-20224")
            ],
        ),
    ],
)
async def test_rows_that_claim_to_be_of_keys_to_come_are_said(
    database: Database, tmp_path: Path, table: str, words: list[str]
) -> None:
    async with house(database, tmp_path) as h:
        inbox, _ = await lived_in(h)
        account = await h.unlock()
        await account.absorb(inbox)
        assert await verified(account) == [], "the control"
        await database.write(lambda tx: tx.execute(f"UPDATE {table} SET epoch = 2"))  # type: ignore[arg-type]
        said = await verified(account)
        assert [d.words for d in said] == [
            f"{w}: of a later epoch than 1, which is that of the keys" for w in words
        ]
        if table == "state":
            other = await h.unlock()
            with pytest.raises(UnsealError):
                await other.snapshot(inbox)
            other.close()
        await account.verifying.accept(said)
        assert await verified(account) == []
        await usable(h, account, inbox)
        account.close()
