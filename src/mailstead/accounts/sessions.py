"""Sessions: a way into an account for a while, by a random token, so that commands ask for no password.

A session slot wraps the read key and never the root. No keyring lists it, so it is carried over to
no other key: what changes the read key or the root ends it (docs/format.md, "Session slots"). One that
was ended stays so: the ledger has it as revoked.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailstead.accounts.directory import find_account
from mailstead.accounts.login import unlock_root
from mailstead.accounts.opening import Credential
from mailstead.accounts.waysin import Gens, Maker
from mailstead.crypto.keyring import read_key
from mailstead.crypto.primitives import random_octets
from mailstead.crypto.slots import SlotType
from mailstead.store.accounts import fence
from mailstead.store.database import Tx
from mailstead.store.slots import Removed, add_session, remove_sessions

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office

MOST_SESSIONS = 16
MOST_SECONDS = 24 * 3600
TOKEN_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Session:
    """What whoever has it gets in with.

    Args:
        not_after: Seconds since the epoch.
    """

    slot_id: bytes
    not_after: int
    token: bytes = field(repr=False)

    def credential(self) -> Credential:
        """What to log in with."""
        return Credential(SlotType.SESSION, self.token, slot_id=self.slot_id)


async def begin_session(office: "Office", address: str, credential: Credential, seconds: int) -> Session:
    """Make a session slot, with a password or the words in hand.

    Args:
        seconds: How long it opens the account's mail, `MOST_SECONDS` at most.

    Raises:
        ValueError: that is too long, or nothing.
        Refused: LOGIN_FAILED, OUT_OF_SCOPE: it is an app password, or a session.
        Stale: the keys were changed at this moment.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise ValueError("a session lasts a day at most")
    unlocked = await unlock_root(office, address, credential)
    account, now = unlocked.account, int(office.now())
    gens = Gens(account.root_gen, account.read_gen)
    token = random_octets(TOKEN_OCTETS)
    with unlocked.root as root:
        making = Maker(office.arena, office.server_key, account.uuid, gens, now)
        row = making.session_way(token, read_key(root.view, gens.root_gen, gens.read_gen), now + seconds)

    def work(tx: Tx) -> list[Removed]:
        fence(tx, account.account_id, gens.root_gen, gens.read_gen, 0)
        return add_session(tx, account.account_id, row, MOST_SESSIONS)

    gone = await office.database.write(work)
    if office.ledger is not None:
        office.ledger.revoke(account.uuid, gone)
    return Session(row.slot_id, row.not_after, token)


async def end_sessions(office: "Office", address: str) -> int:
    """End all sessions of an account; how many there were.

    Raises:
        Refused: NO_SUCH_ACCOUNT; DAMAGED: a row is not this server's.
    """
    account = await find_account(office.database, office.server_key.rows, address)
    gone = await office.database.write(lambda tx: remove_sessions(tx, account.account_id))
    if office.ledger is not None:
        office.ledger.revoke(account.uuid, gone)
    return len(gone)
