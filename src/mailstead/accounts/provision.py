"""Moving in, and a new password: everything that is written with the root in hand."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mailstead.accounts import mboxes
from mailstead.accounts.decoy import Decoy
from mailstead.accounts.directory import ALIAS, LOGIN, find_account
from mailstead.accounts.hashing import Hashing
from mailstead.accounts.keychange import Change, Keys, change_keys, maker
from mailstead.accounts.leaves import first_leaf
from mailstead.accounts.login import unlock_root
from mailstead.accounts.online import Ringer, silence
from mailstead.accounts.opening import Credential
from mailstead.accounts.rotation import rotate_unlocked
from mailstead.accounts.turns import until_won
from mailstead.accounts.waysin import Gens, Maker, NewWayIn
from mailstead.crypto import passwords
from mailstead.crypto.apppasswords import locator_of
from mailstead.crypto.keyring import (
    CURRENT,
    MANIFESTS,
    ROOT_ID,
    ROTATE,
    Epoch,
    Ring,
    read_key,
    seal_read_ring,
    seal_root_ring,
)
from mailstead.crypto.keys import StoreKeys
from mailstead.crypto.primitives import SUITE, Octets, public_octets
from mailstead.crypto.sealed import ZERO_ID, Kind
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import Cost, SlotType
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import FIRST_MAILBOXES
from mailstead.secretmem import Arena
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, AddressRow, EpochKeyRow
from mailstead.store.database import Database, Tx
from mailstead.store.leaves import put_leaf
from mailstead.store.mailboxes import add_mailbox
from mailstead.store.records import put_record
from mailstead.store.slots import add_slot

FIRST = Gens(1, 1)
ALWAYS = ("postmaster", "abuse")  # RFC 5321 section 4.5.1, RFC 2142


@dataclass(frozen=True, slots=True)
class Office:
    """What every act on an account needs: where it is kept, and the server's own secret."""

    database: Database
    server_key: ServerKey
    arena: Arena
    cost: Cost
    now: Callable[[], float]
    hashing: Hashing = field(default_factory=Hashing)
    quick: Hashing = field(default_factory=Hashing)  # what takes a millisecond waits for no Argon2id
    ring: Ringer = silence
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
    prepared = prepare(password)
    words = passwords.new_words()
    uuid = os.urandom(16)
    with office.arena.hold(os.urandom(32)) as root:
        ways = await office.hashing.run("", _two_ways, office, uuid, root.view, prepared, words)
        clock = await office.database.read(lambda tx: tx.now())
        made = _Made(office, address, uuid, root.view, ways, clock)
    await office.database.write(lambda tx: made.write(tx, quota_octets))
    return NewAccount(address, uuid, words)


def prepare(password: bytes) -> bytes:
    """A new password as a slot takes it.

    Raises:
        ValueError: it cannot be one.
    """
    if locator_of(password) is not None:
        raise ValueError("it has the form of an app password, and would be tried as one only")
    return passwords.prepare(password)


def _two_ways(
    office: Office, uuid: bytes, root: Octets, password: bytes, words: tuple[str, ...]
) -> tuple[NewWayIn, NewWayIn]:
    entropy = passwords.entropy(" ".join(words))
    making = Maker(office.arena, office.server_key, uuid, FIRST, int(office.now()))
    return (
        making.root_way(SlotType.PASSWORD, password, root, office.cost),
        making.root_way(SlotType.RECOVERY, entropy, root, office.cost),
    )


