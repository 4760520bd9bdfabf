"""Who got in, whose mail is open, and a session for commands: as they are met beside a running server."""

import json
import os
import ssl
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.cli.sessions import filesystem
from tests.support.imaptalk import ImapTalk
from tests.support.server import PASSWORD, Server, Talk, run

pytestmark = pytest.mark.system
ANN = "ann@b.test"
SECRET = PASSWORD.encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("access") / "box", workers=2, listen=("smtp", "imaps", "pop3s", "submissions"),
        extra='[log]\nlevel = "debug"',
    ).make().start()  # fmt: skip
    yield made
    if made.process is not None and made.process.poll() is None:
        assert made.stop() == 0
    assert '"level": "error"' not in made.read_log()


@pytest.fixture
def memory() -> Iterator[dict[str, str]]:
    """An environment in which tokens have a place of their own."""
    if filesystem(Path("/dev/shm")) != "tmpfs":
        pytest.skip("there is no tmpfs here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield {"XDG_RUNTIME_DIR": name}


def command(
    server: Server, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[bytes]:
    done = run("--config", str(server.config), *arguments, stdin=stdin, env=env)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done


def log_of(server: Server, *options: str) -> list[dict[str, object]]:
    done = command(
        server, "access-log", "--user", ANN, "--password-file", "-", "--json", *options, stdin=SECRET
    )
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def imap(server: Server) -> ImapTalk:
    return ImapTalk(server.ports["imaps"], ca=server.folder / "certificate.pem")


def secured(server: Server, service: str) -> Talk:
    talk = server.connect(service)
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    talk.socket = context.wrap_socket(talk.socket, server_hostname="localhost")
    return talk


def test_the_log_tells_who_came_and_how(server: Server) -> None:
    made = json.loads(
        command(
            server, "key", "app", "add", ANN, "Zq7kanarie", "--password-file", "-", "--json", stdin=SECRET
        ).stdout
    )  # fmt: skip
    talk = imap(server)
    assert talk.ask(f"LOGIN {ANN} wrong".encode()).status == b"NO"
    talk.ok(f"LOGIN {ANN} {made['password']}".encode())
    talk.close()
    smtp = secured(server, "submissions").hello()
    assert smtp.command(b"AUTH PLAIN " + b64encode(f"\0{ANN}\0{PASSWORD}".encode()))[0] == 235
    smtp.close()
    pop = secured(server, "pop3s")
    for line in (f"USER {ANN}", f"PASS {PASSWORD}", "QUIT"):
        pop.send(line.encode() + b"\r\n")
    assert b"+OK" in pop.until_closed(5)
    pop.close()
    command(server, "access-log", "--user", ANN, "--password-file", "-", stdin=b"wrong", code=12)

    def written() -> bool:
        found = {(e["protocol"], e["result"]) for e in log_of(server)}
        return found >= {("imap", "in"), ("pop3", "in"), ("submission", "in"), ("local command", "failed")}

    assert any(written() for _ in range(20)), log_of(server)
    by = {(e["protocol"], e["result"]): e for e in log_of(server)}
    phone = by["imap", "in"]
    assert phone["from"] == "127.0.0.1"
    assert phone["way_in"] == {"id": made["id"], "type": "app password", "name": "Zq7kanarie"}
    assert by["submission", "in"]["way_in"]["name"] == "password"  # type: ignore[index]
    here = by["local command", "in"]
    assert here["from"] is None
    assert here["count"] > 1, "the same within an hour is one"
    assert here["first"] <= here["last"]
    assert by["local command", "failed"]["way_in"] is None
    ends = [str(e["last"]) for e in log_of(server)]
    assert ends == sorted(ends, reverse=True)
    assert len(log_of(server, "-n", "2")) == 2
    text = command(server, "access-log", "--user", ANN, "--password-file", "-", stdin=SECRET).stdout.decode()
    assert text.split("\n")[0].split() == [
        "last",
        "first",
        "times",
        "from",
        "by",
        "way",
        "in",
        "name",
        "result",
    ]
    assert f"127.0.0.1  imap           app password {made['id']}  Zq7kanarie" in text
    stored = b"".join(p.read_bytes() for p in server.folder.rglob("*") if p.is_file())
    assert b"Zq7kanarie" not in stored + server.read_log().encode()
    command(server, "key", "app", "remove", ANN, made["id"], "--password-file", "-", stdin=SECRET)
    gone = next(e for e in log_of(server) if e["protocol"] == "imap" and e["result"] == "in")
    assert gone["way_in"] == {"id": made["id"], "type": "app password", "name": None}
    reader = command(
        server, "key", "app", "add", ANN, "cron", "--scope", "submit-only", "--password-file", "-", "--json",
        stdin=SECRET,
    )  # fmt: skip
    sends = json.loads(reader.stdout)["password"].encode()
    refused = command(server, "access-log", "--user", ANN, "--password-file", "-", stdin=sends, code=12)
    assert b"one for sending opens no mail" in refused.stderr


def test_tries_that_failed_are_written_at_the_end_at_the_latest(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", listen=("imaps",)).make().start()
    talk = imap(server)
    for _ in range(2):
        assert talk.ask(f"LOGIN {ANN} wrong".encode()).status == b"NO"
    talk.ok(f'LOGIN {ANN} "{PASSWORD}"'.encode())
    talk.close()
    assert server.stop() == 0
    found = {(e["protocol"], e["result"], e["count"], e["from"]) for e in log_of(server)}
    assert found == {("imap", "in", 1, "127.0.0.1"), ("imap", "failed", 2, "127.0.0.1")}


def test_status_tells_whose_mail_is_open(server: Server) -> None:
    first = json.loads(command(server, "status", "--json").stdout)
    assert {w["pid"] for w in first["workers"]} == set(server.worker_pids())
    assert first["silent"] == []
    assert all(w["memory"]["keys"] in ("memfd_secret", "mlock", "ordinary") for w in first["workers"])
    talks = [imap(server).log_in(ANN, PASSWORD) for _ in range(3)]
    smtp = secured(server, "submissions").hello()
    assert smtp.command(b"AUTH PLAIN " + b64encode(f"\0{ANN}\0{PASSWORD}".encode()))[0] == 235
    shown = json.loads(command(server, "status", "--json").stdout)
    found = [one for w in shown["workers"] for one in w["unlocked"]]
    assert sum(one["sessions"] for one in found) == 3, "who only sends opens nothing"
    assert {(one["address"], one["way_in"], one["protocol"]) for one in found} == {(ANN, "password", "imap")}
    assert sum(w["connections"] for w in shown["workers"]) >= 4
    text = command(server, "status").stdout.decode()
    assert ANN in text
    assert "keys are in " in text
    for talk in talks:
        talk.ok(b"LOGOUT")
        talk.close()
    smtp.close()
    assert any("Nobody's mail is open." in command(server, "status").stdout.decode() for _ in range(20))
    assert ANN not in server.read_log()


def test_status_without_a_server_says_so(tmp_path: Path) -> None:
    server = Server(tmp_path / "box").make()
    done = command(server, "status", code=1)
    assert done.stderr.decode().startswith("error: no server runs here\n  why   nothing answers in ")
    assert b"  fix   mailstead serve\n" in done.stderr
    server.start()
    (pid,) = server.worker_pids()
    assert json.loads(command(server, "status", "--json").stdout)["workers"][0]["pid"] == pid
    server.kill()
    command(server, "status", code=1)
    assert not list((server.data / "run").glob("status.*")), "what a dead worker left is swept"


def test_unlocked_once_commands_ask_for_no_password(server: Server, memory: dict[str, str]) -> None:
    reading = ("mail", "list", "--data", "--user", ANN, "--json")
    assert b"no terminal to ask" in command(server, *reading, env=memory, code=2).stdout
    made = json.loads(
        command(
            server, "key", "unlock", ANN, "--for", "90s", "--password-file", "-", "--json", stdin=SECRET, env=memory
        ).stdout
    )  # fmt: skip
    assert set(made) == {"address", "id", "expires", "file"}
    assert Path(made["file"]).stat().st_mode & 0o777 == 0o600
    assert made["file"].startswith(memory["XDG_RUNTIME_DIR"])
    token = Path(made["file"]).read_text().split()[1]
    assert json.loads(command(server, *reading, env=memory).stdout) == []
    log = json.loads(command(server, "access-log", "--user", ANN, "--json", env=memory).stdout)
    ways = {(e["way_in"]["type"], e["way_in"]["name"]) for e in log if e["way_in"] is not None}
    assert ("session", None) in ways
    assert {name for _, name in ways} == {None}, "names need the root, which no session opens"
    assert b"no terminal to ask" in command(server, "verify", "--user", ANN, env=memory, code=2).stderr
    shown = json.loads(command(server, "key", "show", ANN, "--json").stdout)
    assert {w["id"]: (w["type"], w["scope"], w["expires"]) for w in shown["ways_in"]}[made["id"]] == (
        "session", "read, change", made["expires"],
    )  # fmt: skip
    assert "  session  " in command(server, "key", "show", ANN).stdout.decode()
    stored = b"".join(p.read_bytes() for p in server.folder.rglob("*") if p.is_file())
    assert token.encode() not in stored
    assert bytes.fromhex(token) not in stored
    assert (
        command(server, "key", "lock", ANN, env=memory).stdout == b"ann@b.test is locked: 1 sessions ended.\n"
    )
    assert not Path(made["file"]).exists()
    command(server, *reading, env=memory, code=2)
    assert command(server, "key", "lock", ANN, env=memory).stdout == b"ann@b.test has no session.\n"


def test_a_session_ends_with_the_keys_it_was_for(server: Server, memory: dict[str, str]) -> None:
    bob = "bob@local.test"
    reading = ("mail", "list", "--data", "--user", bob)
    said = command(
        server, "key", "unlock", bob, "--password-file", "-", stdin=SECRET, env=memory
    ).stdout.decode()
    assert said.startswith(f"{bob} is unlocked for you until 20")
    assert said.endswith(f"\nUndo: mailstead key lock {bob}\n")
    command(server, *reading, env=memory)
    command(server, "key", "rotate", bob, "--password-file", "-", stdin=SECRET)
    over = command(server, *reading, env=memory, code=12).stderr.decode()
    assert over.startswith(f"error: the session of {bob} is over\n  why   it was ended, or the keys")
    assert f"mailstead key unlock {bob}" in over
    assert b"no terminal to ask" in command(server, *reading, env=memory, code=2).stderr, "and is forgotten"


def test_what_is_wrong_with_unlocking_is_said(server: Server, memory: dict[str, str], tmp_path: Path) -> None:
    unlock = ("key", "unlock", ANN, "--password-file", "-")
    said = command(server, *unlock, stdin=b"wrong", env=memory, code=12).stderr.decode().split("\n")
    assert said[0] == "error: that password does not open ann's key"
    assert said[1].startswith("  why   the account is of 20")
    assert said[3] == "  safe  nothing was changed"
    command(
        server, "user", "password", ANN, "--password-file", "-", "--new-password-file", str(secret(tmp_path)),
        stdin=SECRET,
    )  # fmt: skip
    said = command(server, *unlock, stdin=b"wrong", env=memory, code=12).stderr.decode().split("\n")
    day = json.loads(command(server, "key", "show", ANN, "--json").stdout)["created"][:4]
    assert said[0] == "error: that password does not open ann's key"
    assert said[1].startswith(f"  why   the key was last re-wrapped {day}")
    assert said[1].endswith(", after a password change")
    assert said[2] == "  fix   use the new password, or the 12 words: mailstead key recover ann@b.test"
    fresh = command(server, "key", "words", ANN, "--password-file", "-", "--json", stdin=SECRET).stdout
    assert json.loads(fresh)["recovery_words"]
    said = command(server, *unlock, stdin=b"wrong", env=memory, code=12).stderr.decode().split("\n")
    assert said[1].startswith(f"  why   its password was set on {day}"), (
        "whether by a change is not known now"
    )
    for time in ("0m", "25h", "1d", "soon", "-1m"):
        assert (
            b"it lasts from 1s to 24h" in command(server, *unlock, f"--for={time}", env=memory, code=2).stderr
        )
    command(server, "user", "invite", "guest@b.test")
    guest = command(
        server, "key", "unlock", "guest@b.test", "--password-file", "-", stdin=b"x", env=memory, code=12
    ).stderr.decode()
    assert (
        "  why   nobody has joined yet: it has no password\n  fix   mailstead user join guest@b.test" in guest
    )
    command(server, "user", "disable", "guest@b.test")
    guest = command(
        server, "key", "unlock", "guest@b.test", "--password-file", "-", stdin=b"x", env=memory, code=12
    ).stderr.decode()
    assert "  why   the account is disabled: nothing opens it\n  fix   mailstead user enable" in guest
    nobody = command(
        server, "key", "unlock", "nobody@b.test", "--password-file", "-", stdin=b"x", env=memory, code=1
    )
    assert b"nobody has this address" in nobody.stderr


def secret(folder: Path) -> Path:
    path = folder / "new"
    path.write_bytes(SECRET)
    return path


def test_a_session_that_was_begun_by_words(tmp_path: Path, memory: dict[str, str]) -> None:
    server = Server(tmp_path / "box").make()
    made = json.loads(
        command(server, "user", "add", "eve@b.test", "--password-file", "-", "--json", stdin=SECRET).stdout
    )
    words = tmp_path / "words"
    words.write_text(" ".join(made["recovery_words"]))
    command(server, "key", "unlock", "eve@b.test", "--words-file", str(words), env=memory)
    command(server, "mail", "list", "--data", "--user", "eve@b.test", env=memory)
    others = memory | {"XDG_RUNTIME_DIR": os.path.dirname(memory["XDG_RUNTIME_DIR"])}
    command(server, "mail", "list", "--data", "--user", "eve@b.test", env=others, code=2)
