"""Who lives here: look-ups that trust no row without the server's MAC."""

from collections import OrderedDict
from dataclasses import dataclass

from mailstead.crypto.arrivals import ArrivalChain
from mailstead.crypto.lanes import DeliveryKey
from mailstead.crypto.rows import RowMacs
from mailstead.errors import Reason, Refused, Unavailable, UnsealError
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow, AddressRow, EpochKeyRow, RecipientRow
from mailstead.store.database import Database, Tx

_REMEMBERED = 4096
LOGIN, ALIAS = 0, 1


@dataclass(frozen=True, slots=True)
class Resident:
    """Enough to deliver to someone; nothing to read their mail with.

    Args:
        mailbox_id: Where it goes: INBOX, if nobody says otherwise.
        chain: What tells later whether what arrived is still there.
    """

    account_id: int
    uuid: bytes
    epoch: int
    key: DeliveryKey
    mailbox_id: bytes
    chain: ArrivalChain


class Directory:
    """Finds residents by address, and checks that this server wrote what it found."""

    def __init__(self, database: Database, macs: RowMacs) -> None:
        self._database = database
        self._macs = macs
        # Checked once for each different row: the check costs more than the read. A delivery key is
        # read when its account row is new, so one that is swapped later is not even looked at.
        self._checked: OrderedDict[tuple[object, ...], Resident] = OrderedDict()

    async def find(self, address: str, size: int) -> Resident:
        """The resident whom mail to the canonical *address* goes to.

        Args:
            size: Octets announced by the sender, checked against the quota; 0 if unknown.

        Raises:
            Refused: nobody lives there, or the account is disabled.
            Unavailable: there is no key to seal to, a row is not this server's, or the quota
                is used up.
        """
        row = await self._database.read(lambda tx: rows.find_recipient(tx, address))
        if row is None:
            raise Refused(Reason.NO_SUCH_RECIPIENT)
        account = row.account
        if account.status != rows.ACTIVE:
            raise Refused(Reason.ACCOUNT_DISABLED)
        if account.quota_octets and account.used_octets + size > account.quota_octets:
            raise Unavailable(Reason.OVER_QUOTA)
        return await self._resident(row)

    async def at_home(self, account_id: int, size: int) -> Resident:
        """As `find`, of an account that somebody is logged in to.

        Raises:
            Refused, Unavailable: as `find`.
        """
        listed = await self._database.read(lambda tx: rows.addresses(tx, account_id))
        if not listed:
            raise Refused(Reason.NO_SUCH_RECIPIENT)
        return await self.find(listed[0].address, size)

    async def at(self, account_id: int) -> Resident:
        """Whom an account belongs to, whatever is accepted for it: for what the server itself has to tell it.

        Raises:
            Refused: there is no such account.
            Unavailable: there is no key to seal to, or a row is not this server's.
        """

        def read(tx: Tx) -> RecipientRow | None:
            listed = rows.addresses(tx, account_id)
            return rows.find_recipient(tx, listed[0].address) if listed else None

        row = await self._database.read(read)
        if row is None:
            raise Refused(Reason.NO_SUCH_ACCOUNT)
        return await self._resident(row)

    async def _resident(self, row: RecipientRow) -> Resident:
        account = row.account
        seen = (
            account.account_id, account.uuid, account.status, account.epoch, account.root_gen,
            account.read_gen, account.mac, account.inbox_id, row.address,
        )  # fmt: skip
        resident = self._checked.get(seen)
        if resident is not None:
            self._checked.move_to_end(seen)
            return resident
        keys = await self._database.read(lambda tx: rows.epoch_keys(tx, account.account_id))
        key = next((k for k in keys if k.epoch == account.epoch), None)
        if key is None:
            raise Unavailable(Reason.NO_KEY, "the account has no delivery key")
        try:
            resident = self._check(row, key)
        except UnsealError as error:
            raise Unavailable(Reason.DAMAGED, str(error)) from error
        self._checked[seen] = resident
        if len(self._checked) > _REMEMBERED:
            self._checked.popitem(last=False)
        return resident

    def _check(self, row: RecipientRow, key: EpochKeyRow) -> Resident:
        account = row.account
        check_account(self._macs, account)
        check_address(self._macs, account, row.address)
        self._macs.check_epoch_key(key.mac, account.uuid, key.epoch, key.suite, key.state, key.public_key)
        return Resident(
            account.account_id,
            account.uuid,
            account.epoch,
            DeliveryKey.parse(key.public_key),
            account.inbox_id,
            self._macs.arrivals(account.uuid),
        )


def check_account(macs: RowMacs, row: AccountRow) -> None:
    """Raise UnsealError unless this server wrote *row*."""
    macs.check_account(row.mac, row.uuid, row.status, row.epoch, row.root_gen, row.read_gen)


def check_address(macs: RowMacs, account: AccountRow, row: AddressRow) -> None:
    """Raise UnsealError unless this server put *row* beside *account*."""
    macs.check_address(row.mac, row.address, account.uuid, row.kind)


async def find_account(database: Database, macs: RowMacs, address: str) -> AccountRow:
    """The account behind a canonical *address*, checked.

    Raises:
        Refused: NO_SUCH_ACCOUNT; DAMAGED: a row is not this server's.
    """
    row = await database.read(lambda tx: rows.find_recipient(tx, address))
    if row is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT)
    try:
        check_account(macs, row.account)
        check_address(macs, row.account, row.address)
    except UnsealError as error:
        raise Refused(Reason.DAMAGED, str(error)) from error
    return row.account
