"""A message in: who it is for, where its octets wait, and the commit that makes it theirs.

A refusal needs no undoing: nothing was written.
"""

import os
from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailstead.accounts.directory import Directory, Resident
from mailstead.clock import Clock, ticks
from mailstead.crypto.body import Compress
from mailstead.delivery.batch import Batch
from mailstead.delivery.body import IncomingBody
from mailstead.delivery.sealing import Sealing
from mailstead.delivery.storing import Storing
from mailstead.delivery.trace import Peer, trace_fields
from mailstead.errors import MailError, Reason, Refused, Unavailable
from mailstead.mail.address import Address
from mailstead.mail.envelope import Envelope
from mailstead.store.arrivals import Outcome, Placed

_RESERVED = ("postmaster", "abuse")  # RFC 5321 section 4.5.1, RFC 2142


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """What reception is told of the settings.

    Args:
        domains: Local domains, canonical; the first one is meant by a bare Postmaster.
        data: The folder whose disk must have room, and below which `spool/` lies.
        free_octets: Below this much free space new mail is deferred.
        memory_octets: What all unfinished bodies of a worker may hold in memory together.
    """

    hostname: str
    domains: tuple[str, ...]
    data: Path
    free_octets: int = 100 << 20
    compress: Compress = "all"
    lane_messages: int = 256
    memory_octets: int = 10 << 20
    single_octets: int = 1 << 20
    hops: int = 100


@dataclass(frozen=True, slots=True)
class Recipient:
    """A forward-path that was accepted, and who stands behind it."""

    path: str
    address: str
    resident: Resident


@dataclass(slots=True)
class Transaction:
    """What is known of one mail transaction while its octets arrive."""

    name: str
    envelope: Envelope
    recipients: tuple[Recipient, ...]
    body: IncomingBody
    now: float
    batch: Batch
    arriving: bool = True

    def push(self, octets: bytes) -> None:
        """Take the next octets of the message.

        Raises:
            Unavailable: they had to be spooled and the disk is full or failing.
        """
        self.body.push(octets)

    def discard(self) -> None:
        """Let go of the octets; harmless when done twice."""
        self.arrived()
        self.body.discard()

    def arrived(self) -> None:
        """No octets follow: nobody needs to wait for this message."""
        if self.arriving:
            self.arriving = False
            self.batch.arriving -= 1


Shower = Callable[[Transaction], None]


class Reception:
    """Takes mail in for local recipients, and for nobody else."""

    def __init__(
        self,
        settings: DeliverySettings,
        storing: Storing,
        directory: Directory,
        clock: Clock,
        shower: Shower | None = None,
    ) -> None:
        self._settings = settings
        self._storing = storing
        self._directory = directory
        self._clock = clock
        self._shower = shower
        self._space_checked = float("-inf")
        self._space = 0

    async def recipient(self, path: Address, size: int) -> Recipient:
        """Decide on a RCPT.

        Args:
            size: What MAIL announced by SIZE, or 0.

        Raises:
            Refused: no such address, not a domain of ours, or a disabled account.
            Unavailable: a full mailbox, no key to seal to, or no answer from the database.
        """
        address = self._local(path)
        try:
            resident = await self._directory.find(address, size)
        except Unavailable as error:
            if error.reason in (Reason.NO_KEY, Reason.DAMAGED):
                self._storing.metrics.seal_failures.add()
            raise
        except Refused as refused:
            local = address.partition("@")[0]
            if refused.reason is Reason.NO_SUCH_RECIPIENT and local in _RESERVED:
                # It must exist as soon as anybody does: the first account gets it.
                raise Unavailable(Reason.NO_KEY, f"nobody is {local} yet") from refused
            raise
        return Recipient(str(path), address, resident)

    def _local(self, path: Address) -> str:
        if not path.domain:  # RCPT TO:<Postmaster>
            return f"{path.canonical()}@{self._settings.domains[0]}"
        canonical = path.canonical()
        if canonical.rpartition("@")[2] not in self._settings.domains:
            raise Refused(Reason.RELAY_DENIED)
        return canonical

    def check_space(self, size: int) -> None:
        """Decide on a MAIL: is there room for *size* octets more?

        Raises:
            Unavailable: the disk is nearly full.
        """
        now = self._clock.monotonic()
        if now - self._space_checked > 1:
            try:
                found = os.statvfs(self._settings.data)
            except OSError as error:
                raise Unavailable(Reason.STORAGE_UNAVAILABLE, str(error)) from error
            self._space, self._space_checked = found.f_bavail * found.f_frsize, now
        if self._space - size < self._settings.free_octets:
            raise Unavailable(Reason.STORAGE_FULL)

    def begin(self, envelope: Envelope, peer: Peer, recipients: Sequence[Recipient]) -> Transaction:
        """DATA or the first BDAT was accepted: the octets that follow go to `push`."""
        now = self._clock.now()
        name = "m-" + b32encode(os.urandom(5)).decode()
        paths = [r.path for r in recipients]
        trace = trace_fields(envelope, peer, paths, self._settings.hostname, name, now)
        keep = 1 << 20 if self._shower is not None else 0
        batch = self._storing.batch
        batch.arriving += 1
        return Transaction(name, envelope, tuple(recipients), self._storing.body(trace, keep), now, batch)

    async def deliver(self, transaction: Transaction, *, each: bool) -> list[MailError | str]:
        """Seal and store; one outcome per recipient, in RCPT order, once it is durable.

        Args:
            each: True: every recipient has its own outcome (LMTP). False: all or none (SMTP).

        Returns:
            For each recipient the name shown in the 250, or why not.
        """
        began = ticks()
        try:
            outcomes = await self._deliver(transaction, each=each)
        except MailError as error:
            return [error] * len(transaction.recipients)
        finally:
            transaction.body.discard()
            self._storing.metrics.delivery.observe(ticks() - began)
        if self._shower is not None and any(isinstance(o, str) for o in outcomes):
            self._shower(transaction)
        return outcomes

    async def _deliver(self, transaction: Transaction, *, each: bool) -> list[MailError | str]:
        structure, prepared = transaction.body.finish()
        transaction.arrived()
        if structure.received > self._settings.hops:
            raise Refused(Reason.TOO_MANY_HOPS)
        sealing = Sealing(transaction.now, self._clock.now(), transaction.body, structure, prepared)
        # Two addresses of one account are one message there (RFC 5321 section 5.1, "once").
        residents = {r.resident.account_id: r.resident for r in transaction.recipients}
        outcomes = await self._storing.store(sealing, residents, each=each)
        if any(o is Reason.KEY_CHANGED for o in outcomes.values()):
            again = {
                account: (await self._directory.find(r.address, 0))
                for r in transaction.recipients
                if outcomes[account := r.resident.account_id] is Reason.KEY_CHANGED or not each
            }
            outcomes |= await self._storing.store(sealing, again, each=each)
        return [_spoken(transaction.name, outcomes[r.resident.account_id]) for r in transaction.recipients]


def _spoken(name: str, outcome: Outcome) -> MailError | str:
    match outcome:
        case Placed():
            return name
        case Reason.OVER_QUOTA | Reason.KEY_CHANGED:
            return Unavailable(outcome)
        case Reason():
            return Refused(outcome)
