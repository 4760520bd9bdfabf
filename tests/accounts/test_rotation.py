"""Rotation: new keys under mail that flows, the same ways in, and old keys that end."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.keychange import NO_SEED, aged
from mailstead.accounts.login import unlock_root
from mailstead.accounts.logins import Logins
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.resealing import left_to_reseal, reseal_once
from mailstead.accounts.rotation import Rotated, rotate
from mailstead.accounts.waysin import read_ring, root_ring
from mailstead.clock import SystemClock
from mailstead.crypto.keyring import CLOSING, CURRENT, STORE_KEY_ONLY, Epoch, read_key
from mailstead.crypto.slots import SUBMIT_ONLY
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store import accounts as rows
from mailstead.store.accounts import Stale
from mailstead.store.database import Database, Tx
from mailstead.store.epochs import EpochUse, epoch_use
from mailstead.store.records import LostRace
from tests.accounts.test_presence import eventually, worker
from tests.support.house import PASSWORD, House, house

ANN = "ann@b.test"
RIGHT = Credential.password(PASSWORD)


def letter(n: int) -> bytes:
    return b"Subject: letter %d\r\n\r\nbody %d\r\n" % (n, n)


async def resealed(h: House, rotated: Rotated) -> None:
    going = True
    while going:
        try:
            going = await reseal_once(h.database, rotated.keys)
        except LostRace:  # a session wrote one of the rows first, as it may
            continue
    rotated.keys.close()


async def lived_in(h: House, letters: int = 3) -> None:
    """Mail that is absorbed, flags, an expunged message, a mailbox, an annotation; and mail that waits."""
    await h.move_in()
    for n in range(letters):
        await h.deliver(letter(n))
    account = await h.unlock()
    inbox = await h.inbox(account)
    await account.absorb(inbox)
    await account.create_mailbox("work")
    work = (await account.mailbox("work")).id
    await account.copy(inbox, [Uid(1)], work)
    await account.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.FLAGGED, frozenset({"kept"})))
    await account.expunge(inbox, [Uid(2)])
    account.close()
    await h.deliver(letter(letters))


async def test_all_mail_opens_before_while_and_after_it_is_sealed_again(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        expected = {1: letter(0), 3: letter(2), 4: letter(3)}
        rotated = await rotate(h.office, ANN, RIGHT)
        assert (rotated.epoch, rotated.root_gen, rotated.carried_over) == (2, 2, 2)
        await h.deliver(letter(9))
        expected[5] = letter(9)
        account = await h.unlock()
        assert await h.read_all(account) == expected
        account.close()
        assert await left_to_reseal(h.database, rotated.keys) > 0
        keys = rotated.keys
        assert await reseal_once(h.database, keys)
        account = await h.unlock()
        assert await h.read_all(account) == expected, "in the middle of it"
        inbox = await h.inbox(account)
        await account.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.SEEN))
        account.close()
        while await reseal_once(h.database, keys):
            pass
        assert await left_to_reseal(h.database, keys) == 0
        keys.close()
        account = await h.unlock()
        assert await h.read_all(account) == expected
        assert [m.name for m in await account.mailboxes()][-1] == "work"
        found = [m async for m in account.messages(await h.inbox(account))]
        assert found[0].state.keywords == {"kept"}
        assert found[0].state.flags == SystemFlag.FLAGGED | SystemFlag.SEEN
        account.close()


async def test_it_tells_no_program_of_a_change(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        account = await h.unlock()
        await account.absorb(await h.inbox(account))
        account.close()

        def seen(tx: Tx) -> list[object]:
            return [
                tx.execute("SELECT modseq FROM account"),
                tx.execute("SELECT mailbox_id, uid_next, highest_modseq, messages FROM mailbox ORDER BY 1"),
                tx.execute("SELECT mailbox_id, number, max_modseq FROM state ORDER BY 1, 2"),
            ]

        before = await sqlite.read(seen)
        await resealed(h, await rotate(h.office, ANN, RIGHT))
        assert await sqlite.read(seen) == before
        assert not await sqlite.read(lambda tx: tx.execute("SELECT 1 FROM page WHERE epoch <> 2"))
        assert not await sqlite.read(lambda tx: tx.execute("SELECT 1 FROM record WHERE epoch NOT IN (0, 2)"))


async def test_every_way_in_opens_as_before_and_nothing_else_does(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        made = await h.move_in()
        app, sender = await h.app(), await h.app("sender", scope=SUBMIT_ONLY)
        await h.deliver(letter(1))
        rotated = await rotate(h.office, ANN, RIGHT)
        rotated.keys.close()
        for password in (PASSWORD, app):
            account = await h.unlock(password=password)
            assert await h.read_all(account) == {1: letter(1)}
            account.close()
        with pytest.raises(Refused) as caught:
            await h.unlock(password=sender)
        assert caught.value.reason is Reason.OUT_OF_SCOPE, "it is right, and opens no mail"
        again = await rotate(h.office, ANN, Credential.words(" ".join(made.words)))
        assert (again.epoch, again.root_gen, again.carried_over) == (3, 3, 4)
        again.keys.close()


async def test_old_keys_open_nothing_of_the_new(sqlite: Database, tmp_path: Path) -> None:
    """An old copy of a slot, or the root of then: neither keyring of now opens by it."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        old = await root_of(h)
        await resealed(h, await rotate(h.office, ANN, RIGHT))
        account = (await sqlite.read(lambda tx: rows.find_recipient(tx, ANN))).account
        for gens in ((1, 1), (2, 1)):
            key = read_key(old, *gens)
            with pytest.raises(UnsealError):
                await sqlite.read(lambda tx, key=key: read_ring(tx, account, key))
        with pytest.raises(UnsealError):
            await sqlite.read(lambda tx: root_ring(tx, account, old))


