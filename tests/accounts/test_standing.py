"""The account leaf, the anchor and the ledger: what is set back as a whole is noticed at the next login."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailstead.accounts.annotations import SERVER
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import remove_account
from mailstead.accounts.standing import read_account
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.accounts.verifying import Difference
from mailstead.crypto.slots import Scope
from mailstead.errors import MailError, Reason, Refused
from mailstead.mail.mailbox import Uid
from mailstead.store.database import Database, Tx
from tests.accounts.test_leaves import FLAGGED, SEEN
from tests.support.house import PASSWORD, House, house

TABLES = (  # in an order in which they can be filled
    "account", "address", "epoch_key", "slot", "record", "mailbox", "lane", "object", "extent", "pending",
    "page", "state", "leaf", "tomb", "quarantine",
)  # fmt: skip
Rows = dict[str, list[tuple[object, ...]]]
MBOXES, KEYRING, LEAF, ANCHOR, COUNTS, METADATA = 19, 20, 23, 24, 27, 28
NOTE = "/private/comment"


def dump(tx: Tx) -> Rows:
    """All that is in the database."""
    return {table: tx.execute(f"SELECT * FROM {table}") for table in TABLES}  # type: ignore[arg-type]


def load(rows: Rows) -> Callable[[Tx], None]:
    """Have this in the database and nothing else."""

    def work(tx: Tx) -> None:
        for table in reversed(TABLES):
            tx.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]
        for table in TABLES:
            for row in rows[table]:
                marks = ", ".join("?" for _ in row)
                tx.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # type: ignore[arg-type]

    return work


@dataclass
class Past:
    """A database as it was, as it is, and the mailboxes in it."""

    was: Rows
    now: Rows
    inbox: bytes
    kept: bytes

    def records(self, *kinds: int, place: bytes | None = None) -> Rows:
        """As it is, with the records of some kinds as they were."""

        def meant(row: tuple[object, ...]) -> bool:
            return row[1] in kinds and place in (None, row[2])

        return self.now | {
            "record": [
                *(r for r in self.now["record"] if not meant(r)),
                *(r for r in self.was["record"] if meant(r)),
            ]
        }

    def without(self, table: str, where: Callable[[tuple[object, ...]], bool]) -> Rows:
        """As it is, without some rows."""
        return self.now | {table: [r for r in self.now[table] if not where(r)]}

    def mailbox(self, box: bytes, rows: Rows | None = None) -> Rows:
        """As it is, with all of a mailbox as it was, its counters too."""
        mixed = dict(rows or self.now)
        for table, column in [
            ("mailbox", 1),
            ("pending", 1),
            ("page", 1),
            ("state", 1),
            ("leaf", 1),
            ("record", 2),
        ]:
            mixed[table] = [r for r in mixed[table] if r[column] != box]
            mixed[table] += [r for r in self.was[table] if r[column] == box]
        have = {(r[0], r[1]) for r in mixed["object"]}
        for table in ("lane", "object", "extent"):  # what was expunged since is there again
            keys = {r[:3] if table == "extent" else r[:2] for r in mixed[table]}
            mixed[table] += [
                r
                for r in self.was[table]
                if (r[:3] if table == "extent" else r[:2]) not in keys
                and (table == "lane" or (r[0], r[1]) not in have)
            ]
        return mixed


async def lived_in(h: House) -> Past:
    """An account that has been used, seen twice."""
    await h.move_in()
    for n in range(3):
        await h.deliver(b"Subject: %d\r\n\r\n" % n)
    account = await h.unlock()
    inbox = await h.inbox(account)
    kept = await account.create_mailbox("Kept")
    await account.absorb(inbox)
    await account.copy(inbox, [Uid(1)], kept)
    for place in (SERVER, inbox):
        await account.annotations.change(place, {NOTE: b"then"})
    was = await h.database.read(dump)
    await account.create_mailbox("Later")
    await account.change_flags(inbox, [Uid(1), Uid(2)], SEEN)
    await account.expunge(inbox, [Uid(3)])
    for place in (SERVER, inbox):
        await account.annotations.change(place, {NOTE: b"now"})
    account.close()
    await h.app("phone")
    await h.deliver(b"Subject: waits\r\n\r\n")
    return Past(was, await h.database.read(dump), inbox, kept)


Tamper = Callable[[Past], Rows]
# What is done, what is said of the account, and of INBOX.
TAMPERS: dict[str, tuple[Tamper, list[str], list[str]]] = {
    "older names": (
        lambda p: p.records(MBOXES),
        ["the list of mailboxes: version 2 found, 3 was written"], [],
    ),
    "older names and their leaf": (
        lambda p: p.records(MBOXES, LEAF),
        [
            "annotations: version 2 found, 1 was written", "annotations: version 2 found, 1 was written",
            "the account leaf: version 4 found, 7 was written",
        ], [],
    ),
    "older names, annotations and their leaf": (
        lambda p: p.records(MBOXES, METADATA, LEAF),
        ["the account leaf: version 4 found, 7 was written"], [],
    ),
    "no names": (
        lambda p: p.without("record", lambda r: r[1] == MBOXES),
        ["the list of mailboxes: nothing found, 3 was written"], [],
    ),
    "older annotations of the account": (
        lambda p: p.records(METADATA, place=SERVER),
        ["annotations: version 1 found, 2 was written"], [],
    ),
    "older annotations of INBOX": (
        lambda p: p.records(METADATA, place=p.inbox),
        ["annotations: version 1 found, 2 was written"], [],
    ),
    "no annotations": (
        lambda p: p.without("record", lambda r: r[1] == METADATA and r[2] == p.inbox),
        ["annotations: nothing found, 2 was written"], [],
    ),
    "annotations of somewhere else": (
        lambda p: p.now | {"record": [*p.now["record"], *((*r[:2], p.kept, *r[3:]) for r in p.now["record"] if r[1:3] == (METADATA, p.inbox))]},
        ["annotations: version 2 found, nothing was written"], [],
    ),
    "older keyrings": (
        lambda p: p.records(KEYRING),
        ["the keys: version 1 found, 2 was written"], [],
    ),
    "no anchor": (
        lambda p: p.without("record", lambda r: r[1] == ANCHOR),
        ["the anchor is missing: nothing says how far the account had come"], [],
    ),
    "no account leaf": (
        lambda p: p.without("record", lambda r: r[1] == LEAF),
        ["the account leaf is missing: nothing says what was written", "the account leaf: nothing found, version 7 was written"], [],
    ),
    "an anchor that was changed": (
        lambda p: p.now | {"record": [(*r[:4], r[4], r[5], b"w" * 16, r[7]) if r[1] == ANCHOR else r for r in p.now["record"]]},
        ["the anchor does not open: the record does not open"], [],
    ),
    "an anchor of keys to come": (
        lambda p: p.now | {"record": [(*r[:5], r[5] + 1, *r[6:]) if r[1] == ANCHOR else r for r in p.now["record"]]},  # type: ignore[operator]
        ["the anchor: of a later epoch than 1, which is that of the keys"], [],
    ),
    "all of INBOX": (
        lambda p: p.mailbox(p.inbox, p.records(METADATA, LEAF, MBOXES)) | {"record": p.mailbox(p.inbox)["record"]},
        ["annotations: version 1 found, 2 was written"],
        ["all of it, by its counts: version 1 found, 3 was written"],
    ),
    "INBOX taken away": (
        lambda p: {
            table: [r for r in rows if (r[2] if table == "record" else r[1]) != p.inbox] if table in ("mailbox", "pending", "page", "state", "leaf", "record") else rows
            for table, rows in p.now.items()
        },
        ["annotations: nothing found, 2 was written"],
        ["all of it, by its counts: nothing found, version 3 was written"],
    ),
}  # fmt: skip


async def said_of(account: UnlockedAccount, box: bytes) -> tuple[list[str], list[str]]:
    """What is said of the account, and of a mailbox as a whole."""
    of_account = account.damage(b"?" * 16)
    return of_account, account.damage(box)[len(of_account) :]


async def verified(account: UnlockedAccount) -> list[Difference]:
    return (await account.verifying.verify(lambda _, __: None))[1]


async def intact(h: House, *boxes: bytes) -> None:
    """Nothing differs, and all can be changed."""
    account = await h.unlock()
    assert await verified(account) == []
    for box in boxes:
        await account.change_flags(box, [Uid(1)], FLAGGED)
    await account.create_mailbox("after it all")
    await account.delete_mailbox("after it all")
    await account.annotations.change(SERVER, {NOTE: b"after"})
    account.close()
    account = await h.unlock()
    assert await said_of(account, b"") == ([], [])
    assert await verified(account) == []
    account.close()


@pytest.mark.parametrize("how", TAMPERS)
async def test_what_was_set_back_is_said_and_accepted(database: Database, tmp_path: Path, how: str) -> None:
    tamper, of_account, of_inbox = TAMPERS[how]
    async with house(database, tmp_path) as h:
        past = await lived_in(h)
        await intact(h, past.inbox, past.kept)
        await database.write(load(past.now))  # as if it had not been: floors of another time would be said
        account = await h.unlock()
        assert await said_of(account, past.inbox) == ([], []), "the control"
        account.close()
        await database.write(load(tamper(past)))
        account = await h.unlock()
        assert await said_of(account, past.inbox) == (of_account, of_inbox)
        if of_account:
            with pytest.raises(Refused) as caught:
                await account.create_mailbox("x")
            assert caught.value.reason is Reason.NOT_AS_LEFT
            assert str(caught.value) == of_account[0]
        for box in [past.inbox] if of_inbox and not of_account else [past.inbox, past.kept]:
            with pytest.raises(Refused) as caught:
                await account.change_flags(box, [Uid(1)], FLAGGED)
            assert caught.value.reason is Reason.NOT_AS_LEFT
        if how not in ("no names", "INBOX taken away"):
            assert {1, 2} <= (await h.read_all(account)).keys(), "it can be read"
            said = await verified(account)
            assert [d.words for d in said if not d.mailbox] == of_account
            await account.verifying.accept(said)
            await intact(h, past.inbox, past.kept)
            assert await account.change_flags(past.inbox, [Uid(1)], SEEN), "who stayed goes on"
        account.close()


async def test_a_mailbox_is_set_back_and_no_other(database: Database, tmp_path: Path) -> None:
    """With all that is its own; without the anchor, nothing notices."""
    async with house(database, tmp_path) as h:
        past = await lived_in(h)
        account = await h.unlock()
        await account.change_flags(past.kept, [Uid(1)], SEEN)
        past.now = await database.read(dump)
        back = past.mailbox(past.kept)
        await database.write(load(back))
        account = await h.unlock()
        words = "all of it, by its counts: version 1 found, 2 was written"
        assert await said_of(account, past.kept) == ([], [words])
        await account.change_flags(past.inbox, [Uid(1)], FLAGGED)
        assert await said_of(account, past.kept) == ([], [words]), "an anchor that was written since"
        with pytest.raises(Refused, match="by its counts"):
            await account.change_flags(past.kept, [Uid(1)], FLAGGED)
        assert [str(d) for d in await verified(account)] == [f"Kept, {words}"]
        account.close()
        anchors = [r for r in past.was["record"] if r[1] == ANCHOR]
        await database.write(
            load(
                back
                | {
                    "record": [r for r in back["record"] if r[1] not in (ANCHOR, KEYRING)]
                    + anchors
                    + [r for r in past.was["record"] if r[1] == KEYRING]
                }
            )
        )
        account = await h.unlock()
        assert await said_of(account, past.kept) == ([], []), "the control: no floor, no words"
        account.close()


async def test_a_write_does_not_take_over_what_was_set_back(database: Database, tmp_path: Path) -> None:
    """In a session that was there before."""
    async with house(database, tmp_path) as h:
        past = await lived_in(h)
        account = await h.unlock()
        for rows in (past.records(MBOXES), past.without("record", lambda r: r[1] == LEAF)):
            await database.write(load(rows))
            with pytest.raises(Refused) as caught:
                await account.create_mailbox("x")
            assert caught.value.reason is Reason.NOT_AS_LEFT
        await database.write(load(past.records(METADATA)))
        with pytest.raises(Refused, match="annotations: version 1 found, 2 was written"):
            await account.annotations.change(SERVER, {NOTE: b"x"})
        await database.write(load(past.now))
        await account.annotations.change(SERVER, {NOTE: b"x"})
        account.close()


async def test_the_tail_is_cut(database: Database, tmp_path: Path) -> None:
    """The last messages, and the counters of their mailbox, so that all is as it once was."""
    for noted in (False, True):
        async with house(database, tmp_path, noted=noted) as h:
            address = f"ann{noted}@b.test".lower()
            await h.move_in(address)
            await h.deliver(b"Subject: 1\r\n\r\n", address)
            was = await database.read(dump)
            for n in range(2):
                await h.deliver(b"Subject: lost %d\r\n\r\n" % n, address)
            account = await h.unlock(address)
            inbox = await h.inbox(account)
            assert await verified(account) == [], "the control"
            account.close()
            now = await database.read(dump)
            cut = Past(was, now, inbox, b"").mailbox(inbox)
            await database.write(load(cut))
            account = await h.unlock(address)
            said = await verified(account)
            if not noted:
                assert said == [], "nothing in the database can tell"
                account.close()
                continue
            words = "2 messages are missing that had been delivered: the last was UID 3"
            assert [str(d) for d in said] == [f"INBOX, {words}"]
            assert account.damage(inbox) == [words]
            with pytest.raises(Refused, match="2 messages are missing"):
                await account.absorb(inbox)
            account.close()
            await h.deliver(b"Subject: another\r\n\r\n", address)
            await h.deliver(b"Subject: a third\r\n\r\n", address)
            account = await h.unlock(address)
            other = "mail is missing that had been delivered up to UID 3: other mail has its numbers"
            assert account.damage(inbox) == [other]
            account.close()
            await h.deliver(b"Subject: and more\r\n\r\n", address)
            await database.write(load(cut))
            account = await h.unlock(address)
            await account.verifying.accept(await verified(account))
            account.close()
            (_,) = await h.deliver(b"Subject: new\r\n\r\n", address)
            account = await h.unlock(address)
            await account.absorb(inbox)
            assert list(await h.read_all(account)) == [1, 5], "no UID is given twice"
            assert await verified(account) == []
            account.close()


async def test_the_whole_account_is_set_back(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        past = await lived_in(h)
        account = await h.unlock()
        assert await verified(account) == [], "the control"
        account.close()
        now = await database.read(dump)
        await database.write(load(past.was))
        account = await h.unlock()
        of_account, of_inbox = await said_of(account, past.inbox)
        (words,) = of_account
        assert words.startswith("all of the account, by its anchor: version ")
        assert of_inbox == ["1 message is missing that had been delivered: the last was UID 4"]
        assert len(await h.read_all(account)) == 3, "it can be read"
        await account.verifying.accept(await verified(account))
        await intact(h, past.inbox)
        account.close()
        await database.write(load(now))
        without = House(database, tmp_path)
        await database.write(load(past.was))
        account = await without.unlock()
        assert await said_of(account, past.inbox) == ([], []), "without the ledger nothing can tell"
        account.close()


async def test_what_was_set_back_is_said_though_it_was_written_since(
    database: Database, tmp_path: Path
) -> None:
    """By a process that did not look, or on another node: the numbers that are gone have others now."""
    async with house(database, tmp_path, noted=True) as h:
        past = await lived_in(h)
        await database.write(load(past.was))
        unaware = House(database, tmp_path)
        account = await unaware.unlock()
        uuid = account._online.keys.uuid
        assert h.ledger is not None
        last = h.ledger.of(uuid).anchor
        assert last is not None
        for n in range(10):
            await account.annotations.change(SERVER, {NOTE: b"since %d" % n})
            heads = await database.read(lambda tx: read_account(tx, account.account_id))
            assert heads.anchor is not None
            h.ledger.anchored(uuid, heads.anchor.version, heads.anchor.write_id)
        assert heads.anchor.version > last.number
        account.close()
        account = await h.unlock()
        what = f"writes up to version {last.number} are missing: others have their numbers"
        words = f"all of the account, by its anchor: {what}"
        assert account.damage(b"") == [words]
        assert words in [str(d) for d in await verified(account)]
        with pytest.raises(Refused, match="others have their numbers"):
            await account.create_mailbox("x")
        h.ledger.make_short()
        await account.verifying.accept(await verified(account))
        account.close()
        await intact(h, past.inbox)


async def test_a_removed_account_that_comes_back_is_said(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        past = await lived_in(h)
        await remove_account(h.office, "ann@b.test")
        await database.write(load(past.now))
        account = await h.unlock()
        words = "all of the account: it had been removed, and came back"
        assert account.damage(past.inbox) == [words]
        assert [str(d) for d in await verified(account)] == [words]
        await account.verifying.accept(await verified(account))
        account.close()
        await intact(h, past.inbox)


async def test_a_deleted_mailbox_leaves_no_line(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        await h.move_in()
        account = await h.unlock()
        uuid, kept = account._online.keys.uuid, await account.create_mailbox("Kept")
        gone = await account.create_mailbox("Gone")
        for box in (kept, gone):
            await h.put(b"Subject: x\r\n\r\n", box)
        assert h.ledger is not None
        assert h.ledger.of(uuid).mailboxes.keys() == {kept, gone}
        await account.delete_mailbox("Gone")
        assert h.ledger.of(uuid).mailboxes.keys() == {kept}
        account.close()
        await intact(h, kept)


async def test_a_way_in_that_was_revoked_stays_so(database: Database, tmp_path: Path) -> None:
    """Though its row comes back, with the MAC that the server once gave it."""
    for noted in (True, False):
        async with house(database, tmp_path, noted=noted) as h:
            address = f"ann{noted}@b.test".lower()
            await h.move_in(address)
            await change_password(h.office, address, Credential.password(PASSWORD), b"second word of mine")
            was = await database.read(dump)
            await change_password(
                h.office, address, Credential.password(b"second word of mine"), b"third word of mine"
            )
            now = await database.read(dump)
            old = [r for r in was["slot"] if r not in now["slot"]]
            assert len(old) == 1
            (await h.unlock(address, b"third word of mine")).close()
            await database.write(load(now | {"slot": [*now["slot"], *old]}))
            (await h.unlock(address, b"third word of mine")).close()
            if noted:
                with pytest.raises(MailError) as caught:
                    await h.unlock(address, b"second word of mine")
                assert caught.value.reason is Reason.LOGIN_FAILED
            else:
                (await h.unlock(address, b"second word of mine")).close()


async def test_an_app_password_that_only_sends_stays_revoked(sqlite: Database, tmp_path: Path) -> None:
    from mailstead.accounts.apppasswords import revoke
    from mailstead.accounts.opening import open_way

    async with house(sqlite, tmp_path, noted=True) as h:
        await h.move_in()
        octets = await h.app("printer", Scope.SUBMIT)
        was = await sqlite.read(dump)
        way = await open_way(h.office, "ann@b.test", Credential.password(octets))
        way.release()
        await revoke(h.office, "ann@b.test", Credential.password(PASSWORD), "printer")
        now = await sqlite.read(dump)
        await sqlite.write(load(now | {"slot": was["slot"]}))
        with pytest.raises(MailError) as caught:
            await open_way(h.office, "ann@b.test", Credential.password(octets))
        assert caught.value.reason is Reason.LOGIN_FAILED
