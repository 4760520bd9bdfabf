"""The chain of arrivals: what was delivered and is gone, or is not as it was delivered, is noticed."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailstead.clock import SystemClock
from mailstead.crypto.arrivals import ArrivalChain
from mailstead.delivery.appending import Appending
from mailstead.errors import MailError, Reason, Refused
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Uid
from mailstead.store.database import Database, Tx
from mailstead.store.migrate import SCHEMA_COMPAT, get_meta, schema_files, statements
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.sqlite import SqliteTx, open_connection
from tests.support.house import House, house

Tamper = Callable[[Tx], object]


async def delivered(h: House, count: int = 4) -> None:
    await h.move_in()
    for n in range(count):
        await h.deliver(f"Subject: {n}\r\n\r\n{'x' * 500}\r\n".encode())


async def absorbed(h: House) -> tuple[list[int], list[tuple[int, str]]]:
    """Absorb INBOX; the UIDs that are there, and what was put aside."""
    account = await h.unlock()
    try:
        await account.absorb(await h.inbox(account))
        return list(await h.read_all(account)), [(uid, why) for _, uid, why in await account.quarantined()]
    finally:
        account.close()


async def test_everything_that_was_delivered_follows(database: Database, tmp_path: Path) -> None:
    """In one group and in several, to two mailboxes, spooled and not; by SMTP, by APPEND; between COPYs."""
    async with house(database, tmp_path, memory_octets=200_000, single_octets=100_000) as h:
        await delivered(h, 2)
        large = base64.b64encode(os.urandom(1_500_000)) + b"\r\n"
        await h.deliver(b"Subject: large\r\n\r\n" + large)
        account = await h.unlock()
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        appending = Appending(h.storing, h.directory, SystemClock())
        for box in (trash, inbox, trash):
            message = await appending.begin(account.account_id, box, Flags(), None, 0)
            message.push(b"Subject: appended\r\n\r\n")
            await appending.finish([message])
        await account.copy(inbox, [Uid(1), Uid(4)], trash)
        await h.deliver(b"Subject: after\r\n\r\n")
        assert await account.absorb(inbox) == 1
        assert await account.absorb(trash) == 2
        assert await account.quarantined() == []
        assert list(await h.read_all(account)) == [1, 2, 3, 4, 5]
        counted = await database.read(lambda tx: tx.execute("SELECT arrivals FROM mailbox ORDER BY arrivals"))
        assert [n for (n,) in counted][-2:] == [2, 5], "copies are no arrivals"
        account.close()


CHANGES: dict[str, Tamper] = {
    "modseq": lambda tx: tx.execute("UPDATE pending SET modseq = modseq + 1 WHERE uid = 2"),
    "uid": lambda tx: tx.execute("UPDATE pending SET uid = 9 WHERE uid = 2"),
    "tag": lambda tx: tx.execute("UPDATE pending SET tag = ? WHERE uid = 2", (bytes(32),)),
    "the tag of another": lambda tx: tx.execute(
        "UPDATE pending SET tag = (SELECT tag FROM pending WHERE uid = 1) WHERE uid = 2"
    ),
    "object": lambda tx: tx.execute(
        "UPDATE pending SET object_id = (SELECT object_id FROM pending WHERE uid = 1) WHERE uid = 2"
    ),
    "the body": lambda tx: tx.execute(
        "UPDATE extent SET octets = ? WHERE object_id = (SELECT object_id FROM pending WHERE uid = 2)",
        (bytes(1000),),
    ),
    "no body": lambda tx: tx.execute(
        "DELETE FROM extent WHERE object_id = (SELECT object_id FROM pending WHERE uid = 2)"
    ),
}


@pytest.mark.parametrize("how", CHANGES)
async def test_what_was_changed_is_put_aside(database: Database, tmp_path: Path, how: str) -> None:
    async with house(database, tmp_path) as h:
        await delivered(h)
        await database.write(CHANGES[how])
        if how == "uid":  # behind the others in order, though not in number
            with pytest.raises(Refused, match="1 message is missing that had been delivered before UID 3"):
                await absorbed(h)
            return
        shown, aside = await absorbed(h)
        assert 2 not in shown
        assert (2, "it is not as it was delivered") in aside
        assert {1, 4} <= set(shown), "the others are there"
        await h.deliver(b"Subject: next\r\n\r\n")
        assert 5 in (await absorbed(h))[0]


REMOVALS: dict[str, tuple[str, int, list[int]]] = {
    "the first": ("uid = 1", 1, []),
    "one in the middle": ("uid = 2", 1, [1]),
    "several": ("uid = 2 OR uid = 3", 2, [1]),
}


@pytest.mark.parametrize("which", REMOVALS)
async def test_what_was_taken_away_is_missed(database: Database, tmp_path: Path, which: str) -> None:
    where, count, before = REMOVALS[which]
    async with house(database, tmp_path) as h:
        await delivered(h)
        await database.write(lambda tx: tx.execute(f"DELETE FROM pending WHERE {where}"))  # type: ignore[arg-type]
        for _ in range(2):  # and stays missed, however often somebody looks
            with pytest.raises(Refused, match=r"missing that had been delivered before UID") as caught:
                await absorbed(h)
            assert caught.value.reason is Reason.NOT_AS_LEFT
            assert str(caught.value).startswith(f"{count} message")
        account = await h.unlock()
        left = [
            n
            for n in range(1, 5)
            if n not in ({1} if which == "the first" else {2} if count == 1 else {2, 3})
        ]
        assert [m.uid async for m in account.messages(await h.inbox(account))] == left, (
            "what is there is shown"
        )
        waiting = await database.read(lambda tx: tx.execute("SELECT uid FROM pending ORDER BY uid"))
        assert [u for (u,) in waiting] == [u for u in left if u not in before]
        account.close()


async def test_numbers_cannot_be_closed_up_behind_what_was_taken_away(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        await delivered(h)
        await database.write(lambda tx: tx.execute("DELETE FROM pending WHERE uid = 2"))
        await database.write(lambda tx: tx.execute("UPDATE pending SET n = n - 1 WHERE uid > 2"))
        shown, aside = await absorbed(h)
        assert shown == [1]
        assert [uid for uid, _ in aside] == [3, 4]


async def test_what_was_put_in_or_put_back_is_put_aside(database: Database, tmp_path: Path) -> None:
    columns = "account_id, mailbox_id, {}, modseq, object_id, lane_id, {}, summary_flags, body_flags, summary, {}, tag"
    into = f"INSERT INTO pending ({columns.format('uid', 'ctr', 'n')})"
    copied = columns.format("uid + 50", "ctr + 100", "n")
    async with house(database, tmp_path) as h:
        await delivered(h)
        await database.write(lambda tx: tx.execute(f"{into} SELECT {copied} FROM pending WHERE uid = 2"))  # type: ignore[arg-type]
        later = columns.format("uid + 60", "ctr + 101", "n + 9")
        await database.write(lambda tx: tx.execute(f"{into} SELECT {later} FROM pending WHERE uid = 3"))  # type: ignore[arg-type]
        shown, aside = await absorbed(h)
        assert shown == [1, 2, 3, 4]
        assert aside == [(52, "it was not delivered here"), (63, "it was not delivered here")]


async def test_two_mailboxes_do_not_exchange_what_arrived(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await delivered(h, 2)
        account = await h.unlock()
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        for _ in range(2):
            await h.put(b"Subject: trash\r\n\r\n", trash)

        def exchange(tx: Tx) -> None:
            for before, after in (
                ((inbox, 1), (inbox, 99)),
                ((trash, 1), (inbox, 1)),
                ((inbox, 99), (trash, 1)),
            ):
                tx.execute(
                    "UPDATE pending SET mailbox_id = ?, uid = ? WHERE mailbox_id = ? AND uid = ?",
                    (*after, *before),
                )

        await database.write(exchange)
        for box in (inbox, trash):
            await account.absorb(box)
        aside = await account.quarantined()
        assert {(box, uid) for box, uid, _ in aside} >= {(inbox, 1), (trash, 1)}
        assert not [m async for m in account.messages(inbox)]
        account.close()


async def test_a_counter_that_was_set_back_loses_no_mail_silently(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await delivered(h)
        await database.write(lambda tx: tx.execute("UPDATE mailbox SET arrivals = 2 WHERE arrivals = 4"))
        shown, aside = await absorbed(h)
        assert (shown, [uid for uid, _ in aside]) == ([1, 2], [3, 4])


async def test_without_the_chain_nothing_of_this_is_noticed(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what finds a changed pending is the tag, not something else."""
    monkeypatch.setattr(ArrivalChain, "follows", lambda *_: True)
    monkeypatch.setattr(ArrivalChain, "follows_start", lambda *_: True)
    for how in ("modseq", "tag"):
        folder = tmp_path / how
        folder.mkdir()
        database = open_database(StoreSettings(folder))
        async with house(database, folder) as h:
            await delivered(h)
            await database.write(CHANGES[how])
            assert await absorbed(h) == ([1, 2, 3, 4], [])
        await database.close()


