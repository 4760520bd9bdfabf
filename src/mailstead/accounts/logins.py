"""Logins of a worker: names, delays after failures, and passwords remembered while they are in use."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from mailstead.accounts.accessentries import Door, Outcome
from mailstead.accounts.accessnotes import account_of, seen
from mailstead.accounts.attendance import Ended
from mailstead.accounts.delays import Delays
from mailstead.accounts.login import unlock_here, use_for_sending
from mailstead.accounts.opening import Credential, Memory, OpenedWay, ScramProof, open_way, scram_salt
from mailstead.accounts.presence import Presence
from mailstead.accounts.remembered import Remembered
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.clock import Clock
from mailstead.crypto.slots import SlotType
from mailstead.errors import MailError, Reason, Refused, Unavailable
from mailstead.mail.address import AddressError, canonical_local, parse_mailbox
from mailstead.store import accounts as rows
from mailstead.store.database import Tx
from mailstead.store.slots import any_app_password

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

T = TypeVar("T")
LOOK_SECONDS = 5.0
NAME_OCTETS = 512
NO_NAME = " "  # which no address is


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody proved to be, and when; nothing of his is open.

    Args:
        not_after: When his app password expires, in seconds since the epoch; 0: it does not.
    """

    account_id: int
    access_version: int
    addresses: frozenset[str]
    not_after: int = 0


@dataclass(frozen=True, slots=True)
class Admitted(Generic[T]):
    """What a login gave.

    Args:
        signature: By SCRAM: what the client is shown.
    """

    what: T
    signature: bytes = b""


