"""Moving in and out: by a password that whoever lets somebody in has set, or by an invitation."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from mailstead.accounts.accessnotes import Witness
from mailstead.accounts.decoy import Decoy
from mailstead.accounts.directory import ALIAS, LOGIN, find_account
from mailstead.accounts.firstrows import FirstRows
from mailstead.accounts.hashing import Hashing
from mailstead.accounts.newways import Made, first_ways, make_invitation, prepare
from mailstead.accounts.online import Ringer, silence
from mailstead.accounts.turns import until_won
from mailstead.accounts.waysin import Gens, Maker
from mailstead.crypto import passwords
from mailstead.crypto.rows import RowMacs
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import Cost
from mailstead.errors import Reason, Refused
from mailstead.metrics.catalogue import Metrics
from mailstead.secretmem import Arena
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, AddressRow
from mailstead.store.database import Database, Tx
from mailstead.store.ledger import Ledger

FIRST = Gens(1, 1)
ALWAYS = ("postmaster", "abuse")  # RFC 5321 section 4.5.1, RFC 2142


@dataclass(frozen=True, slots=True)
class Office:
    """What every act on an account needs: where it is kept, and the server's own secret.

    Args:
        witness: Told of every login.
        metrics: Where it is counted what came of logins, and how long it takes to open things.
    """

    database: Database
    server_key: ServerKey
    arena: Arena
    cost: Cost
    now: Callable[[], float]
    hashing: Hashing = field(default_factory=Hashing)
    quick: Hashing = field(default_factory=Hashing)  # what takes a millisecond waits for no Argon2id
    ring: Ringer = silence
    witness: Witness = silence
    ledger: Ledger | None = None
    metrics: Metrics = field(default_factory=Metrics)
    decoy: Decoy = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decoy", Decoy(self.server_key, self.cost))


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that was just made; the words are shown once and kept nowhere."""

    address: str
    uuid: bytes
    words: tuple[str, ...]

    def __repr__(self) -> str:
        return f"NewAccount({self.address!r}, ***)"


@dataclass(frozen=True, slots=True)
class Invited:
    """An account that waits for whoever has the invitation, which is shown once and kept nowhere.

    Args:
        not_after: When it expires, in seconds since the epoch.
    """

    address: str
    uuid: bytes
    code: bytes = field(repr=False)
    not_after: int


async def create_account(office: Office, address: str, password: bytes, quota_octets: int = 0) -> NewAccount:
    """Make an account with its keys, its first mailboxes and two ways in, in one transaction.

    Args:
        address: Canonical. The first account of a domain gets its postmaster@ and abuse@ too.
        password: As typed.

    Raises:
        ValueError: the password cannot be one.
        Refused: the address is taken.
        Unavailable: it could not be stored.
    """
    words = passwords.new_words()
    uuid = await _move_in(office, address, first_ways(office, prepare(password), words), quota_octets)
    return NewAccount(address, uuid, words)


async def invite(office: Office, address: str, quota_octets: int = 0) -> Invited:
    """Make an account that only an invitation opens: whoever joins by it chooses the password.

    Mail is received and sealed from now on.

    Raises:
        Refused: the address is taken.
        Unavailable: it could not be stored.
    """
    made = make_invitation(office)
    uuid = await _move_in(office, address, made.way(), quota_octets)
    return Invited(address, uuid, made.code, made.not_after)


async def _move_in(office: Office, address: str, make: Made, quota_octets: int) -> bytes:
    """Make an account; its uuid."""
    uuid = os.urandom(16)
    making = Maker(office.arena, office.server_key, uuid, FIRST, int(office.now()))
    with office.arena.hold(os.urandom(32)) as root:
        ways = await office.hashing.run("", make, making, root.view)
        clock = await office.database.read(lambda tx: tx.now())
        first = FirstRows(office, uuid, FIRST, 1, root.view, list(ways), clock)
    await office.database.write(lambda tx: _add_account(tx, office, address, uuid, first, quota_octets))
    return uuid


def _add_account(
    tx: Tx, office: Office, address: str, uuid: bytes, first: FirstRows, quota_octets: int
) -> None:
    macs, epoch = office.server_key.rows, first.epoch_key.epoch
    mac = macs.account(uuid, rows.ACTIVE, epoch, FIRST.root_gen, FIRST.read_gen)
    account_id = rows.add_account(
        tx,
        AccountRow(
            0, uuid, rows.ACTIVE, epoch, FIRST.root_gen, FIRST.read_gen, mac, 1, first.inbox_id,
            quota_octets, 0, 1, int(office.now()),
        ),
    )  # fmt: skip
    if not _add_address(tx, macs, account_id, uuid, address, LOGIN):
        raise Refused(Reason.ADDRESS_TAKEN)
    domain = address.partition("@")[2]
    for local in ALWAYS:
        _add_address(tx, macs, account_id, uuid, f"{local}@{domain}", ALIAS)
    first.write(tx, account_id, 1)


def _add_address(tx: Tx, macs: RowMacs, account_id: int, uuid: bytes, address: str, kind: int) -> bool:
    return rows.add_address(tx, AddressRow(address, account_id, kind, macs.address(address, uuid, kind)))


async def set_status(office: Office, address: str, status: int) -> None:
    """Enable or disable an account: a disabled one receives nothing and nobody gets in."""
    macs = office.server_key.rows

    async def turn(_: int) -> int:
        account = await find_account(office.database, macs, address)
        mac = macs.account(account.uuid, status, account.epoch, account.root_gen, account.read_gen)
        await office.database.write(lambda tx: rows.set_status(tx, account, status, mac))
        return account.account_id

    office.ring((await until_won(turn),))


async def remove_account(office: Office, address: str) -> None:
    """Delete an account, its keys and all its mail; nothing brings it back."""
    account = await find_account(office.database, office.server_key.rows, address)
    await office.database.write(lambda tx: rows.remove_account(tx, account.account_id))
    if office.ledger is not None:
        office.ledger.gone(account.uuid)
    office.ring((account.account_id,))
    await office.database.truncate_log()
