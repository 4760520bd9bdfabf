"""One run: a server of this process on loopback, two people who live there for a minute, and the search.

In a real installation the people go when it is over, on every way out; nobody else's mail is touched.
"""

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from mailstead.accounts.apppasswords import add_app_password
from mailstead.accounts.newways import change_password
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office, create_account, remove_account
from mailstead.bus.bell import open_bell
from mailstead.config import Settings
from mailstead.crypto.certificate import self_signed
from mailstead.errors import MailError, Trouble
from mailstead.leakcheck import acts
from mailstead.leakcheck.acts import SERVED, Server
from mailstead.leakcheck.canaries import Canaries
from mailstead.leakcheck.places import Places, Searched
from mailstead.leakcheck.scene import Scene
from mailstead.leakcheck.table import Result, Verdict, check, unchecked
from mailstead.leakcheck.talk import TalkError
from mailstead.log import Log
from mailstead.net.dial import SendError
from mailstead.net.tls import ServerTls
from mailstead.services.worker import Bound, Worker
from mailstead.store.sealedrows import SealedRow
from mailstead.supervisor import reserve

ERASED_SECONDS = 60.0  # in which what was expunged is in no file any more (docs/security.md)
TRACE = 64  # octets at the beginning of a row: salt and commitment, which are nowhere else
Say = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What came of it.

    Args:
        people: The addresses that lived there, if any, and are gone.
        words: How many were looked for.
        known: Words that were left out: the server has them in clear, and says so.
    """

    searched: Searched
    table: list[Result]
    places: list[str]
    words: int
    known: list[str]
    people: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing leaks beyond what the table says."""
        leaks = any(result.found.verdict is Verdict.LEAKS for result in self.table)
        return not leaks and not self.searched.hits


async def look_only(office: Office, words: Mapping[str, bytes], places: Places, known: list[str]) -> Report:
    """Search for words, and do nothing else."""
    await places.search(office.database, words, "as it is")
    table = unchecked("no account was made that it could be tried with (--account)")
    return Report(places.searched, table, places.named(), len(words), known)


