"""When the anchor is written, that it only rises, and that nothing honest is taken for a set-back account."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.accounts import anchoring
from mailstead.accounts.anchor import Anchor, open_anchor
from mailstead.accounts.anchoring import Anchoring, noted, set_back, write_anchor
from mailstead.accounts.annotations import SERVER
from mailstead.accounts.archives import open_archives
from mailstead.accounts.flagging import FlagChange
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.resealing import left_to_reseal, reseal_once
from mailstead.accounts.resetting import reset
from mailstead.accounts.rotation import rotate
from mailstead.accounts.standing import read_account
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import Kind
from mailstead.mail.flags import How
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database, Tx
from mailstead.store.ledger import OWN
from tests.accounts.test_leaves import FLAGGED, SEEN
from tests.accounts.test_presence import NEVER, eventually, worker
from tests.accounts.test_standing import dump, load, verified
from tests.support.house import PASSWORD, House, house


async def anchor_of(account: UnlockedAccount) -> Anchor:
    online = account._online
    heads = await online.database.read(lambda tx: read_account(tx, account.account_id))
    assert heads.anchor is not None
    return open_anchor(online.keys, heads.anchor)


async def counts_of(account: UnlockedAccount) -> dict[bytes, tuple[int, bytes]]:
    online = account._online
    heads = await online.database.read(lambda tx: read_account(tx, account.account_id))
    return {box: write for box in heads.mailboxes if (write := heads.counts(box)) is not None}


async def filled(h: House, count: int = 3) -> None:
    await h.move_in()
    for n in range(count):
        await h.deliver(b"Subject: %d\r\n\r\n" % n)
    account = await h.unlock()
    await account.absorb(await h.inbox(account))
    account.close()


async def test_every_write_of_who_is_alone_is_anchored(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await filled(h)
        account = await h.unlock()
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        for write in (
            account.change_flags(inbox, [Uid(1)], SEEN),
            account.copy(inbox, [Uid(1)], trash),
            account.move(inbox, [Uid(2)], trash),
            account.expunge(inbox, [Uid(3)]),
            account.create_mailbox("a"),
            account.annotations.change(SERVER, {"/private/comment": b"x"}),
        ):
            before = await anchor_of(account)
            await write
            after = await anchor_of(account)
            assert after.version == before.version + 1
            assert after.mailboxes == await counts_of(account)
        before = await anchor_of(account)
        await write_anchor(h.database, account._online.keys, None)
        await account.change_flags(inbox, [Uid(1)], SEEN)  # which changes nothing
        assert await anchor_of(account) == before, "when nothing rises, nothing is written"
        account.close()


async def test_the_floor_of_a_deleted_mailbox_goes(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await filled(h)
        account = await h.unlock()
        inbox = await h.inbox(account)
        gone = await account.create_mailbox("Gone")
        await account.copy(inbox, [Uid(1)], gone)
        await account.annotations.change(gone, {"/private/comment": b"x"})
        assert gone in (await anchor_of(account)).mailboxes
        await account.delete_mailbox("Gone")
        assert gone not in (await anchor_of(account)).mailboxes
        assert await verified(account) == []
        account.close()
        account = await h.unlock()
        assert account.damage(gone) == []
        await account.rename_mailbox("INBOX", "old")
        await account.delete_mailbox("old")
        assert await verified(account) == []
        account.close()


async def test_two_sessions_that_write_it_agree_on_the_higher(
    databases: list[Database], tmp_path: Path
) -> None:
    async with house(databases[0], tmp_path) as one, house(databases[1], tmp_path) as two:
        await filled(one)
        sessions = [await h.unlock() for h in (one, two)]
        inbox, trash = await one.inbox(sessions[0]), (await sessions[0].mailbox("Trash")).id
        await sessions[0].copy(inbox, [Uid(1)], trash)
        for n in range(8):
            how = FlagChange(How.ADD if n % 2 else How.REMOVE, SystemFlag.FLAGGED)
            await asyncio.gather(
                sessions[0].change_flags(inbox, [Uid(1)], how),
                sessions[1].change_flags(trash, [Uid(1)], how),
                *(write_anchor(s._online.database, s._online.keys, None) for s in sessions),
            )
        for session in sessions:
            assert (await anchor_of(session)).mailboxes == await counts_of(session)
            assert await verified(session) == []
            session.close()


async def test_a_column_alone_raises_no_floor(database: Database, tmp_path: Path) -> None:
    """Else somebody could have an honest mailbox look older than it was."""
    async with house(database, tmp_path) as h:
        await filled(h)
        account = await h.unlock()
        inbox = await h.inbox(account)
        before = await anchor_of(account)
        for column, kind in (("version", 27), ("version", 23), ("write_id", 27)):

            def change(tx: Tx, column: str = column, kind: int = kind) -> None:
                value = 99 if column == "version" else b"?" * 16
                tx.execute(f"UPDATE record SET {column} = ? WHERE kind = ?", (value, kind))  # type: ignore[arg-type]

            now = await database.read(dump)
            await database.write(change)
            await write_anchor(database, account._online.keys, None)
            assert await anchor_of(account) == before
            await database.write(load(now))
        await account.change_flags(inbox, [Uid(1)], SEEN)
        assert (await anchor_of(account)).version == before.version + 1, "the control"
        account.close()


async def test_what_a_crash_left_without_an_anchor_is_no_difference(sqlite: Database, tmp_path: Path) -> None:
    """Everything is written, and the anchor is as it was before: as when the power went in between."""
    async with house(sqlite, tmp_path, noted=True) as h:
        await filled(h)
        was = [r for r in (await sqlite.read(dump))["record"] if r[1] == Kind.ANCHOR]
        account = await h.unlock()
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        await account.change_flags(inbox, [Uid(1)], FLAGGED)
        await account.move(inbox, [Uid(2)], trash)
        await account.create_mailbox("a/b")
        await account.delete_mailbox("a/b")
        await account.annotations.change(inbox, {"/private/comment": b"x"})
        account.close()
        now = await sqlite.read(dump)
        await sqlite.write(load(now | {"record": [r for r in now["record"] if r[1] != Kind.ANCHOR] + was}))
        quiet = House(sqlite, tmp_path)  # its node had not noted the anchor, either
        account = await quiet.unlock()
        assert await verified(account) == []
        account.close()
        account = await h.unlock()
        (said,) = account.damage(b"")
        assert said.startswith("all of the account, by its anchor"), "the control: this one had"
        account.close()


async def test_no_anchor_follows_on_one_that_was_set_back(database: Database, tmp_path: Path) -> None:
    """Though a session that was there before writes on: with as many it would pass for the last."""
    async with house(database, tmp_path, noted=True) as h:
        await filled(h)
        assert h.ledger is not None
        account = await h.unlock()
        inbox, uuid = await h.inbox(account), account._online.keys.uuid
        was = await database.read(dump)
        heads = await database.read(lambda tx: read_account(tx, account.account_id))
        assert heads.anchor is not None
        assert not set_back(noted(None, uuid), heads.anchor)
        assert not set_back(noted(h.ledger, uuid), heads.anchor)
        await account.change_flags(inbox, [Uid(1)], SEEN)
        assert set_back(noted(h.ledger, uuid), heads.anchor), "it is older than what is noted"
        assert not set_back(noted(h.ledger, uuid), None), "which is said in any case"
        same = replace(heads.anchor, version=heads.anchor.version + 1)
        assert set_back(noted(h.ledger, uuid), same), "it has the number, and is another"
        before = h.ledger.of(uuid)
        await database.write(load(was))
        for note in (b"x", b"y"):
            await account.annotations.change(SERVER, {"/private/comment": note})
        assert h.ledger.of(uuid) == before, "nothing was written"
        other = await h.unlock()
        (words,) = other.damage(inbox)
        assert words.startswith("all of the account, by its anchor: version ")
        await other.verifying.accept(await verified(other))
        await account.annotations.change(SERVER, {"/private/comment": b"z"})
        after = h.ledger.of(uuid).anchor
        assert after is not None
        assert after.tag != (before.anchor and before.anchor.tag), "the control: now it is"
        for session in (account, other):
            session.close()


async def test_in_a_worker_it_is_written_later(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await filled(w.house)
        account = await w.login()
        inbox = await w.house.inbox(account)
        before = await anchor_of(account)
        await account.change_flags(inbox, [Uid(1)], SEEN)
        await asyncio.sleep(anchoring.SOON + 0.3)
        assert await anchor_of(account) == before, "flags alone wait for a minute"
        assert (await verified(await w.house.unlock())) == []
        await account.expunge(inbox, [Uid(2)])

        async def floors() -> object:
            return (await anchor_of(account)).mailboxes

        await eventually(floors, await counts_of(account), 5)
        account.close()


async def test_who_leaves_last_anchors_and_wipes_his_keys(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await filled(w.house)
        reader = await w.house.unlock()
        inbox = await w.house.inbox(reader)
        free = len(w.office.arena._free)
        one, two = await w.login(), await w.login()
        await one.change_flags(inbox, [Uid(1)], SEEN)
        one.close()
        await w.presence.settle()
        assert (await anchor_of(reader)).mailboxes != await counts_of(reader)
        two.close()
        await w.presence.settle()
        assert (await anchor_of(reader)).mailboxes == await counts_of(reader)
        w.logins._memory.remembered.forget_account(reader.account_id)
        assert len(w.office.arena._free) == free, "a key is left in memory"
        again = await w.login()
        version = (await anchor_of(reader)).version
        again.close()
        await w.presence.settle()
        assert (await anchor_of(reader)).version == version, "who wrote nothing anchors nothing"
        reader.close()


async def test_who_leaves_while_it_is_written_has_it_written(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await filled(w.house)
        reader = await w.house.unlock()
        inbox = await w.house.inbox(reader)
        free = len(w.office.arena._free)
        for n, held in enumerate((False, True)):  # also while another one writes
            account = await w.login()
            before = (await anchor_of(reader)).version
            await account.change_flags(inbox, [Uid(1)], (SEEN, FLAGGED)[n])
            busy = asyncio.create_task(sqlite.write(lambda tx, held=held: held and time.sleep(0.2)))
            await asyncio.sleep(0.05)
            anchors = account._online.anchoring
            anchors.wrote(soon=True)
            anchors._at = 0.0
            while anchors.due:
                await asyncio.sleep(0)
            account.close()
            await w.presence.settle()
            await busy
            assert (await anchor_of(reader)).version == before + 1
            assert (await anchor_of(reader)).mailboxes == await counts_of(reader)
        w.logins._memory.remembered.forget_account(reader.account_id)
        assert len(w.office.arena._free) == free, "a key is left in memory"
        reader.close()


async def test_what_is_wrong_with_one_account_ends_no_worker(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(*_: object) -> None:
        raise RuntimeError

    async with worker(sqlite, tmp_path, NEVER) as w:
        await filled(w.house)
        account = await w.login()
        inbox = await w.house.inbox(account)
        await account.change_flags(inbox, [Uid(1)], SEEN)
        monkeypatch.setattr("mailstead.accounts.anchoring.write_anchor", wrong)
        account.close()
        await w.presence.settle()
        monkeypatch.undo()
        assert '"presence.anchor.failed"' in w.log.getvalue()
        w.log.seek(0)
        w.log.truncate()
        again = await w.login()
        await again.change_flags(inbox, [Uid(1)], SEEN)
        again.close()
        await w.presence.settle()
        reader = await w.house.unlock()
        assert (await anchor_of(reader)).mailboxes == await counts_of(reader), "it goes on"
        reader.close()


async def test_an_anchor_that_nobody_came_to_noting_is_noted(database: Database, tmp_path: Path) -> None:
    """It was committed when whoever wrote it was cancelled, or died."""
    async with house(database, tmp_path, noted=True) as h:
        await filled(h)
        assert h.ledger is not None
        account = await h.unlock()
        keys, inbox = account._online.keys, await h.inbox(account)
        account._online.ledger = None
        account._online.anchoring = Anchoring(database, keys, None)
        await account.change_flags(inbox, [Uid(1)], SEEN)
        written = await anchor_of(account)
        last = h.ledger.of(keys.uuid).anchor
        assert last is not None
        assert last.number == written.version - 1
        for _ in range(2):
            await write_anchor(database, keys, h.ledger)
            after = h.ledger.of(keys.uuid).anchor
            assert after is not None
            assert after.number == written.version
            assert after.tag == (await database.read(lambda tx: read_account(tx, 1).anchor)).write_id
            size = (tmp_path / "ledger" / OWN).stat().st_size
            assert await anchor_of(account) == written
        await write_anchor(database, keys, h.ledger)
        assert (tmp_path / "ledger" / OWN).stat().st_size == size, "once"
        account.close()


async def test_a_session_hears_that_its_owner_has_accepted(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await filled(w.house)
        now = await sqlite.read(dump)
        await sqlite.write(load(now | {"record": [r for r in now["record"] if r[1] != Kind.ANCHOR]}))
        account = await w.login()
        inbox = await w.house.inbox(account)
        assert account.damage(inbox) == ["the anchor is missing: nothing says how far the account had come"]
        assert "the anchor is missing" in w.log.getvalue()
        owner = await w.house.unlock()
        await owner.verifying.accept(await verified(owner))
        owner.close()
        await account.snapshot(inbox)
        assert account.damage(inbox) == []
        await account.change_flags(inbox, [Uid(1)], SEEN)
        account.close()


async def test_keys_and_rotation_take_it_along(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        await filled(h)
        account = await h.unlock()
        await account.annotations.change(SERVER, {"/private/comment": b"x"})
        account.close()
        mine = Credential.password(PASSWORD)
        await h.app()
        await change_password(h.office, "ann@b.test", mine, PASSWORD, compromised=True)
        account = await h.unlock()
        first = await anchor_of(account)
        assert first.keyring == 3  # made; the app password; another password and rotated
        assert await verified(account) == []
        account.close()
        rotated = await rotate(h.office, "ann@b.test", mine)
        account = await h.unlock()
        assert (await anchor_of(account)).keyring == 4
        await account.create_mailbox("while it goes on")
        while await reseal_once(database, rotated.keys):
            other = await h.unlock()
            assert await verified(other) == []
            other.close()
        assert await left_to_reseal(database, rotated.keys) == 0
        rotated.keys.close()
        epochs = await database.read(
            lambda tx: tx.execute("SELECT DISTINCT epoch FROM record WHERE epoch > 0")
        )
        assert epochs == [(3,)], "all of it is under the present key"
        assert await verified(account) == []
        await account.annotations.change(SERVER, {"/private/comment": b"y"})
        account.close()


async def test_keys_set_back_before_a_rotation_are_said(database: Database, tmp_path: Path) -> None:
    """With all rows that say which keys there are, so that the old password opens the old root."""
    async with house(database, tmp_path) as h:
        await filled(h)
        was = await database.read(dump)
        mine = Credential.password(PASSWORD)
        (await rotate(h.office, "ann@b.test", mine)).keys.close()
        now = await database.read(dump)
        (await h.unlock()).close()
        back = dict(now)
        for table in ("account", "epoch_key", "slot"):
            back[table] = was[table]
        rings = [r for r in was["record"] if r[1] == Kind.KEYRING]
        back["record"] = [r for r in now["record"] if r[1] != Kind.KEYRING] + rings
        await database.write(load(back))
        account = await h.unlock()
        inbox = await h.inbox(account)
        words = "the anchor: of a later epoch than 1, which is that of the keys"
        assert account.damage(inbox) == [words]
        assert len(await h.read_all(account)) == 3, "what was sealed before can be read"
        assert [d.words for d in await verified(account)] == [words]
        account.close()


async def test_a_reset_and_what_it_locked_away_are_no_difference(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        new = await h.move_in()
        for n in range(3):
            await h.deliver(b"Subject: %d\r\n\r\n" % n)
        account = await h.unlock()
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        await account.copy(inbox, [Uid(1)], trash)
        await account.annotations.change(SERVER, {"/private/comment": b"then"})
        await account.annotations.change(trash, {"/private/comment": b"of the trash"})
        before = (await anchor_of(account)).version
        account.close()
        await reset(h.office, "ann@b.test", b"a third one")
        account = await h.unlock(password=b"a third one")
        assert (await anchor_of(account)).version > before, "versions go on"
        assert await verified(account) == []
        await account.create_mailbox("after it")
        account.close()
        await h.deliver(b"Subject: after\r\n\r\n")
        credential = Credential.password(b"a third one")
        await open_archives(h.office, "ann@b.test", credential, Credential.words(" ".join(new.words)))
        account = await h.unlock(password=b"a third one")
        assert await verified(account) == []
        assert await account.annotations.of(trash) == {"/private/comment": b"of the trash"}
        while await reseal_once(database, account._online.keys):
            pass
        assert await verified(account) == []
        await account.annotations.change(trash, {"/private/comment": b"now"})
        await account.change_flags(inbox, [Uid(1)], SEEN)
        assert inbox in (await anchor_of(account)).mailboxes
        assert await verified(account) == []
        account.close()
