"""A real `mailstead serve` in processes of its own, and its command line."""

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PASSWORD = "correct horse battery staple"
COMMAND = [sys.executable, "-m", "mailstead"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "MAILSTEAD_CONFIG"} | {
    "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")
}
BROKEN = Path(__file__).resolve().parents[1] / "system" / "broken"


def broken(how: str) -> dict[str, str]:
    """An environment in which mailstead is broken in one place, for a control (`tests/system/broken`).

    Args:
        how: As MAILSTEAD_BROKEN says it there.
    """
    return {"PYTHONPATH": f"{BROKEN}:{ENVIRONMENT['PYTHONPATH']}", "MAILSTEAD_BROKEN": how}


def run(
    *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=seconds,
        env=ENVIRONMENT | (env or {}),
    )


@dataclass
class Server:
    """One folder made by `init`, and the server on it while it runs."""

    folder: Path
    users: Sequence[str] = ("ann@b.test", "bob@local.test")
    workers: int = 1
    extra: str = ""
    listen: Sequence[str] = ("smtp", "lmtp")
    auth: str = ""  # more lines of its table
    argon2_kib: int = 19456
    wrap: Sequence[str] = ()
    env: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    log_path: Path = Path()
    kept: dict[str, list[bytes]] = field(default_factory=dict)  # of tests/support/standard.py

    def __post_init__(self) -> None:
        if self.log_path == Path():
            self.log_path = self.folder.with_suffix(".log")

    @property
    def config(self) -> Path:
        return self.folder / "mailstead.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> "Server":
        domains = dict.fromkeys(u.partition("@")[2] for u in self.users)
        options = [o for d in domains for o in ("--domain", d)]
        made = run("init", str(self.folder), "--hostname", "mx.b.test", *options)
        assert made.returncode == 0, made.stderr
        listed = ", ".join(f'"{d}"' for d in domains)
        listen = "".join(f'{name} = "127.0.0.1:0"\n' for name in self.listen)
        self.config.write_text(
            f'hostname = "mx.b.test"\ndomains = [{listed}]\nworkers = {self.workers}\n'
            f"[listen]\n{listen}"
            '[tls]\ncertificate = "certificate.pem"\nkey = "certificate.key"\n'
            f"[auth]\nargon2_kib = {self.argon2_kib}\nargon2_passes = 1\n{self.auth}\n"
            f"{self.extra}\n"
        )
        for user in self.users:
            added = self.run("user", "add", user, "--password-file", "-", stdin=PASSWORD.encode())
            assert added.returncode == 0, added.stderr
        return self

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return run("--config", str(self.config), *arguments, stdin=stdin)

    def start(self) -> "Server":
        command = [*self.wrap, *COMMAND, "--config", str(self.config), "serve"]
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=ENVIRONMENT | self.env
        )
        assert self.process.stdout is not None
        lines: list[str] = []
        while (line := self.process.stdout.readline()) and line != "ready\n":
            lines.append(line)
            if found := re.match(r"(\w+) +127\.0\.0\.1:(\d+)$", line):
                self.ports[found[1]] = int(found[2])
        atexit.register(self._never_leave)  # a test that fails leaves no server behind
        assert line == "ready\n", (lines, self.read_log())
        return self

    def _never_leave(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()  # and its workers with it

    def read_log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def worker_pids(self) -> list[int]:
        assert self.process is not None
        parent = self.process.pid
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(path.parent.name))
        return found

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=40)
        self._close()
        return code

    def kill(self) -> None:
        """Everything at once, as by kill -9 of the whole group: no goodbye to anybody."""
        assert self.process is not None
        for pid in [*self.worker_pids(), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(timeout=10)
        self._close()

    def _close(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()

    def connect(self, service: str = "smtp") -> "Talk":
        return Talk(self.ports[service])

    def mails(self, user: str = "ann@b.test") -> list[bytes]:
        """Every message of a user's INBOX, as kept, in UID order, by the command line."""
        folder = self.folder / "out"
        done = self.run(
            "mail", "export", str(folder), "--data", "--user", user, "--password-file", "-",
            stdin=PASSWORD.encode(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        paths = sorted((folder / "INBOX").glob("*.eml"), key=lambda p: int(p.stem))
        found = [p.read_bytes() for p in paths]
        for path in paths:
            path.unlink()
        return found

    def listed(self, user: str = "ann@b.test") -> list[dict[str, object]]:
        done = self.run(
            "mail",
            "list",
            "--json",
            "--data",
            "--user",
            user,
            "--password-file",
            "-",
            stdin=PASSWORD.encode(),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass
class Said:
    """What went out over every `Talk` since it was cleared."""

    connections: int = 0
    octets: int = 0
    passwords: int = 0  # to be hashed
    pieces: list[bytes] = field(default_factory=list)

    def clear(self) -> None:
        self.connections = self.octets = self.passwords = 0
        self.pieces = []


SAID = Said()


class Talk:
    """One raw connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), 10, (source, 0))
        self.buffer = b""
        SAID.connections += 1

    def send(self, octets: bytes) -> None:
        SAID.octets += len(octets)
        SAID.pieces.append(octets[:4096])
        self.socket.sendall(octets)

    def reply(self) -> tuple[int, bytes]:
        """The next whole reply; code 0 when the connection ended."""
        whole = b""
        while True:
            end = self.buffer.find(b"\r\n")
            if end < 0:
                try:
                    came = self.socket.recv(65536)
                except (ConnectionError, TimeoutError):
                    came = b""
                if not came:
                    return 0, whole + self.buffer
                self.buffer += came
                continue
            line, self.buffer = self.buffer[: end + 2], self.buffer[end + 2 :]
            whole += line
            if line[3:4] != b"-":
                return int(line[:3]), whole

    def command(self, line: bytes) -> tuple[int, bytes]:
        self.send(line + b"\r\n")
        return self.reply()

    def hello(self, word: bytes = b"EHLO") -> "Talk":
        assert self.reply()[0] == 220
        assert self.command(word + b" a.test")[0] == 250
        return self

    def until_closed(self, seconds: float = 10) -> bytes:
        """Everything until the server closes, or nothing came for *seconds*."""
        self.socket.settimeout(seconds)
        whole, self.buffer = self.buffer, b""
        try:
            while came := self.socket.recv(65536):
                whole += came
        except (TimeoutError, ConnectionError):
            pass
        return whole

    def closed(self, seconds: float = 12) -> bool:
        """Whether the server closes within *seconds*."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.socket.settimeout(max(0.05, end - time.monotonic()))
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                return False
            except ConnectionError:
                return True
        return False

    def close(self) -> None:
        self.socket.close()
