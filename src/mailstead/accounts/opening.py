"""A credential, and the way into an account that it opens: one error, at one cost, whatever was wrong.

What has the form of an app password is tried only on the app password with its locator, which costs
a millisecond; anything else only on the slots of its type, at the cost of Argon2id. An account that
has no such way in, or is nobody's, costs the same (`decoy`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.decoy import NOBODY
from mailstead.accounts.directory import check_account, check_address
from mailstead.accounts.remembered import Remembered
from mailstead.accounts.waysin import checked_header, open_row
from mailstead.crypto import passwords
from mailstead.crypto.apppasswords import locator_of
from mailstead.crypto.keyring import read_key
from mailstead.crypto.scram import scram_keys
from mailstead.crypto.slots import Scope, SlotHeader, SlotType, slot_secret
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.secretmem import Arena, Secret
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, RecipientRow
from mailstead.store.database import Tx
from mailstead.store.slots import SlotRow, slots

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person proves himself with: a password as typed, or twelve recovery words.

    Args:
        locator: Of an app password.
    """

    type: SlotType
    octets: bytes
    locator: str = ""

    @classmethod
    def password(cls, octets: bytes) -> "Credential":
        """A password, or an app password.

        Raises:
            ValueError: it cannot be one.
        """
        locator = locator_of(octets)
        if locator is not None:
            return cls(SlotType.APP_PASSWORD, octets, locator)
        return cls(SlotType.PASSWORD, passwords.prepare(octets))

    @classmethod
    def words(cls, text: str) -> "Credential":
        """Recovery words.

        Raises:
            ValueError: they cannot be twelve words of the list.
        """
        return cls(SlotType.RECOVERY, passwords.entropy(text))

    def __repr__(self) -> str:
        return "Credential(***)"


@dataclass(frozen=True, slots=True)
class Memory:
    """The remembered passwords, and the monotonic clock they go by."""

    remembered: Remembered
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class OpenedWay:
    """A way in that a credential has opened; release it as soon as what it opens is taken.

    Args:
        payload: The root, the read key, or nothing, by its scope.
    """

    account: AccountRow
    slot: SlotRow
    scope: Scope
    payload: Secret | None

    def release(self) -> None:
        """Wipe what it opened."""
        if self.payload is not None:
            self.payload.release()

    def into_read_key(self, arena: Arena) -> Secret:
        """The read key; the root, if that is what was opened, is wiped.

        Raises:
            Refused: OUT_OF_SCOPE: it opens no mail.
        """
        payload = self.payload
        if payload is None or Scope.READ not in self.scope:
            self.release()
            raise Refused(Reason.OUT_OF_SCOPE)
        if Scope.KEYS not in self.scope:
            return payload
        with payload:
            return arena.hold(read_key(payload.view, self.account.root_gen, self.account.read_gen))


async def open_way(
    office: "Office",
    address: str,
    credential: Credential,
    memory: Memory | None = None,
    peer: str = "",
) -> OpenedWay:
    """Open the way in that a credential is for.

    Args:
        peer: The address of the client, for its turn at hashing.

    Raises:
        Refused: LOGIN_FAILED, whatever was wrong.
        Unavailable: too many logins wait.
    """

    def read(tx: Tx) -> tuple[RecipientRow | None, list[SlotRow], bytes | None]:
        found = rows.find_recipient(tx, address)
        account_id = found.account.account_id if found else NOBODY
        is_app = credential.type is SlotType.APP_PASSWORD
        return found, slots(tx, account_id), rows.scram_salt(tx, account_id) if is_app else None

    found, ways_in, salt = await office.database.read(read)
    if found is None:
        found, ways_in = office.decoy.found, office.decoy.slots
    failure = UnsealError("no such way in")
    try:
        meant = [s for s in ways_in if (s.type, s.locator) == (credential.type, credential.locator)]
        ways = _ways(office, found, meant)
    except UnsealError as error:
        ways, failure = [], error
    tried = _Try(office, found.account, credential, salt or office.server_key.scram_salt(address))
    for header, row in ways or office.decoy.ways(address, credential.type):
        try:
            return await tried.open(header, row, memory, peer)
        except UnsealError as error:
            failure = error
    raise Refused(Reason.LOGIN_FAILED) from failure


def _ways(office: "Office", found: RecipientRow, meant: list[SlotRow]) -> list[tuple[SlotHeader, SlotRow]]:
    """The ways in that a credential may be tried on.

    Raises:
        UnsealError: a row is not this server's, or expired, or the account is disabled.
    """
    macs = office.server_key.rows
    check_account(macs, found.account)
    check_address(macs, found.account, found.address)
    if found.account.status != rows.ACTIVE:
        raise UnsealError("the account is disabled")
    return [(checked_header(macs, found.account, row, office.now()), row) for row in meant]


@dataclass(frozen=True, slots=True)
class _Try:
    """One credential, tried on one account.

    Args:
        salt: Of its app passwords.
    """

    office: "Office"
    account: AccountRow
    credential: Credential
    salt: bytes

    async def open(self, header: SlotHeader, row: SlotRow, memory: Memory | None, peer: str) -> OpenedWay:
        office, octets = self.office, self.credential.octets
        secret = None if memory is None else memory.remembered.find(self.account, row, octets)
        if secret is None:
            hashing = office.quick if self.credential.type is SlotType.APP_PASSWORD else office.hashing
            secret = await hashing.run(peer, self._secret, header)
        with secret:
            payload = open_row(office.arena, header, row, secret.view)
            if memory is not None:
                memory.remembered.keep(self.account, row, octets, secret, memory.monotonic())
        return OpenedWay(self.account, row, header.scope, payload)

    def _secret(self, header: SlotHeader) -> Secret:
        octets = self.credential.octets
        if self.credential.type is SlotType.APP_PASSWORD:
            octets = scram_keys(octets, self.salt).client_key
        return slot_secret(self.office.arena, header, octets, self.office.server_key.peppers)
