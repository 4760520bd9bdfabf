"""What was set back is not written on, and what does not open stops nothing else."""

import asyncio
from pathlib import Path

import pytest

from mailstead.accounts import resealing
from mailstead.accounts.accessentries import Door
from mailstead.accounts.archives import open_archives
from mailstead.accounts.hashing import Hashing
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.login import unlock, unlock_here
from mailstead.accounts.newways import change_password, set_words
from mailstead.accounts.opening import Credential, open_way
from mailstead.accounts.provision import set_status
from mailstead.accounts.resetting import reset
from mailstead.accounts.rotation import rotate
from mailstead.accounts.sessions import begin_session
from mailstead.crypto import passwords
from mailstead.crypto.keyring import CLOSING, CURRENT, MANIFESTS, Epoch, Ring
from mailstead.errors import MailError, Reason, Refused
from mailstead.mail.mailbox import Uid
from mailstead.secretmem import Arena
from mailstead.store.accounts import DISABLED
from mailstead.store.database import Database
from tests.accounts.test_anchoring import anchor_of
from tests.accounts.test_leaves import SEEN
from tests.accounts.test_presence import QUICK, Worker, eventually, worker
from tests.accounts.test_standing import KEYRING, MBOXES, Rows, dump, load, said_of, verified
from tests.support.house import PASSWORD, House, house

ANN = "ann@b.test"
RIGHT, NEW = Credential.password(PASSWORD), b"a password that is new"


async def used(h: House) -> bytes:
    await h.move_in()
    for n in range(3):
        await h.deliver(b"Subject: %d\r\n\r\n" % n)
    account = await h.unlock()
    inbox = await h.inbox(account)
    await account.absorb(inbox)
    account.close()
    return inbox


def with_box_of(now: Rows, was: Rows, box: bytes) -> Rows:
    """What is there *now*, but for one mailbox."""
    mixed = dict(now)
    for table, column in (("mailbox", 1), ("page", 1), ("state", 1), ("leaf", 1), ("record", 2)):
        others = [row for row in now[table] if row[column] != box]
        mixed[table] = others + [row for row in was[table] if row[column] == box]
    return mixed


