"""Session slots: a token opens mail for a while, and nothing longer, nothing more, nobody else's."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.accounts.apppasswords import add_app_password, revoke, ways_in
from mailstead.accounts.keyview import show_keys
from mailstead.accounts.login import unlock, unlock_root
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import set_status
from mailstead.accounts.rotation import rotate
from mailstead.accounts.sessions import MOST_SECONDS, MOST_SESSIONS, Session, begin_session, end_sessions
from mailstead.crypto.slots import SlotHeader, SlotType
from mailstead.errors import MailError, Reason
from mailstead.services.upkeep import upkeep_once
from mailstead.store import accounts as rows
from mailstead.store.database import Database
from mailstead.store.slots import slots, without_revoked
from tests.accounts.test_presence import NEVER, worker
from tests.accounts.test_standing import dump, load
from tests.support.house import PASSWORD, House, house

ANN = "ann@b.test"
RIGHT = Credential.password(PASSWORD)
MAIL = b"Subject: x\r\n\r\n"


async def opens(h: House, session: Session, address: str = ANN) -> bool:
    try:
        account = await unlock(h.office, address, session.credential())
    except MailError as error:
        if error.reason not in (Reason.LOGIN_FAILED, Reason.ACCOUNT_DISABLED):
            raise
        return False
    assert await h.read_all(account) == {1: MAIL}
    assert account.writable
    account.close()
    return True


async def lived_in(h: House) -> Session:
    await h.move_in()
    await h.deliver(MAIL)
    return await begin_session(h.office, ANN, RIGHT, 600)


async def count(h: House) -> int:
    return len(await h.database.read(lambda tx: tx.execute("SELECT 1 FROM slot WHERE type = 5")))


async def test_a_token_opens_the_mail_and_not_the_root(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        session = await lived_in(h)
        assert await opens(h, session)
        for act in (
            unlock_root(h.office, ANN, session.credential()),
            add_app_password(h.office, ANN, session.credential(), "x"),
            ways_in(h.office, ANN, session.credential()),
            rotate(h.office, ANN, session.credential()),
            begin_session(h.office, ANN, session.credential(), 60),
            change_password(h.office, ANN, session.credential(), b"mine"),
        ):
            with pytest.raises(MailError) as caught:
                await act
            assert caught.value.reason is Reason.OUT_OF_SCOPE
        account = (await database.read(lambda tx: rows.find_recipient(tx, ANN))).account
        row = next(s for s in await database.read(lambda tx: slots(tx, account.account_id)) if s.type == 5)
        assert SlotHeader.decode(row.header).scope & 128 == 0
        (shown,) = [w for w in (await show_keys(h.office, ANN)).ways_in if w.type is SlotType.SESSION]
        assert (shown.state, shown.not_after, shown.id) == (
            "active",
            session.not_after,
            session.slot_id.hex()[:8],
        )
        assert "token" not in repr(session)
        assert session.token.hex() not in repr(session)
        assert all(w.type is not SlotType.SESSION for w in await ways_in(h.office, ANN, RIGHT)), "not listed"


async def test_a_wrong_token_opens_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        session = await lived_in(h)
        await h.move_in("ben@b.test")
        other = await begin_session(h.office, ANN, RIGHT, 600)
        assert not await opens(h, replace(session, token=bytes(32)))
        assert not await opens(h, replace(session, token=other.token)), "each is of its own slot"
        assert not await opens(h, replace(session, slot_id=bytes(16)))
        assert not await opens(h, session, "ben@b.test")
        assert not await opens(h, session, "nobody@b.test")
        assert await opens(h, session)
        await sqlite.write(lambda tx: tx.execute("UPDATE slot SET not_after = not_after + 99 WHERE type = 5"))
        assert not await opens(h, session), "its time is not to be moved"


async def test_its_time_is_over(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        session = await lived_in(h)
        longer = await begin_session(h.office, ANN, RIGHT, 6000)
        now = h.office
        h.office = replace(now, now=lambda: session.not_after - 1)
        assert await opens(h, session)
        h.office = replace(now, now=lambda: session.not_after)
        assert not await opens(h, session)
        assert await opens(h, longer), "beside one that is over"
        h.office = now
        for seconds in (0, -1, MOST_SECONDS + 1):
            with pytest.raises(ValueError, match="a day at most"):
                await begin_session(h.office, ANN, RIGHT, seconds)


async def test_what_is_over_is_swept(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        session = await lived_in(h)
        await upkeep_once(database)
        assert await count(h) == 1
        now = h.office
        h.office = replace(now, now=lambda: time.time() - 3600)
        old = await begin_session(h.office, ANN, RIGHT, 600)
        h.office = now
        assert not await opens(h, old)
        await upkeep_once(database)
        assert await count(h) == 1
        assert await opens(h, session)
        app = await h.app()
        assert app
        await revoke(h.office, ANN, RIGHT, "phone")
        assert await count(h) == 1, "it is still there"
        assert not await opens(h, session), "and opens nothing: the read key went"
        await upkeep_once(database)
        assert await count(h) == 0


@pytest.mark.parametrize("how", ["rotated", "password", "compromised", "ended", "revoked", "disabled"])
async def test_what_ends_it(database: Database, tmp_path: Path, how: str) -> None:
    async with house(database, tmp_path) as h:
        session = await lived_in(h)
        await change_password(h.office, ANN, RIGHT, PASSWORD)  # the first change rotates: not the one below
        assert not await opens(h, session)
        session = await begin_session(h.office, ANN, RIGHT, 600)
        assert await opens(h, session)
        if how == "rotated":
            (await rotate(h.office, ANN, RIGHT)).keys.close()
            assert await count(h) == 0
        elif how == "password":
            assert not await change_password(h.office, ANN, RIGHT, b"another")
        elif how == "compromised":
            assert await change_password(h.office, ANN, RIGHT, b"another", compromised=True)
        elif how == "ended":
            assert await end_sessions(h.office, ANN) == 1
            assert await end_sessions(h.office, ANN) == 0
        elif how == "revoked":
            await revoke(h.office, ANN, RIGHT, "recovery words")
        else:
            await set_status(h.office, ANN, rows.DISABLED)
        assert not await opens(h, session)


async def test_there_are_so_many_and_no_more(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        now = h.office
        made: list[Session] = []
        for n in range(MOST_SESSIONS + 2):
            h.office = replace(now, now=lambda n=n: time.time() - 100 + n)
            made.append(await begin_session(h.office, ANN, RIGHT, 600))
        h.office = now
        assert await count(h) == MOST_SESSIONS
        opened = [await opens(h, session) for session in made]
        assert opened == [False] * 3 + [True] * (MOST_SESSIONS - 1), (
            "the oldest go; the first of all is the newest"
        )


async def test_one_that_was_ended_stays_so_though_its_row_comes_back(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path, noted=True) as h:
        ended = await lived_in(h)
        was = await database.read(dump)
        assert await end_sessions(h.office, ANN) == 1
        now = await database.read(dump)
        await database.write(load(now | {"slot": was["slot"]}))
        assert not await opens(h, ended)
        quiet = House(database, tmp_path)
        assert await opens(quiet, ended), "the control: without the ledger it does"
        assert h.ledger is not None
        stored = await database.read(lambda tx: slots(tx, 1))
        left = without_revoked(stored, h.ledger)
        assert {s.slot_id for s in stored} - {s.slot_id for s in left} == {ended.slot_id}
        assert without_revoked(stored, None) == stored


async def test_one_that_went_for_others_stays_gone(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path, noted=True) as h:
        oldest = await lived_in(h)
        was = await sqlite.read(dump)
        for _ in range(MOST_SESSIONS):
            newest = await begin_session(h.office, ANN, RIGHT, 6000)
        now = await sqlite.read(dump)
        back = [row for row in was["slot"] if row not in now["slot"]]
        assert len(back) == 1
        await sqlite.write(load(now | {"slot": [*now["slot"], *back]}))
        assert not await opens(h, oldest)
        assert await opens(h, newest)


async def test_nobody_who_is_logged_in_is_disturbed(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        account = await w.login()
        proof = (await w.logins.prove("ann", PASSWORD, "192.0.2.1")).what
        await begin_session(w.office, ANN, RIGHT, 600)
        assert await w.logins.stands(proof)
        await end_sessions(w.office, ANN)
        assert await w.logins.stands(proof)
        account.close()


async def test_the_token_is_not_for_the_network(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        session = await begin_session(w.office, ANN, RIGHT, 600)
        for given in (session.token, session.token.hex().encode()):
            with pytest.raises(MailError) as caught:
                await w.logins.login("ann", given.replace(b"\0", b"x"), f"192.0.2.{len(given)}", print)
            assert caught.value.reason is Reason.LOGIN_FAILED
