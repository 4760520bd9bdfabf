"""The hostile inputs of cases.yaml that concern IMAP and logins, against a real server.

Each runs under the standard asserts of the file (tests/support/standard.py), with an IMAP session as
the one that must not suffer.
"""

import contextlib
import json
import os
import re
import resource
import socket
import statistics
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import apsw
import pytest
import yaml

from tests.support.chance import same_distribution
from tests.support.imaptalk import ImapTalk
from tests.support.pace import seconds
from tests.support.server import PASSWORD, SAID, Server, Talk
from tests.support.standard import cpu, resident, standard_asserts

T = TypeVar("T")
FILE = Path(__file__).parent / "cases.yaml"
AREAS = ("imap-parser", "imap-dos", "auth")
CASES = {c["id"]: c for c in yaml.safe_load(FILE.read_text())["cases"] if c["area"] in AREAS}
BOB = "bob@local.test"
SECRET = PASSWORD.encode()
KIB, MIB = 1 << 10, 1 << 20

_, MOST = resource.getrlimit(resource.RLIMIT_NOFILE)
MANY = min(1000, MOST - 200)
resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))


def scaled(few: T, many: T) -> T:
    """How often; *many* is what the case says, with MAILSTEAD_CASES=full."""
    return many if os.environ.get("MAILSTEAD_CASES") == "full" else few


THREADED = scaled(1000, 10_000)  # messages, of which a tenth is hostile

# Not of this server yet, or asserted elsewhere.
NOT_HERE = {
    "AUT-004": "ManageSieve", "AUT-012": "admin tokens", "AUT-014": "TOTP", "AUT-015": "OAuth",
    "AUT-018": "JMAP and web",
    "IMP-034": "tests/services/imap/test_model.py",
}  # fmt: skip


