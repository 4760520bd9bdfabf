"""A credential, and the way into an account that it opens: one error, at one cost, whatever was wrong.

What has the form of an app password is tried only on the app password with its locator, which costs
a millisecond; anything else only on the slots of its type, at the cost of Argon2id. An account that
has no such way in, or is nobody's, costs the same (`decoy`).
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailstead.accounts.decoy import NOBODY
from mailstead.accounts.directory import check_account, check_address
from mailstead.accounts.proofs import match_proof
from mailstead.accounts.remembered import Remembered
from mailstead.accounts.waysin import checked_header, open_row
from mailstead.crypto import passwords
from mailstead.crypto.apppasswords import invitation, locator_of
from mailstead.crypto.keyring import read_key
from mailstead.crypto.scram import scram_keys
from mailstead.crypto.slots import Scope, SlotHeader, SlotType, slot_secret
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.secretmem import Arena, Secret
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, RecipientRow
from mailstead.store.database import Tx
from mailstead.store.slots import SlotRow, slots, without_revoked

MOST_APPS = 64  # app passwords of an account: a proof by SCRAM is tried on each

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person proves himself with: a password as typed, twelve recovery words, an invitation.

    Args:
        locator: Of an app password.
        slot_id: Of a session.
    """

    type: SlotType
    octets: bytes
    locator: str = ""
    slot_id: bytes = b""

    def is_for(self, row: SlotRow) -> bool:
        """Whether it may be tried on a way in."""
        return (row.type, row.locator) == (self.type, self.locator) and self.slot_id in (b"", row.slot_id)

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

    @classmethod
    def invitation(cls, typed: bytes) -> "Credential":
        """An invitation.

        Raises:
            ValueError: it cannot be one.
        """
        return cls(SlotType.INVITE, invitation(typed))

    def __repr__(self) -> str:
        return "Credential(***)"


@dataclass(frozen=True, slots=True)
class ScramProof:
    """What somebody who has an app password shows of it (RFC 5802 section 3).

    Args:
        message: The AuthMessage of the exchange.
    """

    message: bytes = field(repr=False)
    proof: bytes = field(repr=False)


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
        signature: Behind a proof by SCRAM: what shows the client that we knew it, too.
    """

    account: AccountRow
    slot: SlotRow
    scope: Scope
    payload: Secret | None
    signature: bytes = b""

    @property
    def root(self) -> Secret | None:
        """The root, if it opens that."""
        return self.payload if Scope.KEYS in self.scope else None

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


@dataclass(frozen=True, slots=True)
class UnlockedRoot:
    """An account with its root in hand; release it as soon as the work is done."""

    account: AccountRow
    slot: SlotRow
    root: Secret


async def open_way(
    office: "Office",
    address: str,
    credential: Credential | ScramProof,
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

    found, ways_in, salt = await office.database.read(lambda tx: _read(tx, address))
    if found is None:
        found, ways_in = office.decoy.found, office.decoy.slots
    ways_in = without_revoked(ways_in, office.ledger)
    if isinstance(credential, ScramProof):
        apps = [s for s in ways_in if s.type == SlotType.APP_PASSWORD]
        return await _open_by_proof(office, found, apps, credential, peer)
    failure = UnsealError("no such way in")
    try:
        meant = [s for s in ways_in if credential.is_for(s)]
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


async def open_found(
    office: "Office", account: AccountRow, meant: list[SlotRow], credential: Credential
) -> Secret | None:
    """What a credential opens by one of some ways into *account*; None when it is not theirs."""
    tried = _Try(office, account, credential, b"")
    for row in meant:
        try:
            header = checked_header(office.server_key.rows, account, row, office.now())
            return (await tried.open(header, row, None, "")).payload
        except UnsealError:
            continue
    return None


async def scram_salt(office: "Office", address: str) -> bytes:
    """What SCRAM salts a password of *address* with; nobody's is as good as anybody's."""
    _, _, salt = await office.database.read(lambda tx: _read(tx, address))
    return salt or office.server_key.scram_salt(address)


def _read(tx: Tx, address: str) -> tuple[RecipientRow | None, list[SlotRow], bytes | None]:
    found = rows.find_recipient(tx, address)
    account_id = found.account.account_id if found else NOBODY
    return found, slots(tx, account_id), rows.scram_salt(tx, account_id)


def _ways(office: "Office", found: RecipientRow, meant: list[SlotRow]) -> list[tuple[SlotHeader, SlotRow]]:
    """The ways in that a credential may be tried on.

    Raises:
        UnsealError: a row is not this server's, or expired, or the account is disabled.
    """
    _check(office, found)
    macs, now = office.server_key.rows, office.now()
    return [(checked_header(macs, found.account, row, now), row) for row in meant]


def _check(office: "Office", found: RecipientRow) -> None:
    """Raise UnsealError unless this server wrote the account's rows, and it is active."""
    check_account(office.server_key.rows, found.account)
    check_address(office.server_key.rows, found.account, found.address)
    if found.account.status != rows.ACTIVE:
        raise UnsealError("the account is disabled")


async def _open_by_proof(
    office: "Office", found: RecipientRow, apps: list[SlotRow], proof: ScramProof, peer: str
) -> OpenedWay:
    """Open the app password that a proof is of; as many are tried as there can be, whoever it is."""
    failure = UnsealError("no such way in")
    try:
        _check(office, found)
    except UnsealError as error:
        apps, failure = [], error
    decoy = office.decoy
    tried = [(found.account, row) for row in apps[:MOST_APPS]]
    tried += [(decoy.found.account, decoy.app)] * (MOST_APPS - len(tried))
    match = await office.quick.run(peer, match_proof, office, tried, proof.message, proof.proof)
    if match is None:
        raise Refused(Reason.LOGIN_FAILED) from failure
    try:
        with slot_secret(office.arena, match.header, match.client_key, []) as secret:
            payload = open_row(office.arena, match.header, match.row, secret.view)
    except UnsealError as error:
        raise Refused(Reason.LOGIN_FAILED) from error
    return OpenedWay(found.account, match.row, match.header.scope, payload, match.signature)


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
            slow = self.credential.type in (SlotType.PASSWORD, SlotType.RECOVERY)
            hashing = office.hashing if slow else office.quick
            secret = await hashing.run(peer, self._secret, header)
        with secret:
            payload = open_row(office.arena, header, row, secret.view)
            if memory is not None:
                with contextlib.suppress(MemoryError):  # who is not remembered is hashed again
                    memory.remembered.keep(self.account, row, octets, secret, memory.monotonic())
        return OpenedWay(self.account, row, header.scope, payload)

    def _secret(self, header: SlotHeader) -> Secret:
        octets = self.credential.octets
        if self.credential.type is SlotType.APP_PASSWORD:
            octets = scram_keys(octets, self.salt).client_key
        return slot_secret(self.office.arena, header, octets, self.office.server_key.peppers)
