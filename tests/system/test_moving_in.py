"""Invitations, resets, recovery and escrow at the command line, beside a running server."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from mailstead.cli.words import show_words
from mailstead.crypto.apppasswords import new_invitation
from tests.support.imaptalk import ImapTalk
from tests.support.server import COMMAND, PASSWORD, Server, run
from tests.support.terminal import Terminal

pytestmark = pytest.mark.system
CAROL = "carol@b.test"
MAIL = b"Subject: hello\r\n\r\nkanarie-4711\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("moving") / "box", listen=("smtp", "imaps")).make().start()
    yield made
    assert made.stop() == 0
    assert '"level": "error"' not in made.read_log()


def done(server: Server, *arguments: str, stdin: str = "", code: int = 0) -> str:
    found = server.run(*arguments, stdin=stdin.encode())
    assert found.returncode == code, (found.stdout, found.stderr)
    return (found.stdout if code == 0 else found.stderr).decode()


def as_json(server: Server, *arguments: str, stdin: str = "") -> dict[str, object]:
    found: dict[str, object] = json.loads(done(server, *arguments, "--json", stdin=stdin))
    return found


def secret(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def listed(server: Server, password: str, mailbox: str = "INBOX", user: str = CAROL) -> list[bytes]:
    talk = ImapTalk(server.ports["imaps"], ca=server.folder / "certificate.pem")
    talk.ok(f'LOGIN {user} "{password}"'.encode())
    talk.ok(f'SELECT "{mailbox}"'.encode())
    said = talk.ok(b"UID SEARCH TEXT kanarie-4711")
    talk.close()
    return said.untagged[0].split()[2:]


def deliver(server: Server, to: str) -> None:
    talk = server.connect("smtp").hello()
    for line, code in ((b"MAIL FROM:<x@y.test>", 250), (f"RCPT TO:<{to}>".encode(), 250), (b"DATA", 354)):
        assert talk.command(line)[0] == code
    assert talk.command(MAIL + b".")[0] == 250
    talk.close()


def test_a_life_with_an_invitation_a_reset_and_words_found_again(server: Server, tmp_path: Path) -> None:
    invited = as_json(server, "user", "invite", CAROL)
    deliver(server, CAROL)
    code = secret(tmp_path, "code", f"{invited['invitation']}\n")
    first = secret(tmp_path, "first", "a password of her own\n")
    joined = as_json(server, "user", "join", CAROL, "--invitation-file", code, "--password-file", first)
    assert len(listed(server, "a password of her own")) == 1
    error = done(server, "user", "join", CAROL, "--invitation-file", code, "--password-file", first, code=12)
    assert f"error: that invitation does not open {CAROL}\n  why   it is another's, was used already" in error

    error = done(server, "user", "reset", CAROL, stdin=f"{CAROL}\n", code=2)
    assert 'there is no terminal to ask "Type the address to go on"' in error
    assert "  fix   --yes" in error
    status, text = answered(server, "user", "reset", CAROL, answer="karol@b.test\n")
    assert status == 1
    assert "has 1 messages. After a reset they stay sealed and open only with the recovery words" in text
    assert len(listed(server, "a password of her own")) == 1, "nothing was changed"
    status, text = answered(server, "user", "reset", CAROL, answer=f"{CAROL}\n")
    assert status == 0
    assert "1 messages are locked away. They open again with the recovery words of before" in text
    code = secret(tmp_path, "code2", next(line for line in text.split() if line.startswith("msi-")))
    second = secret(tmp_path, "second", "another one\n")
    done(server, "user", "join", CAROL, "--invitation-file", code, "--password-file", second)
    deliver(server, CAROL)
    assert len(listed(server, "another one")) == 1
    shown = as_json(server, "user", "show", CAROL)
    assert [(a["messages"], a["opened_by"]) for a in shown["archives"]] == [(1, ["recovery words"])]  # type: ignore[attr-defined]
    assert "locked since 20" in done(server, "user", "show", CAROL)

    words = secret(tmp_path, "words", " ".join(joined["recovery_words"]))  # type: ignore[arg-type]
    wrong = secret(tmp_path, "wrong", "abandon " * 11 + "about")
    error = done(server, "key", "recover", CAROL, "--words-file", wrong, "--password-file", second, code=12)
    assert f"that does not open {CAROL}, nor anything locked away from it" in error
    back = as_json(server, "key", "recover", CAROL, "--words-file", words, "--password-file", second)
    assert (back["recovered_messages"], back["below"]) == (1, ["Recovered"])
    assert len(listed(server, "another one", "Recovered/INBOX")) == 1
    assert as_json(server, "user", "show", CAROL)["archives"] == []
    error = done(server, "key", "recover", CAROL, "--words-file", words, "--password-file", second, code=12)
    assert "nothing was changed" in error


def test_words_bring_back_who_forgot_the_password(server: Server, tmp_path: Path) -> None:
    made = as_json(server, "user", "add", "dan@b.test", "--password-file", "-", stdin="forgotten\n")
    words = secret(tmp_path, "words", " ".join(made["recovery_words"]))  # type: ignore[arg-type]
    new = secret(tmp_path, "new", "remembered\n")
    found = as_json(server, "key", "recover", "dan@b.test", "--words-file", words, "--new-password-file", new)
    assert found["password"] == "changed"
    assert listed(server, "remembered", user="dan@b.test") == []
    fresh = as_json(server, "key", "words", "dan@b.test", "--password-file", new)
    again = secret(tmp_path, "again", " ".join(fresh["recovery_words"]).upper())  # type: ignore[arg-type]
    text = done(server, "key", "recover", "dan@b.test", "--words-file", again, "--new-password-file", new)
    assert "all its mail is there" in text
    error = done(server, "key", "recover", "dan@b.test", "--words-file", words, code=12)
    assert "that does not open dan@b.test" in error
    for command in (("recover", "dan", "--words-file", again, "--new-password-file", new),
                    ("words", "dan", "--password-file", new)):  # fmt: skip
        whole = (word if word != "dan" else "DAN@B.TEST" for word in command)
        assert as_json(server, "key", *whole)["address"] == "DAN@b.test".lower()


def test_an_organisation_lets_somebody_back_in_by_two_of_three_shares(server: Server, tmp_path: Path) -> None:
    key = tmp_path / "ltd"
    made = as_json(server, "key", "escrow", "make", str(key), "--shares", "2/3")
    assert not key.exists()
    assert [os.stat(p).st_mode & 0o777 for p in made["private"]] == [0o600] * 3  # type: ignore[attr-defined]
    assert "is there already" in done(server, "key", "escrow", "make", str(key), code=2)
    own = secret(tmp_path, "own", PASSWORD)
    granted = as_json(
        server, "key", "escrow", "grant", "ann@b.test", "--to", f"{key}.pub", "--name", "Example Ltd",
        "--password-file", "-", stdin=PASSWORD,
    )  # fmt: skip
    assert granted["fingerprint"] == made["fingerprint"]
    shown = as_json(server, "key", "show", "ann@b.test")
    assert "escrow" in {w["type"] for w in shown["ways_in"]}  # type: ignore[attr-defined]
    error = done(server, "key", "escrow", "open", "ann@b.test", "--share", f"{key}.1", code=12)
    assert "that is not an escrow key" in error
    shares = ("--share", f"{key}.3", "--share", f"{key}.1")
    opened = as_json(server, "key", "escrow", "open", "ann@b.test", *shares)
    error = done(server, "key", "escrow", "open", "bob@local.test", *shares, code=12)
    assert "its owner never granted it a way in" in error
    found = server.run("key", "recover", "ann@b.test", *shares, "--password-file", own)
    assert (found.returncode, b"not of today" in found.stderr) == (12, False), "it is of today"
    assert b"  fix   mailstead key escrow open ann@b.test, if it was granted since" in found.stderr
    error = done(server, "key", "recover", "ann@b.test", *shares, "--words-file", own, code=2)
    assert "it is not clear what to recover by" in error
    code = secret(tmp_path, "code", str(opened["invitation"]))
    new = secret(tmp_path, "new", PASSWORD)
    joined = as_json(server, "user", "join", "ann@b.test", "--invitation-file", code, "--password-file", new)
    assert joined["recovery_words"] == [], "those of before stay good"
    assert listed(server, PASSWORD, user="ann@b.test") == []
    done(server, "key", "revoke", "ann@b.test", "Example Ltd", "--password-file", new)
    assert "does not open" in done(server, "key", "escrow", "open", "ann@b.test", *shares, code=12)


def test_a_key_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    key = tmp_path / "ltd"
    for there, options in (("ltd", ()), ("ltd.3", ("--shares", "2/3")), ("ltd.pub", ())):
        (tmp_path / there).write_text("another's")
        found = run("key", "escrow", "make", str(key), *options)
        assert (found.returncode, f"{there} is there already" in found.stderr.decode()) == (2, True)
        assert [p.name for p in tmp_path.iterdir()] == [there]
        (tmp_path / there).unlink()


@pytest.mark.parametrize("name", ["", ".", "e/..", "/"])
def test_a_key_needs_the_name_of_a_file(name: str, tmp_path: Path) -> None:
    found = run("key", "escrow", "make", name)
    assert (found.returncode, b"is no name for a file" in found.stderr) == (2, True)


@pytest.mark.parametrize(
    ("command", "asked", "option"),
    [
        (("user", "join", "ann@b.test"), "Invitation for ann@b.test", "--invitation-file"),
        (("user", "add", "fay@b.test"), "Password for fay@b.test", "--password-file"),
        (("key", "recover", "ann@b.test"), "Your twelve recovery words", "--words-file"),
        (("user", "password", "ann@b.test", "--password-file", "/dev/null"), "", "12"),
        (("user", "password", "ann@b.test", "--password-file", "PASSWORD"), "New password", "--new-password-file"),
    ],
)  # fmt: skip
def test_without_a_terminal_what_would_be_asked_is_said(
    server: Server, tmp_path: Path, command: tuple[str, ...], asked: str, option: str
) -> None:
    own = secret(tmp_path, "own", PASSWORD)
    found = server.run(*(own if word == "PASSWORD" else word for word in command))
    if option == "12":
        assert found.returncode == 12, "an empty password is a wrong one"
        return
    said = found.stderr.decode()
    assert found.returncode == 2
    assert f'there is no terminal to ask "{asked}"' in said
    assert f"  fix   {option} FILE, or {option} - to read it" in said


def test_a_bad_new_password_is_told_before_anything_is_opened(server: Server, tmp_path: Path) -> None:
    empty, other = secret(tmp_path, "empty", ""), secret(tmp_path, "other", new_invitation().decode())
    for command in (
        ("user", "join", "ann@b.test", "--invitation-file", other, "--password-file", empty),
        ("user", "reset", "nobody@b.test", "--yes", "--password-file", empty),
        ("key", "recover", "ann@b.test", "--words-file", empty, "--new-password-file", empty),
        ("user", "password", "ann@b.test", "--password-file", other, "--new-password-file", empty),
    ):
        assert "that cannot be a password" in done(server, *command, code=2), command


def test_secrets_that_exclude_each_other(server: Server, tmp_path: Path) -> None:
    own = secret(tmp_path, "own", PASSWORD)
    both = ("--password-file", own, "--words-file", own)
    assert "it is not clear what to prove" in done(server, "key", "rotate", "ann@b.test", *both, code=2)
    twice = ("--password-file", "-", "--new-password-file", "-")
    said = done(server, "user", "password", "ann@b.test", *twice, stdin=PASSWORD, code=2)
    assert "standard input is one secret only" in said


def test_new_words_are_not_shown_to_who_has_the_wrong_password(server: Server, tmp_path: Path) -> None:
    wrong = secret(tmp_path, "wrong", "not hers")
    found = server.run("key", "words", "ann@b.test", "--password-file", wrong)
    assert (found.returncode, found.stdout) == (12, b"")


def test_the_words_of_an_invitation_and_of_help(server: Server) -> None:
    text = done(server, "user", "invite", "jo@b.test")
    assert text.startswith("Invitation for jo@b.test (valid 7 days, single use):\n\n  msi-")
    assert text.endswith("Recovery: only by Jo's words.\n")
    shown = run("key", "--help").stdout.decode()
    assert "Prove who you are once: commands that open mail" in shown


def test_words_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    show_words(["orbit", "rice", "velvet", "zoo", "abandon", "absolute"] * 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == [
        "   1 orbit      2 rice       3 velvet     4 zoo        5 abandon    6 absolute",
        "   7 orbit      8 rice       9 velvet    10 zoo       11 abandon   12 absolute",
    ]
    assert lines[-1] == "Without your password or these words, your mail cannot be read by anyone."


def test_a_disabled_account_is_called_that(server: Server, tmp_path: Path) -> None:
    invited = as_json(server, "user", "invite", "gil@b.test")
    code, new = secret(tmp_path, "code", str(invited["invitation"])), secret(tmp_path, "new", "new")
    other = secret(tmp_path, "other", new_invitation().decode())
    joining = ("user", "join", "gil@b.test", "--password-file", new, "--invitation-file")
    assert "  fix   ask whoever sent it for a new one\n" in done(server, *joining, other, code=12)
    done(server, "user", "disable", "gil@b.test")
    error = done(server, *joining, code, code=12)
    assert "  why   the account is disabled: nothing opens it\n  fix   mailstead user enable" in error
    done(server, "user", "enable", "gil@b.test")
    done(server, *joining, code)


def test_what_is_typed_and_is_no_text_is_said(server: Server) -> None:
    status, text = answered(server, "key", "rotate", "ann@b.test", answer=b"p\xff\n")
    assert status == 2
    assert "error: what was typed is not text of this terminal" in text


def test_a_question_that_nobody_answers_is_no_answer(server: Server, tmp_path: Path) -> None:
    error = done(server, "user", "remove", "ann@b.test", code=2)
    assert 'there is no terminal to ask "Delete ann@b.test and all its mail?' in error
    assert "  fix   --yes" in error
    status, text = answered(server, "user", "remove", "ann@b.test", answer="n\n")
    assert (status, "stopped" in text) == (1, True)
    status, text = answered(server, "key", "rotate", "ann@b.test", "--json", answer=None)
    assert (status, json.loads(text[text.index("{") :])["error"]) == (1, "stopped")
    password = secret(tmp_path, "password", "hers")
    printed = tmp_path / "printed"
    with printed.open("wb") as file:
        status, text = answered(
            server, "user", "add", "ivy@b.test", "--password-file", password, answer=None, stdout=file
        )
    assert status == 1
    assert "please: " in text
    assert "please: " not in printed.read_text(), "the question is for who is there"
    assert "error: ivy@b.test is made; its words were not checked" in text
    assert "  fix   mailstead key words ivy@b.test" in text


def test_on_a_terminal_two_of_the_words_are_asked_back(server: Server, tmp_path: Path) -> None:
    password = secret(tmp_path, "password", "typed\n")
    command = ("user", "add", "eve@b.test", "--password-file", password)
    with Terminal([*COMMAND, "--config", str(server.config), *command], env={"NO_COLOR": "1"}) as terminal:
        asked = terminal.until("please: ").rsplit("Words ", 1)[1]
        places = [int(n) for n in asked.replace(" and", "").replace(", please:", "").split()[:2]]
        terminal.type("not those\n")
        text = terminal.until("please: ")
        assert "look at your list again" in text
        words = {int(n): w for n, w in _pairs(text)}
        terminal.type(" ".join(words[n] for n in places).upper() + "\n")
        assert terminal.ends() == 0
        assert "ok\r\n" in terminal.shown


def answered(
    server: Server, *arguments: str, answer: str | bytes | None, stdout: BinaryIO | None = None
) -> tuple[int, str]:
    """How a command ends on a terminal where its first question gets *answer*, or ^C, and what it shows."""
    with Terminal([*COMMAND, "--config", str(server.config), *arguments], stdout=stdout) as terminal:
        terminal.until(": ")  # it waits now, and flushes nothing that is typed
        if answer is None:
            terminal.interrupt()
        else:
            terminal.type(answer)
        return terminal.ends(), terminal.shown


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        cells = line.split()
        if len(cells) == 12 and cells[0] in ("1", "7"):
            yield from zip(cells[::2], cells[1::2], strict=True)
