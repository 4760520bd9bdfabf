"""The demo: a whole server in a temporary folder, and proof that it cannot read the mail it keeps.

Every line it prints was checked a moment before; a check that fails prints `--` and the demo
ends with exit code 1.
"""

import asyncio
import hashlib
import secrets
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from mailstead.accounts.login import unlock
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office, create_account
from mailstead.bus.bell import open_bell
from mailstead.config import Settings, read
from mailstead.crypto.fingerprint import fingerprint
from mailstead.crypto.passwords import new_words
from mailstead.crypto.slots import Cost
from mailstead.delivery.trace import date_time
from mailstead.errors import Trouble
from mailstead.log import Log
from mailstead.mail.address import Address, parse_mailbox
from mailstead.mail.compose import compose
from mailstead.mail.encodedwords import text
from mailstead.mail.header import first
from mailstead.mail.mailbox import Uid
from mailstead.net.dial import Dialled, SendError, SmtpClient, TlsMode
from mailstead.net.imapclient import ImapClient, ReadError
from mailstead.net.tls import ServerTls
from mailstead.scan import SHORTEST, Scan
from mailstead.secretmem import Arena
from mailstead.services.show import shower
from mailstead.services.worker import Bound, Worker
from mailstead.store.accounts import epoch_keys
from mailstead.store.database import Database
from mailstead.store.instance import check_instance
from mailstead.store.objects import extents
from mailstead.store.opening import open_database
from mailstead.supervisor import reserve

OWNER = "alice@demo.test"
SENDER = "bob@example.com"
SUBJECT = "Welcome to your mailbox"
TEXT = """\
Hello Alice,

this message came in by SMTP. Before a byte of it reached the disk it was sealed to your
key, and only you can open it.

Bob
"""
PORT = 2525
# What is served, and on which port counted from the base.
SERVED = {"smtp": 0, "lmtp": 1, "submission": -60, "imaps": 468}
HIGHEST_BASE = 65535 - 468


