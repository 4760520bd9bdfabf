"""Changes of an account's keys and ways in: read, sealed, and written in one transaction, or again.

Both keyrings are written with every change; their version orders the changes, and whoever loses
repeats his with the root in hand (docs/format.md, "Keys and keyrings").
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailstead.accounts.anchoring import Anchored, anchor_with_keys, noted, set_back
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.opening import UnlockedRoot
from mailstead.accounts.turns import until_won
from mailstead.accounts.waysin import Gens, Maker, root_ring
from mailstead.crypto.keyring import (
    CLOSING,
    CURRENT,
    ROOT_ID,
    STORE_KEY_ONLY,
    Epoch,
    Ring,
    read_key,
    seal_read_ring,
    seal_root_ring,
)
from mailstead.crypto.primitives import public_octets
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.secretmem import Secret
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, EpochKeyRow, Stale, fence
from mailstead.store.database import Tx
from mailstead.store.epochs import EpochUse, epoch_use
from mailstead.store.records import LostRace, get_record, put_record
from mailstead.store.slots import (
    Removed,
    SlotRow,
    add_slot,
    carry_over,
    remove_sessions,
    remove_slot,
    set_scram_salt,
    slots,
)

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

SEED_SECONDS = 24 * 3600  # that the seed of a closed epoch is kept for, at least
NO_SEED = bytes(32)


@dataclass(frozen=True, slots=True)
class Keys:
    """An account's keys and ways in, as they are before a change.

    Args:
        scram_salt: None: it has had no app password yet.
        use: What of each earlier epoch is still needed.
        anchor: As it is sealed.
    """

    account: AccountRow
    ring: Ring
    ways_in: tuple[SlotRow, ...]
    scram_salt: bytes | None
    use: dict[int, EpochUse]
    anchor: SealedRecord | None

    @property
    def gens(self) -> Gens:
        """The present generations."""
        return Gens(self.account.root_gen, self.account.read_gen)


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of them.

    Args:
        ring: As it is to be; its version and generations are seen to.
        read_gen: Another generation of the read key: every way in is carried over to it.
        scram_salt: To be kept, if there is none yet.
        root: Another root, of the next generation: every way in is carried over to it, too.
        ends_sessions: Ways in of sessions go, those too that begin meanwhile.
    """

    ring: Ring
    read_gen: int
    added: tuple[SlotRow, ...] = ()
    removed: tuple[bytes, ...] = ()
    carried_over: tuple[SlotRow, ...] = ()
    scram_salt: bytes | None = None
    root: Secret | None = None
    ends_sessions: bool = False


async def change_keys(
    office: "Office", unlocked: UnlockedRoot, plan: Callable[[Keys], Awaitable[Change]]
) -> None:
    """Change keys or ways in, and have every session hear of it.

    Args:
        plan: What to do, asked again when another change came first.

    Raises:
        Refused: DAMAGED: what is stored is not what this account wrote; or what *plan* raises.
        Stale: the keys have moved on since the root was opened.
    """
    account_id, root = unlocked.account.account_id, unlocked.root

    def read(tx: Tx) -> Keys:
        account = rows.get_account(tx, account_id)
        before = unlocked.account
        if account is None or (account.root_gen, account.read_gen) != (before.root_gen, before.read_gen):
            raise Stale
        ring, salt = root_ring(tx, account, root.view), rows.scram_salt(tx, account_id)
        other = get_record(tx, account_id, Kind.KEYRING)
        if other is None or other.version != ring.version:
            raise UnsealError("its two keyrings are not of one change: one was set back, or lost")
        return Keys(
            account, ring, tuple(slots(tx, account_id)), salt, _use(tx, account_id, ring.epochs),
            get_record(tx, account_id, Kind.ANCHOR),
        )  # fmt: skip

    async def turn(_: int) -> None:
        known = noted(office.ledger, unlocked.account.uuid)
        try:
            keys = await office.database.read(read)
            if said := set_back(known, keys.anchor):
                raise UnsealError(said)
            change = await plan(keys)
            work, anchored = _work(office, keys, change, unlocked)
        except UnsealError as error:
            raise Refused(Reason.DAMAGED, str(error)) from error
        ended = await office.database.write(work)
        if office.ledger is not None:
            gone = [(s.slot_id, s.not_after) for s in keys.ways_in if s.slot_id in change.removed] + ended
            office.ledger.revoke(keys.account.uuid, gone)
            anchored.note(office.ledger, keys.account.uuid)

    await until_won(turn)
    office.ring((account_id,))


async def drop_old_epochs(office: "Office", unlocked: UnlockedRoot, ring: Ring) -> None:
    """Forget the keys of earlier epochs that nothing needs any more, if there are such."""
    if len(ring.epochs) == 1:
        return

    async def plan(keys: Keys) -> Change:
        if aged(keys.ring.epochs, keys.use, int(office.now())) == keys.ring.epochs:
            raise _Nothing
        return Change(keys.ring, keys.account.read_gen)

    with contextlib.suppress(_Nothing, MailError):  # the next login does it
        await change_keys(office, unlocked, plan)


class _Nothing(Exception):
    """There is nothing to change."""


