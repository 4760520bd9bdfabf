"""A whole post office in one process, without sockets: what most tests of floors 3 and 4 need."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from mailstead.accounts.apppasswords import add_app_password
from mailstead.accounts.bodies import SMALL
from mailstead.accounts.directory import Directory
from mailstead.accounts.login import unlock
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import NewAccount, Office, create_account
from mailstead.accounts.reading import Located
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.clock import SystemClock
from mailstead.crypto.arrivals import digest
from mailstead.crypto.sealed import SealedMessage
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import MAIL, Cost, Scope
from mailstead.delivery.batch import Batch
from mailstead.delivery.body import IncomingBody, MemoryBudget
from mailstead.delivery.reception import DeliverySettings, Reception
from mailstead.delivery.storing import Storing
from mailstead.delivery.trace import Peer
from mailstead.errors import MailError, UnsealError
from mailstead.mail.address import parse_mailbox
from mailstead.mail.envelope import Envelope
from mailstead.mail.summary import Provenance, summarise
from mailstead.secretmem import Arena
from mailstead.store.arrivals import Arrival, Letter, Outcome, Placed
from mailstead.store.database import Database
from mailstead.store.ledger import Ledger

PASSWORD = b"correct horse battery staple"
CHEAP = Cost(8 << 10, 1)  # tests open many accounts
SERVER_KEY = bytes(range(32))
PEER = Peer("192.0.2.7", 4711, "sender.test", None, "ESMTP")


def storing(database: Database, batch: Batch, settings: DeliverySettings) -> Storing:
    return Storing(
        database, batch, settings.data / "spool", settings.compress, settings.memory_octets,
        settings.single_octets,
    )  # fmt: skip


class House:
    """A database, its server key, and a reception in front of it."""

    def __init__(self, database: Database, folder: Path, *, noted: bool = False, **settings: object) -> None:
        self.database = database
        self.folder = folder
        self.server_key = ServerKey(SERVER_KEY)
        self.ledger = Ledger(folder / "ledger", self.server_key.rows.ledger) if noted else None
        self.office = Office(database, self.server_key, Arena(1024), CHEAP, time.time, ledger=self.ledger)
        values = {"free_octets": 0, "hostname": "mx.b.test", "domains": ("b.test", "c.test"), **settings}
        self.settings = DeliverySettings(data=folder, **values)  # type: ignore[arg-type]
        self.batch = Batch(database, self.settings.lane_messages, ledger=self.ledger)
        self.directory = Directory(database, self.server_key.rows)
        self.storing = storing(database, self.batch, self.settings)
        self.reception = Reception(self.settings, self.storing, self.directory, SystemClock())

    async def move_in(self, address: str = "ann@b.test", quota: int = 0) -> NewAccount:
        return await create_account(self.office, address, PASSWORD, quota)

    async def unlock(self, address: str = "ann@b.test", password: bytes = PASSWORD) -> UnlockedAccount:
        return await unlock(self.office, address, Credential.password(password))

    async def app(
        self, name: str = "phone", scope: Scope = MAIL, not_after: int = 0, address: str = "ann@b.test",
        credential: Credential | None = None,
    ) -> bytes:  # fmt: skip
        """A new app password."""
        credential = credential or Credential.password(PASSWORD)
        return (await add_app_password(self.office, address, credential, name, scope, not_after)).octets

    async def deliver(
        self, octets: bytes, *to: str, each: bool = False, pieces: int = 65536
    ) -> list[MailError | str]:
        paths = [parse_mailbox(t.encode()) for t in to or ("ann@b.test",)]
        recipients = [await self.reception.recipient(p, 0) for p in paths]
        envelope = Envelope(parse_mailbox(b"bob@example.net"), tuple(paths))
        transaction = self.reception.begin(envelope, PEER, recipients)
        for at in range(0, len(octets), pieces):
            transaction.push(octets[at : at + pieces])
        return await self.reception.deliver(transaction, each=each)

    async def put(
        self,
        octets: bytes,
        mailbox_id: bytes,
        address: str = "ann@b.test",
        flags: int = 0,
        keywords: tuple[str, ...] = (),
        nowhere_else: bool = False,
        **changes: object,
    ) -> Outcome:
        """Store a message as whoever has the public key can: with any flags, keywords and summary."""
        resident = await self.directory.find(address, 0)
        body = IncomingBody(b"", MemoryBudget(1 << 20, 1 << 20), self.folder, "none")
        body.push(octets)
        structure, prepared = body.finish()
        summary = summarise(structure, internal_date=1, trace_octets=0, provenance=Provenance.APPENDED)
        summary = replace(summary, flags=flags, keywords=keywords, **changes)  # type: ignore[arg-type]
        lane = self.batch.lane(resident)
        object_id = os.urandom(16)
        with lane.next() as sealer:
            summary_flags, sealed = sealer.summary(object_id, summary.encode(mailbox_id))
            body_flags, extents = sealer.body(object_id, prepared)
            message = SealedMessage(
                sealer.ctr, object_id, summary_flags, sealed, body_flags, (body := tuple(extents)), 1000,
                digest(sealed, sum(len(e.octets) for e in body), body[0].octets),
            )  # fmt: skip
        arrival = Arrival(
            resident.account_id, resident.epoch, mailbox_id, lane.sealed, message, resident.chain, 0,
            nowhere_else,
        )  # fmt: skip
        (outcome,) = await self.batch.add(Letter((arrival,), each=True))
        assert nowhere_else or isinstance(outcome, Placed)
        return outcome

    async def inbox(self, account: UnlockedAccount) -> bytes:
        return (await account.mailbox("INBOX")).id

    async def read_all(self, account: UnlockedAccount) -> dict[int, bytes]:
        """Every message of INBOX as it was sent, by UID."""
        found: dict[int, bytes] = {}
        async for message in account.messages(await self.inbox(account)):
            octets = await read_both_ways(account, message)
            found[message.uid] = octets[message.a.trace_octets :]
        return found

    async def read_all_or_none(self, account: UnlockedAccount) -> dict[int, bytes]:
        """As `read_all`, without the messages whose body does not open."""
        found: dict[int, bytes] = {}
        async for message in account.messages(await self.inbox(account)):
            try:
                octets = await read_both_ways(account, message)
            except UnsealError:
                continue
            found[message.uid] = octets[message.a.trace_octets :]
        return found


async def read_both_ways(account: UnlockedAccount, message: Located) -> bytes:
    """All octets of a message; a small one is read in pieces and in one go, with the same result."""
    small = {} if message.a.size > SMALL else await account.read_small([message.body])
    at_once = small.get(message.uid)
    try:
        octets = b"".join([piece async for piece in account.read(message.body)])
    except UnsealError:
        assert not isinstance(at_once, bytes)
        raise
    assert at_once in (None, octets)
    return octets


@contextlib.asynccontextmanager
async def house(
    database: Database, folder: Path, *, noted: bool = False, **settings: object
) -> AsyncIterator[House]:
    """A house whose batch is written while the block runs; with a ledger, if what it does is *noted*."""
    for name in ("run", "spool"):
        (folder / name).mkdir(exist_ok=True)
    built = House(database, folder, noted=noted, **settings)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(built.batch.run())
        try:
            yield built
        finally:
            writing.cancel()
