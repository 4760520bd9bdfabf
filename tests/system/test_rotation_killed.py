"""kill -9 in the middle of a rotation, beside a server that delivers: no mail is lost, and it goes on."""

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.server import COMMAND, ENVIRONMENT, PASSWORD, Server
from tests.support.standard import mails

pytestmark = [pytest.mark.system, pytest.mark.faults]
KILLS = 60 if os.environ.get("MAILSTEAD_FAULTS") == "full" else 6
LETTERS = 600
ANN = "ann@b.test"


def test_what_a_killed_rotation_left_the_next_one_ends(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", listen=("lmtp", "imap"), auth="insecure_plaintext_login = true")
    server.make().start()
    rng = random.Random(4711)
    sent: list[bytes] = []

    def deliver(count: int) -> None:
        talk = server.connect("lmtp").hello(b"LHLO")
        for _ in range(count):
            sent.append(b"Subject: letter %d\r\n\r\n%s\r\n" % (len(sent), rng.randbytes(40).hex().encode()))
            for line, code in (
                (b"MAIL FROM:<x@y.test>", 250),
                (f"RCPT TO:<{ANN}>".encode(), 250),
                (b"DATA", 354),
            ):
                assert talk.command(line)[0] == code
            assert talk.command(sent[-1] + b".")[0] == 250
        talk.close()

    def found() -> set[bytes]:
        return {mail[mail.index(b"Subject:") :] for mail in mails(server, ANN)}

    deliver(LETTERS)
    assert found() == set(sent)
    killed = 0
    for at in range(KILLS):
        password = tmp_path / "password"
        password.write_text(PASSWORD)
        process = subprocess.Popen(
            [*COMMAND, "--config", str(server.config), "key", "rotate", ANN, "--password-file", str(password)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT,
        )  # fmt: skip
        assert process.stdout is not None
        if at % 2:
            process.stdout.readline()  # the keys are new, and most is still to be sealed again
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.communicate()
        killed += process.returncode < 0
        deliver(3)
        assert found() == set(sent), f"after kill {at}"
    assert killed, "each one ended before it was killed"
    done = server.run("key", "rotate", ANN, "--password-file", "-", "--json", stdin=PASSWORD.encode())
    assert done.returncode == 0, done.stderr
    assert found() == set(sent)
    ring = json.loads(server.run("key", "show", ANN, "--json").stdout)
    assert ring["epoch"] == json.loads(done.stdout)["epoch"]
    assert server.stop() == 0
    assert '"level": "error"' not in server.read_log()
