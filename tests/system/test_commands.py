"""Commands where people meet them: on a terminal, with a typing error, with settings in every place."""

import datetime
import json
import re
import signal
import socket
import ssl
import stat
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailstead.cli.serve import warn_of_plaintext
from mailstead.config import read
from tests.support.server import COMMAND, ENVIRONMENT, PASSWORD, Server, run
from tests.support.terminal import Terminal

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("commands") / "box").make().start()
    yield made
    assert made.stop() == 0


def on_a_terminal(server: Server, *arguments: str, typed: str = "", env: dict[str, str] | None = None) -> str:
    """What a person sees on a terminal of 24 lines; *typed* answers the first question."""
    command = [*COMMAND, "--config", str(server.config), *arguments]
    size = {"TERM": "xterm", "LINES": "24", "COLUMNS": "100"}
    with Terminal(command, env=size | (env or {})) as terminal:
        if typed:
            terminal.until("assword for ann@b.test: ")
            terminal.type(typed + "\n")
        terminal.ends()
        return terminal.shown


def deliver(server: Server, octets: bytes) -> None:
    talk = server.connect().hello()
    talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
    assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
    talk.send(octets + b".\r\n")
    assert talk.reply()[0] == 250
    talk.close()


def test_a_terminal_gets_colours_and_no_control_characters(server: Server) -> None:
    deliver(server, b"Subject: \x1b]0;gotcha\x07\r\n\r\n\x1b[2Jboo\r\n")
    uid = str(server.listed()[-1]["uid"])
    own = ("--data", "--user", "ann@b.test")
    listed = on_a_terminal(server, "mail", "list", *own, typed=PASSWORD)
    assert "\x1b[1m" in listed
    assert "\x1b]0" not in listed
    assert PASSWORD not in listed, "what is typed is not shown"
    read = on_a_terminal(server, "mail", "read", uid, *own, typed=PASSWORD)
    assert "\x1b[1mSubject:\x1b[0m" in read
    assert "\x1b]0" not in read
    assert "\x1b[2J" not in read
    assert "boo" in read
    plain = on_a_terminal(server, "mail", "read", uid, *own, typed=PASSWORD, env={"NO_COLOR": "1"})
    assert "\x1b" not in plain


def test_what_is_longer_than_the_screen_is_paged(server: Server, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\nexec cat\n")
    pager.chmod(0o755)
    deliver(server, b"Subject: long\r\n\r\n" + b"line\r\n" * 100)
    uid = str(server.listed()[-1]["uid"])
    own = ("--data", "--user", "ann@b.test")
    env = {"PAGER": str(pager)}
    assert "PAGED" in on_a_terminal(server, "mail", "read", uid, *own, typed=PASSWORD, env=env)
    assert "PAGED" not in on_a_terminal(server, "mail", "list", *own, typed=PASSWORD, env=env)
    for n in range(25):
        deliver(server, b"Subject: %d\r\n\r\n" % n)
    listed = on_a_terminal(server, "mail", "list", *own, typed=PASSWORD, env=env)
    assert "PAGED" in listed
    assert "\x1b[1m" in listed


def test_a_reader_that_goes_away_is_no_trouble(server: Server) -> None:
    deliver(server, b"Subject: big\r\n\r\n" + b"x" * 900 + b"\r\n" + b"y" * 300_000 + b"\r\n")
    uid = server.listed()[-1]["uid"]
    line = f"{' '.join(COMMAND)} --config {server.config} mail read {uid} --data --user ann@b.test --password-file -"
    done = subprocess.run(["sh", "-c", f"{line} | head -c 10"], input=PASSWORD.encode(), capture_output=True,
                          env=ENVIRONMENT, timeout=60)  # fmt: skip
    assert len(done.stdout) == 10
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("serv",), 2),
        (("mail", "read", "x", "--user", "ann"), 2),
        (("mail", "send", "--from", "a@b.test"), 2),
        (("user", "add", "a@b.test", "--password-file", "-", "--quota", "-1"), 2),
        (("init",), 2),
        (("mail", "list", "--data", "--user", "ann", "--password-file", "/nowhere"), 2),
        (("mail", "list", "--data", "--user", "nobody@b.test", "--password-file", "-"), 12),
        (("mail", "list", "--data", "--user", "ann@b.test", "--password-file", "-"), 12),
        (("mail", "list", "--user", "ann@b.test", "--password-file", "-"), 2),
        (("mail", "search", "form:ann", "--data", "--user", "ann@b.test", "--password-file", "-"), 2),
        (("user", "show", "nobody@b.test"), 1),
        (("user", "show", "ann@elsewhere.test"), 1),
        (("mail", "export", "/proc/nowhere", "--data", "--user", "ann@b.test", "--password-file", "pw"), 1),
    ],
)
def test_errors_have_one_shape(server: Server, arguments: tuple[str, ...], code: int) -> None:
    (server.folder / "pw").write_text(PASSWORD)
    arguments = tuple(str(server.folder / "pw") if a == "pw" else a for a in arguments)
    plain = server.run(*arguments, stdin=b"wrong")
    assert plain.returncode == code, plain.stderr
    assert re.match(rb"error: \S.*\n(  why   .+\n)?  fix   .+\n\Z", plain.stderr), plain.stderr
    told = server.run(*arguments, "--json", stdin=b"wrong")
    assert told.returncode == code
    found = json.loads(told.stdout)
    assert set(found) == {"error", "why", "fix", "exit"}
    assert found["exit"] == code
    assert found["error"]