async def test_keyrings_that_were_set_back_are_not_written_on(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        inbox = await used(h)
        was = await database.read(dump)
        await h.app("phone")
        now = await database.read(dump)
        rings = [row for row in was["record"] if row[1] == KEYRING]
        await database.write(
            load(now | {"record": [*(row for row in now["record"] if row[1] != KEYRING), *rings]})
        )
        for _ in range(2):
            account = await h.unlock()
            assert "the keys" in str(await said_of(account, inbox))
            account.close()
            with pytest.raises(Refused, match="its keys were set back") as caught:
                await h.app("tablet")
            assert caught.value.reason is Reason.DAMAGED
        account = await h.unlock()
        await account.verifying.accept(await verified(account))
        account.close()
        await h.app("tablet")


async def test_an_account_that_was_set_back_gets_no_other_keys(sqlite: Database, tmp_path: Path) -> None:
    """Its anchor would come to the number that is known of the one that is gone."""
    async with house(sqlite, tmp_path, noted=True) as h:
        inbox = await used(h)
        was = await sqlite.read(dump)
        account = await h.unlock()
        await account.change_flags(inbox, [Uid(1)], SEEN)
        account.close()
        await sqlite.write(load(was))
        for _ in range(2):
            with pytest.raises(Refused, match="version 2 found, 3 was written"):
                await h.app("phone")
            account = await h.unlock()
            assert "by its anchor" in str(await said_of(account, inbox))
            account.close()
        account = await h.unlock()
        await account.verifying.accept(await verified(account))
        account.close()
        await h.app("phone")


async def test_older_names_are_not_believed_of_a_mailbox_that_is_missing(
    sqlite: Database, tmp_path: Path
) -> None:
    """A session that is open would take it for deleted, and forget what it was left like."""
    async with house(sqlite, tmp_path, noted=True) as h:
        inbox = await used(h)
        was = await sqlite.read(dump)
        account = await h.unlock()
        box = await account.create_mailbox("work")
        await account.copy(inbox, [Uid(1)], box)
        now = await sqlite.read(dump)
        mixed = with_box_of(now, was, box)  # which was not there yet
        names = [row for row in was["record"] if row[1] == MBOXES]
        mixed["record"] = [row for row in mixed["record"] if row[1] != MBOXES] + names
        await sqlite.write(load(mixed))
        await account.change_flags(inbox, [Uid(1)], SEEN)
        account.close()
        reader = await h.unlock()
        assert box in (await anchor_of(reader)).mailboxes
        reader.close()


async def test_what_a_reset_ended_stays_so(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path, noted=True) as h:
        await used(h)
        was = await sqlite.read(dump)
        await reset(h.office, ANN, NEW)
        await sqlite.write(load(was))
        with pytest.raises(Refused) as caught:
            await h.unlock()
        assert caught.value.reason is Reason.LOGIN_FAILED


async def test_what_was_set_back_is_not_sealed_again(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch raises a mailbox's counts by one, and enough of them would raise it to where it was."""
    monkeypatch.setattr(resealing, "ROWS_AT_ONCE", 1)
    async with worker(sqlite, tmp_path) as w:
        h = w.house
        await h.move_in()
        for n in range(4):  # rows
            await h.deliver(b"Subject: %d\r\n\r\n" % n)
            await sqlite.write(
                lambda tx: tx.execute("UPDATE mailbox SET uid_next = uid_next + 300 WHERE arrivals > 0")
            )
        account = await h.unlock()
        inbox = await h.inbox(account)
        await account.absorb(inbox)
        first = Uid((await account.snapshot(inbox)).uids[0])
        account.close()
        was = await sqlite.read(dump)
        account = await h.unlock()
        await account.expunge(inbox, [first])
        account.close()
        (await rotate(h.office, ANN, RIGHT)).keys.close()
        await sqlite.write(load(with_box_of(await sqlite.read(dump), was, inbox)))
        session = await w.login()
        assert "all of it" in str(await said_of(session, inbox))
        epochs = "SELECT DISTINCT mailbox_id = ? FROM page WHERE epoch = 1"

        async def old() -> list[tuple[int]]:
            return await sqlite.read(lambda tx: [(int(r[0]),) for r in tx.execute(epochs, (inbox,))])

        await asyncio.sleep(0.3)  # of tidying
        assert await old() == [(1,)]
        session.close()
        account = await h.unlock()
        assert "all of it" in str(await said_of(account, inbox))
        await account.verifying.accept(await verified(account))
        account.close()
        session = await w.login()
        await eventually(old, [])
        session.close()


async def late(w: Worker, change: object) -> None:
    """Somebody whose way in ends between the look at it and his coming in, where others are."""
    await used(w.house)
    await change_password(w.office, ANN, RIGHT, PASSWORD)  # the first change ends all sessions
    one, ended = await w.login(), asyncio.Event()
    await asyncio.sleep(4 * QUICK.look)
    way = await open_way(w.office, ANN, RIGHT)
    await change()  # type: ignore[operator]
    await asyncio.sleep(4 * QUICK.look)
    session = await unlock_here(w.office, w.presence, way, Door.IMAP, ended.set)
    async with asyncio.timeout(5):
        await ended.wait()
    session.close()
    one.close()


async def test_who_comes_in_late_by_an_old_password_does_not_stay(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path) as w:
        await late(w, lambda: change_password(w.office, ANN, RIGHT, NEW))


async def test_who_comes_in_late_to_a_disabled_account_does_not_stay(
    sqlite: Database, tmp_path: Path
) -> None:
    async with worker(sqlite, tmp_path) as w:
        await late(w, lambda: set_status(w.office, ANN, DISABLED))


async def test_a_session_that_begins_while_a_password_is_changed_ends_with_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(sqlite, tmp_path) as h:
        await used(h)
        await change_password(h.office, ANN, RIGHT, PASSWORD)
        begun, run, hashed = [], Hashing.run, 0

        async def slow(self: Hashing, *args: object, **more: object) -> object:
            nonlocal hashed
            found = await run(self, *args, **more)  # type: ignore[arg-type]
            hashed += 1
            if hashed == 2:  # the new one; the transaction is still to come
                begun.append(await begin_session(h.office, ANN, RIGHT, 3600))
            return found

        monkeypatch.setattr(Hashing, "run", slow)
        await change_password(h.office, ANN, RIGHT, NEW)
        with pytest.raises(Refused) as caught:
            await unlock(h.office, ANN, begun[0].credential())
        assert caught.value.reason is Reason.LOGIN_FAILED


async def test_a_number_out_of_its_range_stops_nobody(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path) as w:
        inbox = await used(w.house)
        for table in ("record", "state", "page", "leaf"):
            negative = f"UPDATE {table} SET version = -version"
            await sqlite.write(lambda tx, sql=negative: tx.execute(sql))  # type: ignore[misc]
            for _ in range(2):
                if table == "record":  # the keyrings are among them
                    with pytest.raises(MailError) as caught:
                        await w.login()
                    assert caught.value.reason is Reason.DAMAGED
                else:
                    session = await w.login()
                    assert await verified(session)
                    session.close()
                await w.presence.settle()
                assert w.presence.unlocked() == []
            await sqlite.write(lambda tx, sql=negative: tx.execute(sql))  # type: ignore[misc]
        await sqlite.write(lambda tx: tx.execute("UPDATE record SET version = -1 WHERE kind = 24"))
        session = await w.login()
        assert any(await said_of(session, inbox))
        session.close()


@pytest.mark.parametrize("version", [0, -5, (1 << 63) - 1])
@pytest.mark.parametrize("kind", [23, 24])
async def test_an_account_with_a_version_that_cannot_be_is_accepted(
    sqlite: Database, tmp_path: Path, kind: int, version: int
) -> None:
    async with house(sqlite, tmp_path, noted=True) as h:
        inbox = await used(h)
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE record SET version = ? WHERE kind = ? AND place = ?", (version, kind, bytes(16))
            )
        )
        account = await h.unlock()
        said = await verified(account)
        assert said
        await account.verifying.accept(said)
        account.close()
        account = await h.unlock()
        assert await verified(account) == []
        await account.change_flags(inbox, [Uid(1)], SEEN)
        account.close()


