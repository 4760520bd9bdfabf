"""The hostile inputs of cases.yaml that concern reception, against a real server.

Each runs under the standard asserts of the file (tests/support/standard.py).
"""

import contextlib
import os
import re
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.server import Server, Talk
from tests.support.standard import resident, standard_asserts

FILE = Path(__file__).parent / "cases.yaml"
AREAS = ("smtp-smuggling", "smtp-tls", "smtp-limits", "smtp-addr")
CASES = {c["id"]: c for c in yaml.safe_load(FILE.read_text())["cases"] if c["area"] in AREAS}

# A thousand connections at once, or as many as this machine lets a process have.
_, MOST = resource.getrlimit(resource.RLIMIT_NOFILE)
MANY = min(1000, MOST - 200)
resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))

# Not of reception by SMTP or LMTP without a login, and what they are of.
NOT_HERE = {
    "SMG-019": "relaying", "TLS-002": "IMAP", "TLS-003": "POP3: test_pop3_cases.py", "TLS-004": "ManageSieve",
    "TLS-008": "AUTH", "TLS-009": "AUTH", "TLS-010": "relaying", "TLS-011": "relaying",
    "LIM-012": "needs IPv6 addresses this machine does not have: tests/net/test_listen.py",
    "ADR-011": "JMAP and web submission", "ADR-020": "aliases", "ADR-023": "submission",
}  # fmt: skip


