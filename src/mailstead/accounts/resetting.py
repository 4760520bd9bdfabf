"""A reset: new keys for an account that nothing at hand opens, and its mail locked away, not lost.

New mail works at once. What was there before stays where it is, in an archive that the recovery words
or an organisation's key of that time open later (`archives`).
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailstead.accounts.directory import find_account
from mailstead.accounts.firstrows import FirstRows
from mailstead.accounts.listing import kinds
from mailstead.accounts.newways import Invitation, Made, Words, first_ways, make_invitation, prepare
from mailstead.accounts.turns import until_won
from mailstead.accounts.waysin import Gens, Maker
from mailstead.crypto import passwords
from mailstead.crypto.sealed import Kind
from mailstead.crypto.slots import SlotType
from mailstead.store import accounts as rows
from mailstead.store.accounts import AccountRow
from mailstead.store.archives import ArchiveRow, archive
from mailstead.store.database import Tx
from mailstead.store.mailboxes import mailboxes, next_uid_validity
from mailstead.store.records import get_record
from mailstead.store.slots import Removed, slots

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

KEPT = (SlotType.RECOVERY, SlotType.ESCROW)  # what somebody may find again


@dataclass(frozen=True, slots=True)
class AtStake:
    """What a reset would lock away.

    Args:
        keys: What would open it later: "recovery words", names of kinds; none: nothing will.
    """

    address: str
    messages: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reset:
    """What came of a reset.

    Args:
        code: The invitation, when no password was set; else empty.
        words: New recovery words, when a password was set; else empty.
    """

    stake: AtStake
    code: bytes = field(repr=False)
    words: Words = field(repr=False)
    not_after: int


async def at_stake(office: "Office", address: str) -> AtStake:
    """What a reset of an account would lock away.

    Raises:
        Refused: NO_SUCH_ACCOUNT; DAMAGED.
    """
    account = await find_account(office.database, office.server_key.rows, address)
    return await office.database.read(lambda tx: _at_stake(tx, account.account_id, address))


async def reset(office: "Office", address: str, password: bytes | None) -> Reset:
    """Give an account new keys, and lock away what the old ones open.

    Args:
        password: As typed; None: an invitation opens it.

    Raises:
        ValueError: the password cannot be one.
        Refused: NO_SUCH_ACCOUNT; DAMAGED: its row is not this server's.
    """
    words: Words = ()
    invitation = Invitation(b"", 0)
    if password is None:
        invitation = make_invitation(office)
        make = invitation.way()
    else:
        words = passwords.new_words()
        make = first_ways(office, prepare(password), words)
    stake: list[AtStake] = []

    async def turn(_: int) -> int:
        account = await find_account(office.database, office.server_key.rows, address)
        first = await _first_rows(office, account, make)
        ended, at_stake = await office.database.write(lambda tx: _write(tx, office, account, address, first))
        stake[:] = [at_stake]
        if office.ledger is not None:
            office.ledger.revoke(account.uuid, ended)
            office.ledger.anchored(account.uuid, first.anchor.version, first.anchor.write_id)
        return account.account_id

    office.ring((await until_won(turn),))
    return Reset(stake[0], invitation.code, words, invitation.not_after)


async def _first_rows(office: "Office", account: AccountRow, make: Made) -> FirstRows:
    gens = Gens(account.root_gen + 1, 1)
    making = Maker(office.arena, office.server_key, account.uuid, gens, int(office.now()))
    with office.arena.hold(os.urandom(32)) as root:
        ways = await office.hashing.run("", make, making, root.view)
        clock, anchor = await office.database.read(
            lambda tx: (next_uid_validity(tx, account.account_id), _next_anchor(tx, account.account_id))
        )
        return FirstRows(office, account.uuid, gens, account.epoch + 1, root.view, list(ways), clock, anchor)


def _next_anchor(tx: Tx, account_id: int) -> int:
    record = get_record(tx, account_id, Kind.ANCHOR)
    return 1 if record is None else record.version + 1


def _write(
    tx: Tx, office: "Office", account: AccountRow, address: str, first: FirstRows
) -> tuple[list[Removed], AtStake]:
    """Which ways in open nothing from now on, and what was locked away."""
    account_id, epoch = account.account_id, first.epoch_key.epoch
    modseq = rows.fence(tx, account_id, account.root_gen, account.read_gen, 1)
    stake = _at_stake(tx, account_id, address)
    ended = [(s.slot_id, s.not_after) for s in slots(tx, account_id) if s.type not in KEPT]
    gens = Gens(account.root_gen + 1, 1)
    old = ArchiveRow(os.urandom(16), int(office.now()), account.root_gen, account.read_gen, stake.messages)
    archive(tx, account_id, old, KEPT)
    first.write(tx, account_id, modseq)
    macs = office.server_key.rows
    mac = macs.account(account.uuid, account.status, epoch, gens.root_gen, gens.read_gen)
    now = account._replace(epoch=epoch, root_gen=gens.root_gen, read_gen=gens.read_gen, mac=mac)
    rows.set_generations(tx, account, now)
    rows.set_inbox(tx, account_id, first.inbox_id)
    return ended, stake


def _at_stake(tx: Tx, account_id: int, address: str) -> AtStake:
    keys = kinds([s for s in slots(tx, account_id) if s.type in KEPT])
    return AtStake(address, sum(m.messages for m in mailboxes(tx, account_id)), keys)
