"""App passwords: what each opens, what none does, and that one that is revoked opens nothing."""

import asyncio
from base64 import b32encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from mailstead.accounts import apppasswords, opening
from mailstead.accounts.apppasswords import add_app_password, revoke, ways_in
from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.namedmailboxes import NamedMailboxes
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential, OpenedWay, open_way
from mailstead.accounts.provision import create_account, set_status
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.accounts.waysin import read_ring
from mailstead.crypto import slots
from mailstead.crypto.apppasswords import new_app_password
from mailstead.crypto.slots import MAIL, READ_ONLY, SUBMIT_ONLY, Scope, SlotType
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store import accounts as rows
from mailstead.store.accounts import Stale
from mailstead.store.database import Database, Tx
from mailstead.store.slots import slots as stored_slots
from tests.accounts.test_login import CountingArena
from tests.accounts.test_presence import NEVER, QUICK, eventually, worker
from tests.support.house import PASSWORD, House, house

RIGHT = Credential.password(PASSWORD)
MAIL_OF_ANN = b"Subject: hers\r\n\r\nbody\r\n"
ANN = "ann@b.test"


async def reason(work: Awaitable[object]) -> Reason:
    with pytest.raises(MailError) as caught:
        await work
    return caught.value.reason


async def opens(h: House, password: bytes, address: str = ANN) -> OpenedWay:
    return await open_way(h.office, address, Credential.password(password))


