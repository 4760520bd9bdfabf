"""Other ways into an account: some go, some come, with new keys or without (docs/format.md, "Rotation").

A first password was set by somebody else, an invitation was seen by whoever handed it on: what takes
their place takes new keys with it, in the same transaction, so that nobody but the owner ever has them.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mailstead.accounts.keychange import Change, Keys, change_keys, maker
from mailstead.accounts.login import unlock_root
from mailstead.accounts.opening import Credential, UnlockedRoot
from mailstead.accounts.rotation import Fresh, next_gens, rotated
from mailstead.accounts.waysin import Maker, NewWayIn
from mailstead.crypto import passwords
from mailstead.crypto.apppasswords import locator_of, new_invitation
from mailstead.crypto.keyring import ROTATE, RingSlot
from mailstead.crypto.primitives import Octets
from mailstead.crypto.slots import SlotType
from mailstead.errors import Reason, Refused
from mailstead.secretmem import Secret

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

INVITATION_SECONDS = 7 * 86400
Words = tuple[str, ...]
Made = Callable[[Maker, Octets], Sequence[NewWayIn]]


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of an invitation.

    Args:
        words: New recovery words, shown once; empty when those the account has stay good.
    """

    words: Words = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that was just made; it is shown once and kept nowhere.

    Args:
        not_after: When it expires, in seconds since the epoch.
    """

    code: bytes = field(repr=False)
    not_after: int

    def way(self) -> Made:
        """The way in that it opens."""

        def make(making: Maker, root: Octets) -> Sequence[NewWayIn]:
            return (making.invite_way(self.code, root, self.not_after),)

        return make


def make_invitation(office: "Office") -> Invitation:
    """A new one, for nobody yet."""
    return Invitation(new_invitation(), int(office.now()) + INVITATION_SECONDS)


def prepare(password: bytes) -> bytes:
    """A new password as a slot takes it.

    Raises:
        ValueError: it cannot be one.
    """
    if locator_of(password) is not None:
        raise ValueError("it has the form of an app password, and would be tried as one only")
    return passwords.prepare(password)


def first_ways(office: "Office", password: bytes, words: Words) -> Made:
    """A password as `prepare` gives it, and recovery words, to be made in a thread: it is slow."""
    entropy = passwords.entropy(" ".join(words))

    def make(making: Maker, root: Octets) -> Sequence[NewWayIn]:
        return (
            making.root_way(SlotType.PASSWORD, password, root, office.cost),
            making.root_way(SlotType.RECOVERY, entropy, root, office.cost),
        )

    return make


async def change_password(
    office: "Office", address: str, credential: Credential, password: bytes, *, compromised: bool = False
) -> bool:
    """Give an account another password, with the old one or the recovery words in hand.

    One slot is made and the old one deleted, in one transaction with both keyrings; no mail is
    touched. When somebody else set the old one, or it is *compromised*, all keys are rotated in it, too.

    Returns:
        Whether the keys were rotated, so that every session has to log in again.

    Raises:
        ValueError: the new password cannot be one.
        Refused: the credential does not open the account.
    """
    prepared = prepare(password)
    unlocked = await unlock_root(office, address, credential)

    def make(making: Maker, root: Octets) -> Sequence[NewWayIn]:
        return (making.root_way(SlotType.PASSWORD, prepared, root, office.cost),)

    with unlocked.root:
        return await _replace(office, unlocked, _of(SlotType.PASSWORD), make, rotating=compromised, owed=True)


async def set_words(office: "Office", address: str, credential: Credential, words: Words) -> None:
    """Have other recovery words open an account in the place of those it has, if it has any.

    Args:
        words: New ones, which the owner has written down: the old ones open nothing from then on.

    Raises:
        Refused: the credential does not open the account.
    """
    entropy = passwords.entropy(" ".join(words))
    unlocked = await unlock_root(office, address, credential)

    def make(making: Maker, root: Octets) -> Sequence[NewWayIn]:
        return (making.root_way(SlotType.RECOVERY, entropy, root, office.cost),)

    with unlocked.root:
        await _replace(office, unlocked, _of(SlotType.RECOVERY), make)


async def join(office: "Office", address: str, code: Credential, password: bytes) -> Joined:
    """Move in by an invitation, which opens nothing from then on; the keys are rotated.

    Raises:
        ValueError: the password cannot be one.
        Refused: LOGIN_FAILED: the invitation is not this account's, was used, or has expired.
    """
    prepared = prepare(password)
    words: list[Words] = [()]
    unlocked = await unlock_root(office, address, code)

    def gone(slot: RingSlot) -> bool:
        return slot.type in (SlotType.PASSWORD, SlotType.INVITE)

    def make(making: Maker, root: Octets) -> Sequence[NewWayIn]:
        if not words[0]:
            return (making.root_way(SlotType.PASSWORD, prepared, root, office.cost),)
        return first_ways(office, prepared, words[0])(making, root)

    def look(keys: Keys) -> None:
        if not words[0] and not any(s.type == SlotType.RECOVERY for s in keys.ring.slots):
            words[0] = passwords.new_words()

    with unlocked.root:
        await _replace(office, unlocked, gone, make, rotating=True, look=look)
    return Joined(words[0])


async def invite_again(office: "Office", unlocked: UnlockedRoot, invitation: Invitation) -> None:
    """Have an invitation open an account beside what opens it now."""
    await _replace(office, unlocked, _of(SlotType.INVITE), invitation.way())


def _of(kind: SlotType) -> Callable[[RingSlot], bool]:
    return lambda slot: slot.type == kind


async def add_way(office: "Office", unlocked: UnlockedRoot, name: str, make: Made) -> None:
    """Have one more way in, called *name*, like no other.

    Raises:
        Refused: NAME_TAKEN.
    """

    def look(keys: Keys) -> None:
        if any(s.name == name for s in keys.ring.slots):
            raise Refused(Reason.NAME_TAKEN)

    await _replace(office, unlocked, lambda _: False, make, look=look)


async def _replace(
    office: "Office",
    unlocked: UnlockedRoot,
    gone: Callable[[RingSlot], bool],
    make: Made,
    *,
    rotating: bool = False,
    owed: bool = False,
    look: Callable[[Keys], None] = lambda _: None,
) -> bool:
    """Make ways in and drop others; whether the keys were rotated.

    Args:
        owed: A rotation that the keyring asks for is due with this.
        look: Sees what there is, and may refuse.
    """
    fresh, done = Fresh(), [False]
    with office.arena.hold(os.urandom(32)) as next_root:

        async def plan(keys: Keys) -> Change:
            look(keys)
            done[0] = rotating or bool(owed and keys.ring.features & ROTATE)
            change = _without(office, keys, gone, next_root if done[0] else None, fresh)
            gens, root = (next_gens(keys), next_root) if done[0] else (keys.gens, unlocked.root)
            ways = await office.hashing.run("", make, maker(office, keys, gens), root.view)
            ring = replace(change.ring, slots=(*change.ring.slots, *(way.listed for way in ways)))
            return replace(change, ring=ring, added=tuple(way.row for way in ways))

        await change_keys(office, unlocked, plan)
    return done[0]


def _without(
    office: "Office", keys: Keys, gone: Callable[[RingSlot], bool], root: Secret | None, fresh: Fresh
) -> Change:
    """The keys without some ways in; with another *root*, rotated."""
    kept = tuple(s for s in keys.ring.slots if not gone(s))
    ring = replace(keys.ring, slots=kept)
    if root is not None:
        return rotated(office, replace(keys, ring=ring), root, fresh)
    removed = tuple(s.slot_id for s in keys.ring.slots if gone(s))
    # Who changes his password or words ends what others may have begun with them.
    return Change(ring, keys.account.read_gen, removed=removed, ends_sessions=bool(removed))
