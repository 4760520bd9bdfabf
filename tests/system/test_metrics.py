"""A server with two workers is asked what it did: whichever worker answers, for both of them."""

import contextlib
import imaplib
import json
import os
import poplib
import signal
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.support.scraped import Numbers, get, numbers
from tests.support.server import PASSWORD, Server, Talk, run

pytestmark = pytest.mark.system

ANN = "ann@b.test"
LISTEN = ("smtp", "lmtp", "imap", "pop3", "submission", "metrics")
PLAINTEXT = "insecure_plaintext_login = true"
PEERS = 16  # so that each of two workers gets some, but once in 32,768 times


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "box", workers=2, auth=PLAINTEXT, listen=LISTEN).make().start()
    yield made
    assert made.stop() == 0


def send(talk: Talk, *to: str, text: bytes = b"Subject: a\r\n\r\nb\r\n.\r\n") -> list[int]:
    """What RCPT and the end of data are answered with."""
    talk.command(b"MAIL FROM:<bob@a.test>")
    codes = [talk.command(b"RCPT TO:<%s>" % t.encode())[0] for t in to]
    if talk.command(b"DATA")[0] == 354:
        talk.send(text)
        codes.append(talk.reply()[0])
    return codes


def eventually(port: int, reached: Callable[[Numbers], bool], seconds: float = 15) -> Numbers:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(ConnectionError):  # it waited for a worker that was killed
            if reached(found := numbers(port)):
                return found
        assert time.monotonic() < end, found.samples
        time.sleep(0.1)


def nobody_is_here(found: Numbers) -> bool:
    names = ("smtp_sessions", "imap_sessions", "pop3_sessions", "keys_unlocked")
    return all(found(name) == 0 for name in names)


@contextlib.contextmanager
def imap(server: Server) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=30) as client:
        client.login(ANN, PASSWORD)
        yield client


def test_the_numbers_are_those_of_all_workers(server: Server) -> None:
    port = server.ports["metrics"]
    for _ in range(PEERS):
        talk = server.connect().hello()
        assert send(talk, ANN) == [250, 250]
        talk.close()
    talk = server.connect().hello()
    assert send(talk, "nobody@b.test", "who@elsewhere.test") == [550, 550]
    talk.command(b"RSET")
    assert send(talk, ANN, text=b"bare\nline feed\r\n.\r\n") == [250, 550]
    talk.close()
    lmtp = server.connect("lmtp").hello(b"LHLO")
    assert send(lmtp, ANN, "bob@local.test") == [250, 250, 250]
    assert lmtp.reply()[0] == 250
    lmtp.close()
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
    for _ in range(PEERS):
        with imap(server) as client:
            client.select()
            client.fetch("1", "(BODY[])")
    for _ in range(2):
        with pytest.raises(imaplib.IMAP4.error), imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as client:
            client.login(ANN, "wrong")
    pop3 = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=30)
    pop3.user(ANN)
    pop3.pass_(PASSWORD)
    assert len(pop3.list()[1]) == PEERS + 1
    pop3.quit()

    found = eventually(port, nobody_is_here)
    assert found("smtp_connections_total", listener="smtp", result="accepted") == PEERS + 2
    assert found("smtp_tls_total", version="1.3") == found.sum("smtp_tls_total") == 1
    assert found("smtp_connections_total", listener="lmtp", result="accepted") == 1
    assert found("smtp_connections_total", listener="smtp", result="refused") == 0
    into = {"direction": "in"}
    assert found("smtp_messages_total", **into, result="accepted", reason="none") == PEERS + 2
    assert found("smtp_messages_total", **into, result="refused", reason="protocol") == 1
    assert found.sum("smtp_messages_total") == PEERS + 3
    assert found("smtp_recipients_refused_total", reason="no_such_recipient") == 1
    assert found("smtp_recipients_refused_total", reason="relay_denied") == 1
    assert found.sum("smtp_recipients_refused_total") == 2
    assert found("auth_attempts_total", protocol="imap", result="entered") == PEERS
    assert found("auth_attempts_total", protocol="imap", result="failed") == 2
    assert found("auth_attempts_total", protocol="pop3", result="entered") == 1
    assert found.sum("auth_attempts_total") == PEERS + 3
    assert found("delivery_seconds_count") == PEERS + 2 - 1, (
        "both of LMTP are one delivery; one was never tried"
    )
    assert found("seal_seconds_count") == PEERS + 2
    for command, count in (("select", PEERS), ("fetch", PEERS), ("login", PEERS + 2), ("logout", PEERS + 2)):
        assert found("imap_command_seconds_count", command=command) == count, command
        assert found("imap_command_seconds_bucket", command=command, le="+Inf") == count
    assert found("store_operation_seconds_count", op="write") >= PEERS
    assert found("store_operation_seconds_sum", op="write") > 0
    assert found("open_seconds_count", kind="body") >= PEERS
    assert found("store_messages") == PEERS + 2
    assert found("store_bytes", kind="sealed") > (PEERS + 2) * 300
    assert found("store_bytes", kind="free") > 1 << 20
    assert found("cert_expiry_seconds", name="tls") > 86400
    assert found("workers") == 2
    assert found("worker_starts_total") == 2
    assert [s.labels for f in found.families if f.name == "mailstead_build_info" for s in f.samples]

    # Whoever answers says the same of what no longer moves.
    still = {
        k: v
        for k, v in found.samples.items()
        if k[0].startswith(("smtp", "auth", "imap", "seal", "delivery"))
    }
    for _ in range(PEERS):
        again = numbers(port).samples
        assert {k: again[k] for k in still} == still


