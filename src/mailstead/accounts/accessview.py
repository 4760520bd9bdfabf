"""The access log as its owner sees it: entries with the ids and names that ways in have now."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstead.accounts.accessentries import Entry
from mailstead.accounts.login import enter_here, unlock_way
from mailstead.accounts.opening import Credential, OpenedWay
from mailstead.accounts.waysin import root_ring
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store.database import Tx
from mailstead.store.slots import slots

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One entry.

    Args:
        id: Of the way in, as `key show` has it; empty when nothing was opened.
        name: Of the way in; empty when it is gone, or was looked at without the root.
    """

    entry: Entry
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ShownLog:
    """The access log, newest first.

    Args:
        missed: How many notes were no notes of this server, or could not be opened.
    """

    entries: list[ShownEntry]
    missed: int


async def show_access(office: "Office", address: str, credential: Credential) -> ShownLog:
    """The access log of an account, with what was noted until now.

    Raises:
        Refused: the credential does not open the account, or no mail; DAMAGED.
        UnsealError: the log is not what this account wrote.
    """
    way = await enter_here(office, address, credential)
    try:
        ids, names = await office.database.read(lambda tx: _named(tx, way))
    except UnsealError as error:
        way.release()
        raise Refused(Reason.DAMAGED, str(error)) from error
    except BaseException:
        way.release()
        raise
    account = await unlock_way(office, way)
    try:
        log = await account.access_log()
    finally:
        account.close()
    shown = [ShownEntry(e, _id(e, ids), names.get(e.slot_id, "")) for e in reversed(log.entries)]
    return ShownLog(shown, log.missed)


def _named(tx: Tx, way: OpenedWay) -> tuple[dict[bytes, str], dict[bytes, str]]:
    """Locators of app passwords, and the names of all ways in if the root is here to read them."""
    ids = {row.slot_id: row.locator for row in slots(tx, way.account.account_id)}
    if way.root is None:
        return ids, {}
    return ids, {s.slot_id: s.name for s in root_ring(tx, way.account, way.root.view).slots}


def _id(entry: Entry, ids: dict[bytes, str]) -> str:
    if not entry.slot_type:
        return ""
    return ids.get(entry.slot_id) or entry.locator or entry.slot_id.hex()[:8]
