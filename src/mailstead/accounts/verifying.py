"""`mailstead verify`: all that can be compared of an account, and the owner's word that he knows.

Mailboxes are compared with their leaves, as SELECT does, and what waits in them with the chain of
arrivals, as absorbing does, without absorbing it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mailstead.accounts.accepting import accept_account, accept_mailbox
from mailstead.accounts.chain import Followed, follow
from mailstead.accounts.folders import Folders
from mailstead.accounts.gathering import agree
from mailstead.accounts.inspecting import later
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.leaves import Leaf, open_leaf, read_leaf
from mailstead.accounts.leaves import named as leaf_name
from mailstead.accounts.snapshot import Snapshots
from mailstead.accounts.standing import Standing, compare, read_account
from mailstead.errors import MailError, UnsealError
from mailstead.store import messages as rows
from mailstead.store.book import Known
from mailstead.store.database import Database, Tx
from mailstead.store.epochs import later_pages
from mailstead.store.ledger import Ledger
from mailstead.store.mailboxes import MailboxRow, get_mailbox

Progress = Callable[[int, int], None]  # mailboxes that were looked at, of how many


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was left.

    Args:
        mailbox: Its name; empty for what is of the account.
        mailbox_id: 16 octets; empty as well.
        words: What differs.
    """

    mailbox: str
    mailbox_id: bytes
    words: str

    def __str__(self) -> str:
        return f"{self.mailbox}, {self.words}" if self.mailbox else self.words


class Verifying:
    """Compares one account with what was written."""

    def __init__(
        self,
        database: Database,
        keys: SessionKeys,
        folders: Folders,
        snapshots: Snapshots,
        ledger: Ledger | None = None,
    ) -> None:
        self._ledger = ledger
        self._database = database
        self._keys = keys
        self._folders = folders
        self._snapshots = snapshots

    async def verify(self, progress: Progress) -> tuple[int, list[Difference]]:
        """How many mailboxes there are, and all that differs.

        Raises:
            UnsealError: the list of names is not what this account wrote.
        """
        standing, wrong = await self._standing()
        names, found = await self._folders.names()
        named = {n.mailbox_id: n.name for n in names if n.exists}
        there = {row.mailbox_id for row in found}
        said = [Difference("", b"", words) for words in (*standing.account, *wrong)]
        for box, words in standing.mailboxes.items():
            said += [Difference(named.get(box, box.hex()), box, w) for w in words]
        said += [
            Difference(name, mailbox_id, "the mailbox is missing, with all that was in it")
            for mailbox_id, name in named.items()
            if mailbox_id not in there
        ]
        for at, mailbox_id in enumerate(there):
            name = named.get(mailbox_id)
            if name is None:
                name = mailbox_id.hex()
                said.append(Difference(name, mailbox_id, "the list of mailboxes does not name it"))
            said += [Difference(name, mailbox_id, w) for w in await self._mailbox(mailbox_id)]
            progress(at + 1, len(there))
        return len(there), sorted(said, key=lambda d: d.mailbox)

    async def _standing(self) -> tuple[Standing, list[str]]:
        """How the account is not as it was left, and what is wrong with the ledgers."""
        known, wrong = self._known()
        heads = await self._database.read(lambda tx: read_account(tx, self._keys.account_id))
        return compare(self._keys, heads, known), wrong

    def _known(self) -> tuple[Known, list[str]]:
        return (Known(), []) if self._ledger is None else self._ledger.all_nodes(self._keys.uuid)

    async def _mailbox(self, mailbox_id: bytes) -> list[str]:
        try:
            await self._snapshots.newest(mailbox_id, afresh=True)
            said = self._snapshots.damage.get(mailbox_id) or await self._later(mailbox_id)
            return said or await self._arrivals(mailbox_id)
        except UnsealError as error:
            return self._snapshots.damage.get(mailbox_id) or [f"something does not open: {error}"]
        except MailError as error:
            return self._snapshots.damage.get(mailbox_id) or [str(error)]

    async def _later(self, mailbox_id: bytes) -> list[str]:
        """Pages that claim to be of keys to come, which only their rows tell."""
        keys = self._keys
        found = await self._database.read(lambda tx: later_pages(tx, keys.account_id, mailbox_id, keys.epoch))
        return [later(leaf_name(group, number), keys.epoch) for group, number in found]

    async def _arrivals(self, mailbox_id: bytes) -> list[str]:
        """Go along the chain of what waits, some at a time; as far as it is what was delivered."""
        base: tuple[int, bytes] | None = None
        after = 0
        while True:
            found, last = await self._some(mailbox_id, base, after)
            if found is None:
                return []
            if found.failed or found.missing:
                return [
                    *(f"message {r.uid}: {why}" for r, why in found.failed),
                    *filter(None, [found.missing]),
                ]
            base, after = (found.arrivals, found.tag), last
            await asyncio.sleep(0)

    async def _some(
        self, mailbox_id: bytes, base: tuple[int, bytes] | None, after: int
    ) -> tuple[Followed | None, int]:
        account_id = self._keys.account_id

        def read(
            tx: Tx,
        ) -> tuple[MailboxRow | None, Leaf, list[rows.PendingRow], dict[int, tuple[int, bytes]]]:
            leaf = open_leaf(self._keys, mailbox_id, 0, read_leaf(tx, account_id, mailbox_id))
            pendings = rows.pendings(tx, account_id, mailbox_id, after=after)
            last = pendings[-1].uid if pendings else after
            bodies = rows.pending_bodies(tx, account_id, mailbox_id, after, last)
            return get_mailbox(tx, account_id, mailbox_id), leaf, pendings, bodies

        mailbox, leaf, pendings, bodies = await self._database.read(read)
        absorbed_since = base is not None and leaf.arrivals > base[0]
        if mailbox is None or not pendings or absorbed_since:
            return None, after
        return follow(self._keys.arrivals, mailbox, leaf, pendings, bodies, base), pendings[-1].uid

    async def accept(self, said: list[Difference]) -> None:
        """Take what differs as it is (`accepting`): from now on it is what is compared with.

        Raises:
            Stale: the account's keys have moved on.
        """
        known, _ = self._known()
        for mailbox_id in dict.fromkeys(d.mailbox_id for d in said if d.mailbox_id):
            await accept_mailbox(self._database, self._keys, mailbox_id, known.last_uid(mailbox_id))
            self._snapshots.damage.pop(mailbox_id, None)
        if self._ledger is not None:
            self._ledger.restored(self._keys.uuid)
        await accept_account(self._database, self._keys, self._ledger)
        await agree(self._folders)
