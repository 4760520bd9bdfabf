"""The accounts as an administrator sees them: who and how much, nothing of what."""

from dataclasses import dataclass

from mailstead.crypto.slots import kind_name
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow
from mailstead.store.archives import archived_slots, archives
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import mailboxes
from mailstead.store.slots import SlotRow, slots


@dataclass(frozen=True, slots=True)
class ListedArchive:
    """What a reset locked away.

    Args:
        created: When, in seconds since the epoch.
        opened_by: Kinds of ways in.
    """

    created: int
    messages: int
    opened_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One account."""

    address: str
    aliases: tuple[str, ...]
    account: str
    disabled: bool
    created: int
    quota_octets: int
    used_octets: int
    messages: int
    ways_in: tuple[str, ...]
    archives: tuple[ListedArchive, ...]


async def list_accounts(database: Database) -> list[Listed]:
    """All accounts, oldest first."""

    def work(tx: Tx) -> list[Listed]:
        return [_listed(tx, account) for account in rows.list_accounts(tx)]

    return await database.read(work)


def _listed(tx: Tx, account: AccountRow) -> Listed:
    addresses = [a.address for a in rows.addresses(tx, account.account_id)]
    return Listed(
        address=addresses[0] if addresses else "",
        aliases=tuple(addresses[1:]),
        account=account.uuid.hex(),
        disabled=account.status != rows.ACTIVE,
        created=account.created,
        quota_octets=account.quota_octets,
        used_octets=account.used_octets,
        messages=sum(m.messages for m in mailboxes(tx, account.account_id)),
        ways_in=tuple(kind_name(s.type) for s in slots(tx, account.account_id)),
        archives=tuple(
            ListedArchive(a.created, a.messages, kinds(archived_slots(tx, account.account_id, a.archive_id)))
            for a in archives(tx, account.account_id)
        ),
    )


def kinds(ways_in: list[SlotRow]) -> tuple[str, ...]:
    """What kinds of ways in there are, each once."""
    return tuple(kind_name(kind) for kind in sorted({s.type for s in ways_in}))
