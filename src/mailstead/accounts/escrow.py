"""Escrow: a way in for an organisation, by a key that it keeps offline; only the owner can grant it.

The organisation reads no mail by it: it hands its owner an invitation, and the owner joins again.
"""

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailstead.accounts.accessentries import Door, Outcome
from mailstead.accounts.accessnotes import seen
from mailstead.accounts.directory import find_account
from mailstead.accounts.login import unlock_root
from mailstead.accounts.newways import Invitation, add_way, invite_again, make_invitation
from mailstead.accounts.opening import Credential, UnlockedRoot
from mailstead.accounts.waynames import checked_name
from mailstead.accounts.waysin import check_listed, checked_header, open_escrow_row, root_ring
from mailstead.crypto.escrow import EscrowKey, public_half
from mailstead.crypto.keyring import Ring
from mailstead.crypto.slots import SlotType
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.secretmem import Secret
from mailstead.store.accounts import AccountRow
from mailstead.store.slots import SlotRow, slots, without_revoked

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class EscrowSeed:
    """The private half of an organisation's key."""

    octets: bytes = field(repr=False)


async def grant(office: "Office", address: str, credential: Credential, key: EscrowKey, name: str) -> None:
    """Let an organisation let the owner back in.

    Args:
        name: What the owner calls it: 1 to 64 octets of one line, like no other way in.

    Raises:
        ValueError: that can be no name.
        Refused: LOGIN_FAILED, OUT_OF_SCOPE: the credential does not open the root; NAME_TAKEN.
    """
    name = checked_name(name)
    unlocked = await unlock_root(office, address, credential)
    with unlocked.root:
        await add_way(office, unlocked, name, lambda making, root: (making.escrow_way(name, key, root),))


async def let_back_in(office: "Office", address: str, seed: EscrowSeed) -> Invitation:
    """An invitation for an account that granted this key a way in; what else opens it stays, and its owner
    finds it in the access log.

    Raises:
        Refused: NO_SUCH_ACCOUNT; LOGIN_FAILED: the key has no way in; DAMAGED.
    """
    try:
        account = await find_account(office.database, office.server_key.rows, address)
        stored = await office.database.read(lambda tx: slots(tx, account.account_id))
        ways_in = without_revoked(stored, office.ledger)
        root = open_by_seed(office, account, ways_in, seed)
        if root is None:
            raise Refused(Reason.LOGIN_FAILED, "this key has no way in")
        with root:
            ring = await office.database.read(lambda tx: root_ring(tx, account, root.view))
            row = listed(ring, ways_in, seed)
            office.witness(account.account_id, seen(office.now(), Door.COMMAND, Outcome.ENTERED, row))
            invitation = make_invitation(office)
            await invite_again(office, UnlockedRoot(account, row, root), invitation)
    except UnsealError as error:
        raise Refused(Reason.DAMAGED, str(error)) from error
    return invitation


def open_by_seed(
    office: "Office", account: AccountRow, ways_in: list[SlotRow], seed: EscrowSeed
) -> Secret | None:
    """What an organisation's key opens by one of these ways in; None when none is its own.

    Anybody who has the public half can make one: what it opens must open a keyring that lists it.
    """
    for row in ways_in:
        if row.type == SlotType.ESCROW:
            try:
                checked_header(office.server_key.rows, account, row, office.now())
                return open_escrow_row(office.arena, row, seed.octets)
            except UnsealError:
                continue
    return None


def listed(ring: Ring, ways_in: list[SlotRow], seed: EscrowSeed) -> SlotRow:
    """The way in of an organisation's key that the keyring lists, which it opened.

    Raises:
        UnsealError: none of them: somebody else has made it.
    """
    public = public_half(seed.octets).octets
    for row in ways_in:
        if row.public_key == public:
            with contextlib.suppress(UnsealError):  # of the same key there may be several
                check_listed(ring, row)
                return row
    raise UnsealError("a way in is not one that its owner made")
