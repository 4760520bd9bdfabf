"""What the rows of mailboxes promise, on both engines."""

import contextlib
import os

import pytest

from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.errors import Reason, Refused
from mailstead.store import mailboxes as boxes
from mailstead.store import messages as rows
from mailstead.store.accounts import (
    AccountRow,
    access,
    add_account,
    get_account,
    quota,
    set_generations,
    set_status,
)
from mailstead.store.annotations import annotations, put_annotations
from mailstead.store.database import Database, Tx
from mailstead.store.objects import add_refs, drop_refs, extents, has_object, small_bodies
from mailstead.store.records import LostRace, put_record

BOX = b"B" * 16


async def account(database: Database) -> int:
    row = AccountRow(0, os.urandom(16), 0, 1, 1, 1, b"m" * 32, 1, BOX, 0, 0, 1, 0)

    def work(tx: Tx) -> int:
        number = add_account(tx, row)
        boxes.add_mailbox(tx, number, BOX, 1, boxes.next_uid_validity(tx, number))
        return number

    return await database.write(work)


@pytest.mark.parametrize("count", [1, 3, 4, 16, 17, 40])
async def test_small_bodies_are_read_together_as_one_by_one(database: Database, count: int) -> None:
    number = await account(database)
    ids = [bytes([n]) * 16 for n in range(50)]

    def work(tx: Tx) -> None:
        for n, object_id in enumerate(ids):
            row = (number, object_id, 1, 5, 0)
            tx.execute("INSERT INTO object VALUES (?, ?, ?, ?, ?)", row)
            for extent in range(n % 4):  # none, one, two that there should not be, and three
                octets = b"%d of %d" % (extent, n)
                tx.execute("INSERT INTO extent VALUES (?, ?, ?, ?)", (number, object_id, extent, octets))

    await database.write(work)
    wanted = [ids[n * 7 % 50] for n in range(count)] + [b"gone" * 4]
    wanted += wanted[:20]  # copies, which may be in another statement than the first
    found = await database.read(lambda tx: small_bodies(tx, number, wanted))
    singly = await database.read(lambda tx: {o: extents(tx, number, o, 0, 1) for o in wanted})
    assert found == {object_id: octets for object_id, octets in singly.items() if octets}


async def test_uids_are_taken_once_and_never_again(database: Database) -> None:
    number = await account(database)
    await database.write(lambda tx: boxes.take_uids(tx, number, BOX, 1, 5, 10))
    with pytest.raises(LostRace):
        await database.write(lambda tx: boxes.take_uids(tx, number, BOX, 5, 1, 11))
    await database.write(lambda tx: boxes.take_uids(tx, number, BOX, 100, 2, 12))  # a gap is legal
    row = await database.read(lambda tx: boxes.get_mailbox(tx, number, BOX))
    assert row is not None
    assert (row.uid_next, row.messages, row.highest_modseq) == (102, 7, 12)


async def test_recent_is_given_to_one_session(database: Database) -> None:
    number = await account(database)
    await database.write(lambda tx: boxes.take_uids(tx, number, BOX, 1, 5, 10))
    assert await database.write(lambda tx: boxes.take_recent(tx, number, BOX)) == (1, 6)
    assert await database.write(lambda tx: boxes.take_recent(tx, number, BOX)) == (6, 6)


async def test_a_deleted_mailbox_is_found_by_nobody_but_the_purge(database: Database) -> None:
    number = await account(database)
    await database.write(lambda tx: boxes.mark_deleted(tx, number, BOX))
    assert await database.read(lambda tx: boxes.get_mailbox(tx, number, BOX)) is None
    assert await database.read(lambda tx: boxes.mailboxes(tx, number)) == []
    with pytest.raises(LostRace):
        await database.write(lambda tx: boxes.take_uids(tx, number, BOX, 1, 1, 10))
    for work in (boxes.take_recent, lambda tx, n, b: boxes.touch(tx, n, b, 10)):
        with pytest.raises(Refused) as caught:
            await database.write(lambda tx, work=work: work(tx, number, BOX))
        assert caught.value.reason is Reason.NO_SUCH_MAILBOX
    assert await database.read(lambda tx: boxes.deleted_mailboxes(tx, number)) == [BOX]
    await database.write(lambda tx: boxes.purge_mailbox(tx, number, BOX))
    assert await database.read(lambda tx: boxes.deleted_mailboxes(tx, number)) == []


async def test_the_purge_takes_no_mailbox_that_is_alive(database: Database) -> None:
    number = await account(database)
    await database.write(lambda tx: boxes.purge_mailbox(tx, number, BOX))
    assert await database.read(lambda tx: boxes.get_mailbox(tx, number, BOX)) is not None


def state(number: int, modseq: int, version: int = 1) -> rows.StateRow:
    return rows.StateRow(number, modseq, SealedRecord(version, 1, b"w" * 16, Sealed(b"s")))


async def test_states_that_changed_since_are_found(database: Database) -> None:
    number = await account(database)
    for n, modseq in ((0, 5), (1, 9), (2, 7), (3, 5)):
        await database.write(lambda tx, n=n, m=modseq: rows.put_state(tx, number, BOX, state(n, m)))
    found = await database.read(lambda tx: rows.states_since(tx, number, BOX, 5))
    assert [(s.number, s.max_modseq) for s in found] == [(1, 9), (2, 7)]
    await database.write(lambda tx: rows.drop_state(tx, number, BOX, 1, 1))
    with pytest.raises(LostRace):
        await database.write(lambda tx: rows.drop_state(tx, number, BOX, 2, 7))
    assert await database.read(lambda tx: rows.state_version(tx, number, BOX, 1)) == 0
    assert await database.read(lambda tx: rows.state_version(tx, number, BOX, 2)) == 1