class _Made:
    """All rows of a new account, sealed before their transaction begins."""

    def __init__(
        self,
        office: Office,
        address: str,
        uuid: bytes,
        root: Octets,
        ways: tuple[NewWayIn, ...],
        uid_validity: int,
    ) -> None:
        now = int(office.now())
        macs = office.server_key.rows
        epoch = Epoch(1, CURRENT, now, os.urandom(32), os.urandom(32))
        listed = tuple(way.listed for way in ways)
        ring = Ring(1, FIRST.root_gen, FIRST.read_gen, MANIFESTS | ROTATE, now, (epoch,), listed)
        key = read_key(root, FIRST.root_gen, FIRST.read_gen)
        self._macs = macs
        self._uuid = uuid
        self._address = address
        self._ways = ways
        self._root_ring = seal_root_ring(root, uuid, ring)
        self._read_ring = seal_read_ring(key, uuid, ring)
        public = public_octets(epoch.xwing_seed)
        mac = macs.epoch_key(uuid, epoch.number, SUITE, CURRENT, public)
        self._key = EpochKeyRow(epoch.number, SUITE, CURRENT, public, mac)
        self._mailbox_ids = [os.urandom(16) for _ in FIRST_MAILBOXES]
        self._uid_validities = [uid_validity + at for at, _ in enumerate(FIRST_MAILBOXES)]
        self._now = now
        store = StoreKeys(office.arena, uuid, epoch.number, epoch.store_key)
        self._names = store.seal(
            Kind.MBOXES, ZERO_ID, 0, 1, 0, mboxes.encode(mboxes.first(self._mailbox_ids))
        )
        self._leaves = [
            store.seal(Kind.LEAF, mailbox_id, 0, 1, 0, first_leaf(mailbox_id, made).encode())
            for mailbox_id, made in zip(self._mailbox_ids, self._uid_validities, strict=True)
        ]
        store.close()

    def write(self, tx: Tx, quota_octets: int) -> None:
        mac = self._macs.account(self._uuid, rows.ACTIVE, self._key.epoch, FIRST.root_gen, FIRST.read_gen)
        account_id = rows.add_account(
            tx,
            AccountRow(
                0, self._uuid, rows.ACTIVE, self._key.epoch, FIRST.root_gen, FIRST.read_gen, mac, 1,
                self._mailbox_ids[0], quota_octets, 0, 1, self._now,
            ),
        )  # fmt: skip
        if not self._add_address(tx, account_id, self._address, LOGIN):
            raise Refused(Reason.ADDRESS_TAKEN)
        domain = self._address.partition("@")[2]
        for local in ALWAYS:
            self._add_address(tx, account_id, f"{local}@{domain}", ALIAS)
        rows.add_epoch_key(tx, account_id, self._key)
        for way in self._ways:
            add_slot(tx, account_id, way.row)
        put_record(tx, account_id, Kind.KEYRING, self._read_ring)
        put_record(tx, account_id, Kind.KEYRING, self._root_ring, object_id=ROOT_ID)
        put_record(tx, account_id, Kind.MBOXES, self._names)
        made = zip(self._mailbox_ids, self._uid_validities, self._leaves, strict=True)
        for mailbox_id, uid_validity, leaf in made:
            add_mailbox(tx, account_id, mailbox_id, 1, uid_validity)
            put_leaf(tx, account_id, mailbox_id, 0, leaf)

    def _add_address(self, tx: Tx, account_id: int, address: str, kind: int) -> bool:
        mac = self._macs.address(address, self._uuid, kind)
        return rows.add_address(tx, AddressRow(address, account_id, kind, mac))


async def change_password(
    office: Office, address: str, credential: Credential, password: bytes, *, compromised: bool = False
) -> bool:
    """Give an account another password, with the old one or the recovery words in hand.

    One slot is made and the old one deleted, in one transaction with both keyrings; no mail is
    touched. The first password of an account was set by somebody else, who could keep what it
    opens: with it, as with one that is *compromised*, all keys are rotated (`rotation`).

    Returns:
        Whether the keys were rotated, so that every session has to log in again.

    Raises:
        ValueError: the new password cannot be one.
        Refused: the credential does not open the account.
    """
    prepared = prepare(password)
    unlocked = await unlock_root(office, address, credential)
    rotating = compromised

    async def plan(keys: Keys) -> Change:
        nonlocal rotating
        rotating = compromised or bool(keys.ring.features & ROTATE)
        making = maker(office, keys).root_way
        way = await office.hashing.run(
            "", making, SlotType.PASSWORD, prepared, unlocked.root.view, office.cost
        )
        gone = tuple(s.slot_id for s in keys.ring.slots if s.type == SlotType.PASSWORD)
        kept = tuple(s for s in keys.ring.slots if s.type != SlotType.PASSWORD)
        ring = replace(keys.ring, slots=(*kept, way.listed))
        return Change(ring, keys.account.read_gen, added=(way.row,), removed=gone)

    with unlocked.root:
        await change_keys(office, unlocked, plan)
        if rotating:
            (await rotate_unlocked(office, address, unlocked)).keys.close()
    return rotating


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
    office.ring((account.account_id,))
    await office.database.truncate_log()
