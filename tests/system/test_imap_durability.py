"""OK is durable: kill -9 under clients that APPEND, REPLACE, STORE, COPY, MOVE and EXPUNGE; controls that lose."""

import os
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.imap import octets_of
from tests.support.imaptalk import ImapTalk
from tests.support.server import Server, broken

FULL = os.environ.get("MAILSTEAD_FAULTS") == "full"
ROUNDS = 40 if FULL else 3
CLIENTS = 20
USERS = ("ann@b.test", "bob@local.test")
FLAGS = (rb"\Flagged", rb"\Answered", b"$Work")
pytestmark = [pytest.mark.system, pytest.mark.faults]

Message = tuple[str, frozenset[bytes]]  # its token, and its flags


@dataclass(frozen=True)
class State:
    """What one client has in its two mailboxes, by UID."""

    box: dict[int, Message] = field(default_factory=dict)
    other: dict[int, Message] = field(default_factory=dict)

    def counted(self) -> tuple[Counter[Message], Counter[Message]]:
        return Counter(self.box.values()), Counter(self.other.values())


def octets_for(token: str) -> bytes:
    rng = random.Random(token)
    size = rng.choice([0, 10, 500, 500, 20_000, 400_000])  # the largest are spooled
    return f"X-Token: {token}\r\n\r\n".encode() + rng.randbytes(size // 2).hex().encode()


class Busy(threading.Thread):
    """A client alone in its mailboxes: it knows exactly what it was promised.

    `sure` is what the last OK left; `perhaps` what the command would have made of it that was
    under way when the connection ended.
    """

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.rng = random.Random(number)
        self.user = USERS[number % 2]
        self.sure, self.perhaps = State(), State()
        self.given: dict[bytes, dict[int, str]] = {b"box": {}, b"other": {}}  # UID to token, for good
        self.tokens = self.done = 0
        self.wrong: list[object] = []
        self.server: Server | None = None

    def name(self, which: bytes) -> bytes:
        return b"c%d/%b" % (self.number, which)

    def again(self, server: Server) -> "Busy":
        """The same client, in a thread of its own again."""
        made = Busy(self.number)
        made.__dict__.update({k: v for k, v in self.__dict__.items() if not k.startswith("_")})
        made.server = server
        made.start()
        return made

    def connect(self, server: Server) -> ImapTalk:
        return ImapTalk(server.ports["imap"], f"127.9.0.{self.number + 1}").log_in(self.user)

    def run(self) -> None:
        assert self.server is not None
        talk = None
        try:
            talk = self.connect(self.server)
            talk.ok(b"SELECT " + self.name(b"box"))
            while not self.wrong:
                self.step(talk)
                self.done += 1
        except (OSError, AssertionError):
            pass  # the server was killed: what was under way is `perhaps`
        finally:
            if talk is not None:
                talk.close()

    def step(self, talk: ImapTalk) -> None:
        box, other = dict(self.sure.box), dict(self.sure.other)
        some = self.rng.sample(sorted(box), min(len(box), self.rng.randint(1, 5)))
        uids = b",".join(b"%d" % uid for uid in some)
        flags = frozenset(self.rng.sample(FLAGS, self.rng.randint(0, 2)))
        match self.rng.choice(
            ["append", "append", "replace", "replace", "store", "copy", "move", "expunge"]
            if some
            else ["append"]
        ):
            case "append":
                token = f"{self.number}-{self.tokens}"
                self.tokens += 1
                message = (token, flags)
                self.perhaps = State(box | {-1: message}, other)
                said = talk.append(octets_for(token), self.name(b"box"), b"(%b) " % b" ".join(flags))
                uid = int(self.code(said.status, said.code, rb"APPENDUID \d+ (\d+)")[0])
                self.give(b"box", uid, token)
                self.sure = State(box | {uid: message}, other)
            case "replace":
                self.replace(talk, some[0], flags)
            case "store":
                changed = {uid: (box[uid][0], flags) for uid in some}
                self.perhaps = State(box | changed, other)
                said = talk.ask(b"UID STORE %b FLAGS (%b)" % (uids, b" ".join(flags)))
                self.code(said.status, b"", b"")
                self.sure = self.perhaps
            case "copy" | "move" as how:
                left = {u: m for u, m in box.items() if how == "copy" or u not in some}
                self.perhaps = State(left, other | {-u: box[u] for u in some})
                said = talk.ask(b"UID %b %b %b" % (how.upper().encode(), uids, self.name(b"other")))
                text = said.code if how == "copy" else b" ".join(said.untagged)
                sources, targets = self.code(said.status, text, rb"COPYUID \d+ ([\d,:]+) ([\d,:]+)")
                pairs = dict(zip(spelt(sources), spelt(targets), strict=True))
                if set(pairs) != set(some):
                    self.wrong.append((how, some, pairs))
                for source, target in pairs.items():
                    self.give(b"other", target, box[source][0])
                self.sure = State(left, other | {t: box[s] for s, t in pairs.items()})
            case _:
                deleted = {uid: (box[uid][0], flags | {rb"\Deleted"}) for uid in some}
                self.perhaps = State(box | deleted, other)
                said = talk.ask(b"UID STORE %b FLAGS.SILENT (%b)" % (uids, b" ".join((*flags, rb"\Deleted"))))
                self.code(said.status, b"", b"")
                self.sure = self.perhaps
                self.perhaps = State({u: m for u, m in box.items() if u not in some}, other)
                said = talk.ask(b"UID EXPUNGE " + uids)
                self.code(said.status, b"", b"")
                self.sure = self.perhaps

    def replace(self, talk: ImapTalk, old: int, flags: frozenset[bytes]) -> None:
        """One goes and one comes, here or in the other mailbox: whatever happens, one of them is there."""
        left, other = {u: m for u, m in self.sure.box.items() if u != old}, self.sure.other
        which, token = self.rng.choice((b"box", b"other")), f"{self.number}-{self.tokens}"
        self.tokens += 1

        def with_new(uid: int) -> State:
            new = {uid: (token, flags)}
            return State(left | new, other) if which == b"box" else State(left, other | new)

        self.perhaps = with_new(-1)
        octets = octets_for(token)
        command = b"UID REPLACE %d %b (%b) {%d}" % (old, self.name(which), b" ".join(flags), len(octets))
        said = talk.ask(command, octets)
        uid = int(self.code(said.status, b" ".join(said.untagged), rb"APPENDUID \d+ (\d+)")[0])
        self.give(which, uid, token)
        self.sure = with_new(uid)

    def code(self, status: bytes, text: bytes, pattern: bytes) -> tuple[bytes, ...]:
        if not status:
            raise ConnectionError
        found = re.search(pattern, text)
        if status != b"OK" or found is None:
            self.wrong.append((status, text))
            raise ConnectionError
        return found.groups()

    def give(self, which: bytes, uid: int, token: str) -> None:
        if self.given[which].setdefault(uid, token) != token:
            self.wrong.append(("a UID was given twice", uid, token))

    def check(self, server: Server) -> None:
        """What is there is what was promised, or that and all of what was under way."""
        talk = self.connect(server)
        there = State(self.read(talk, b"box"), self.read(talk, b"other"))
        talk.close()
        if there.counted() not in (self.sure.counted(), self.perhaps.counted()):
            self.wrong.append(("lost", self.number, self.sure, self.perhaps, there))
        for which, found, promised in (
            (b"box", there.box, self.sure.box),
            (b"other", there.other, self.sure.other),
        ):
            for uid, (token, _) in found.items():
                self.give(which, uid, token)
            if any(uid in found and found[uid][0] != token for uid, (token, _) in promised.items()):
                self.wrong.append(("a UID means another message", found, promised))
        self.sure = self.perhaps = there

    def read(self, talk: ImapTalk, which: bytes) -> dict[int, Message]:
        found: dict[int, Message] = {}
        talk.ok(b"EXAMINE " + self.name(which))
        for line in talk.ok(b"UID FETCH 1:* (FLAGS BODY.PEEK[])").having(b"BODY[]"):
            octets = octets_of(line)
            assert octets is not None
            token = octets[9 : octets.index(b"\r\n")].decode()
            if octets != octets_for(token):
                self.wrong.append(("not the octets that were put in", token))
            flags = re.findall(rb"FLAGS \(([^)]*)\)", line[:200])[0].split()
            found[int(re.findall(rb"UID (\d+)", line[:200])[0])] = (token, frozenset(flags) - {rb"\Recent"})
        return found


def spelt(numbers: bytes) -> list[int]:
    found: list[int] = []
    for piece in numbers.split(b","):
        low, _, high = piece.partition(b":")
        found.extend(range(int(low), int(high or low) + 1))
    return found


def rounds(server: Server, count: int, number: int) -> tuple[int, list[object]]:
    """Let everybody work, kill the server, and look; how much was done, and what was wrong."""
    clients = [Busy(n) for n in range(number)]
    server.start()
    for client in clients:
        talk = client.connect(server)
        for which in (b"box", b"other"):
            talk.ok(b"CREATE " + client.name(which))
        talk.close()
    rng = random.Random(7)
    for _ in range(count):
        clients = [client.again(server) for client in clients]
        before = sum(c.done for c in clients)
        end = time.monotonic() + 20
        while sum(c.done for c in clients) < before + 2 * number and any(c.is_alive() for c in clients):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        server.kill()
        for client in clients:
            client.join(10)
        server.start()
        for client in clients:
            client.check(server)
        wrong = [w for client in clients for w in client.wrong]
        if wrong:
            server.kill()
            return sum(c.done for c in clients), wrong
    assert server.stop() == 0
    return sum(c.done for c in clients), []


def test_nothing_that_was_ok_is_lost_by_kill_9(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(
        tmp_path_factory.mktemp("imapdurable") / "box", USERS, workers=2, listen=("imap",),
        auth="insecure_plaintext_login = true",
    ).make()  # fmt: skip
    done, wrong = rounds(server, ROUNDS, CLIENTS)
    assert wrong == []
    assert done > ROUNDS * 40, "the test did its work"


def rounds_of(folder: Path, how: str) -> list[object]:
    server = Server(
        folder / "box", USERS, workers=1, listen=("imap",), auth="insecure_plaintext_login = true",
        env=broken(how),
    ).make()  # fmt: skip
    return rounds(server, 6, 6)[1]


def test_the_test_can_fail(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The control: a server whose OK does not wait for the commit."""
    wrong = rounds_of(tmp_path_factory.mktemp("imapbroken"), "changes")
    assert any(isinstance(w, tuple) and w[0] == "lost" for w in wrong), wrong


def test_a_replace_in_two_transactions_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The control: the old message goes, and only then the new one comes; killed in between there is neither."""
    wrong = rounds_of(tmp_path_factory.mktemp("imaphalves"), "halves")
    lost = [w for w in wrong if isinstance(w, tuple) and w[0] == "lost"]
    assert lost, wrong
    for _, _, sure, perhaps, there in lost:
        assert len(there.box) + len(there.other) < len(sure.box) + len(sure.other)
        assert len(perhaps.box) + len(perhaps.other) == len(sure.box) + len(sure.other), "it was a REPLACE"
