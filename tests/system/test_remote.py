"""`mail list`, `search`, `read` and `export` over IMAP and on the data itself: the same, both ways."""

import imaplib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.cli.opened import OpenedThere
from mailstead.cli.query import parse
from mailstead.imap.mutf7 import encode
from mailstead.net.dial import Dialled
from mailstead.net.imapclient import ImapClient
from tests.support.server import PASSWORD, Server

pytestmark = pytest.mark.system

NAMES = ("INBOX", "Büro & Söhne/日本", 'Say "x" \\ y')


def append(client: imaplib.IMAP4, name: str, flags: str, date: str, octets: bytes) -> None:
    spelled = encode(name).decode().replace("\\", "\\\\").replace('"', '\\"')
    client.create(f'"{spelled}"')
    assert client.append(f'"{spelled}"', flags, f'"{date} 12:00:00 +0000"', octets)[0] == "OK"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("remote") / "box", workers=2, listen=("smtp", "imap", "imaps"),
        auth="insecure_plaintext_login = true",
    ).make().start()  # fmt: skip
    assert "passwords are taken without TLS on imap 127.0.0.1:" in made.read_log()
    with imaplib.IMAP4("127.0.0.1", made.ports["imap"], timeout=20) as client:
        client.login("ann@b.test", PASSWORD)
        for name in NAMES:
            append(
                client,
                name,
                "()",
                " 1-Oct-2026",
                b"From: Bob <bob@a.test>\r\nTo: ann@b.test\r\nSubject: Lunch\r\n\r\nhalf past twelve\r\n",
            )
            append(
                client,
                name,
                "(\\Seen \\Flagged work)",
                "15-Oct-2026",
                'From: =?utf-8?Q?J=C3=BCrgen?= <j@a.test>\r\nSubject: Größe\r\n\r\nStraße, "Köln"\r\n'.encode(),
            )
            append(
                client,
                name,
                "(\\Seen)",
                "31-Oct-2026",
                b"Subject: big\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst words\r\n--b\r\n"
                b"Content-Type: application/x\r\n\r\n" + b"y" * 1_100_000 + b"\r\n--b--\r\n",
            )
    yield made
    assert made.stop() == 0


def ways(server: Server) -> dict[str, list[str]]:
    ca = ["--ca", str(server.folder / "certificate.pem")]
    return {
        "data": ["--data"],
        "implicit": ["--server", f"localhost:{server.ports['imaps']}", *ca],
        "starttls": ["--server", f"localhost:{server.ports['imap']}", "--tls", "starttls", *ca],
        "none": ["--server", f"127.0.0.1:{server.ports['imap']}", "--tls", "none"],
        "insecure": ["--server", f"127.0.0.1:{server.ports['imaps']}", "--insecure"],
    }


def said(server: Server, command: str, way: str, *arguments: str, user: str = "ann@b.test") -> bytes:
    done = server.run(
        "mail", command, *ways(server)[way], "--user", user, "--password-file", "-", *arguments,
        stdin=PASSWORD.encode(),
    )  # fmt: skip
    assert done.returncode == 0, (way, done.stderr)
    return done.stdout


def test_every_way_gives_the_same(server: Server, tmp_path: Path) -> None:
    own = said(server, "list", "data", "--json")
    listed = json.loads(own)
    assert [m["subject"] for m in listed] == ["Lunch", "Größe", "big"]
    assert listed[1]["flags"] == ["\\Flagged", "\\Seen", "work"]
    assert listed[1]["date"] == "2026-10-15T12:00:00Z"
    assert listed[2]["preview"] == "first words"
    for way in ways(server):
        assert said(server, "list", way, "--json") == own, way
    assert said(server, "list", "implicit") == said(server, "list", "data")


@pytest.mark.parametrize("name", NAMES)
def test_every_way_reads_the_same(server: Server, name: str, tmp_path: Path) -> None:
    found: dict[str, list[bytes]] = {}
    for way in ("data", "implicit"):
        done = json.loads(said(server, "export", way, str(tmp_path / way), "--mailbox", name, "--json"))
        assert done == {"folder": str(tmp_path / way / name), "messages": 3}
        paths = sorted((tmp_path / way).rglob("*.eml"))
        found[way] = [p.read_bytes() for p in paths]
        assert said(server, "read", way, "--mailbox", name, paths[2].stem) == found[way][2]
    assert found["data"] == found["implicit"]
    assert [len(o) for o in found["data"]][2] > 1_100_000


