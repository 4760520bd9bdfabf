"""Who gets in: LOGIN, AUTHENTICATE, what is offered when, and who must go (RFC 9051 sections 6.1, 6.2)."""

from base64 import b64encode
from pathlib import Path

import pytest

from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import remove_account, set_status
from mailstead.store import accounts as rows
from mailstead.store.database import Database
from tests.support.house import PASSWORD
from tests.support.imap import Client, ImapWorker, imap_worker

RIGHT = b'LOGIN ann "%b"' % PASSWORD
FAILED = b"AUTHENTICATIONFAILED"


def plain(user: bytes, password: bytes, authzid: bytes = b"") -> bytes:
    return b64encode(authzid + b"\0" + user + b"\0" + password)


async def greeted(w: ImapWorker, peer: str = "192.0.2.1") -> Client:
    client = w.connect(peer)
    await client.response()
    return client


async def test_what_is_offered_when(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = w.connect()
        greeting = await client.response()
        offered = greeting.partition(b"[CAPABILITY ")[2].partition(b"]")[0].split()
        assert greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
        assert {b"AUTH=PLAIN", b"AUTH=LOGIN", b"LITERAL+", b"SASL-IR", b"ID", b"ENABLE", b"IDLE"} <= set(
            offered
        )
        assert not {b"LOGINDISABLED", b"UIDPLUS", b"STARTTLS"} & set(offered)
        said = await client.ok(b"CAPABILITY")
        assert said.untagged == [b"* CAPABILITY " + b" ".join(offered)]
        said = await client.ok(RIGHT)
        assert said.code.startswith(b"CAPABILITY IMAP4rev1 ")
        after = set(said.code.split()[1:])
        wanted = (
            b"NAMESPACE CHILDREN SPECIAL-USE UIDPLUS UNSELECT MOVE ACL IDLE ENABLE LITERAL+ LIST-EXTENDED"
        )
        wanted += b" LIST-STATUS LIST-MYRIGHTS CREATE-SPECIAL-USE STATUS=SIZE OBJECTID APPENDLIMIT=4194304"
        assert set(wanted.split()) <= after
        assert not any(word.startswith(b"AUTH=") for word in after)
        assert (await client.ok(b"CAPABILITY")).untagged == [b"* " + said.code]
        await client.bad(RIGHT)
        await client.bad(b"STARTTLS")


async def test_where_no_password_may_be_sent(sqlite: Database, tmp_path: Path) -> None:
    """Before TLS there is LOGINDISABLED, and a literal that would be a password is not asked for."""
    async with imap_worker(sqlite, tmp_path, plaintext=False) as w:
        await w.house.move_in()
        client = w.connect()
        greeting = await client.response()
        assert b" LOGINDISABLED" in greeting
        assert b"AUTH=" not in greeting
        for command in (RIGHT, b"AUTHENTICATE PLAIN", b"AUTHENTICATE PLAIN " + plain(b"ann", PASSWORD)):
            assert (await client.no(command)).code == b"PRIVACYREQUIRED", command
        said = await client.no(b"LOGIN ann {28}", PASSWORD)
        assert said.code == b"PRIVACYREQUIRED"
        await client.bad(b"SELECT INBOX")


async def test_nothing_of_an_account_before_login(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        for command in (b"SELECT INBOX", b'LIST "" "*"', b"STATUS INBOX (MESSAGES)", b"IDLE", b"NAMESPACE",
                        b"APPEND INBOX {5}", b"UID FETCH 1 FLAGS", b"ENABLE IMAP4rev2", b"MYRIGHTS INBOX"):  # fmt: skip
            client = await greeted(w)
            said = await client.bad(command)
            assert said.text == b"Not in this state"
            assert said.untagged == []
        client = await greeted(w)
        assert (await client.ok(b"NOOP")).untagged == []
        assert (
            (await client.ok(b'ID ("name" "x")'))
            .untagged[0]
            .startswith(b'* ID ("name" "mailstead" "version" "')
        )
        said = await client.ok(b"LOGOUT")
        assert said.untagged == [b"* BYE Logging out"]
        assert await client.closed() == b""


@pytest.mark.parametrize("name", [b"ann", b"ann@b.test", b"ANN@B.test", b'"Ann"'])
async def test_login(sqlite: Database, tmp_path: Path, name: bytes) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await greeted(w)
        await client.ok(b'LOGIN %b "%b"' % (name, PASSWORD))
        await client.select()
        other = await greeted(w)
        await other.ok(b"LOGIN {3}", b"ann", b" {28}", PASSWORD)


async def test_authenticate(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        right = plain(b"ann@b.test", PASSWORD)
        client = await greeted(w)
        said = await client.ok(b"AUTHENTICATE PLAIN " + right)
        assert said.code.startswith(b"CAPABILITY ")
        client = await greeted(w)
        tag = client.begin(b"authenticate plain")
        assert await client.response() == b"+ "
        client.send(right + b"\r\n")
        assert (await client.end(tag)).status == b"OK"
        for first in (b"AUTHENTICATE LOGIN", b"AUTHENTICATE LOGIN " + b64encode(b"ann")):
            client = await greeted(w)
            tag = client.begin(first)
            if first.endswith(b"LOGIN"):
                assert await client.response() == b"+ " + b64encode(b"Username:")
                client.send(b64encode(b"ann") + b"\r\n")
            assert await client.response() == b"+ " + b64encode(b"Password:")
            client.send(b64encode(PASSWORD) + b"\r\n")
            assert (await client.end(tag)).status == b"OK"
            await client.select()


async def test_an_exchange_that_is_given_up_or_is_none(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await greeted(w)
        for mechanism in (b"PLAIN", b"LOGIN"):
            tag = client.begin(b"AUTHENTICATE " + mechanism)
            await client.response()
            client.send(b"*\r\n")
            said = await client.end(tag)
            assert (said.status, said.text) == (b"BAD", b"Authentication cancelled")
        assert (await client.no(b"AUTHENTICATE CRAM-MD5")).status == b"NO"
        await client.bad(b"AUTHENTICATE PLAIN not-base64")
        await client.bad(b"AUTHENTICATE PLAIN " + b64encode(b"no nul"))
        await client.ok(RIGHT)
        client = await greeted(w)
        said = await client.no(b"AUTHENTICATE PLAIN " + plain(b"ann", PASSWORD, b"bob"))
        assert said.code == FAILED, "nobody logs in as somebody else"
        tag = client.begin(b"AUTHENTICATE PLAIN")
        await client.response()
        client.hang_up()


async def test_a_wrong_password_never_opens(sqlite: Database, tmp_path: Path) -> None:
    """One answer for whatever is wrong (RFC 5530), and the right password still gets in."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.move_in("off@b.test")
        await set_status(w.office, "off@b.test", rows.DISABLED)
        answers = set()
        peers = iter(range(1, 100))
        for command in (b"LOGIN ann wrong", b"LOGIN nobody wrong", b'LOGIN off "%b"' % PASSWORD,
                        b'LOGIN ann ""', b"LOGIN ann {3}", b'LOGIN "ann@elsewhere.test" x', b'LOGIN "\xff\xfe" x',
                        b"AUTHENTICATE PLAIN " + plain(b"ann", b"wrong")):  # fmt: skip
            client = await greeted(w, f"192.0.2.{next(peers)}")
            said = await client.no(command, b"abc")
            answers.add((said.status, said.text))
            await client.bad(b"SELECT INBOX")
        assert answers == {(b"NO", b"[AUTHENTICATIONFAILED] Authentication failed")}
        assert b"Zq7" not in w.log.getvalue().encode()
        client = await greeted(w)
        await client.ok(RIGHT)
        assert "wrong" not in w.log.getvalue()
        assert PASSWORD.decode() not in w.log.getvalue()


@pytest.mark.parametrize("how", ["password", "disable", "remove"])
@pytest.mark.parametrize("doing", [b"IDLE", b"", b"APPEND INBOX {100}"], ids=["idle", "nothing", "append"])
async def test_a_session_whose_way_in_is_gone_ends(
    sqlite: Database, tmp_path: Path, how: str, doing: bytes
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.move_in("ben@b.test")
        client, ben = await w.login(), await w.login(name=b"ben")
        if doing:
            client.begin(doing)
            assert (await client.response()).startswith(b"+")
        match how:
            case "password":
                old = Credential.password(PASSWORD)
                await change_password(w.office, "ann@b.test", old, b"another password")
            case "disable":
                await set_status(w.office, "ann@b.test", rows.DISABLED)
            case _:
                await remove_account(w.office, "ann@b.test")
        assert (await client.closed(5)) == b"* BYE [AUTHENTICATIONFAILED] Log in again\r\n"
        await ben.ok(b"NOOP")
        again = await greeted(w)
        assert (await again.no(RIGHT)).code == FAILED, "nor is the old password remembered"