def test_every_letter_is_shown_somehow(server: Server) -> None:
    deliver(server, "Subject: дом 日本\r\n\r\n".encode())
    own = ("mail", "list", "--data", "--user", "ann@b.test", "--password-file", "-")
    latin = run(
        "--config", str(server.config), *own, stdin=PASSWORD.encode(), env={"PYTHONIOENCODING": "latin-1"}
    )
    assert latin.returncode == 0, latin.stderr
    assert rb"\u0434\u043e\u043c" in latin.stdout


def test_a_text_file_becomes_lines_of_the_wire(server: Server, tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_bytes(b"Subject: unix\n\n.one\ntwo\n")
    done = run(
        "mail", "send", "--server", f"localhost:{server.ports['smtp']}", "--from", "a@a.test", "--tls", "none",
        "--to", "ann@b.test", "--eml", str(tmp_path / "m.eml"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert server.mails()[-1].endswith(b"Subject: unix\r\n\r\n.one\r\ntwo\r\n")


def test_a_mailbox_that_is_not_there_makes_no_folder(server: Server, tmp_path: Path) -> None:
    for mailbox in ("Nope", "/etc", "../up"):
        done = server.run(
            "mail", "export", str(tmp_path / "out"), "--data", "--user", "ann@b.test", "--password-file", "-",
            "--mailbox", mailbox, stdin=PASSWORD.encode(),
        )  # fmt: skip
        assert done.returncode in (1, 2), done.stderr
    assert not list(tmp_path.iterdir())


def test_settings_are_looked_for_in_this_order(server: Server, tmp_path: Path) -> None:
    """--config, the environment, the working folder; a later one is not looked at, however broken."""
    broken = tmp_path / "mailstead.toml"
    broken.write_text("broken")
    good = str(server.config)

    def listed(*options: str, env: dict[str, str] | None = None, cwd: Path = tmp_path) -> int:
        return subprocess.run(
            [*COMMAND, *options, "user", "list"], cwd=cwd, env=ENVIRONMENT | (env or {}), capture_output=True
        ).returncode

    assert listed("--config", good, env={"MAILSTEAD_CONFIG": str(broken)}) == 0
    assert listed(env={"MAILSTEAD_CONFIG": good}) == 0
    assert listed(cwd=server.folder) == 0
    assert listed("--config", str(broken), env={"MAILSTEAD_CONFIG": good}) == 3
    assert listed(env={"MAILSTEAD_CONFIG": str(broken)}, cwd=server.folder) == 3
    assert listed() == 3
    (tmp_path / "empty").mkdir()
    if not Path("/etc/mailstead.toml").exists():
        assert listed(cwd=tmp_path / "empty") == 3


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('hostname = "a\\r\\n250 b"\ndomains = ["d.test"]', "hostname"),
        ('hostname = "h.test"\ndomains = ["d test"]', "domains"),
        ('hostname = "h.test"\ndomains = []', "domains"),
        ('hostname = "h.test"\ndomains = ["d.test"]\nworkers = "2"', "workers"),
        ('hostname = "h.test"\ndomains = ["d.test"]\n[listen]\nsmtp = ":25"', "[listen] smtp"),
        ('hostname = "h.test"\ndomains = ["d.test"]\n[tls]\ncertificate = "c"', "[tls] key"),
        ('hostname = "h.test"\ndomains = ["d.test"]\n[log]\nlevel = "loud"', "[log] level"),
        ('hostname = "h.test"\ndomains = ["d.test"]\n[colour]\nx = 1', "colour"),
        *[
            (
                f'hostname = "h.test"\ndomains = ["d.test"]\n[listen]\n{name} = "127.0.0.1:0"',
                f"[listen] {name}",
            )
            for name in ("imaps", "submissions", "pop3s", "sieve", "https")
        ],
    ],
)
def test_wrong_settings_name_file_table_and_key(line: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(line)
    found = json.loads(run("--config", str(path), "user", "list", "--json").stdout)
    assert found["exit"] == 3
    assert found["error"].startswith(f"{path}: ")
    assert named in found["error"] + found["why"]


def test_imap_and_submission_need_no_certificate(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    listed = 'imap = "127.0.0.1:0"\nsubmission = ["127.0.0.1:0", "[::1]:0"]'
    path.write_text(f'hostname = "h.test"\ndomains = ["d.test"]\n[listen]\n{listed}')
    settings = read(path)
    assert settings.listeners() == [
        ("submission", "127.0.0.1", 0), ("submission", "::1", 0), ("imap", "127.0.0.1", 0),
    ]  # fmt: skip
    path.write_text(f'{path.read_text()}\nimaps = "127.0.0.1:0"\n[tls]\ncertificate = "c"\nkey = "k"')
    assert read(path).listeners()[-1] == ("imaps", "127.0.0.1", 0)


def test_serve_warns_of_passwords_without_tls(capsys: pytest.CaptureFixture[str]) -> None:
    places = [
        ("imap", "127.0.0.1", 143), ("imap", "::1", 143), ("imap", "0.0.0.0", 143), ("imaps", "127.0.0.1", 993),
        ("submission", "localhost", 587), ("submission", "mx.d.test", 587), ("smtp", "127.0.0.1", 25),
    ]  # fmt: skip
    warn_of_plaintext(places)
    warning = capsys.readouterr().err
    assert "on imap 127.0.0.1:143, imap [::1]:143, submission localhost:587.\n" in warning
    warn_of_plaintext([("imap", "0.0.0.0", 143)])
    assert "on no listener" in " ".join(capsys.readouterr().err.split())


def test_init_makes_what_a_server_needs_and_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "box"
    made = json.loads(
        run(
            "init",
            str(folder),
            "--hostname",
            "mx.d.test",
            "--domain",
            "d.test",
            "--domain",
            "e.test",
            "--json",
        ).stdout
    )
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(p.name for p in folder.iterdir()) == [
        "certificate.key", "certificate.pem", "data", "mailstead.toml", "server.key",
    ]  # fmt: skip
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    pem = (folder / "certificate.pem").read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["mx.d.test", "localhost"]
    assert [str(a) for a in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    digest = ssl.PEM_cert_to_DER_cert(pem.decode())
    import hashlib

    assert made["fingerprint"].replace(":", "").lower() == hashlib.sha256(digest).hexdigest()
    assert made["config"] == str(folder / "mailstead.toml")
    assert made["data"] == str(folder / "data")
    assert len((folder / "server.key").read_bytes()) == 32
    auth = tomllib.loads((folder / "mailstead.toml").read_text())["auth"]
    assert 19 << 10 <= auth["argon2_kib"] <= 256 << 10
    assert auth["argon2_passes"] == 2
    assert (
        run("init", str(folder / "mailstead.toml"), "--hostname", "h.test", "--domain", "d").returncode == 1
    )
    assert run("init", str(tmp_path / "x"), "--hostname", "h test", "--domain", "d.test").returncode == 2
    assert not (tmp_path / "x").exists()


def test_the_version_comes_at_once() -> None:
    """120 ms is the promise; what is imported for it is what can be asserted on a busy machine."""
    done = subprocess.run(
        [COMMAND[0], "-X", "importtime", "-m", "mailstead", "--version"],
        capture_output=True,
        env=ENVIRONMENT,
        text=True,
    )
    assert done.stdout == "mailstead, version 0.1.0\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {
        "asyncio",
        "ssl",
        "cryptography",
        "apsw",
        "uvloop",
        "structlog",
        "rich",
        "msgspec",
        "tomllib",
    }


def expired(folder: Path) -> None:
    """Replace the certificate by one that was good until yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now - datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "certificate.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def presented(port: int) -> bytes:
    """The certificate that STARTTLS shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.recv(1000)
        sock.sendall(b"EHLO a\r\n")
        sock.recv(1000)
        sock.sendall(b"STARTTLS\r\n")
        assert sock.recv(1000).startswith(b"220")
        with context.wrap_socket(sock) as wrapped:
            return ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(binary_form=True) or b"").encode()


def test_a_certificate_is_good_at_start_and_replaced_by_a_hangup(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", workers=2).make().start()
    first = (server.folder / "certificate.pem").read_bytes()
    assert presented(server.ports["smtp"]).split() == first.split()
    other = Server(tmp_path / "other").make()

    def hang_up() -> None:
        assert server.process is not None
        before = server.read_log().count("tls.reload")
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while server.read_log().count("tls.reload") < before + 2 and time.monotonic() < end:
            time.sleep(0.05)

    for name in ("certificate.pem", "certificate.key"):
        (server.folder / name).write_bytes((other.folder / name).read_bytes())
    second = (other.folder / "certificate.pem").read_bytes()
    hang_up()
    assert {presented(server.ports["smtp"]) for _ in range(8)} == {second}
    expired(server.folder)
    hang_up()
    assert {presented(server.ports["smtp"]) for _ in range(8)} == {second}, "the old one stays"
    assert "has expired" in server.read_log()
    assert server.stop() == 0
    late = server.run("serve")
    assert late.returncode == 3
    assert b"has expired" in late.stderr
    (server.folder / "certificate.key").write_bytes(b"unreadable")
    assert server.run("serve").returncode == 3
    (server.folder / "certificate.pem").unlink()
    missing = server.run("serve")
    assert missing.returncode == 3
    assert b"certificate.pem cannot be used" in missing.stderr


def test_systemd_is_told(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", env={"NOTIFY_SOCKET": str(tmp_path / "notify")}).make()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(10)
        server.start()
        assert told.recv(100) == b"READY=1"
        assert server.stop() == 0
        assert told.recv(100) == b"STOPPING=1"


def test_listeners_are_printed_as_they_are_written(tmp_path: Path) -> None:
    server = Server(tmp_path / "box").make()
    text = server.config.read_text().replace('smtp = "127.0.0.1:0"', 'smtp = ["127.0.0.1:0", "[::1]:0"]')
    server.config.write_text(text)
    process = subprocess.Popen(
        [*COMMAND, "--config", str(server.config), "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    try:
        assert re.fullmatch(r"smtp +127\.0\.0\.1:\d+\n", lines[0])
        found = re.fullmatch(r"smtp +\[::1\]:(\d+)\n", lines[1])
        assert found is not None
        assert re.fullmatch(r"lmtp +127\.0\.0\.1:\d+\n", lines[2])
        assert lines[3] == "ready\n"
        with socket.create_connection(("::1", int(found[1])), 5) as sock:
            assert sock.recv(100).startswith(b"220 ")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_secrets_are_in_no_argument_and_no_log(server: Server) -> None:
    assert server.process is not None
    secret = (server.folder / "server.key").read_bytes()
    for pid in [server.process.pid, *server.worker_pids()]:
        for name in ("cmdline", "environ"):
            try:
                octets = Path(f"/proc/{pid}/{name}").read_bytes()
            except PermissionError:
                continue
            assert PASSWORD.encode() not in octets
            assert secret not in octets
            assert secret.hex().encode() not in octets
    log = server.log_path.read_bytes()
    assert PASSWORD.encode() not in log
    assert secret not in log


def test_half_a_connection_gets_its_answers(server: Server) -> None:
    """Who sends everything and shuts his side must learn what was stored, or he sends it again."""
    before = len(server.listed())
    talk = server.connect()
    talk.send(
        b"EHLO a\r\nMAIL FROM:<a@a>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\nSubject: half\r\n\r\n.\r\nQUIT\r\n"
    )
    talk.socket.shutdown(socket.SHUT_WR)
    codes = [talk.reply()[0] for _ in range(7)]
    talk.close()
    assert codes == [220, 250, 250, 250, 354, 250, 221]
    assert len(server.listed()) == before + 1


def test_the_demo_says_what_was_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.eml").write_bytes(b"Subject: x\n\na\rb\n")
    began = time.monotonic()
    done = run(
        "demo",
        "--once",
        "--port-base",
        "0",
        "--send",
        str(tmp_path / "bad.eml"),
        env={"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 1
    assert time.monotonic() - began < 15, "the server hangs up soon after its last word, in TLS too"
    assert b"error: the message was not taken\n  why   the message was refused: 550" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["bad.eml"]
    (tmp_path / "own.eml").write_bytes(b"Subject: my own\n\nno end")
    own = run(
        "demo",
        "--once",
        "--port-base",
        "0",
        "--send",
        str(tmp_path / "own.eml"),
        env={"TMPDIR": str(tmp_path)},
    )
    assert own.returncode == 0, own.stdout
    assert b"Subject: my own" in own.stdout