class Logins:
    """Takes names and passwords, and gives sessions.

    Args:
        domains: Canonical; with one, its local part is enough for a name.
        scram: Whether SCRAM is taken; it is offered once somebody here has an app password.
        scram_plus: Whether it may be bound to the TLS connection.
        guessed: Called with a canonical address now and then while somebody guesses at it from everywhere.
    """

    def __init__(
        self,
        office: "Office",
        presence: Presence,
        domains: tuple[str, ...],
        clock: Clock,
        *,
        scram: bool = True,
        scram_plus: bool = True,
        guessed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._guessed = guessed
        self.scram_taken = scram
        self.scram_plus = scram_plus
        self.scram_offered = False  # as far as it was looked at
        self._office = office
        self._presence = presence
        self._domains = domains
        self._clock = clock
        self._delays = Delays()
        self._memory = Memory(Remembered(office.arena), clock.monotonic)
        presence.on_look(self._looked)

    async def look(self) -> None:
        """See whether anybody here has an app password.

        Raises:
            Unavailable: the database is away.
        """
        found = self.scram_taken and await self._office.database.read(any_app_password)
        self.scram_offered = found

    async def run(self) -> None:
        """Look now and then."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(MailError):
                await self.look()

    def _looked(self, online: set[int], changed: set[int]) -> None:
        for account_id in changed:
            self._memory.remembered.forget_account(account_id)
        self._memory.remembered.sweep(online, self._clock.monotonic())

    async def scram_salt(self, name: str) -> bytes:
        """What SCRAM salts the app passwords of a login name with, whether it is somebody's or not."""
        return await scram_salt(self._office, self._address(name))

    async def login(self, name: str, password: bytes, peer: str, ended: Ended) -> UnlockedAccount:
        """Open the account of a login name for one session, by password (`admit`)."""
        return (await self.admit(name, password, peer, ended)).what

    async def admit(
        self, name: str, given: bytes | ScramProof, peer: str, ended: Ended, door: Door = Door.IMAP
    ) -> Admitted[UnlockedAccount]:
        """Open the account of a login name for one session.

        Args:
            name: As the client sent it.
            given: A password, or a proof that somebody has one.
            peer: The client's address.
            ended: Called once when the session must end: its way in was revoked, or the account
                disabled or removed.
            door: By which protocol he comes.

        Raises:
            Refused: LOGIN_FAILED, whatever was wrong; OUT_OF_SCOPE, when it was right and is not for
                reading mail; DAMAGED, when only the keys were wrong.
            Unavailable: too many try at once.
        """

        async def enter(way: OpenedWay) -> UnlockedAccount:
            return await unlock_here(self._office, self._presence, way, door, ended)

        return await self._attempt(self._address(name), given, peer, door, enter)

    async def prove(self, name: str, given: bytes | ScramProof, peer: str) -> Admitted[Proof]:
        """Have somebody prove who he is, and that he may send mail.

        Raises:
            Refused, Unavailable: as `admit`.
        """
        address = self._address(name)
        office = self._office
        # Before the password is looked at: a change that comes meanwhile ends the proof.
        before = await office.database.read(lambda tx: _access(tx, address))

        async def enter(way: OpenedWay) -> Proof:
            await use_for_sending(office, way)
            account_id = way.account.account_id
            found = await office.database.read(lambda tx: rows.addresses(tx, account_id))
            return Proof(account_id, before, frozenset(r.address for r in found), way.slot.not_after)

        return await self._attempt(address, given, peer, Door.SUBMISSION, enter)

    async def stands(self, proof: Proof) -> bool:
        """Whether a proof still holds: no way in was changed since, none expired, the account is active."""
        if proof.not_after and self._office.now() >= proof.not_after:
            return False
        access = await self._office.database.read(lambda tx: rows.access(tx, proof.account_id))
        return (
            access is not None
            and access.status == rows.ACTIVE
            and access.access_version == proof.access_version
        )

    async def _attempt(
        self,
        address: str,
        given: bytes | ScramProof,
        peer: str,
        door: Door,
        enter: Callable[[OpenedWay], Awaitable[T]],
    ) -> Admitted[T]:
        """Try what somebody gives, and count what came of it.

        Raises:
            Refused, Unavailable: as `admit`.
        """
        result = "unavailable"
        try:
            admitted = await self._try(address, given, peer, door, enter)
            result = "entered"
        except Refused as refused:
            result = "failed" if refused.reason is Reason.LOGIN_FAILED else "refused"
            raise
        finally:
            self._office.metrics.auth_attempts.add(door.name.lower(), result)
        return admitted

    async def _try(
        self,
        address: str,
        given: bytes | ScramProof,
        peer: str,
        door: Door,
        enter: Callable[[OpenedWay], Awaitable[T]],
    ) -> Admitted[T]:
        """Try what somebody gives, after the delay that failures have earned."""
        wait = self._delays.take(address, peer, self._clock.monotonic())
        if wait is None:
            raise Unavailable(Reason.TOO_BUSY, "too many failures")
        if wait:
            await asyncio.sleep(wait)
        try:
            way = await self._open(address, given, peer)
        except Refused:
            if self._delays.failed(address, peer, self._clock.monotonic()):
                self._guessed(address)
            account_id = await account_of(self._office.database, address)
            if account_id is not None:
                self._office.witness(account_id, seen(self._office.now(), door, Outcome.FAILED, peer=peer))
            raise
        self._delays.succeeded(address, peer)
        account_id, outcome = way.account.account_id, Outcome.REFUSED
        try:
            admitted = Admitted(await enter(way), way.signature)
            outcome = Outcome.ENTERED
        except MemoryError as error:  # for keys
            raise Unavailable(Reason.TOO_BUSY, str(error)) from error
        finally:
            self._office.witness(account_id, seen(self._office.now(), door, outcome, way.slot, peer))
        return admitted

    async def _open(self, address: str, given: bytes | ScramProof, peer: str) -> OpenedWay:
        try:
            credential = given if isinstance(given, ScramProof) else Credential.password(given)
        except ValueError:  # it cannot be anybody's
            credential, address = Credential(SlotType.PASSWORD, b"\0"), NO_NAME
        return await open_way(self._office, address, credential, self._memory, peer)

    def _address(self, name: str) -> str:
        """The canonical address that a login name means; of what is no name, something nobody has."""
        cut = name[:NAME_OCTETS]
        try:
            if "@" not in cut and len(self._domains) == 1:
                return f"{canonical_local(cut)}@{self._domains[0]}"
            return parse_mailbox(cut.encode()).canonical()
        except (AddressError, UnicodeEncodeError):
            # In letters and digits that every database takes, and with a space, which no address has.
            return f" {cut.encode('utf-8', 'replace').hex()}"


def _access(tx: Tx, address: str) -> int:
    found = rows.find_recipient(tx, address)
    access = None if found is None else rows.access(tx, found.account.account_id)
    return -1 if access is None else access.access_version
