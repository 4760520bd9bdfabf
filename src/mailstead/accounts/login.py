"""Logging in: a credential becomes an `UnlockedAccount`, or one error whatever was wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.decoy import NOBODY
from mailstead.accounts.directory import check_account, check_address
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.online import Online, silence
from mailstead.accounts.presence import Ended, Presence
from mailstead.accounts.remembered import Remembered
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.accounts.waysin import check_delivery_keys, checked_header, open_root, read_ring
from mailstead.crypto import passwords
from mailstead.crypto.keyring import Ring
from mailstead.crypto.slots import SlotHeader, SlotType, slot_secret
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.secretmem import Secret
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, EpochKeyRow, RecipientRow, SlotRow
from mailstead.store.database import Tx

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person proves himself with: a password as typed, or twelve recovery words."""

    type: SlotType
    octets: bytes

    @classmethod
    def password(cls, octets: bytes) -> "Credential":
        """A password.

        Raises:
            ValueError: it cannot be one.
        """
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
class UnlockedRoot:
    """An account with its root in hand; release it as soon as the work is done."""

    account: AccountRow
    slot: SlotRow
    root: Secret


@dataclass(frozen=True, slots=True)
class Memory:
    """The remembered passwords, and the monotonic clock they go by."""

    remembered: Remembered
    monotonic: Callable[[], float]


async def unlock(office: "Office", address: str, credential: Credential) -> UnlockedAccount:
    """Open an account for reading and writing mail, for a process with one session of it.

    Raises:
        Refused: LOGIN_FAILED, whatever was wrong with address or credential; DAMAGED when the
            credential was right and the keys are not what this account wrote.
    """
    unlocked = await unlock_root(office, address, credential)
    account = unlocked.account
    with unlocked.root as root:
        ring = await _ring(office, account, root)
    keys = SessionKeys(office.arena, account.account_id, account.uuid, ring)
    online = Online(office.database, keys, office.ring, silence)
    return UnlockedAccount(online, office.now, keys.close, tidied=False)


async def unlock_here(
    office: "Office",
    presence: Presence,
    address: str,
    credential: Credential,
    ended: Ended,
    memory: Memory,
    peer: str,
) -> UnlockedAccount:
    """Open an account for one of many sessions of this worker; the root is wiped before this returns.

    Args:
        ended: Called when the way in is gone or the account disabled: hang up.
        peer: The address of the client, for its turn at hashing.

    Raises:
        Refused: as `unlock`.
        Unavailable: too many logins wait.
    """
    unlocked = await unlock_root(office, address, credential, memory, peer)
    account = unlocked.account
    with unlocked.root as root:
        ring = await _ring(office, account, root)
    return presence.enter(
        account,
        unlocked.slot,
        lambda: SessionKeys(office.arena, account.account_id, account.uuid, ring),
        ended,
    )


async def _ring(office: "Office", account: AccountRow, root: Secret) -> Ring:
    def read(tx: Tx) -> tuple[Ring, list[EpochKeyRow]]:
        return read_ring(tx, account, root.view), rows.epoch_keys(tx, account.account_id)

    try:
        ring, delivery_keys = await office.database.read(read)
        check_delivery_keys(ring, delivery_keys)
    except UnsealError as error:
        raise Refused(Reason.DAMAGED, str(error)) from error
    return ring


async def unlock_root(
    office: "Office",
    address: str,
    credential: Credential,
    memory: Memory | None = None,
    peer: str = "",
) -> UnlockedRoot:
    """Open an account's root, for what changes its keys.

    Raises:
        Refused: LOGIN_FAILED, whatever was wrong.
    """

    def read(tx: Tx) -> tuple[RecipientRow | None, list[SlotRow]]:
        found = rows.find_recipient(tx, address)
        return found, rows.slots(tx, found.account.account_id if found else NOBODY)

    found, slots = await office.database.read(read)
    if found is None:
        found, slots = office.decoy.found, office.decoy.slots
    failure = UnsealError("no such way in")
    try:
        ways = _ways(office, found, [s for s in slots if s.type == credential.type])
    except UnsealError as error:
        ways, failure = [], error
    for header, row in ways or office.decoy.ways(address, credential.type):
        try:
            return await _open(office, found.account, header, row, credential, memory, peer)
        except UnsealError as error:
            failure = error
    raise Refused(Reason.LOGIN_FAILED) from failure


def _ways(office: "Office", found: RecipientRow, slots: list[SlotRow]) -> list[tuple[SlotHeader, SlotRow]]:
    """The ways in that a credential may be tried on.

    Raises:
        UnsealError: a row is not this server's, or the account is disabled.
    """
    macs = office.server_key.rows
    check_account(macs, found.account)
    check_address(macs, found.account, found.address)
    if found.account.status != rows.ACTIVE:
        raise UnsealError("the account is disabled")
    return [(checked_header(macs, found.account, row), row) for row in slots]


async def _open(
    office: "Office",
    account: AccountRow,
    header: SlotHeader,
    row: SlotRow,
    credential: Credential,
    memory: Memory | None,
    peer: str,
) -> UnlockedRoot:
    secret = None if memory is None else memory.remembered.find(account, row, credential.octets)
    if secret is None:
        secret = await office.hashing.run(
            peer, slot_secret, office.arena, header, credential.octets, office.server_key.peppers
        )
    with secret:
        root = open_root(office.arena, header, row, secret.view)
        if memory is not None:
            memory.remembered.keep(account, row, credential.octets, secret, memory.monotonic())
    return UnlockedRoot(account, row, root)
