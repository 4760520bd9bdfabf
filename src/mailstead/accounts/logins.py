"""Logins of a worker: names, delays after failures, and passwords remembered while they are in use."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.delays import Delays
from mailstead.accounts.login import Credential, Memory, unlock_here, unlock_root
from mailstead.accounts.presence import Ended, Presence
from mailstead.accounts.remembered import Remembered
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.clock import Clock
from mailstead.crypto.slots import SlotType
from mailstead.errors import Reason, Refused, Unavailable
from mailstead.mail.address import AddressError, canonical_local, parse_mailbox
from mailstead.store import accounts as rows
from mailstead.store.database import Tx

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

NAME_OCTETS = 512
NO_NAME = " "  # which no address is


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody proved to be, and when; nothing of his is open."""

    account_id: int
    access_version: int
    addresses: frozenset[str]


class Logins:
    """Takes names and passwords, and gives sessions.

    Args:
        domains: Canonical; with one, its local part is enough for a name.
    """

    def __init__(self, office: "Office", presence: Presence, domains: tuple[str, ...], clock: Clock) -> None:
        self._office = office
        self._presence = presence
        self._domains = domains
        self._clock = clock
        self._delays = Delays()
        self._memory = Memory(Remembered(office.arena), clock.monotonic)
        presence.on_look(self._looked)

    def _looked(self, online: set[int], changed: set[int]) -> None:
        for account_id in changed:
            self._memory.remembered.forget_account(account_id)
        self._memory.remembered.sweep(online, self._clock.monotonic())

    async def login(self, name: str, password: bytes, peer: str, ended: Ended) -> UnlockedAccount:
        """Open the account of a login name for one session.

        Args:
            name: As the client sent it.
            peer: The client's address.
            ended: Called once when the session must end: its password was changed, or the
                account disabled or removed.

        Raises:
            Refused: LOGIN_FAILED, whatever was wrong; DAMAGED, when only the keys were.
            Unavailable: too many try at once.
        """
        address = self._address(name)
        key = (address, peer)
        wait = self._delays.take(key, self._clock.monotonic())
        if wait is None:
            raise Unavailable(Reason.TOO_BUSY, "too many failures")
        if wait:
            await asyncio.sleep(wait)
        try:
            account = await self._unlock(address, password, peer, ended)
        except Refused as refused:
            if refused.reason is Reason.LOGIN_FAILED:
                self._delays.failed(key, self._clock.monotonic())
            raise
        self._delays.succeeded(key)
        return account

    async def prove(self, name: str, password: bytes, peer: str) -> Proof:
        """Have somebody prove who he is.

        Raises:
            Refused, Unavailable: as `login`.
        """
        address = self._address(name)
        # Before the password is looked at: a change that comes meanwhile ends the proof.
        before = await self._office.database.read(lambda tx: _access(tx, address))
        account = await self.login(name, password, peer, lambda: None)
        try:
            addresses = frozenset(await account.addresses())
        finally:
            account.close()
        return Proof(account.account_id, before, addresses)

    async def stands(self, proof: Proof) -> bool:
        """Whether a proof still holds: no way in was changed since, and the account is not disabled."""
        access = await self._office.database.read(lambda tx: rows.access(tx, proof.account_id))
        return (
            access is not None
            and access.status == rows.ACTIVE
            and access.access_version == proof.access_version
        )

    async def _unlock(self, address: str, password: bytes, peer: str, ended: Ended) -> UnlockedAccount:
        try:
            credential = Credential.password(password)
        except ValueError as error:  # it cannot be anybody's
            await unlock_root(self._office, NO_NAME, Credential(SlotType.PASSWORD, b"\0"), self._memory, peer)
            raise AssertionError("nobody has that name") from error
        return await unlock_here(self._office, self._presence, address, credential, ended, self._memory, peer)

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