def test_every_case_is_run_or_listed() -> None:
    assert set(CASES) == set(RUN) | set(NOT_HERE)
    assert not set(RUN) & set(NOT_HERE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("cases")
    (folder / "tmp").mkdir()
    limits = "[limits]\nmessage_octets = 12000000"
    made = Server(folder / "box", extra=limits, env={"TMPDIR": str(folder / "tmp")}).make().start()
    talk = made.connect().hello()
    # What a server allocates once, it has allocated before the first case is measured.
    assert transaction(talk, b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * 8000)[0] == 250
    talk.close()
    yield made
    assert made.stop() == 0


@pytest.mark.system
@pytest.mark.parametrize("case", [c for c in CASES if c not in NOT_HERE])
def test_case(server: Server, case: str) -> None:
    with standard_asserts(server, "bob@local.test"):
        RUN[case](server)


def octets_of(text: str) -> bytes:
    """The octets that a case's notation stands for."""
    text = re.sub(r"\{(.)\*(\d+)\}", lambda m: m[1] * int(m[2]), text)
    return re.sub(
        rb"\\(r|n|0|x[0-9a-f]{2}|\\|\")",
        lambda m: (
            {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\", b'"': b'"'}.get(m[1])
            or bytes((int(m[1][1:], 16),))
        ),
        text.encode(),
    )


def client_parts(case: str) -> list[bytes]:
    """What the client sends, cut where it waits for an answer."""
    text = CASES[case]["input"].replace("(wait 354) ", "").strip()
    parts = re.split(r"(?:^| )C: ", text)
    return [octets_of(p.removesuffix(" (TCP FIN)")) for p in parts if p]


def paths(case: str) -> list[bytes]:
    """What stands in angle brackets; of a bare "name@" the local domain is meant."""
    found = re.findall(r"<([^<>]+)>", CASES[case]["input"])
    return [octets_of(p + "local.test" if p.endswith("@") else p) for p in found]


def transaction(talk: Talk, message: bytes, to: bytes = b"bob@local.test") -> tuple[int, bytes]:
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
    assert talk.command(b"RCPT TO:<" + to + b">")[0] == 250
    assert talk.command(b"DATA")[0] == 354
    talk.send(message + b".\r\n")
    return talk.reply()


def count(server: Server) -> int:
    return len(server.listed("bob@local.test"))


@contextlib.contextmanager
def stores(server: Server, messages: int) -> Iterator[None]:
    before = count(server)
    yield
    assert count(server) - before == messages


def smuggle(case: str) -> Callable[[Server], None]:
    """Two messages in one: nothing of it is stored, and nothing behind the bad octet is parsed."""

    def go(server: Server) -> None:
        envelope, body = client_parts(case)
        with stores(server, 0):
            talk = server.connect()
            talk.send(envelope)
            assert [talk.reply()[0] for _ in range(5)] == [220, 250, 250, 250, 354]
            talk.send(body)
            assert talk.reply()[0] == 550
            assert talk.closed()
            talk.close()

    return go


def smg_013(server: Server) -> None:
    """Every variant in one-octet pieces, and cut at every offset: the same verdict."""
    envelope, _ = client_parts("SMG-001")
    variants = [client_parts(c)[1] for c in CASES if re.fullmatch(r"SMG-0(0[1-9]|1[0-2])", c)]
    with stores(server, 0):
        for body in variants:
            head = body[: body.index(b"MAIL")]
            for cut in range(len(head)):
                talk = server.connect()
                talk.send(envelope)
                assert [talk.reply()[0] for _ in range(5)][-1] == 354
                talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talk.send(head[:cut])
                time.sleep(0.001)
                talk.send(head[cut:] + b"x")
                assert talk.reply()[0] == 550
                talk.close()
            talk = server.connect()
            talk.send(envelope)
            assert [talk.reply()[0] for _ in range(5)][-1] == 354
            talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in head + b"x":
                talk.send(bytes((octet,)))
                time.sleep(0.005)
            assert talk.reply()[0] == 550
            talk.close()
    legal = b"Subject: x\r\n\r\nhi\r\n.\r\n"
    with stores(server, 1):
        talk = server.connect()
        talk.send(envelope)
        assert [talk.reply()[0] for _ in range(5)][-1] == 354
        talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in legal:
            talk.send(bytes((octet,)))
            time.sleep(0.005)
        assert talk.reply()[0] == 250
        talk.close()


def bare(case: str) -> Callable[[Server], None]:
    def go(server: Server) -> None:
        envelope, body = client_parts(case)
        with stores(server, 0):
            talk = server.connect()
            talk.send(envelope)
            assert [talk.reply()[0] for _ in range(5)][-1] == 354
            talk.send(body)
            assert talk.reply()[0] == 550
            talk.close()

    return go


def smg_017(server: Server) -> None:
    talk = server.connect()
    assert talk.reply()[0] == 220
    talk.send(client_parts("SMG-017")[0])
    assert talk.reply()[0] == 500
    assert talk.closed()
    talk.close()


def in_rcpt(server: Server) -> Talk:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
    assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 250
    return talk


def smg_020(server: Server) -> None:
    with stores(server, 0):
        talk = in_rcpt(server)
        talk.send(b"BDAT 10\r\n0123456789MAIL FROM:<x@x>\r\n")
        assert talk.reply()[0] == 250
        assert talk.reply()[0] == 503
        talk.close()


def smg_021(server: Server) -> None:
    (pid,) = server.worker_pids()
    before = resident(pid)
    talk = in_rcpt(server)
    talk.send(client_parts("SMG-021")[0])
    assert talk.reply()[0] in (552, 501)
    assert talk.closed()
    assert resident(pid) - before <= 1 << 20
    talk.close()


def smg_023(server: Server) -> None:
    with stores(server, 1):
        talk = server.connect().hello()
        assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
        assert talk.command(b"RCPT TO:<nobody@local.test>")[0] == 550
        talk.send(b"BDAT 12\r\nSubject: one")
        assert talk.reply()[0] >= 500
        talk.send(b"BDAT 4 LAST\r\nmore")
        assert talk.reply()[0] >= 500
        assert talk.command(b"RSET")[0] == 250
        assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
        assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 250
        talk.send(b"BDAT 16 LAST\r\nSubject: two\r\n\r\n")
        assert talk.reply()[0] == 250
        talk.close()
    assert b"one" not in server.mails("bob@local.test")[-1].partition(b"+0000\r\n")[2]


def tls_talk(server: Server) -> tuple[Talk, ssl.SSLSocket]:
    talk = server.connect().hello()
    assert talk.command(b"STARTTLS")[0] == 220
    plain = talk.socket
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    wrapped = context.wrap_socket(plain, server_hostname="localhost")
    talk.socket = wrapped
    return talk, wrapped


def smg_024(server: Server) -> None:
    with stores(server, 0):
        talk, wrapped = tls_talk(server)
        talk.command(b"EHLO a")
        talk.command(b"MAIL FROM:<a@a.test>")
        talk.command(b"RCPT TO:<bob@local.test>")
        talk.send(b"BDAT 1000\r\n" + b"x" * 500)
        raw = socket.socket(fileno=os.dup(wrapped.fileno()))
        with contextlib.suppress(OSError, ssl.SSLError):
            wrapped.settimeout(0.2)
            wrapped.unwrap()
        with contextlib.suppress(OSError):
            raw.send(b"y")
        time.sleep(0.2)
        raw.close()
        wrapped.close()


def smg_025(server: Server) -> None:
    with stores(server, 0):
        talk = in_rcpt(server)
        assert talk.command(b"DATA")[0] == 354
        talk.send(b"Subject: x\r\n\r\nhalf")
        talk.close()
        time.sleep(0.1)


def smg_026(server: Server) -> None:
    with stores(server, 0):
        talk, wrapped = tls_talk(server)
        talk.command(b"EHLO a")
        talk.command(b"MAIL FROM:<a@a.test>")
        talk.command(b"RCPT TO:<bob@local.test>")
        assert talk.command(b"DATA")[0] == 354
        talk.send(b"Subject: x\r\n\r\nhalf\r\n")
        raw = socket.socket(fileno=wrapped.detach())
        raw.shutdown(socket.SHUT_RDWR)
        raw.close()
        time.sleep(0.1)


def smg_028(server: Server) -> None:
    """Body and a second transaction before the 354: taken strictly in order, as PIPELINING promises."""
    with stores(server, 2):
        talk = server.connect()
        one = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<bob@local.test>\r\nDATA\r\nSubject: x\r\n\r\nRSET\r\n.\r\n"
        talk.send(b"EHLO a.test\r\n" + one + one + b"QUIT\r\n")
        codes = [talk.reply()[0] for _ in range(11)]
        assert codes == [220, 250, 250, 250, 354, 250, 250, 250, 354, 250, 221]
        talk.close()


def smg_030(server: Server) -> None:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
    talk.send(client_parts("SMG-030")[0])
    assert talk.reply()[0] == 500
    assert b"250" not in talk.until_closed(3)
    talk.close()


def tls_001(server: Server) -> None:
    talk = server.connect().hello()
    talk.send(client_parts("TLS-001")[1].rpartition(b"\r\n")[0] + b"\r\n")
    assert b"250" not in talk.until_closed(3), "nothing is answered that came before the handshake"
    talk.close()


def tls_005(server: Server) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    engine = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        engine.do_handshake()
    talk = server.connect().hello()
    talk.send(b"STARTTLS\r\n" + outgoing.read())
    assert talk.closed(11), "closed cleanly, no hang"
    talk.close()


def tls_006(server: Server) -> None:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
    assert talk.command(b"STARTTLS")[0] == 503, "not in the middle of a transaction"
    talk.close()
    talk, _ = tls_talk(server)
    assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 503
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 503, "EHLO is forgotten too"
    talk.close()


def tls_007(server: Server) -> None:
    talk, _ = tls_talk(server)
    assert b"STARTTLS" not in talk.command(b"EHLO a")[1]
    assert talk.command(b"STARTTLS")[0] == 503
    talk.close()


def tls_014(server: Server) -> None:
    for name in ("TLSv1", "TLSv1_1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        version = getattr(ssl.TLSVersion, name)
        with pytest.warns(DeprecationWarning):
            context.minimum_version = version
        with pytest.warns(DeprecationWarning):
            context.maximum_version = version
        talk = server.connect().hello()
        assert talk.command(b"STARTTLS")[0] == 220
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(talk.socket)
        talk.close()
    for version, suites in (
        (b"\x03\x00", [0x002F, 0xC02F]),  # SSLv3
        (b"\x03\x03", [0x0004, 0x0005]),  # RC4
        (b"\x03\x03", [0x0001, 0x0002, 0x003B]),  # NULL
        (b"\x03\x03", [0x0003, 0x0006, 0x0008, 0x0014]),  # EXPORT
        (b"\x03\x03", [0x0033, 0x0039, 0x009E, 0x009F]),  # DHE of any size
    ):
        assert hello(server, client_hello(version, suites)) in (b"", b"\x15"), (version, suites)
    for ciphers in ("AES256-SHA:@SECLEVEL=0", "DHE-RSA-AES256-GCM-SHA384", "NULL:@SECLEVEL=0"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers(ciphers)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        talk = server.connect().hello()
        assert talk.command(b"STARTTLS")[0] == 220
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(talk.socket)
        talk.close()


def client_hello(version: bytes, suites: list[int], name: bytes = b"localhost") -> bytes:
    """A ClientHello as no library sends it."""

    def sized(octets: bytes, width: int = 2) -> bytes:
        return len(octets).to_bytes(width, "big") + octets

    def extension(number: int, octets: bytes) -> bytes:
        return number.to_bytes(2, "big") + sized(octets)

    extensions = extension(0, sized(b"\x00" + sized(name)))  # server_name
    extensions += extension(10, sized(b"\x00\x17"))  # secp256r1
    extensions += extension(11, b"\x01\x00") + extension(13, sized(b"\x04\x03\x08\x04"))
    body = version + bytes(32) + b"\x00" + sized(b"".join(s.to_bytes(2, "big") for s in suites))
    return b"\x16\x03\x01" + sized(b"\x01" + sized(body + b"\x01\x00" + sized(extensions), 3))


def hello(server: Server, octets: bytes) -> bytes:
    """The type of the first record that answers: handshake, alert, or nothing before the end."""
    talk = server.connect().hello()
    assert talk.command(b"STARTTLS")[0] == 220
    talk.send(octets)
    try:
        first = talk.socket.recv(1)
    except ConnectionError:
        first = b""
    talk.close()
    return first


def tls_016(server: Server) -> None:
    """Whatever name is asked for, there is one certificate, and no file is looked up."""
    good = [0xC02B, 0xC02C]
    for name in (b"localhost", *(b"unknown%d.test" % n for n in range(1000))):
        assert hello(server, client_hello(b"\x03\x03", good, name)) == b"\x16", name
    for name in (b"a" * 4096, b"a\0b.test", b"../../etc/passwd", b"", b"\xff" * 300):
        assert hello(server, client_hello(b"\x03\x03", good, name)) in (b"\x16", b"\x15", b""), name
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    context.check_hostname = False
    for name in ("unknown.test", "a" * 60 + ".test", "x" * 50 + "." + "y" * 60 + ".test"):
        talk = server.connect().hello()
        assert talk.command(b"STARTTLS")[0] == 220
        with contextlib.suppress(ssl.SSLError, ConnectionError, ValueError):
            talk.socket = context.wrap_socket(talk.socket, server_hostname=name)
            assert talk.command(b"EHLO a")[0] == 250
        talk.close()


def tls_017(server: Server) -> None:
    """Handshakes that stop after one octet are closed in time; the bystander never waits."""
    talks = []
    for _ in range(MANY):
        talk = server.connect().hello()
        talk.command(b"STARTTLS")
        talk.send(b"\x16")
        talks.append(talk)
    other = Talk(server.ports["smtp"], source="127.0.0.9")
    assert other.reply()[0] == 220, "one more is served"
    other.close()
    end = time.monotonic() + 13
    assert all(talk.closed(max(0.1, end - time.monotonic())) for talk in talks)
    for talk in talks:
        talk.close()


def tls_018(server: Server) -> None:
    """A certificate that cannot be read at reload leaves the old one in use."""
    path = server.folder / "certificate.pem"
    good = path.read_bytes()
    path.write_bytes(b"not a certificate")
    try:
        assert server.process is not None
        server.process.send_signal(1)
        time.sleep(0.5)
    finally:
        path.write_bytes(good)
    talk, _ = tls_talk(server)
    assert talk.command(b"EHLO a")[0] == 250
    talk.close()


def lim_001(server: Server) -> None:
    talk = server.connect().hello()
    talk.send(client_parts("LIM-001")[0])
    assert talk.reply()[0] == 500
    assert talk.command(b"NOOP")[0] == 250
    talk.close()


def lim_002(server: Server) -> None:
    talk = server.connect().hello()
    with contextlib.suppress(ConnectionError, TimeoutError):
        for _ in range(1600):
            talk.send(b"A" * 65536)
    assert talk.closed()
    talk.close()


def lim_004(server: Server) -> None:
    with stores(server, 0):
        talk = server.connect().hello()
        assert talk.command(b"MAIL FROM:<a@a.test> SIZE=12000001")[0] == 552
        talk.close()
        talk = in_rcpt(server)
        assert talk.command(b"DATA")[0] == 354
        line = b"x" * 998 + b"\r\n"
        for _ in range(130):
            talk.send(line * 100)
        talk.send(b".\r\n")
        assert talk.reply()[0] == 552
        assert talk.command(b"NOOP")[0] == 250
        talk.close()
    assert not list((server.data / "spool").iterdir())


def lim_005(server: Server) -> None:
    talk = server.connect().hello()
    for size in (b"-1", b"1e9", "٣".encode(), b"", b"1_000"):
        assert talk.command(b"MAIL FROM:<> SIZE=" + size)[0] == 501, size
    with stores(server, 1):
        assert talk.command(b"MAIL FROM:<> SIZE=10")[0] == 250
        assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 250
        assert talk.command(b"DATA")[0] == 354
        talk.send(b"Subject: longer than it said\r\n\r\n" + (b"y" * 998 + b"\r\n") * 10486 + b".\r\n")
        assert talk.reply()[0] == 250
    talk.close()


def lim_006(server: Server) -> None:
    with stores(server, 1):
        talk = server.connect().hello()
        assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
        talk.send(b"RCPT TO:<bob@local.test>\r\n" * 2000)
        codes = [talk.reply()[0] for _ in range(2000)]
        assert codes == [250] * 100 + [452] * 1900
        talk.send(b"DATA\r\n")
        assert talk.reply()[0] == 354
        talk.send(b"Subject: x\r\n\r\n.\r\n")
        assert talk.reply()[0] == 250
        talk.close()


def lim_007(server: Server) -> None:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
    talk.send(b"".join(b"RCPT TO:<nobody%d@local.test>\r\n" % n for n in range(200)))
    talk.socket.settimeout(20)
    codes = []
    while (found := talk.reply()[0]) != 0:
        codes.append(found)
    assert codes[:19] == [550] * 19
    assert codes[-1] == 421
    assert len(codes) <= 22
    talk.close()


def lim_008(server: Server) -> None:
    talk = server.connect().hello()
    talk.send(b"NOOP\r\nRSET\r\nVRFY x\r\nHELP\r\n" * 250)
    codes = []
    while (found := talk.reply()[0]) != 0:
        codes.append(found)
    assert codes[-1] == 421
    assert 100 <= len(codes) <= 200
    talk.close()


def lim_009(server: Server) -> None:
    """More connections than a worker has without stress, an octet now and then: all have ten seconds."""
    talks = [server.connect() for _ in range(510)]
    end = time.monotonic() + 13
    for octet in b"EHLO":
        for talk in talks:
            with contextlib.suppress(ConnectionError):
                talk.send(bytes((octet,)))
        time.sleep(2)
    assert all(talk.closed(max(0.1, end - time.monotonic())) for talk in talks[:500])
    for talk in talks:
        talk.close()


def lim_010(server: Server) -> None:
    """The deadline grows by the slowest rate only: tests/services/test_smtp.py has it on virtual time."""
    talk = in_rcpt(server)
    assert talk.command(b"DATA")[0] == 354
    for _ in range(10):
        talk.send(b"x")
        time.sleep(0.02)
    talk.close()
    time.sleep(0.1)
    assert not list((server.data / "spool").iterdir())


def lim_011(server: Server) -> None:
    talks = []
    codes = []
    for _ in range(400):
        talk = Talk(server.ports["smtp"], source="127.0.0.2")
        talks.append(talk)
        codes.append(talk.reply()[0])
    assert codes[:50] == [220] * 50
    assert set(codes[50:]) == {421}
    other = Talk(server.ports["smtp"], source="127.0.0.3")
    assert other.reply()[0] == 220
    for talk in [*talks, other]:
        talk.close()


def lim_015(server: Server) -> None:
    talk = server.connect().hello()
    known = [talk.command(b"VRFY bob"), talk.command(b"EXPN bob")]
    unknown = [talk.command(b"VRFY nobody"), talk.command(b"EXPN nobody")]
    assert known == unknown
    assert all(code in (252, 502) for code, _ in known)
    for verb in (b"ETRN x", b"TURN", b"XCLIENT NAME=x", b"XFORWARD NAME=x", b"DEBUG", b"WIZ"):
        assert talk.command(verb)[0] in (500, 502)
    talk.close()


def lim_016(server: Server) -> None:
    for name in (b"a\0b", b"x" * 1000, b"a b", b"[IPv6:zz]", b"$(id);|`", b"%s%n", b"\x1b[2J", b""):
        talk = server.connect()
        assert talk.reply()[0] == 220
        code, answer = talk.command(b"HELO " + name)
        assert code in (250, 501), name
        assert talk.command(b"EHLO " + name)[0] == code
        assert b"\x1b" not in answer
        if code == 250:
            assert transaction(talk, b"Subject: x\r\n\r\n")[0] == 250
            kept = server.mails("bob@local.test")[-1]
            assert b"\x1b" not in kept.partition(b"Subject")[0]
            assert b"Received: from unknown" in kept or name in kept
        talk.close()


def lim_018(server: Server) -> None:
    talk = server.connect().hello()
    assert b"XCLIENT" not in talk.command(b"EHLO a.test")[1]
    assert talk.command(b"XCLIENT FORWARD=dXNlcglub3Bhc3N3b3JkAA==")[0] in (500, 502)
    talk.close()


def refused(case: str, *more: bytes, codes: tuple[int, ...] = (550,)) -> Callable[[Server], None]:
    """Every path of the case, and *more* like it, is refused at RCPT."""
    addresses = tuple(dict.fromkeys([*paths(case), *more]))

    def go(server: Server) -> None:
        for at in range(0, len(addresses), 8):
            talk = server.connect().hello()
            assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
            for address in addresses[at : at + 8]:
                assert talk.command(b"RCPT TO:<" + address + b">")[0] in codes, (case, address)
            talk.close()

    return go


def adr_008(server: Server) -> None:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test>")[0] == 250
    for address in paths("ADR-008"):
        assert talk.command(b"RCPT TO:<" + address + b">")[0] == 250
    talk.close()


def adr_012(server: Server) -> None:
    with stores(server, 1):
        talk = server.connect().hello()
        for path in paths("ADR-012")[:2]:
            assert talk.command(b"MAIL FROM:<" + path + b">")[0] == 501
        assert talk.command(b"MAIL FROM:<|id@a.test>")[0] == 250
        assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 250
        assert talk.command(b"DATA")[0] == 354
        talk.send(b"Subject: x\r\n\r\n.\r\n")
        assert talk.reply()[0] == 250
        talk.close()
    assert server.mails("bob@local.test")[-1].startswith(b"Return-Path: <|id@a.test>\r\n")


def adr_016(server: Server) -> None:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test> SMTPUTF8")[0] == 250
    same = ("ｂｏｂ@local.test", "BOB@local.test")
    others = ("\ufb00@local.test", "b\u0131b@local.test", "bo\u200bb@local.test", "\u00b2@local.test")
    for address in same:
        assert talk.command(b"RCPT TO:<" + address.encode() + b">")[0] == 250, address
    for address in others:
        assert talk.command(b"RCPT TO:<" + address.encode() + b">")[0] in (501, 550), address
    talk.close()


def adr_018(server: Server) -> None:
    talk = server.connect().hello()
    assert talk.command(b"MAIL FROM:<a@a.test> SMTPUTF8")[0] == 250
    for character in ("\u0301", "\u0378"):
        assert talk.command(b"RCPT TO:<x@" + (character * 900).encode() + b".test>")[0] == 501
        talk.send(b"RCPT TO:<x@" + (character * 10_000).encode() + b".test>\r\n")
        assert talk.reply()[0] in (500, 0), "longer than a command may be"
        if character == "\u0378":
            break
        talk.close()
        talk = server.connect().hello()
        assert talk.command(b"MAIL FROM:<a@a.test> SMTPUTF8")[0] == 250
        assert talk.command(b"RCPT TO:<x@" + (character * 40).encode() + b".test>")[0] in (501, 550)
    talk.close()


def adr_019(server: Server) -> None:
    refused("ADR-019", b"bob+../x@local.test", b'bob+"+bob"@local.test', b"bob+" + b"a" * 1000 + b"@local.test",
            codes=(501, 550))(server)  # fmt: skip


def adr_022(server: Server) -> None:
    with stores(server, 1):
        talk = server.connect().hello()
        assert talk.command(b"MAIL FROM:<>")[0] == 250
        assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 250
        assert talk.command(b"RCPT TO:<ann@b.test>")[0] == 250
        assert talk.command(b"DATA")[0] == 354
        talk.send(b"Subject: x\r\n\r\n.\r\n")
        assert talk.reply()[0] == 250
        talk.close()


RUN: dict[str, Callable[[Server], None]] = {
    **{c: smuggle(c) for c in CASES if re.fullmatch(r"SMG-0(0[1-9]|1[0-2])", c)},
    "SMG-013": smg_013, "SMG-014": bare("SMG-014"), "SMG-015": bare("SMG-015"),
    "SMG-016": bare("SMG-016"), "SMG-017": smg_017, "SMG-020": smg_020, "SMG-021": smg_021,
    "SMG-023": smg_023, "SMG-024": smg_024, "SMG-025": smg_025, "SMG-026": smg_026,
    "SMG-028": smg_028, "SMG-030": smg_030,
    "TLS-001": tls_001, "TLS-005": tls_005, "TLS-006": tls_006, "TLS-007": tls_007,
    "TLS-014": tls_014, "TLS-016": tls_016, "TLS-017": tls_017, "TLS-018": tls_018,
    "LIM-001": lim_001, "LIM-002": lim_002, "LIM-004": lim_004, "LIM-005": lim_005,
    "LIM-006": lim_006, "LIM-007": lim_007, "LIM-008": lim_008, "LIM-009": lim_009,
    "LIM-010": lim_010, "LIM-011": lim_011, "LIM-015": lim_015, "LIM-016": lim_016,
    "LIM-018": lim_018,
    "ADR-001": refused("ADR-001"),
    "ADR-003": refused(
        "ADR-003", b"other.test!x@local.test", b"@local.test:x@other.test", b"@other.test:x@local.test"
    ),
    "ADR-005": refused(
        "ADR-005", b'"\\"x@other.test\\""@local.test', b'"x@other.test>"@local.test', codes=(501, 550),
    ),
    "ADR-006": refused("ADR-006", codes=(501,)),
    "ADR-007": refused("ADR-007"),
    "ADR-008": adr_008,
    "ADR-009": refused("ADR-009"),
    "ADR-010": refused("ADR-010", b"bob&AEA-x@local.test", b"bob+AEA-x@local.test"),
    "ADR-012": adr_012,
    "ADR-013": refused(
        "ADR-013", codes=(501, 550),
    ),
    "ADR-014": refused("ADR-014", "bö@local.test".encode(), codes=(501, 553)),
    "ADR-016": adr_016, "ADR-018": adr_018, "ADR-019": adr_019,
    "ADR-021": refused("ADR-021", b"nobody@local.test"),
    "ADR-022": adr_022,
}  # fmt: skip
