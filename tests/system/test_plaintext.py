"""A thief of the disk: a thousand messages full of canaries, and every octet of every file searched."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.crypto import keys, lanes, primitives
from mailstead.errors import UnsealError
from mailstead.mail.address import parse_mailbox
from mailstead.mail.compose import Attachment, compose
from mailstead.scan import Scan
from mailstead.store.opening import StoreSettings, open_database
from tests.support.house import house
from tests.support.imap import imap_worker
from tests.support.imaptalk import ImapTalk
from tests.support.server import Server

CANARY = "Zq7kanarie"
COUNT = 1000


def message(n: int) -> bytes:
    return compose(
        parse_mailbox(f"{CANARY}sender{n}@example.net".encode()),
        [parse_mailbox(b"ann@b.test")],
        f"{CANARY}subject{n}",
        f"{CANARY}body{n}\n" * (1 + n % 50),
        [Attachment(f"{CANARY}name{n}.txt", f"{CANARY}inside{n}".encode() * (n % 300))] if n % 5 == 0 else [],
        date="Tue, 24 Nov 2026 12:00:00 +0000",
        message_id=f"{CANARY}id{n}@example.net",
        boundary=f"b{n}",
    )


def hits_below(*places: Path) -> tuple[int, int]:
    """Files, and canaries in them in whatever form; `mailstead leakcheck` looks with the same eyes."""
    scan = Scan({"canary": CANARY.encode()})
    scan.below(*places)
    assert not scan.unread
    return scan.files, scan.hits.total()


def hits_in_deleted(pid: int) -> tuple[int, int]:
    """The same of files that have no name any more."""
    scan = Scan({"canary": CANARY.encode()})
    scan.deleted(pid)
    assert not scan.unread
    return scan.files, scan.hits.total()


async def fill(folder: Path, count: int) -> None:
    database = open_database(StoreSettings(folder))
    async with house(database, folder) as h:
        await h.move_in()
        for at in range(0, count, 50):
            await asyncio.gather(*(h.deliver(message(n)) for n in range(at, min(at + 50, count))))
        account = await h.unlock()
        await account.absorb(await h.inbox(account))
        account.close()
        await h.deliver(message(0))
    await database.close()


async def test_no_canary_is_on_the_disk(tmp_path: Path) -> None:
    await fill(tmp_path, COUNT)
    files, hits = hits_below(tmp_path)
    assert files >= 1
    assert hits == 0


async def test_the_search_finds_what_is_not_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with sealing replaced by nothing, the same search finds the same canaries."""

    class Identity:
        def __init__(self, key: bytes, context: bytes) -> None:
            pass

        def update(self, octets: bytes) -> bytes:
            return bytes(octets)

        def finalize(self) -> bytes:
            return b""

    monkeypatch.setattr(lanes, "Encryptor", Identity)
    monkeypatch.setattr(lanes, "seal", lambda key, context, octets: bytes(octets))
    database = open_database(StoreSettings(tmp_path))
    async with house(database, tmp_path) as h:
        await h.move_in()
        for n in range(50):
            await h.deliver(message(n))
    await database.close()
    assert hits_below(tmp_path)[1] >= 50
    assert primitives.seal is not lanes.seal


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("plain") / "box", extra='[log]\nlevel = "debug"').make().start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.mark.system
def test_a_server_killed_in_the_middle_of_a_large_message_leaves_nothing(server: Server) -> None:
    """At a quarter, a half and three quarters of 20 MB: data, spool, log, and files that were deleted."""
    (pid,) = server.worker_pids()
    # What compresses well is never long enough to be spooled.
    whole = b"".join(
        b"%b and %b\r\n" % (CANARY.encode(), os.urandom(200).hex().encode()) for _ in range(48_000)
    )
    talk = server.connect().hello()
    for command in (
        b"MAIL FROM:<Zq7kanarie@a.test>",
        b"RCPT TO:<ann@b.test>",
        b"RCPT TO:<Zq7kanarie@b.test>",
        b"DATA",
    ):
        talk.command(command)
    for quarter in range(3):
        part = len(whole) // 4
        talk.send(whole[quarter * part : (quarter + 1) * part])
        time.sleep(0.5)
        assert hits_below(server.data, server.log_path)[1] == 0
        spooled, hits = hits_in_deleted(pid)
        assert spooled
        assert hits == 0
    os.kill(pid, signal.SIGKILL)
    server.kill()
    talk.close()
    assert hits_below(server.data, server.log_path)[1] == 0
    assert sys.platform == "linux"


