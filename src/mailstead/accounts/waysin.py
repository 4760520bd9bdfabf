"""Ways in: slots made, carried over, checked and opened, and the keyrings behind them."""

from dataclasses import dataclass, field, replace

from mailstead.crypto.escrow import EscrowKey, make_escrow_slot, open_escrow_slot
from mailstead.crypto.keyring import ROOT_ID, STORE_KEY_ONLY, Ring, RingSlot, open_read_ring, open_root_ring
from mailstead.crypto.newslots import app_header, escrow_header, invite_header, new_header, session_header
from mailstead.crypto.primitives import Octets, public_octets, random_octets, sha256
from mailstead.crypto.rows import RowMacs
from mailstead.crypto.scram import scram_keys
from mailstead.crypto.sealed import ZERO_ID, Kind
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import (
    NO_PIN,
    Cost,
    Scope,
    Slot,
    SlotHeader,
    SlotType,
    auth_key,
    check_tag,
    kind_name,
    make_slot,
    not_after_of,
    open_slot,
    rewrap,
    slot_secret,
)
from mailstead.errors import UnsealError
from mailstead.secretmem import Arena, Secret
from mailstead.store.accounts import AccountRow, EpochKeyRow
from mailstead.store.database import Tx
from mailstead.store.records import get_record
from mailstead.store.slots import SlotRow


@dataclass(frozen=True, slots=True)
class Gens:
    """The generations of an account's keys."""

    root_gen: int
    read_gen: int


@dataclass(frozen=True, slots=True)
class NewWayIn:
    """A slot as the database and the root keyring take it."""

    row: SlotRow
    listed: RingSlot


@dataclass(frozen=True, slots=True)
class NewApp:
    """What an app password is to be.

    Args:
        not_after: Seconds since the epoch; 0: it does not expire.
        salt: Of all app passwords of the account.
    """

    name: str
    password: bytes = field(repr=False)
    locator: str
    scope: Scope
    not_after: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes ways into one account, for generations that it has or will have.

    Args:
        now: Seconds since the epoch.
    """

    arena: Arena
    server_key: ServerKey
    account: bytes
    gens: Gens
    now: int

    def root_way(self, kind: SlotType, credential: Octets, root: Octets, cost: Cost) -> NewWayIn:
        """A slot that opens *root* with a password or recovery words; slow, by design."""
        peppers = self.server_key.peppers
        header = new_header(kind, self.account, peppers[0], cost)
        with slot_secret(self.arena, header, credential, peppers) as secret:
            return self._way(header, secret, root, kind_name(kind))

    def invite_way(self, code: bytes, root: Octets, not_after: int) -> NewWayIn:
        """A slot that opens *root* with an invitation, until *not_after* (seconds since the epoch)."""
        header = invite_header(self.account, not_after)
        with slot_secret(self.arena, header, code, []) as secret:
            return self._way(header, secret, root, kind_name(SlotType.INVITE))

    def escrow_way(self, name: str, key: EscrowKey, root: Octets) -> NewWayIn:
        """A slot that opens *root* with an organisation's key, of which only the public half is here."""
        header, c = escrow_header(self.account), random_octets(32)
        slot = make_escrow_slot(header, key, c, root, self.gens.root_gen, self.gens.read_gen)
        pin = sha256(key.octets)
        listed = RingSlot(header.slot_id, header.type, header.scope, header.wrap, 0, pin, c, name)
        return NewWayIn(self._row(header.slot_id, header.type, slot, 0, b""), listed)

    def app_way(self, app: NewApp, key: Octets) -> NewWayIn:
        """A slot that opens the read *key* with an app password, or nothing when it is for sending only."""
        header = app_header(self.account, app.scope, app.not_after)
        keys = scram_keys(app.password, app.salt)
        scram = self.server_key.seal_verifier(header.encode(), keys)
        payload = key if Scope.READ in app.scope else None
        with slot_secret(self.arena, header, keys.client_key, []) as secret:
            return self._way(header, secret, payload, app.name, scram, app.locator)

    def session_way(self, token: Octets, key: Octets, not_after: int) -> SlotRow:
        """A slot that opens the read *key* with a *token*; no keyring lists it.

        Args:
            not_after: Seconds since the epoch.
        """
        header = session_header(self.account, not_after)
        with slot_secret(self.arena, header, token, []) as secret:
            return self._way(header, secret, key, "").row

    def _way(
        self,
        header: SlotHeader,
        secret: Secret,
        payload: Octets | None,
        name: str,
        scram: bytes = b"",
        locator: str = "",
    ) -> NewWayIn:
        slot = make_slot(header, secret.view, payload, self.gens.root_gen, self.gens.read_gen)
        # Opened once for proof before anybody relies on it.
        opened = open_slot(self.arena, slot, header, secret.view)
        if opened is not None:
            opened.release()
        not_after = not_after_of(header)
        row = self._row(header.slot_id, header.type, slot, not_after, scram)
        pin = sha256(slot.public_key) if slot.public_key else NO_PIN
        c = auth_key(secret.view)
        listed = RingSlot(header.slot_id, header.type, header.scope, header.wrap, not_after, pin, c, name)
        return NewWayIn(replace(row, locator=locator), listed)

    def carried_over(
        self, row: SlotRow, listed: RingSlot, key: Octets, root: Octets | None = None
    ) -> SlotRow:
        """A way in at these generations: one that opens the read key opens *key* from now on.

        Args:
            root: What one that opens the root opens from now on, if it is another.

        Raises:
            UnsealError: the row is not what the root keyring lists.
        """
        header = SlotHeader.decode(row.header)
        pin = sha256(row.public_key) if row.public_key else NO_PIN
        found = (header.slot_id, header.type, header.scope, header.wrap, row.not_after, pin)
        if found != (listed.slot_id, listed.type, listed.scope, listed.wrap, listed.not_after, listed.pin):
            raise UnsealError("a way in is not the one its owner made")
        payload = root if Scope.KEYS in header.scope else key if Scope.READ in header.scope else None
        gens = self.gens
        slot = rewrap(_slot(row), listed.auth_key, payload, gens.root_gen, gens.read_gen)
        made = self._row(row.slot_id, header.type, slot, row.not_after, row.scram)
        return replace(made, created=row.created, locator=row.locator, last_used=row.last_used)

    def _row(self, slot_id: bytes, kind: SlotType, slot: Slot, not_after: int, scram: bytes) -> SlotRow:
        gens = self.gens
        mac = self.server_key.rows.slot(
            self.account, slot.header, (gens.root_gen, gens.read_gen), not_after, slot.public_key,
            slot.blob, slot.tag, scram,
        )  # fmt: skip
        return SlotRow(
            slot_id, kind, slot.header, gens.root_gen, gens.read_gen, not_after, slot.public_key,
            slot.blob, slot.tag, scram, mac, self.now,
        )  # fmt: skip