async def test_a_mailbox_without_its_leaf_takes_nothing_in(database: Database, tmp_path: Path) -> None:
    """As one has that was made by a version which wrote none: nothing is believed of it unasked."""
    async with house(database, tmp_path) as h:
        await delivered(h)
        await database.write(lambda tx: tx.execute("DELETE FROM leaf"))
        with pytest.raises(Refused, match="leaf 0 of the mailbox is missing"):
            await absorbed(h)
        account = await h.unlock()
        assert len([m async for m in account.messages(await h.inbox(account))]) == 4
        account.close()


@pytest.mark.parametrize("what", ["octets", "write_id", "version", "another mailbox's"])
async def test_a_leaf_that_is_not_this_mailboxs_is_refused(
    database: Database, tmp_path: Path, what: str
) -> None:
    async with house(database, tmp_path) as h:
        await delivered(h)
        account = await h.unlock()
        inbox, trash = await h.inbox(account), (await account.mailbox("Trash")).id
        statements: dict[str, Tamper] = {
            "octets": lambda tx: tx.execute("UPDATE leaf SET octets = ?", (bytes(400),)),
            "write_id": lambda tx: tx.execute("UPDATE leaf SET write_id = ?", (bytes(16),)),
            "version": lambda tx: tx.execute("UPDATE leaf SET version = version + 1"),
            "another mailbox's": lambda tx: tx.execute(
                "UPDATE leaf SET octets = (SELECT octets FROM leaf WHERE mailbox_id = ?),"
                " write_id = (SELECT write_id FROM leaf WHERE mailbox_id = ?) WHERE mailbox_id = ?",
                (trash, trash, inbox),
            ),
        }
        await database.write(statements[what])
        with pytest.raises(Exception, match="does not open"):
            await account.absorb(inbox)
        account.close()


