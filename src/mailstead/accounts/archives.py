"""Archives opened again: what a reset locked away comes back, with what opened it at that time.

Its epochs' keys join the present keyrings, its mailboxes come back below one of their own, and the
next session seals everything again under the present key, as after a rotation.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailstead.accounts.escrow import EscrowSeed, listed, open_by_seed
from mailstead.accounts.folders import Folders
from mailstead.accounts.gathering import adopt
from mailstead.accounts.keychange import Change, Keys, change_keys, to_next_read_key
from mailstead.accounts.login import session_keys, unlock_root
from mailstead.accounts.mboxes import MailboxName
from mailstead.accounts.opening import Credential, UnlockedRoot, open_found
from mailstead.accounts.waysin import root_ring
from mailstead.crypto.keyring import CLOSING, CURRENT, ROOT_ID, Epoch, Ring, open_root_ring
from mailstead.crypto.primitives import Octets
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.store import archives as rows
from mailstead.store.accounts import AccountRow, find_recipient
from mailstead.store.archives import ArchiveRow
from mailstead.store.database import Tx
from mailstead.store.slots import SlotRow

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

TOP = "Recovered"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came back.

    Args:
        tops: The mailboxes that the recovered ones are below, one for each archive.
    """

    messages: int
    mailboxes: int
    tops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    """An archive as it is stored."""

    row: ArchiveRow
    ways_in: list[SlotRow]
    keyring: SealedRecord | None
    names: SealedRecord | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """An archive as its root shows it."""

    row: ArchiveRow
    epochs: tuple[Epoch, ...]
    names: list[MailboxName]


async def open_archives(
    office: "Office", address: str, credential: Credential, earlier: Credential | EscrowSeed
) -> Recovered:
    """Bring back everything that recovery words, or an organisation's key, of earlier times open.

    Args:
        credential: Of the account as it is now.
        earlier: Of the time before a reset.

    Raises:
        Refused: LOGIN_FAILED: the credential is wrong, or what is given opens none of the archives;
            OUT_OF_SCOPE: it does not open the root; DAMAGED: an archive is not what was locked away.
    """
    unlocked = await unlock_root(office, address, credential)
    with unlocked.root:
        stored = await office.database.read(lambda tx: _read(tx, unlocked.account.account_id))
        opened = [found for s in stored if (found := await _try(office, unlocked.account, s, earlier))]
        if not opened:
            raise Refused(Reason.LOGIN_FAILED, "it opens no archive")
        return await _bring_back(office, unlocked, opened)


async def opens_account(office: "Office", address: str, credential: Credential) -> bool:
    """Whether a credential opens the account as it is; False: it may be of before a reset.

    Raises:
        Refused: LOGIN_FAILED: it opens nothing, and nothing is locked away.
    """
    try:
        (await unlock_root(office, address, credential)).root.release()
    except Refused as error:
        if error.reason is not Reason.LOGIN_FAILED or not await office.database.read(
            lambda tx: _has_archives(tx, address)
        ):
            raise
        return False
    return True


def _has_archives(tx: Tx, address: str) -> bool:
    found = find_recipient(tx, address)
    return found is not None and bool(rows.archives(tx, found.account.account_id))


def _read(tx: Tx, account_id: int) -> list[_Stored]:
    return [
        _Stored(
            row,
            rows.archived_slots(tx, account_id, row.archive_id),
            rows.archived_record(tx, account_id, row.archive_id, Kind.KEYRING, ROOT_ID),
            rows.archived_record(tx, account_id, row.archive_id, Kind.MBOXES),
        )
        for row in rows.archives(tx, account_id)
    ]


async def _try(
    office: "Office", account: AccountRow, stored: _Stored, earlier: Credential | EscrowSeed
) -> _Opened | None:
    """An archive, if it opens by that."""
    then = account._replace(root_gen=stored.row.root_gen, read_gen=stored.row.read_gen)
    if isinstance(earlier, EscrowSeed):
        root = open_by_seed(office, then, stored.ways_in, earlier)
    else:
        meant = [row for row in stored.ways_in if row.type == earlier.type]
        root = await open_found(office, then, meant, earlier)
    if root is None:
        return None
    with root:
        try:
            return _opened(office, then, stored, root.view, earlier)
        except UnsealError as error:
            raise Refused(Reason.DAMAGED, f"an archive is not what was locked away: {error}") from error


def _opened(
    office: "Office", account: AccountRow, stored: _Stored, root: Octets, by: Credential | EscrowSeed
) -> _Opened:
    if stored.keyring is None or stored.names is None:
        raise UnsealError("its keyring or its list of mailboxes is missing")
    ring = open_root_ring(root, account.uuid, account.root_gen, account.read_gen, stored.keyring)
    if isinstance(by, EscrowSeed):  # whoever has the public half can make a slot: the owner's are listed
        listed(ring, stored.ways_in, by)
    keys = session_keys(office, account, ring)
    try:
        names = keys.open_mboxes(stored.names)
    finally:
        keys.close()
    closed = tuple(replace(e, state=CLOSING) if e.state == CURRENT else e for e in ring.epochs)
    return _Opened(stored.row, closed, [n for n in names if n.exists])


async def _bring_back(office: "Office", unlocked: UnlockedRoot, opened: list[_Opened]) -> Recovered:
    """First the keys, then the mailboxes: whoever stops in between can begin again."""

    async def plan(keys: Keys) -> Change:
        epochs = {e.number: e for o in opened for e in o.epochs} | {e.number: e for e in keys.ring.epochs}
        ring = replace(keys.ring, epochs=tuple(epochs[number] for number in sorted(epochs)))
        # A session that has not these epochs would take the mail that comes back for damaged.
        return to_next_read_key(office, keys, ring, unlocked.root)

    await change_keys(office, unlocked, plan)
    account, root = unlocked.account._replace(read_gen=unlocked.account.read_gen + 1), unlocked.root

    def read(tx: Tx) -> Ring:
        return root_ring(tx, account, root.view)

    ring = await office.database.read(read)
    groups = [o.names for o in opened]
    messages = sum(o.row.messages for o in opened)
    with ExitStack() as held:
        keys = session_keys(office, account, ring)
        held.callback(keys.close)
        folders = Folders(office.database, keys)
        tops = await adopt(
            office.database, account.account_id, folders, TOP, groups,
            lambda tx: _unarchive(tx, account.account_id, opened),
        )  # fmt: skip
    office.ring((account.account_id,))
    return Recovered(messages, sum(map(len, groups)), tuple(tops))


def _unarchive(tx: Tx, account_id: int, opened: list[_Opened]) -> None:
    for found in opened:
        ids = [n.mailbox_id for n in found.names]
        if not rows.unarchive(tx, account_id, found.row.archive_id, ids):
            raise Refused(Reason.LOGIN_FAILED, "the archive was opened meanwhile")