def checked_header(macs: RowMacs, account: AccountRow, row: SlotRow, now: float) -> SlotHeader:
    """The header of a stored slot, after everything that can be checked without its credential.

    Raises:
        UnsealError: this server did not write the row, it asks for too much work, it belongs to
            another account, it was not carried over to the account's present generation, or it has expired.
    """
    gens = (row.root_gen, row.read_gen)
    macs.check_slot(
        row.mac, account.uuid, row.header, gens, row.not_after, row.public_key, row.blob, row.tag,
        row.scram,
    )  # fmt: skip
    header = SlotHeader.decode(row.header)
    if header.account != account.uuid or header.slot_id != row.slot_id:
        raise UnsealError("the slot belongs to another account")
    if gens != (account.root_gen, account.read_gen):
        raise UnsealError("this way in was not carried over")
    if not_after_of(header) != row.not_after:
        raise UnsealError("the slot is malformed")
    if expired(row, now):
        raise UnsealError("this way in has expired")
    return header


def expired(row: SlotRow, now: float) -> bool:
    """Whether a way in is over."""
    return row.not_after != 0 and now >= row.not_after


def open_row(arena: Arena, header: SlotHeader, row: SlotRow, secret: Octets) -> Secret | None:
    """What is behind a slot: the root, the read key, or nothing.

    Args:
        secret: What the credential gives for this slot (`crypto.slots.slot_secret`).

    Raises:
        UnsealError: the credential does not open it.
    """
    return open_slot(arena, _slot(row), header, secret)


def open_escrow_row(arena: Arena, row: SlotRow, seed: Octets) -> Secret:
    """The root behind an organisation's slot; nothing of it is to be believed before `check_listed`.

    Raises:
        UnsealError: it is another key's.
    """
    return open_escrow_slot(arena, _slot(row), seed)


def check_listed(ring: Ring, row: SlotRow) -> None:
    """Raise UnsealError unless the keyring that a slot opened lists this very slot."""
    for listed in ring.slots:
        if listed.slot_id == row.slot_id and listed.pin == sha256(row.public_key):
            check_tag(_slot(row), listed.auth_key)
            return
    raise UnsealError("a way in is not one that its owner made")


def _slot(row: SlotRow) -> Slot:
    return Slot(row.header, row.root_gen, row.read_gen, row.public_key, row.blob, row.tag)


def read_ring(tx: Tx, account: AccountRow, key: Octets) -> Ring:
    """The read keyring, opened by the read *key*.

    Raises:
        UnsealError: it is missing, or not this account's.
    """
    record = get_record(tx, account.account_id, Kind.KEYRING, ZERO_ID, ZERO_ID)
    if record is None:
        raise UnsealError("the keyring is missing")
    return open_read_ring(key, account.uuid, account.root_gen, account.read_gen, record)


def check_delivery_keys(ring: Ring, found: list[EpochKeyRow]) -> None:
    """What mail is sealed to is what the owner can open: the last word on a swapped key is his.

    Raises:
        UnsealError: a delivery key is not that of its epoch.
    """
    keys = {e.number: public_octets(e.xwing_seed) for e in ring.epochs if e.state != STORE_KEY_ONLY}
    for row in found:
        if row.public_key != keys.get(row.epoch, row.public_key):
            raise UnsealError(f"mail is sealed to a key that is not this account's (epoch {row.epoch})")


def root_ring(tx: Tx, account: AccountRow, root: Octets) -> Ring:
    """The root keyring, opened by *root*.

    Raises:
        UnsealError: it is missing, or not this account's.
    """
    record = get_record(tx, account.account_id, Kind.KEYRING, ZERO_ID, ROOT_ID)
    if record is None:
        raise UnsealError("the keyring is missing")
    return open_root_ring(root, account.uuid, account.root_gen, account.read_gen, record)