def test_every_case_is_run_or_listed() -> None:
    assert set(CASES) == set(RUN) | set(NOT_HERE)
    assert not set(RUN) & set(NOT_HERE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("imapcases")
    (folder / "tmp").mkdir()
    made = Server(
        folder / "box", ("ann@b.test", BOB, "ann@local.test", "off@b.test", "noway@b.test", "big@b.test"),
        listen=("smtp", "imap", "imaps", "submission"), auth="insecure_plaintext_login = true",
        extra="[limits]\nmessage_octets = 12000000\nquota_octets = 60000000",
        env={"TMPDIR": str(folder / "tmp")},
    ).make().start()  # fmt: skip
    talk = session(made)
    assert talk.append(b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * 8000, b"Trash").status == b"OK"
    threads(talk)
    talk.close()
    assert made.run("user", "disable", "off@b.test").returncode == 0
    yield made
    assert made.stop() == 0


@pytest.mark.system
@pytest.mark.parametrize("case", [c for c in CASES if c not in NOT_HERE])
def test_case(server: Server, case: str) -> None:
    with standard_asserts(server, BOB, imap=BOB):
        RUN[case](server)


def stranger(server: Server, source: str = "127.0.0.1") -> ImapTalk:
    """A connection that is not logged in."""
    return ImapTalk(server.ports["imap"], source)


def session(server: Server, user: str = BOB, mailbox: bytes = b"INBOX") -> ImapTalk:
    talk = stranger(server).log_in(user)
    talk.ok(b"SELECT " + mailbox)
    return talk


def log_in(server: Server, user: str, password: str, source: str = "127.0.0.1") -> bytes:
    """The answer to a login, tag left out."""
    talk = stranger(server, source)
    SAID.passwords += 1
    said = talk.ask(b'LOGIN "%b" "%b"' % (user.encode(), password.encode()))
    talk.close()
    return said.status + b" " + (said.text if said.status != b"OK" else b"")


def refused(talk: ImapTalk, octets: bytes, *, closed: bool = False) -> bytes:
    """What *octets* are answered: BAD, NO or BYE, never OK or "+"."""
    talk.send(octets)
    line = talk.until_closed(3) if closed else talk.line()
    assert re.match(rb"(\* |[^ ]+ )(BAD|NO|BYE)", line), line
    assert b"+ " not in line.splitlines()[0][:2]
    talk.close()
    return line


def imp_001(server: Server) -> None:
    (pid,) = server.worker_pids()
    for size in (4_294_967_295, 1 << 62):
        talk = stranger(server)
        before = resident(pid)
        assert b"[TOOBIG]" in refused(talk, b"a LOGIN {%d}\r\n" % size)
        assert resident(pid) - before < MIB


def imp_002(server: Server) -> None:
    (pid,) = server.worker_pids()
    talk = stranger(server)
    before = resident(pid)
    talk.send(b"a LOGIN {1073741824+}\r\n")
    with contextlib.suppress(ConnectionError, TimeoutError):
        for _ in range(64):
            talk.socket.sendall(bytes(16 * KIB))
    assert talk.until_closed(3).startswith(b"* BYE")
    assert resident(pid) - before < MIB
    talk.close()


def imp_003(server: Server) -> None:
    refused(stranger(server), b"a LOGIN {" + b"9" * 5000 + b"}\r\n")
    refused(stranger(server), b"a LOGIN {" + b"9" * 5000 + b"+}\r\n")


def imp_004(server: Server) -> None:
    for digits in (b"\xd9\xa3", b"1_0", b"+5", b" 5", b"05", b"-1", b"", b"0x5"):
        refused(stranger(server), b"a LOGIN {" + digits + b"}\r\n")


def imp_005(server: Server) -> None:
    talk = session(server)
    talk.send(b"a SEARCH" + b" SUBJECT {1+}\r\nx" * 10_000 + b"\r\nb NOOP\r\n")
    assert talk.line().startswith(b"a BAD [LIMIT]")
    assert talk.line().startswith(b"b OK"), "and what follows is framed as before"
    talk.close()


def imp_006(server: Server) -> None:
    talk = session(server)
    needle = "é{5}\r\nx LOGOUT".encode()
    assert talk.ok(b"SEARCH CHARSET UTF-8 TEXT {%d}" % len(needle), needle).untagged == [b"* SEARCH"]
    assert talk.ask(b"NOOP").status == b"OK"
    short = "é".encode()
    talk.send(b"a SEARCH TEXT {1+}\r\n" + short + b"\r\nb NOOP\r\n")
    assert talk.line().startswith(b"a BAD")
    assert talk.line().startswith(b"b OK")
    talk.close()


def imp_007(server: Server) -> None:
    talks = [stranger(server) for _ in range(MANY)]
    for talk in talks:
        talk.send(b"a NOOP " + b"(" * 4000)
    for talk in talks[:5]:
        talk.send(b"(" * 5000)
        assert talk.until_closed(3).startswith(b"* BYE")
    for talk in talks:
        talk.close()


def imp_008(server: Server) -> None:
    for key, limit in (
        (b"(" * 10_000 + b"ALL" + b")" * 10_000, True), (b"NOT " * 10_000 + b"ALL", True),
        (b"OR " * 8000 + b"ALL " * 8001, True), (b"(NOT SEEN " * 90 + b"ALL" + b")" * 90, True),
        (b"OR (" * 200 + b"ALL", False),
    ):  # fmt: skip
        talk = session(server)
        said = talk.ask(b"SEARCH " + key)
        assert said.status == b"BAD", key[:10]
        assert said.code == b"LIMIT" or not limit, key[:10]
        talk.ok(b"NOOP")
        talk.close()


def imp_009(server: Server) -> None:
    (pid,) = server.worker_pids()
    for items in (b"(" + b" ".join([b"BODY[1]<%d.1>" % n for n in range(4000)]) + b")",
                  b"BODY[" + b".".join([b"1"] * 1000) + b"]",
                  b"BODY[HEADER.FIELDS (" + b" ".join([b"X%d" % n for n in range(9000)]) + b")]"):  # fmt: skip
        talk = session(server)
        before = cpu(pid)
        said = talk.ask(b"FETCH 1 " + items)
        assert (said.status, said.code) == (b"BAD", b"LIMIT"), said
        assert cpu(pid) - before <= seconds(0.1)
        talk.close()
    talk = session(server)
    talk.ok(b"FETCH 1 (" + b" ".join([b"BODY.PEEK[1]"] * 100) + b")")
    talk.ok(b"FETCH 1 BODY.PEEK[" + b".".join([b"1"] * 100) + b"]")
    talk.close()


def imp_011(server: Server) -> None:
    talk = session(server)
    last = len(talk.ok(b"UID SEARCH ALL").untagged[0].split()) - 2
    one_each = b",".join([b"%d" % (1 + n % last) for n in range(2000)])
    assert len(talk.ok(b"FETCH " + one_each + b" UID").untagged) == last
    assert talk.ask(b"FETCH " + one_each + b",1 UID").code == b"LIMIT"
    assert len(talk.ok(b"UID FETCH " + b",".join([b"1:4294967295"] * 1000) + b" UID").untagged) == last
    assert len(talk.ok(b"FETCH *:1 UID").untagged) == last
    assert len(talk.ok(b"UID FETCH 4294967295:* UID").untagged) == 1
    for bad in (b"0", b"1:*:2", b"4294967295:*"):
        assert talk.ask(b"FETCH " + bad + b" UID").status == b"BAD", bad
    talk.close()


def imp_013(server: Server) -> None:
    talk = stranger(server)
    talk.send(b"a NOOP" + b" " * 9000)
    assert talk.until_closed(3).startswith(b"* BYE")
    talk.close()
    talk = session(server)
    assert talk.ask(b"NOOP" + b" " * 60_000).status == b"OK"
    with contextlib.suppress(ConnectionError):
        talk.send(b"a NOOP" + b" " * MIB)
    assert b"* BYE" in talk.until_closed(3)
    talk.close()


def imp_014(server: Server) -> None:
    for tag in (
        b"x" * 8000,
        b"x" * 129,
        b"",
        b"+",
        b"*",
        b"%",
        b"{",
        b"(",
        b'"',
        b"\\",
        b"a\x7f",
        b"a\xff",
        b"]",
        b"a]b",
    ):
        line = refused(stranger(server), tag + b" NOOP\r\n")
        assert line.startswith(b"* "), "it is not repeated"
    for tag in (b"a\rb", b"a\0b"):
        refused(stranger(server), tag + b" NOOP\r\n")


def imp_016(server: Server) -> None:
    for command in (b'a LOGIN "us\0er" "pw"', b"a LOGIN us\0er pw", b"a LOGIN {5+}\r\nus\0er pw"):
        refused(stranger(server), command + b"\r\n")
    for command in (b'a CREATE "x\0y"', b"a CREATE {3+}\r\nx\0y", b"a CREATE ~{3+}\r\nxyz", b"a SEARCH TEXT {3+}\r\na\0b",
                    b"a APPEND INBOX {3+}\r\na\0b"):  # fmt: skip
        refused(session(server), command + b"\r\n")


def imp_018(server: Server) -> None:
    talk = stranger(server)
    with contextlib.suppress(ConnectionError):
        talk.send(b'a LOGIN "abc' + b"d" * 64 * KIB)
    assert talk.until_closed(3).startswith(b"* BYE")
    talk.close()


def imp_019(server: Server) -> None:
    before = {p for p in server.folder.rglob("*") if "mail.db" not in p.name}
    for name in (b"../../etc", b"..", b"a/../../b", b"&AC4ALg-/x", b"&-", b"&AAA-", b"&2AA-", b"/etc", b"~root",
                 b"a\\\\..\\\\b", b"y" * 1024, b"y" * 1025, b"y" * 60_000, b"trailing/", b"//"):  # fmt: skip
        talk = session(server)
        assert talk.ask(b'SELECT "' + name + b'"').status in (b"NO", b"BAD"), name
        if talk.ask(b'CREATE "' + name + b'"').status == b"OK":  # a name like any other
            levels = name.removesuffix(b"/").split(b"/")
            talk.ok(b'SELECT "' + b"/".join(levels) + b'"')
            while levels:
                talk.ok(b'DELETE "' + b"/".join(levels) + b'"')
                levels.pop()
        talk.close()
    assert {p for p in server.folder.rglob("*") if "mail.db" not in p.name} == before, (
        "no path was made of it"
    )


def imp_020(server: Server) -> None:
    talk = session(server)
    talk.ok(b"CREATE a")
    for name in (b"&AGE-", b"&AG", b"&IRw", b"&A-"):
        for command in (b"SELECT", b"CREATE", b"DELETE"):
            said = talk.ask(b'%b "%b"' % (command, name))
            assert (said.status, said.code) == (b"NO", b"CANNOT"), name
    talk.ok(b"DELETE a")
    talk.close()


def imp_022(server: Server) -> None:
    talk = session(server)
    for name in (b"a)b", b"a]b", b"a{5}", b'a\\"b', b"a (b", b"* LIST"):
        talk.ok(b'CREATE "' + name + b'"')
        (line,) = [x for x in talk.ok(b'LIST "" "*"').untagged if x.endswith(b'"/" "' + name + b'"')]
        assert b"\r" not in line
        assert talk.ok(b'STATUS "' + name + b'" (MESSAGES)').untagged == [
            b'* STATUS "%b" (MESSAGES 0)' % name
        ]
        talk.ok(b'DELETE "' + name + b'"')
    for subject in (b"a)b {5}", b'a"b]c\\', b"=?utf-8?q?a=0D=0Ax_OK_injected?=", b"a\r\n b {3}"):
        talk.append(b"Subject: " + subject + b"\r\n\r\nx\r\n", b"Archive")
    talk.ok(b"SELECT Archive")
    said = talk.ok(b"FETCH 1:* (ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)] BODYSTRUCTURE)")
    assert len(said.untagged) == 4
    assert all(re.match(rb"\* \d FETCH \(", line) and line.endswith(b")") for line in said.untagged)
    for keyword in (b"a)b", b'a"b', b"a{5}", b"a\\b", b"a%b", b"\\Unknown"):
        assert talk.ask(b"STORE 1 +FLAGS (" + keyword + b")").status == b"BAD"
    talk.close()


def imp_023(server: Server) -> None:
    watching = session(server)
    before = watching.ok(b"UID SEARCH ALL").untagged
    for how in ("end", "reset"):
        talk = session(server)
        talk.send(b"a APPEND INBOX {1000}\r\n")
        assert talk.line().startswith(b"+")
        talk.send(b"half of it, ofandonly" + b"y" * 480)
        if how == "reset":
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        talk.close()
    time.sleep(0.1)
    watching.ok(b"NOOP")
    assert watching.ok(b"UID SEARCH ALL").untagged == before
    watching.close()
    assert list((server.data / "spool").iterdir()) == []
    # A stall has a deadline: tests/services/imap/test_session.py, on virtual time.


def imp_024(server: Server) -> None:
    talk = session(server)
    talk.send(b"a APPEND INBOX {12000001}\r\n")
    assert talk.line().startswith(b"a NO [TOOBIG]")
    talk.send(b"b APPEND INBOX {12000001+}\r\n" + b"z" * 12_000_001 + b"\r\nc NOOP\r\n")
    assert talk.line().startswith(b"b NO [TOOBIG]")
    assert talk.line().startswith(b"c OK")
    talk.send(b"d APPEND INBOX {1073741824+}\r\n")
    assert b"BYE" in talk.until_closed(3)
    talk.close()


def imp_025(server: Server) -> None:
    for date in (b"99-Foo-0000 00:00:00 +0000", b"31-Feb-2024 00:00:00 +0000", b"01-Jan-0000 00:00:00 +0000",
                 b"01-Jan-2024 25:00:00 +0000", b"01-Jan-2024 00:00:00 +9999", b"99999999999999999999 Jan", b""):  # fmt: skip
        talk = session(server)
        said = talk.ask(b'APPEND INBOX "' + date + b'" {3}')
        assert said.status == b"BAD", date
        talk.close()
    talk = session(server)
    for date in (b"01-Jan-0001 00:00:00 +0000", b"31-Dec-9999 23:59:59 +0000", b"31-Dec-9999 23:59:59 -1200",
                 b"01-Jan-0001 00:00:00 +1200", b" 1-Jan-1970 00:00:00 +0000"):  # fmt: skip
        said = talk.append(b"x", b"Sent", b'"' + date + b'" ')
        assert said.status in (b"OK", b"BAD"), date
    talk.ok(b"SELECT Sent")
    talk.ok(b"FETCH 1:* (INTERNALDATE)")
    talk.ok(b"SEARCH BEFORE 1-Jan-1980")
    talk.close()


def imp_026(server: Server) -> None:
    for flags in (b" ".join([b"kw%d" % n for n in range(9000)]), b"k" * KIB, b"\\Recent", b"\\*", b"]"):
        talk = session(server)
        assert talk.ask(b"APPEND INBOX (" + flags + b") {1}").status in (b"BAD", b"NO"), flags[:20]
        assert talk.ask(b"STORE 1 FLAGS (" + flags + b")").status in (b"BAD", b"NO"), flags[:20]
        talk.close()
    talk = session(server)
    for at in range(0, 300, 60):  # a row takes 255 different ones
        said = talk.ask(
            b"STORE 1 +FLAGS.SILENT (" + b" ".join([b"kw%d" % n for n in range(at, at + 60)]) + b")"
        )
    assert (said.status, said.code) == (b"NO", b"LIMIT")
    talk.ok(b"STORE 1 FLAGS.SILENT ()")
    talk.close()


def imp_028(server: Server) -> None:
    """URLs of others, of other servers, and of so much that it is not made."""
    talk = session(server)
    for url in (
        b"/other-user/;UID=1", b"/ann@b.test/INBOX/;UID=1", b"/~ann/INBOX/;UID=1", b"imap://ann%40b.test@mx.b.test/INBOX/;UID=1",
        b"//ann@mx.b.test/INBOX/;UID=1", b"imap://bob%40local.test@evil.test/Trash/;UID=1", b"file:///etc/passwd", b"/../../etc/passwd/;UID=1",
        b"/Trash/;UID=1;URLAUTH=anonymous:internal:" + b"0" * 32, b"/Trash/;UID=1]", b"/Trash/;UID=1/;SECTION=" + b"1." * 4000 + b"1", b"%" * 8000,
    ):  # fmt: skip
        said = talk.ask(b'APPEND INBOX CATENATE (URL "%b")' % url)
        assert (said.status, said.code[:7]) == (b"NO", b"BADURL "), url[:40]
        assert (
            talk.ask(b"APPEND INBOX CATENATE (TEXT {3+}\r\nabc URL {%d+}\r\n%b)" % (len(url), url)).status
            == b"NO"
        )
    for parts in (b" URL /Trash/;UID=1 URL /Trash/;UID=1)", b" URL /Trash/;UID=1 TEXT {5000000}"):
        assert talk.ask(b"APPEND INBOX CATENATE (%b" % parts[1:]).code == b"TOOBIG"
    for parts in (b" URL /x/;UID=1" * 3000, b' URL "/%b"' % (b"x" * 9000)):
        assert talk.ask(b"APPEND INBOX CATENATE (%b)" % parts[1:]).code == b"LIMIT"
    talk.close()


def imp_029(server: Server) -> None:
    """Little that becomes much, much that becomes nothing, and an algorithm that nobody has."""
    talk = session(server)
    for wrong in (b"COMPRESS", b"COMPRESS LZ4", b"COMPRESS DEFLATE DEFLATE"):
        assert talk.ask(wrong).status == b"BAD"
    talk.compress()
    assert talk.ask(b"COMPRESS DEFLATE").code == b"COMPRESSIONACTIVE"
    assert talk.ask(b"COMPRESS LZ4").status == b"BAD"
    talk.ok(b"NOOP")
    talk.close()
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (made.compress(b"x" * MIB) + made.flush(zlib.Z_FULL_FLUSH)) * 1024
    assert len(bomb) < 1.1 * MIB
    nothing = b"\0\0\0\xff\xff" * (2 * MIB)
    for begun, octets, end in (
        (b"", bomb, b"* BYE Command line too long\r\n"),
        (b"a SEARCH SUBJECT {65536+}\r\n", bomb, b"* BYE Command line too long\r\n"),
        (b"a APPEND INBOX {12000001+}\r\n", bomb, b"* BYE Command line too long\r\n"),
        (b"a APPEND INBOX {1073741824+}\r\n", bomb, b"* BYE [TOOBIG] Too many octets to be thrown away\r\n"),
        (b"", nothing, b"* BYE Malformed compressed data\r\n"),
        (b"a APPEND INBOX {10}\r\n", nothing, b"* BYE Malformed compressed data\r\n"),
        (b"a IDLE\r\n", b"DONE\r\n" * 10, b"* BYE Malformed compressed data\r\n"),
    ):
        talk = session(server).compress()
        talk.send(begun)
        talk.raw()
        _pour(talk, octets)
        assert talk.until_closed(5).endswith(end), begun
        talk.close()


def imp_030(server: Server) -> None:
    (pid,) = server.worker_pids()
    talk = session(server)
    talk.send(b"a IDLE\r\n")
    assert talk.line() == b"+ idling"
    talk.send(b"not done at all\r\n")
    assert talk.line().startswith(b"a BAD")
    talk.send(b"a IDLE\r\n")
    assert talk.line() == b"+ idling"
    with contextlib.suppress(ConnectionError):
        talk.send(b"x" * 100 * KIB)
    assert talk.until_closed(3).startswith(b"* BYE")
    talk.close()
    before = resident(pid)
    talks: list[ImapTalk] = []
    for n in range(scaled(100, 2000)):
        talks.append(stranger(server, f"127.40.{n // 40}.1").log_in(BOB))
        talks[-1].ok(b"SELECT INBOX")
        talks[-1].send(b"a IDLE\r\n")
        assert talks[-1].line() == b"+ idling"
    assert resident(pid) - before <= len(talks) * 64 * KIB + MIB
    for talk in talks:
        talk.close()


def imp_031(server: Server) -> None:
    talk = session(server)
    said = talk.ask(b"ENABLE" + b" X" * 10_000)
    assert (said.status, said.code) == (b"BAD", b"LIMIT")
    boxes = b" ".join([b"m%d" % n for n in range(9000)])
    assert talk.ask(b"NOTIFY SET (mailboxes (" + boxes + b") (MessageNew))").status == b"BAD"
    assert talk.ask(b"ID (" + b' "a" "b"' * 5000 + b")").status == b"BAD"
    talk.close()


def imp_032(server: Server) -> None:
    (pid,) = server.worker_pids()
    for talk in (stranger(server), session(server)):
        before = resident(pid)
        sender = threading.Thread(target=_pour, args=(talk, b"a NOOP\r\n" * 100_000), daemon=True)
        sender.start()
        sender.join(1)
        assert resident(pid) - before <= 8 * MIB
        talk.socket.shutdown(socket.SHUT_RDWR)
        talk.close()
        sender.join(5)


def _pour(talk: Talk, octets: bytes) -> None:
    with contextlib.suppress(OSError):
        talk.send(octets)


def imd_001(server: Server) -> None:
    """The mailbox that `threads` made."""
    (pid,) = server.worker_pids()
    talk = session(server, mailbox=b"threads")
    for algorithm in (b"References", b"OrderedSubject"):  # in another case than in the SQL on the disk
        began = cpu(pid)
        (line,) = talk.ok(b"THREAD " + algorithm + b" UTF-8 ALL").untagged
        assert cpu(pid) - began <= seconds(2)
        SAID.octets += 2 * MIB  # which may take as long as the case says
        assert sorted(map(int, re.findall(rb"\d+", line))) == list(range(1, THREADED + 1))
    talk.close()


def threads(talk: ImapTalk) -> None:
    """Messages whose References are long, go round in circles or have the same CRC32; and copies of answers to them."""
    talk.ok(b"CREATE threads")
    count = THREADED // 10
    ids = [b"<%b@x>" % os.urandom(12).hex().encode() for _ in range(count)]
    same_crc = [b"<%b@x>" % i for i in _same_crc(count)]
    for n in range(count):
        answer = b"Subject: s%d\r\nIn-Reply-To: %b\r\n\r\n" % (n % 9, ids[n])
        assert talk.append(answer, b"threads").status == b"OK"
    for n in range(count):
        loop = [ids[n], ids[n - 1], ids[n], ids[n // 2]]
        own, long = [(ids[n], [ids[(n * k) % count] for k in range(1000)]), (same_crc[n], same_crc[:n] + loop),
                     (ids[n], [b"<%b@y>" % os.urandom(10).hex().encode() for _ in range(1000)] + loop)][n % 3]  # fmt: skip
        header = b"Subject: s%d\r\nMessage-ID: %b\r\nReferences: " % (n % 7, own) + b"\r\n ".join(long)
        assert talk.append(header + b"\r\n\r\n", b"threads").status == b"OK"
    talk.ok(b"SELECT threads")
    for _ in range(8):
        talk.ok(b"COPY 1:%d threads" % count)


def _same_crc(count: int) -> list[bytes]:
    """Different strings of 48 letters with one CRC32: it is linear, so that letters can be raised in groups."""
    low = b"a" * 48
    basis: dict[int, tuple[int, int]] = {}
    groups: list[int] = []
    for at in range(48):
        vector, mask = crc32(low[:at] + b"A" + low[at + 1 :]) ^ crc32(low), 1 << at
        while vector and (lead := vector.bit_length()) in basis:
            vector, mask = vector ^ basis[lead][0], mask ^ basis[lead][1]
        if vector:
            basis[vector.bit_length()] = vector, mask
        else:
            groups.append(mask)
    found: list[bytes] = []
    for n in range(count):
        raised = 0
        for bit, mask in enumerate(groups):
            raised ^= mask if n >> bit & 1 else 0
        found.append(bytes(0x41 if raised >> at & 1 else 0x61 for at in range(48)))
    assert len(set(found)) == count
    assert len(set(map(crc32, found))) == 1
    return found


def imd_003(server: Server) -> None:
    """Others go on while a search opens every body, and it ends with who asked."""
    (pid,) = server.worker_pids()
    talk = session(server, "ann@local.test", b"Archive")
    message = b"Subject: s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    message += "nothing that is looked for, or will be für long\r\n".encode() * 1000
    for _ in range(100):
        assert talk.append(message, b"Archive").status == b"OK"
    for _ in range(3):
        talk.ok(b"COPY 1:* Archive")
    began = cpu(pid)
    assert talk.ok(b"SEARCH BODY zzzz").untagged == [b"* SEARCH"]
    whole = cpu(pid) - began
    SAID.octets += int((cpu(pid) - began + 1) * MIB)  # it is work that was asked for
    talk.close()
    for reset in (b"\0", b"\1"):
        talk = session(server, "ann@local.test", b"Archive")
        began = cpu(pid)
        talk.send(b"a SEARCH BODY zzzy\r\n")
        time.sleep(0.05)
        talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset + bytes(7))
        talk.close()
        time.sleep(whole)
        assert cpu(pid) - began < 0.7 * whole + seconds(0.1), "nobody waits for its result"


def imd_004(server: Server) -> None:
    """As many as an account here has room for; what a key is cut to is in tests/mail/test_basesubject.py."""
    talk = session(server)
    talk.ok(b"CREATE subjects")
    begun = [b"%06d" % (n * 7919 % 100_003) for n in range(scaled(30, 400))]
    for n, word in enumerate(begun):
        noise = os.urandom(50 * KIB).hex().encode() if n % 2 else b"[a] re: " * 12_000
        header = (
            b"Subject: " + (word + noise if n % 2 else noise[: 8 * (n % 900)] + word + noise) + b"\r\n\r\n"
        )
        assert talk.append(header, b"subjects").status == b"OK"
    talk.ok(b"SELECT subjects")
    wanted = sorted(range(len(begun)), key=begun.__getitem__)
    for criteria in (b"SUBJECT", b"REVERSE SUBJECT DISPLAYFROM"):
        (line,) = talk.ok(b"SORT (" + criteria + b") UTF-8 ALL").untagged
        assert [int(n) - 1 for n in line.split()[2:]] == wanted
        wanted.reverse()
    talk.ok(b"SELECT INBOX")
    talk.ok(b"DELETE subjects")
    talk.close()


def imd_005(server: Server) -> None:
    parts = b"".join(b"--=\r\n\r\n\r\n" for _ in range(10_000))
    message = b'Content-Type: multipart/mixed; boundary="="\r\n\r\n' + parts + b"--=--\r\n"
    talk = session(server, "ann@local.test", b"Junk")
    count = scaled(3, 1000)
    for _ in range(count):
        assert talk.append(message, b"Junk").status == b"OK"
    said = talk.ok(b"FETCH 1:* BODYSTRUCTURE")
    assert len(said.having(b"BODYSTRUCTURE")) == count
    assert sum(map(len, said.untagged)) <= count * 2 * MIB
    SAID.octets += count * 4 * MIB // 3
    talk.close()


def imd_006(server: Server) -> None:
    talk = session(server)
    boxes = scaled(20, 9000)  # an account has 10,000 names at most
    (pid,) = server.worker_pids()
    made = cpu(pid)
    for n in range(boxes):
        talk.ask(b"CREATE s/%d" % n)
    asked = max(2000, boxes)
    began = cpu(pid)
    talk.send(
        b"".join(b"a STATUS s/%d (MESSAGES UNSEEN RECENT UIDNEXT)\r\n" % (n % boxes) for n in range(asked))
    )
    answers = 0
    while answers < asked:
        answers += talk.line().startswith(b"a OK")
    assert (cpu(pid) - began) / asked < seconds(0.002)
    SAID.octets += asked * 2 * KIB
    made += cpu(pid) - began
    for n in range(boxes):
        talk.ok(b"DELETE s/%d" % n)
    SAID.octets += int((cpu(pid) - made) * MIB)  # to make them and to delete them was asked for
    talk.close()


def imd_007(server: Server) -> None:
    """By octets; how many copies and mailboxes there may be: test_copying.py and test_folders.py in tests/accounts."""
    talk = session(server, "big@b.test", b"Archive")
    said = talk.append(b"x" * 11_000_000 + b"\r\n", b"Archive")
    for _ in range(20):
        if said.status != b"OK":
            break
        said = talk.append(b64encode(os.urandom(8_000_000)), b"Archive")
    assert (said.status, said.code) == (b"NO", b"OVERQUOTA")
    SAID.octets += 40 * MIB
    talk.close()


def imd_010(server: Server) -> None:
    talk = session(server)
    for _ in range(200):
        assert talk.ask(b"SETACL INBOX anyone lr").status == b"NO"
    foreign = {
        talk.ask(b'LISTRIGHTS "%b" ann' % n).text for n in (b"user/ann", b"user/nobody", b"ann@b.test", b"no")
    }
    assert len(foreign) == 1
    foreign = {talk.ask(b'GETACL "%b"' % n).text for n in (b"user/ann@b.test", b"user/nobody@b.test")}
    assert len(foreign) == 1
    talk.close()


def aut_001(server: Server) -> None:
    for authzid in (b"ann@b.test", b"nobody", b"bob@local.tes"):
        coded = b64encode(authzid + b"\0" + BOB.encode() + b"\0" + SECRET)
        talk = stranger(server)
        assert talk.ask(b"AUTHENTICATE PLAIN " + coded).status == b"NO"
        assert talk.ask(b"SELECT INBOX").status == b"BAD"
        talk.close()
        submission = server.connect("submission").hello()
        assert submission.command(b"AUTH PLAIN " + coded)[0] == 535
        assert submission.command(b"MAIL FROM:<bob@local.test>")[0] == 530
        submission.close()


def aut_003(server: Server) -> None:
    submission = server.connect("submission").hello()
    for step in (b"AUTH LOGIN", b"AUTH PLAIN"):
        assert submission.command(step)[0] == 334
        assert submission.command(b"*")[0] == 501
    coded = b64encode(b"\0" + BOB.encode() + b"\0" + SECRET)
    SAID.passwords += 2
    submission.send(b"AUTH PLAIN " + coded + b"\r\nAUTH PLAIN " + coded + b"\r\n")
    assert [submission.reply()[0] for _ in range(2)] == [235, 503]
    submission.close()
    for _ in range(100):
        submission = server.connect("submission").hello()
        submission.send(b"AUTH LOGIN\r\n" + b64encode(b"ann")[:3])
        submission.close()
        talk = stranger(server)
        talk.send(b"a AUTHENTICATE LOGIN\r\n" + b64encode(b"ann")[:3])
        talk.close()


def aut_005(server: Server) -> None:
    """Who is not there, whose password it is not, and who is disabled: one text, and one time."""
    kinds = [("nobody@b.test", "ann@b.test", "off@b.test")]
    for k in range(scaled(0, 24)):  # more names, as one that is guessed at from everywhere waits
        kinds.append((f"nobody{k}@b.test", f"there{k}@b.test", f"off{k}@b.test"))
        for user in kinds[-1][1:]:
            assert server.run("user", "add", user, "--password-file", "-", stdin=SECRET).returncode == 0
        assert server.run("user", "disable", kinds[-1][2]).returncode == 0
    took: dict[str, list[float]] = {kind: [] for kind in kinds[0]}
    answers = set()
    for n in range(scaled(25, 1000)):
        for at, (kind, user) in enumerate(zip(took, kinds[n % len(kinds)], strict=True)):
            talk = stranger(server, f"127.1{n // 250}.{n % 250}.{at + 1}")
            SAID.passwords += 1
            began = time.monotonic()
            said = talk.ask(b'LOGIN "%b" wrong' % user.encode())
            took[kind].append(time.monotonic() - began)
            answers.add((said.status, said.text))
            talk.close()
    assert answers == {(b"NO", b"[AUTHENTICATIONFAILED] Authentication failed")}
    means = [statistics.fmean(t) for t in took.values()]
    # The case's own numbers are for its 1,000 logins of each; of a few the means differ by chance.
    assert max(means) < min(means) * scaled(1.25, 1.05), means
    for one, other in combinations(took.values(), 2):
        assert same_distribution(one, other) > scaled(1e-5, 0.01), means


def aut_006(server: Server) -> None:
    answers = {log_in(server, user, "x", f"127.2.0.{n}") for n, user in enumerate(("nobody@b.test", "ann@b.test", "off@b.test", "x@elsewhere.test"), 1)}  # fmt: skip
    assert len(answers) == 1


def aut_008(server: Server) -> None:
    """Many addresses guess: it is told, they wait, and the owner is let in, at once from where she was before."""
    assert log_in(server, "ann@b.test", PASSWORD, "127.3.9.9").startswith(b"OK")

    def guess(n: int) -> bytes:
        return log_in(server, "ann@b.test", f"guess{n}", f"127.3.{n // 250}.{n % 250 + 1}")

    with ThreadPoolExecutor(scaled(1, 20)) as threads:  # each waits a second at last
        assert all(said.startswith(b"NO") for said in threads.map(guess, range(scaled(70, 1000))))
    began = time.monotonic()
    assert log_in(server, "ann@b.test", "another guess", "127.3.7.7").startswith(b"NO")
    assert time.monotonic() - began > 0.4, "whoever was never here waits"
    began = time.monotonic()
    assert log_in(server, "ann@b.test", PASSWORD, "127.3.9.9").startswith(b"OK")
    assert time.monotonic() - began < seconds(0.4)
    assert log_in(server, "ann@b.test", PASSWORD, "127.3.9.8").startswith(b"OK")
    assert '"event": "login.guessed-at"' in server.read_log()
    waits = []
    for n in range(5):  # and one who guesses again and again waits longer each time
        began = time.monotonic()
        assert log_in(server, "ann@b.test", f"again{n}", "127.3.8.8").startswith(b"NO")
        waits.append(time.monotonic() - began)
    assert waits[4] > waits[0] + 0.5


def aut_016(server: Server) -> None:
    """An app password does what it is for, and neither sends, reads nor changes keys beyond that."""
    made = {}
    for scope in ("read-only", "submit-only"):
        arguments = (
            "key",
            "app",
            "add",
            "ann@local.test",
            scope,
            "--scope",
            scope,
            "--json",
            "--password-file",
            "-",
        )
        made[scope] = json.loads(server.run(*arguments, stdin=PASSWORD.encode()).stdout)["password"]
    assert log_in(server, "ann@local.test", made["submit-only"]).startswith(b"NO")
    talk = stranger(server)
    SAID.passwords += 1
    talk.ok(b'LOGIN "ann@local.test" "%b"' % made["read-only"].encode())
    talk.ok(b"SELECT INBOX")
    for command in (b"CREATE theirs", b"STORE 1:* +FLAGS (\\Deleted)", b"DELETE Trash", b"EXPUNGE"):
        assert talk.ask(command).status != b"OK"
    talk.close()
    for password in made.values():
        for command in (
            (
                "user",
                "password",
                "ann@local.test",
                "--new-password-file",
                "/dev/null",
                "--password-file",
                "-",
            ),
            ("key", "rotate", "ann@local.test", "--password-file", "-"),
            ("key", "app", "add", "ann@local.test", "more", "--password-file", "-"),
        ):
            assert server.run(*command, stdin=password.encode()).returncode in (2, 12)
    for scope in made:
        gone = server.run(
            "key", "app", "remove", "ann@local.test", scope, "--password-file", "-", stdin=PASSWORD.encode()
        )
        assert gone.returncode == 0


def imd_009(server: Server) -> None:
    """A value that is too large is refused before a line of it is asked for; so are too many."""
    for literal in (b"{104857600}", b"~{104857600}", b"{65537}"):
        talk = session(server)
        answer = refused(talk, b"a SETMETADATA INBOX (/private/comment " + literal + b"\r\n")
        assert answer.startswith(b"a NO [METADATA MAXSIZE 65536]")
        talk.close()
    talk = session(server)
    answers = [talk.ask(b'SETMETADATA INBOX (/private/x%d "v")' % n).code for n in range(120)]
    assert answers[-1] == b"METADATA TOOMANY"
    for n in range(120):
        talk.ask(b"SETMETADATA INBOX (/private/x%d NIL)" % n)
    talk.close()


def aut_009(server: Server) -> None:
    (pid,) = server.worker_pids()
    before = resident(pid)
    answers: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda n=n: answers.append(
                log_in(
                    server, f"{'ann' if n % 2 else 'no'}{n // 8}@b.test", "p" * KIB, f"127.4.0.{1 + n % 16}"
                )
            )
        )
        for n in range(64)
    ]
    for thread in threads:
        thread.start()
    largest = 0
    for thread in threads:
        while thread.is_alive():
            largest = max(largest, resident(pid))
            thread.join(0.05)
    assert len(answers) == 64
    assert all(a.startswith(b"NO") for a in answers)
    assert largest - before <= 30 * MIB, "one password is hashed at a time, at 19 MiB"