# What a client says by IMAP that is no mail: names, keywords, what it looks for, who it says it is.
SAID_BY_IMAP = (
    b'CREATE "Zq7kanarie"', b'CREATE "Zq7kanarie/Zq7kanarie Zq7kanarie"', b'CREATE "&AOk-Zq7kanarie"',
    b'SUBSCRIBE "Zq7kanarie nowhere"', b'RENAME Zq7kanarie "other Zq7kanarie"', b"SELECT Zq7kanarie",
    b'STATUS "other Zq7kanarie" (MESSAGES)', b'LIST "" "Zq7kanarie*"', b"DELETE &AOk-Zq7kanarie",
    b"SELECT INBOX", b"STORE 1:* +FLAGS (Zq7kanarie $Zq7kanarie)", b"STORE 1 -FLAGS.SILENT ($Zq7kanarie)",
    b"SEARCH SUBJECT Zq7kanarie", b"SEARCH BODY Zq7kanarie", b'SEARCH TEXT "Zq7kanarie and"',
    b"SEARCH HEADER Zq7kanarie Zq7kanarie", b"SEARCH KEYWORD Zq7kanarie", b"UID SEARCH CHARSET UTF-8 FROM Zq7kanarie",
    b"SEARCH CHARSET Zq7kanarie ALL", b"FETCH 1 BODY[HEADER.FIELDS (Zq7kanarie)]", b'COPY 1 "other Zq7kanarie"',
    b"COPY 1 Zq7kanarienowhere", b'MOVE 1 "other Zq7kanarie"', b'ID ("name" "Zq7kanarie")',
    b"ENABLE Zq7kanarie", b"Zq7kanarie", b'GETACL "other Zq7kanarie"', b"SETACL INBOX Zq7kanarie lr",
    b'LISTRIGHTS "other Zq7kanarie" Zq7kanarie', b"EXPUNGE", b"CLOSE",
    b'SETMETADATA "" (/private/Zq7kanarie "Zq7kanarie")', b'SETMETADATA INBOX (/shared/comment "Zq7kanarie" /private/Zq7kanarie "")',
    b'SETMETADATA "other Zq7kanarie" (/private/vendor/x/Zq7kanarie ~{11+}\r\nZq7kanarie\0 /shared/comment "Zq7kanarie")',
    b'SETMETADATA INBOX (/shared/comment "other" /private/Zq7kanarie NIL)', b'SETMETADATA INBOX (/private/specialuse "Zq7kanarie")',
    b'GETMETADATA (DEPTH infinity) "other Zq7kanarie" (/private /shared/Zq7kanarie)', b"SETMETADATA INBOX (Zq7kanarie NIL)",
    b'LIST "" "*" RETURN (METADATA (/private/vendor/x/Zq7kanarie))',
)  # fmt: skip


@pytest.mark.system
def test_nothing_that_is_said_by_imap_is_on_the_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not in the data, not in the log at its most talkative; while it runs, and after kill -9."""
    server = Server(
        tmp_path_factory.mktemp("imapplain") / "box", listen=("imap",),
        auth="insecure_plaintext_login = true", extra='[log]\nlevel = "debug"',
    ).make().start()  # fmt: skip
    stranger = ImapTalk(server.ports["imap"])
    assert stranger.ask(b'LOGIN "Zq7kanarie@b.test" "Zq7kanarie"').status == b"NO"
    assert stranger.ask(b"LOGIN ann Zq7kanarie").status == b"NO"
    stranger.close()
    talk = ImapTalk(server.ports["imap"]).log_in()
    for n in range(5):
        assert talk.append(message(n), options=b"(Zq7kanarie%d) " % n).status == b"OK"
    assert talk.append(b"Subject: x\r\n\r\n" + b"Zq7kanarie is in a large one\r\n" * 30_000).status == b"OK"
    answered = [talk.ask(command).status for command in SAID_BY_IMAP]
    assert answered.count(b"OK") > 20
    noted = [
        status for command, status in zip(SAID_BY_IMAP, answered, strict=True) if b"SETMETADATA" in command
    ]
    assert noted.count(b"OK") == 4
    assert b"" not in answered
    octets = message(7)
    talk.ok(b"SELECT INBOX")
    assert talk.ask(b"REPLACE 1 INBOX {%d}" % len(octets), octets).status == b"OK"
    catenated = (
        b'APPEND INBOX CATENATE (URL "/INBOX/;UID=6" URL "/other%%20Zq7kanarie/;UID=1" TEXT {%d}'
        % len(octets)
    )
    assert talk.ask(catenated, octets, b")").status == b"OK"
    assert talk.ask(b'APPEND INBOX CATENATE (URL "/Zq7kanarie/;UID=1")').status == b"NO"
    talk.send(b"a APPEND INBOX {1000000}\r\n" + b"")
    assert talk.line().startswith(b"+")
    talk.send(b"Zq7kanarie in the middle\r\n" * 20_000)
    files, hits = hits_below(server.data, server.log_path)
    assert files >= 3
    assert hits == 0
    server.kill()
    talk.close()
    assert hits_below(server.data, server.log_path)[1] == 0


def as_it_is(key: bytes, context: bytes, octets: bytes) -> bytes:
    try:
        return primitives.open_kept(key, context, octets)  # the keyring is sealed all the same
    except UnsealError:
        return bytes(octets)


async def test_the_search_finds_names_and_keywords_that_are_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the sealing of an account's own records, the same commands leave canaries."""
    monkeypatch.setattr(keys, "seal", lambda key, context, octets: bytes(octets))
    monkeypatch.setattr(keys, "open_kept", as_it_is)
    database = open_database(StoreSettings(tmp_path))
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(b"Subject: x\r\n\r\n")
        assert hits_below(tmp_path)[1] == 0
        for command in (
            b'CREATE "Zq7kanarie"', b"STORE 1 +FLAGS ($Zq7kanarie)", b'SETMETADATA INBOX (/private/Zq7kanarie "x")',
            b'SETMETADATA INBOX (/private/comment "Zq7kanarie")', b'SETMETADATA "" (/private/Zq7kanarie "x")',
            b'SETMETADATA "" (/private/comment "Zq7kanarie")',
        ):  # fmt: skip
            before = hits_below(tmp_path)[1]
            await client.ok(command)
            assert hits_below(tmp_path)[1] > before, command
    await database.close()
