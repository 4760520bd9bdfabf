"""Somebody who can write the database: what he changes is refused, and never shown as mail."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mailstead.accounts.login import Credential, unlock_root
from mailstead.accounts.waysin import root_ring
from mailstead.errors import MailError, Reason, Refused, Unavailable, UnsealError
from mailstead.mail.address import parse_mailbox
from mailstead.store.database import Database, Tx
from tests.support.house import PASSWORD, House, house


async def lived_in(h: House, absorb: bool) -> None:
    await h.move_in("ann@b.test")
    await h.move_in("ben@b.test")
    for n in range(3):
        await h.deliver(f"Subject: ann {n}\r\n\r\n{'a' * 1000}\r\n".encode(), "ann@b.test")
        await h.deliver(f"Subject: ben {n}\r\n\r\n{'b' * 1000}\r\n".encode(), "ben@b.test")
    if absorb:
        for address in ("ann@b.test", "ben@b.test"):
            account = await h.unlock(address)
            await account.absorb(await h.inbox(account))
            account.close()


async def read_everything(h: House) -> dict[int, bytes]:
    unlocked = await unlock_root(h.office, "ann@b.test", Credential.password(PASSWORD))
    with unlocked.root as root:
        await h.database.read(lambda tx: root_ring(tx, unlocked.account, root.view))
    account = await h.unlock("ann@b.test")
    try:
        inbox = await h.inbox(account)
        await account.counts(inbox)
        found = await h.read_all(account)
        assert not await account.quarantined(), "moved aside"
        return found
    finally:
        account.close()


# Every column that holds something sealed, and the table's key.
SEALED = [
    ("page", "octets"), ("state", "octets"), ("record", "octets"), ("extent", "octets"),
    ("page", "write_id"), ("state", "write_id"), ("record", "write_id"),
]  # fmt: skip
PENDING = [("pending", "summary"), ("lane", "sealed"), ("pending", "lane_id"), ("pending", "object_id")]


def change(table: str, column: str, how: str) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        rows = tx.execute(f"SELECT rowid, {column} FROM {table} WHERE account_id = 1")  # type: ignore[arg-type]
        assert rows, table
        for rowid, octets in rows:
            match how:
                case "flip":
                    value = bytes((octets[0] ^ 1,)) + octets[1:]
                case "cut":
                    value = octets[:-1]
                case _:
                    value = octets + b"\0"
            tx.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, rowid))  # type: ignore[arg-type]

    return work


@pytest.mark.parametrize("how", ["flip", "cut", "grow"])
@pytest.mark.parametrize(("table", "column"), SEALED)
async def test_a_changed_record_is_refused(
    sqlite: Database, tmp_path: Path, table: str, column: str, how: str
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=True)
        assert len(await read_everything(h)) == 3
        await sqlite.write(change(table, column, how))
        with pytest.raises((UnsealError, Refused)):
            await read_everything(h)


@pytest.mark.parametrize("how", ["flip", "cut", "grow"])
@pytest.mark.parametrize(("table", "column"), PENDING[:2])
async def test_a_changed_pending_is_put_aside(
    sqlite: Database, tmp_path: Path, table: str, column: str, how: str
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        await sqlite.write(change(table, column, how))
        with pytest.raises(AssertionError, match="moved aside"):
            await read_everything(h)
        account = await h.unlock("ann@b.test")
        assert len(await account.quarantined()) == 3
        assert await h.read_all(account) == {}
        account.close()
        kept = await sqlite.read(lambda tx: tx.execute("SELECT COUNT(*) FROM quarantine")[0][0])
        assert kept == 3, "with its octets: nothing is deleted"
        assert isinstance((await h.deliver(b"Subject: next\r\n\r\n"))[0], str)
        account = await h.unlock("ann@b.test")
        assert list((await h.read_all(account)).values()) == [b"Subject: next\r\n\r\n"]
        account.close()


def columns(tx: Tx, table: str) -> list[str]:
    return [r[1] for r in tx.execute(f"PRAGMA table_info({table})")]  # type: ignore[arg-type]


SWAPS = [
    ("page", ["octets", "version", "epoch", "write_id"]),
    ("state", ["octets", "version", "epoch", "write_id", "max_modseq"]),
    ("record", ["octets", "version", "epoch", "write_id"]),
    ("extent", ["octets"]),
    ("pending", ["summary"]),
    ("pending", ["object_id"]),
    ("lane", ["sealed"]),
]


@pytest.mark.parametrize(("table", "names"), SWAPS)
async def test_any_two_rows_whose_sealed_values_are_swapped_are_refused(
    sqlite: Database, tmp_path: Path, table: str, names: list[str]
) -> None:
    """Every pair of rows of a table, of one account and of two, with all columns that travel with the value."""
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=table not in ("pending", "lane"))

        def rows_of(tx: Tx) -> list[int]:
            return [r[0] for r in tx.execute(f"SELECT rowid FROM {table} ORDER BY account_id, rowid")]  # type: ignore[arg-type]

        rowids = await sqlite.read(rows_of)
        pairs = [(a, b) for i, a in enumerate(rowids) for b in rowids[i + 1 :]]
        assert pairs
        for a, b in pairs:
            listed = ", ".join(names)

            def swap(tx: Tx, a: int = a, b: int = b, listed: str = listed) -> bool:
                one = tx.execute(f"SELECT {listed}, account_id FROM {table} WHERE rowid = ?", (a,))[0]  # type: ignore[arg-type]
                two = tx.execute(f"SELECT {listed}, account_id FROM {table} WHERE rowid = ?", (b,))[0]  # type: ignore[arg-type]
                sets = ", ".join(f"{n} = ?" for n in names)
                tx.execute(f"UPDATE {table} SET {sets} WHERE rowid = ?", (*two[:-1], a))  # type: ignore[arg-type]
                tx.execute(f"UPDATE {table} SET {sets} WHERE rowid = ?", (*one[:-1], b))  # type: ignore[arg-type]
                return 1 in (one[-1], two[-1])  # ann's account is touched

            anns = await sqlite.write(swap)
            if anns and table not in ("pending", "lane"):
                with pytest.raises((UnsealError, Refused)):
                    await read_everything(h)
            elif anns:
                account = await h.unlock("ann@b.test")
                shown = await h.read_all_or_none(account)
                assert all(m.startswith(b"Subject: ann") for m in shown.values())
                assert len(shown) < 3, "a swapped pending is shown"
                account.close()
            await sqlite.write(swap)  # back again
        assert len(await read_everything(h)) == 3


async def test_a_pending_moved_to_another_mailbox_is_put_aside(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        account = await h.unlock("ann@b.test")
        trash = await account.mailbox("Trash")
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE pending SET mailbox_id = ? WHERE account_id = 1 AND uid = 2", (trash.id,)
            )
        )
        await account.absorb(trash.id)
        ((_, uid, reason),) = await account.quarantined()
        assert uid == 2
        assert "another mailbox" in reason
        account.close()


async def test_rows_of_who_has_no_server_key_are_not_believed(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        swaps: list[Callable[[Tx], object]] = [
            # ann's address points at ben's account
            lambda tx: tx.execute("UPDATE address SET account_id = 2 WHERE address = 'ann@b.test'"),
            # ben's delivery key is put beside ann's account
            lambda tx: tx.execute(
                "UPDATE epoch_key SET public_key = (SELECT public_key FROM epoch_key WHERE account_id = 2),"
                " mac = (SELECT mac FROM epoch_key WHERE account_id = 2) WHERE account_id = 1"
            ),
        ]
        for swap in swaps:
            fresh = House(sqlite, tmp_path)
            saved = await sqlite.read(
                lambda tx: (tx.execute("SELECT * FROM address"), tx.execute("SELECT * FROM epoch_key"))
            )
            await sqlite.write(swap)
            with pytest.raises(Unavailable) as caught:
                await fresh.reception.recipient(parse_mailbox(b"ann@b.test"), 0)
            assert caught.value.reason is Reason.DAMAGED

            def restore(tx: Tx, saved=saved) -> None:
                for row in saved[0]:
                    tx.execute("UPDATE address SET account_id = ? WHERE address = ?", (row[1], row[0]))
                for row in saved[1]:
                    tx.execute(
                        "UPDATE epoch_key SET public_key = ?, mac = ? WHERE account_id = ?",
                        (row[4], row[5], row[0]),
                    )

            await sqlite.write(restore)


async def test_a_slot_of_another_account_opens_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        await sqlite.write(lambda tx: tx.execute("DELETE FROM slot WHERE account_id = 1"))
        await sqlite.write(lambda tx: tx.execute("UPDATE slot SET account_id = 1 WHERE account_id = 2"))
        with pytest.raises(MailError) as caught:
            await h.unlock("ann@b.test")
        assert caught.value.reason is Reason.LOGIN_FAILED


async def test_mail_to_who_has_no_key_is_put_off(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await sqlite.write(lambda tx: tx.execute("DELETE FROM epoch_key"))
        with pytest.raises(Unavailable) as caught:
            await h.deliver(b"Subject: x\r\n\r\n")
        assert caught.value.reason is Reason.NO_KEY