async def test_older_data_gets_numbers_and_no_tags(tmp_path: Path) -> None:
    connection = open_connection(tmp_path / "mail.db")
    tx = SqliteTx(connection)
    tx.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
    for statement in statements(schema_files()[0][1]):
        tx.execute(statement.replace("{bytes}", "BLOB"))  # type: ignore[arg-type]
    for name, value in (("schema_version", b"1"), ("schema_compat", b"1"), ("instance", b"i" * 16)):
        tx.execute("INSERT INTO meta VALUES (?, ?)", (name, value))
    tx.execute(
        "INSERT INTO account VALUES (1, ?, 0, 1, 1, 1, ?, 9, 7, ?, 0, 0, 1, 0)", (b"u" * 16, b"m", b"i" * 16)
    )
    for box in (b"a", b"b"):
        tx.execute("INSERT INTO mailbox VALUES (1, ?, 7, 9, 9, 1, 3, 0)", (box * 16,))
        tx.execute("INSERT INTO lane VALUES (1, ?, 1, ?)", (box * 16, b"s"))
        for ctr, uid in enumerate((8, 3, 5) if box == b"a" else (2,)):
            tx.execute(
                "INSERT INTO pending VALUES (1, ?, ?, 1, ?, ?, ?, 7, 3, ?)",
                (box * 16, uid, b"o" * 16, box * 16, ctr, b"summary"),
            )
    connection.close()
    database = open_database(StoreSettings(tmp_path))
    numbered = await database.read(
        lambda tx: tx.execute("SELECT mailbox_id, uid, n, tag FROM pending ORDER BY mailbox_id, uid")
    )
    assert [(box[:1], uid, n) for box, uid, n, _ in numbered] == [
        (b"a", 3, 1),
        (b"a", 5, 2),
        (b"a", 8, 3),
        (b"b", 2, 1),
    ]
    assert {tag for *_, tag in numbered} == {b""}
    counted = await database.read(
        lambda tx: tx.execute("SELECT arrivals, arrival_tag FROM mailbox ORDER BY mailbox_id")
    )
    assert counted == [(3, b""), (1, b"")]
    assert await database.read(lambda tx: get_meta(tx, "schema_compat")) == str(SCHEMA_COMPAT).encode()
    await database.close()


async def test_a_delivery_that_fails_leaves_the_chain_as_it_was(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await delivered(h, 1)
        await database.write(lambda tx: tx.execute("UPDATE account SET quota_octets = used_octets + 10"))
        failed = await h.deliver(b"Subject: too much\r\n\r\n" + b"y" * 5000 + b"\r\n")
        assert isinstance(failed[0], MailError)
        await database.write(lambda tx: tx.execute("UPDATE account SET quota_octets = 0"))
        await h.deliver(b"Subject: again\r\n\r\n")
        assert await absorbed(h) == ([1, 2], [])