QUERIES = [
    ("lunch", [1]),
    ("from:bob@a.test", [1]),
    ("to:ann", [1]),
    ("from:jürgen", [2]),
    ("subject:GRÖßE body:straße", [2]),
    ("subject:größe -body:straße", []),
    ('"half past"', [1]),
    ('"past half"', []),
    ("before:2026-10-15", [1]),
    ("after:2026-10-15", [2, 3]),
    ("after:2026-10-02 before:2026-10-31", [2]),
    ("is:unread", [1]),
    ("-is:unread", [2, 3]),
    ("is:flagged", [2]),
    ("is:read -köln", [3]),
    ("-lunch", [2, 3]),
    ('body:"first words" -is:flagged', [3]),
    ("nowhere", []),
]


async def test_a_server_finds_what_is_asked_for(server: Server) -> None:
    to = Dialled("localhost", server.ports["imaps"], "implicit", server.folder / "certificate.pem")
    client = ImapClient(to, "ann@b.test", PASSWORD.encode())
    box = OpenedThere(client, "INBOX")
    for query, uids in QUERIES:
        assert [row["uid"] async for row in box.found(parse(query).keys)] == uids, query
    client.close()


@pytest.mark.parametrize(
    "query", ["from:jürgen", "subject:GRÖßE body:straße", "-lunch is:read after:2026-10-20", '"past half"']
)
def test_every_way_finds_the_same(server: Server, query: str) -> None:
    answers = [json.loads(said(server, "search", way, "--json", "--", query)) for way in ("data", "none")]
    assert answers[0] == answers[1]
    assert bool(answers[0]) == (query != '"past half"')


def test_errors_are_the_same(server: Server) -> None:
    for way in ("data", "implicit"):
        for options, code, why in (
            ((), 12, "do not open this account"),
            (("--user", "nobody@b.test"), 12, "do not open this account"),
            (("--mailbox", "Nope"), 1, "no such mailbox"),
            (("--mailbox", "a//b"), 2, "no empty level"),
        ):
            stdin = PASSWORD.encode() if "--mailbox" in options else b"wrong"
            done = server.run("mail", "list", *ways(server)[way], "--user", "ann@b.test", "--password-file", "-",
                              *options, "--json", stdin=stdin)  # fmt: skip
            told = json.loads(done.stdout)
            assert (done.returncode, told["exit"]) == (code, code), (way, options, done.stdout)
            assert why in told["why"]
        gone = server.run("mail", "read", "99", *ways(server)[way], "--user", "ann@b.test", "--password-file", "-",
                          stdin=PASSWORD.encode())  # fmt: skip
        assert gone.returncode == 1
        assert b"there is no such message" in gone.stderr


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        ((), 2, "neither --data nor --server is given"),
        (("--data", "--server", "localhost:1"), 2, "--data and --server are both given"),
        (("--server", "localhost"), 2, ""),
        (("--server", "localhost:99999"), 2, ""),
        (("--server", "localhost:1", "--ca", "x", "--insecure"), 2, "one asks who is there"),
        (("--server", "127.0.0.1:1"), 75, "127.0.0.1:1 does not answer"),
        (("--server", "localhost:IMAPS"), 1, "no TLS with localhost"),
        (("--server", "localhost:IMAPS", "--ca", "/nowhere"), 1, "/nowhere cannot be read"),
        (("--server", "127.0.0.1:SMTP", "--tls", "none"), 75, "220 "),
        (("--server", "localhost:IMAP"), 1, "no TLS with localhost"),
    ],
)
def test_where_the_mail_is_must_be_said(
    server: Server, options: tuple[str, ...], code: int, why: str
) -> None:
    for name, port in sorted(server.ports.items(), reverse=True):  # "imaps" before "imap"
        options = tuple(o.replace(f":{name.upper()}", f":{port}") for o in options)
    done = server.run("mail", "list", *options, "--user", "ann@b.test", "--password-file", "-", "--json",
                      stdin=PASSWORD.encode())  # fmt: skip
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit"]) == (code, code), told
    assert why in told["why"]
    assert told["fix"]


def test_no_password_goes_out_in_clear(tmp_path: Path) -> None:
    """Without insecure_plaintext_login, even if the owner says --tls none."""
    server = Server(tmp_path / "box", listen=("imap",)).make().start()
    done = server.run("mail", "list", "--server", f"127.0.0.1:{server.ports['imap']}", "--tls", "none", "--user",
                      "ann@b.test", "--password-file", "-", stdin=PASSWORD.encode())  # fmt: skip
    assert done.returncode == 1
    assert b"takes no password without TLS; nothing was sent" in done.stderr
    assert "insecure_plaintext_login" not in server.read_log()
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    with imaplib.IMAP4("localhost", server.ports["imap"], timeout=20) as client:
        client.starttls(context)
        client.login("ann@b.test", PASSWORD)
    assert server.stop() == 0
