"""The access log: who got in is noted behind him, and taken in once by whoever has the keys."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.accounts.accessentries import Door, Entries, Entry, Outcome, packed_peer, peer_text
from mailstead.accounts.accesslog import DUE, take_in
from mailstead.accounts.accessnotes import ACCOUNTS, FAILED_PEERS, PEERS, AccessNotes, seen
from mailstead.accounts.logins import Logins
from mailstead.accounts.opening import Credential
from mailstead.accounts.resealing import reseal_once
from mailstead.accounts.resetting import reset
from mailstead.accounts.rotation import rotate
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.clock import SystemClock
from mailstead.crypto.notes import seal_note
from mailstead.crypto.rows import RowMacs
from mailstead.crypto.sealed import Kind
from mailstead.crypto.slots import SUBMIT_ONLY
from mailstead.errors import MailError, Reason, Unavailable
from mailstead.log import Log
from mailstead.store import accessnotes
from mailstead.store.accessnotes import add_note, waiting_notes
from mailstead.store.accounts import Stale
from mailstead.store.database import Database, Tx
from mailstead.store.epochs import EpochUse, epoch_use
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.records import get_record
from tests.accounts.test_presence import NEVER, QUICK, Worker, eventually, worker
from tests.accounts.test_scram_login import admit
from tests.support.house import PASSWORD, House, house

ANN = "ann@b.test"
RIGHT = Credential.password(PASSWORD)
Seen = tuple[str, str, str, int]


@contextlib.asynccontextmanager
async def watched(database: Database, folder: Path, pace=NEVER) -> AsyncIterator[tuple[Worker, AccessNotes]]:
    """A worker whose logins are noted; nothing is written but by `flush`."""
    async with worker(database, folder, pace) as w:
        notes = AccessNotes(database, w.house.directory, Log(w.log))
        w.office = replace(w.office, witness=notes.saw)
        w.logins = Logins(w.office, w.presence, ("b.test",), SystemClock())
        yield w, notes


async def log_of(account: UnlockedAccount) -> list[Seen]:
    log = await account.access_log()
    assert log.missed == 0
    return sorted((e.door.name, e.outcome.name, peer_text(e.peer), e.count) for e in log.entries)


async def count(database: Database) -> int:
    return int((await database.read(lambda tx: tx.execute("SELECT COUNT(*) FROM access_note")))[0][0])


async def test_every_door_and_every_try_is_noted(database: Database, tmp_path: Path) -> None:
    async with watched(database, tmp_path) as (w, notes):
        await w.house.move_in()
        await w.house.move_in("ben@b.test")
        app, sends = await w.house.app(), await w.house.app("cron", scope=SUBMIT_ONLY)
        account = await w.logins.login("ann", PASSWORD, "192.0.2.1", print)
        (await w.logins.admit("ann", app, "2001:db8::2", print, Door.POP3)).what.close()
        (await admit(w, "ann", app, "192.0.2.3")).close()
        await w.logins.prove("ann", sends, "192.0.2.4")
        for given, who in ((sends, "ann"), (b"wrong", "ann"), (b"wrong", "nobody"), (b"wrong", "ann")):
            with pytest.raises(MailError):
                await w.logins.login(who, given, "192.0.2.5", print)
        assert await count(database) == 0, "a login waits for no note"
        await notes.flush()
        assert await count(database) == 2, "one for all who got in, one for all who did not"
        assert await log_of(account) == [
            ("IMAP", "ENTERED", "192.0.2.1", 1), ("IMAP", "ENTERED", "192.0.2.3", 1),
            ("IMAP", "FAILED", "192.0.2.5", 2), ("IMAP", "REFUSED", "192.0.2.5", 1),
            ("POP3", "ENTERED", "2001:db8::2", 1), ("SUBMISSION", "ENTERED", "192.0.2.4", 1),
        ]  # fmt: skip
        assert await count(database) == 0
        by_door = {e.door: e for e in (await account.access_log()).entries if e.outcome is Outcome.ENTERED}
        assert by_door[Door.SUBMISSION].locator == sends[4:8].decode()
        account.close()
        ben = await w.house.unlock("ben@b.test")
        assert await log_of(ben) == [], "it is nobody else's"
        ben.close()


async def test_a_login_neither_waits_nor_fails_for_its_note(sqlite: Database, tmp_path: Path) -> None:
    """A database that takes nothing: who may come in comes in, and what was seen is written later."""

    class Full:
        def __init__(self, inner: Database) -> None:
            self.inner, self.full, self.tries = inner, True, 0
            self.read = inner.read

        async def write(self, work):
            self.tries += 1
            if self.full:
                raise Unavailable(Reason.STORAGE_FULL)
            return await self.inner.write(work)

    full = Full(sqlite)
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        notes = AccessNotes(full, w.house.directory, Log(w.log))
        w.logins = Logins(replace(w.office, witness=notes.saw), w.presence, ("b.test",), SystemClock())
        running = asyncio.create_task(notes.run())
        account = await w.login()
        await notes.flush()
        assert full.tries == 1
        (await w.login()).close()
        await notes.flush()
        full.full = False
        await notes.flush()
        assert [c for *_, c in await log_of(account)] == [2]
        account.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_what_runs_behind_the_logins_writes_them(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailstead.accounts.accessnotes.GATHER_SECONDS", 0.01)
    monkeypatch.setattr("mailstead.accounts.accessnotes.FAILED_SECONDS", 0.05)
    async with watched(sqlite, tmp_path) as (w, notes):
        await w.house.move_in()
        running = asyncio.create_task(notes.run())
        (await w.login()).close()
        await eventually(lambda: count(sqlite), 1)
        with pytest.raises(MailError):
            await w.logins.login("ann", b"wrong", "192.0.2.5", print)
        await eventually(lambda: count(sqlite), 2)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def came(peer: str, at: int = 1, outcome: Outcome = Outcome.ENTERED) -> Entry:
    return replace(seen(at, Door.IMAP, outcome, None, peer), slot_type=1)


async def test_a_flood_is_bounded_in_memory_and_on_disk(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accessnotes, "MOST_NOTES", 20)
    monkeypatch.setattr(accessnotes, "MOST_FAILED", 5)
    async with watched(sqlite, tmp_path) as (w, notes):
        await w.house.move_in()
        account = await w.house.unlock()
        one = account.account_id
        for round_ in range(40):
            for n in range(300):
                notes.saw(one, came(f"2001:db8::{n:x}", round_ * 5000))
                notes.saw(one, came(f"2001:db8::{n:x}", round_ * 5000, Outcome.FAILED))
            await notes.flush()
            assert await count(sqlite) <= 25
        assert await count(sqlite) == 25
        log = await account.access_log()
        assert sum(e.count for e in log.entries) <= 25 * 300
        tries = [e for e in log.entries if e.outcome is Outcome.FAILED]
        assert len(tries) == 5 * (FAILED_PEERS + 1)
        assert sum(e.count for e in tries) == 5 * 300, "they are all counted"
        assert len(log.entries) - len(tries) == 1000
        assert PEERS * 20 > 1000
        account.close()
        for n in range(ACCOUNTS + 100):
            notes.saw(10_000 + n, came("192.0.2.1"))
        assert notes.lost == 100
        await notes.flush()
        assert await count(sqlite) == 0, "nobody lives there"
        assert notes.lost == 100 + ACCOUNTS


async def test_a_note_is_taken_in_once_whoever_does_it(database: Database, tmp_path: Path) -> None:
    async with watched(database, tmp_path) as (w, notes):
        await w.house.move_in()
        sessions = [await w.house.unlock() for _ in range(4)]
        for n in range(12):
            notes.saw(sessions[0].account_id, came(f"192.0.2.{n}", n))
            await notes.flush()
        logs = await asyncio.gather(*(s.access_log() for s in sessions))
        assert all(len(log.entries) == 12 and all(e.count == 1 for e in log.entries) for log in logs)
        record = await database.read(lambda tx: get_record(tx, sessions[0].account_id, Kind.ACCESSLOG))
        assert record is not None
        version = record.version
        await sessions[0].access_log()
        again = await database.read(lambda tx: get_record(tx, sessions[0].account_id, Kind.ACCESSLOG))
        assert again is not None
        assert again.version == version, "with nothing to take in nothing is written"
        for session in sessions:
            session.close()


async def test_a_session_takes_in_what_has_piled_up(sqlite: Database, tmp_path: Path) -> None:
    async with watched(sqlite, tmp_path, QUICK) as (w, notes):
        await w.house.move_in()
        account = await w.house.unlock()
        for n in range(DUE - 1):
            notes.saw(account.account_id, came(f"192.0.2.{n}", n))
            await notes.flush()
        online = await w.login()
        await w.house.deliver(b"Subject: x\r\n\r\n")
        await asyncio.sleep(0.2)
        assert await count(sqlite) == DUE - 1, "a few wait until somebody asks"
        await notes.flush()  # this login's own
        online.close()
        again = await w.login()
        await eventually(lambda: count(sqlite), 0)
        again.close()
        account.close()


async def test_notes_keep_the_key_of_their_epoch_until_they_are_taken_in(
    database: Database, tmp_path: Path
) -> None:
    async with watched(database, tmp_path) as (w, notes):
        h = w.house
        await h.move_in()
        before = await h.unlock()
        one = before.account_id
        resident = await h.directory.at(one)
        notes.saw(one, came("192.0.2.1"))
        await notes.flush()
        rotated = await rotate(h.office, ANN, RIGHT)
        while await reseal_once(database, rotated.keys):
            pass
        assert await use(h, one, 1) == EpochUse(seed=True, store_key=False)
        with pytest.raises(Stale):
            await before.access_log()
        before.close()
        late = seal_note(resident.uuid, 1, resident.key, resident.chain, b"")
        assert not await database.write(lambda tx: add_note(tx, one, late, failed=False)), "not any more"
        notes.saw(one, came("192.0.2.2"))
        await notes.flush()
        epochs = await database.read(lambda tx: [n.lane.epoch for n in waiting_notes(tx, one, 9)])
        assert epochs == [1, 2]
        log = await take_in(database, rotated.keys)
        assert [peer_text(e.peer) for e in log.entries] == ["192.0.2.1", "192.0.2.2"]
        assert await use(h, one, 1) == EpochUse(seed=False, store_key=False)
        rotated.keys.close()


async def use(h: House, account_id: int, epoch: int) -> EpochUse:
    return await h.database.read(lambda tx: epoch_use(tx, account_id, epoch))


async def test_with_a_reset_the_log_begins_again(database: Database, tmp_path: Path) -> None:
    """What waits for keys that are locked away is counted, and keeps nobody busy."""
    async with watched(database, tmp_path) as (w, notes):
        await w.house.move_in()
        (await w.login()).close()
        await notes.flush()
        account = await w.house.unlock()
        assert len(await log_of(account)) == 1
        account.close()
        (await w.login()).close()
        await notes.flush()
        await reset(w.house.office, ANN, PASSWORD)
        (await w.login()).close()
        await notes.flush()
        account = await w.house.unlock()
        log = await account.access_log()
        assert (log.missed, [e.count for e in log.entries]) == (0, [1])
        assert await count(database) == 0
        account.close()


async def test_a_session_takes_in_what_is_of_an_earlier_epoch(sqlite: Database, tmp_path: Path) -> None:
    async with watched(sqlite, tmp_path, QUICK) as (w, notes):
        await w.house.move_in()
        account = await w.login()
        await notes.flush()
        account.close()
        (await rotate(w.house.office, ANN, RIGHT)).keys.close()
        account = await w.login()
        await eventually(lambda: count(sqlite), 0)
        account.close()


async def test_the_log_is_sealed_again_with_all_else(sqlite: Database, tmp_path: Path) -> None:
    async with watched(sqlite, tmp_path) as (w, notes):
        await w.house.move_in()
        account = await w.login()
        await notes.flush()
        seen_before = await log_of(account)
        account.close()
        rotated = await rotate(w.house.office, ANN, RIGHT)
        while await reseal_once(sqlite, rotated.keys):
            pass
        rotated.keys.close()
        account = await w.house.unlock()
        assert await log_of(account) == seen_before == [("IMAP", "ENTERED", "192.0.2.1", 1)]
        record = await sqlite.read(lambda tx: get_record(tx, account.account_id, Kind.ACCESSLOG))
        assert record is not None
        assert record.epoch == 2
        account.close()


@pytest.mark.parametrize("harm", ["changed", "another's", "a stranger's", "no lane", "another epoch"])
async def test_what_is_no_note_is_counted_and_harms_no_other(
    database: Database, tmp_path: Path, harm: str
) -> None:
    async with watched(database, tmp_path) as (w, notes):
        h = w.house
        await h.move_in()
        await h.move_in("ben@b.test")
        ann, ben = await h.unlock(), await h.unlock("ben@b.test")
        notes.saw(ann.account_id, came("192.0.2.1"))
        await notes.flush()
        resident = await h.directory.at(ann.account_id)
        stranger = RowMacs(bytes(32)).arrivals(resident.uuid)
        forged = Entries((came("192.0.2.66"),)).encode()
        planted = seal_note(resident.uuid, 1, resident.key, stranger, forged)

        def put(tx: Tx) -> None:
            if harm == "changed":
                tx.execute("UPDATE access_note SET octets = ?", (planted.octets.octets,))
            elif harm == "another's":
                tx.execute("UPDATE access_note SET account_id = ?", (ben.account_id,))
            elif harm == "a stranger's":
                add_note(tx, ann.account_id, planted, failed=False)
            elif harm == "no lane":
                tx.execute("UPDATE access_note SET lane = ?", (bytes(1168),))
            else:
                tx.execute("UPDATE access_note SET epoch = 7")

        await database.write(put)
        notes.saw(ann.account_id, came("192.0.2.2", 2))
        notes.saw(ben.account_id, came("192.0.2.3", 2))
        await notes.flush()
        shown = {}
        for name, account in (("ann", ann), ("ben", ben)):
            log = await account.access_log()
            shown[name] = (log.missed, [peer_text(e.peer) for e in log.entries])
            account.close()
        anns = ["192.0.2.1", "192.0.2.2"] if harm == "a stranger's" else ["192.0.2.2"]
        assert shown == {
            "ann": (0 if harm == "another's" else 1, anns),
            "ben": (1 if harm == "another's" else 0, ["192.0.2.3"]),
        }
        assert await count(database) == 0


async def test_nothing_of_it_is_on_the_disk(tmp_path: Path) -> None:
    database = open_database(StoreSettings(tmp_path))
    async with watched(database, tmp_path) as (w, notes):
        await w.house.move_in()
        app = await w.house.app("Zq7kanarie")
        account = (await w.logins.admit("ann", app, "203.0.113.77", print)).what
        with pytest.raises(MailError):
            await w.logins.login("ann", b"wrong", "203.0.113.78", print)
        await notes.flush()
        assert hits(tmp_path) == 0
        assert len((await account.access_log()).entries) == 2
        assert hits(tmp_path) == 0
        account.close()
        planted = came("203.0.113.77").encode()
        await database.write(
            lambda tx: tx.execute("INSERT INTO meta (name, value) VALUES ('x', ?)", (planted,))
        )
        assert hits(tmp_path) > 0, "the control: what is not sealed is found"
    await database.close()


def hits(folder: Path) -> int:
    needles = [b"203.0.113.7", b"Zq7kanarie", *(packed_peer(f"203.0.113.{n}")[-6:] for n in (77, 78))]
    octets = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    return sum(octets.count(needle) for needle in needles)


async def test_a_mistake_of_ours_is_logged_and_ends_nothing(sqlite: Database, tmp_path: Path) -> None:
    class Broken:
        async def at(self, account_id: int) -> None:
            raise RuntimeError("192.0.2.1")

    log = io.StringIO()
    notes = AccessNotes(sqlite, Broken(), Log(log))
    notes.saw(1, came("192.0.2.1"))
    await notes.flush()
    assert '"event": "access.notes.failed"' in log.getvalue()
    assert "192.0.2.1" not in log.getvalue()


async def test_nothing_is_noted_for_who_has_no_key(sqlite: Database, tmp_path: Path) -> None:
    """A row that is not this server's gets no note sealed to it, and stops nobody else's."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.move_in("ben@b.test")
        notes = AccessNotes(sqlite, h.directory, Log(io.StringIO()))
        await sqlite.write(
            lambda tx: tx.execute("UPDATE epoch_key SET mac = ? WHERE account_id = 1", (bytes(32),))
        )
        notes.saw(1, came("192.0.2.1"))
        notes.saw(2, came("192.0.2.1"))
        await notes.flush()
        assert await sqlite.read(lambda tx: tx.execute("SELECT account_id FROM access_note")) == [(2,)]
        assert notes.lost == 1
