"""What mail programs do, by the standard library's: every way of TLS, whole sessions, every message of the corpus.

`make interop` does the same with real programs.
"""

import contextlib
import imaplib
import poplib
import re
import smtplib
import ssl
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from tests.mail.probes import corpus
from tests.support.pace import seconds
from tests.support.server import PASSWORD, Server

pytestmark = pytest.mark.system

MODES = ("none", "starttls", "implicit")
ANN = "ann@b.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("interop") / "box", workers=2, auth="insecure_plaintext_login = true",
        listen=("smtp", "imap", "imaps", "pop3", "pop3s", "submission", "submissions"),
    ).make().start()  # fmt: skip
    yield made
    assert made.stop() == 0
    assert '"level": "error"' not in made.read_log()
    assert "Traceback" not in made.read_log()


def context(server: Server) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))


@contextlib.contextmanager
def imap(server: Server, mode: str) -> Iterator[imaplib.IMAP4]:
    if mode == "implicit":
        client = imaplib.IMAP4_SSL(
            "localhost", server.ports["imaps"], ssl_context=context(server), timeout=30
        )
    else:
        client = imaplib.IMAP4("localhost", server.ports["imap"], timeout=30)
        if mode == "starttls":
            client.starttls(context(server))
    with client:
        client.login(ANN, PASSWORD)
        yield client


@contextlib.contextmanager
def pop3(server: Server, mode: str) -> Iterator[poplib.POP3]:
    if mode == "implicit":
        client: poplib.POP3 = poplib.POP3_SSL(
            "localhost", server.ports["pop3s"], context=context(server), timeout=30
        )
    else:
        client = poplib.POP3("localhost", server.ports["pop3"], timeout=30)
        if mode == "starttls":
            client.stls(context(server))
    client.user(ANN)
    client.pass_(PASSWORD)
    yield client
    client.quit()


@contextlib.contextmanager
def smtp(server: Server, mode: str) -> Iterator[smtplib.SMTP]:
    if mode == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            "localhost", server.ports["submissions"], timeout=30, context=context(server)
        )
    else:
        client = smtplib.SMTP("localhost", server.ports["submission"], timeout=30)
        if mode == "starttls":
            client.starttls(context=context(server))
    with client:
        client.ehlo()
        yield client


def ok(answer: "tuple[str, list[object]]") -> list[object]:
    assert answer[0] == "OK", answer
    return answer[1]


