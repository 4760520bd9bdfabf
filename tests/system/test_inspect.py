"""`mailstead inspect`: what sealed octets show without a key, with one, and in a copy."""

import base64
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.crypto.records import header
from mailstead.crypto.sealed import Kind, Ref
from tests.support.server import PASSWORD, Server, run
from tests.support.terminal import Terminal

pytestmark = pytest.mark.system
LETTER = b"From: zoe@a.test\r\nSubject: Zq7kanarie\r\n\r\nZq7kanarie\r\n"
KEY = ("--user", "ann@b.test", "--password-file", "-")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("inspect") / "box").make().start()
    deliver(made, LETTER)
    deliver(made, LETTER + b"0123456789abcdef\r\n" * 40_000)
    assert len(made.listed()) == 2  # absorbed
    deliver(made, LETTER)
    yield made
    assert made.stop() == 0


def deliver(server: Server, octets: bytes) -> None:
    talk = server.connect().hello()
    talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
    assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
    talk.send(octets + b".\r\n")
    assert talk.reply()[0] == 250
    talk.close()


def found(server: Server, *arguments: str, code: int = 0, password: str = PASSWORD) -> "object":
    done = server.run("inspect", *arguments, "--json", stdin=password.encode())
    assert done.returncode == code, done.stdout
    assert b"Zq7kanarie" not in done.stdout
    return json.loads(done.stdout)


def rows(server: Server, sort: str, *file: str, whose: str = "ann@b.test") -> list[str]:
    listed = found(server, *file, f"{sort}:{whose}")
    assert isinstance(listed, list)
    return [row["row"] for row in listed]


def view(server: Server, *arguments: str) -> dict[str, object]:
    said = found(server, *arguments)
    assert isinstance(said, dict)
    return said


def test_all_sorts_are_counted(server: Server) -> None:
    counted = found(server)
    assert isinstance(counted, list)
    by = {one["sort"]: one for one in counted}
    assert by["page"]["rows"] == 2
    assert by["body"]["rows"] == 3
    assert by["summary"]["rows"] == by["lane"]["rows"] == 1
    assert by["address"] == {"sort": "address", "rows": 6, "octets": 0, "sealed": False}
    assert found(server, "tomb:ann@b.test") == []
    plain = server.run("inspect")
    assert b"ids, UIDVALIDITY, UIDNEXT, counters; no names" in plain.stdout


def test_a_row_says_what_it_is_bound_to_and_what_nobody_knows(server: Server) -> None:
    (name,) = [row for row in rows(server, "page") if row.endswith("/A")]
    said = view(server, name)
    box = name.split("/")[1]
    bound = said["bound_to"]
    assert isinstance(bound, dict)
    assert said["kind"] == {"number": 16, "name": "PAGE"}
    assert (bound["place"], bound["index"], bound["version"], bound["modseq"]) == (box, 0, 1, 0)
    assert int(bound["key_id"], 16) == 1
    assert said["beside"] == {"version": 1, "epoch": 1, "write_id": bound["write"]}
    assert said["opened"] is None
    assert "dates and exact sizes" in said["not_known"]  # type: ignore[operator]
    shown = server.run("inspect", name).stdout.decode()
    assert f"place {box}" in shown
    assert "nobody gave a key" in shown


def test_a_key_opens_every_row_and_its_frame_is_within_what_was_said(server: Server) -> None:
    names = [
        name
        for sort in ("keyring", "counts", "leaf", "page", "state", "lane", "summary", "body", "note")
        for name in rows(server, sort)
    ] + ["mboxes:ann@b.test", "anchor:ann@b.test", "account-leaf:ann@b.test"]  # fmt: skip
    assert len(names) >= 20
    for name in names:
        said = view(server, name, *KEY)
        opened, size = said["opened"], said.get("content_octets")
        assert isinstance(opened, dict), name
        if name.startswith("lane:"):
            continue
        assert isinstance(size, dict)
        assert size["least"] <= opened["framed_octets"] <= size["most"], name


def test_an_absorbed_body_hides_its_lane_and_a_key_finds_it(server: Server) -> None:
    hidden = [view(server, name)["bound_to"]["key_id"] for name in rows(server, "body")]  # type: ignore[index, call-overload]
    assert hidden.count(None) == 2
    assert len([key for key in hidden if key]) == 1
    flags = [view(server, name, *KEY)["opened"]["flags"] for name in rows(server, "body")]  # type: ignore[index, call-overload]
    assert sorted(flags) == [["padded", "seekable"], ["padded", "zstd"], ["padded", "zstd"]]