async def test_what_was_deleted_before_a_reset_is_in_nobodys_way(database: Database, tmp_path: Path) -> None:
    """Which bodies it named is known to the keys of before only; they come back, and it goes."""
    async with worker(database, tmp_path) as w:
        h = w.house
        await h.move_in()
        words = Credential.words(" ".join(await change_words(h)))
        account = await h.unlock()
        inbox = await h.inbox(account)
        box = await account.create_mailbox("gone")
        await h.deliver(b"Subject: x\r\n\r\n")
        await account.copy(inbox, [Uid(1)], box)
        await account._online.folders.delete("gone")  # and its server dies before it purges
        account.close()
        await reset(h.office, ANN, NEW)
        for n in range(70):
            await h.deliver(b"Subject: %d\r\n\r\n" % n)
        session = await w.logins.login("ann", NEW, "192.0.2.1", lambda: None)

        async def waiting() -> int:
            found = await database.read(
                lambda tx: tx.execute(
                    "SELECT COUNT(*) FROM pending p JOIN mailbox m ON m.mailbox_id = p.mailbox_id"
                    " WHERE m.uid_validity > 0"
                )
            )
            return int(found[0][0])

        await eventually(waiting, 0)
        session.close()
        assert "put-off" not in w.log.getvalue()
        await open_archives(h.office, ANN, Credential.password(NEW), words)
        session = await w.logins.login("ann", NEW, "192.0.2.1", lambda: None)

        async def deleted() -> int:
            rows = await database.read(
                lambda tx: tx.execute("SELECT 1 FROM mailbox WHERE mailbox_id = ?", (box,))
            )
            return len(rows)

        await eventually(deleted, 0)
        session.close()


async def change_words(h: House) -> tuple[str, ...]:
    words = passwords.new_words()
    await set_words(h.office, ANN, RIGHT, words)
    return words


async def test_a_reset_hashes_once_however_much_mail_comes(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(sqlite, tmp_path) as h:
        await used(h)
        run, hashed = Hashing.run, 0

        async def slow(self: Hashing, *args: object, **more: object) -> object:
            nonlocal hashed
            hashed += 1
            await h.deliver(b"Subject: meanwhile\r\n\r\n")
            return await run(self, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(Hashing, "run", slow)
        async with asyncio.timeout(20):
            await reset(h.office, ANN, NEW)
        assert hashed == 1
        monkeypatch.undo()
        await h.deliver(b"Subject: after\r\n\r\n")
        account = await h.unlock(password=NEW)
        assert len(await h.read_all(account)) == 1
        account.close()


def test_keys_that_have_no_room_take_none() -> None:
    arena = Arena(4)
    epochs = tuple(
        Epoch(n, CURRENT if n == 3 else CLOSING, 0, bytes([n]) * 32, bytes([n]) * 32) for n in (1, 2, 3)
    )
    with pytest.raises(MemoryError):
        SessionKeys(arena, 1, bytes(16), Ring(1, 1, 1, MANIFESTS, 0, epochs), None)  # type: ignore[arg-type]
    held = [arena.take() for _ in range(4)]
    assert len(held) == 4
