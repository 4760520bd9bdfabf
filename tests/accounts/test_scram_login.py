"""Logins by SCRAM: whichever app password it is, at one cost, and salts that tell nothing."""

from base64 import b64decode, b64encode
from collections.abc import Awaitable
from pathlib import Path

import pytest

from mailstead.accounts import opening, proofs
from mailstead.accounts.apppasswords import revoke
from mailstead.accounts.logins import Logins
from mailstead.accounts.opening import MOST_APPS, Credential, ScramProof
from mailstead.accounts.provision import set_status
from mailstead.crypto.scram import ITERATIONS, Verifier
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import READ_ONLY, SUBMIT_ONLY
from mailstead.errors import MailError, Reason
from mailstead.store import accounts as rows
from mailstead.store.database import Database, Tx
from mailstead.store.slots import slots
from tests.accounts.test_presence import NEVER, Worker, worker
from tests.support.house import PASSWORD, SERVER_KEY
from tests.support.scram import ScramClient

ANN = "ann@b.test"


async def proof_of(logins: Logins, name: str, password: bytes) -> tuple[ScramProof, ScramClient]:
    client = ScramClient(name.encode(), password)
    nonce, salt = client.nonce + b"server", await logins.scram_salt(name)
    first = b"r=%b,s=%b,i=%d" % (nonce, b64encode(salt), ITERATIONS)
    bare, proof = client.final(first).split(b",p=")
    message = b",".join((client.bare, first, bare))
    return ScramProof(message, b64decode(proof)), client


async def reason(work: Awaitable[object]) -> Reason:
    with pytest.raises(MailError) as caught:
        await work
    return caught.value.reason


async def admit(w: Worker, name: str, password: bytes, peer: str = "192.0.2.1"):
    proof, client = await proof_of(w.logins, name, password)
    admitted = await w.logins.admit(name, proof, peer, print)
    assert admitted.signature == client.signature
    return admitted.what


async def test_a_proof_opens_the_app_password_it_is_of(database: Database, tmp_path: Path) -> None:
    async with worker(database, tmp_path, NEVER) as w:
        await w.house.move_in()
        await w.house.deliver(b"Subject: x\r\n\r\n")
        passwords = [await w.house.app(f"{n}") for n in range(3)]
        reads = await w.house.app("reads", READ_ONLY)
        sends = await w.house.app("sends", SUBMIT_ONLY)
        for password in (*passwords, reads):
            account = await admit(w, "ann", password)
            assert list((await w.house.read_all(account)).values()) == [b"Subject: x\r\n\r\n"]
            assert account.writable == (password != reads)
            account.close()
        assert await reason(admit(w, "ann", sends)) is Reason.OUT_OF_SCOPE
        proof, client = await proof_of(w.logins, "ann", sends)
        proven = await w.logins.prove("ann", proof, "192.0.2.1")
        assert proven.signature == client.signature
        assert ANN in proven.what.addresses
        proof, _ = await proof_of(w.logins, "ann", reads)
        assert await reason(w.logins.prove("ann", proof, "192.0.2.1")) is Reason.OUT_OF_SCOPE
        for at, wrong in enumerate((PASSWORD, b"", passwords[0][:-1] + b"!", passwords[0].upper())):
            assert await reason(admit(w, "ann", wrong, f"192.0.2.{at}")) is Reason.LOGIN_FAILED, wrong
        await revoke(w.office, ANN, Credential.password(PASSWORD), "1")
        assert await reason(admit(w, "ann", passwords[1], "192.0.2.9")) is Reason.LOGIN_FAILED
        for password in (passwords[0], passwords[2]):
            (await admit(w, "ann", password)).close()


