"""`mailstead leakcheck`: it holds for what is built, and finds out what is built wrongly."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.cli.leakreport import show
from mailstead.leakcheck.canaries import NAMES as NAMED
from mailstead.leakcheck.canaries import SEARCHED as SAID
from mailstead.leakcheck.places import Searched
from mailstead.leakcheck.running import Report
from mailstead.leakcheck.table import ITEMS, Verdict, still_there, unchecked
from tests.support.engines import fresh_postgres
from tests.support.server import COMMAND, ENVIRONMENT, PASSWORD, Server, broken, run

pytestmark = pytest.mark.system
FULL = os.environ.get("MAILSTEAD_FAULTS") == "full"
MAIL, NAMES, SEARCHED, PASSWORDS = "bodies,", "mailbox names,", "search terms,", "passwords"


def checked(done: "subprocess.CompletedProcess[bytes]", code: int) -> dict[str, dict[str, str]]:
    """The table by the beginnings of its items."""
    assert done.returncode == code, (done.stdout, done.stderr)
    said = json.loads(done.stdout)
    assert said["ok"] == (code == 0)
    return {row["item"]: row for row in said["table"]}


def verdict(table: dict[str, dict[str, str]], item: str) -> str:
    (row,) = [row for name, row in table.items() if name.startswith(item)]
    return row["verdict"]


def test_nothing_leaks(tmp_path: Path) -> None:
    """Of every item is said whether it was tried; a large message was in the spool when it was looked for."""
    done = run(
        "leakcheck", "--json", "--words-file", "-", stdin=b"wordofmine\n", env={"TMPDIR": str(tmp_path)}
    )
    table = checked(done, 0)
    verdicts = [row["verdict"] for row in table.values()]
    assert len(verdicts) == len(ITEMS)
    assert verdicts.count("not checked") == 3
    assert all(row["found"] for row in table.values())
    assert verdict(table, "old data") == "as said"
    said = json.loads(done.stdout)
    assert said["findings"] == []
    assert said["words"] > 25
    searched = said["searched"]
    assert searched["nameless"] >= 1
    assert searched["rows"] > 50
    assert searched["octets"] > 1_000_000
    assert searched["not_readable"] == []
    assert b"wordofmine" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "leaks"),
    [
        ("unsealed BODY", {MAIL: {"body", "attachment", "subject", "appended body"}}),
        ("unsealed SUMMARY PAGE", {MAIL: {"subject", "sender", "attachment's name"}, NAMES: {"keyword"}}),
        ("unsealed MBOXES STATE METADATA", {NAMES: set(NAMED)}),
        ("unsealed KEYRING", {PASSWORDS: {"app password's name"}}),
        ("spool", {MAIL: {"large body"}}),
        (
            "trace",
            {MAIL: {"body"}, NAMES: set(NAMED), SEARCHED: set(SAID), PASSWORDS: {"password", "wrong name"}},
        ),
    ],
)
def test_what_is_not_sealed_is_found_out(how: str, leaks: dict[str, set[str]]) -> None:
    """The control: each kind of record that is stored as it is, each thing that is written elsewhere."""
    table = checked(run("leakcheck", "--json", env=broken(how)), 1)
    for item in (MAIL, NAMES, SEARCHED, PASSWORDS):
        assert (verdict(table, item) == "leaks") == (item in leaks), (how, item)
        (row,) = [row for name, row in table.items() if name.startswith(item)]
        assert leaks.get(item, set()) <= set(re.findall(r"(?:^|; )([a-z' ]+): ", row["found"])), (how, row)
    assert verdict(table, "old data") == "not checked", "nobody waits when it leaks anyway"


def test_what_was_erased_and_is_not_is_found(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "log").write_bytes(bytes(5000) + b"trace" + bytes(5000))
    assert still_there(tmp_path, [b"other"]) == []
    assert still_there(tmp_path, [b"other", b"trace"]) == [tmp_path / "log"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("leaks") / "box").make().start()
    deliver(made)
    yield made
    assert made.stop() == 0


def deliver(server: Server) -> None:
    talk = server.connect().hello()
    talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
    assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
    talk.send(b"Subject: xylophone\r\n\r\nxylophone\r\n.\r\n")
    assert talk.reply()[0] == 250
    talk.close()


def people(server: Server) -> list[str]:
    return [one["address"] for one in json.loads(server.run("user", "list", "--json").stdout)]


def test_real_data_is_searched_for_the_words_of_its_owner(server: Server, tmp_path: Path) -> None:
    """While the server runs; what it has in clear by design is left out, what is beside it is found."""
    words = tmp_path / "words"
    words.write_bytes(b"xylophone\n\nann@b.test\n")
    done = server.run("leakcheck", "--words-file", str(words), "--json")
    table = checked(done, 0)
    assert {row["verdict"] for row in table.values()} == {"not checked"}
    said = json.loads(done.stdout)
    assert said["known_in_clear"] == ["line 3 of the words"]
    assert len(re.findall(r"\d+", said["searched"]["places"][-1])) == 2, "the worker's nameless files, too"
    assert said["accounts"] == []
    (tmp_path / "log").write_bytes(b"a line of a log with XYLOPHONE\n")
    found = server.run("leakcheck", "--words-file", str(words), "--also", str(tmp_path / "log"), "--json")
    (finding,) = json.loads(found.stdout)["findings"]
    assert found.returncode == 1
    assert (finding["word"], finding["where"]) == ("line 1 of the words", str(tmp_path / "log"))
    plain = server.run("leakcheck", "--words-file", str(words), "--also", str(tmp_path / "log"))
    assert b"xylophone" not in plain.stdout.lower(), "a word of a file may be a secret"
    assert b"FOUND     line 1 of the words" in plain.stdout


def test_two_accounts_live_in_real_data_and_go(server: Server) -> None:
    before = people(server)
    used = server.run("user", "show", "ann@b.test", "--json").stdout
    done = server.run("leakcheck", "--account", "--json")
    table = checked(done, 0)
    assert verdict(table, MAIL) == verdict(table, NAMES) == "as said"
    assert len(json.loads(done.stdout)["accounts"]) == 2
    assert people(server) == before
    assert server.run("user", "show", "ann@b.test", "--json").stdout == used
    assert len(server.listed()) == 1


def test_who_is_interrupted_leaves_nobody_behind(server: Server) -> None:
    before = people(server)
    command = [*COMMAND, "--config", str(server.config), "leakcheck", "--account"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
        # Whoever runs the tests behind a shell ignores it, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # no other thread is here
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "waiting" in line:
                break
        process.send_signal(signal.SIGSTOP)  # however long it takes to look
        assert len(people(server)) == len(before) + 2
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        rest = process.stderr.read()
    assert process.returncode == 1
    assert "stopped" in rest
    assert people(server) == before


def test_nobody_is_postmaster_for_a_minute(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", users=("ann@b.test",)).make()
    removed = server.run("user", "remove", "ann@b.test", "--yes")
    assert removed.returncode == 0, removed.stderr
    said = json.loads(server.run("leakcheck", "--account", "--json").stdout)
    assert said["error"] == "nobody lives in b.test yet"
    assert people(server) == []


def test_a_server_that_takes_no_mail_proves_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "box", extra="[limits]\nmessage_octets = 100000").make()
    done = server.run("leakcheck", "--account", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["error"] == "the check could not be made"
    assert said["why"].startswith("552 ")
    assert people(server) == ["ann@b.test", "bob@local.test"]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("", id="sealed"),
        # The control reads every octet of the server's own files for each word.
        pytest.param(
            "unsealed STATE", marks=pytest.mark.skipif(not FULL, reason="long: MAILSTEAD_FAULTS=full")
        ),
    ],
)
def test_postgresql_is_read_back_row_by_row(postgres_url: str, tmp_path: Path, how: str) -> None:
    """And its own files are searched, where they are here."""
    url = fresh_postgres(postgres_url)
    server = Server(tmp_path / "box", extra=f'[storage]\ndatabase = "{url}"').make()
    environment = broken(how) if how else {}
    done = run(
        "--config", str(server.config), "leakcheck", "--account", "--json", env=environment, seconds=600
    )
    table = checked(done, 1 if how else 0)
    said = json.loads(done.stdout)
    assert verdict(table, NAMES) == ("leaks" if how else "as said")
    assert verdict(table, "old data") == "not checked"
    places = [finding["where"] for finding in said["findings"]]
    assert ("table state" in places) == bool(how)
    if os.getuid() == 0:
        assert any((Path(place) / "base").is_dir() for place in said["searched"]["places"])
        assert any("/pg_wal/" in place for place in places) == bool(how)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--account",), ("--data",), ("--word", "short"), ("--data", "--word", "short"),
        ("--word", "x" * 201), ("--words-file", "/nowhere"), ("--also", "/nowhere"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_anything_is_done(arguments: tuple[str, ...]) -> None:
    done = run("leakcheck", *arguments, "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["error"]
    assert said["why"]
    assert said["fix"]


def test_the_report_names_what_was_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    searched = Searched(unread={"/proc/1/fd": "Permission denied"})
    show(Report(searched, unchecked("no account"), ["/somewhere"], 1, [PASSWORD]))
    out = capsys.readouterr().out
    assert "not read  /proc/1/fd: Permission denied" in out
    assert out.count("not checked: no account") == len(ITEMS) - 3
    assert Verdict.LEAKS.value not in out
