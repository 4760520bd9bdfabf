"""A flood of wrong passwords: nobody gets in, and who is in does not feel it."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.imaptalk import ImapTalk
from tests.support.pace import seconds
from tests.support.server import Server, broken

pytestmark = pytest.mark.system
FLOODERS = 50
SECONDS = 3.0
ENOUGH, PATIENCE = 4, 60.0  # a busy machine hashes slowly
KIB = 640 << 10  # a hash takes longer than the bound below, so whoever waits for one is seen


@contextlib.contextmanager
def serving(folder: Path, env: dict[str, str]) -> Iterator[Server]:
    auth = "insecure_plaintext_login = true"
    made = Server(folder / "box", listen=("smtp", "imap"), auth=auth, argon2_kib=KIB, env=env).make().start()
    try:
        yield made
    finally:
        made.kill()  # whoever still waits for an answer has none now
        for thread in threading.enumerate():
            if isinstance(thread, Flooder):
                thread.join(10)


class Flooder(threading.Thread):
    """Tries one wrong password after the other, on one connection after the other."""

    def __init__(self, server: Server, number: int, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.number, self.done = server, number, done
        self.answers: dict[bytes, int] = {}

    def run(self) -> None:
        n = 0
        while not self.done.is_set():
            n += 1
            user = ("ann@b.test", "nobody@b.test", f"x{n}@b.test")[n % 3]
            source = f"127.10.{self.number}.{1 + n % 250}"
            try:
                with contextlib.closing(ImapTalk(self.server.ports["imap"], source)) as talk:
                    said = talk.ask(b'LOGIN "%b" "wrong %d"' % (user.encode(), n))
            except OSError:
                continue
            if said.status:
                answer = said.status + b" " + said.code
                self.answers[answer] = self.answers.get(answer, 0) + 1


def hashed(flooders: list[Flooder]) -> int:
    """How many wrong passwords were hashed and refused by now."""
    return sum(f.answers.get(b"NO AUTHENTICATIONFAILED", 0) for f in flooders)


def flooded(server: Server) -> tuple[list[float], Counter[bytes]]:
    """How long each NOOP of a logged-in session took meanwhile, and what the others were answered."""
    session = ImapTalk(server.ports["imap"]).log_in("bob@local.test")
    session.ok(b"SELECT INBOX")
    done = threading.Event()
    flooders = [Flooder(server, n, done) for n in range(FLOODERS)]
    for flooder in flooders:
        flooder.start()
    took: list[float] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or (hashed(flooders) < ENOUGH and time.monotonic() < end + PATIENCE):
        began = time.monotonic()
        session.ok(b"NOOP")
        took.append(time.monotonic() - began)
        done.wait(0.01)
    done.set()
    session.close()
    answers: Counter[bytes] = Counter()
    for flooder in flooders:
        answers.update(dict(flooder.answers))
    return sorted(took), answers


def test_a_flood_of_wrong_passwords_slows_nobody_who_is_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("flood"), {}) as server:
        took, answers = flooded(server)
        assert set(answers) <= {b"NO AUTHENTICATIONFAILED", b"NO UNAVAILABLE"}, "a wrong password never opens"
        assert answers[b"NO AUTHENTICATIONFAILED"] >= ENOUGH, "passwords were hashed"
        assert took[int(len(took) * 0.99)] < seconds(0.25), took[-5:]


def test_the_test_can_fail(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The control: passwords that are hashed in the event loop."""
    with serving(tmp_path_factory.mktemp("flood"), broken("hashing")) as server:
        took, _ = flooded(server)
        assert took[int(len(took) * 0.99)] > seconds(0.25)
