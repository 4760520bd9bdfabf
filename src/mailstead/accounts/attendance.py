"""Who attends: sessions of accounts that are online in a worker, and what of their rows concerns them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from mailstead.accounts.accessentries import Door
from mailstead.accounts.online import Online
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccessRow
from mailstead.store.database import Tx
from mailstead.store.mailboxes import get_mailbox
from mailstead.store.slots import slots

Ended = Callable[[], None]
Modseqs = dict[bytes | None, int]  # of mailboxes, and of the whole account
WaysIn = set[tuple[bytes, bytes]]  # slot ids and tags


@dataclass(frozen=True, slots=True)
class Unlocked:
    """Sessions of one account, by one kind of way in and one protocol.

    Args:
        since: When the first of them began, in seconds since the epoch.
    """

    account_id: int
    slot_type: int
    door: Door
    sessions: int
    since: int


@dataclass(eq=False, slots=True)
class Session:
    """One session: its way in, whom to tell when it is over, and whether that was done."""

    slot_id: bytes
    tag: bytes
    not_after: int
    ended: Ended
    door: Door
    slot_type: int
    since: int
    told: bool = False


@dataclass(eq=False, slots=True)
class Account:
    """An account that is online here."""

    online: Online
    access: AccessRow | None = None  # as last seen
    sessions: set[Session] = field(default_factory=set[Session])
    behind: "list[asyncio.Task[None]]" = field(default_factory=list["asyncio.Task[None]"])


def tell(session: Session) -> None:
    """Tell a session that it is over, once."""
    if not session.told:
        session.told = True
        session.ended()


def read_news(tx: Tx, here: Account) -> tuple[AccessRow | None, Modseqs, WaysIn]:
    """Account row, modseqs of watched mailboxes, and ways in, as far as they changed since they were seen."""
    account_id = here.online.account_id
    access = rows.access(tx, account_id)
    if access == here.access:
        return access, {}, set()
    modseqs: Modseqs = {None: access.modseq if access is not None else -1}
    for mailbox_id in {w.mailbox_id for w in here.online.watches if w.mailbox_id is not None}:
        row = get_mailbox(tx, account_id, mailbox_id)
        if row is not None:
            modseqs[mailbox_id] = row.highest_modseq
    if here.access is not None and access is not None and here.access.access_version == access.access_version:
        return access, modseqs, set()
    return access, modseqs, {(s.slot_id, s.tag) for s in slots(tx, account_id)}