async def test_states_that_did_not_change_are_not_looked_at(sqlite: Database) -> None:
    plan = await sqlite.read(
        lambda tx: tx.execute(
            "EXPLAIN QUERY PLAN SELECT number, max_modseq, version, epoch, write_id, octets FROM state"
            " WHERE account_id = ? AND mailbox_id = ? AND max_modseq > ?",
            (1, BOX, 5),
        )
    )
    assert "state_modseq" in str(plan), plan


async def test_an_object_goes_with_its_last_reference(database: Database) -> None:
    number = await account(database)
    one, two = b"1" * 16, b"2" * 16

    def make(tx: Tx) -> None:
        for object_id in (one, two):
            tx.execute(
                "INSERT INTO object (account_id, object_id, refs, stored_octets, created) VALUES (?, ?, 1, 100, 0)",
                (number, object_id),
            )
        tx.execute("UPDATE account SET used_octets = 200 WHERE account_id = ?", (number,))

    await database.write(make)
    await database.write(lambda tx: add_refs(tx, number, [one, one]))  # named twice, counted twice
    await database.write(lambda tx: drop_refs(tx, number, [one, two, one]))
    assert await database.read(lambda tx: has_object(tx, number, one))
    assert not await database.read(lambda tx: has_object(tx, number, two))
    await database.write(lambda tx: drop_refs(tx, number, [one]))
    used = await database.read(lambda tx: tx.execute("SELECT used_octets FROM account"))
    assert used[0][0] == 0


async def test_access_tells_of_every_change(database: Database) -> None:
    number = await account(database)
    before = await database.read(lambda tx: access(tx, number))
    row = await database.read(lambda tx: get_account(tx, number))
    assert row is not None
    await database.write(lambda tx: set_status(tx, row, 1, b"n" * 32))
    after = await database.read(lambda tx: access(tx, number))
    assert before is not None
    assert after is not None
    assert (after.status, after.access_version) == (1, before.access_version + 1)
    for late in (
        lambda tx: set_status(tx, row, 0, b"o" * 32),
        lambda tx: set_generations(tx, row, row._replace(read_gen=2, mac=b"o" * 32)),
    ):
        with pytest.raises(LostRace):  # it was read before the other change
            await database.write(late)
    assert await database.read(lambda tx: access(tx, number)) == after
    assert await database.read(lambda tx: access(tx, number + 1)) is None


def annotated(octets: int, version: int = 1) -> SealedRecord:
    return SealedRecord(version, 1, b"w" * 16, Sealed(b"s" * octets))


async def test_annotations_count_what_they_take(database: Database) -> None:
    number = await account(database)

    async def put(place: bytes, octets: int, version: int = 1) -> int:
        await database.write(lambda tx: put_annotations(tx, number, place, annotated(octets, version)))
        return (await database.read(lambda tx: quota(tx, number)))[0]

    assert await put(BOX, 1000) == 1000
    assert await put(ZERO_ID, 500) == 1500
    assert await put(BOX, 200, 2) == 700
    for place, version in ((BOX, 1), (BOX, 2), (BOX, 4), (ZERO_ID, 1), (ZERO_ID, 3)):
        with pytest.raises(LostRace):
            await put(place, 9000, version)
    for limit, octets, over in (
        (1000, 500, False),
        (1000, 501, True),
        (100, 199, False),
        (100, 200, False),
        (100, 201, True),
    ):
        await database.write(lambda tx, n=limit: tx.execute("UPDATE account SET quota_octets = ?", (n,)))
        with pytest.raises(Refused) if over else contextlib.nullcontext():
            await put(BOX, octets, 3)
        assert (await database.read(lambda tx: quota(tx, number)))[0] == (700 if over else 500 + octets)
        await database.write(
            lambda tx: tx.execute(
                "UPDATE record SET version = 2, octets = ? WHERE place = ?", (b"s" * 200, BOX)
            )
        )
        await database.write(lambda tx: tx.execute("UPDATE account SET used_octets = 700"))
    found = await database.read(lambda tx: annotations(tx, number, [ZERO_ID, BOX, b"?" * 16]))
    assert {place: len(record.sealed.octets) for place, record in found.items()} == {ZERO_ID: 500, BOX: 200}
    await database.write(lambda tx: boxes.mark_deleted(tx, number, BOX))
    with pytest.raises(Refused) as caught:
        await put(BOX, 10, 3)
    assert caught.value.reason is Reason.NO_SUCH_MAILBOX
    counts = SealedRecord(1, 1, b"w" * 16, Sealed(b"c" * 77))  # which does not count
    await database.write(lambda tx: put_record(tx, number, Kind.COUNTS, counts, BOX))
    await database.write(lambda tx: boxes.purge_mailbox(tx, number, BOX))
    assert await database.read(lambda tx: quota(tx, number)) == (500, 100)
    assert set(await database.read(lambda tx: annotations(tx, number, [ZERO_ID, BOX]))) == {ZERO_ID}