async def root_of(h: House) -> bytes:
    unlocked = await unlock_root(h.office, ANN, RIGHT)
    with unlocked.root as root:
        return bytes(root.view)


@pytest.mark.parametrize("harm", ["pin", "missing", "unlisted"])
async def test_a_way_in_that_its_owner_did_not_make_gets_no_key(
    sqlite: Database, tmp_path: Path, harm: str
) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.app()
        sql = {
            "pin": "UPDATE slot SET public_key = (SELECT public_key FROM slot WHERE type = 1) WHERE type = 3",
            "missing": "DELETE FROM slot WHERE type = 3",
            "unlisted": "INSERT INTO slot SELECT account_id, zeroblob(16), 5, header, root_gen, read_gen, not_after,"
            " public_key, blob, tag, scram, mac, created, '', 0 FROM slot WHERE type = 1",
        }[harm]
        await sqlite.write(lambda tx: tx.execute(sql))
        if harm == "unlisted":
            (await rotate(h.office, ANN, RIGHT)).keys.close()
            assert not await sqlite.read(lambda tx: tx.execute("SELECT 1 FROM slot WHERE type = 5"))
            return
        before = await sqlite.read(
            lambda tx: tx.execute("SELECT root_gen, read_gen, epoch, mac FROM account")
        )
        with pytest.raises(Refused) as caught:
            await rotate(h.office, ANN, RIGHT)
        assert caught.value.reason is Reason.DAMAGED
        after = await sqlite.read(lambda tx: tx.execute("SELECT root_gen, read_gen, epoch, mac FROM account"))
        assert after == before, "nothing was changed"


async def test_a_session_of_before_is_fenced_and_writes_nothing(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        account = await h.unlock()
        inbox = await h.inbox(account)
        await resealed(h, await rotate(h.office, ANN, RIGHT))
        with pytest.raises(Stale):
            await account.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.DRAFT))
        with pytest.raises(Stale):
            await account.absorb(inbox)
        account.close()