def message(subject: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = ANN, ANN, subject
    made.set_content("body é\n.dot\n..dots\n")
    return made


@pytest.mark.parametrize("mode", MODES)
def test_what_is_submitted_is_read(server: Server, mode: str) -> None:
    for mechanism in ("plain", "login"):
        with smtp(server, mode) as client:
            client.user, client.password = ANN, PASSWORD
            client.auth(mechanism, getattr(client, f"auth_{mechanism}"))
            assert client.send_message(message(f"{mode} {mechanism}")) == {}
            assert client.docmd("MAIL", "FROM:<bob@local.test>")[0] == 550
            client.rset()
            client.mail(ANN)
            code, text = client.rcpt("x@elsewhere.test")
            assert (code, text[:5]) == (550, b"5.7.1")
    with smtp(server, mode) as client:
        assert client.mail(ANN)[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(ANN, PASSWORD + "x")
    with imap(server, mode) as reader:
        end = time.monotonic() + 10
        while True:
            ok(reader.select("INBOX"))
            found = bytes(ok(reader.search(None, "SUBJECT", f'"{mode} "'))[0]).split()
            if len(found) == 2 or time.monotonic() > end:
                break
        assert len(found) == 2
        for number in found:
            answer = ok(reader.fetch(number.decode(), "(BODY.PEEK[TEXT])"))
            assert b"\r\n.dot\r\n..dots\r\n" in answer[0][1]


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_session(server: Server, mode: str) -> None:
    one, two = f"one-{mode}", f'"two {mode}"'
    with imap(server, mode) as client:
        for name in (one, two):
            ok(client.create(name))
            ok(client.subscribe(name))
        assert any(one.encode() in bytes(line) for line in ok(client.lsub()))
        for n in range(6):
            ok(client.append(one, "(\\Flagged)" if n % 2 else None, None, message(f"m {n}").as_bytes()))
        assert ok(client.select(one)) == [b"6"]
        assert ok(client.search(None, "FLAGGED")) == [b"2 4 6"]
        ok(client.store("1:2", "+FLAGS", "(\\Seen $kw)"))
        assert ok(client.search(None, "KEYWORD", "$kw", "SEEN")) == [b"1 2"]
        assert ok(client.search(None, "UNSEEN", "BODY", '"..dots"')) == [b"3 4 5 6"]
        ok(client.copy("1:2", two))
        ok(client.uid("MOVE", "3:4", two))
        ok(client.store("3:4", "+FLAGS.SILENT", "(\\Deleted)"))
        assert ok(client.expunge())[-2:] == [b"4", b"3"]
        assert b"MESSAGES 4" in bytes(ok(client.status(two, "(MESSAGES UNSEEN)"))[0])
        ok(client.close())
        ok(client.rename(two, f'"three {mode}/below"'))
        assert ok(client.select(f'"three {mode}/below"')) == [b"4"]
        assert client.select(two)[0] == "NO"
        ok(client.select("INBOX"))
        ok(client.delete(one))
        ok(client.delete(f'"three {mode}/below"'))


@pytest.mark.parametrize("mode", MODES)
def test_idle_hears_of_new_mail(server: Server, mode: str) -> None:
    with imap(server, mode) as client, imap(server, mode) as other:
        before = int(bytes(ok(client.select("INBOX"))[0]))
        client.send(b"I1 IDLE\r\n")
        assert client.readline().startswith(b"+ ")
        ok(other.append("INBOX", None, None, b"Subject: news\r\n\r\nx\r\n"))
        began = time.monotonic()
        lines = [client.readline()]
        while b"EXISTS" not in lines[-1]:
            lines.append(client.readline())
        assert time.monotonic() - began < seconds(5)
        assert lines[-1] == b"* %d EXISTS\r\n" % (before + 1)
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"I1 OK"):
            pass


@pytest.mark.parametrize("mode", MODES)
def test_a_maildrop_is_fetched_and_emptied(server: Server, mode: str) -> None:
    with imap(server, mode) as client:
        for n in range(3):
            ok(client.append("INBOX", None, None, message(f"pop {n}").as_bytes()))
    with pop3(server, mode) as drop:
        count, octets = drop.stat()
        listed = [line.split() for line in drop.list()[1]]
        assert len(listed) == len(drop.uidl()[1]) == count >= 3
        assert sum(int(size) for _, size in listed) == octets
        for number, size in listed:
            lines = drop.retr(int(number))[1]
            assert sum(len(line) + 2 for line in lines) == int(size)
            if int(number) > count - 3:
                assert b".dot" in lines
                assert b"..dots" in lines
            header = drop.top(int(number), 0)[1]
            assert header == lines[: len(header)]
            assert header[-1] == b""
            drop.dele(int(number))
    with pop3(server, mode) as drop:
        assert drop.stat() == (0, 0)


def test_every_message_of_the_corpus_comes_back(server: Server) -> None:
    messages = {n: o for n, o in corpus().items() if not n.endswith(".mbox") and b"\0" not in o}
    with imap(server, "implicit") as client:
        ok(client.create("corpus"))
        for octets in messages.values():
            ok(client.append("corpus", None, None, octets))
        assert ok(client.select("corpus")) == [b"%d" % len(messages)]
        for number, (name, given) in enumerate(messages.items(), 1):
            octets = imaplib.MapCRLF.sub(b"\r\n", given)  # as imaplib sent it
            items = "(RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])"
            answer = ok(client.fetch(str(number), items))
            pieces = pieces_of(answer)
            assert pieces[b"BODY[]"] == octets, name
            assert pieces[b"BODY[HEADER]"] + pieces[b"BODY[TEXT]"] == octets, name
            size = re.search(
                rb"RFC822\.SIZE (\d+)", answer[0][0] if isinstance(answer[0], tuple) else answer[0]
            )
            assert size is not None
            assert int(size[1]) == len(octets), name
        ok(client.close())
        ok(client.delete("corpus"))


def pieces_of(answer: list[object]) -> dict[bytes, bytes]:
    """Sections by their names, whether they came quoted or as literals."""
    found: dict[bytes, bytes] = {}
    for piece in answer:
        line = piece[0] if isinstance(piece, tuple) else piece
        for name, value in re.findall(rb'(BODY\[[A-Z]*\]) "((?:[^"\\]|\\.)*)"', line):
            found[name] = re.sub(rb"\\(.)", rb"\1", value)
        if isinstance(piece, tuple) and (named := re.search(rb"(BODY\[[A-Z]*\]) \{\d+\}$", line)):
            found[named[1]] = piece[1]
    return found
