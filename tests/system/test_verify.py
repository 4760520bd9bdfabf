"""`mailstead verify` as its owner meets it: words, JSON, exit codes."""

import json
import random
import time
from pathlib import Path

import apsw
import pytest

from mailstead.crypto.serverkey import ServerKey
from tests.support.imaptalk import ImapTalk
from tests.support.loader import Ledger as Acknowledged
from tests.support.loader import load
from tests.support.server import PASSWORD, Server

pytestmark = pytest.mark.system


def test_verify_says_and_accepts(tmp_path: Path) -> None:
    server = Server(tmp_path / "box").make().start()
    own = ("--user", "ann@b.test", "--password-file", "-")

    def told(*arguments: str) -> tuple[int, str, str]:
        done = server.run(*arguments, *own, stdin=PASSWORD.encode())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    talk = server.connect().hello()
    for n in range(3):
        talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
        assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
        talk.send(b"Subject: %d\r\n\r\nbody\r\n.\r\n" % n)
        assert talk.reply()[0] == 250
    talk.close()
    assert len(json.loads(told("mail", "list", "--data", "--json")[1])) == 3
    assert told("verify")[:2] == (0, "6 mailboxes, all as they were left\n")
    connection = apsw.Connection(str(server.data / "mail.db"))
    connection.execute("DELETE FROM state")
    connection.close()
    code, out, _ = told("verify", "--json")
    words = "flags of messages 1-256: nothing found, version 1 was written"
    assert (code, json.loads(out)) == (
        4,
        {
            "ok": False,
            "accepted": False,
            "mailboxes": 6,
            "differences": [{"mailbox": "INBOX", "what": words}],
        },
    )
    code, out, error = told("mail", "list", "--data", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert f"INBOX, {words}" in error
    code, out, error = told("verify")
    assert code == 4
    assert "mailstead verify --user ann@b.test --accept" in error
    code, out, error = told("verify", "--accept")
    assert code == 0
    assert f"INBOX, {words}" in out
    (event,) = [json.loads(line) for line in error.splitlines()]
    assert (event["event"], event["what"]) == ("verify.accepted", f"INBOX, {words}")
    assert json.loads(told("verify", "--json")[1])["ok"] is True
    assert len(json.loads(told("mail", "list", "--data", "--json")[1])) == 3
    for wrong in (b"wrong", b""):
        assert server.run("verify", *own, stdin=wrong).returncode == 12
    fresh = json.loads(server.run("key", "words", "ann@b.test", "--password-file", "-", "--json",
                                  stdin=PASSWORD.encode()).stdout)  # fmt: skip
    words_file = ("--words-file", "-")
    done = server.run(
        "verify", "--accept", *own[:2], *words_file, stdin=" ".join(fresh["recovery_words"]).encode()
    )
    assert done.returncode == 0, done.stderr
    assert server.stop() == 0


def deliver(server: Server, *subjects: bytes) -> None:
    talk = server.connect().hello()
    for subject in subjects:
        talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
        assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
        talk.send(b"Subject: %b\r\n\r\nbody\r\n.\r\n" % subject)
        assert talk.reply()[0] == 250
    talk.close()


def verified(server: Server, *more: str) -> tuple[int, list[dict[str, str]]]:
    own = ("--user", "ann@b.test", "--password-file", "-", "--json")
    done = server.run("verify", *more, *own, stdin=PASSWORD.encode())
    return done.returncode, json.loads(done.stdout)["differences"]


def test_a_database_that_was_set_back_is_known_by_the_ledger(tmp_path: Path) -> None:
    auth = "insecure_plaintext_login = true"
    server = Server(tmp_path / "box", listen=("smtp", "imap"), auth=auth).make().start()
    deliver(server, b"1")
    assert server.stop() == 0
    then = {p: p.read_bytes() for p in server.data.glob("mail.db*")}
    server.start()
    deliver(server, b"2", b"3")
    session = ImapTalk(server.ports["imap"]).log_in("ann@b.test")
    session.ok(b"SELECT INBOX")
    session.ok(rb"STORE 1:* +FLAGS (\Seen)")
    session.ok(b"LOGOUT")
    session.close()
    assert server.stop() == 0
    assert verified(server) == (0, [])
    for path in server.data.glob("mail.db*"):
        path.unlink()
    for path, octets in then.items():
        path.write_bytes(octets)
    server.start()
    code, said = verified(server)
    assert code == 4
    assert said[0]["mailbox"] == ""
    assert said[0]["what"].startswith("all of the account, by its anchor: version ")
    missing = "2 messages are missing that had been delivered: the last was UID 3"
    assert said[1:] == [{"mailbox": "INBOX", "what": missing}]
    session = ImapTalk(server.ports["imap"]).log_in("ann@b.test")
    told = session.ok(b"SELECT INBOX")
    alerts = [line for line in told.untagged if line.startswith(b"* NO [ALERT]")]
    assert [line.partition(b": version")[0] for line in alerts] == [
        b"* NO [ALERT] all of the account, by its anchor",
        b"* NO [ALERT] INBOX, " + missing.encode(),
    ]
    assert told.text.startswith(b"[READ-ONLY]")
    assert b"Subject: 1" in session.ok(b"FETCH 1 BODY.PEEK[]").untagged[0]
    refused = session.ask(b"CREATE x")
    assert (refused.status, refused.text[:14]) == (b"NO", b"[CONTACTADMIN]")
    assert verified(server, "--accept")[0] == 0
    session.ok(b"CREATE x")
    session.ok(b"SELECT INBOX")
    session.ok(rb"STORE 1 +FLAGS (\Seen)")
    deliver(server, b"4")
    session.ok(b"NOOP")
    assert session.ok(b"FETCH 2 UID").untagged[-1] == b"* 2 FETCH (UID 4)"
    session.ok(b"LOGOUT")
    session.close()
    assert verified(server) == (0, [])
    assert server.stop() == 0


def test_kill_9_makes_no_false_alarm(tmp_path: Path) -> None:
    """Two workers, ten clients and a reader who changes flags; the ledger may lag behind, and never leads."""
    auth = "insecure_plaintext_login = true"
    server = Server(tmp_path / "box", workers=2, listen=("smtp", "imap"), auth=auth).make()
    acknowledged, rng = Acknowledged(), random.Random(6)
    for round_ in range(4):
        server.start()
        loaders = load(server.ports["smtp"], 10, f"v{round_}", acknowledged)
        session = ImapTalk(server.ports["imap"]).log_in("ann@b.test")
        session.ok(b"SELECT INBOX")
        session.ask(rb"STORE 1:* +FLAGS (\Seen)")
        time.sleep(rng.uniform(0.1, 0.8))
        server.kill()
        session.close()
        for loader in loaders:
            loader.join(10)
        assert verified(server) == (0, [])
    assert len(acknowledged.acknowledged) > 40, "the test did its work"
    chain = ServerKey((server.folder / "server.key").read_bytes()).rows.ledger
    octets = (server.data / "ledger" / "own.log").read_bytes()
    assert chain.follow(octets) == len(octets)
    assert octets
