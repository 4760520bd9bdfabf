"""The ledger: it lags, never leads, is short, and whatever happens to it stops no mail."""

import os
import stat
import threading
from pathlib import Path

import pytest

from mailstead.clock import SystemClock
from mailstead.crypto.ledger import LINE_OCTETS, Line, LineType, read_lines
from mailstead.crypto.serverkey import ServerKey
from mailstead.delivery.appending import Appending
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Uid
from mailstead.store.arrivals import Last, Placed
from mailstead.store.book import Book, Known, Noted, merged
from mailstead.store.database import Database
from mailstead.store.ledger import OWN, Ledger
from tests.support.house import SERVER_KEY, house

CHAIN = ServerKey(SERVER_KEY).rows.ledger
ANN, BEN = b"A" * 16, b"B" * 16
INBOX, TRASH = b"I" * 16, b"T" * 16


def opened(folder: Path, told: list[str] | None = None) -> Ledger:
    return Ledger(folder, CHAIN, (told if told is not None else []).append)


def arrive(ledger: Ledger, count: int, box: bytes = INBOX, account: bytes = ANN) -> None:
    ledger.note([ledger.arrived(account, box, count, count + 10, b"%032d" % count)])


def counts(known: Known) -> dict[bytes, int]:
    return {box: noted.number for box, noted in known.mailboxes.items()}