def test_what_is_open_is_shown_and_a_dead_worker_has_nothing_open(server: Server) -> None:
    port = server.ports["metrics"]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(_logged_in(server))) for _ in range(PEERS)]
        shown = numbers(port)
        assert shown("imap_sessions") == PEERS
        assert shown("keys_unlocked") == 2, "in each worker"
        before = shown("auth_attempts_total", protocol="imap", result="entered")
        assert before == PEERS
        killed = server.worker_pids()[0]
        os.kill(killed, signal.SIGKILL)
        eventually(port, lambda n: n("worker_starts_total") == 3 and n("workers") == 2)
        after = numbers(port)
        left = sum(_alive(client) for client in clients)
        assert 0 < left < PEERS
        assert after("imap_sessions") == left
        assert after("keys_unlocked") == 1
        assert after("auth_attempts_total", protocol="imap", result="entered") == PEERS, "it never goes back"
    assert eventually(port, nobody_is_here)("workers") == 2


def _logged_in(server: Server) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.ports["imap"]), 10)
    sock.recv(4096)
    sock.sendall(f'a LOGIN {ANN} "{PASSWORD}"\r\n'.encode())
    assert b"a OK" in sock.recv(4096)
    return sock


def _alive(sock: socket.socket) -> bool:
    try:
        sock.sendall(b"b NOOP\r\n")
        return b"b OK" in sock.recv(4096)
    except ConnectionError:
        return False


def test_ready_is_who_can_write_and_alive_is_who_answers(server: Server) -> None:
    port = server.ports["metrics"]
    for path in ("/readyz", "/healthz/ready", "/livez", "/healthz/live"):
        assert get(port, path).status == 200
    other = apsw.Connection(str(server.data / "mail.db"))
    other.execute("BEGIN IMMEDIATE")
    time.sleep(1.1)  # what was found is said again for a second
    try:
        shown = get(port, "/readyz")
        assert (shown.status, shown.content) == (503, "the database does not answer\n")
        assert get(port, "/healthz/ready").status == 503
        for path in ("/livez", "/healthz/live"):
            assert get(port, path, seconds=1).status == 200
    finally:
        other.execute("ROLLBACK")
        other.close()
    end = time.monotonic() + 15
    while get(port, "/readyz").status != 200:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_token_is_asked_for_what_is_counted_and_for_nothing_else(tmp_path: Path) -> None:
    made = Server(
        tmp_path / "box", listen=("smtp", "metrics"), extra='[metrics]\ntoken_file = "token"'
    ).make()
    token = "0123456789abcdef0123456789abcdef"
    path = made.folder / "token"
    path.write_text(token + "\n")
    path.chmod(0o644)
    assert b"can be read by others" in made.run("serve").stderr
    path.chmod(0o600)
    made.start()
    try:
        port = made.ports["metrics"]
        for fields in (
            (),
            (f"Authorization: Bearer {token}x",),
            (f"Authorization: Basic {token}",),
            ("Authorization: Bearer",),
        ):
            refused = get(port, "/metrics", *fields)
            assert refused.status == 401
            assert "WWW-Authenticate: Bearer" in refused.head
            assert "mailstead_" not in refused.content
        assert numbers(port, f"Authorization: bearer {token}")("workers") == 1
        assert get(port, "/livez").status == 200
        assert get(port, "/readyz").status == 200
        assert token not in made.read_log()
    finally:
        assert made.stop() == 0
    path.write_text("short\n")
    assert b"is not a metrics token" in made.run("serve").stderr
    path.unlink()
    gone = made.run("serve")
    assert gone.returncode == 3
    assert b"openssl rand" in gone.stderr


