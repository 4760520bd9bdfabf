"""`mailstead key` beside a running server: app passwords are made, used by programs, and revoked."""

import json
import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.imaptalk import ImapTalk
from tests.support.server import PASSWORD, Server, Talk

pytestmark = pytest.mark.system
ANN = "ann@b.test"
SECRET = PASSWORD.encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("keys") / "box", workers=2, listen=("smtp", "imaps", "pop3s", "submissions")
    ).make().start()  # fmt: skip
    yield made
    assert made.stop() == 0
    assert '"level": "error"' not in made.read_log()


def key(server: Server, *arguments: str, password: bytes = SECRET, code: int = 0) -> str:
    done = server.run("key", *arguments, "--password-file", "-", stdin=password)
    assert done.returncode == code, (done.stdout, done.stderr)
    return (done.stdout if code == 0 else done.stderr).decode()


def added(server: Server, name: str, *options: str) -> dict[str, str]:
    made: dict[str, str] = json.loads(key(server, "app", "add", ANN, name, "--json", *options))
    return made


def imap(server: Server) -> ImapTalk:
    return ImapTalk(server.ports["imaps"], ca=server.folder / "certificate.pem")


def refused(server: Server, password: str) -> bytes:
    """The code with which IMAP refuses a login."""
    talk = imap(server)
    said = talk.ask(f"LOGIN {ANN} {password}".encode())
    talk.close()
    assert said.status == b"NO"
    return said.code


def submission(server: Server) -> Talk:
    talk = server.connect("submissions")
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    talk.socket = context.wrap_socket(talk.socket, server_hostname="localhost")
    return talk.hello()


def auth(talk: Talk, password: str) -> tuple[int, bytes]:
    return talk.command(b"AUTH PLAIN " + b64encode(f"\0{ANN}\0{password}".encode()))


def test_one_is_made_used_listed_and_removed(server: Server) -> None:
    text = key(server, "app", "add", "ann@b.test", "my phone", "--expires", "30d")
    password = text.split("\n")[0]
    assert '"my phone" logs in as ann@b.test with this password until 20' in text
    talk = imap(server)
    talk.ok(f"LOGIN ann@b.test {password}".encode())
    talk.ok(b"CREATE phone")
    (listed,) = json.loads(key(server, "app", "list", ANN, "--json"))
    assert (listed["name"], listed["id"], listed["scope"]) == ("my phone", password[4:8], "full")
    assert listed["last_used"] == listed["created"][:10] < listed["expires"]
    assert "my phone" in key(server, "app", "list", ANN)
    assert key(server, "app", "remove", ANN, "my phone").startswith('"my phone" opens nothing any more.\n')
    assert b"BYE" in talk.until_closed(), "in whichever worker it is"
    talk.close()
    assert refused(server, password) == b"AUTHENTICATIONFAILED"
    again = imap(server)
    again.ok(f'LOGIN ann@b.test "{PASSWORD}"'.encode())
    again.ok(b"SELECT phone")
    again.close()
    assert json.loads(key(server, "app", "list", ANN, "--json")) == []
    assert "none yet: mailstead key app add" in key(server, "app", "list", ANN)


def test_what_each_is_for(server: Server) -> None:
    sends = added(server, "cron", "--scope", "submit-only")
    reads = added(server, "archive", "--scope", "read-only")
    full = added(server, "laptop")
    assert set(sends) == {"address", "name", "id", "scope", "expires", "password"}
    assert refused(server, sends["password"]) == b"NOPERM"
    talk = imap(server)
    talk.ok(f"LOGIN ann@b.test {reads['password']}".encode())
    assert talk.ok(b"SELECT INBOX").code == b"READ-ONLY"
    smtp = submission(server)
    assert auth(smtp, reads["password"]) == (535, b"535 5.7.8 This app password is not for sending mail\r\n")
    smtp.close()
    for made in (sends, full):
        smtp = submission(server)
        assert auth(smtp, made["password"])[0] == 235
        assert smtp.command(b"MAIL FROM:<ann@b.test>")[0] == 250
        assert smtp.command(b"RSET")[0] == 250
        key(server, "app", "remove", ANN, made["id"])
        assert smtp.command(b"MAIL FROM:<ann@b.test>")[0] == 530
        smtp.close()
    key(server, "revoke", ANN, "archive")
    talk.until_closed()  # it went when "laptop" did, whose read key was its own, too
    talk.close()


def test_what_is_shown_needs_no_password(server: Server) -> None:
    made = added(server, "Zq7kanarie", "--expires", "2099-12-31")
    done = server.run("key", "show", ANN, "--json")
    shown = json.loads(done.stdout)
    assert set(shown) == {
        "address", "account", "fingerprint", "created", "epoch", "root_generation", "read_generation", "ways_in",
    }  # fmt: skip
    assert len(shown["fingerprint"]) == 19
    assert {w["id"]: (w["type"], w["scope"], w["expires"], w["state"]) for w in shown["ways_in"]}[made["id"]] == (
        "app password", "full", "2100-01-01T00:00:00Z", "active",
    )  # fmt: skip
    assert {w["type"] for w in shown["ways_in"]} == {"password", "recovery words", "app password"}
    text = server.run("key", "show", ANN).stdout.decode()
    assert shown["fingerprint"] in text
    assert "2099-12-31" not in text, "what is good until a midnight is so until the day of it"
    assert "Zq7kanarie" not in text + done.stdout.decode()
    everything = b"".join(p.read_bytes() for p in server.folder.rglob("*") if p.is_file())
    assert b"Zq7kanarie" not in everything
    key(server, "app", "remove", ANN, "Zq7kanarie")


