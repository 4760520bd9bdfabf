"""Logging in: a credential becomes an `UnlockedAccount`, or an error that tells a stranger nothing."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.accessentries import Door, Outcome
from mailstead.accounts.accessnotes import seen
from mailstead.accounts.attendance import Ended
from mailstead.accounts.keychange import drop_old_epochs
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.online import Online, silence
from mailstead.accounts.opening import Credential, OpenedWay, UnlockedRoot, open_way
from mailstead.accounts.presence import Presence
from mailstead.accounts.standing import AccountHeads, Standing, compare, read_account
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.accounts.waysin import check_delivery_keys, read_ring
from mailstead.crypto.keyring import Ring
from mailstead.crypto.slots import Scope, SlotType
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, EpochKeyRow, Stale
from mailstead.store.book import Known
from mailstead.store.database import Tx
from mailstead.store.slots import note_use

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

DAY = 86400


async def unlock(office: "Office", address: str, credential: Credential) -> UnlockedAccount:
    """Open an account for reading and writing mail, for a process with one session of it.

    Raises:
        Refused: as `enter_here`; OUT_OF_SCOPE when it was right and opens no mail; DAMAGED when it
            was right and the keys are not what this account wrote.
    """
    return await unlock_way(office, await enter_here(office, address, credential))


async def enter_here(office: "Office", address: str, credential: Credential) -> OpenedWay:
    """Open a way in for a command on this machine, of which the owner's access log will tell.

    Raises:
        Refused: ACCOUNT_DISABLED, which whoever runs commands here may know; LOGIN_FAILED, whatever
            else was wrong.
    """
    try:
        way = await open_way(office, address, credential)
    except Refused as failed:
        found = await office.database.read(lambda tx: rows.find_recipient(tx, address))
        if found is not None:
            office.witness(found.account.account_id, seen(office.now(), Door.COMMAND, Outcome.FAILED))
            if found.account.status != rows.ACTIVE:
                raise Refused(Reason.ACCOUNT_DISABLED) from failed
        raise
    office.witness(way.account.account_id, seen(office.now(), Door.COMMAND, Outcome.ENTERED, way.slot))
    return way


async def unlock_way(office: "Office", way: OpenedWay) -> UnlockedAccount:
    """As `unlock`, by a way in that was opened; it is released here."""
    found = await _unlocked(office, way)
    keys = session_keys(office, way.account, found.ring)
    online = Online(
        office.database, keys, office.ring, silence, ledger=office.ledger, alone=True,
        standing=found.standing(keys),
    )  # fmt: skip
    return UnlockedAccount(
        online, office.now, keys.close, tidied=False, writable=Scope.WRITE in way.scope
    )  # fmt: skip


async def unlock_here(
    office: "Office", presence: Presence, way: OpenedWay, door: Door, ended: Ended
) -> UnlockedAccount:
    """Open an account for one of many sessions of this worker; the root is wiped before this returns.

    Args:
        way: Released here.
        ended: Called when the way in is gone or the account disabled: hang up.

    Raises:
        Refused: as `unlock`, but LOGIN_FAILED.
    """
    account = way.account
    with contextlib.ExitStack() as held:
        root = held.enter_context(office.arena.hold(way.root.view)) if way.root is not None else None
        found = await _unlocked(office, way)
        if root is not None:
            await drop_old_epochs(office, UnlockedRoot(account, way.slot, root), found.ring)
    return presence.enter(
        account,
        way.slot,
        lambda: session_keys(office, account, found.ring),
        found.standing,
        ended,
        door,
        writable=Scope.WRITE in way.scope,
    )


def session_keys(office: "Office", account: AccountRow, ring: Ring) -> SessionKeys:
    """What a session holds of an opened keyring."""
    chain = office.server_key.rows.arrivals(account.uuid)
    opening = office.metrics.open
    return SessionKeys(office.arena, account.account_id, account.uuid, ring, chain, opening)


async def use_for_sending(office: "Office", way: OpenedWay) -> None:
    """See that mail may be sent by a way in, which is released here: nothing is opened.

    Raises:
        Refused: OUT_OF_SCOPE.
    """
    way.release()
    if Scope.SUBMIT not in way.scope:
        raise Refused(Reason.OUT_OF_SCOPE)
    await _note_use(office, way)


async def unlock_root(office: "Office", address: str, credential: Credential) -> UnlockedRoot:
    """Open an account's root, for what changes its keys.

    Raises:
        Refused: as `enter_here`; OUT_OF_SCOPE: it is an app password.
    """
    way = await enter_here(office, address, credential)
    if way.payload is None or Scope.KEYS not in way.scope:
        way.release()
        raise Refused(Reason.OUT_OF_SCOPE)
    return UnlockedRoot(way.account, way.slot, way.payload)


@dataclass(frozen=True, slots=True)
class _Unlocked:
    """The read keyring behind a way in, and what in its snapshot tells whether all is as it was left."""

    ring: Ring
    heads: AccountHeads
    known: Known

    def standing(self, keys: SessionKeys) -> Standing:
        return compare(keys, self.heads, self.known)


async def _unlocked(office: "Office", way: OpenedWay) -> _Unlocked:
    """Open the read keyring; nothing else of the way in is left in memory."""
    account = way.account
    # Before the snapshot: the ledger never leads.
    known = Known() if office.ledger is None else office.ledger.of(account.uuid)

    def read(tx: Tx) -> tuple[_Unlocked, list[EpochKeyRow]]:
        heads = read_account(tx, account.account_id)
        if heads.gens != (account.root_gen, account.read_gen):
            raise Stale
        return _Unlocked(read_ring(tx, account, key.view), heads, known), rows.epoch_keys(
            tx, account.account_id
        )

    with way.into_read_key(office.arena) as key:
        try:
            found, delivery_keys = await office.database.read(read)
            check_delivery_keys(found.ring, delivery_keys)
        except UnsealError as error:
            raise Refused(Reason.DAMAGED, str(error)) from error
    await _note_use(office, way)
    return found


async def _note_use(office: "Office", way: OpenedWay) -> None:
    """Note the day on which an app password was used: one write a day, however often it is."""
    day = int(office.now()) // DAY * DAY
    if way.slot.type != SlotType.APP_PASSWORD or way.slot.last_used >= day:
        return
    account_id, slot_id = way.account.account_id, way.slot.slot_id
    with contextlib.suppress(MailError):  # who cannot write can read all the same
        await office.database.write(lambda tx: note_use(tx, account_id, slot_id, day))
