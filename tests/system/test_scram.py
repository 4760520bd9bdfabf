"""SCRAM-SHA-256-PLUS on real connections: bound to the certificate that the client sees (RFC 5929)."""

import hashlib
import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.scram import ScramClient
from tests.support.server import PASSWORD, Server, Talk, run
from tests.system.test_keys import added

pytestmark = pytest.mark.system
PLUS = b"p=tls-server-end-point,,"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("scram") / "box", auth="insecure_plaintext_login = true",
        listen=("smtp", "imap", "imaps", "pop3", "pop3s", "submission", "submissions"),
    ).make()  # fmt: skip
    (made.folder / "app").write_text(added(made, "phone")["password"])
    made.start()
    yield made
    assert made.stop() == 0
    assert '"level": "error"' not in made.read_log()
    assert "session.failed" not in made.read_log()


def line(talk: Talk) -> bytes:
    while b"\n" not in talk.buffer:
        came = talk.socket.recv(65536)
        assert came, talk.buffer
        talk.buffer += came
    found, _, talk.buffer = talk.buffer.partition(b"\r\n")
    return found


def tls(server: Server, talk: Talk) -> bytes:
    """Begin TLS; what binds to it."""
    context = ssl.create_default_context(cafile=str(server.folder / "certificate.pem"))
    talk.socket = context.wrap_socket(talk.socket, server_hostname="localhost")
    certificate = talk.socket.getpeercert(binary_form=True)
    assert certificate
    return hashlib.sha256(certificate).digest()  # it is signed with SHA-256


class Imap:
    implicit, clear, begin = "imaps", "imap", b"a STARTTLS"
    auth, good, bad = b"b AUTHENTICATE ", b"b OK", b"b NO"

    @staticmethod
    def offers(talk: Talk) -> bytes:
        talk.send(b"c CAPABILITY\r\n")
        found = line(talk)
        line(talk)
        return found

    challenge = b"+ "


class Pop3(Imap):
    implicit, clear, begin = "pop3s", "pop3", b"STLS"
    auth, good, bad = b"AUTH ", b"+OK", b"-ERR"

    @staticmethod
    def offers(talk: Talk) -> bytes:
        talk.send(b"CAPA\r\n")
        found = b""
        while not found.endswith(b"\n."):
            found += b"\n" + line(talk)
        return found


class Submission(Imap):
    implicit, clear, begin = "submissions", "submission", b"STARTTLS"
    auth, good, bad = b"AUTH ", b"235", b"535"
    challenge = b"334 "

    @staticmethod
    def offers(talk: Talk) -> bytes:
        return talk.command(b"EHLO a.test")[1]


def connected(server: Server, protocol: type[Imap], way: str) -> tuple[Talk, bytes]:
    talk = Talk(server.ports[protocol.implicit if way == "implicit" else protocol.clear])
    binding = tls(server, talk) if way == "implicit" else b""
    line(talk)
    if protocol is Submission:
        talk.command(b"EHLO a.test")
    if way == "starttls":
        talk.send(protocol.begin + b"\r\n")
        line(talk)
        binding = tls(server, talk)
        if protocol is Submission:
            talk.command(b"EHLO a.test")
    return talk, binding


def exchange(talk: Talk, protocol: type[Imap], mechanism: bytes, client: ScramClient) -> bytes:
    """The last line of an exchange."""
    talk.send(protocol.auth + mechanism + b" " + b64encode(client.first()) + b"\r\n")
    said = line(talk)
    for answer in (client.final, lambda final: client.check(final) or b""):
        if not said.startswith(protocol.challenge):
            break
        talk.send(b64encode(answer(b64decode(said[len(protocol.challenge) :]))) + b"\r\n")
        said = line(talk)
    return said


