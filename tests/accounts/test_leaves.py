"""Leaves: a row that is older than what was written, missing or not of this mailbox is noticed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mailstead.accounts import snapshot
from mailstead.accounts.counts import Counts
from mailstead.accounts.flagging import FlagChange
from mailstead.accounts.leaves import PAGE_A, PAGE_B, STATE, Leaf, LeafPage, difference
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import Sealed, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.flags import How
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database, Tx
from tests.support.house import House, house

SEEN = FlagChange(How.ADD, SystemFlag.SEEN)
FLAGGED = FlagChange(How.ADD, SystemFlag.FLAGGED)
Saved = dict[str, list[tuple[object, ...]]]
TABLES = {
    "state": "account_id, mailbox_id, number, version, max_modseq, epoch, write_id, octets",
    "page": "account_id, mailbox_id, number, grp, version, epoch, write_id, octets",
    "leaf": "account_id, mailbox_id, number, version, epoch, write_id, octets",
    "record": "account_id, kind, place, object_id, version, epoch, write_id, octets",
}
FAR = 20_000  # a UID of leaf 1


def rows_of(tx: Tx, box: bytes) -> Saved:
    """All that is sealed of one mailbox."""
    place = {"record": "place"}
    return {
        table: tx.execute(f"SELECT {columns} FROM {table} WHERE {place.get(table, 'mailbox_id')} = ?", (box,))  # type: ignore[arg-type]
        for table, columns in TABLES.items()
    }


def put_back(
    saved: Saved, table: str, where: Callable[[tuple[object, ...]], bool] = lambda _: True
) -> Callable[[Tx], None]:
    """Set rows of a table back to what they were."""

    def work(tx: Tx) -> None:
        names = TABLES[table].split(", ")
        for row in filter(where, saved[table]):
            keys = [
                n
                for n in names
                if n in ("account_id", "mailbox_id", "number", "grp", "kind", "place", "object_id")
            ]
            values = dict(zip(names, row, strict=True))
            matching = " AND ".join(f"{k} = ?" for k in keys)
            tx.execute(f"DELETE FROM {table} WHERE {matching}", [values[k] for k in keys])  # type: ignore[arg-type,misc]
            marks = ", ".join("?" for _ in names)
            tx.execute(f"INSERT INTO {table} ({TABLES[table]}) VALUES ({marks})", row)  # type: ignore[arg-type]

    return work


async def lived_in(h: House) -> tuple[bytes, Saved]:
    """INBOX with five absorbed messages in two leaves and one that waits; its rows as they were before the last change."""
    await h.move_in()
    for n in range(4):
        await h.deliver(b"Subject: %d\r\n\r\n" % n)
    account = await h.unlock()
    inbox = await h.inbox(account)
    await h.database.write(
        lambda tx: tx.execute("UPDATE mailbox SET uid_next = ? WHERE mailbox_id = ?", (FAR, inbox))
    )
    await h.deliver(b"Subject: far\r\n\r\n")
    await account.absorb(inbox)
    await account.change_flags(inbox, [Uid(1), Uid(FAR)], SEEN)
    saved = await h.database.read(lambda tx: rows_of(tx, inbox))
    await account.expunge(inbox, [Uid(2)])
    await account.change_flags(inbox, [Uid(1), Uid(FAR)], FLAGGED)
    await h.deliver(b"Subject: waits\r\n\r\n")
    account.close()
    return inbox, saved


async def selected(h: House) -> tuple[UnlockedAccount, list[str]]:
    account = await h.unlock()
    inbox = await h.inbox(account)
    await account.snapshot(inbox)
    return account, account.damage(inbox)


Tamper = Callable[[bytes, Saved], Callable[[Tx], object]]


def sql(text: str) -> Tamper:
    return lambda box, _: lambda tx: tx.execute(text, (box,) * text.count("?"))  # type: ignore[arg-type]


ROWS = "messages 1-256"
TAMPERS: dict[str, tuple[Tamper, list[str]]] = {
    "an older state": (
        lambda _, saved: put_back(saved, "state", lambda r: r[2] == 0),
        [f"flags of {ROWS}: version 2 found, 4 was written"],
    ),
    "an older state of the other leaf": (
        lambda _, saved: put_back(saved, "state", lambda r: r[2] != 0),
        ["flags of messages 19969-20224: version 2 found, 3 was written"],
    ),
    "an older page A": (
        lambda _, saved: put_back(saved, "page", lambda r: r[2:4] == (0, 0)),
        [f"list entries of {ROWS}: version 1 found, 2 was written"],
    ),
    "an older page B": (
        lambda _, saved: put_back(saved, "page", lambda r: r[2:4] == (0, 1)),
        [f"keys of {ROWS}: version 1 found, 2 was written"],
    ),
    "older counts": (
        lambda _, saved: put_back(saved, "record"),
        ["all of it, by its counts: version 3 found, 5 was written", "the counts: they are of version 4 of leaf 0, and 6 was written", "the counts: they are of version 2 of leaf 1, and 3 was written"],
    ),
    "an older leaf 1": (
        lambda _, saved: put_back(saved, "leaf", lambda r: r[2] == 1),
        ["flags of messages 19969-20224: version 3 found, 2 was written", "leaf 1: version 2 found, 3 was written"],
    ),
    "an older leaf 0": (
        lambda _, saved: put_back(saved, "leaf", lambda r: r[2] == 0),
        [
            f"list entries of {ROWS}: version 2 found, 1 was written",
            f"keys of {ROWS}: version 2 found, 1 was written",
            f"flags of {ROWS}: version 4 found, 2 was written",
            "leaf 0: version 4 found, 6 was written",
        ],
    ),
    "no state": (
        sql("DELETE FROM state WHERE number = 0 AND mailbox_id = ?"),
        [f"flags of {ROWS}: nothing found, version 4 was written"],
    ),
    "no page": (
        sql("DELETE FROM page WHERE grp = 1 AND number = 0 AND mailbox_id = ?"),
        [f"keys of {ROWS}: nothing found, version 2 was written"],
    ),
    "no counts": (
        sql("DELETE FROM record WHERE kind = 27 AND place = ?"),
        [
            "all of it, by its counts: nothing found, version 5 was written",
            "the counts: nothing found, though something was written",
        ],
    ),
    "no leaf 1": (
        sql("DELETE FROM leaf WHERE number = 1 AND mailbox_id = ?"),
        ["leaf 1: nothing found, version 3 was written"],
    ),
    "no leaf 0": (
        sql("DELETE FROM leaf WHERE number = 0 AND mailbox_id = ?"),
        ["leaf 0 is missing: nothing says what was written"],
    ),
    "a page too many": (
        sql(
            "INSERT INTO page (account_id, mailbox_id, number, grp, version, epoch, write_id, octets)"
            " SELECT account_id, mailbox_id, 5, grp, version, epoch, write_id, octets FROM page"
            " WHERE grp = 0 AND number = 0 AND mailbox_id = ?"
        ),
        ["list entries of messages 1281-1536: version 2 found, nothing was written"],
    ),
    "another write id": (
        sql("UPDATE page SET write_id = (SELECT MAX(write_id) FROM leaf) WHERE grp = 0 AND number = 0 AND mailbox_id = ?"),
        [f"list entries of {ROWS}: another version 2 found than was written"],
    ),
    "a leaf that was changed": (
        sql("UPDATE leaf SET octets = (SELECT octets FROM leaf WHERE number = 1) WHERE number = 0 AND mailbox_id = ?"),
        ["a leaf, or the counts, do not open: the record does not open"],
    ),
    "a leaf of keys to come": (
        sql("UPDATE leaf SET epoch = 2 WHERE number = 1 AND mailbox_id = ?"),
        ["a leaf, or the counts: of a later epoch than 1, which is that of the keys"],
    ),
    "UIDNEXT": (
        sql("UPDATE mailbox SET uid_next = 500 WHERE mailbox_id = ?"),
        ["UIDNEXT: 500 found, there was a message 20000"],
    ),
    "UIDVALIDITY": (sql("UPDATE mailbox SET uid_validity = 7 WHERE mailbox_id = ?"), ["UIDVALIDITY: 7 found"]),
    "HIGHESTMODSEQ": (
        sql("UPDATE mailbox SET highest_modseq = 3 WHERE mailbox_id = ?"),
        ["HIGHESTMODSEQ: 3 found, there was a change"],
    ),
    "the account's modseq": (
        sql("UPDATE account SET modseq = 3"),
        ["the account's modseq: 3 found, there was a change"],
    ),
    "the pending": (
        sql("DELETE FROM pending WHERE mailbox_id = ?"),
        ["1 message is missing that had been delivered after UID"],
    ),
    "the pending and its counter": (
        lambda box, _: lambda tx: [
            tx.execute("DELETE FROM pending WHERE mailbox_id = ?", (box,)),
            tx.execute("UPDATE mailbox SET arrivals = 4 WHERE mailbox_id = ?", (box,)),
        ],
        ["arrivals: 4 found, 5 were absorbed"],
    ),
    "a pending with another number": (
        sql("UPDATE pending SET n = 9 WHERE mailbox_id = ?"),
        ["message 20001: it was not delivered here", "1 message is missing that had been delivered after UID"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERS)
async def test_what_is_not_as_it_was_left_is_said(database: Database, tmp_path: Path, how: str) -> None:
    tamper, words = TAMPERS[how]
    async with house(database, tmp_path) as h:
        inbox, saved = await lived_in(h)
        account, said = await selected(h)
        assert said == [], "the control"
        account.close()
        await database.write(tamper(inbox, saved))
        account, said = await selected(h)
        assert len(said) == len(words), said
        for found, wanted in zip(said, words, strict=True):
            assert found.startswith(wanted)
        trash = (await account.mailbox("Trash")).id
        # It can be read, as far as it is there, and not changed.
        for change in (
            account.change_flags(inbox, [Uid(3)], SEEN),
            account.expunge(inbox, [Uid(3)]),
            account.move(inbox, [Uid(3)], trash),
            account.copy(trash, [Uid(3)], inbox),
            account.absorb(inbox),
        ):
            with pytest.raises(Refused) as caught:
                await change
            assert caught.value.reason is Reason.NOT_AS_LEFT
        assert await account.change_flags(trash, [Uid(1)], SEEN), "another mailbox can be"
        account.close()


@pytest.mark.parametrize(
    "how", ["an older state", "older counts", "an older leaf 0", "no state", "no leaf 0"]
)
async def test_a_write_does_not_take_over_what_was_set_back(
    database: Database, tmp_path: Path, how: str
) -> None:
    """In a session that has not looked at the mailbox as a whole."""
    async with house(database, tmp_path) as h:
        inbox, saved = await lived_in(h)
        account = await h.unlock()
        await database.write(TAMPERS[how][0](inbox, saved))
        for change in (
            account.change_flags(inbox, [Uid(1)], SEEN),
            account.expunge(inbox, [Uid(1)]),
        ):
            with pytest.raises((Refused, UnsealError)) as caught:
                await change
            assert isinstance(caught.value, UnsealError) or caught.value.reason is Reason.NOT_AS_LEFT
        account.close()
        account, said = await selected(h)
        assert said, "and it is still seen"
        account.close()


async def test_without_the_comparison_an_older_state_is_shown(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: nothing else notices."""
    monkeypatch.setattr(snapshot, "differences", lambda *_: [])
    async with house(sqlite, tmp_path) as h:
        inbox, saved = await lived_in(h)
        await sqlite.write(put_back(saved, "state", lambda r: r[2] == 0))
        account, said = await selected(h)
        assert said == []
        state = (await account.snapshot(inbox)).get(1)
        assert state is not None
        assert state.flags == SystemFlag.SEEN
        account.close()


