"""Changes of an account's keys and ways in: read, sealed, and written in one transaction, or again.

Both keyrings are written with every change; their version orders the changes, and whoever loses
repeats his with the root in hand (docs/format.md, "Keys and keyrings").
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.login import UnlockedRoot
from mailstead.accounts.turns import until_won
from mailstead.accounts.waysin import Gens, Maker, root_ring
from mailstead.crypto.keyring import ROOT_ID, Ring, read_key, seal_read_ring, seal_root_ring
from mailstead.crypto.sealed import Kind
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, Stale, fence
from mailstead.store.database import Tx
from mailstead.store.records import put_record
from mailstead.store.slots import SlotRow, add_slot, carry_over, remove_slot, set_scram_salt, slots

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class Keys:
    """An account's keys and ways in, as they are before a change.

    Args:
        scram_salt: None: it has had no app password yet.
    """

    account: AccountRow
    ring: Ring
    ways_in: tuple[SlotRow, ...]
    scram_salt: bytes | None

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
    """

    ring: Ring
    read_gen: int
    added: tuple[SlotRow, ...] = ()
    removed: tuple[bytes, ...] = ()
    carried_over: tuple[SlotRow, ...] = ()
    scram_salt: bytes | None = None


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
        salt = rows.scram_salt(tx, account_id)
        return Keys(account, root_ring(tx, account, root.view), tuple(slots(tx, account_id)), salt)

    async def turn(_: int) -> None:
        try:
            keys = await office.database.read(read)
            change = await plan(keys)
        except UnsealError as error:
            raise Refused(Reason.DAMAGED, str(error)) from error
        await office.database.write(_work(office, keys, change, unlocked))

    await until_won(turn)
    office.ring((account_id,))


def maker(office: "Office", keys: Keys, read_gen: int | None = None) -> Maker:
    """What makes ways into this account, at its present generations, or those with another *read_gen*."""
    gens = keys.gens if read_gen is None else Gens(keys.account.root_gen, read_gen)
    return Maker(office.arena, office.server_key, keys.account.uuid, gens, int(office.now()))


def _work(office: "Office", keys: Keys, change: Change, unlocked: UnlockedRoot) -> Callable[[Tx], None]:
    """Seal everything, and give the transaction that writes it."""
    account, old = keys.account, keys.ring
    ring = Ring(
        old.version + 1, account.root_gen, change.read_gen, old.features, old.created,
        change.ring.epochs, change.ring.slots,
    )  # fmt: skip
    key = read_key(unlocked.root.view, account.root_gen, change.read_gen)
    root_record = seal_root_ring(unlocked.root.view, account.uuid, ring)
    read_record = seal_read_ring(key, account.uuid, ring)
    macs = office.server_key.rows
    mac = macs.account(account.uuid, account.status, account.epoch, account.root_gen, change.read_gen)

    def work(tx: Tx) -> None:
        fence(tx, account.account_id, account.root_gen, account.read_gen, 0)
        put_record(tx, account.account_id, Kind.KEYRING, read_record)
        put_record(tx, account.account_id, Kind.KEYRING, root_record, object_id=ROOT_ID)
        for slot_id in change.removed:
            remove_slot(tx, account.account_id, slot_id)
        for row in change.carried_over:
            carry_over(tx, account.account_id, row)
        for row in change.added:
            add_slot(tx, account.account_id, row)
        if change.read_gen != account.read_gen:
            rows.set_read_gen(tx, account, change.read_gen, mac)
        if change.scram_salt is not None:
            set_scram_salt(tx, account.account_id, change.scram_salt)

    return work
