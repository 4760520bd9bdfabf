"""`mailstead verify` as its owner meets it: words, JSON, exit codes."""

import json
from pathlib import Path

import apsw
import pytest

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
    assert "mailstead verify --accept" in error
    code, out, error = told("verify", "--accept")
    assert code == 0
    assert f"INBOX, {words}" in out
    (event,) = [json.loads(line) for line in error.splitlines()]
    assert (event["event"], event["what"]) == ("verify.accepted", f"INBOX, {words}")
    assert json.loads(told("verify", "--json")[1])["ok"] is True
    assert len(json.loads(told("mail", "list", "--data", "--json")[1])) == 3
    assert server.run("verify", *own, stdin=b"wrong").returncode == 12
    assert server.stop() == 0
