"""Rotation: another root, another epoch, and an end to what any old copy of the keys opens of new mail.

All ways in stay as they are: they are wrapped again without their credentials, since the root keyring
knows their public keys (docs/format.md, "Rotation"). What old keys sealed is sealed again by `resealing`.
"""

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mailstead.accounts.keychange import Change, Keys, change_keys, maker
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.login import session_keys, unlock_root
from mailstead.accounts.opening import Credential, UnlockedRoot
from mailstead.accounts.waysin import Gens
from mailstead.crypto.keyring import CLOSING, CURRENT, ROTATE, Epoch, Ring, read_key
from mailstead.errors import UnsealError
from mailstead.secretmem import Secret

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

FIRST_READ_GEN = 1


@dataclass(frozen=True, slots=True)
class Rotated:
    """What came of a rotation; close `keys`, which go on with the sealing, when they have."""

    account: str
    epoch: int
    root_gen: int
    carried_over: int
    keys: SessionKeys


async def rotate(office: "Office", address: str, credential: Credential) -> Rotated:
    """Give an account another root and another epoch, in one transaction; every session logs in again.

    Mail that is being delivered meanwhile is sealed to the one key or to the other, and both open.

    Raises:
        Refused: the credential does not open the root; DAMAGED: a way in is not what its owner made,
            nothing was changed.
    """
    unlocked = await unlock_root(office, address, credential)
    with unlocked.root:
        return await rotate_unlocked(office, address, unlocked)


async def rotate_unlocked(office: "Office", address: str, unlocked: UnlockedRoot) -> Rotated:
    """As `rotate`, with the root in hand.

    Raises:
        Refused: DAMAGED.
    """
    fresh = Fresh()
    done: list[tuple[Keys, Change]] = []
    with office.arena.hold(os.urandom(32)) as root:

        async def plan(keys: Keys) -> Change:
            change = rotated(office, keys, root, fresh)
            done[:] = [(keys, change)]
            return change

        await change_keys(office, unlocked, plan)
    keys, change = done[0]
    account, ring = keys.account, change.ring
    opened = Ring(
        keys.ring.version + 1, account.root_gen + 1, FIRST_READ_GEN, ring.features, ring.created, ring.epochs
    )
    return Rotated(
        address, ring.current().number, opened.root_gen, len(change.carried_over),
        session_keys(office, account, opened),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fresh:
    """Keys of an epoch to come."""

    seed: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    store_key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)


def next_gens(keys: Keys) -> Gens:
    """The generations after a rotation."""
    return Gens(keys.account.root_gen + 1, FIRST_READ_GEN)


def rotated(office: "Office", keys: Keys, root: Secret, fresh: Fresh) -> Change:
    """What a rotation makes of *keys*: ways in that the keyring lists are carried over, others go.

    Raises:
        UnsealError: a way in is not there, or not what its owner made.
    """
    now = int(office.now())
    gens = next_gens(keys)
    key = read_key(root.view, gens.root_gen, gens.read_gen)
    making = maker(office, keys, gens)
    stored = {row.slot_id: row for row in keys.ways_in}
    listed = {slot.slot_id for slot in keys.ring.slots}
    if missing := listed - stored.keys():
        raise UnsealError(
            f"{len(missing)} of its ways in are not there: see `mailstead key show`, and revoke them"
        )
    carried = tuple(
        making.carried_over(stored[slot.slot_id], slot, key, root.view) for slot in keys.ring.slots
    )
    epochs = tuple(replace(e, state=CLOSING) if e.state == CURRENT else e for e in keys.ring.epochs)
    new = Epoch(keys.ring.current().number + 1, CURRENT, now, fresh.seed, fresh.store_key)
    ring = replace(keys.ring, epochs=(*epochs, new), features=keys.ring.features & ~ROTATE)
    removed = tuple(
        slot_id for slot_id in stored if slot_id not in listed
    )  # sessions, and what nobody listed
    return Change(ring, gens.read_gen, carried_over=carried, removed=removed, root=root)
