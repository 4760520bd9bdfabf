"""POP3 sessions against the real store: what is shown, what is deleted when, and who gets in."""

import asyncio
import contextlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailstead.accounts.bodies import Bodies
from mailstead.accounts.entries import BodyKey
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.crypto.slots import READ_ONLY, SUBMIT_ONLY
from mailstead.errors import UnsealError
from mailstead.log import Log
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.services.pop3.session import Pop3Service
from mailstead.store.database import Database
from tests.support.house import PASSWORD
from tests.support.imap import Client, ImapWorker, imap_worker
from tests.support.scram import ScramClient

SENT = [
    b"Subject: one\r\n\r\nfirst line\r\n.\r\n..two dots\r\nlast\r\n",
    b"Subject: two\r\n\r\nwithout a line end",
    b"Subject: three\r\n\r\n" + b"a line of some words\r\n" * 9000,
]


class PopClient:
    """One client, over a pipe."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def line(self) -> bytes:
        line, self.client.heard = await self._until(b"\r\n")
        return line

    async def _until(self, end: bytes) -> tuple[bytes, bytes]:
        async with asyncio.timeout(10):
            while end not in self.client.heard and not self.client.over:
                await asyncio.sleep(0.001)
        found, there, rest = self.client.heard.partition(end)
        assert there, self.client.heard
        return found, rest

    async def ok(self, command: bytes) -> bytes:
        self.client.send(command + b"\r\n")
        line = await self.line()
        assert line.startswith(b"+OK "), (command, line)
        return line[4:]

    async def err(self, command: bytes) -> bytes:
        self.client.send(command + b"\r\n")
        line = await self.line()
        assert line.startswith(b"-ERR "), (command, line)
        return line[5:]

    async def lines(self, command: bytes) -> list[bytes]:
        """The lines of a response, their stuffed dots taken off."""
        await self.ok(command)
        found: list[bytes] = []
        while (line := await self.line()) != b".":
            found.append(line[1:] if line.startswith(b".") else line)
        return found

    async def over(self) -> None:
        async with asyncio.timeout(10):
            while not self.client.over:
                await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def pop3(
    database: Database, folder: Path, *, plaintext: bool = True, failures: bool = False
) -> AsyncIterator[ImapWorker]:
    """A worker whose clients speak POP3, and an account with the mail of SENT."""
    async with imap_worker(database, folder, failures=failures) as w:
        w.service = Pop3Service(  # type: ignore[assignment]
            w.logins, w.gate, None, w.stopping, Log(w.log, level="debug"), plaintext=plaintext
        )
        await w.house.move_in()
        for octets in SENT:
            await w.house.deliver(octets)
        yield w


async def greeted(w: ImapWorker, peer: str = "192.0.2.1") -> PopClient:
    client = PopClient(w.connect(peer))
    assert (await client.line()).startswith(b"+OK ")
    return client


async def logged_in(w: ImapWorker) -> PopClient:
    client = await greeted(w)
    await client.ok(b"USER ann")
    await client.ok(b"PASS " + PASSWORD)
    return client


async def left(w: ImapWorker) -> list[int]:
    account = await w.house.unlock()
    try:
        return [m.uid async for m in account.messages(await w.house.inbox(account))]
    finally:
        account.close()


async def test_a_maildrop_is_listed_and_read(database: Database, tmp_path: Path) -> None:
    async with pop3(database, tmp_path) as w:
        stored = await stored_octets(w)
        client = await logged_in(w)
        sizes = [len(octets) for octets in stored]
        assert await client.ok(b"STAT") == b"3 %d" % sum(sizes)
        assert await client.lines(b"LIST") == [b"%d %d" % (n, s) for n, s in enumerate(sizes, 1)]
        assert await client.ok(b"LIST 2") == b"2 %d" % sizes[1]
        for number, octets in enumerate(stored, 1):
            lines = b"".join(line + b"\r\n" for line in await client.lines(b"RETR %d" % number))
            assert lines == (octets if octets.endswith(b"\r\n") else octets + b"\r\n")
        head, _, body = stored[2].partition(b"\r\n\r\n")
        assert await client.lines(b"TOP 3 2") == [*head.split(b"\r\n"), b"", *body.split(b"\r\n")[:2]]
        assert await client.lines(b"TOP 3 0") == [*head.split(b"\r\n"), b""]
        ids = await client.lines(b"UIDL")
        assert len({line.split()[1] for line in ids}) == 3
        assert await client.ok(b"UIDL 3") == ids[2]
        for wrong in (b"RETR 0", b"RETR 4", b"LIST 4", b"UIDL 4", b"TOP 4 1", b"DELE 4"):
            await client.err(wrong)
        await client.ok(b"NOOP")
        await client.ok(b"QUIT")
        await client.over()


async def stored_octets(w: ImapWorker) -> list[bytes]:
    account = await w.house.unlock()
    found = [
        b"".join([piece async for piece in account.read(m.body)])
        async for m in account.messages(await w.house.inbox(account))
    ]
    account.close()
    return found


async def test_what_is_deleted_goes_at_quit_and_only_then(database: Database, tmp_path: Path) -> None:
    async with pop3(database, tmp_path) as w:
        client = await logged_in(w)
        await client.ok(b"DELE 1")
        await client.err(b"DELE 1")
        await client.err(b"RETR 1")
        assert (await client.ok(b"STAT")).startswith(b"2 ")
        assert [line[:1] for line in await client.lines(b"LIST")] == [b"2", b"3"]
        assert [line[:1] for line in await client.lines(b"UIDL")] == [b"2", b"3"]
        client.client.hang_up()
        assert await left(w) == [1, 2, 3]
        client = await logged_in(w)
        await client.ok(b"DELE 1")
        await client.ok(b"RSET")
        await client.ok(b"DELE 3")
        assert await left(w) == [1, 2, 3]
        await client.ok(b"QUIT")
        assert await left(w) == [1, 2]


async def test_what_was_read_is_seen_after_quit(sqlite: Database, tmp_path: Path) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = await logged_in(w)
        await client.lines(b"RETR 2")
        await client.lines(b"TOP 1 1")
        await client.ok(b"QUIT")
        account = await w.house.unlock()
        flags = {m.uid: m.state.flags async for m in account.messages(await w.house.inbox(account))}
        assert flags == {1: SystemFlag(0), 2: SystemFlag.SEEN, 3: SystemFlag(0)}
        account.close()


async def test_a_maildrop_is_what_was_there_at_the_login(database: Database, tmp_path: Path) -> None:
    async with pop3(database, tmp_path) as w:
        client = await logged_in(w)
        ids = await client.lines(b"UIDL")
        await w.house.deliver(b"Subject: later\r\n\r\n")
        account = await w.house.unlock()
        inbox = await w.house.inbox(account)
        await account.expunge(inbox, [Uid(2)])
        assert (await client.ok(b"STAT")).startswith(b"3 ")
        assert await client.lines(b"UIDL") == ids
        assert b"deleted" in await client.err(b"RETR 2")
        await client.ok(b"DELE 2")
        await client.ok(b"QUIT")
        assert await left(w) == [1, 3, 4]
        archive = (await account.mailbox("Archive")).id
        await account.move(inbox, [Uid(1)], archive)
        await account.move(archive, [Uid(1)], inbox)
        await account.copy(inbox, [Uid(3)], inbox)
        client = await logged_in(w)
        now = [line.split()[1] for line in await client.lines(b"UIDL")]
        assert len(set(now)) == len(now) == 4
        assert now[2] == ids[0].split()[1], "it was moved away and back"
        assert {name.partition(b".")[0] for name in (now[0], now[3])} == {ids[2].split()[1]}
        account.close()


@pytest.mark.parametrize("path", ["_open", "_reader"])
async def test_a_damaged_message_hides_no_other(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = await logged_in(w)

        def damaged(self: Bodies, message: BodyKey, *_: object) -> bytes:
            raise UnsealError("the body is cut")

        monkeypatch.setattr(Bodies, path, damaged)
        bad, good = (1, 3) if path == "_open" else (3, 1)
        assert (await client.err(b"RETR %d" % bad)).startswith(b"[SYS/PERM] ")
        assert await client.lines(b"RETR %d" % good)


@pytest.mark.parametrize("breaks", [1, 2])
async def test_a_message_that_breaks_off_is_refused_or_ends_the_connection(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = await logged_in(w)
        whole = Bodies.read

        async def broken(
            self: Bodies, message: BodyKey, start: int, stop: int | None
        ) -> AsyncIterator[bytes]:
            sent = 0
            async for piece in whole(self, message, start, stop):
                yield piece
                sent += 1
                if sent == breaks:
                    raise UnsealError("the body is cut")

        monkeypatch.setattr(Bodies, "read", broken)
        if breaks == 1:
            assert (await client.err(b"RETR 3")).startswith(b"[SYS/PERM] ")
            await client.ok(b"NOOP")
            return
        await client.ok(b"RETR 3")
        await client.over()
        assert not client.client.heard.endswith(b"\r\n.\r\n")


async def test_who_gets_in(sqlite: Database, tmp_path: Path) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = await greeted(w)
        for user, password in ((b"ann", b"wrong"), (b"nobody", PASSWORD)):
            await client.ok(b"USER " + user)
            assert await client.err(b"PASS " + password) == b"[AUTH] Authentication failed"
        await client.err(b"PASS " + PASSWORD)
        await client.ok(b"AUTH PLAIN " + b64encode(b"\0ann\0" + PASSWORD))
        await client.err(b"AUTH PLAIN")
        client = await greeted(w, "192.0.2.7")
        client.client.send(b"AUTH LOGIN\r\n")
        assert (await client.line()).startswith(b"+ ")
        client.client.send(b64encode(b"ann@b.test") + b"\r\n")
        assert (await client.line()).startswith(b"+ ")
        await client.ok(b64encode(PASSWORD))
        client = await greeted(w, "192.0.2.8")
        assert await client.lines(b"AUTH") == [b"PLAIN", b"LOGIN"]
        capabilities = await client.lines(b"CAPA")
        assert {b"TOP", b"UIDL", b"USER", b"PIPELINING", b"SASL PLAIN LOGIN", b"UTF8 USER"} <= set(
            capabilities
        )
        assert b"STLS" not in capabilities
        await client.err(b"STLS")


async def test_a_changed_password_ends_the_session(sqlite: Database, tmp_path: Path) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = await logged_in(w)
        await change_password(w.office, "ann@b.test", Credential.password(PASSWORD), b"another")
        w.bell.ring((1,))
        assert (await client.line()).startswith(b"-ERR [AUTH]")
        await client.over()


async def test_commands_may_come_all_at_once(sqlite: Database, tmp_path: Path) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = await greeted(w)
        client.client.send(
            b"USER ann\r\nPASS %b\r\nSTAT\r\nRETR 2\r\nDELE 2\r\nQUIT\r\nDELE 1\r\n" % PASSWORD
        )
        await client.over()
        heard = client.client.heard
        assert heard.count(b"+OK ") == 6
        assert await left(w) == [1, 3]


async def test_too_many_errors_end_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailstead.services.pop3.session.DELAYED_ERRORS", 100)
    async with pop3(sqlite, tmp_path) as w:
        client = await greeted(w)
        client.client.send(b"NONE\r\n" * 30)
        await client.over()
        assert client.client.heard.count(b"-ERR ") == 21


async def test_what_only_reads_deletes_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with pop3(sqlite, tmp_path) as w:
        reads, sends = await w.house.app("reads", READ_ONLY), await w.house.app("sends", SUBMIT_ONLY)
        client = PopClient(w.connect())
        await client.line()
        await client.ok(b"USER ann")
        assert await client.err(b"PASS " + sends) == b"[AUTH] This app password is for sending mail only"
        await client.ok(b"USER ann")
        assert await client.ok(b"PASS " + reads) == b"3 messages"
        await client.lines(b"RETR 2")
        assert await client.err(b"DELE 1") == b"[SYS/PERM] This login may only read"
        assert await client.ok(b"QUIT") == b"Goodbye"
        await client.over()
        account = await w.house.unlock()
        inbox = await w.house.inbox(account)
        snapshot = await account.snapshot(inbox)
        snapshot = await account.opened(snapshot, snapshot.uids)
        assert [int(snapshot.get(uid).flags) for uid in snapshot.uids] == [0, 0, 0], (
            "not even that it was read"
        )
        account.close()
        client = PopClient(w.connect())
        await client.line()
        both = await w.house.app("both")
        await client.ok(b"AUTH PLAIN " + b64encode(b"\0ann\0" + both))
        await client.ok(b"DELE 1")
        await client.ok(b"QUIT")


async def test_scram(sqlite: Database, tmp_path: Path) -> None:
    async with pop3(sqlite, tmp_path) as w:
        client = PopClient(w.connect())
        await client.line()
        assert b"SASL PLAIN LOGIN" in await client.lines(b"CAPA")
        password = await w.house.app()
        await w.logins.look()
        assert b"SASL SCRAM-SHA-256 PLAIN LOGIN" in await client.lines(b"CAPA")
        assert await client.lines(b"AUTH") == [b"SCRAM-SHA-256", b"PLAIN", b"LOGIN"]

        async def to(octets: bytes) -> bytes:
            client.client.send(octets + b"\r\n")
            return await client.line()

        for given in (PASSWORD, password):
            scram = ScramClient(b"ann", given)
            first = await to(b"AUTH SCRAM-SHA-256 " + b64encode(scram.first()))
            assert first.startswith(b"+ "), first
            final = await to(b64encode(scram.final(b64decode(first[2:]))))
            if given == PASSWORD:
                assert final == b"-ERR [AUTH] Authentication failed; SCRAM takes app passwords only"
        scram.check(b64decode(final[2:]))
        assert await to(b"") == b"+OK 3 messages"
        await client.ok(b"STAT")
