"""The commands, as processes: what they print, what they leave, and how they end."""

import json
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import COMMAND, ENVIRONMENT, PASSWORD, Server, run

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("serve") / "box", workers=2).make().start()
    yield made
    assert made.stop() == 0


def send(server: Server, *options: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return run(
        "mail", "send", "--server", f"localhost:{server.ports['smtp']}", "--from", "bob@example.net", *options,
        stdin=stdin,
    )  # fmt: skip


def test_a_mail_goes_in_and_comes_out(server: Server, tmp_path: Path) -> None:
    attached = tmp_path / "Bild é.bin"
    attached.write_bytes(bytes(range(256)) * 100)
    done = send(
        server, "--to", "ann@b.test", "--subject", "Grüße aus Köln", "--body", "-", "--attach", str(attached),
        "--ca", str(server.folder / "certificate.pem"), "-v", stdin=b"Liebe Ann,\n\nbis bald\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"S: 220 2.0.0 Ready to start TLS" in done.stderr
    listed = server.listed()[-1]
    assert listed["subject"] == "Grüße aus Köln"
    assert listed["preview"] == "Liebe Ann, bis bald"
    assert listed["flags"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(listed["date"]))
    read = server.run(
        "mail", "read", str(listed["uid"]), "--data", "--user", "ann@b.test", "--password-file", "-",
        stdin=PASSWORD.encode() + b"\n",
    )  # fmt: skip
    assert read.returncode == 0
    assert len(read.stdout) == listed["size"]
    assert read.stdout.startswith(b"Return-Path: <bob@example.net>\r\nReceived: from ")
    assert b"with ESMTPS id m-" in read.stdout


def test_an_eml_file_is_sent_as_it_is(server: Server, tmp_path: Path) -> None:
    octets = b"Subject: as it is\r\nX-Odd:\tvalue \r\n\r\n.dot\r\n..two\r\nno end"
    (tmp_path / "m.eml").write_bytes(octets)
    done = send(server, "--to", "ann@b.test", "--eml", str(tmp_path / "m.eml"), "--tls", "none")
    assert done.returncode == 0, done.stderr
    assert server.mails()[-1].endswith(octets + b"\r\n"), "DATA ends with a line end"


def test_what_is_refused_is_said(server: Server) -> None:
    done = send(server, "--to", "nobody@b.test", "--tls", "none")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the message was not sent\n  why   nobody@b.test: 550 5.1.1")
    both = send(server, "--to", "nobody@b.test", "--to", "ann@b.test", "--tls", "none", "--json")
    assert both.returncode == 1
    assert "nobody@b.test" in json.loads(both.stdout)["refused"]
    untrusted = send(server, "--to", "ann@b.test")
    assert untrusted.returncode == 1
    assert b"no TLS with localhost" in untrusted.stderr


def test_users_come_and_go(server: Server) -> None:
    added = server.run("user", "add", "cy@b.test", "--password-file", "-", "--json", stdin=b"one\r\n")
    made = json.loads(added.stdout)
    assert made["address"] == "cy@b.test"
    assert len(made["recovery_words"]) == 12
    again = server.run("user", "add", "cy@b.test", "--password-file", "-", "--json", stdin=b"one")
    assert again.returncode == 1
    assert json.loads(again.stdout)["exit"] == 1
    assert "cy@b.test" in [u["address"] for u in json.loads(server.run("user", "list", "--json").stdout)]
    shown = json.loads(server.run("user", "show", "cy@b.test", "--json").stdout)
    assert sorted(shown["ways_in"]) == ["password", "recovery words"]
    words = " ".join(made["recovery_words"]).upper().encode()
    changed = server.run(
        "user", "password", "cy@b.test", "--words-file", _file(server, "w", words),
        "--new-password-file", _file(server, "p", b"two"),
    )  # fmt: skip
    assert changed.returncode == 0, changed.stderr
    old = server.run("mail", "list", "--data", "--user", "cy@b.test", "--password-file", "-", stdin=b"one")
    assert old.returncode == 12
    assert server.run("user", "disable", "cy@b.test").returncode == 0
    assert b"550" in send(server, "--to", "cy@b.test", "--tls", "none").stderr
    shut = server.run("mail", "list", "--data", "--user", "cy@b.test", "--password-file", "-", stdin=b"two")
    assert shut.returncode == 12
    assert server.run("user", "enable", "cy@b.test").returncode == 0
    new = server.run(
        "mail", "list", "--data", "--json", "--user", "cy@b.test", "--password-file", "-", stdin=b"two"
    )
    assert (new.returncode, new.stdout) == (0, b"[]\n")
    assert server.run("user", "remove", "cy@b.test", "--yes").returncode == 0
    assert "cy@b.test" not in server.run("user", "list", "--json").stdout.decode()


def _file(server: Server, name: str, octets: bytes) -> str:
    path = server.folder / name
    path.write_bytes(octets)
    return str(path)


def test_files_are_for_nobody_else(server: Server) -> None:
    for path in [server.folder, *server.folder.rglob("*")]:
        if "out" in path.parts or path.name in ("w", "p", "server.log", "mailstead.toml"):
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, (path, oct(mode))


def test_a_second_server_and_a_wrong_key_are_refused(server: Server, tmp_path: Path) -> None:
    second = server.run("serve")
    assert second.returncode == 11
    assert b"another mailstead serves" in second.stderr
    config = tmp_path / "other.toml"
    (tmp_path / "server.key").write_bytes(os.urandom(32))
    (tmp_path / "server.key").chmod(0o600)
    config.write_text(
        f'hostname = "x.test"\ndomains = ["b.test"]\ndata = "{server.data}"\n[listen]\nsmtp = "127.0.0.1:0"\n'
    )
    wrong = run("--config", str(config), "serve")
    assert wrong.returncode == 12
    assert b"is not the key of this data" in wrong.stderr
    (tmp_path / "server.key").chmod(0o644)
    assert run("--config", str(config), "serve").returncode == 3


def test_a_port_in_use_is_said(server: Server, tmp_path: Path) -> None:
    other = Server(tmp_path / "box", users=("x@b.test",)).make()
    text = other.config.read_text().replace(
        'smtp = "127.0.0.1:0"', f'smtp = "127.0.0.1:{server.ports["smtp"]}"'
    )
    other.config.write_text(text)
    done = other.run("serve")
    assert done.returncode == 15
    assert done.stderr.startswith(b"error: smtp cannot listen on 127.0.0.1:")


def test_a_worker_that_dies_is_replaced_and_none_outlives_its_parent(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", workers=2).make().start()
    before = set(server.worker_pids())
    assert len(before) == 2
    killed = before.pop()
    os.kill(killed, signal.SIGKILL)
    end = time.monotonic() + 15
    while len(set(server.worker_pids()) - {killed}) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(set(server.worker_pids()) - {killed}) == 2
    assert server.process is not None
    workers = server.worker_pids()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(5)
    end = time.monotonic() + 5
    while any(
        Path(f"/proc/{p}").exists() and "Z" not in Path(f"/proc/{p}/stat").read_text().split()[2]
        for p in workers
    ):
        assert time.monotonic() < end, "a worker outlived its parent"
        time.sleep(0.05)
    server._close()


def test_a_stop_lets_a_message_finish(tmp_path: Path) -> None:
    server = Server(tmp_path / "box").make().start()
    idle, busy = server.connect().hello(), server.connect().hello()
    for command in (b"MAIL FROM:<a@a.test>", b"RCPT TO:<ann@b.test>", b"DATA"):
        busy.command(command)
    busy.send(b"Subject: last\r\n")
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    assert idle.reply()[0] == 421
    busy.send(b"\r\n.\r\n")
    assert busy.reply()[0] == 250
    assert server.process.wait(20) == 0
    server._close()
    assert server.mails()[-1].endswith(b"Subject: last\r\n\r\n")
    idle.close()
    busy.close()


def test_show_mail_shows_and_warns(tmp_path: Path) -> None:
    server = Server(tmp_path / "box").make()
    process = subprocess.Popen(
        [*COMMAND, "--config", str(server.config), "serve", "--show-mail"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    while (line := process.stdout.readline()) != "ready\n":
        if found := re.match(r"smtp +127.0.0.1:(\d+)", line):
            server.ports["smtp"] = int(found[1])
    assert send(server, "--to", "ann@b.test", "--subject", "shown \x07", "--tls", "none").returncode == 2
    assert (
        send(
            server, "--to", "ann@b.test", "--subject", "shown", "--body", "the text", "--tls", "none"
        ).returncode
        == 0
    )
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert "*** --show-mail" in err
    assert "Subject: shown" in out
    assert "the text" in out
    journal = run("--config", str(server.config), "serve", "--show-mail", env={"JOURNAL_STREAM": "8:1"})
    assert journal.returncode == 2


def test_init_changes_nothing_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = run("init", str(tmp_path), "--hostname", "h.test", "--domain", "d.test")
    assert done.returncode == 1
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    made = run("init", str(tmp_path / "new"), "--hostname", "h.test", "--domain", "d.test", "--json")
    assert set(json.loads(made.stdout)) == {"config", "data", "certificate", "fingerprint"}
    assert json.loads(run("--config", str(tmp_path / "new"), "user", "list", "--json").stdout) == []


def test_settings_that_are_wrong_name_the_key(tmp_path: Path) -> None:
    for text, named in (
        ('hostname = "h"\ndomains = ["d.test"]\n[limits]\nrecipient = 3\n', "[limits] recipient"),
        ('hostname = "h"\ndomains = ["d.test"]\nworker = 3\n', "worker"),
        ('hostname = "h"\ndomains = ["d.test"]\n[listen]\nsieve = "127.0.0.1:4190"\n', "[listen] sieve"),
        ('hostname = "h"\ndomains = ["d.test"]\n[listen]\nsmtp = "25"\n', "[listen] smtp"),
        ('hostname = "h"\ndomains = ["d.test"]\n[seal]\ncompress = "some"\n', "[seal] compress"),
        ('hostname = "h"\n', "domains"),
    ):
        path = tmp_path / "m.toml"
        path.write_text(text)
        done = run("--config", str(path), "serve")
        assert done.returncode == 3, text
        assert named.encode() in done.stderr, done.stderr
        assert str(path).encode() in done.stderr
    assert run("--config", str(tmp_path / "none.toml"), "serve").returncode == 3
    assert run("serv").returncode == 2
    assert b"Did you mean 'serve'?" in run("serv").stderr


def test_the_demo_proves_itself_and_leaves_nothing(tmp_path: Path) -> None:
    done = run("demo", "--once", env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert list(tmp_path.iterdir()) == []
    shown = re.sub(r"[0-9A-F]{2}(:[0-9A-F]{2}){2}:…:[0-9A-F]{2}", "FP", done.stdout.decode())
    golden = (Path(__file__).parent / "demo.txt").read_text()
    assert re.fullmatch(golden.strip("\n"), shown.strip("\n")), shown
    found = json.loads(run("demo", "--once", "--json", env={"TMPDIR": str(tmp_path)}).stdout)
    assert found["ok"] is True
    assert found["hits"] == 0
    assert found["files_searched"] > 3
    assert found["sha256_sent"] == found["sha256_read"]
    assert set(found) == {
        "ok", "ports", "user", "password", "fingerprint", "sha256_sent", "sha256_read", "files_searched", "hits",
    }  # fmt: skip


def test_the_demo_stops_at_a_signal_and_keeps_what_it_is_told_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    process = subprocess.Popen(
        [*COMMAND, "demo", "--keep", str(kept), "--port-base", "0"],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    while not (line := process.stdout.readline()).startswith("Ready in"):
        lines.append(line)
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert f"Everything is in {kept}." in out
    password = next(line for line in lines if line.startswith("  Login")).split()[-1]
    listed = run(
        "--config", str(kept), "mail", "list", "--json", "--data", "--user", "alice", "--password-file", "-",
        stdin=password.encode(),
    )  # fmt: skip
    assert [m["subject"] for m in json.loads(listed.stdout)] == ["Welcome to your mailbox"]
    assert password.encode() not in b"".join(p.read_bytes() for p in kept.rglob("*") if p.is_file())
