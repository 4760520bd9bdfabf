"""The mailboxes of an unlocked account, by their names."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

from mailstead.accounts.annotations import Annotations
from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.online import Online, Watch
from mailstead.accounts.purging import deleted, purge
from mailstead.accounts.status import Status
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import SpecialUse
from mailstead.store.mailboxes import MailboxRow, get_mailbox


class NamedMailboxes:
    """What a session does with mailboxes as a whole; messages are `unlocked.UnlockedAccount`'s.

    Args:
        leave: Called once, by `close`.
        tidied: Whether somebody purges and absorbs in the background for it.
        writable: Whether its login may change mail; its keys could.
    """

    def __init__(
        self, online: Online, now: Callable[[], float], leave: Callable[[], None],
        *, tidied: bool, writable: bool = True,
    ) -> None:  # fmt: skip
        self._online = online
        self._now = now
        self._leave: Callable[[], None] | None = leave
        self._tidied = tidied
        self.writable = writable
        self._watches: list[Watch] = []

    @property
    def account_id(self) -> int:
        """The account's number in this database."""
        return self._online.account_id

    def require_write(self) -> None:
        """Raise `Refused` with READ_ONLY if this login may not change mail."""
        if not self.writable:
            raise Refused(Reason.READ_ONLY)

    def _writing(self, *mailbox_ids: bytes, soon: bool = True) -> AbstractAsyncContextManager[None]:
        self.require_write()
        return self._online.writing(*mailbox_ids, soon=soon)

    async def mailboxes(self) -> list[Mailbox]:
        """All mailboxes in the order they were made, as `names` finds them."""
        return (await self.names())[0]

    async def names(self) -> tuple[list[Mailbox], list[str]]:
        """All mailboxes in the order they were made, and names that are subscribed to and are none.

        Raises:
            UnsealError: the list of names is not what this account wrote.
        """
        names, rows = await self._online.folders.names()
        by_id = {row.mailbox_id: row for row in rows}
        mailboxes = [Mailbox.of(n, by_id[n.mailbox_id]) for n in names if n.mailbox_id in by_id]
        return mailboxes, [n.name for n in names if not n.exists]

    async def mailbox(self, name: str) -> Mailbox:
        """The mailbox of this name, which is in the one spelling of `mail.mailbox.mailbox_name`.

        Raises:
            Refused: there is none.
        """
        found = await self._online.folders.find(name)
        if found is None:
            raise Refused(Reason.NO_SUCH_MAILBOX)
        return Mailbox.of(*found)

    async def create_mailbox(self, name: str, special_use: SpecialUse | None = None) -> bytes:
        """Make a mailbox, and those above it that are missing; its id (`Folders.create`)."""
        async with self._writing():
            return await self._online.folders.create(name, special_use)

    async def delete_mailbox(self, name: str) -> None:
        """Delete a mailbox with all its messages; it is gone at once (`Folders.delete`)."""
        async with self._writing():
            gone = await self._online.folders.delete(name)
            if self._online.ledger is not None:
                self._online.ledger.gone(self._online.keys.uuid, gone)
        if self._tidied:
            self._online.stirred.set()
        else:
            for mailbox_id in await deleted(self._online.database, self._online.keys):
                await purge(self._online.database, self._online.keys, mailbox_id)

    async def subscribe(self, name: str, *, wanted: bool = True) -> None:
        """Subscribe to a name, or unsubscribe from it (`Folders.subscribe`)."""
        async with self._writing():
            await self._online.folders.subscribe(name, wanted=wanted)

    @property
    def annotations(self) -> Annotations:
        """What is noted about the mailboxes, and about the server."""
        return self._online.annotations

    async def status(self, mailbox_id: bytes) -> Status:
        """The counts of a mailbox; no page is opened (`Statuses.status`)."""
        return await self._online.statuses.status(mailbox_id)

    async def statuses(self, mailbox_ids: Iterable[bytes]) -> dict[bytes, Status]:
        """The counts of those mailboxes that are there (`Statuses.many`)."""
        return await self._online.statuses.many(mailbox_ids)

    async def exists(self, mailbox_id: bytes) -> MailboxRow | None:
        """The counters of a mailbox as they are now, or None when it is gone."""
        return await self._online.database.read(lambda tx: get_mailbox(tx, self.account_id, mailbox_id))
