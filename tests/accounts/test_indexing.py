"""The index at rest: built in batches, gone on with, merged, swept, begun again, kept when keys rotate."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailstead.accounts import indexing
from mailstead.accounts.indexhead import IndexHead, Segment
from mailstead.accounts.indexmerging import to_merge
from mailstead.accounts.indexpieces import PIECE
from mailstead.accounts.opening import Credential
from mailstead.accounts.resealing import reseal_once
from mailstead.accounts.rotation import rotate
from mailstead.accounts.searchindex import Question
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import Kind
from mailstead.errors import UnsealError
from mailstead.index.segment import Damaged
from mailstead.index.terms import Clue, Place, clues
from mailstead.mail.casemap import fold
from mailstead.mail.mailbox import Uid
from mailstead.scan import Scan
from mailstead.store.database import Database
from mailstead.store.records import LostRace
from mailstead.store.segments import drop_segments, segment_ids
from tests.support.house import PASSWORD, House, house

WORDS = [f"w{n}" for n in range(50)]


def letter(n: int) -> bytes:
    chance = random.Random(n)
    return f"Subject: s{n}\r\n\r\n{' '.join(chance.choices(WORDS, k=20))} only{n}.\r\n".encode()


class Indexed:
    """An account with mail, and its index as it is kept."""

    def __init__(self, h: House) -> None:
        self.house = h
        self.account: UnlockedAccount | None = None
        self.inbox = b""

    @property
    def here(self) -> UnlockedAccount:
        assert self.account is not None
        return self.account

    async def login(self, least: int = 1) -> None:
        self.account = await self.house.unlock()
        self.inbox = await self.house.inbox(self.account)
        self.here._online.indexing.least = least

    async def deliver(self, first: int, last: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for n in range(first, last):
                tasks.create_task(self.house.deliver(letter(n)))
        await self.here.absorb(self.inbox)

    async def work(self) -> int:
        """Do all that is to be done; how many pieces of work it was."""
        count = 0
        while await self.here._online.indexing.step():
            count += 1
        return count

    async def head(self) -> IndexHead:
        found = await self.here._online.search_index.head()
        assert found is not None
        return found

    async def find(self, string: str) -> set[int] | None:
        """The numbers of the letters that the index finds; None when it knows nothing."""
        found = clues(fold(string))
        question = Question(tuple(((clue, b"bs"),) for clue in found.all_of), found.sure)
        hits = await self.here.look_up(self.inbox, [question])
        if hits is None:
            return None
        messages = {m.uid: m async for m in self.here.messages(self.inbox)}
        subjects = {uid: m.b.header.split(b"Subject: s")[1].split(b"\r\n")[0] for uid, m in messages.items()}
        return {int(subjects[Uid(uid)]) for uid in hits[question].uids if uid in subjects}

    async def rows(self) -> int:
        count = "SELECT COUNT(*) FROM record WHERE kind = ?"
        return int((await self.house.database.read(lambda tx: tx.execute(count, (int(Kind.SEGMENT),))))[0][0])


@pytest.fixture
async def box(database: Database, tmp_path: Path) -> AsyncIterator[Indexed]:
    async with house(database, tmp_path) as h:
        await h.move_in()
        made = Indexed(h)
        await made.login()
        yield made
        made.here.close()


def having(word: str, numbers: range) -> set[int]:
    return {n for n in numbers if word.encode() in letter(n)}


async def test_it_grows_by_batches_and_segments_become_one(box: Indexed) -> None:
    assert await box.find("w7") is None
    for n in range(9):
        await box.deliver(n * 10, n * 10 + 10)
        await box.work()
        assert await box.find("w7 ".strip()) == having("w7", range(n * 10 + 10))
    head = await box.head()
    assert (head.documents, head.next_document) == (90, 90)
    assert len(head.segments) == 2, "eight of one size became one"
    assert await box.work() == 0
    assert await box.find("only33") == {33}
    assert await box.find("s33") == {33}


async def test_few_messages_are_not_indexed_one_by_one(box: Indexed) -> None:
    box.here._online.indexing.least = 64
    await box.deliver(0, 63)
    assert await box.work() == 0
    assert await box.rows() == 0
    await box.deliver(63, 64)
    assert await box.work() == 1


async def test_work_that_was_cut_off_is_begun_again(box: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    await box.deliver(0, 40)

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as m:
        m.setattr("mailstead.accounts.indexstore.IndexStore.commit", die)
        with pytest.raises(asyncio.CancelledError):
            await box.work()
    assert await box.rows() == 1, "a piece that nothing names"
    assert await box.find("w7") is None
    box.here.close()
    await box.login()
    await box.work()
    assert await box.find("w7") == having("w7", range(40))
    account_id = box.here.account_id
    there = await box.house.database.read(lambda tx: segment_ids(tx, account_id))
    assert there == {s.segment_id for s in (await box.head()).segments}, "it was swept"


async def test_of_two_sessions_one_wins(box: Indexed) -> None:
    await box.deliver(0, 30)
    other = await box.house.unlock()
    other._online.indexing.least = 1
    results = await asyncio.gather(
        box.here._online.indexing.step(), other._online.indexing.step(), return_exceptions=True
    )
    assert any(isinstance(r, LostRace) for r in results)
    await box.work()
    assert await box.find("w7") == having("w7", range(30))
    assert (await box.head()).documents == 30
    other.close()


async def test_pieces_that_somebody_took_away_are_not_named(
    box: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await box.deliver(0, 30)
    account_id = box.here.account_id
    write_ahead = indexing.IndexStore.write_ahead

    async def swept(store: object, writer: object, *, rest: bool = False) -> None:
        await write_ahead(store, writer, rest=rest)  # type: ignore[arg-type]
        some = await box.house.database.read(lambda tx: segment_ids(tx, account_id))
        await box.house.database.write(lambda tx: drop_segments(tx, account_id, some))

    with monkeypatch.context() as m:
        m.setattr(indexing.IndexStore, "write_ahead", swept)
        with pytest.raises(LostRace):
            await box.work()
    await box.work()
    assert await box.find("w7") == having("w7", range(30))


@pytest.mark.parametrize("how", ["missing", "damaged"])
async def test_an_index_that_is_damaged_is_made_anew(box: Indexed, how: str) -> None:
    await box.deliver(0, 30)
    await box.work()
    change = "DELETE FROM record WHERE kind = ? AND LENGTH(octets) > 30000"
    if how == "damaged":
        change = "UPDATE record SET octets = write_id WHERE kind = ? AND LENGTH(octets) > 30000"
    await box.house.database.write(lambda tx: tx.execute(change, (int(Kind.SEGMENT),)))
    box.here.close()
    await box.login()
    assert await box.find("w7") is None, "whoever asks looks at the messages"
    await box.deliver(30, 40)
    with pytest.raises((UnsealError, Damaged)):
        for _ in range(9):
            await box.here._online.indexing.step()
            await box.deliver(30, 40)
    await box.here._online.indexing.begin_again()
    await box.work()
    assert await box.find("w7") == having("w7", range(40))


async def test_mail_that_does_not_open_is_passed_over(box: Indexed) -> None:
    """Nothing is begun again for it, and nothing goes round in circles."""
    await box.deliver(0, 30)
    await box.work()
    await box.deliver(30, 60)
    other = await box.here.create_mailbox("Other")
    await box.here.copy(box.inbox, [m.uid async for m in box.here.messages(box.inbox)][:5], other)
    damage = "UPDATE page SET octets = write_id WHERE mailbox_id = ?"
    await box.house.database.write(lambda tx: tx.execute(damage, (box.inbox,)))
    before = await box.head()
    assert await box.work() < 4
    after = await box.head()
    assert after.index_id == before.index_id
    assert after.marks[other] == 5, "the other mailbox is indexed"
    assert after.marks[box.inbox] == before.marks[box.inbox]


async def test_what_is_gone_leaves_the_index(box: Indexed) -> None:
    await box.deliver(0, 200)
    await box.work()
    before = sum(s.octets for s in (await box.head()).segments)
    uids = [m.uid async for m in box.here.messages(box.inbox)]
    await box.here.expunge(box.inbox, uids[:10])
    assert await box.work() == 0, "a twentieth is not worth it"
    await box.here.expunge(box.inbox, uids[10:100])
    assert await box.work() == 1
    head = await box.head()
    assert head.documents == 100
    assert sum(s.octets for s in head.segments) < 0.75 * before
    there = [m.b.header.split(b"Subject: s")[1].split(b"\r\n")[0] async for m in box.here.messages(box.inbox)]
    assert len(there) == 100
    assert await box.find("w7") == having("w7", range(200)) & set(map(int, there))
    await box.here.expunge(box.inbox, uids[100:])
    await box.work()
    assert (await box.head()).segments == ()
    assert await box.rows() == 1, "the head, and nothing of rows that are gone"


async def test_it_is_sealed_again_when_keys_rotate(box: Indexed) -> None:
    await box.deliver(0, 60)
    await box.work()
    box.here.close()
    await rotate(box.house.office, "ann@b.test", Credential.password(PASSWORD))
    await box.login()
    online = box.here._online
    assert await box.find("w7") == having("w7", range(60)), "the earlier epoch's keys are still here"
    while await reseal_once(online.database, online.keys):
        pass
    old = "SELECT COUNT(*) FROM record WHERE kind = 18 AND epoch < ?"
    count = await online.database.read(lambda tx: tx.execute(old, (online.keys.epoch,)))
    assert count[0][0] == 0
    box.here.close()
    await box.login()
    assert await box.find("w7") == having("w7", range(60))
    await box.deliver(60, 70)
    await box.work()
    assert await box.find("w7") == having("w7", range(70))


async def test_the_size_of_pieces_tells_nothing_of_a_guess(box: Indexed) -> None:
    await box.deliver(0, 64)
    await box.work()
    lengths = await box.house.database.read(
        lambda tx: tx.execute(
            "SELECT DISTINCT LENGTH(octets) FROM record WHERE kind = 18 AND LENGTH(octets) > 9000"
        )
    )
    assert len(lengths) == 1
    assert PIECE + 8 == 1 << 15


async def test_no_word_of_it_is_on_the_disk(sqlite: Database, tmp_path: Path) -> None:
    """And the control: sealed by nobody, the same piece shows its words."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        box = Indexed(h)
        await box.login()
        async with asyncio.TaskGroup() as tasks:
            for n in range(70):
                tasks.create_task(h.deliver(b"Subject: Zq7kanarie%d\r\n\r\nbody Wx9kanarie%d\r\n" % (n, n)))
        await box.here.absorb(box.inbox)
        await box.work()
        question = Question((((Clue("WX9KANARIE33", Place.WHOLE), b"b"),),), sure=True)
        hits = await box.here.look_up(box.inbox, [question])
        assert hits is not None
        assert len(hits[question].uids) == 1
        words = {w: w.encode() for w in ("Wx9kanarie", "WX9KANARIE", "Zq7kanarie", "ZQ7KANARIE")}
        scan = Scan(words)
        scan.below(tmp_path)
        assert not scan.hits
        (segment,) = (await box.head()).segments
        ((piece,),) = await box.here._online.search_index.pieces.read([(segment, [(0, segment.octets)])])
        control = Scan(words)
        control.look("a piece", piece)
        assert control.hits
        box.here.close()