def aut_011(server: Server) -> None:
    user = "long@b.test"
    added = server.run("user", "add", user, "--password-file", "-", stdin=("é" + "x" * 100).encode())
    assert added.returncode == 0
    assert log_in(server, user, "e\u0301" + "x" * 100, "127.5.0.1").startswith(b"OK"), (
        "NFC, as OpaqueString says"
    )
    for n, wrong in enumerate(
        ("é" + "x" * 99, "é" + "x" * 71, "é" + "X" * 100, "e" + "x" * 100, "é" + "x" * 100 + " ")
    ):
        assert log_in(server, user, wrong, f"127.5.1.{n + 1}").startswith(b"NO"), wrong
    talk = stranger(server)
    SAID.passwords += 1
    coded = b64encode(b"\0" + user.encode() + b"\0" + "é".encode() + b"x" * 100 + b"\0b")
    assert talk.ask(b"AUTHENTICATE PLAIN " + coded).status in (b"NO", b"BAD")
    talk.close()


def aut_013(server: Server) -> None:
    """A password that is remembered is remembered for one account, and no longer than it is one."""
    user = "cache@b.test"
    assert server.run("user", "add", user, "--password-file", "-", stdin=b"first one").returncode == 0
    online = stranger(server).log_in(user, "first one")
    assert log_in(server, "CACHE@B.test", "first one").startswith(b"OK")
    assert log_in(server, "ann@local.test", "first one", "127.6.0.1").startswith(b"NO")
    (server.folder / "old").write_bytes(b"first one")
    changed = server.run(
        "user", "password", user, "--password-file", str(server.folder / "old"), "--new-password-file", "-",
        stdin=b"second one",
    )  # fmt: skip
    assert changed.returncode == 0, changed.stderr
    assert log_in(server, user, "first one", "127.6.0.2").startswith(b"NO")
    assert online.until_closed(5).startswith(b"* BYE")
    online.close()
    assert log_in(server, user, "second one", "127.6.0.3").startswith(b"OK")
    assert server.run("user", "disable", user).returncode == 0
    assert log_in(server, user, "second one", "127.6.0.4").startswith(b"NO")
    (server.folder / "old").unlink()
    assert server.run("user", "remove", user, "--yes").returncode == 0


