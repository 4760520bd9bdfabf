"""Logging in: one error for all that can be wrong, at one cost, and no key that is not the owner's."""

from pathlib import Path

import pytest

from mailstead.accounts.login import unlock, unlock_root
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential, open_way
from mailstead.accounts.provision import Office, create_account, set_status
from mailstead.crypto import primitives, slots
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import SlotType
from mailstead.errors import MailError, Reason
from mailstead.mail.address import parse_mailbox
from mailstead.mail.envelope import Envelope
from mailstead.secretmem import Arena, Secret
from mailstead.store import accounts as rows
from mailstead.store.database import Database, Tx
from tests.support.house import CHEAP, PASSWORD, PEER, house


class CountingArena(Arena):
    """Counts the slots taken: one for the secret of each Argon2id run, and one for what it opens."""

    taken = 0

    def take(self, octets: int = 32) -> Secret:
        self.taken += 1
        return super().take(octets)


async def reason(office: Office, address: str, credential: Credential) -> Reason:
    with pytest.raises(MailError) as caught:
        (await open_way(office, address, credential)).release()
    return caught.value.reason


async def test_every_failure_is_one_error_at_one_cost(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(sqlite, tmp_path) as h:
        made = await h.move_in("ann@b.test")
        for address in ("off@b.test", "noway@b.test", "mac@b.test", "swapped@b.test"):
            await create_account(h.office, address, PASSWORD)
        await set_status(h.office, "off@b.test", rows.DISABLED)

        def tamper(tx: Tx) -> None:
            tx.execute("DELETE FROM slot WHERE account_id = 3")
            tx.execute("UPDATE account SET mac = ? WHERE account_id = 4", (bytes(32),))
            tx.execute("UPDATE slot SET mac = ? WHERE account_id = 5", (bytes(32),))

        await sqlite.write(tamper)
        right, wrong = Credential.password(PASSWORD), Credential.password(b"wrong")
        other = (await create_account(h.office, "else@b.test", PASSWORD)).words
        hashed: list[tuple[int, ...]] = []
        argon2id = slots.argon2id

        def counted(password: bytes, salt: bytes, m_kib: int, t: int, *more: object) -> None:
            hashed.append((len(salt), m_kib, t))
            argon2id(password, salt, m_kib, t, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(slots, "argon2id", counted)
        costs: dict[SlotType, set[tuple[int, ...]]] = {SlotType.PASSWORD: set(), SlotType.RECOVERY: set()}
        for address, credential in (
            ("ann@b.test", wrong),
            ("ann@b.test", Credential.words(" ".join(other))),
            ("nobody@b.test", right),
            ("nobody@b.test", Credential.words(" ".join(other))),
            ("off@b.test", right),
            ("noway@b.test", right),
            ("mac@b.test", right),
            ("swapped@b.test", right),
        ):
            arena = CountingArena(8)
            office = Office(sqlite, h.server_key, arena, CHEAP, h.office.now)
            assert await reason(office, address, credential) is Reason.LOGIN_FAILED
            assert (arena.taken, len(hashed)) == (1, 1), address
            costs[credential.type].add(hashed.pop())
        assert [len(cost) for cost in costs.values()] == [1, 1]
        for credential in (right, Credential.words("  ".join(made.words).upper())):
            (await unlock_root(h.office, "ann@b.test", credential)).root.release()


@pytest.mark.parametrize("password", [b"x", b"p" * 1024, b"\xff\xfe", "pässwörd".encode(), b" ", b"a b\tc"])
async def test_a_password_has_any_length_and_octets(
    sqlite: Database, tmp_path: Path, password: bytes
) -> None:
    async with house(sqlite, tmp_path) as h:
        await create_account(h.office, "ann@b.test", password)
        (await h.unlock(password=password)).close()
        with pytest.raises(MailError):
            await h.unlock(password=password[:-1] + b"?")


async def test_who_runs_commands_is_told_that_an_account_is_disabled(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await set_status(h.office, "ann@b.test", rows.DISABLED)
        assert await reason(h.office, "ann@b.test", Credential.password(PASSWORD)) is Reason.LOGIN_FAILED
        for password in (PASSWORD, b"wrong"):
            with pytest.raises(MailError) as caught:
                await unlock_root(h.office, "ann@b.test", Credential.password(password))
            assert caught.value.reason is Reason.ACCOUNT_DISABLED


async def test_words_open_what_an_older_password_no_longer_does(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        made = await h.move_in()
        await h.deliver(b"Subject: kept\r\n\r\n")
        await change_password(h.office, "ann@b.test", Credential.words(" ".join(made.words)), b"another")
        assert await reason(h.office, "ann@b.test", Credential.password(PASSWORD)) is Reason.LOGIN_FAILED
        account = await h.unlock(password=b"another")
        assert list((await h.read_all(account)).values()) == [b"Subject: kept\r\n\r\n"]
        account.close()


async def test_the_owner_finds_a_delivery_key_that_is_not_his(sqlite: Database, tmp_path: Path) -> None:
    """Even one put there by somebody who has server.key, and so can make its MAC."""
    async with house(sqlite, tmp_path) as h:
        made = await h.move_in()
        public = primitives.public_octets(bytes(32))
        mac = h.server_key.rows.epoch_key(made.uuid, 1, 1, 1, public)
        (await h.unlock()).close()
        await sqlite.write(
            lambda tx: tx.execute("UPDATE epoch_key SET public_key = ?, mac = ?", (public, mac))
        )
        with pytest.raises(MailError, match="not this account's") as caught:
            await unlock(h.office, "ann@b.test", Credential.password(PASSWORD))
        assert caught.value.reason is Reason.DAMAGED


async def test_a_session_of_an_older_generation_writes_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(b"Subject: x\r\n\r\n")
        account = await h.unlock()
        inbox = await h.inbox(account)
        await sqlite.write(lambda tx: tx.execute("UPDATE account SET root_gen = root_gen + 1"))
        with pytest.raises(MailError):
            await account.absorb(inbox)
        await sqlite.write(lambda tx: tx.execute("UPDATE account SET root_gen = root_gen - 1"))
        assert await account.absorb(inbox) == 1, "the control: nothing was lost"
        account.close()


async def test_nothing_is_delivered_into_an_epoch_that_is_over(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        made = await h.move_in()
        macs = h.server_key.rows

        def rotate(tx: Tx) -> None:
            ((public,),) = tx.execute("SELECT public_key FROM epoch_key")
            tx.execute(
                "UPDATE account SET epoch = 2, mac = ?", (macs.account(made.uuid, rows.ACTIVE, 2, 1, 1),)
            )
            tx.execute(
                "INSERT INTO epoch_key (account_id, epoch, suite, state, public_key, mac) VALUES (1, 2, 1, 1, ?, ?)",
                (public, macs.epoch_key(made.uuid, 2, 1, 1, public)),
            )

        path = parse_mailbox(b"ann@b.test")
        envelope = Envelope(path, (path,))
        transaction = h.reception.begin(envelope, PEER, [await h.reception.recipient(path, 0)])
        transaction.push(b"Subject: x\r\n\r\n")
        await sqlite.write(rotate)
        await h.reception.deliver(transaction, each=False)
        lanes = await sqlite.read(lambda tx: tx.execute("SELECT DISTINCT epoch FROM lane"))
        assert lanes == [(2,)], "sealed again, to the key that is current"


async def test_another_server_key_opens_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        other = Office(sqlite, ServerKey(bytes(32)), h.office.arena, CHEAP, h.office.now)
        assert await reason(other, "ann@b.test", Credential.password(PASSWORD)) is Reason.LOGIN_FAILED