@pytest.mark.parametrize("way", ["implicit", "starttls"])
@pytest.mark.parametrize("protocol", [Imap, Pop3, Submission])
def test_bound_to_the_connection(server: Server, protocol: type[Imap], way: str) -> None:
    password = (server.folder / "app").read_bytes()

    def tried(mechanism: bytes, gs2: bytes, bound: Callable[[bytes], bytes]) -> bytes:
        talk, binding = connected(server, protocol, way)
        said = exchange(talk, protocol, mechanism, ScramClient(b"ann@b.test", password, gs2, bound(binding)))
        talk.close()
        return said

    talk, _ = connected(server, protocol, way)
    assert b"SCRAM-SHA-256-PLUS" in protocol.offers(talk)
    talk.close()
    assert tried(b"SCRAM-SHA-256-PLUS", PLUS, lambda b: b).startswith(protocol.good)
    assert tried(b"SCRAM-SHA-256", b"n,,", lambda _: b"").startswith(protocol.good)
    # Somebody in between shows a certificate of his own, or takes -PLUS out of what is offered.
    assert tried(b"SCRAM-SHA-256-PLUS", PLUS, lambda _: bytes(32)).startswith(protocol.bad)
    assert tried(b"SCRAM-SHA-256", b"y,,", lambda _: b"").startswith(protocol.bad)
    assert tried(b"SCRAM-SHA-256", PLUS, lambda b: b).startswith(protocol.bad)


@pytest.mark.parametrize("protocol", [Imap, Pop3, Submission])
def test_without_tls_there_is_nothing_to_bind_to(server: Server, protocol: type[Imap]) -> None:
    password = (server.folder / "app").read_bytes()
    talk, _ = connected(server, protocol, "clear")
    offered = protocol.offers(talk)
    assert b"SCRAM-SHA-256" in offered
    assert b"PLUS" not in offered
    client = ScramClient(b"ann@b.test", password, b"y,,")
    assert exchange(talk, protocol, b"SCRAM-SHA-256", client).startswith(protocol.good)
    talk.close()
    talk, _ = connected(server, protocol, "clear")
    said = exchange(talk, protocol, b"SCRAM-SHA-256", ScramClient(b"ann@b.test", PASSWORD.encode()))
    assert said.startswith(protocol.bad)
    assert said.endswith(b"Authentication failed; SCRAM takes app passwords only")
    talk.close()


def test_where_an_operator_said_so_nothing_is_bound(tmp_path: Path) -> None:
    made = Server(
        tmp_path / "box", listen=("imap", "imaps", "pop3s", "submissions"),
        auth="insecure_plaintext_login = true\nscram_plus = false",
    ).make()  # fmt: skip
    password = added(made, "phone")["password"].encode()
    made.start()
    talk, binding = connected(made, Imap, "implicit")
    offered = Imap.offers(talk)
    assert b"SCRAM-SHA-256" in offered
    assert b"PLUS" not in offered
    client = ScramClient(b"ann@b.test", password, PLUS, binding)
    assert not exchange(talk, Imap, b"SCRAM-SHA-256-PLUS", client).startswith(b"b OK")
    talk.close()
    for flag in (b"n,,", b"y,,"):
        talk, _ = connected(made, Imap, "implicit")
        client = ScramClient(b"ann@b.test", password, flag)
        assert exchange(talk, Imap, b"SCRAM-SHA-256", client).startswith(b"b OK")
        talk.close()
    assert made.stop() == 0


def test_a_new_certificate_is_what_new_connections_are_bound_to(server: Server, tmp_path: Path) -> None:
    import signal

    made = run("init", str(tmp_path / "other"), "--hostname", "mx.b.test", "--domain", "b.test")
    assert made.returncode == 0
    old, binding = connected(server, Imap, "implicit")
    for name in ("certificate.pem", "certificate.key"):
        (server.folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    for _ in range(1000):
        try:
            new, renewed = connected(server, Imap, "implicit")
        except ssl.SSLError:
            continue  # not yet
        break
    assert renewed != binding
    password = (server.folder / "app").read_bytes()
    for talk, bound in ((new, renewed), (old, binding)):
        client = ScramClient(b"ann@b.test", password, PLUS, bound)
        assert exchange(talk, Imap, b"SCRAM-SHA-256-PLUS", client).startswith(b"b OK")
        talk.close()