async def test_every_write_keeps_the_leaves_true(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        inbox, _ = await lived_in(h)
        account = await h.unlock()
        trash = (await account.mailbox("Trash")).id

        async def intact() -> None:
            other = await h.unlock()
            for box in await other.mailboxes():
                await other.snapshot(box.id)
                assert other.damage(box.id) == [], box.name
            other.close()

        await account.copy(inbox, [Uid(1), Uid(FAR)], trash)
        await intact()
        await account.copy(inbox, [Uid(1)], inbox)
        await intact()
        await account.move(inbox, [Uid(1), Uid(FAR)], trash)
        await intact()
        await account.move(trash, [Uid(1)], trash)
        await intact()
        await account.change_flags(trash, map(Uid, range(1, 9)), FLAGGED)
        await account.expunge(trash, map(Uid, range(1, 9)))
        await intact()
        await account.create_mailbox("a/b")
        await account.rename_mailbox("INBOX", "old")
        await account.delete_mailbox("old")
        await intact()
        account.close()


async def test_a_uid_that_is_given_twice_overwrites_nothing(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        inbox, _ = await lived_in(h)
        await database.write(TAMPERS["UIDNEXT"][0](inbox, {}))
        await database.write(lambda tx: tx.execute("UPDATE mailbox SET uid_next = 3 WHERE uid_next = 500"))
        await database.write(lambda tx: tx.execute("DELETE FROM pending"))
        await database.write(lambda tx: tx.execute("UPDATE mailbox SET arrivals = 5 WHERE arrivals = 6"))
        account = await h.unlock()
        before = await h.read_all(account)
        await database.write(
            lambda tx: tx.execute(
                "UPDATE mailbox SET arrival_tag = ? WHERE mailbox_id = ?", (bytes(32), inbox)
            )
        )
        await h.deliver(b"Subject: the second with UID 3\r\n\r\n")
        with pytest.raises(Refused, match="UID 3 was given to a second message"):
            await account.absorb(inbox)
        await database.write(lambda tx: tx.execute("DELETE FROM pending"))
        assert await h.read_all(account) == before
        account.close()


def test_a_leaf_names_rows_in_their_order() -> None:
    page = LeafPage(Leaf(b"m" * 16, 0, 4, 7))
    record = SealedRecord(3, 1, b"w" * 16, Sealed(b""))
    for kind, number in ((STATE, 9), (PAGE_B, 0), (STATE, 2), (PAGE_A, 63)):
        page.put(kind, number, record)
    assert page.get(STATE, 2) == (3, b"w" * 16)
    assert page.get(STATE, 3) is None
    page.put(STATE, 2, SealedRecord(4, 1, b"x" * 16, Sealed(b"")))
    page.drop(STATE, 9)
    page.drop(STATE, 9)
    page.raise_floors(5, 6)
    page.raise_floors(4, 9)
    page.grow()
    leaf = page.next()
    assert (leaf.version, leaf.leaves, leaf.uid_floor, leaf.modseq_floor) == (5, 1, 5, 9)
    assert list(leaf.writes()) == [(PAGE_A, 63), (PAGE_B, 0), (STATE, 2)]
    assert leaf.writes()[STATE, 2] == (4, b"x" * 16)
    assert Leaf.decode(leaf.encode()) == leaf
    for wrong in (b"", leaf.encode()[:-1], leaf.encode() + b"\0", b"EML2" + leaf.encode()[4:]):
        with pytest.raises(UnsealError):
            Leaf.decode(wrong)
    assert (
        difference(STATE, 16, (41, b"a"), (43, b"b"))
        == "flags of messages 4097-4352: version 41 found, 43 was written"
    )


def test_counts_name_leaves() -> None:
    counts = Counts(1, 2, 3, 4, 5, {7: (8, b"w" * 16), 0: (9, b"x" * 16)})
    octets = counts.encode()
    assert Counts.decode(octets) == counts
    old = b"\x01" + octets[1:29]
    assert Counts.decode(old) == Counts(1, 2, 3, 4, 5)
    for wrong in (
        b"",
        octets[:-1],
        octets + b"\0",
        octets[:29],
        octets[:31],
        octets[:-28],
        old + b"\0",
        b"\x03" + octets[1:],
    ):
        with pytest.raises(UnsealError):
            Counts.decode(wrong)