def test_the_mail_is_shown_only_when_it_is_asked_for(server: Server) -> None:
    (name,) = [n for n in rows(server, "body") if "lane_id" in view(server, n)["beside"]]  # type: ignore[operator]
    done = server.run("inspect", name, *KEY, "--content", stdin=PASSWORD.encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(LETTER)
    coded = json.loads(
        server.run("inspect", name, *KEY, "--content", "--json", stdin=PASSWORD.encode()).stdout
    )
    assert base64.b64decode(coded["content"]) == done.stdout
    assert b"Zq7kanarie" not in server.run("inspect", name, *KEY, stdin=PASSWORD.encode()).stdout
    found(server, name, "--content", code=2)
    found(server, rows(server, "keyring")[0], *KEY, "--content", code=1)
    (server.folder / "pw").write_text(PASSWORD)
    command = [
        "inspect",
        name,
        "--user",
        "ann@b.test",
        "--password-file",
        str(server.folder / "pw"),
        "--content",
    ]
    with Terminal([*_mailstead(server), *command]) as terminal:
        terminal.ends()
        assert "--content does not write on a terminal" in terminal.shown


def _mailstead(server: Server) -> list[str]:
    from tests.support.server import COMMAND

    return [*COMMAND, "--config", str(server.config)]


def test_another_owner_or_a_wrong_password_opens_nothing(server: Server) -> None:
    (name, *_) = rows(server, "page")
    found(server, name, *KEY, code=12, password="wrong")
    other = found(server, name, "--user", "bob@local.test", "--password-file", "-", code=12)
    assert "another account" in other["why"]  # type: ignore[index, call-overload]
    slots = [
        server.run("inspect", slot, *KEY, "--json", stdin=PASSWORD.encode()).returncode
        for slot in rows(server, "slot")
    ]
    assert sorted(slots) == [0, 12], "the words are another way in"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nothing-there",), 2),
        (("page:ann@b.test/x",), 2),
        (("page:nobody@b.test",), 1),
        (("page:ann@elsewhere.test",), 1),
        (("page:ann@b.test", "page:ann@b.test"), 2),
        (("page:ann@b.test", "--user", "ann@b.test"), 2),
        ((f"page:ann@b.test/{'0' * 32}/0/A",), 1),
        ((__file__,), 1),
        ((__file__, "page:ann@b.test"), 2),
    ],
)
def test_what_cannot_be_inspected_is_told_in_one_shape(
    server: Server, arguments: tuple[str, ...], code: int
) -> None:
    said = found(server, *arguments, code=code)
    assert isinstance(said, dict)
    assert set(said) == {"error", "why", "fix", "exit"}
    assert all(said.values())


def copied(server: Server, folder: Path) -> Path:
    with sqlite3.connect(server.data / "mail.db") as source, sqlite3.connect(folder / "copy.db") as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    return folder / "copy.db"


def test_a_copy_is_looked_into_and_stays_as_it_is(server: Server, tmp_path: Path) -> None:
    copy = copied(server, tmp_path)
    before = hashlib.sha256(copy.read_bytes()).hexdigest()
    counted = found(server, str(copy))
    assert isinstance(counted, list)
    assert {one["sort"]: one["rows"] for one in counted}["page"] == 2
    name = rows(server, "page", str(copy))[0]
    assert view(server, str(copy), name)["opened"] is None
    assert view(server, str(copy), name, *KEY)["opened"]
    assert [p.name for p in tmp_path.iterdir()] == ["copy.db"]
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == before
    alone = run("inspect", str(copy), name, "--json")
    assert alone.returncode == 0, "no settings are needed to look into a copy"


def test_a_changed_column_is_a_row_that_does_not_open(server: Server, tmp_path: Path) -> None:
    copy = copied(server, tmp_path)
    with sqlite3.connect(copy) as changed:
        changed.execute("UPDATE page SET version = version + 1")
        changed.execute("UPDATE record SET octets = substr(octets, 1, 60) WHERE kind = 19")
    name = rows(server, "page", str(copy))[0]
    assert "does not open" in found(server, str(copy), name, *KEY, code=12)["error"]  # type: ignore[index, call-overload]
    assert "length" in view(server, str(copy), "mboxes:ann@b.test")["damage"]  # type: ignore[operator]


def test_files_that_are_no_database(server: Server, tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(os.urandom(67_720))
    assert "pieces of the spool" in view(server, str(spooled))["holds"]  # type: ignore[operator]
    record = tmp_path / "record"
    record.write_bytes(header(Kind.SUMMARY, Ref.LANE, 7, b"o" * 16, b"l" * 16, 3, 1) + os.urandom(280))
    said = view(server, str(record))
    assert said["kind"] == {"number": 2, "name": "SUMMARY"}
    assert said["octets"] == 280
    assert said["bound_to"]["key_id"] == (b"l" * 16).hex()  # type: ignore[index, call-overload]
    record.write_bytes(b"EMS1" + bytes(44))
    found(server, str(record), code=13)
    damaged = tmp_path / "mail.db"
    damaged.write_bytes(b"SQLite format 3\x00" + bytes(5000))
    found(server, str(damaged), code=14)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE page (x)")
    found(server, str(tmp_path / "other.db"), code=14)
