"""Somebody who can write the database: what he changes is refused, and never shown as mail."""

import base64
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailstead.accounts.annotations import SERVER
from mailstead.accounts.keyview import show_keys
from mailstead.accounts.login import unlock_root
from mailstead.accounts.newways import set_words
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office, remove_account, set_status
from mailstead.accounts.resetting import at_stake
from mailstead.accounts.sessions import end_sessions
from mailstead.accounts.turns import until_won
from mailstead.accounts.waysin import root_ring
from mailstead.crypto import passwords, primitives
from mailstead.crypto.keyring import CURRENT, MANIFESTS, Epoch, Ring, read_key, seal_read_ring
from mailstead.errors import MailError, Reason, Refused, Unavailable, UnsealError
from mailstead.mail.address import parse_mailbox
from mailstead.store.accounts import DISABLED, Stale
from mailstead.store.database import Conflict, Database, Tx
from mailstead.store.records import LostRace
from tests.support.house import PASSWORD, House, house


async def lived_in(h: House, absorb: bool) -> None:
    await h.move_in("ann@b.test")
    await h.move_in("ben@b.test")
    for n in range(3):
        await h.deliver(f"Subject: ann {n}\r\n\r\n{'a' * 1000}\r\n".encode(), "ann@b.test")
        await h.deliver(f"Subject: ben {n}\r\n\r\n{'b' * 1000}\r\n".encode(), "ben@b.test")
    for address in ("ann@b.test", "ben@b.test"):
        account = await h.unlock(address)
        for place in (await h.inbox(account), SERVER):
            await account.annotations.change(place, {"/private/comment": address.encode()})
        account.close()
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
        await account.absorb(inbox)
        await account.status(inbox)
        for place in (inbox, SERVER):
            assert await account.annotations.of(place) == {"/private/comment": b"ann@b.test"}
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
        assert "not delivered here" in reason
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


# Every cell of an account that holds something sealed, and that nothing but itself should open.
CELLS = [("page", "octets"), ("state", "octets"), ("record", "octets"), ("extent", "octets")]
WRITE_IDS = [("page", "write_id"), ("state", "write_id"), ("record", "write_id")]


def exchange(tx: Tx, one: tuple[str, str, int], two: tuple[str, str, int]) -> None:
    """Swap two cells, whatever tables they are in."""
    values = [tx.execute(f"SELECT {c} FROM {t} WHERE rowid = ?", (r,))[0][0] for t, c, r in (one, two)]  # type: ignore[arg-type]
    for (t, c, r), value in zip((one, two), reversed(values), strict=True):
        tx.execute(f"UPDATE {t} SET {c} = ? WHERE rowid = ?", (value, r))  # type: ignore[arg-type]


@pytest.mark.parametrize("cells", [CELLS, WRITE_IDS], ids=["octets", "write ids"])
async def test_any_two_sealed_values_swapped_are_refused(
    sqlite: Database, tmp_path: Path, cells: list[tuple[str, str]]
) -> None:
    """Each of ann's with each other of hers and with each of ben's, of one table and of two."""
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=True)

        def listed(tx: Tx, account: int) -> list[tuple[str, str, int]]:
            return [
                (t, c, r[0])
                for t, c in cells
                for r in tx.execute(f"SELECT rowid FROM {t} WHERE account_id = {account}")  # type: ignore[arg-type]
            ]

        anns = await sqlite.read(lambda tx: listed(tx, 1))
        bens = await sqlite.read(lambda tx: listed(tx, 2))
        assert len(anns) == len(bens) >= (10 if cells is CELLS else 7)
        for i, one in enumerate(anns):
            for two in [*anns[i + 1 :], *bens]:
                await sqlite.write(lambda tx, a=one, b=two: exchange(tx, a, b))
                with pytest.raises((UnsealError, Refused)):
                    await read_everything(h)
                await sqlite.write(lambda tx, a=one, b=two: exchange(tx, a, b))
        assert len(await read_everything(h)) == 3, "the control: undone, all opens"


CLEAR = [
    ("page", "version"), ("page", "epoch"), ("state", "version"), ("state", "epoch"),
    ("state", "max_modseq"), ("record", "version"), ("record", "epoch"),
]  # fmt: skip


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize(("table", "column"), CLEAR)
async def test_a_clear_column_that_a_record_binds_is_not_changed(
    sqlite: Database, tmp_path: Path, table: str, column: str, by: int
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=True)
        # The epoch of a keyring is no part of it; COUNTS and MBOXES have one.
        where = " AND kind <> 20" if (table, column) == ("record", "epoch") else ""
        await sqlite.write(
            lambda tx: tx.execute(
                f"UPDATE {table} SET {column} = {column} + {by} WHERE account_id = 1{where}"
            )  # type: ignore[arg-type]
        )
        with pytest.raises((UnsealError, Refused, Stale)):  # the last: an epoch to come is one of other keys
            await read_everything(h)