def maker(office: "Office", keys: Keys, gens: Gens | None = None) -> Maker:
    """What makes ways into this account, at its present generations or at others."""
    return Maker(office.arena, office.server_key, keys.account.uuid, gens or keys.gens, int(office.now()))


def to_next_read_key(office: "Office", keys: Keys, ring: Ring, root: Secret) -> Change:
    """Have *ring* under the next generation of the read key: every session has to log in again.

    Args:
        ring: Its ways in are carried over, as far as they are there.
    """
    account = keys.account
    read_gen = account.read_gen + 1
    key = read_key(root.view, account.root_gen, read_gen)
    making = maker(office, keys, Gens(account.root_gen, read_gen))
    stored = {row.slot_id: row for row in keys.ways_in}
    carried = [
        making.carried_over(stored[slot.slot_id], slot, key) for slot in ring.slots if slot.slot_id in stored
    ]
    return Change(ring, read_gen, carried_over=tuple(carried))


def _work(
    office: "Office", keys: Keys, change: Change, unlocked: UnlockedRoot
) -> tuple[Callable[[Tx], list[Removed]], Anchored]:
    """Seal everything, and give the transaction that writes it, and the anchor that it writes.

    The transaction tells which sessions' ways in it has ended.

    Raises:
        UnsealError: the keyrings were set back.
    """
    account, old, root = keys.account, keys.ring, change.root or unlocked.root
    root_gen = account.root_gen + (change.root is not None)
    ring = Ring(
        old.version + 1, root_gen, change.read_gen, change.ring.features, old.created,
        aged(change.ring.epochs, keys.use, int(office.now())), change.ring.slots,
    )  # fmt: skip
    read_record = seal_read_ring(read_key(root.view, root_gen, change.read_gen), account.uuid, ring)
    root_record = seal_root_ring(root.view, account.uuid, ring)
    epoch_keys = [_epoch_key(office, account, e) for e in ring.epochs if e.state != STORE_KEY_ONLY]
    epoch = ring.current().number
    mac = office.server_key.rows.account(account.uuid, account.status, epoch, root_gen, change.read_gen)
    anchored = _anchored(office, keys, ring)
    now = account._replace(epoch=epoch, root_gen=root_gen, read_gen=change.read_gen, mac=mac)

    def work(tx: Tx) -> list[Removed]:
        fence(tx, account.account_id, account.root_gen, account.read_gen, 0)
        if _use(tx, account.account_id, old.epochs) != keys.use:
            raise LostRace
        put_record(tx, account.account_id, Kind.KEYRING, read_record)
        put_record(tx, account.account_id, Kind.KEYRING, root_record, object_id=ROOT_ID)
        anchored.put(tx, account.account_id)
        for slot_id in change.removed:
            remove_slot(tx, account.account_id, slot_id)
        ended = remove_sessions(tx, account.account_id) if change.ends_sessions else []
        for row in change.carried_over:
            carry_over(tx, account.account_id, row)
        for row in change.added:
            add_slot(tx, account.account_id, row)
        if ring.epochs != old.epochs:
            rows.set_epoch_keys(tx, account.account_id, epoch_keys)
        if now != account:
            rows.set_generations(tx, account, now)
        if change.scram_salt is not None:
            set_scram_salt(tx, account.account_id, change.scram_salt)
        return ended

    return work, anchored


def _anchored(office: "Office", keys: Keys, ring: Ring) -> Anchored:
    """The anchor with the floor of the new keyrings, under their present epoch."""
    account = keys.account
    chain = office.server_key.rows.arrivals(account.uuid)
    opening = office.metrics.open
    session = SessionKeys(office.arena, account.account_id, account.uuid, ring, chain, opening)
    try:
        return anchor_with_keys(session, keys.anchor, ring.version, int(office.now()))
    finally:
        session.close()


def _use(tx: Tx, account_id: int, epochs: tuple[Epoch, ...]) -> dict[int, EpochUse]:
    return {e.number: epoch_use(tx, account_id, e.number) for e in epochs if e.state != CURRENT}


def aged(epochs: tuple[Epoch, ...], use: dict[int, EpochUse], now: int) -> tuple[Epoch, ...]:
    """The epochs without what nothing needs any more.

    The seed of one that has been closed for a day goes with the last mail it opens, its store key with
    the last row it seals (docs/format.md, "Rotation").
    """
    kept: list[Epoch] = []
    for at, epoch in enumerate(epochs):
        needed = use.get(epoch.number)
        if needed is None:  # the present one, and one that is being closed
            kept.append(epoch)
            continue
        closed = epochs[at + 1].created  # when the next one began
        if epoch.state == CLOSING and not needed.seed and now - closed >= SEED_SECONDS:
            epoch = replace(epoch, state=STORE_KEY_ONLY, xwing_seed=NO_SEED)  # noqa: PLW2901
        if epoch.state != STORE_KEY_ONLY or needed.store_key:
            kept.append(epoch)
    return tuple(kept)


def _epoch_key(office: "Office", account: AccountRow, epoch: Epoch) -> EpochKeyRow:
    public = public_octets(epoch.xwing_seed)
    mac = office.server_key.rows.epoch_key(account.uuid, epoch.number, epoch.suite, epoch.state, public)
    return EpochKeyRow(epoch.number, epoch.suite, epoch.state, public, mac)
