"""Submission (RFC 6409, RFC 4954): who may send, as whom, where to, and when a password may be sent."""

import ssl
from base64 import b64encode
from collections.abc import Iterator

import pytest

from tests.support.server import PASSWORD, Server, Talk

pytestmark = pytest.mark.system
SECRET = PASSWORD.encode()
RIGHT = b64encode(b"\0ann@b.test\0" + SECRET)
WRONG = b64encode(b"\0ann@b.test\0wrong")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    listen = ("smtp", "submission", "submissions")
    made = Server(tmp_path_factory.mktemp("submission") / "box", listen=listen).make().start()
    yield made
    assert made.stop() == 0
    assert "session.failed" not in made.read_log()


def hello(server: Server, service: str = "submissions") -> Talk:
    """A connection with TLS, greeted."""
    talk = server.connect(service)
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    if service == "submissions":
        talk.socket = context.wrap_socket(talk.socket, server_hostname="localhost")
        return talk.hello()
    talk.hello()
    assert talk.command(b"STARTTLS")[0] == 220
    talk.socket = context.wrap_socket(talk.socket, server_hostname="localhost")
    assert talk.command(b"EHLO a.test")[0] == 250
    return talk


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_mail_of_one_s_own_goes_to_local_recipients(server: Server, service: str) -> None:
    talk = hello(server, service)
    assert b"AUTH PLAIN LOGIN" in talk.command(b"EHLO a.test")[1]
    assert talk.command(b"AUTH PLAIN " + RIGHT) == (235, b"235 2.7.0 Authentication successful\r\n")
    assert b"AUTH" not in talk.command(b"EHLO a.test")[1]
    assert talk.command(b"AUTH PLAIN " + RIGHT)[0] == 503
    assert talk.command(b"MAIL FROM:<Ann@B.test>")[0] == 250
    assert talk.command(b"RCPT TO:<bob@local.test>")[0] == 250
    assert talk.command(b"RCPT TO:<x@elsewhere.test>") == (550, b"550 5.7.1 Relaying denied\r\n")
    assert talk.command(b"RCPT TO:<nobody@b.test>")[0] == 550
    assert talk.command(b"AUTH PLAIN " + RIGHT)[0] == 503, "not in a transaction"
    assert talk.command(b"DATA")[0] == 354
    talk.send(b"Subject: mine\r\n\r\nhi\r\n.\r\n")
    assert talk.reply()[0] == 250
    talk.close()
    mail = server.mails("bob@local.test")[-1]
    assert mail.startswith(b"Return-Path: <Ann@B.test>\r\n") or mail.lower().startswith(
        b"return-path: <ann@b.test>"
    )
    assert b" with ESMTPSA id m-" in mail


def test_nobody_sends_as_somebody_else(server: Server) -> None:
    talk = hello(server)
    assert talk.command(b"MAIL FROM:<ann@b.test>")[0] == 530
    assert talk.command(b"AUTH PLAIN " + RIGHT)[0] == 235
    for other in (b"bob@local.test", b"ann@elsewhere.test", b"annx@b.test", b"ann@local.test"):
        assert talk.command(b"MAIL FROM:<" + other + b">") == (550, b"550 5.7.1 Not an address of yours\r\n")
    assert talk.command(b"MAIL FROM:<>")[0] == 250, "a notice has no sender"
    assert talk.command(b"RSET")[0] == 250
    assert talk.command(b"MAIL FROM:<postmaster@b.test>")[0] == 250, "the first account has it"
    talk.close()


def test_what_is_wrong_is_535(server: Server) -> None:
    for command in (
        b"AUTH PLAIN " + WRONG,
        b"AUTH PLAIN " + b64encode(b"\0nobody@b.test\0" + SECRET),
        b"AUTH PLAIN " + b64encode(b"bob@local.test\0ann@b.test\0" + SECRET),
    ):
        talk = hello(server)
        assert talk.command(command) == (535, b"535 5.7.8 Authentication failed\r\n")
        assert talk.command(b"MAIL FROM:<ann@b.test>")[0] == 530
        talk.close()
    talk = hello(server)
    assert talk.command(b"AUTH LOGIN")[0] == 334
    assert talk.command(b64encode(b"ann@b.test"))[0] == 334
    assert talk.command(b64encode(b"wrong"))[0] == 535
    assert talk.command(b"AUTH PLAIN")[0] == 334
    assert talk.command(b"*")[0] == 501
    assert talk.command(b"AUTH PLAIN")[0] == 334
    assert talk.command(b"not base64!")[0] == 501
    assert talk.command(b"AUTH CRAM-MD5")[0] == 504
    assert talk.command(b"AUTH PLAIN " + b64encode(b"no nul"))[0] == 501
    talk.send(b"AUTH LOGIN " + b64encode(b"ann@b.test") + b"\r\n")
    assert talk.reply()[0] == 334
    assert talk.command(b64encode(SECRET))[0] == 235
    talk.close()


def test_no_password_before_tls(server: Server) -> None:
    talk = server.connect("submission").hello()
    assert b"AUTH" not in talk.command(b"EHLO a.test")[1]
    assert talk.command(b"AUTH PLAIN " + RIGHT)[0] == 538
    assert talk.command(b"MAIL FROM:<ann@b.test>")[0] == 530
    talk.send(b"STARTTLS\r\nAUTH PLAIN " + RIGHT + b"\r\n")
    assert b"235" not in talk.until_closed(3), "nothing counts that came before the handshake"
    talk.close()
    talk = server.connect("smtp").hello()
    assert talk.command(b"AUTH PLAIN " + RIGHT)[0] == 502, "the world's door takes no passwords"
    talk.close()


def test_where_an_operator_said_so_a_login_ends_with_starttls(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Loopback with `insecure_plaintext_login`; and what was known before TLS is not known after it."""
    server = Server(
        tmp_path_factory.mktemp("plaintext") / "box", listen=("smtp", "submission"),
        auth="insecure_plaintext_login = true",
    ).make().start()  # fmt: skip
    try:
        talk = server.connect("submission").hello()
        assert b"AUTH PLAIN LOGIN" in talk.command(b"EHLO a.test")[1]
        assert talk.command(b"AUTH PLAIN " + RIGHT)[0] == 235
        assert talk.command(b"STARTTLS")[0] == 220
        context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
        talk.socket = context.wrap_socket(talk.socket, server_hostname="localhost")
        assert talk.command(b"EHLO a.test")[0] == 250
        assert talk.command(b"MAIL FROM:<ann@b.test>")[0] == 530
        talk.close()
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("how", ["password", "disable"])
def test_a_login_that_is_revoked_sends_no_more(server: Server, how: str) -> None:
    user = f"{how}@b.test"
    added = server.run("user", "add", user, "--password-file", "-", stdin=SECRET)
    assert added.returncode == 0, added.stderr
    talk = hello(server)
    assert talk.command(b"AUTH PLAIN " + b64encode(b"\0" + user.encode() + b"\0" + SECRET))[0] == 235
    assert talk.command(b"MAIL FROM:<" + user.encode() + b">")[0] == 250
    assert talk.command(b"RSET")[0] == 250
    if how == "disable":
        done = server.run("user", "disable", user)
    else:
        (server.folder / "old").write_bytes(SECRET)
        done = server.run(
            "user", "password", user, "--password-file", str(server.folder / "old"),
            "--new-password-file", "-", stdin=b"another password",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert talk.command(b"MAIL FROM:<" + user.encode() + b">")[0] in (0, 421, 530)
    talk.close()
