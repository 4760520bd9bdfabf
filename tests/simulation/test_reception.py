"""Reception in two hundred worlds: slow, silent, rude and honest clients, and a disk that fails."""

import asyncio
import hashlib
import os
import random
from pathlib import Path

import apsw
import pytest

from mailstead.accounts.directory import Directory
from mailstead.accounts.login import unlock
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office, create_account
from mailstead.crypto.serverkey import ServerKey
from mailstead.delivery.batch import Batch
from mailstead.delivery.reception import DeliverySettings, Reception
from mailstead.log import Log
from mailstead.net.listen import Gate
from mailstead.net.sweep import sweep
from mailstead.secretmem import Arena
from mailstead.services.mailtransaction import SmtpSettings
from mailstead.services.smtp import COMMAND_SECONDS, DATA_SECONDS, SmtpService
from mailstead.store.opening import StoreSettings, open_database
from tests.simulation.simulator import FailingDatabase, FailingEngine, Link, VirtualClock, VirtualLoop, World
from tests.support.house import CHEAP, PASSWORD, SERVER_KEY, storing

SEEDS = range(int(os.environ.get("MAILSTEAD_SEEDS", "200")))
CLIENTS = 8


class Client:
    """One client, of a temper that the seed chooses; it keeps what was acknowledged."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.rng = random.Random(world.rng.random())
        self.number = number
        self.link: Link | None = None
        self.temper = self.rng.choice(["honest", "honest", "honest", "silent", "rude", "leaver", "slow"])
        self.buffer = b""
        self.came = asyncio.Event()
        self.over = False
        self.acknowledged: list[bytes] = []

    def hear(self, octets: bytes) -> None:
        self.over = self.over or not octets
        self.buffer += octets
        self.came.set()

    async def reply(self) -> int:
        while True:
            at = 0
            while (end := self.buffer.find(b"\r\n", at)) >= 0:
                line, at = self.buffer[at:end], end + 2
                if line[3:4] != b"-":
                    self.buffer = self.buffer[at:]
                    return int(line[:3])
            if self.over:
                return 0
            self.came.clear()
            await self.came.wait()

    def send(self, octets: bytes) -> None:
        assert self.link is not None
        self.link.send(octets)

    async def run(self) -> None:
        assert self.link is not None
        await asyncio.sleep(self.rng.uniform(0, 5))
        if await self.reply() != 220:
            return
        self.send(b"EHLO c%d.test\r\n" % self.number)
        await self.reply()
        for n in range(self.rng.randint(1, 5)):
            if not await self.message(n):
                return
        self.send(b"QUIT\r\n")
        await self.reply()

    async def message(self, n: int) -> bool:
        size = self.rng.choice([0, 10, 3000, 70_000, 400_000])
        body = self.rng.randbytes(size // 2).hex().encode()
        lines = b"\r\n".join(body[i : i + 70] for i in range(0, len(body), 70))
        octets = b"Subject: %d-%d\r\n\r\n" % (self.number, n) + lines + b"\r\n"
        self.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
        codes = [await self.reply() for _ in range(3)]
        if codes[-1] != 354:
            return codes[-1] != 0
        match self.temper:
            case "silent":
                self.send(octets[: len(octets) // 2])
                await asyncio.sleep(3 * 3600)  # for hours
                assert self.over, "a session outlived its deadline"
                return False
            case "rude":
                self.send(
                    octets[:-2]
                    + self.rng.choice([b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\0\r\n.\r\n"])
                    + b"NOOP\r\n" * 3
                )
                assert await self.reply() == 550
                return False
            case "leaver":
                assert self.link is not None
                self.send(octets[: self.rng.randint(0, len(octets))])
                self.link.hang_up()
                return False
            case "slow":
                await asyncio.sleep(self.rng.uniform(0, 100))
            case _:
                pass
        self.send(octets + b".\r\n")
        code = await self.reply()
        assert code in (250, 451, 452, 0), code
        if code == 250:
            self.acknowledged.append(octets)
        return code != 0


async def live(
    world: World, image: bytes, folder: Path, failures: float
) -> tuple[list[bytes], list[bytes], FailingDatabase]:
    """Let everybody talk to the server; what was acknowledged, and what is stored."""
    loop = asyncio.get_running_loop()
    database = FailingDatabase(world, image, failures=failures)
    key = ServerKey(SERVER_KEY)
    batch = Batch(database)
    settings = DeliverySettings("mx.b.test", ("b.test",), folder, free_octets=0, memory_octets=100_000)
    clock = VirtualClock(loop)
    directory = Directory(database, key.rows)
    reception = Reception(settings, storing(database, batch, settings), directory, clock)
    gate = Gate(50)
    with (folder / "log").open("w") as stream:
        service = SmtpService(
            SmtpSettings("mx.b.test"), reception, gate, None, asyncio.Event(), Log(stream), lmtp=False
        )
        clients = [Client(world, n) for n in range(CLIENTS)]
        async with asyncio.TaskGroup() as background:
            running = [background.create_task(batch.run()), background.create_task(sweep(gate.wires))]
            async with asyncio.TaskGroup() as tasks:
                for client in clients:
                    client.link = Link(world, client.hear, client.number)
                    client.link.connect(lambda wire: tasks.create_task(service.serve(wire)))
                    tasks.create_task(client.run())
            for task in running:
                task.cancel()
    assert loop.time() < 4 * 3600 + COMMAND_SECONDS + DATA_SECONDS
    assert not gate.wires
    assert not list((folder / "spool").iterdir())
    assert "failed" not in (folder / "log").read_text()
    office = Office(database, key, Arena(64), CHEAP, clock.now)
    account = await unlock(office, "ann@b.test", Credential.password(PASSWORD))
    inbox = (await account.mailbox("INBOX")).id
    stored = []
    async for message in account.messages(inbox):
        whole = b"".join([piece async for piece in account.read(message.body)])
        stored.append(whole[message.a.trace_octets :])
    account.close()
    return [octets for client in clients for octets in client.acknowledged], stored, database


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database in which ann lives."""
    folder = tmp_path_factory.mktemp("image")

    async def make() -> None:
        database = open_database(StoreSettings(folder))
        office = Office(database, ServerKey(SERVER_KEY), Arena(64), CHEAP, lambda: 0.0)
        await create_account(office, "ann@b.test", PASSWORD)
        await database.close()

    asyncio.run(make())
    connection = apsw.Connection(str(folder / "mail.db"))
    connection.execute("PRAGMA journal_mode = DELETE")
    octets = connection.serialize("main")
    connection.close()
    return octets


