"""An account's keys as everybody may see them who runs the server: nothing of it needs a password."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.directory import find_account
from mailstead.accounts.waysin import checked_header, expired
from mailstead.crypto.fingerprint import fingerprint
from mailstead.crypto.slots import Scope, SlotHeader, SlotType
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, EpochKeyRow
from mailstead.store.database import Tx
from mailstead.store.slots import SlotRow, slots

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class ShownWay:
    """A way in without its name, which is sealed.

    Args:
        not_after: Seconds since the epoch; 0: it does not expire.
        last_used: The day, in seconds since the epoch; 0: never, or no app password.
        state: "active", "expired", or "void": no credential opens it.
    """

    id: str
    type: SlotType
    scope: Scope
    created: int
    not_after: int
    last_used: int
    state: str


@dataclass(frozen=True, slots=True)
class ShownKeys:
    """The keys of one account.

    Args:
        fingerprint: Of the key that mail is sealed to now.
    """

    address: str
    account: str
    fingerprint: str
    created: int
    epoch: int
    root_gen: int
    read_gen: int
    ways_in: tuple[ShownWay, ...]


async def show_keys(office: "Office", address: str) -> ShownKeys:
    """The keys of the account of a canonical address.

    Raises:
        Refused: NO_SUCH_ACCOUNT; DAMAGED: a row is not this server's.
    """
    account = await find_account(office.database, office.server_key.rows, address)

    def read(tx: Tx) -> tuple[str, list[EpochKeyRow], list[SlotRow]]:
        login = rows.addresses(tx, account.account_id)[0].address
        return login, rows.epoch_keys(tx, account.account_id), slots(tx, account.account_id)

    login, keys, found = await office.database.read(read)
    key = next((k for k in keys if k.epoch == account.epoch), None)
    if key is None:
        raise Refused(Reason.DAMAGED, "the account has no delivery key")
    ways = tuple(_shown(office, account, row) for row in found)
    return ShownKeys(
        login, account.uuid.hex(), fingerprint(key.public_key), account.created, account.epoch,
        account.root_gen, account.read_gen, ways,
    )  # fmt: skip


def _shown(office: "Office", account: AccountRow, row: SlotRow) -> ShownWay:
    state = "expired" if expired(row, office.now()) else "active"
    try:
        header = checked_header(office.server_key.rows, account, row, 0)
        kind, scope = header.type, header.scope
    except UnsealError:
        kind, scope, state = *_claimed(row), "void"
    name = row.locator or row.slot_id.hex()[:8]
    return ShownWay(name, kind, scope, row.created, row.not_after, row.last_used, state)


def _claimed(row: SlotRow) -> tuple[SlotType, Scope]:
    """What a row says of itself."""
    try:
        header = SlotHeader.decode(row.header)
    except UnsealError:
        return SlotType.SPARE, Scope(0)
    return header.type, header.scope