def aut_017(server: Server) -> None:
    user = "leaving@b.test"
    assert server.run("user", "add", user, "--password-file", "-", stdin=SECRET).returncode == 0
    talks = [stranger(server).log_in(user) for _ in range(3)]
    for talk in talks[:2]:
        talk.ok(b"SELECT INBOX")
    talks[0].send(b"a IDLE\r\n")
    assert talks[0].line() == b"+ idling"
    assert server.run("user", "remove", user, "--yes").returncode == 0
    began = time.monotonic()
    for talk in talks:
        assert b"* BYE" in talk.until_closed(6)
        talk.close()
    assert time.monotonic() - began <= seconds(5)


def aut_019(server: Server) -> None:
    for n, (user, password) in enumerate((("admin", "admin"), ("root", "root"), ("postmaster@b.test", ""), ("ann@b.test", ""), ("", ""))):  # fmt: skip
        assert log_in(server, user, password, f"127.7.0.{n + 1}").startswith(b"NO"), user
    secret = server.folder / "server.key"
    assert secret.stat().st_mode & 0o777 == 0o600


def aut_021(server: Server) -> None:
    """Whose way in is gone, or is not what this server wrote, does not get in; and nobody is told why."""
    connection = apsw.Connection(str(server.data / "mail.db"))
    connection.set_busy_timeout(5000)
    sources = iter(range(1, 250))
    ((account,),) = connection.execute(
        "SELECT account_id FROM address WHERE address = 'noway@b.test'"
    ).fetchall()
    for change in ("UPDATE slot SET tag = x'00' WHERE account_id = ?", "UPDATE slot SET mac = x'00' WHERE account_id = ?",
                   "UPDATE slot SET type = 99 WHERE account_id = ?", "DELETE FROM slot WHERE account_id = ?"):  # fmt: skip
        connection.execute(change, (account,))
        for password in (PASSWORD, "", "NULL"):
            answer = log_in(server, "noway@b.test", password, f"127.8.0.{next(sources)}")
            assert answer == b"NO [AUTHENTICATIONFAILED] Authentication failed", (change, answer)
    connection.close()


