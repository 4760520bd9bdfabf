"""Old copies of the database, and what a credential of that time opens: what docs/security.md says, no more."""

import sqlite3
from pathlib import Path

import pytest

from mailstead.accounts.apppasswords import revoke
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.login import session_keys, unlock, unlock_root
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.resealing import reseal_once
from mailstead.accounts.resetting import reset
from mailstead.accounts.rotation import rotate
from mailstead.accounts.waysin import read_ring, root_ring
from mailstead.crypto.keyring import read_key
from mailstead.crypto.sealed import Kind, Sealed
from mailstead.errors import MailError, UnsealError
from mailstead.store import accounts as rows
from mailstead.store import messages
from mailstead.store.database import Database, Tx
from mailstead.store.opening import FILE, StoreSettings, open_database
from mailstead.store.records import get_record
from tests.support.house import PASSWORD, House, house

ANN = "ann@b.test"
NEW = b"quite another one"
RIGHT, LATER = Credential.password(PASSWORD), Credential.password(NEW)
OLD_MAIL, NEW_MAIL = b"Subject: old\r\n\r\nold\r\n", b"Subject: new\r\n\r\nnew\r\n"


class Copy:
    """The database as it was, with all that its credentials open."""

    def __init__(self, folder: Path, h: House) -> None:
        old = folder / "old"
        old.mkdir()
        source, target = sqlite3.connect(h.folder / FILE), sqlite3.connect(old / FILE)
        source.backup(target)
        for connection in (source, target):
            connection.close()
        self.database = open_database(StoreSettings(old))
        self.house = House(self.database, old)

    async def taken(self, credential: Credential) -> tuple[bytes, SessionKeys]:
        """The root, store keys and seeds that somebody takes out of the copy."""
        unlocked = await unlock_root(self.house.office, ANN, credential)
        with unlocked.root:
            root, row = bytes(unlocked.root.view), unlocked.account
        key = read_key(root, row.root_gen, row.read_gen)
        ring = await self.database.read(lambda tx: read_ring(tx, row, key))
        return root, session_keys(self.house.office, row, ring)

    async def close(self) -> None:
        await self.database.close()


async def opens_page(database: Database, keys: SessionKeys) -> bool:
    """Whether keys open the first page of mail as it is stored now."""

    def read(tx: Tx):
        for mailbox_id, number in tx.execute("SELECT mailbox_id, number FROM page WHERE number = 0 LIMIT 1"):
            return mailbox_id, messages.get_page(tx, 1, mailbox_id, number, messages.GROUP_A)
        raise AssertionError("nothing is absorbed")

    mailbox_id, page = await database.read(read)
    try:
        keys.open(Kind.PAGE, mailbox_id, messages.GROUP_A, 0, page)
    except (UnsealError, MailError):
        return False
    return True


async def opens_pending(database: Database, keys: SessionKeys) -> bool:
    """Whether keys open the lane of the mail that came last."""

    def read(tx: Tx):
        ((lane_id, epoch, sealed),) = tx.execute(
            "SELECT lane_id, epoch, sealed FROM lane ORDER BY epoch DESC LIMIT 1"
        )
        return lane_id, epoch, sealed

    lane_id, epoch, sealed = await database.read(read)
    try:
        keys.lane(epoch, lane_id, Sealed(sealed))
    except UnsealError:
        return False
    return True


async def opens_ring(database: Database, root: bytes) -> bool:
    """Whether a root opens the keyring as it is stored now."""

    def read(tx: Tx) -> None:
        account = rows.get_account(tx, 1)
        assert account is not None
        root_ring(tx, account, root)

    try:
        await database.read(read)
    except UnsealError:
        return False
    return True


async def lived_in(h: House) -> None:
    await h.move_in()
    await h.deliver(OLD_MAIL)
    account = await h.unlock()
    await account.absorb(await h.inbox(account))
    account.close()


async def test_a_changed_password_opens_the_same_root_in_an_old_copy(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        await change_password(h.office, ANN, RIGHT, NEW)  # the first one rotates
        copy = Copy(tmp_path, h)
        root, keys = await copy.taken(LATER)
        await change_password(h.office, ANN, LATER, PASSWORD)
        await h.deliver(NEW_MAIL)
        assert await opens_ring(sqlite, root), "a change alone does not end it"
        assert await opens_page(sqlite, keys)
        assert await opens_pending(sqlite, keys)
        await change_password(h.office, ANN, RIGHT, NEW, compromised=True)
        assert not await opens_ring(sqlite, root), "but --compromised does"
        keys.close()
        await copy.close()


async def test_a_rotation_ends_what_an_old_copy_opens_of_what_comes(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        copy = Copy(tmp_path, h)
        root, keys = await copy.taken(RIGHT)
        assert await opens_page(sqlite, keys)
        rotated = await rotate(h.office, ANN, RIGHT)
        assert await opens_page(sqlite, keys), "until it is sealed again"
        while await reseal_once(sqlite, rotated.keys):
            pass
        rotated.keys.close()
        await h.deliver(NEW_MAIL)
        assert not await opens_ring(sqlite, root)
        assert not await opens_page(sqlite, keys)
        assert not await opens_pending(sqlite, keys)
        old = await unlock(copy.house.office, ANN, RIGHT)
        assert list((await copy.house.read_all(old)).values()) == [OLD_MAIL], (
            "what is in the copy is in the copy"
        )
        old.close()
        keys.close()
        await copy.close()


async def test_a_revoked_app_password_opens_old_copies_and_no_new_keyring(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        app = Credential.password(await h.app("phone"))
        copy = Copy(tmp_path, h)
        old = await unlock(copy.house.office, ANN, app)
        keys = old._online.keys
        await revoke(h.office, ANN, RIGHT, "phone")
        await h.deliver(NEW_MAIL)
        with pytest.raises(MailError):
            await unlock(h.office, ANN, app)
        assert list((await copy.house.read_all(old)).values()) == [OLD_MAIL]
        assert await opens_page(sqlite, keys), "store keys once seen stay good"
        assert await opens_pending(sqlite, keys)
        slot = await copy.database.read(
            lambda tx: tx.execute("SELECT * FROM slot WHERE type = 7 ORDER BY slot_id")[0]
        )
        await sqlite.write(
            lambda tx: tx.execute(f"INSERT INTO slot VALUES ({', '.join('?' * len(slot))})", slot)
        )
        with pytest.raises(MailError):
            await unlock(h.office, ANN, app)  # its row put back opens nothing: it is of another generation
        rotated = await rotate(h.office, ANN, RIGHT)
        while await reseal_once(sqlite, rotated.keys):
            pass
        rotated.keys.close()
        await h.deliver(NEW_MAIL)
        assert not await opens_page(sqlite, keys)
        assert not await opens_pending(sqlite, keys)
        old.close()
        await copy.close()


async def test_a_reset_ends_what_an_old_copy_opens_of_what_comes(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        copy = Copy(tmp_path, h)
        root, keys = await copy.taken(RIGHT)
        await reset(h.office, ANN, NEW)
        await h.deliver(NEW_MAIL)
        assert not await opens_ring(sqlite, root)
        assert not await opens_pending(sqlite, keys)
        assert await opens_page(sqlite, keys), "what is locked away is as it was"
        account = await h.unlock(password=NEW)
        record = await sqlite.read(lambda tx: get_record(tx, 1, Kind.MBOXES))
        assert record is not None
        with pytest.raises(MailError):
            keys.open_mboxes(record)
        account.close()
        keys.close()
        await copy.close()