def test_what_one_process_notes_another_reads(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    for n in range(1, 5):
        arrive((one, two)[n % 2], n)
        arrive((two, one)[n % 2], n, TRASH, BEN)
        assert counts(one.of(ANN)) == counts(two.of(ANN)) == {INBOX: n}
    one.anchored(ANN, 7, b"w" * 16)
    assert two.of(ANN).anchor == one.of(ANN).anchor
    noted = two.of(ANN).mailboxes[INBOX]
    assert (noted.number, noted.uid, noted.tag) == (4, 14, b"%016d" % 0)
    assert counts(two.of(b"?" * 16)) == {}
    octets = (tmp_path / OWN).read_bytes()
    assert CHAIN.follow(octets) == len(octets) == 9 * LINE_OCTETS, "one chain"
    assert (tmp_path / OWN).stat().st_mode & 0o777 == 0o600
    assert counts(opened(tmp_path).of(ANN)) == {INBOX: 4}, "and who comes later"
    before = one.of(ANN)
    arrive(one, 5)
    one.anchored(ANN, 8, b"x" * 16)
    assert counts(one.of(ANN)) == {INBOX: 5}
    assert counts(before) == {INBOX: 4}, "what was read before a snapshot stays"
    assert before.anchor is not None
    assert before.anchor.number == 7


def test_lines_out_of_their_order_do_not_go_back(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for n in (1, 3, 2):
        arrive(ledger, n)
    assert counts(ledger.of(ANN)) == {INBOX: 3}
    ledger.anchored(ANN, 5, b"w" * 16)
    ledger.anchored(ANN, 4, b"v" * 16)
    anchor = ledger.of(ANN).anchor
    assert anchor is not None
    assert (anchor.number, anchor.tag) == (5, b"w" * 16)
    ledger.restored(ANN)
    assert counts(ledger.of(ANN)) == {}
    assert ledger.of(ANN).anchor is None
    arrive(ledger, 1)
    assert counts(ledger.of(ANN)) == {INBOX: 1}, "what comes behind it counts"


@pytest.mark.parametrize(
    "tail", [b"x", b"x" * (LINE_OCTETS - 1), bytes(LINE_OCTETS), bytes(3 * LINE_OCTETS + 5)]
)
def test_what_a_crash_left_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    ledger = opened(tmp_path)
    arrive(ledger, 1)
    ledger.close()
    path = tmp_path / OWN
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    told: list[str] = []
    again = opened(tmp_path, told)
    assert counts(again.of(ANN)) == {INBOX: 1}
    assert told == [f"{path}: cut off {len(tail)} octets that do not follow"]
    arrive(again, 2)
    assert counts(opened(tmp_path).of(ANN)) == {INBOX: 2}
    assert path.read_bytes().startswith(whole)


def test_half_a_line_of_a_process_that_died_is_written_over(tmp_path: Path) -> None:
    """Without the other one opening it again."""
    ledger = opened(tmp_path)
    arrive(ledger, 1)
    with (tmp_path / OWN).open("ab") as file:
        file.write(b"x" * (LINE_OCTETS - 1))
    assert counts(ledger.of(ANN)) == {INBOX: 1}
    arrive(ledger, 2)
    assert counts(ledger.of(ANN)) == {INBOX: 2}
    octets = (tmp_path / OWN).read_bytes()
    assert CHAIN.follow(octets) == len(octets) == 2 * LINE_OCTETS


def test_lines_that_somebody_else_wrote_are_not_read(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    arrive(ledger, 1)
    ledger.close()
    path = tmp_path / OWN
    forged = ServerKey(bytes(32)).rows.ledger.write(bytes(16), read_lines(path.read_bytes()))
    path.write_bytes(path.read_bytes() + forged)
    known, said = ledger.all_nodes(ANN)
    assert counts(known) == {INBOX: 1}
    assert said == []  # it was opened, and so cut
    (tmp_path / "other.log").write_bytes(forged)
    assert ledger.all_nodes(ANN)[1] == [
        f"{tmp_path / 'other.log'}: what is behind 0 lines was not written by this server"
    ]


def test_it_is_made_short(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    for n in range(1, 100):
        arrive(one, n)
    arrive(two, 1, TRASH, BEN)
    one.restored(BEN)
    arrive(two, 2, TRASH, BEN)
    one.anchored(ANN, 9, b"w" * 16)
    one.revoke(ANN, [(b"s" * 16, 0), (b"t" * 16, 5), (b"u" * 16, 1 << 40)])
    before = one.of(ANN), one.of(BEN)
    one.make_short()
    assert (tmp_path / OWN).stat().st_size == 6 * LINE_OCTETS
    assert [p.name for p in tmp_path.iterdir()] == [OWN]
    for ledger in (one, two, opened(tmp_path)):
        assert (ledger.of(ANN), ledger.of(BEN)) == before
        revoked = ledger.revoked()
        assert b"s" * 16 in revoked
        assert b"u" * 16 in revoked
        assert b"t" * 16 not in revoked or ledger is not one, "it would have expired"
    arrive(two, 100)
    assert counts(one.of(ANN)) == {INBOX: 100}, "who had the old file open writes into the new one"
    one.make_short()
    two.make_short()
    octets = (tmp_path / OWN).read_bytes()
    assert CHAIN.follow(octets) == len(octets) == 6 * LINE_OCTETS


def test_what_does_not_follow_is_not_made_to_when_it_is_made_short(tmp_path: Path) -> None:
    """Else a line of somebody else's, appended to it, would get a MAC."""
    told: list[str] = []
    ledger = opened(tmp_path, told)
    arrive(ledger, 1)
    forged = Line(LineType.RESTORED, ANN, bytes(16), 0, 0, bytes(16), 99).encode() + bytes(16)
    with (tmp_path / OWN).open("ab") as file:
        file.write(forged + b"x")
    ledger.make_short()
    assert told == [f"{tmp_path / OWN}: cut off {LINE_OCTETS + 1} octets that do not follow"]
    assert counts(ledger.of(ANN)) == {INBOX: 1}
    assert ledger.of(ANN).restored == -1
    octets = (tmp_path / OWN).read_bytes()
    assert CHAIN.follow(octets) == len(octets) == LINE_OCTETS


def test_what_was_on_the_disk_stays_there_when_it_is_made_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    arrive(one, 1)
    two.of(ANN)
    done: list[tuple[str, int]] = []
    fsync, rename = os.fsync, os.replace

    def synced(fd: int) -> None:
        fsync(fd)
        here = os.fstat(fd)
        done.append(("folder", 0) if stat.S_ISDIR(here.st_mode) else ("file", here.st_size))
        if len(done) == 1:  # after most of it was written, and before its place is taken
            two.revoke(BEN, [(b"s" * 16, 0)])

    def replaced(old: Path, new: Path) -> None:
        rename(old, new)
        done.append(("replaced", 0))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", replaced)
    monkeypatch.setattr(os, "replace", replaced)
    one.make_short()
    size = 2 * LINE_OCTETS
    assert done == [
        ("file", LINE_OCTETS), ("file", size),  # the new one, and the revoked way in in the old one
        ("file", size), ("replaced", 0), ("folder", 0),
    ]  # fmt: skip
    assert b"s" * 16 in opened(tmp_path).revoked()


def test_a_line_that_another_process_cut_off_is_not_followed(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    arrive(one, 1)
    arrive(one, 2)
    os.truncate(tmp_path / OWN, LINE_OCTETS)
    arrive(two, 3)  # so that it is as long as it was
    arrive(one, 4)
    octets = (tmp_path / OWN).read_bytes()
    assert CHAIN.follow(octets) == len(octets) == 3 * LINE_OCTETS


def test_nothing_is_lost_while_it_is_made_short(tmp_path: Path) -> None:
    told: list[str] = []
    one, two = opened(tmp_path, told), opened(tmp_path, told)
    done = threading.Event()
    arrive(one, 1)

    def write(ledger: Ledger, box: bytes) -> None:
        for n in range(1, 400):
            arrive(ledger, n, box)

    writers = [threading.Thread(target=write, args=(led, box)) for led, box in ((one, INBOX), (two, TRASH))]

    def shorten(ledger: Ledger) -> None:
        while not done.is_set():
            ledger.make_short()

    shorteners = [threading.Thread(target=shorten, args=(led,)) for led in (one, opened(tmp_path, told))]
    for thread in (*writers, *shorteners):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in shorteners:
        thread.join()
    octets = (tmp_path / OWN).read_bytes()
    assert CHAIN.follow(octets) == len(octets)
    assert counts(opened(tmp_path).of(ANN)) == {INBOX: 399, TRASH: 399}
    assert told == []


def test_a_file_that_was_taken_away_is_begun_again(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    arrive(ledger, 1)
    (tmp_path / OWN).unlink()
    assert counts(ledger.of(ANN)) == {}, "what it said is gone: it may lag"
    arrive(ledger, 2)
    assert counts(opened(tmp_path).of(ANN)) == {INBOX: 2}


async def test_mail_is_taken_without_it(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True) as h:
        assert h.ledger is not None
        told: list[str] = []
        h.ledger.failed = told.append
        (tmp_path / "ledger").write_bytes(b"")  # where a folder should be
        await h.move_in()
        assert isinstance((await h.deliver(b"Subject: x\r\n\r\n"))[0], str)
        account = await h.unlock()
        assert len(await h.read_all(account)) == 1
        account.close()
        assert told
        assert all(str(tmp_path / "ledger" / OWN) in words for words in told)


async def test_what_arrives_is_noted_before_anybody_is_answered(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, noted=True, memory_octets=200_000, single_octets=100_000) as h:
        assert h.ledger is not None
        new = await h.move_in()
        await h.move_in("ben@b.test")
        for n in range(3):
            await h.deliver(b"Subject: %d\r\n\r\n" % n, "ann@b.test", "ben@b.test")
            assert [noted.number for noted in h.ledger.of(new.uuid).mailboxes.values()] == [n + 1]
        await h.deliver(b"Subject: large\r\n\r\n" + b"x" * 150_000 + b"\r\n")
        account = await h.unlock()
        inbox = await h.inbox(account)
        row = await account.exists(inbox)
        assert row is not None
        noted = h.ledger.of(new.uuid).mailboxes[inbox]
        assert (noted.number, noted.uid, noted.tag) == (4, 4, row.arrival_tag[:16])
        await h.put(b"Subject: put\r\n\r\n", inbox)
        assert h.ledger.of(new.uuid).mailboxes[inbox].number == 5
        assert (await account.verifying.verify(lambda _, __: None))[1] == []
        account.close()


async def test_what_replaces_another_is_noted(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path, noted=True) as h:
        assert h.ledger is not None
        new = await h.move_in()
        await h.deliver(b"Subject: 1\r\n\r\n")
        account = await h.unlock()
        inbox = await h.inbox(account)
        appending = Appending(h.storing, h.directory, SystemClock())
        replacing = account.replacing(inbox, Uid(1))
        message = await appending.begin(account.account_id, inbox, Flags(), None, 0)
        message.push(b"Subject: 2\r\n\r\n")
        await appending.finish_within(message, replacing.by)
        assert h.ledger.of(new.uuid).mailboxes[inbox].number == 2
        account.close()


def test_what_is_noted_is_no_part_of_where_a_message_is() -> None:
    noted = Last(ANN, INBOX, 1, 2, b"t" * 32)
    assert Placed(2, 3, noted) == Placed(2, 3)


def test_ledgers_of_several_nodes_are_one(tmp_path: Path) -> None:
    def line(kind: LineType, count: int, at: int, box: bytes = INBOX) -> Line:
        return Line(kind, ANN, box, count, count, bytes(16), at)

    def book(*lines: Line) -> Book:
        made = Book()
        made.read(lines)
        return made

    one = [line(LineType.ARRIVAL, 3, 10), line(LineType.ARRIVAL, 1, 10, TRASH)]
    two = [line(LineType.ARRIVAL, 4, 11), line(LineType.ANCHORED, 6, 11)]
    both = merged([book(*one), book(*two)], ANN)
    assert counts(both) == {INBOX: 4, TRASH: 1}
    assert both.anchor == Noted(6, 6, bytes(16), 11)
    # What an owner has accepted on one node ends what the others had noted before.
    accepted = [line(LineType.RESTORED, 0, 11), line(LineType.ARRIVAL, 2, 11)]
    assert counts(merged([book(*one, *accepted), book(*two)], ANN)) == {INBOX: 2}
    later = [n._replace(time=12) for n in two]
    both = merged([book(*one, *accepted), book(*later)], ANN)
    assert counts(both) == {INBOX: 4}
    assert both.anchor is not None
    # And so from their files.
    own = opened(tmp_path)
    own.note(one)
    (tmp_path / "other.log").write_bytes(CHAIN.write(bytes(16), two))
    (tmp_path / "notes.txt").write_text("no ledger")
    assert own.all_nodes(ANN) == (merged([book(*one), book(*two)], ANN), [])
    assert counts(own.of(ANN)) == {INBOX: 3, TRASH: 1}, "at a login it is its own"


def test_a_number_that_is_given_twice_is_remembered(tmp_path: Path) -> None:
    """A mailbox was set back, and mail came since: until its owner has said that he knows."""

    def line(count: int, at: int, tag: bytes) -> Line:
        return Line(LineType.ARRIVAL, ANN, INBOX, count, count, tag * 16, at)

    def forked(*lines: Line) -> bool:
        ledger = opened(tmp_path / str(len(list(tmp_path.iterdir()))))
        ledger.note(list(lines))
        found = ledger.of(ANN)
        ledger.make_short()
        assert ledger.of(ANN) == found, "also when it was made short"
        known, _ = ledger.all_nodes(ANN)
        assert known == found
        return bool(found.forked)

    first = line(5, 100, b"a")
    assert not forked(first, line(6, 200, b"b"))
    assert not forked(first, line(4, 101, b"b")), "two processes may change places"
    assert not forked(first, first)
    assert forked(first, line(5, 101, b"b"))
    assert forked(first, line(4, 200, b"b"))
    assert forked(first, line(4, 200, b"b"), line(5, 300, b"c"), line(6, 400, b"d"))
    assert not forked(
        first, line(5, 101, b"b"), Line(LineType.RESTORED, ANN, bytes(16), 0, 0, bytes(16), 102)
    )
    # Between two nodes.
    ledger = opened(tmp_path / "nodes")
    ledger.note([line(4, 200, b"b")])
    (tmp_path / "nodes" / "other.log").write_bytes(CHAIN.write(bytes(16), [first]))
    assert ledger.all_nodes(ANN)[0].forked == {
        INBOX: (Noted(5, 5, b"a" * 16, 100), Noted(4, 4, b"b" * 16, 200))
    }


def test_an_anchor_that_is_written_twice_is_remembered(tmp_path: Path) -> None:
    """The whole account was set back, and written since: until its owner has said that he knows."""

    def line(version: int, at: int, write_id: bytes) -> Line:
        return Line(LineType.ANCHORED, ANN, bytes(16), version, 0, write_id * 16, at)

    def forked(*lines: Line) -> bool:
        ledger = opened(tmp_path / str(len(list(tmp_path.iterdir()))))
        ledger.note(list(lines))
        found = ledger.of(ANN)
        ledger.make_short()
        assert ledger.of(ANN) == found, "also when it was made short"
        assert ledger.all_nodes(ANN) == (found, [])
        return found.anchor_forked is not None

    first = line(5, 100, b"a")
    assert not forked(first, line(6, 200, b"b"))
    assert not forked(first, line(4, 101, b"b")), "two processes may change places"
    assert not forked(first, first)
    assert forked(first, line(5, 101, b"b"))
    assert forked(first, line(4, 200, b"b"))
    assert forked(first, line(4, 101, b"b"), line(5, 102, b"c"), line(6, 103, b"d"))
    accepted = Line(LineType.RESTORED, ANN, bytes(16), 0, 0, bytes(16), 102)
    assert not forked(first, line(5, 101, b"b"), accepted)
    assert not forked(first, line(5, 101, b"b"), accepted, line(6, 103, b"c"))
    # On another node, and between two.
    ledger = opened(tmp_path / "nodes")
    ledger.note([line(4, 200, b"b")])
    other = tmp_path / "nodes" / "other.log"
    other.write_bytes(CHAIN.write(bytes(16), [first]))
    pair = Noted(5, 0, b"a" * 16, 100), Noted(4, 0, b"b" * 16, 200)
    assert ledger.all_nodes(ANN)[0].anchor_forked == pair
    ledger.restored(ANN)
    assert ledger.all_nodes(ANN)[0].anchor_forked is None
    other.write_bytes(CHAIN.write(bytes(16), [first, line(4, 200, b"b"), line(6, 201, b"c")]))
    assert ledger.all_nodes(ANN)[0].anchor_forked is None, "it was before what was accepted here"
    (tmp_path / "nodes" / OWN).unlink()
    assert ledger.all_nodes(ANN)[0].anchor_forked == pair


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    for box in (INBOX, TRASH):
        arrive(one, 5, box)
        arrive(one, 5, box, BEN)
    one.note([one.arrived(ANN, TRASH, 5, 15, b"another" * 5)])
    one.anchored(ANN, 7, b"w" * 16)
    one.anchored(BEN, 7, b"w" * 16)
    one.revoke(BEN, [(b"s" * 16, 0)])
    one.gone(ANN, TRASH)
    one.restored(BEN)
    arrive(one, 6, INBOX, BEN)
    one.gone(BEN)
    for _ in range(2):
        for ledger in (one, two, opened(tmp_path)):
            assert counts(ledger.of(ANN)) == {INBOX: 5}
            assert ledger.of(ANN).forked == {}
            assert ledger.of(ANN).anchor is not None
            assert ledger.of(ANN).removed == -1
            assert ledger.of(BEN) == Known(restored=ledger.of(BEN).restored, removed=ledger.of(BEN).removed)
            assert ledger.of(BEN).removed > 0, "which is remembered"
            assert b"s" * 16 in ledger.revoked()
            assert ledger.all_nodes(BEN) == (ledger.of(BEN), [])
        one.make_short()
    assert (tmp_path / OWN).stat().st_size == 5 * LINE_OCTETS
    one.restored(BEN)
    assert two.of(BEN).removed == -1, "its owner, if he had it brought back, said so"
    # On another node it was removed before that, or after.
    gone = Line(LineType.GONE, BEN, bytes(16), 0, 0, bytes(16), two.of(BEN).restored)
    (tmp_path / "other.log").write_bytes(CHAIN.write(bytes(16), [gone]))
    assert one.all_nodes(BEN)[0].removed == -1
    (tmp_path / "other.log").write_bytes(CHAIN.write(bytes(16), [gone._replace(time=gone.time + 1)]))
    assert one.all_nodes(BEN)[0].removed == gone.time + 1


def test_a_line_of_a_later_version_is_passed_over() -> None:
    made = Book()
    made.read(
        [Line(9, ANN, INBOX, 1, 1, bytes(16), 1), Line(LineType.ARRIVAL, ANN, INBOX, 2, 2, bytes(16), 1)]
    )
    assert counts(made.of(ANN)) == {INBOX: 2}