async def test_mail_flows_while_keys_are_rotated_again_and_again(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        sent = 0
        rotations = [0]

        async def turn() -> None:
            for _ in range(4):
                await resealed(h, await rotate(h.office, ANN, RIGHT))
                rotations[0] += 1

        turning = asyncio.create_task(turn())
        while not turning.done():
            sent += 1
            await h.deliver(letter(sent))
            if sent % 3 == 0:
                try:
                    account = await h.unlock()
                    await account.absorb(await h.inbox(account))
                    account.close()
                except (Stale, Refused):
                    continue
        await turning
        assert rotations == [4]
        account = await h.unlock()
        assert await h.read_all(account) == {n: letter(n) for n in range(1, sent + 1)}
        account.close()


async def test_the_owners_session_goes_on_with_what_was_cut_off(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        rotated = await rotate(h.office, ANN, RIGHT)
    async with worker(sqlite, tmp_path) as w:
        account = await w.login()
        await eventually(lambda: left_to_reseal(sqlite, rotated.keys), 0)
        account.close()
    rotated.keys.close()


DAY = 24 * 3600


def test_an_epoch_goes_when_nothing_needs_it() -> None:
    old = Epoch(1, CLOSING, 0, b"s" * 32, b"k" * 32)
    now = Epoch(2, CURRENT, 1000, b"t" * 32, b"l" * 32)
    both, nothing = EpochUse(seed=True, store_key=True), EpochUse(seed=False, store_key=False)
    assert aged((old, now), {}, 1000 + DAY) == (old, now), "it is being closed"
    assert aged((old, now), {1: both}, 1000 + DAY) == (old, now), "mail waits"
    assert aged((old, now), {1: nothing}, 999 + DAY) == (old, now), "a day has not passed"
    bare = replace(old, state=STORE_KEY_ONLY, xwing_seed=NO_SEED)
    rows_only = EpochUse(seed=False, store_key=True)
    assert aged((old, now), {1: rows_only}, 1000 + DAY) == (bare, now)
    assert aged((old, now), {1: nothing}, 1000 + DAY) == (now,)
    assert aged((bare, now), {1: nothing}, 0) == (now,)


async def test_old_keys_are_erased_with_the_next_change(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        await resealed(h, await rotate(h.office, ANN, RIGHT))
        account = await h.unlock()
        inbox = await h.inbox(account)
        use = await h.database.read(lambda tx: epoch_use(tx, account.account_id, 1))
        assert use == EpochUse(seed=True, store_key=False), "one message waits"
        h.office = replace(h.office, now=lambda: time.time() + DAY + 1)
        await change_password(h.office, ANN, RIGHT, PASSWORD)
        assert await epochs(h) == [1, 2]
        await account.absorb(inbox)
        account.close()
        await change_password(h.office, ANN, RIGHT, PASSWORD)
        assert await epochs(h) == [2]
        account = await h.unlock()
        assert await h.read_all(account) == {1: letter(0), 3: letter(2), 4: letter(3)}
        account.close()


async def epochs(h: House) -> list[int]:
    """Of the root keyring, whose seeds and keys are those of the delivery keys."""
    unlocked = await unlock_root(h.office, ANN, RIGHT)
    with unlocked.root as root:
        ring = await h.database.read(lambda tx: root_ring(tx, unlocked.account, root.view))
    delivery = await h.database.read(lambda tx: rows.epoch_keys(tx, unlocked.account.account_id))
    assert [k.epoch for k in delivery] == [e.number for e in ring.epochs if e.state != STORE_KEY_ONLY]
    return [e.number for e in ring.epochs]


async def test_they_are_erased_when_their_owner_logs_in(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path) as w:
        h = w.house
        await lived_in(h)
        rotated = await rotate(h.office, ANN, RIGHT)
        account = await w.login()
        await account.absorb(await h.inbox(account))
        await eventually(lambda: left_to_reseal(sqlite, rotated.keys), 0)
        account.close()
        rotated.keys.close()
        assert await epochs(h) == [1, 2], "a day has not passed"
        later = replace(w.office, now=lambda: time.time() + DAY + 1)
        w.logins = Logins(later, w.presence, ("b.test",), SystemClock())
        account = await w.login()
        assert await epochs(h) == [2]
        assert await h.read_all(account) == {1: letter(0), 3: letter(2), 4: letter(3)}
        account.close()


async def test_the_first_change_of_a_password_that_somebody_else_set_rotates(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        known = await root_of(h)
        assert await change_password(h.office, ANN, RIGHT, b"my own")
        with pytest.raises(UnsealError):
            account = (await sqlite.read(lambda tx: rows.find_recipient(tx, ANN))).account
            await sqlite.read(lambda tx: root_ring(tx, account, known))
        mine = Credential.password(b"my own")
        assert not await change_password(h.office, ANN, mine, PASSWORD), "he set the one before himself"
        assert await change_password(h.office, ANN, RIGHT, PASSWORD, compromised=True)
        account = await h.unlock()
        assert await h.read_all(account) == {1: letter(0), 3: letter(2), 4: letter(3)}
        account.close()