RUN: dict[str, Callable[[Server], None]] = {
    "IMP-001": imp_001, "IMP-002": imp_002, "IMP-003": imp_003, "IMP-004": imp_004, "IMP-005": imp_005,
    "IMP-006": imp_006, "IMP-007": imp_007, "IMP-008": imp_008, "IMP-009": imp_009, "IMP-011": imp_011,
    "IMP-013": imp_013, "IMP-014": imp_014, "IMP-016": imp_016, "IMP-018": imp_018, "IMP-019": imp_019,
    "IMP-020": imp_020, "IMP-022": imp_022, "IMP-023": imp_023, "IMP-024": imp_024, "IMP-025": imp_025,
    "IMP-026": imp_026, "IMP-028": imp_028, "IMP-029": imp_029, "IMP-030": imp_030, "IMP-031": imp_031, "IMP-032": imp_032,
    "IMD-001": imd_001, "IMD-003": imd_003, "IMD-004": imd_004, "IMD-005": imd_005, "IMD-006": imd_006, "IMD-007": imd_007, "IMD-010": imd_010,
    "AUT-001": aut_001, "AUT-003": aut_003, "AUT-005": aut_005, "AUT-006": aut_006, "AUT-008": aut_008,
    "AUT-016": aut_016, "IMD-009": imd_009,
    "AUT-009": aut_009, "AUT-011": aut_011, "AUT-013": aut_013, "AUT-017": aut_017, "AUT-019": aut_019,
    "AUT-021": aut_021,
}  # fmt: skip