def simulate(
    seed: int, image: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[bytes], list[bytes], FailingDatabase]:
    """One world from beginning to end; the digest of everything that was said in it."""
    (folder / "spool").mkdir(parents=True)
    randomness = random.Random(seed)
    monkeypatch.setattr(os, "urandom", randomness.randbytes)
    world = World(seed)
    loop = VirtualLoop()
    try:
        failures = world.rng.choice([0.0, 0.0, 0.1, 0.5])
        acknowledged, stored, database = loop.run_until_complete(live(world, image, folder, failures))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
        monkeypatch.undo()
    said = hashlib.sha256(repr(world.said).encode()).hexdigest()
    return said, acknowledged, stored, database


@pytest.mark.parametrize("tens", range(0, len(SEEDS), 10))
def test_what_is_acknowledged_is_stored(
    tens: int, image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing acknowledged is missing, nothing is stored that was not sent whole, nobody outlives a deadline."""
    for seed in SEEDS[tens : tens + 10]:
        _, acknowledged, stored, database = simulate(seed, image, tmp_path / str(seed), monkeypatch)
        assert sorted(acknowledged) == sorted(set(acknowledged))
        missing = [octets for octets in acknowledged if octets not in stored]
        assert not missing, f"seed {seed}"
        assert len(stored) == len(set(stored)), f"seed {seed}: stored twice"
        database.connection.close()


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_seed_replays_octet_for_octet(
    seed: int, image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {simulate(seed, image, tmp_path / str(n), monkeypatch)[0] for n in range(3)}
    assert len(digests) == 1
    assert simulate(seed + 1, image, tmp_path / "other", monkeypatch)[0] not in digests


def test_the_worlds_are_not_all_alike(image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [simulate(seed, image, tmp_path / str(seed), monkeypatch) for seed in range(12)]
    assert any(database.engine.failed for *_, database in runs)
    assert any(not database.engine.failed for *_, database in runs)
    assert sum(len(acknowledged) for _, acknowledged, *_ in runs) > 30


def test_answering_before_the_commit_is_found(
    image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a database that answers before its commit loses what it has acknowledged."""
    lost = 0
    for seed in range(12):
        with monkeypatch.context() as patch:
            patch.setattr(FailingEngine, "report", lambda self, reason: None)
            _, acknowledged, stored, _ = simulate(seed, image, tmp_path / str(seed), patch)
        lost += sum(octets not in stored for octets in acknowledged)
    assert lost
