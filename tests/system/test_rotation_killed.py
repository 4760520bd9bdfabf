"""kill -9 in the middle of a rotation, beside a server that delivers: no mail is lost, and it goes on."""

import contextlib
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.server import COMMAND, ENVIRONMENT, PASSWORD, Server, broken
from tests.support.standard import mails

pytestmark = [pytest.mark.system, pytest.mark.faults]
KILLS = 60 if os.environ.get("MAILSTEAD_FAULTS") == "full" else 6
LETTERS = 600
ANN = "ann@b.test"


@dataclass
class Life:
    """An account with a lot of mail, and what it should have."""

    server: Server
    folder: Path
    sent: list[bytes] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(4711))

    def deliver(self, count: int) -> None:
        with contextlib.closing(self.server.connect("lmtp")) as talk:
            talk.hello(b"LHLO")
            for _ in range(count):
                text = self.rng.randbytes(40).hex().encode()
                self.sent.append(b"Subject: letter %d\r\n\r\n%s\r\n" % (len(self.sent), text))
                for line, code in (
                    (b"MAIL FROM:<x@y.test>", 250),
                    (f"RCPT TO:<{ANN}>".encode(), 250),
                    (b"DATA", 354),
                ):
                    assert talk.command(line)[0] == code
                assert talk.command(self.sent[-1] + b".")[0] == 250

    def has_all(self) -> bool:
        found = {mail[mail.index(b"Subject:") :] for mail in mails(self.server, ANN)}
        return found == set(self.sent)

    def rotate(self, env: dict[str, str]) -> subprocess.Popen[bytes]:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        return subprocess.Popen(
            [*COMMAND, "--config", str(self.server.config), "key", "rotate", ANN, "--password-file", str(password)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT | env,
        )  # fmt: skip

    def kill_some(self, count: int, env: dict[str, str]) -> Iterator[bool]:
        """Begin a rotation *count* times and kill it when its keys are new, or nearly; whether it was, each time."""
        began = time.monotonic()
        self.rotate(env).communicate()
        took = time.monotonic() - began
        for _ in range(count):
            process = self.rotate(env)
            time.sleep(self.rng.uniform(took * 0.3, took))
            process.kill()
            process.communicate()
            yield process.returncode < 0
            self.deliver(3)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    server = Server(tmp_path / "box", listen=("lmtp", "imap"), auth="insecure_plaintext_login = true")
    life = Life(server.make().start(), tmp_path)
    life.deliver(LETTERS)
    assert life.has_all()
    return life


def test_what_a_killed_rotation_left_the_next_one_ends(life: Life) -> None:
    server, killed = life.server, 0
    for was in life.kill_some(KILLS, {}):
        killed += was
        assert life.has_all(), f"after kill {killed}"
    assert killed, "each one ended before it was killed"
    done = server.run("key", "rotate", ANN, "--password-file", "-", "--json", stdin=PASSWORD.encode())
    assert done.returncode == 0, done.stderr
    assert life.has_all()
    ring = json.loads(server.run("key", "show", ANN, "--json").stdout)
    assert ring["epoch"] == json.loads(done.stdout)["epoch"]
    assert server.stop() == 0
    assert '"level": "error"' not in server.read_log()


def test_a_rotation_in_many_transactions_is_found(life: Life) -> None:
    """The control: each statement is a transaction of its own."""
    try:
        whole = all(life.has_all() for _ in life.kill_some(40, broken("statements")))
    except AssertionError:
        whole = False
    assert not whole