@dataclass(slots=True)
class Proof:
    """What was done, and what was found."""

    ports: dict[str, int] = field(default_factory=dict[str, int])
    password: str = ""
    key: str = ""
    fingerprint: str = ""
    reply: str = ""
    tls: str | None = None
    imap_tls: str | None = None
    subject: str = SUBJECT
    sent: bytes = b""
    shown: str = ""
    stored_octets: int = 0
    first_octets: bytes = b""
    files: int = 0
    hits: int = 0
    sha256_sent: str = ""
    sha256_read: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything is as it is promised to be."""
        return (
            self.reply.startswith("250 ")
            and self.tls is not None
            and self.imap_tls is not None
            and self.files > 0
            and self.hits == 0
            and bool(self.first_octets)
            and self.sha256_sent == self.sha256_read
        )


class Demo:
    """A running demo server.

    Args:
        folder: Where everything is.
        say: Prints one line.
    """

    def __init__(self, folder: Path, settings: Settings, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.settings = settings
        self.proof = Proof(password=passphrase())
        self.dialogue: list[str] = []
        self.log = StringIO()
        self.messages = 0
        self._say = say
        self.trouble: Trouble | None = None
        self._database: Database | None = None
        self._office: Office | None = None

    async def run(self, base: int, eml: bytes | None, then: "Callable[[Demo], Awaitable[None]]") -> None:
        """Start the server, prove it, and do *then* while it runs."""
        key = self.settings.server_key()
        database = self._database = open_database(self.settings.store())
        await check_instance(database, key.instance_check)
        # A passphrase of a demo needs no more than the floor of what a password gets.
        self._office = Office(database, key, Arena(64), Cost(), time.time)
        held, listeners = _reserve(base, self._say)
        self.proof.ports = {service: port for service, _, port in listeners}
        tls = ServerTls(self.folder / "certificate.pem", self.folder / "certificate.key")
        log = Log(self.log, addresses=False)
        bell = open_bell(self.settings.data, None)
        bound = [Bound(service, sock) for (service, _, _), sock in zip(listeners, held, strict=True)]
        worker = Worker(
            self.settings.worker(), self._office, bell, tls, bound, log, shower=shower(self._shown)
        )
        started = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(worker.run(started.set))
                try:
                    await started.wait()
                    await self._make_alice()
                    await self._prove(eml)
                    await then(self)
                except SendError as error:
                    fix = "send another one" if eml is not None else "look at the log: mailstead demo, then l"
                    self.trouble = Trouble("the message was not taken", why=str(error), fix=fix)
                except ReadError as error:
                    fix = "look at the log: mailstead demo, then l"
                    self.trouble = Trouble("the message was not given back", why=str(error), fix=fix)
                finally:
                    worker.stop()
        finally:
            await bell.close()
            await database.close()
            for sock in held:
                sock.close()

    def _shown(self, text: str) -> None:
        self.proof.shown = text

    async def _make_alice(self) -> None:
        assert self._office is not None
        assert self._database is not None
        made = await create_account(self._office, OWNER, self.proof.password.encode())
        keys = await self._database.read(lambda tx: epoch_keys(tx, 1))
        self.proof.key = fingerprint(keys[0].public_key)
        assert made.address == OWNER

    async def _prove(self, eml: bytes | None) -> None:
        proof = self.proof
        proof.sent = eml if eml is not None else message(SENDER, SUBJECT, TEXT)
        if eml is not None:
            proof.subject = text(first(eml.partition(b"\r\n\r\n")[0], b"subject") or b"(none)")
        await self.send(SENDER, proof.sent)
        proof.sha256_sent = hashlib.sha256(proof.sent).hexdigest()
        trace_octets = await self._look_at_the_disk(Uid(1))
        read = await asyncio.to_thread(self._read_back, Uid(1))
        proof.sha256_read = hashlib.sha256(read[trace_octets:]).hexdigest()
        scan = Scan({word.decode("utf-8", "replace"): word for word in _canaries(proof)})
        scan.below(self.folder)
        proof.files, proof.hits = scan.files, len(scan.hits)

    async def send(self, sender: str, octets: bytes) -> None:
        """Send *octets* to alice over SMTP with STARTTLS."""
        self.dialogue = []
        began = time.monotonic()

        def heard(line: str) -> None:
            self.dialogue.append(f"  {(time.monotonic() - began) * 1000:7.1f} ms  {line}")

        def deliver() -> tuple[str, str | None]:
            client = SmtpClient(self._dialled("smtp", "starttls"), heard)
            try:
                reply, _ = client.send(parse_mailbox(sender.encode()), [_alice()], octets)
                return str(reply), client.tls
            finally:
                client.close()

        self.proof.reply, self.proof.tls = await asyncio.to_thread(deliver)
        self.messages += 1

    def _dialled(self, service: str, tls: TlsMode) -> Dialled:
        return Dialled("localhost", self.proof.ports[service], tls, self.folder / "certificate.pem")

    async def _look_at_the_disk(self, uid: Uid) -> int:
        """See how a message is stored; how many of its octets this server put in front."""
        assert self._office is not None
        assert self._database is not None
        credential = Credential.password(self.proof.password.encode())
        account = await unlock(self._office, OWNER, credential)
        try:
            inbox = await account.mailbox("INBOX")
            found = await account.locate(inbox.id, uid)
            account_id, object_id = account.account_id, found.b.object_id
            sealed = await self._database.read(lambda tx: extents(tx, account_id, object_id, 0, 1 << 20))
            self.proof.stored_octets = sum(len(e.octets) for e in sealed)
            self.proof.first_octets = sealed[0].octets[:7]
            return found.a.trace_octets
        finally:
            account.close()

    def _read_back(self, uid: Uid) -> bytes:
        """What the owner reads, over IMAP in TLS, after a login with the password."""
        client = ImapClient(self._dialled("imaps", "implicit"), OWNER, self.proof.password.encode())
        try:
            self.proof.imap_tls = client.tls
            client.examine("INBOX")
            return b"".join(client.read(uid))
        finally:
            client.close()


def _alice() -> Address:
    return parse_mailbox(OWNER.encode())


def message(sender: str, subject: str, body: str) -> bytes:
    """A message to alice."""
    token = secrets.token_hex(8)
    return compose(
        parse_mailbox(sender.encode()), [_alice()], subject, body, date=date_time(time.time()),
        message_id=f"{token}@demo.test", boundary=token,
    )  # fmt: skip


def passphrase() -> str:
    """Three words and a number: easy to type, and good for an afternoon."""
    words = new_words()
    return f"{words[0]}-{words[1]}-{secrets.randbelow(90) + 10}-{words[2]}"


def _canaries(proof: Proof) -> list[bytes]:
    """What to look for of a message: its sender, its subject, and every longer line of its text."""
    lines = proof.sent.partition(b"\r\n\r\n")[2].split(b"\r\n")
    texts = [line[:60] for line in lines if len(line) >= 12]
    subject = proof.subject.encode()
    return [word for word in (SENDER.encode(), subject, *texts[:200]) if len(word) >= SHORTEST]


def _reserve(base: int, say: Callable[[str], None]) -> tuple[list[socket.socket], list[tuple[str, str, int]]]:
    ports = {service: base + offset if base else 0 for service, offset in SERVED.items()}
    wanted = [(service, "127.0.0.1", max(0, port)) for service, port in ports.items()]
    try:
        held, listeners = reserve(wanted)
    except Trouble as trouble:
        say(f"  --  ports      {trouble.what}; using free ones")
        held, listeners = reserve([(service, host, 0) for service, host, _ in wanted])
    return held, listeners


@contextmanager
def place(keep: str | None) -> Generator[Path]:
    """The folder of the demo: a temporary one, or *keep*, which stays."""
    if keep is not None:
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory(prefix="mailstead-demo-") as folder:
        yield Path(folder) / "demo"


def settings_in(folder: Path) -> Settings:
    """The settings that `init` made there."""
    return read((folder / "mailstead.toml").resolve())
