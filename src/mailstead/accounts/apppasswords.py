"""App passwords: made with the root in hand, shown once, revoked one by one.

One that may read wraps the read key, so it opens all mail and changes no key; one that may only
send wraps nothing. That one may only read is seen to by `UnlockedAccount`.
"""

import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mailstead.accounts.keychange import Change, Keys, change_keys, maker, to_next_read_key
from mailstead.accounts.login import unlock_root
from mailstead.accounts.opening import MOST_APPS, Credential, UnlockedRoot
from mailstead.accounts.waynames import checked_name
from mailstead.accounts.waysin import NewApp, root_ring
from mailstead.crypto.apppasswords import new_app_password
from mailstead.crypto.keyring import RingSlot, read_key
from mailstead.crypto.slots import MAIL, READ_ONLY, SUBMIT_ONLY, Scope, SlotType
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store import accounts as rows
from mailstead.store.database import Tx
from mailstead.store.slots import SlotRow, slots

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

SCOPES: dict[str, Scope] = {"full": MAIL, "read-only": READ_ONLY, "submit-only": SUBMIT_ONLY}


@dataclass(frozen=True, slots=True)
class NewAppPassword:
    """An app password that was just made; its octets are shown once and kept nowhere."""

    name: str
    locator: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WayIn:
    """A way into an account, as its owner sees it.

    Args:
        name: As the root keyring has it; empty when it was looked at without the root.
        row: None: the root keyring lists it, and it is not there.
    """

    slot_id: bytes
    type: SlotType
    scope: Scope
    not_after: int
    name: str
    row: SlotRow | None

    @property
    def id(self) -> str:
        """What it is called without its name: an app password's locator, else letters of its id."""
        return (self.row.locator if self.row is not None else "") or self.slot_id.hex()[:8]


async def add_app_password(
    office: "Office",
    address: str,
    credential: Credential,
    name: str,
    scope: Scope = MAIL,
    not_after: int = 0,
) -> NewAppPassword:
    """Make an app password.

    Args:
        name: What its owner calls it: 1 to 64 octets of one line, like no other.
        not_after: Seconds since the epoch; 0: it does not expire.

    Raises:
        ValueError: that can be no name.
        Refused: LOGIN_FAILED, OUT_OF_SCOPE: the credential does not open the account, or not its
            root; NAME_TAKEN; TOO_MANY_WAYS_IN; DAMAGED.
    """
    name = checked_name(name)
    unlocked = await unlock_root(office, address, credential)
    made: list[NewAppPassword] = []

    async def plan(keys: Keys) -> Change:
        apps = [s for s in keys.ring.slots if s.type == SlotType.APP_PASSWORD]
        if len(apps) >= MOST_APPS:
            raise Refused(Reason.TOO_MANY_WAYS_IN)
        if any(s.name == name for s in keys.ring.slots):
            raise Refused(Reason.NAME_TAKEN)
        password = new_app_password({r.locator for r in keys.ways_in})
        salt = keys.scram_salt or office.server_key.scram_salt(await _login_address(office, unlocked))
        app = NewApp(name, password.octets, password.locator, scope, not_after, salt)
        account = keys.account
        key = read_key(unlocked.root.view, account.root_gen, account.read_gen)
        way = await office.quick.run("", maker(office, keys).app_way, app, key)
        made[:] = [NewAppPassword(name, password.locator, password.octets)]
        ring = replace(keys.ring, slots=(*keys.ring.slots, way.listed))
        return Change(ring, account.read_gen, added=(way.row,), scram_salt=salt)

    with unlocked.root:
        await change_keys(office, unlocked, plan)
    return made[0]


async def _login_address(office: "Office", unlocked: UnlockedRoot) -> str:
    """What SCRAM's salt comes from: the same before the first app password and after it."""
    found = await office.database.read(lambda tx: rows.addresses(tx, unlocked.account.account_id))
    return found[0].address


async def ways_in(office: "Office", address: str, credential: Credential) -> list[WayIn]:
    """The ways into an account with their names, oldest first.

    Raises:
        Refused: the credential does not open the account's root; DAMAGED.
    """
    unlocked = await unlock_root(office, address, credential)
    account = unlocked.account

    def read(tx: Tx) -> tuple[tuple[RingSlot, ...], dict[bytes, SlotRow]]:
        ring = root_ring(tx, account, unlocked.root.view)
        return ring.slots, {r.slot_id: r for r in slots(tx, account.account_id)}

    with unlocked.root:
        try:
            listed, found = await office.database.read(read)
        except UnsealError as error:
            raise Refused(Reason.DAMAGED, str(error)) from error
    return [_way(s, found.get(s.slot_id)) for s in listed]


def _way(s: RingSlot, row: SlotRow | None) -> WayIn:
    return WayIn(s.slot_id, SlotType(s.type), Scope(s.scope), s.not_after, s.name, row)


async def revoke(
    office: "Office", address: str, credential: Credential, which: str, *, apps_only: bool = False
) -> WayIn:
    """Revoke a way in: nobody gets in by it any more, and its sessions end.

    With one that opens the read key, the read key goes: all other ways in are carried over to the
    next one, and every session of the account has to log in again.

    Args:
        which: A name, or an id as `WayIn.id` gives it.
        apps_only: Look among app passwords only.

    Raises:
        Refused: the credential does not open the account's root; NO_SUCH_WAY_IN; SEVERAL_WAYS_IN have
            this name; LAST_WAY_IN: no other opens the root; DAMAGED.
    """
    unlocked = await unlock_root(office, address, credential)
    gone: list[WayIn] = []

    async def plan(keys: Keys) -> Change:
        way = _found(keys, which, apps_only=apps_only)
        gone[:] = [way]
        return _without(office, keys, way, unlocked)

    with unlocked.root:
        await change_keys(office, unlocked, plan)
    return gone[0]


def _found(keys: Keys, which: str, *, apps_only: bool) -> WayIn:
    stored = {r.slot_id: r for r in keys.ways_in}
    ways = [_way(s, stored.get(s.slot_id)) for s in keys.ring.slots]
    which = unicodedata.normalize("NFC", which.strip())
    meant = [w for w in ways if w.type is SlotType.APP_PASSWORD or not apps_only]
    found = [w for w in meant if w.name == which] or [w for w in meant if w.id == which]
    if len(found) != 1:
        raise Refused(Reason.SEVERAL_WAYS_IN if found else Reason.NO_SUCH_WAY_IN)
    (way,) = found
    if not any(Scope.KEYS in w.scope and w.slot_id != way.slot_id and w.row is not None for w in ways):
        raise Refused(Reason.LAST_WAY_IN)
    return way


def _without(office: "Office", keys: Keys, way: WayIn, unlocked: UnlockedRoot) -> Change:
    """The keys without a way in; the others are carried over when it opened the read key."""
    kept = tuple(s for s in keys.ring.slots if s.slot_id != way.slot_id)
    ring = replace(keys.ring, slots=kept)
    if Scope.READ not in way.scope:
        return Change(ring, keys.account.read_gen, removed=(way.slot_id,))
    return replace(to_next_read_key(office, keys, ring, unlocked.root), removed=(way.slot_id,))
