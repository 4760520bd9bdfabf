"""The one door to plaintext.

Only a login makes an `UnlockedAccount`. IMAP, POP3, JMAP, webmail and the command line are
spellings of it: what is a method here is written once, what is not is protocol.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from mailstead.accounts.absorb import Absorber
from mailstead.accounts.changes import FlagChange, change_flags, expunge
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.mboxes import MailboxName
from mailstead.accounts.reading import Located, Reader
from mailstead.accounts.states import Counts, MessageState
from mailstead.crypto.sealed import Kind
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Modseq, SpecialUse, Uid
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import MailboxRow, get_mailbox, mailboxes
from mailstead.store.messages import quarantined
from mailstead.store.records import get_record

BEGINNING = Uid(0)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox with its name, as only its owner sees it."""

    id: bytes
    name: str
    special_use: SpecialUse | None
    uid_validity: int
    uid_next: Uid
    highest_modseq: Modseq
    messages: int


class UnlockedAccount:
    """An account whose keys are here; `close` wipes them."""

    def __init__(self, database: Database, keys: SessionKeys, now: Callable[[], float]) -> None:
        self._database = database
        self._keys = keys
        self._now = now
        self._absorber = Absorber(database, keys)
        self._reader = Reader(database, keys)

    @property
    def account_id(self) -> int:
        """The account's number in this database."""
        return self._keys.account_id

    def close(self) -> None:
        """Wipe the keys; nothing can be opened any more."""
        self._keys.close()

    async def mailboxes(self) -> list[Mailbox]:
        """All mailboxes in the order they were made.

        Raises:
            UnsealError: the list of names is not what this account wrote.
        """
        account_id = self._keys.account_id

        def work(tx: Tx) -> tuple[list[MailboxName], list[MailboxRow]]:
            record = get_record(tx, account_id, Kind.MBOXES)
            if record is None:
                raise Refused(Reason.DAMAGED, "the list of mailboxes is missing")
            return self._keys.open_mboxes(record), mailboxes(tx, account_id)

        names, rows = await self._database.read(work)
        by_id = {row.mailbox_id: row for row in rows}
        return [_mailbox(n, by_id[n.mailbox_id]) for n in names if n.mailbox_id in by_id]

    async def mailbox(self, name: str) -> Mailbox:
        """The mailbox of this name.

        Raises:
            Refused: there is none.
        """
        for mailbox in await self.mailboxes():
            if mailbox.name == name:
                return mailbox
        raise Refused(Reason.NO_SUCH_MAILBOX)

    async def absorb(self, mailbox_id: bytes) -> int:
        """Absorb what was delivered since; how many messages."""
        return await self._absorber.absorb(mailbox_id)

    def messages(self, mailbox_id: bytes, after: Uid = BEGINNING) -> AsyncIterator[Located]:
        """The messages with a UID above *after*, in UID order, absorbed or not."""
        return self._reader.messages(mailbox_id, after)

    async def locate(self, mailbox_id: bytes, uid: Uid) -> Located:
        """One message.

        Raises:
            Refused: it is not there.
            UnsealError: what is there is not what was delivered.
        """
        async for message in self._reader.messages(mailbox_id, Uid(uid - 1)):
            if message.uid == uid:
                return message
            break
        raise Refused(Reason.NO_SUCH_MESSAGE)

    def read(self, message: Located, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The octets of a message from *start* to *stop*, in pieces.

        Raises:
            UnsealError: they are not what was delivered; what was yielded before is.
        """
        return self._reader.body(message, start, stop)

    async def change_flags(
        self, mailbox_id: bytes, uids: Iterable[Uid], change: FlagChange
    ) -> dict[Uid, MessageState]:
        """Change flags and keywords; the new state of every message that is there."""
        await self.absorb(mailbox_id)
        return await change_flags(self._database, self._keys, mailbox_id, uids, change)

    async def expunge(
        self, mailbox_id: bytes, uids: Iterable[Uid], undelete_days: int = 0
    ) -> dict[Uid, Modseq]:
        """Remove messages for good, or into tombs for *undelete_days*; what was removed, and when."""
        await self.absorb(mailbox_id)
        return await expunge(self._database, self._keys, mailbox_id, uids, undelete_days, int(self._now()))

    async def counts(self, mailbox_id: bytes) -> Counts:
        """How many messages, unseen, deleted, and how many octets; absorbs first."""
        await self.absorb(mailbox_id)
        account_id = self._keys.account_id
        record = await self._database.read(lambda tx: get_record(tx, account_id, Kind.COUNTS, mailbox_id))
        if record is None:
            return Counts()
        return Counts.decode(self._keys.open(Kind.COUNTS, mailbox_id, 0, 0, record))

    async def quarantined(self) -> list[tuple[bytes, int, str]]:
        """Mailbox id, UID and reason of every message that could not be opened."""
        account_id = self._keys.account_id
        return await self._database.read(lambda tx: quarantined(tx, account_id))

    async def exists(self, mailbox_id: bytes) -> MailboxRow | None:
        """The counters of a mailbox as they are now."""
        account_id = self._keys.account_id
        return await self._database.read(lambda tx: get_mailbox(tx, account_id, mailbox_id))


def _mailbox(name: MailboxName, row: MailboxRow) -> Mailbox:
    return Mailbox(
        name.mailbox_id,
        name.name,
        name.special_use,
        row.uid_validity,
        Uid(row.uid_next),
        Modseq(row.highest_modseq),
        row.messages,
    )