async def test_a_long_body_is_refused_with_its_extents_out_of_place(sqlite: Database, tmp_path: Path) -> None:
    message = b"Subject: long\r\n\r\n" + base64.b64encode(os.urandom(600_000)) + b"\r\n"
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(message)
        account = await h.unlock()
        assert await h.read_all(account) == {1: message}
        kept = await sqlite.read(lambda tx: tx.execute("SELECT object_id, number, octets FROM extent"))
        assert len(kept) >= 3
        last = kept[-1][2]
        whole = len(last) // 16400 * 16400  # cut exactly at a chunk boundary

        def put(octets: dict[int, bytes]) -> Callable[[Tx], None]:
            def work(tx: Tx) -> None:
                tx.execute("DELETE FROM extent")
                for number, value in octets.items():
                    tx.execute(
                        "INSERT INTO extent (account_id, object_id, number, octets) VALUES (1, ?, ?, ?)",
                        (kept[0][0], number, value),
                    )

            return work

        right = {number: octets for _, number, octets in kept}
        end = max(right)
        for wrong in (
            {**right, 0: right[1], 1: right[0]},
            {**right, 1: right[0]},
            {n: o for n, o in right.items() if n != end},
            {n: o for n, o in right.items() if n != 1},
            {**right, end: last[:whole]},
            {**right, end: last[: whole - 16400]},
            {**right, end: last[:-1]},
            {**right, end: last + b"\0"},
            {**right, end: last[:-1] + bytes((last[-1] ^ 1,))},
            {**right, end + 1: last},
            {**right, 0: right[0][:-1]},
        ):
            await sqlite.write(put(wrong))
            with pytest.raises(UnsealError):
                await h.read_all(account)
        await sqlite.write(put(right))
        assert await h.read_all(account) == {1: message}, "the control"
        account.close()


@pytest.mark.parametrize(
    "column", ["header", "public_key", "blob", "tag", "mac", "root_gen", "read_gen", "not_after"]
)
async def test_no_part_of_a_way_in_is_exchanged(sqlite: Database, tmp_path: Path, column: str) -> None:
    """Between ann's password and her words, and between hers and ben's."""
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        anns, bens = ("account_id = 1 AND type = 1", "account_id = 2 AND type = 1")
        for other in (bens, "account_id = 1 AND type = 3"):

            def spoil(tx: Tx, other: str = other) -> bytes | int:
                ((before,),) = tx.execute(f"SELECT {column} FROM slot WHERE {anns}")  # type: ignore[arg-type]
                ((value,),) = tx.execute(f"SELECT {column} FROM slot WHERE {other}")  # type: ignore[arg-type]
                new = value + 1 if isinstance(value, int) else value
                tx.execute(f"UPDATE slot SET {column} = ? WHERE {anns}", (new,))  # type: ignore[arg-type]
                return before  # type: ignore[no-any-return]

            before = await sqlite.write(spoil)
            with pytest.raises(MailError) as caught:
                await h.unlock("ann@b.test")
            assert caught.value.reason is Reason.LOGIN_FAILED
            await sqlite.write(
                lambda tx, v=before: tx.execute(f"UPDATE slot SET {column} = ? WHERE {anns}", (v,))
            )  # type: ignore[arg-type]
        (await h.unlock("ann@b.test")).close()


