"""IMAP in real processes: TLS in each of its ways, two workers, logins that end, and a stop."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.imaptalk import ImapTalk
from tests.support.pace import seconds
from tests.support.server import PASSWORD, Server

pytestmark = pytest.mark.system
RIGHT = b'LOGIN ann@b.test "%b"' % PASSWORD.encode()
PLAIN = b"Subject: one\r\n\r\nbody\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    listen = ("smtp", "imap", "imaps")
    made = Server(tmp_path_factory.mktemp("imap") / "box", workers=2, listen=listen).make().start()
    yield made
    assert made.stop() == 0
    assert "session.failed" not in made.read_log()


def starttls(server: Server) -> ImapTalk:
    talk = ImapTalk(server.ports["imap"])
    talk.ok(b"STARTTLS")
    talk.wrap(server.folder / "certificate.pem")
    return talk


def secure(server: Server) -> ImapTalk:
    return ImapTalk(server.ports["imaps"], ca=server.folder / "certificate.pem")


def deliver(server: Server, to: bytes = b"ann@b.test") -> None:
    talk = server.connect().hello()
    talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<%b>\r\nDATA\r\n" % to)
    assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
    talk.send(PLAIN + b".\r\n")
    assert talk.reply()[0] == 250
    talk.close()


def test_no_password_without_tls(server: Server) -> None:
    talk = ImapTalk(server.ports["imap"])
    assert b" STARTTLS LOGINDISABLED]" in talk.greeting
    assert talk.ask(RIGHT).code == b"PRIVACYREQUIRED"
    talk.ok(b"STARTTLS")
    talk.wrap(server.folder / "certificate.pem")
    offered = talk.ok(b"CAPABILITY").untagged[0].split()
    assert b"AUTH=PLAIN" in offered
    assert not {b"STARTTLS", b"LOGINDISABLED"} & set(offered)
    assert talk.ask(b"STARTTLS").status == b"BAD"
    talk.ok(RIGHT)
    talk.close()


def test_what_comes_before_the_handshake_is_not_heard(server: Server) -> None:
    """Commands behind STARTTLS in clear are never taken for commands inside of TLS (NO STARTTLS, 2021)."""
    for behind in (b"b NOOP\r\n", b"b " + RIGHT + b"\r\n", b"x"):
        talk = ImapTalk(server.ports["imap"])
        talk.send(b"a STARTTLS\r\n" + behind)
        heard = talk.until_closed(3)
        assert b"b " not in heard
        assert b"a OK" not in heard, "closed, and nothing was promised"
        talk.close()


def test_tls_from_the_start(server: Server) -> None:
    for _ in range(20):  # each is heard, however early it begins
        talk = secure(server)
        assert b"AUTH=PLAIN AUTH=LOGIN]" in talk.greeting
        talk.close()
    talk = secure(server).log_in()
    assert talk.append(PLAIN * 10_000).status == b"OK"
    talk.ok(b"SELECT INBOX")
    (line,) = talk.ok(b"FETCH * BODY.PEEK[]").untagged
    assert line.endswith(PLAIN * 10_000 + b")")
    talk.close()


def test_sessions_of_both_workers_hear_it_at_once(server: Server) -> None:
    talks = [starttls(server).log_in("bob@local.test") for _ in range(8)]
    for talk in talks:
        talk.ok(b"SELECT INBOX")
        talk.send(b"i IDLE\r\n")
        assert talk.line() == b"+ idling"
    deliver(server, b"bob@local.test")
    for talk in talks:
        assert talk.line() == b"* 1 EXISTS"
    took = []
    for n in range(2, 9):
        deliver(server, b"bob@local.test")
        began = time.monotonic()
        for talk in talks:
            while talk.line() != b"* %d EXISTS" % n:
                pass
        took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < seconds(0.1), took
    for talk in talks:
        talk.send(b"DONE\r\n")
        while not talk.line().startswith(b"i OK"):
            pass
    assert talks[0].ok(rb"UID STORE 1:* +FLAGS.SILENT (\Deleted)").untagged == []
    assert len(talks[0].ok(b"EXPUNGE").having(b"EXPUNGE")) == 8
    for talk in talks[1:]:
        talk.ok(b"NOOP")
        assert talk.ok(b"UID SEARCH ALL").untagged == [b"* SEARCH"]
    for talk in talks:
        talk.close()


@pytest.mark.parametrize("connect", [secure, starttls], ids=["implicit", "starttls"])
def test_compressed_inside_of_tls(server: Server, connect: Callable[[Server], ImapTalk]) -> None:
    user = f"{connect.__name__}@b.test"
    assert server.run("user", "add", user, "--password-file", "-", stdin=PASSWORD.encode()).returncode == 0
    talk = connect(server).log_in(user).compress()
    large = b"".join(b"This is line number %d.\r\n" % n for n in range(100_000))
    assert talk.append(large).status == b"OK"
    talk.ok(b"SELECT INBOX")
    (line,) = talk.ok(b"FETCH 1 BODY.PEEK[]").untagged
    assert line.endswith(large + b")")
    talk.send(b"i IDLE\r\n")
    assert talk.line() == b"+ idling"
    deliver(server, user.encode())
    assert talk.line() == b"* 2 EXISTS"
    talk.send(b"DONE\r\nx LOGOUT\r\n")
    assert talk.until_closed(5).endswith(b"x OK Logout completed\r\n")
    talk.close()


@pytest.mark.parametrize("how", ["password", "disable"])
def test_sessions_end_within_five_seconds_of_their_login(server: Server, how: str) -> None:
    user = f"{how}@b.test"
    assert server.run("user", "add", user, "--password-file", "-", stdin=PASSWORD.encode()).returncode == 0
    talks = [secure(server).log_in(user) for _ in range(4)]
    for talk in talks:
        talk.ok(b"SELECT INBOX")
    talks[0].send(b"i IDLE\r\n")
    assert talks[0].line() == b"+ idling"
    if how == "disable":
        done = server.run("user", "disable", user)
    else:
        (server.folder / "old").write_text(PASSWORD)
        done = server.run(
            "user", "password", user, "--password-file", str(server.folder / "old"), "--new-password-file", "-",
            stdin=b"another password",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    began = time.monotonic()
    for talk in talks:
        assert b"* BYE [AUTHENTICATIONFAILED]" in talk.until_closed(6)
        talk.close()
    assert time.monotonic() - began < seconds(5)
    again = secure(server)
    assert again.ask(b'LOGIN "%b" "%b"' % (user.encode(), PASSWORD.encode())).status == b"NO"
    again.close()


def test_a_stop_says_goodbye_and_finishes_what_was_begun(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(
        tmp_path_factory.mktemp("stop") / "box", listen=("imap",), auth="insecure_plaintext_login = true"
    ).make().start()  # fmt: skip
    assert server.process is not None
    quiet, idle, busy = [ImapTalk(server.ports["imap"]).log_in() for _ in range(3)]
    idle.send(b"i IDLE\r\n")
    assert idle.line() == b"+ idling"
    busy.send(b"a APPEND INBOX {%d}\r\n" % len(PLAIN))
    assert busy.line().startswith(b"+")
    server.process.send_signal(signal.SIGTERM)
    for talk in (quiet, idle):
        assert talk.line() == b"* BYE [UNAVAILABLE] Shutting down, try again later"
        talk.close()
    busy.send(PLAIN + b"\r\n")
    assert busy.line().startswith(b"a OK [APPENDUID ")
    busy.close()
    assert server.stop() == 0
    server.start()
    assert len(server.mails()) == 1
    assert server.stop() == 0
