"""SORT by every criterion and THREAD by both algorithms, in pages, in pendings, and where those had no room."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from mailstead.crypto.sealed import Kind
from mailstead.crypto.slots import READ_ONLY
from mailstead.errors import Reason, Unavailable
from mailstead.mail.sortkeys import Criterion
from mailstead.mail.threads import Algorithm
from mailstead.services.imap import sort as sorting
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, imap_worker
from tests.support.orders import KEYS, asked

ONE = (
    b"From: Zoe <ann@a.test>\r\nTo: x: d@b.test;\r\nCc: b@c.test\r\nSubject: Re: beta\r\n"
    b"Date: 31 Dec 2000 16:01:33 -0800\r\nMessage-ID: <1@x>\r\nReferences: <0@x>\r\n\r\n"
    + b"." * 300
    + b"\r\n"
)
TWO = (
    b"From: =?utf-8?q?=C3=A4nne?= <Bob@b.test>\r\nTo: c@b.test, a@b.test\r\nSubject: =?utf-8?q?[list]_=C3=A9?=\r\n"
    b"Date: 1 Jan 2001 00:01:32 +0000\r\nMessage-ID: <2@x>\r\nIn-Reply-To: <1@x> <9@x>\r\n\r\n"
) + b"." * 100
THREE = (
    b"From: cy@a.test\r\nTo: bob <B@b.test>\r\nCc: a@c.test\r\nSubject: ALPHA (fwd)\r\n"
    b'Message-ID: <3@x>\r\nReferences: <0@x>\r\n <1@x> <"2"@x>\r\n\r\nthree\r\n'
)
FOUR = b"Subject: [x] alpha\r\nDate: nonsense\r\n\r\n" + b"." * 500
DATES = (b"04-Feb-2023 10:00:00 +0000", b"02-Feb-2023 23:59:59 +0000", b"03-Feb-1999 00:00:00 +0000", b"02-Feb-1998 00:00:00 +0000")  # fmt: skip

SORTED = {
    b"ARRIVAL": b"4 3 2 1", b"REVERSE ARRIVAL": b"1 2 3 4", b"CC": b"2 4 3 1", b"REVERSE CC": b"1 3 2 4",
    b"DATE": b"4 3 2 1", b"FROM": b"4 1 2 3", b"SIZE": b"3 2 1 4", b"REVERSE SIZE": b"4 1 2 3",
    b"SUBJECT": b"3 4 1 2", b"REVERSE SUBJECT": b"2 1 3 4", b"SUBJECT DATE": b"4 3 1 2", b"SUBJECT REVERSE DATE": b"3 4 1 2",
    b"TO": b"4 3 2 1", b"DISPLAYFROM": b"4 2 3 1", b"DISPLAYTO": b"4 3 2 1", b"REVERSE SUBJECT REVERSE DATE": b"2 1 3 4",
}  # fmt: skip


async def said(client: Client, *pieces: bytes) -> bytes:
    (line,) = (await client.ok(*pieces)).untagged
    return line


async def filled(w: ImapWorker, octets: tuple[bytes, ...], *, absorbed: bool) -> Client:
    await w.house.move_in()
    client = await w.login(None)
    for message, date in zip(octets, DATES, strict=True):
        await client.append(message, options=b'"%b" ' % date)
    if absorbed:
        account = await w.house.unlock()
        await account.absorb(await w.house.inbox(account))
        account.close()
    await client.select()
    return client


def large(message: bytes) -> bytes:
    """The same with so much in its header that no page has room for it."""
    noise = random.Random(4).randbytes(40_000).hex().encode()
    more = b"Reply-To: " + b", ".join(noise[n : n + 30] + b"@b.test" for n in range(0, 60_000, 30)) + b"\r\n"
    return b"X-Noise: " + noise[:20_000] + b"\r\n" + more + message


@pytest.mark.parametrize("grown", [False, True], ids=["in pages", "no room"])
@pytest.mark.parametrize("absorbed", [True, False])
async def test_every_criterion_and_algorithm(
    sqlite: Database, tmp_path: Path, absorbed: bool, grown: bool
) -> None:
    octets = tuple(map(large, (ONE, TWO, THREE, FOUR))) if grown else (ONE, TWO, THREE, FOUR)
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, octets, absorbed=absorbed)
        for criteria, wanted in SORTED.items():
            if not (grown and b"SIZE" in criteria):
                assert await said(client, b"SORT (%b) UTF-8 ALL" % criteria) == b"* SORT " + wanted, criteria
        assert await said(client, b"THREAD REFERENCES UTF-8 ALL") == b"* THREAD (4)(1 2 3)"
        assert await said(client, b"THREAD REFERENCES UTF-8 2:3") == b"* THREAD (2 3)"
        assert await said(client, b"THREAD ORDEREDSUBJECT UTF-8 ALL") == b"* THREAD (4 3)(2)(1)"


async def test_only_what_is_searched_for_in_the_session_s_numbers(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, (ONE, TWO, THREE, FOUR), absorbed=True)
        await client.ok(rb"UID STORE 2 +FLAGS.SILENT (\Deleted)")
        await client.ok(b"EXPUNGE")
        assert await said(client, b"SORT (ARRIVAL) UTF-8 ALL") == b"* SORT 3 2 1"
        assert await said(client, b"UID SORT (ARRIVAL) UTF-8 1:2") == b"* SORT 3 1"
        assert await said(client, b"UID SORT (SUBJECT) US-ASCII SUBJECT alpha") == b"* SORT 3 4"
        assert await said(client, b"SORT (SUBJECT) UTF-8 SUBJECT nothing") == b"* SORT"
        assert await said(client, b"UID THREAD REFERENCES UTF-8 ALL") == b"* THREAD (4)(1 3)"
        assert await said(client, b"THREAD REFERENCES UTF-8 SUBJECT nothing") == b"* THREAD"
        assert await said(client, b"THREAD REFERENCES UTF-8 BODY three") == b"* THREAD (2)"
        for command in (b"SORT (DATE)", b"THREAD REFERENCES", b"UID THREAD ORDEREDSUBJECT"):
            await client.bad(command + b" UTF-8 4")
            refused = await client.no(command + b" KOI8-R ALL")
            assert refused.code == b"BADCHARSET (US-ASCII UTF-8)"
            assert refused.untagged == []


async def returned(client: Client, command: bytes) -> bytes:
    return (await said(client, command)).partition(b") ")[2]


async def test_what_is_asked_for_is_returned_as_it_is_sorted(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        client = await filled(w, (ONE, TWO, THREE, FOUR), absorbed=True)
        line = await said(client, b"SORT RETURN (MIN MAX COUNT ALL) (SUBJECT) UTF-8 ALL")  # 3 4 1 2
        assert re.fullmatch(rb'\* ESEARCH \(TAG "t\d+"\) MIN 3 MAX 2 COUNT 4 ALL 3:4,1:2', line)
        assert await returned(client, b"SORT RETURN () (REVERSE SUBJECT) UTF-8 ALL") == b"ALL 2,1,3:4"
        assert (
            await returned(client, b"SORT RETURN (PARTIAL 2:3) (SUBJECT) UTF-8 ALL") == b"PARTIAL (2:3 4,1)"
        )
        assert (
            await returned(client, b"SORT RETURN (PARTIAL -1:-2) (SUBJECT) UTF-8 ALL")
            == b"PARTIAL (-1:-2 1:2)"
        )
        line = await said(client, b"SORT RETURN (ALL) (SUBJECT) UTF-8 SUBJECT nothing")
        assert re.fullmatch(rb'\* ESEARCH \(TAG "t\d+"\)', line), "nothing but the tag"
        await client.ok(rb"UID STORE 2 +FLAGS.SILENT (\Deleted)")
        await client.ok(b"EXPUNGE")
        assert await returned(client, b"UID SORT RETURN (ALL) (SUBJECT) UTF-8 ALL") == b"UID ALL 3:4,1"
        assert await returned(client, b"SORT RETURN (ALL) (SUBJECT) UTF-8 ALL") == b"ALL 2:3,1"
        modseqs = {uid: int((await client.item(uid, b"MODSEQ"))[len(b"MODSEQ (") : -1]) for uid in (1, 3, 4)}
        shown = b"UID MIN 3 MODSEQ %d" % modseqs[3]
        assert await returned(client, b"UID SORT RETURN (MIN) (SUBJECT) UTF-8 MODSEQ 1") == shown
        shown = b"UID MIN 3 COUNT 3 MODSEQ %d" % max(modseqs.values())
        assert await returned(client, b"UID SORT RETURN (MIN COUNT) (SUBJECT) UTF-8 MODSEQ 1") == shown

        async def saved(options: bytes) -> list[bytes]:
            await client.ok(b"SORT RETURN (SAVE%b) (SUBJECT) UTF-8 ALL" % options)
            return [line.split()[4][:-1] for line in (await client.ok(b"FETCH $ UID")).untagged]

        assert await saved(b"") == [b"1", b"3", b"4"]
        assert await saved(b" MIN") == [b"3"]
        assert await saved(b" PARTIAL 3:9") == [b"1"]
        await client.bad(b"SORT RETURN (SAVE) (SIZE) UTF-8 9")
        assert len((await client.ok(b"FETCH $ UID")).untagged) == 1, "BAD leaves it"

        async def fails(*_: object) -> None:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE)

        with monkeypatch.context() as patch:
            patch.setattr(sorting, "sorted_by", fails)
            await client.no(b"SORT RETURN (SAVE) (SIZE) UTF-8 ALL")
        assert (await client.ok(b"FETCH $ UID")).untagged == [], "NO empties it"


async def test_mod_sequences_are_told_to_who_asks_by_them(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, (ONE, TWO, THREE, FOUR), absorbed=True)
        (line,) = (await client.ok(b"SORT (ARRIVAL) UTF-8 MODSEQ 1")).having(b"* SORT")
        modseq = (await client.item(4, b"MODSEQ"))[len(b"MODSEQ (") : -1]
        assert line == b"* SORT 4 3 2 1 (MODSEQ %b)" % modseq
        assert await said(client, b"SORT (ARRIVAL) UTF-8 MODSEQ 999999") == b"* SORT"
        assert await said(client, b"THREAD REFERENCES UTF-8 MODSEQ 1") == b"* THREAD (4)(1 2 3)"


async def test_a_message_that_is_expunged_meanwhile_is_passed_over(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, (ONE, TWO, large(THREE), FOUR), absorbed=True)
        other = await w.login()
        await other.ok(rb"UID STORE 3:4 +FLAGS.SILENT (\Deleted)")
        await other.ok(b"EXPUNGE")
        assert (await client.ok(b"SORT (FROM) UTF-8 ALL")).having(b"* SORT") == [b"* SORT 1 2"]
        assert (await client.ok(b"THREAD REFERENCES UTF-8 ALL")).having(b"* THREAD") == [b"* THREAD (1 2)"]


async def test_they_are_told_of_after_the_login(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        (line,) = (await client.ok(b"CAPABILITY")).untagged
        assert {b"SORT", b"SORT=DISPLAY", b"ESORT", b"THREAD=ORDEREDSUBJECT", b"THREAD=REFERENCES"} <= set(
            line.split()
        )
        await client.bad(b"SORT (DATE) UTF-8 ALL")
        await client.bad(b"THREAD REFERENCES UTF-8 ALL")


async def test_of_in_reply_to_the_first_id_counts_and_of_references_the_last_hundred(
    sqlite: Database, tmp_path: Path
) -> None:
    def message(own: int, more: bytes) -> bytes:
        return b"Message-ID: <%d@x>\r\n%b\r\n\r\n" % (own, more)

    others = b"\r\n ".join(b"<%d@y>" % n for n in range(100))
    octets = (
        message(1, b"X: "),
        message(2, b"In-Reply-To: no id <1@x> <3@x>"),
        message(3, b"References: <1@x> " + others[: others.rindex(b"<")]),
        message(4, b"References: <1@x> " + others),
    )
    async with imap_worker(sqlite, tmp_path) as w:
        client = await filled(w, octets, absorbed=True)
        assert await said(client, b"UID THREAD REFERENCES UTF-8 1:3") == b"* THREAD (1 (3)(2))"
        assert await said(client, b"UID THREAD REFERENCES UTF-8 1,4") == b"* THREAD (4)(1)"


@pytest.mark.parametrize("command", [b"SORT (SIZE) UTF-8 ALL", b"THREAD REFERENCES UTF-8 ALL"])
async def test_numbers_mean_until_the_answer_what_they_meant(
    databases: list[Database], tmp_path: Path, command: bytes
) -> None:
    """What is expunged meanwhile is told behind a command by UID, and kept for later by one with numbers."""
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        client, other = await one.login(), await two.login()
        for n in range(3):
            await client.append(b"Subject: %d\r\n\r\nx\r\n" % n)
        await client.ok(b"NOOP")
        await other.ok(b"NOOP")
        await other.ok(rb"STORE 1 +FLAGS.SILENT (\Deleted)")
        await other.ok(b"EXPUNGE")
        client_sees = (await client.ok(command)).untagged
        assert not any(b"EXPUNGE" in line for line in client_sees)
        assert any(b"EXPUNGE" in line for line in (await client.ok(b"UID " + command)).untagged)


async def test_who_stays_hears_what_who_comes_hears(databases: list[Database], tmp_path: Path) -> None:
    """Whatever happens, in the numbers that a session was told of."""
    rng = random.Random(5)
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        clients = [await one.login(), await two.login(), await two.login()]
        cold = await one.house.unlock()
        inbox = await one.house.inbox(cold)
        cold.close()
        for n in range(40):
            for _ in range(rng.choice([0, 1, 6])):
                head = b"Subject: %b%d\r\nDate: %d Jan 2026 10:00 +0000\r\nMessage-ID: <%d@x>\r\n" % (
                    rng.choice([b"", b"Re: "]), rng.randrange(12), rng.randint(1, 9), n,
                )  # fmt: skip
                await one.house.deliver(head + b"References: <%d@x>\r\n\r\nx\r\n" % rng.randint(0, n))
            client = rng.choice(clients)
            known = await client.uids()
            some = b",".join(b"%d" % uid for uid in rng.sample(known, min(2, len(known)))) or b"1"
            match rng.choice(["append", "copy", "move", "expunge", "store", "noop"]):
                case "append":
                    await client.append(rng.choice((ONE, TWO, THREE, FOUR)))
                case "copy":
                    await client.ok(b"UID COPY %b INBOX" % some)
                case "move":
                    await client.ok(b"UID MOVE %b Trash" % some)
                case "expunge":
                    await client.ok(rb"UID STORE %b +FLAGS.SILENT (\Deleted)" % some)
                    await client.ok(b"EXPUNGE")
                case "store":
                    await client.ok(rb"UID STORE %b +FLAGS (\Flagged)" % some)
                case _:
                    account = await two.house.unlock()
                    await account.absorb(inbox)
                    account.close()
            for client in clients:
                await the_same(client, one, inbox, rng)


async def the_same(client: Client, w: ImapWorker, inbox: bytes, rng: random.Random) -> None:
    """What a session says of the messages that it knows of is what is found where nothing is kept."""
    cold = await w.house.unlock()
    criteria = tuple(Criterion(by, rng.random() < 0.5) for by in rng.sample(list(KEYS), 2))
    spelled = b" ".join((b"REVERSE " if c.reverse else b"") + c.by.name.encode() for c in criteria)
    algorithm = rng.choice(list(Algorithm))
    # EXPUNGE is told by none of these, so that numbers mean what they mean in the first one.
    sort = numbers_in((await client.ok(b"SORT (%b) UTF-8 ALL" % spelled)).having(b"* SORT")[0])
    said_threads = await client.ok(b"THREAD %b UTF-8 %b" % (algorithm.value, shown(sort)))
    thread = said_threads.having(b"* THREAD")[0]
    lines = (await client.ok(b"FETCH 1:* UID")).having(b"FETCH (UID ") if sort else []
    uid_of = {int(line.split()[1]): int(line.split()[4][:-1]) for line in lines}
    sorted_uids = [uid_of[number] for number in sort]
    later = set((await cold.snapshot(inbox)).uids) & set(uid_of.values()) - set(sorted_uids)
    assert not later or min(later) > max(sorted_uids, default=0), "only what it was told of meanwhile"
    assert sorted_uids == await asked(cold.orders, inbox, sorted_uids, criteria)
    threads = re.sub(
        rb"[0-9]+", lambda found: b"%d" % uid_of[int(found[0])], thread.removeprefix(b"* THREAD")
    )
    assert threads.strip() == await asked(cold.orders, inbox, sorted_uids, algorithm)
    by_uid = await client.ok(b"UID SORT (%b) UTF-8 %b" % (spelled, shown(sort)))
    assert numbers_in(by_uid.having(b"* SORT")[0]) == sorted_uids
    cold.close()


def numbers_in(line: bytes) -> list[int]:
    return [int(number) for number in line.removeprefix(b"* SORT").split()]


def shown(numbers: list[int]) -> bytes:
    return b",".join([b"%d" % number for number in numbers]) or b"NOT ALL"


async def test_what_was_sorted_is_stored_behind_the_answer_by_who_may_write(
    database: Database, tmp_path: Path
) -> None:
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        for n in range(40):
            await w.house.deliver(b"Subject: %d\r\n\r\nx\r\n" % (n * 7 % 40))
        owner = await w.login()
        await owner.ok(b"STORE 1:* +FLAGS (\\Seen)")
        await owner.ok(b"LOGOUT")

        async def stored() -> int:
            found = await database.read(
                lambda tx: tx.execute("SELECT 1 FROM record WHERE kind = ?", (int(Kind.ORDER),))
            )
            return len(found)

        reader = w.connect()
        await reader.response()
        await reader.ok(b"LOGIN ann " + await w.house.app(scope=READ_ONLY))
        await reader.select()
        wanted = await said(reader, b"SORT (SUBJECT) UTF-8 ALL")
        await said(reader, b"THREAD REFERENCES UTF-8 ALL")
        await reader.ok(b"LOGOUT")
        await asyncio.sleep(0.05)
        assert await stored() == 0
        for client in (await w.login(), await w.login()):
            assert await said(client, b"SORT (SUBJECT) UTF-8 ALL") == wanted
            async with asyncio.timeout(5):
                while await stored() != 1:
                    await asyncio.sleep(0.01)
            await client.ok(b"LOGOUT")
        owner = await w.login()
        await said(owner, b"THREAD REFERENCES UTF-8 ALL")
        async with asyncio.timeout(5):
            while await stored() != 3:
                await asyncio.sleep(0.01)
        await owner.ok(b"STORE 1 +FLAGS (\\Deleted)")
        await owner.ok(b"EXPUNGE")
        assert await stored() == 0