async def test_a_head_that_was_set_back_is_found_out(box: Indexed) -> None:
    old = await _head_row(box)
    await box.deliver(0, 30)
    await box.work()
    first = await _head_row(box)
    await box.deliver(30, 60)
    await box.work()
    box.here.close()
    assert old is None
    assert first is not None
    await box.house.database.write(
        lambda tx: tx.execute(
            "UPDATE record SET version = ?, write_id = ?, octets = ? WHERE kind = 18 AND place = object_id",
            first,
        )
    )
    await box.login()
    said = box.here._online.standing.account
    assert said == ("the search index: version 1 found, 2 was written",)


async def _head_row(box: Indexed) -> tuple[object, ...] | None:
    rows = await box.house.database.read(
        lambda tx: tx.execute(
            "SELECT version, write_id, octets FROM record WHERE kind = 18 AND place = object_id"
        )
    )
    return tuple(rows[0]) if rows else None


def test_what_becomes_one() -> None:
    def some(*sizes: int, span: int = 0) -> tuple[Segment, ...]:
        firsts = [sum(sizes[:n]) for n in range(len(sizes))]
        return tuple(
            Segment(bytes(12), span, lo, lo + n - 1, n, 1, 1) for lo, n in zip(firsts, sizes, strict=True)
        )

    def chosen(*segments: Segment, following: int = 9) -> list[int]:
        head = IndexHead(1, bytes(16), following, segments)
        return [s.documents for s in to_merge(head)]

    assert chosen(*some(64, 64, 64)) == []
    assert chosen(*some(*[64] * 8)) == [64] * 8
    assert chosen(*some(9000, *[64] * 8)) == [64] * 8, "the large one stays"
    assert chosen(*some(*[64] * 4, 9000, *[64] * 4)) == [*[64] * 4, 9000, *[64] * 4], "side by side they stay"
    assert chosen(*some(30000, 64), *some(64, span=1), following=(1 << 16) + 64) == [30000, 64], "it is full"