@dataclass(slots=True)
class Run:
    """One run, in the data of *settings*.

    Args:
        log: Where the server writes its log, at its most talkative.
        words: What else is looked for, by name; the mail has it, too.
        places: Where is searched.
        say: Told what is being done.
    """

    office: Office
    settings: Settings
    log: TextIO
    words: Mapping[str, bytes]
    places: Places
    say: Say
    canaries: Canaries = field(default_factory=Canaries)
    found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    async def go(self, known: list[str]) -> Report:
        """Do everything, and search.

        Args:
            known: Words that are left out.

        Raises:
            Trouble: something could not be done that had to be, so that nothing is proved.
        """
        database, report = self.office.database, None
        async with self._server() as server:
            scene = Scene(database, server, self.settings.data, bool(self.settings.store().database))
            try:
                await self._live(scene)
            except (SendError, TalkError, MailError, OSError) as error:
                raise Trouble(
                    "the check could not be made", why=str(error) or type(error).__name__,
                    fix="look at the log; nothing is proved either way",
                ) from error  # fmt: skip
            self.say("searching")
            await self.places.search(database, self._wanted(), "while it runs")
            if self.places.searched.hits:
                self._note(await self.places.where_all(database, self.canaries.words))
            elif not scene.postgres:
                self.say(f"waiting until what was erased is gone, {ERASED_SECONDS:.0f} s at most")
                scene.waited = await self._until_erased()
            scene.found = self.found
            report = Report(
                self.places.searched, await check(scene), self.places.named(),
                len(self.canaries.words) + len(self.words), known, (server.owner, server.other),
            )  # fmt: skip
        self.log.flush()
        self.places.search_files(self._wanted(), "after it has stopped")
        return report

    def _wanted(self) -> dict[str, bytes]:
        return {"a canary": self.canaries.stem.encode(), **self.words}

    async def _live(self, scene: Scene) -> None:
        server, canaries = scene.server, self.canaries
        in_thread = asyncio.to_thread
        self.say("mail by SMTP and LMTP")
        await in_thread(acts.deliver, server, canaries, list(self.words.values()))
        await scene.numbers()
        scene.pendings = await scene.sealed("summary", scene.owner)
        scene.lanes = await scene.sealed("lane", scene.owner)
        self.say("a large message, searched for when half of it is there")
        await in_thread(acts.deliver_large, server, canaries, self._midway)
        self.say("logins, POP3, submission")
        await in_thread(acts.mistype, server, canaries)
        await in_thread(acts.fetch_by_pop3, server, canaries)
        await in_thread(acts.submit, server, canaries)
        self.say("mailboxes, keywords, annotations, searches, copies")
        scene.arranged = await in_thread(acts.read_and_arrange, server, canaries, canaries["password"])
        self.say("an app password, another password")
        credential = Credential.password(canaries.octets("password"))
        await add_app_password(self.office, server.owner, credential, canaries["app password's name"])
        await change_password(self.office, server.owner, credential, canaries.octets("new password"))
        before = [*scene.lanes, *await self._may_go(scene)]
        await in_thread(acts.expunge_first, server, canaries["new password"])
        live = {row.sealed.octets for row in await self._may_go(scene)}
        scene.erased = [row.sealed.octets[:TRACE] for row in before if row.sealed.octets not in live]

    async def _may_go(self, scene: Scene) -> list[SealedRow]:
        """What goes with a message: its body, its lane, the pages that have its key."""
        sorts = ("body", "lane", "page")
        return [row for sort in sorts for row in await scene.sealed(sort, scene.owner)]

    def _midway(self) -> None:
        time.sleep(0.3)  # what was sent is read and spooled
        self.places.search_files(self._wanted(), "while a large message arrives")
        if self.places.searched.hits:
            self._note(self.places.where(self.canaries.words))

    def _note(self, found: Mapping[str, list[str]]) -> None:
        for name, places in found.items():
            self.found.setdefault(name, []).extend(places)

    async def _until_erased(self) -> float:
        """Wait until the write-ahead log was emptied; how long it took, in seconds."""
        began = time.monotonic()
        log = self.settings.data / "mail.db-wal"
        while (waited := time.monotonic() - began) < ERASED_SECONDS:
            if not log.exists() or log.stat().st_size == 0:
                break
            await asyncio.sleep(0.5)
        return waited

    @contextlib.asynccontextmanager
    async def _server(self) -> AsyncGenerator[Server]:
        """A worker on free ports of loopback, with a certificate of its own, and its two people."""
        settings = self.settings
        bell = open_bell(settings.data, settings.store().database)
        held, listeners = reserve([(name, "127.0.0.1", 0) for name in SERVED])
        ports = {name: port for name, _, port in listeners}
        bound = [Bound(name, sock) for name, sock in zip(ports, held, strict=True)]
        log = Log(self.log, addresses=False, level="debug")
        failed: Exception | None = None
        started = asyncio.Event()
        with tempfile.TemporaryDirectory(prefix="mailstead-leakcheck-") as folder:
            worker = Worker(settings.worker(), self.office, bell, _certificate(Path(folder)), bound, log)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(worker.run(started.set))
                    try:
                        await started.wait()
                        async with self._people() as (owner, other):
                            yield Server(ports, owner, other)
                    except Exception as error:  # it leaves the group as it is, not in a group of errors
                        failed = error
                    finally:
                        worker.stop()
            finally:
                await bell.close()
                for sock in held:
                    sock.close()
        if failed is not None:
            raise failed

    @contextlib.asynccontextmanager
    async def _people(self) -> AsyncGenerator[tuple[str, str]]:
        """Two accounts, which are removed again."""
        token, domain = secrets.token_hex(4), self.settings.domains[0]
        made: list[str] = []
        try:
            for name in ("leakcheck", "leakcheck-too"):
                address = f"{name}-{token}@{domain}"
                await create_account(self.office, address, self.canaries.octets("password"))
                made.append(address)
            yield made[0], made[1]
        finally:
            for address in made:
                await asyncio.shield(_remove(self.office, address))


async def _remove(office: Office, address: str) -> None:
    try:
        await remove_account(office, address)
    except MailError as error:
        raise Trouble(
            f"{address} was made for the check and could not be removed", why=str(error),
            fix=f"mailstead user remove {address}",
        ) from error  # fmt: skip


def _certificate(folder: Path) -> ServerTls:
    certificate, key = self_signed("localhost", time.time())
    paths = folder / "certificate.pem", folder / "certificate.key"
    for path, octets in zip(paths, (certificate, key), strict=True):
        path.touch(mode=0o600)
        path.write_bytes(octets)
    return ServerTls(*paths)