async def test_one_for_all_reads_what_was_delivered_and_writes(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        await h.deliver(MAIL_OF_ANN)
        account = await h.unlock(password=await h.app())
        inbox = await h.inbox(account)
        assert await account.absorb(inbox) == 1
        assert list((await h.read_all(account)).values()) == [MAIL_OF_ANN]
        await account.create_mailbox("work")
        await account.change_flags(inbox, [Uid(1)], FlagChange(How.ADD, SystemFlag.FLAGGED))
        assert account.writable
        account.close()
        account = await h.unlock()
        assert [m.name for m in await account.mailboxes()][-1] == "work", "as the owner sees it"
        account.close()


async def test_what_only_reads_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(MAIL_OF_ANN)
        account = await h.unlock(password=await h.app(scope=READ_ONLY))
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        assert list((await h.read_all(account)).values()) == [MAIL_OF_ANN]
        await account.status(inbox)
        await account.snapshot(inbox)
        await account.absorb(inbox)
        before = await sqlite.read(changeable)
        one = [Uid(1)]
        changes: dict[str, Callable[[], Awaitable[object]]] = {
            "create_mailbox": lambda: account.create_mailbox("x"),
            "delete_mailbox": lambda: account.delete_mailbox("Trash"),
            "rename_mailbox": lambda: account.rename_mailbox("INBOX", "x"),
            "subscribe": lambda: account.subscribe("x"),
            "change_flags": lambda: account.change_flags(inbox, one, FlagChange(How.ADD, SystemFlag.SEEN)),
            "expunge": lambda: account.expunge(inbox, one),
            "copy": lambda: account.copy(inbox, one, trash),
            "move": lambda: account.move(inbox, one, trash),
            "take_recent": lambda: account.take_recent(inbox),
            "replacing": lambda: _replaced(account, inbox),
        }
        for name, change in changes.items():
            assert await reason(change()) is Reason.READ_ONLY, name
        assert await sqlite.read(changeable) == before
        account.close()
        reading = {"addresses", "now", "quota", "close", "mailboxes", "names", "mailbox", "annotations", "status",
            "statuses", "exists", "snapshot", "opened", "watch", "fetch", "messages", "locate", "open_row", "read", "orders",
            "read_small", "look_up", "absorb", "access_log", "quarantined", "glimpse", "alerts", "damage", "verifying", "account_id", "require_write"}  # fmt: skip
        public = {n for c in (UnlockedAccount, NamedMailboxes) for n in vars(c) if not n.startswith("_")}
        assert public == reading | set(changes), "whatever is new is one or the other"


async def _replaced(account: UnlockedAccount, mailbox_id: bytes) -> object:
    return await account.replacing(mailbox_id, Uid(1)).by(lambda _: None)


def changeable(tx: Tx) -> list[object]:
    return [
        tx.execute("SELECT version, octets FROM record ORDER BY kind, place, object_id"),
        tx.execute("SELECT octets FROM page"), tx.execute("SELECT octets FROM state"),
        tx.execute("SELECT mailbox_id, uid_validity, uid_next, recent_uid, messages FROM mailbox ORDER BY 1"),
        tx.execute("SELECT modseq FROM account"),
    ]  # fmt: skip


async def test_what_only_sends_opens_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        password = await w.house.app(scope=SUBMIT_ONLY)
        (row,) = [r for r in await sqlite.read(lambda tx: stored_slots(tx, 1)) if r.locator]
        assert (row.blob, row.public_key) == (b"", b""), "there is nothing to open, whoever has the password"
        way = await opens(w.house, password)
        assert (way.payload, way.scope) == (None, Scope.SUBMIT)
        assert await reason(w.house.unlock(password=password)) is Reason.OUT_OF_SCOPE
        assert (await w.logins.prove("ann", password, "192.0.2.1")).what.addresses >= {ANN}
        with pytest.raises(Refused) as caught:
            await w.logins.login("ann", password, "192.0.2.1", print)
        assert caught.value.reason is Reason.OUT_OF_SCOPE
        only_reads = await w.house.app("reader", READ_ONLY)
        assert await reason(w.logins.prove("ann", only_reads, "192.0.2.1")) is Reason.OUT_OF_SCOPE
        both = await w.house.app("both")
        assert (await w.logins.prove("ann", both, "192.0.2.1")).what.not_after == 0


async def test_each_opens_its_own_slot_only(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        await h.move_in("ben@b.test")
        mine = {name: await h.app(name) for name in ("phone", "laptop", "tablet")}
        bens = await h.app(address="ben@b.test")
        for name, password in mine.items():
            way = await opens(h, password)
            assert way.slot.locator.encode() == password[4:8], name
            way.release()
        other = new_app_password(set()).octets
        mixed = mine["phone"][:8] + mine["laptop"][8:]
        for wrong in (bens, other, mixed, mine["phone"].upper(), mine["phone"] + b" ", mine["phone"][:-1]):
            assert await reason(opens(h, wrong)) is Reason.LOGIN_FAILED, wrong


async def test_what_has_the_form_of_one_costs_no_argon2id(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        for address in ("off@b.test", "none@b.test", "mac@b.test", "late@b.test", "swap@b.test"):
            await create_account(h.office, address, PASSWORD)
        right = await h.app()
        late = await h.app(not_after=int(h.office.now()) + 60, address="late@b.test")
        off = await h.app(address="off@b.test")
        await set_status(h.office, "off@b.test", rows.DISABLED)
        spoiled = await h.app(address="mac@b.test")
        stretched = await h.app(not_after=int(h.office.now()) + 60, address="swap@b.test")
        await h.app("another")

        def tamper(tx: Tx) -> None:
            tx.execute("UPDATE slot SET mac = ? WHERE account_id = 4 AND locator <> ''", (bytes(32),))
            (row,) = [r for r in stored_slots(tx, 6) if r.locator]
            (uuid,) = [a.uuid for a in rows.list_accounts(tx) if a.account_id == 6]
            mac = h.server_key.rows.slot(
                uuid, row.header, (1, 1), row.not_after + 1000, row.public_key, row.blob, row.tag, row.scram
            )  # somebody who has server.key
            tx.execute(
                "UPDATE slot SET not_after = not_after + 1000, mac = ? WHERE slot_id = ?", (mac, row.slot_id)
            )

        await sqlite.write(tamper)
        object.__setattr__(h.office, "now", lambda now=h.office.now: now() + 61)
        argon, quick = [], []
        argon2id, scram_keys = slots.argon2id, opening.scram_keys
        monkeypatch.setattr(slots, "argon2id", lambda *a: (argon.append(a), argon2id(*a)))
        monkeypatch.setattr(opening, "scram_keys", lambda *a: (quick.append(len(a[1])), scram_keys(*a))[1])
        other = new_app_password(set()).octets
        same_locator = right[:8] + other[8:-2]
        same_locator += b32encode(sha256(same_locator).digest()).lower()[:2]
        for address, password in (
            (ANN, right[:8] + other[8:-2]), (ANN, b"wrong"), (ANN, PASSWORD.upper()), ("nobody@b.test", b"x"),
            (ANN, right + b"a"),
        ):  # fmt: skip
            assert await reason(opens(h, password, address)) is Reason.LOGIN_FAILED
        assert (len(argon), quick) == (5, []), "what is no app password is hashed, and only that"
        argon.clear()
        object.__setattr__(h.office, "arena", CountingArena(8))
        for at, (address, password) in enumerate(
            (
                (ANN, other), ("nobody@b.test", right), ("none@b.test", right), ("off@b.test", off),
                ("mac@b.test", spoiled), ("late@b.test", late), ("swap@b.test", stretched), (ANN, same_locator), (" ", right),
            )
        ):  # fmt: skip
            assert await reason(opens(h, password, address)) is Reason.LOGIN_FAILED, address
            assert (h.office.arena.taken, quick) == (at + 1, [16] * (at + 1)), address  # type: ignore[attr-defined]
        assert not argon
        (await opens(h, right)).release()


async def test_it_opens_until_it_expires_and_its_sessions_end_with_it(
    sqlite: Database, tmp_path: Path
) -> None:
    async with worker(sqlite, tmp_path, QUICK) as w:
        await w.house.move_in()
        ahead = 0
        now = w.office.now
        for office in (w.office, w.house.office):
            object.__setattr__(office, "now", lambda: now() + ahead)
        w.presence._clock.now = lambda: now() + ahead  # type: ignore[method-assign]
        password = await w.house.app(not_after=int(now()) + 1000)
        ended, other = asyncio.Event(), asyncio.Event()
        one = await w.logins.login("ann", password, "192.0.2.1", ended.set)
        two = await w.login(other)
        proof = (await w.logins.prove("ann", password, "192.0.2.1")).what
        assert await w.logins.stands(proof)
        ahead = 1001
        async with asyncio.timeout(10):
            await ended.wait()
        assert not other.is_set()
        assert not await w.logins.stands(proof)
        assert await reason(w.logins.login("ann", password, "192.0.2.1", print)) is Reason.LOGIN_FAILED
        one.close()
        two.close()


async def test_the_day_of_its_last_use_is_noted_once_a_day(database: Database, tmp_path: Path) -> None:
    async with worker(database, tmp_path, NEVER) as w:
        await w.house.move_in()
        password = await w.house.app()
        writes = 0
        write = database.write

        async def counted(work):
            nonlocal writes
            writes += 1
            return await write(work)

        database.write = counted  # type: ignore[method-assign]
        version = await database.read(lambda tx: rows.access(tx, 1))
        for _ in range(3):
            (await w.logins.login("ann", password, "192.0.2.1", print)).close()
        await w.logins.prove("ann", password, "192.0.2.1")
        (await w.login()).close()
        assert writes == 1
        assert await database.read(lambda tx: rows.access(tx, 1)) == version, "no session hears of it"
        (used,) = [r.last_used for r in await database.read(lambda tx: stored_slots(tx, 1)) if r.locator]
        assert used == int(w.office.now()) // 86400 * 86400
        now = w.office.now
        object.__setattr__(w.office, "now", lambda: now() + 86400)
        (await w.logins.login("ann", password, "192.0.2.1", print)).close()
        assert writes == 2


async def test_it_changes_no_keys(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        for scope in (MAIL, READ_ONLY, SUBMIT_ONLY):
            mine = Credential.password(await h.app(f"{scope!r}", scope))
            for change in (
                change_password(h.office, ANN, mine, b"another"),
                add_app_password(h.office, ANN, mine, "more"),
                revoke(h.office, ANN, mine, "password"),
                ways_in(h.office, ANN, mine),
            ):
                assert await reason(change) is Reason.OUT_OF_SCOPE
        assert len(await ways_in(h.office, ANN, RIGHT)) == 5


async def test_a_password_that_looks_like_one_is_not_taken(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        words = Credential.words(" ".join((await h.move_in()).words))
        with pytest.raises(ValueError, match="form of an app password"):
            await create_account(h.office, "ben@b.test", new_app_password(set()).octets)
        with pytest.raises(ValueError, match="form of an app password"):
            await change_password(h.office, ANN, words, new_app_password(set()).octets)


async def test_what_is_revoked_opens_nothing_and_the_others_go_on(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        made = await h.move_in()
        await h.deliver(MAIL_OF_ANN)
        lost, kept, sends = await h.app("lost"), await h.app("kept"), await h.app("sends", SUBMIT_ONLY)
        old_key = (await opens(h, lost)).into_read_key(h.office.arena)
        gone = await revoke(h.office, ANN, RIGHT, "lost")
        assert (gone.name, gone.id.encode()) == ("lost", lost[4:8])
        assert await reason(opens(h, lost)) is Reason.LOGIN_FAILED

        def with_old_key(tx: Tx) -> None:
            account = rows.get_account(tx, 1)
            assert account is not None
            assert (account.root_gen, account.read_gen) == (1, 2)
            for read_gen in (1, 2):
                with pytest.raises(UnsealError):
                    read_ring(tx, account._replace(read_gen=read_gen), old_key.view)

        await database.read(with_old_key)
        for password in (kept, PASSWORD):
            account = await h.unlock(password=password)
            assert list((await h.read_all(account)).values()) == [MAIL_OF_ANN]
            account.close()
        (await opens(h, sends)).release()
        words = Credential.words(" ".join(made.words))
        await change_password(h.office, ANN, words, b"another")
        assert [w.name for w in await ways_in(h.office, ANN, words)] == [
            "recovery words",
            "kept",
            "sends",
            "password",
        ]
        (await h.unlock(password=kept)).close()
        assert await reason(revoke(h.office, ANN, words, "lost")) is Reason.NO_SUCH_WAY_IN
        await set_status(h.office, ANN, rows.DISABLED)
        await set_status(h.office, ANN, rows.ACTIVE)
        await h.deliver(MAIL_OF_ANN)
        again = await h.app("lost", credential=words)
        account = await h.unlock(password=again)
        assert len(await h.read_all(account)) == 2
        account.close()


async def test_revoking_ends_sessions_in_every_worker(databases: list[Database], tmp_path: Path) -> None:
    async with (
        worker(databases[0], tmp_path, NEVER) as one,
        worker(databases[1], tmp_path, QUICK, deaf=True) as two,
    ):
        await one.house.move_in()
        password = await one.house.app("lost")
        sends = await one.house.app("sends", SUBMIT_ONLY)
        ended = [asyncio.Event() for _ in range(3)]
        accounts = [
            await one.logins.login("ann", password, "192.0.2.1", ended[0].set),
            await two.logins.login("ann", password, "192.0.2.1", ended[1].set),
            await two.login(ended[2]),
        ]
        proof = (await two.logins.prove("ann", sends, "192.0.2.1")).what
        await revoke(one.office, ANN, RIGHT, "sends")
        assert not await two.logins.stands(proof)
        await eventually(lambda: _access(two), (1, 1))
        await asyncio.sleep(0.2)
        assert not any(e.is_set() for e in ended), "what only sent opened nothing: nobody else has to go"
        await revoke(one.office, ANN, RIGHT, "lost")
        async with asyncio.timeout(10):
            for event in ended:
                await event.wait()
        with pytest.raises(Stale):
            await accounts[1].create_mailbox("x")
        for account in accounts:
            account.close()
        assert await reason(two.logins.login("ann", password, "192.0.2.1", print)) is Reason.LOGIN_FAILED


async def _access(w) -> tuple[int, int]:
    access = await w.house.database.read(lambda tx: rows.access(tx, 1))
    return access.root_gen, access.read_gen


async def test_the_last_way_to_the_root_stays(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.app()
        assert await reason(revoke(h.office, ANN, RIGHT, "password", apps_only=True)) is Reason.NO_SUCH_WAY_IN
        ids = {w.name: w.id for w in await ways_in(h.office, ANN, RIGHT)}
        await revoke(h.office, ANN, RIGHT, ids["recovery words"])
        assert await reason(revoke(h.office, ANN, RIGHT, "password")) is Reason.LAST_WAY_IN
        (await h.unlock()).close()
        await revoke(h.office, ANN, RIGHT, "phone", apps_only=True)
        assert [w.name for w in await ways_in(h.office, ANN, RIGHT)] == ["password"]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65, "\u00e9" * 33, "\u200b"])
async def test_what_is_no_name(sqlite: Database, tmp_path: Path, name: str) -> None:
    async with house(sqlite, tmp_path) as h:
        with pytest.raises(ValueError, match="64 octets"):
            await add_app_password(h.office, ANN, RIGHT, name)


async def test_names_differ_and_there_is_an_end_to_them(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        monkeypatch.setattr(apppasswords, "MOST_APPS", 3)
        made = await asyncio.gather(*(h.app(f"{n}") for n in (1, 2, 2)), return_exceptions=True)
        taken = [m for m in made if isinstance(m, Refused)]
        assert [t.reason for t in taken] == [Reason.NAME_TAKEN], (
            "whoever lost the race saw what the other did"
        )
        assert await reason(h.app("recovery words")) is Reason.NAME_TAKEN
        await h.app(" e\u0301t\u00e9 ")
        assert await reason(h.app("fourth")) is Reason.TOO_MANY_WAYS_IN
        assert [w.name for w in await ways_in(h.office, ANN, RIGHT)][-1] == "\u00e9t\u00e9"
        for password in made:
            if isinstance(password, bytes):
                (await opens(h, password)).release()


@pytest.mark.parametrize("part", ["public_key", "blob", "tag", "not_after", "header"])
async def test_a_slot_that_somebody_planted_is_not_carried_over(
    sqlite: Database, tmp_path: Path, part: str
) -> None:
    """Even one by whoever has server.key: the root keyring knows which keys its owner made."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.move_in("ben@b.test")
        lost, kept = await h.app("lost"), await h.app("kept", not_after=1 << 40)
        await h.app("bens", not_after=2 << 40, address="ben@b.test")

        def plant(tx: Tx) -> None:
            (uuid,) = [a.uuid for a in rows.list_accounts(tx) if a.account_id == 1]
            (bens,) = [r for r in stored_slots(tx, 2) if r.locator]
            (mine,) = [r for r in stored_slots(tx, 1) if r.locator.encode() == kept[4:8]]
            values = {
                n: getattr(mine, n) for n in ("header", "not_after", "public_key", "blob", "tag", "scram")
            }
            values[part] = getattr(bens, part)
            gens = (mine.root_gen, mine.read_gen)
            mac = h.server_key.rows.slot(uuid, values["header"], gens, *list(values.values())[1:])
            tx.execute(
                f"UPDATE slot SET {part} = ?, mac = ? WHERE slot_id = ?", (values[part], mac, mine.slot_id)
            )  # type: ignore[arg-type]

        await sqlite.write(plant)
        before = await sqlite.read(lambda tx: stored_slots(tx, 1))
        assert await reason(revoke(h.office, ANN, RIGHT, "lost")) is Reason.DAMAGED
        assert await sqlite.read(lambda tx: stored_slots(tx, 1)) == before
        (await opens(h, lost)).release()


async def test_a_locator_or_salt_of_another_keeps_out_and_opens_nothing(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        phone, laptop = await h.app("phone"), await h.app("laptop")
        swap = "UPDATE slot SET locator = CASE locator WHEN ? THEN ? ELSE ? END WHERE locator <> ''"
        names = (phone[4:8].decode(), laptop[4:8].decode(), phone[4:8].decode())
        await sqlite.write(lambda tx: tx.execute(swap, names))
        for password in (phone, laptop):
            assert await reason(opens(h, password)) is Reason.LOGIN_FAILED
        await sqlite.write(lambda tx: tx.execute(swap, names))
        (await opens(h, phone)).release()
        await sqlite.write(lambda tx: tx.execute("UPDATE account SET scram_salt = ?", (bytes(16),)))
        assert await reason(opens(h, phone)) is Reason.LOGIN_FAILED


async def test_its_secret_is_nowhere(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        password = await h.app("kanarienvogel")
        (await opens(h, password)).release()
        everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        for secret in (password, password[8:], password[8:40], b"kanarienvogel"):
            assert secret not in everything, secret
        assert password[4:8] in everything, "the control: its locator is"
        assert (await ways_in(h.office, ANN, RIGHT))[-1].type is SlotType.APP_PASSWORD