def test_what_is_wrong_is_said(server: Server) -> None:
    phone = added(server, "phone")
    for arguments, password, code, words in (
        (("app", "add", ANN, "x"), b"wrong", 12, "the password or the words do not open this account"),
        (("app", "add", ANN, "x"), phone["password"].encode(), 12, "an app password changes no keys"),
        (("app", "list", ANN), phone["password"].encode(), 12, "use the account's own password"),
        (("app", "add", ANN, "phone"), SECRET, 1, "a way in has this name"),
        (("app", "add", ANN, "password"), SECRET, 1, "a way in has this name, or would later"),
        (("app", "add", ANN, "a\nb"), SECRET, 2, "that cannot be a name"),
        (("app", "add", ANN, "x", "--expires", "2020-01-01"), SECRET, 2, "2020-01-01 is past"),
        (("app", "add", ANN, "x", "--expires", "0d"), SECRET, 2, "0d is past"),
        (("app", "add", ANN, "x", "--expires", "soon"), SECRET, 2, '"soon" is no date'),
        (("app", "add", ANN, "x", "--scope", "all"), SECRET, 2, "full"),
        (
            ("app", "remove", ANN, "password"),
            SECRET,
            1,
            "no app password has this name or id\n  fix   mailstead key app list ann@b.test",
        ),
        (("revoke", ANN, "nothing"), SECRET, 1, "mailstead key show ADDRESS"),
    ):
        assert words in key(server, *arguments, password=password, code=code), arguments
    key(server, "revoke", ANN, "recovery words")
    assert "its mail would be lost" in key(server, "revoke", ANN, "password", code=1)
    for noun in ("key", "user"):
        nobody = server.run(noun, "show", "nobody@b.test")
        assert (nobody.returncode, b"nobody has this address" in nobody.stderr) == (1, True)
    looks_like_one = server.run(
        "user", "add", "eve@b.test", "--password-file", "-", stdin=phone["password"].encode()
    )
    assert (looks_like_one.returncode, b"form of an app password" in looks_like_one.stderr) == (2, True)
    reader = server.run(
        "mail",
        "list",
        "--data",
        "--user",
        ANN,
        "--password-file",
        "-",
        "--json",
        stdin=phone["password"].encode(),
    )
    assert (reader.returncode, json.loads(reader.stdout)) == (0, [])


def test_the_words_will_do(server: Server, tmp_path: Path) -> None:
    made = json.loads(
        server.run("user", "add", "bea@b.test", "--password-file", "-", "--json", stdin=SECRET).stdout
    )
    words = tmp_path / "words"
    words.write_text(" ".join(made["recovery_words"]))
    done = server.run("key", "app", "add", "bea@b.test", "x", "--words-file", str(words))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"ms1-")


def test_keys_are_rotated_beside_the_sessions_and_the_mail(server: Server) -> None:
    phone = added(server, "lasting")
    letter(server, "before")
    talk = imap(server)
    talk.ok(f"LOGIN {ANN} {phone['password']}".encode())
    talk.ok(b"SELECT INBOX")
    done = json.loads(key(server, "rotate", ANN, "--json"))
    shown = json.loads(server.run("key", "show", ANN, "--json").stdout)
    assert (done["root_generation"], done["epoch"]) == (shown["root_generation"], shown["epoch"]) == (2, 2)
    assert done["carried_over"] == len(shown["ways_in"])
    assert {w["state"] for w in shown["ways_in"]} == {"active"}
    assert done["sealed_again"] > 0
    assert b"BYE" in talk.until_closed()
    talk.close()
    letter(server, "after")
    again = imap(server)
    again.ok(f"LOGIN {ANN} {phone['password']}".encode())
    again.ok(b"SELECT INBOX")
    subjects = again.ok(b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").having(b"Subject: ")
    assert [s for s in (b"before", b"after") if any(s in line for line in subjects)] == [b"before", b"after"]
    again.close()
    text = key(server, "rotate", ANN)
    assert text.startswith("ann@b.test has new keys: root 3, epoch 3.\n")
    assert text.endswith("rows and records are sealed again under them.\n")
    key(server, "app", "remove", ANN, "lasting")


def letter(server: Server, subject: str) -> None:
    talk = server.connect().hello()
    talk.send(f"MAIL FROM:<>\r\nRCPT TO:<{ANN}>\r\nDATA\r\n".encode())
    assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
    talk.send(f"Subject: {subject}\r\n\r\n.\r\n".encode())
    assert talk.reply()[0] == 250
    talk.close()