@pytest.mark.parametrize("where", ["0.0.0.0:9188", "[::]:9188", "192.0.2.1:9188", "mx.example:9188"])
def test_where_others_come_a_token_is_demanded(where: str, tmp_path: Path) -> None:
    config = tmp_path / "m.toml"
    config.write_text(
        f'hostname = "h"\ndomains = ["d.test"]\n[listen]\nsmtp = "127.0.0.1:0"\nmetrics = "{where}"\n'
    )
    done = run("--config", str(config), "serve")
    assert done.returncode == 3
    what, why, fix = done.stderr.decode().splitlines()
    assert f"[listen] metrics is {where}, and there is no token" in what
    assert "whoever reaches that address" in why
    assert "token_file" in fix


def test_the_log_names_nobody(tmp_path: Path) -> None:
    """Whatever happens at level debug: no address, subject, password or text; each line is an event."""
    made = Server(
        tmp_path / "box", users=("unmistakable@b.test",), auth=PLAINTEXT, listen=LISTEN, extra='[log]\nlevel = "debug"'
    ).make().start()  # fmt: skip
    try:
        talk = made.connect().hello()
        text = b"Subject: Topsecretsubject\r\nFrom: bob@sender-example.test\r\n\r\nTheverybody\r\n.\r\n"
        talk.command(b"MAIL FROM:<bob@sender-example.test>")
        for to in (b"unmistakable@b.test", b"mistaken@b.test", b"somebody@elsewhere.test"):
            talk.command(b"RCPT TO:<%s>" % to)
        talk.command(b"DATA")
        talk.send(text)
        assert talk.reply()[0] == 250
        talk.command(b"MAIL FROM:<bob@sender-example.test> SIZE=999999999999999")
        for name, password in (
            ("unmistakable", PASSWORD),
            ("unmistakable@b.test", "Wrongpassword"),
            ("mistaken@b.test", "x"),
        ):
            client = imaplib.IMAP4("127.0.0.1", made.ports["imap"], timeout=30)
            with contextlib.suppress(imaplib.IMAP4.error):
                client.login(name, password)
                client.select()
                client.search(None, "TEXT", "Theverybody")
                client.fetch("1", "(ENVELOPE BODY[])")
            client.logout()
            pop3 = poplib.POP3("127.0.0.1", made.ports["pop3"], timeout=30)
            with contextlib.suppress(poplib.error_proto):
                pop3.user(name)
                pop3.pass_(password)
            pop3.close()
        talk.close()
    finally:
        assert made.stop() == 0
    log = made.read_log()
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {"imap.login", "imap.login.failed", "pop3.login", "pop3.login.failed"} <= {
        e["event"] for e in events
    }
    assert all(e["level"] and e["timestamp"] for e in events)
    for secret in (
        "unmistakable",
        "mistaken",
        "somebody",
        "sender-example",
        "Topsecret",
        "Thevery",
        "Wrongpass",
        PASSWORD,
    ):
        assert secret not in log, secret
    assert all(not line or line.startswith(("{", "***")) for line in log.splitlines()), log