async def test_a_planted_account_is_not_opened_by_the_right_password(
    sqlite: Database, tmp_path: Path
) -> None:
    """Somebody seals a root of his own to ann's slot, with keyrings, a delivery key and mail to go with it."""
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        evil = b"E" * 32

        def plant(tx: Tx) -> None:
            ((uuid, header, public),) = tx.execute(
                "SELECT uuid, header, public_key FROM slot JOIN account USING (account_id) WHERE account_id = 1 AND type = 1"
            )
            blob = primitives.encapsulate(evil, primitives.public_key(public), b"EMS1 slot\x00" + header)
            epoch = Epoch(1, CURRENT, 0, b"s" * 32, b"k" * 32)
            ring = Ring(1, 1, 1, MANIFESTS, 0, (epoch,))
            record = seal_read_ring(read_key(evil, 1, 1), uuid, ring)
            tx.execute("UPDATE slot SET blob = ? WHERE account_id = 1 AND type = 1", (blob,))
            tx.execute(
                "UPDATE record SET version = 1, write_id = ?, octets = ? WHERE account_id = 1 AND kind = 20 AND object_id = ?",
                (record.write_id, record.sealed.octets, bytes(16)),
            )
            # With server.key in hand he makes the row's MAC too; the tag he cannot make.
            ((gens, tag),) = [
                ((r, g), t)
                for r, g, t in tx.execute(
                    "SELECT root_gen, read_gen, tag FROM slot WHERE account_id = 1 AND type = 1"
                )
            ]
            mac = h.server_key.rows.slot(uuid, header, gens, 0, public, blob, tag, b"")
            tx.execute("UPDATE slot SET mac = ? WHERE account_id = 1 AND type = 1", (mac,))

        await sqlite.write(plant)
        with pytest.raises(MailError) as caught:
            await h.unlock("ann@b.test")
        assert caught.value.reason is Reason.LOGIN_FAILED
        assert "does not open" in str(caught.value.__cause__)


async def test_a_pending_has_a_lane_and_a_counter_of_its_own(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=False)
        for statement in (
            "DELETE FROM lane",
            "UPDATE pending SET lane_id = zeroblob(16)",
            "UPDATE pending SET ctr = 0, lane_id = (SELECT min(lane_id) FROM lane WHERE account_id = pending.account_id)",
        ):
            with pytest.raises(Conflict):
                await sqlite.write(lambda tx, s=statement: tx.execute(s))
        assert len(await read_everything(h)) == 3


async def test_rows_moved_to_another_mailbox_of_the_account_are_refused(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        await lived_in(h, absorb=True)
        account = await h.unlock("ann@b.test")
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id

        def move(tx: Tx, to: bytes) -> None:
            for table in ("page", "state"):
                tx.execute(f"UPDATE {table} SET mailbox_id = ? WHERE account_id = 1", (to,))  # type: ignore[arg-type]
            tx.execute("UPDATE record SET place = ? WHERE account_id = 1 AND kind = 27", (to,))

        await sqlite.write(lambda tx: move(tx, trash))
        with pytest.raises(UnsealError):
            await account.status(trash)
        with pytest.raises(UnsealError):
            [m async for m in account.messages(trash)]
        await sqlite.write(lambda tx: move(tx, inbox))
        assert len(await h.read_all(account)) == 3, "the control"
        account.close()


async def test_keys_of_which_one_half_was_set_back_are_not_changed(sqlite: Database, tmp_path: Path) -> None:
    """Each keyring opens by itself; to go by one and to wait for the other would never end."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        ((before,),) = await sqlite.read(
            lambda tx: [
                tx.execute(
                    "SELECT version, write_id, octets FROM record WHERE kind = 20 AND object_id = ?",
                    (bytes(16),),
                )
            ]
        )
        words = passwords.new_words()
        await set_words(h.office, "ann@b.test", Credential.password(PASSWORD), words)
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE record SET version = ?, write_id = ?, octets = ? WHERE account_id = 1 AND kind = 20 AND object_id = ?",
                (*before, bytes(16)),
            )
        )
        with pytest.raises(Refused, match="one was set back") as caught:
            await set_words(h.office, "ann@b.test", Credential.words(" ".join(words)), passwords.new_words())
        assert caught.value.reason is Reason.DAMAGED


async def test_a_race_that_nobody_wins_ends() -> None:
    lost: list[int] = []

    async def turn(races: int) -> None:
        lost.append(races)
        raise LostRace

    with pytest.raises(Refused) as caught:
        await until_won(turn)
    assert caught.value.reason is Reason.DAMAGED
    assert lost == list(range(len(lost)))
    assert len(lost) >= 1000, "and not before somebody had his chance"


@pytest.mark.parametrize(
    "act",
    [
        lambda office: set_status(office, "ann@b.test", DISABLED),
        lambda office: remove_account(office, "ann@b.test"),
        lambda office: end_sessions(office, "ann@b.test"),
        lambda office: show_keys(office, "ann@b.test"),
        lambda office: at_stake(office, "ann@b.test"),
    ],
)
async def test_an_account_row_of_somebody_else_is_not_acted_on(
    sqlite: Database, tmp_path: Path, act: Callable[[Office], Awaitable[object]]
) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await sqlite.write(lambda tx: tx.execute("UPDATE account SET mac = ?", (bytes(32),)))
        with pytest.raises(Refused) as caught:
            await act(h.office)
        assert caught.value.reason is Reason.DAMAGED
