"""AUTHENTICATE SCRAM-SHA-256 (RFC 5802): the whole dialogue, what is said when it fails, and what is left of it."""

import asyncio
from base64 import b64decode, b64encode
from pathlib import Path

from mailstead.accounts.apppasswords import revoke
from mailstead.accounts.opening import Credential
from mailstead.crypto.slots import SUBMIT_ONLY
from mailstead.store.database import Database
from tests.support.house import PASSWORD
from tests.support.imap import Client, ImapWorker, Said, imap_worker
from tests.support.scram import ScramClient

FAILED = b"[AUTHENTICATIONFAILED] Authentication failed; SCRAM takes app passwords only"


async def connected(w: ImapWorker) -> Client:
    client = w.connect()
    await client.response()
    return client


async def challenge(client: Client) -> bytes:
    line = await client.response()
    assert line.startswith(b"+ "), line
    return b64decode(line[2:])


def send(client: Client, octets: bytes) -> None:
    client.send(b64encode(octets) + b"\r\n")


async def proven(client: Client, password: bytes, user: bytes = b"ann") -> bytes:
    """The exchange up to the server's proof; the tag of its command."""
    scram = ScramClient(user, password)
    tag = client.begin(b"AUTHENTICATE SCRAM-SHA-256 " + b64encode(scram.first()))
    send(client, scram.final(await challenge(client)))
    scram.check(await challenge(client))
    return tag


async def refused(client: Client, password: bytes, user: bytes = b"ann") -> Said:
    scram = ScramClient(user, password)
    tag = client.begin(b"AUTHENTICATE SCRAM-SHA-256")
    assert await challenge(client) == b""
    send(client, scram.first())
    send(client, scram.final(await challenge(client)))
    return await client.end(tag)


async def test_the_whole_dialogue(database: Database, tmp_path: Path) -> None:
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await connected(w)
        assert b"SCRAM" not in (await client.ok(b"CAPABILITY")).untagged[0], "nobody has an app password"
        password = await w.house.app()
        await w.logins.look()
        assert b"AUTH=SCRAM-SHA-256 AUTH=PLAIN" in (await client.ok(b"CAPABILITY")).untagged[0]
        assert (await client.no(b"AUTHENTICATE SCRAM-SHA-256-PLUS")).code == b"CANNOT", "there is no TLS"
        tag = await proven(client, password)
        client.send(b"\r\n")
        said = await client.end(tag)
        assert said.status == b"OK"
        assert b"NAMESPACE" in said.code
        await client.select()
        await client.ok(b"UNAUTHENTICATE")
        tag = await proven(client, password, b"ann@b.test")
        client.send(b"\r\n")
        assert (await client.end(tag)).status == b"OK"


async def test_who_has_no_app_password_is_told_what_it_takes(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.app()
        for at, (user, password) in enumerate(((b"ann", PASSWORD), (b"nobody", PASSWORD), (b"ann", b"x"))):
            client = w.connect(f"192.0.2.{at}")
            await client.response()
            said = await refused(client, password, user)
            assert (said.status, said.text) == (b"NO", FAILED)
            await client.ok(b'LOGIN ann "%b"' % PASSWORD)
        client = await connected(w)
        said = await refused(client, await w.house.app("sends", SUBMIT_ONLY))
        assert said.code == b"NOPERM"
        await client.bad(b"AUTHENTICATE SCRAM-SHA-256 " + b64encode(b"n,,m=x,n=ann,r=y"))
        said = await client.no(b"AUTHENTICATE SCRAM-SHA-256 " + b64encode(b"n,a=eve,n=ann,r=y"))
        assert said.code == b"AUTHENTICATIONFAILED"


async def test_a_recorded_exchange_is_good_for_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        password = await w.house.app()
        scram = ScramClient(b"ann", password)
        client = await connected(w)
        client.begin(b"AUTHENTICATE SCRAM-SHA-256 " + b64encode(scram.first()))
        final = scram.final(await challenge(client))
        send(client, final)
        scram.check(await challenge(client))
        thief = await connected(w)
        tag = thief.begin(b"AUTHENTICATE SCRAM-SHA-256 " + b64encode(scram.first()))
        await challenge(thief)
        send(thief, final)
        assert (await thief.end(tag)).status == b"NO"


async def test_what_is_not_finished_leaves_nothing_open(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        password = await w.house.app()
        free = len(w.office.arena._free)
        client = await connected(w)
        tag = await proven(client, password)
        assert len(w.office.arena._free) < free, "the control: it is open"
        client.send(b"*\r\n")
        assert (await client.end(tag)).status == b"BAD"
        assert (await client.bad(b"SELECT INBOX")).status == b"BAD", "nobody is logged in"
        await client.no(b"LOGIN ann x")
        tag = await proven(client, password)
        send(client, b"more")
        assert (await client.end(tag)).status == b"BAD"
        assert len(w.office.arena._free) == free
        await proven(client, password)
        client.hang_up()
        async with asyncio.timeout(10):
            while len(w.office.arena._free) < free:  # a key is left in memory
                await asyncio.sleep(0.01)
        assert not w.presence._accounts


async def test_a_session_by_scram_ends_when_it_is_revoked(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await connected(w)
        tag = await proven(client, await w.house.app())
        client.send(b"\r\n")
        await client.end(tag)
        await revoke(w.office, "ann@b.test", Credential.password(PASSWORD), "phone")
        assert b"BYE [AUTHENTICATIONFAILED]" in await client.closed()


async def test_there_is_none_before_tls(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path, plaintext=False) as w:
        await w.house.move_in()
        await w.house.app()
        await w.logins.look()
        client = w.connect()
        assert b"SCRAM" not in await client.response()
        said = await client.no(b"AUTHENTICATE SCRAM-SHA-256 " + b64encode(ScramClient(b"ann", b"x").first()))
        assert said.code == b"PRIVACYREQUIRED"
