"""Ways in: slots made, stored, checked and opened, and the keyrings behind them."""

from dataclasses import dataclass

from mailstead.crypto.keyring import (
    ROOT_ID,
    STORE_KEY_ONLY,
    Ring,
    RingSlot,
    open_read_ring,
    open_root_ring,
    read_key,
)
from mailstead.crypto.primitives import Octets, public_octets, sha256
from mailstead.crypto.rows import RowMacs
from mailstead.crypto.sealed import ZERO_ID, Kind
from mailstead.crypto.slots import (
    NO_PIN,
    Cost,
    Pepper,
    Slot,
    SlotHeader,
    SlotType,
    auth_key,
    make_slot,
    new_header,
    open_slot,
    slot_secret,
)
from mailstead.errors import UnsealError
from mailstead.secretmem import Arena, Secret
from mailstead.store.accounts import AccountRow, EpochKeyRow, SlotRow
from mailstead.store.database import Tx
from mailstead.store.records import get_record


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


def make_way_in(
    arena: Arena,
    macs: RowMacs,
    kind: SlotType,
    account: bytes,
    credential: Octets,
    root: Octets,
    gens: Gens,
    pepper: Pepper,
    cost: Cost,
    now: int,
) -> NewWayIn:
    """A slot that opens *root* with *credential*; slow, by design."""
    header = new_header(kind, account, pepper, cost)
    with slot_secret(arena, header, credential, [pepper]) as secret:
        slot = make_slot(header, secret.view, root, gens.root_gen, gens.read_gen)
        c = auth_key(secret.view)
        # Opened once for proof before anybody relies on it.
        open_slot(arena, slot, header, secret.view).release()
    mac = macs.slot(
        account, slot.header, (gens.root_gen, gens.read_gen), 0, slot.public_key, slot.blob,
        slot.tag, b"",
    )  # fmt: skip
    row = SlotRow(
        header.slot_id, kind, slot.header, gens.root_gen, gens.read_gen, 0, slot.public_key,
        slot.blob, slot.tag, b"", mac, now,
    )  # fmt: skip
    pin = sha256(slot.public_key) if slot.public_key else NO_PIN
    name = "password" if kind is SlotType.PASSWORD else "recovery words"
    listed = RingSlot(header.slot_id, kind, header.scope, header.wrap, 0, pin, c, name)
    return NewWayIn(row, listed)


def checked_header(macs: RowMacs, account: AccountRow, row: SlotRow) -> SlotHeader:
    """The header of a stored slot, after everything that can be checked without its credential.

    Raises:
        UnsealError: this server did not write the row, it asks for too much work, it belongs to
            another account, or it was not carried over to the account's present generation.
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
    return header


def open_root(arena: Arena, header: SlotHeader, row: SlotRow, secret: Octets) -> Secret:
    """The root behind a slot.

    Args:
        secret: What the credential gives for this slot (`crypto.slots.slot_secret`).

    Raises:
        UnsealError: the credential does not open it.
    """
    slot = Slot(row.header, row.root_gen, row.read_gen, row.public_key, row.blob, row.tag)
    return open_slot(arena, slot, header, secret)


def read_ring(tx: Tx, account: AccountRow, root: Octets) -> Ring:
    """The read keyring, opened by the read key under *root*.

    Raises:
        UnsealError: it is missing, or not this account's.
    """
    record = get_record(tx, account.account_id, Kind.KEYRING, ZERO_ID, ZERO_ID)
    if record is None:
        raise UnsealError("the keyring is missing")
    key = read_key(root, account.root_gen, account.read_gen)
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