async def test_one_that_is_bad_or_expired_keeps_no_other_out(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        late = await w.house.app("late", not_after=int(w.office.now()) + 60)
        spoiled = await w.house.app("spoiled")
        good = await w.house.app("good")

        def spoil(tx: Tx) -> None:
            tx.execute("UPDATE slot SET mac = ? WHERE locator = ?", (bytes(32), spoiled[4:8].decode()))

        await sqlite.write(spoil)
        object.__setattr__(w.office, "now", lambda now=w.office.now: now() + 61)
        for at, password in enumerate((late, spoiled)):
            assert await reason(admit(w, "ann", password, f"192.0.2.{at}")) is Reason.LOGIN_FAILED
        (await admit(w, "ann", good)).close()


async def test_salts_are_stable_and_tell_nobody_who_is_here(database: Database, tmp_path: Path) -> None:
    async with worker(database, tmp_path, NEVER) as w:
        await w.house.move_in()
        names = (ANN, "ann", "nobody@b.test", "x@elsewhere.test", "no address", "", "é@b.test")
        before = [await w.logins.scram_salt(name) for name in names]
        assert before[0] == before[1], "one name, however it is spelt"
        assert len(set(before)) == len(names) - 1
        assert {len(salt) for salt in before} == {16}
        await w.house.app()
        await w.house.move_in("nobody@b.test")
        await set_status(w.office, ANN, rows.DISABLED)
        assert [await w.logins.scram_salt(name) for name in names] == before


async def test_whoever_it_is_costs_the_same(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        for address in ("none@b.test", "off@b.test"):
            await w.house.move_in(address)
        passwords = [await w.house.app(f"{n}") for n in range(3)]
        off = await w.house.app(address="off@b.test")
        await set_status(w.office, "off@b.test", rows.DISABLED)
        opened = tried = checked = 0
        open_verifier, client_key, header = (
            ServerKey.open_verifier,
            Verifier.client_key,
            proofs.checked_header,
        )

        def opening_one(self, *args):
            nonlocal opened
            opened += 1
            return open_verifier(self, *args)

        def trying(self, *args):
            nonlocal tried
            tried += 1
            return client_key(self, *args)

        def checking(*args):
            nonlocal checked
            checked += 1
            return header(*args)

        monkeypatch.setattr(ServerKey, "open_verifier", opening_one)
        monkeypatch.setattr(Verifier, "client_key", trying)
        monkeypatch.setattr(proofs, "checked_header", checking)
        monkeypatch.setattr(opening, "scram_keys", lambda *_: pytest.fail("no password is here"))
        for at, (name, password) in enumerate(
            (
                (ANN, b"wrong"),
                ("none@b.test", b"x"),
                ("nobody@b.test", b"x"),
                ("off@b.test", off),
                ("@", b"x"),
            )
        ):
            assert await reason(admit(w, name, password, f"192.0.2.{at}")) is Reason.LOGIN_FAILED, name
            assert (opened, tried, checked) == ((at + 1) * MOST_APPS,) * 3, name
        (await admit(w, ANN, passwords[0])).close()
        assert opened == 6 * MOST_APPS, "nor does it show which one it was"


async def test_failures_have_to_wait_as_with_passwords(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        for _ in range(2):
            assert await reason(admit(w, "ann", b"wrong")) is Reason.LOGIN_FAILED
        assert w.logins._delays.take(ANN, "192.0.2.1", w.logins._clock.monotonic())


async def test_it_opens_with_an_older_server_key_among_the_present(sqlite: Database, tmp_path: Path) -> None:
    async with worker(sqlite, tmp_path, NEVER) as w:
        await w.house.move_in()
        await w.house.app()
        (row,) = [r for r in await sqlite.read(lambda tx: slots(tx, 1)) if r.locator]
        key = ServerKey(b"n" * 32, (SERVER_KEY,))
        assert key.open_verifier(row.header, row.scram) == w.house.server_key.open_verifier(
            row.header, row.scram
        )


async def test_it_is_offered_once_somebody_has_an_app_password(database: Database, tmp_path: Path) -> None:
    async with worker(database, tmp_path, NEVER) as w:
        await w.house.move_in()
        never = Logins(w.office, w.presence, ("b.test",), w.logins._clock, scram=False)
        for logins in (w.logins, never):
            await logins.look()
            assert not logins.scram_offered
        await w.house.app()
        for logins in (w.logins, never):
            await logins.look()
        assert (w.logins.scram_offered, never.scram_offered) == (True, False)
        await revoke(w.office, ANN, Credential.password(PASSWORD), "phone")
        await w.logins.look()
        assert not w.logins.scram_offered
