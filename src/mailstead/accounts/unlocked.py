"""The one door to plaintext.

Only a login makes an `UnlockedAccount`. IMAP, POP3, JMAP, webmail and the command line are
spellings of it: what is a method here is written once, what is not is protocol.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable

from mailstead.accounts.absorb import absorb_batch
from mailstead.accounts.accessentries import Entries
from mailstead.accounts.accesslog import take_in
from mailstead.accounts.changes import change_flags, expunge, take_recent
from mailstead.accounts.copying import Copied, Copying, Step, unheard
from mailstead.accounts.entries import BodyKey
from mailstead.accounts.flagging import FlagChange, FlagOutcome
from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.namedmailboxes import NamedMailboxes
from mailstead.accounts.online import Watch, Watcher
from mailstead.accounts.openedrows import OpenedRow, open_row
from mailstead.accounts.orders import Orders
from mailstead.accounts.reading import Columns, Fetched, Located
from mailstead.accounts.replacing import Replacing
from mailstead.accounts.searchindex import Hits, Question
from mailstead.accounts.snapshot import Snapshot
from mailstead.accounts.verifying import Verifying
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import INBOX, Modseq, Uid
from mailstead.store.accounts import addresses, quota
from mailstead.store.quarantine import quarantined
from mailstead.store.sealedrows import SealedRow

BEGINNING = Uid(0)


class UnlockedAccount(NamedMailboxes):
    """One session of an account whose keys are here; `close` ends it, and the last wipes the keys."""

    async def addresses(self) -> list[str]:
        """The addresses whose mail comes here, the login address first."""
        found = await self._online.database.read(lambda tx: addresses(tx, self.account_id))
        return [row.address for row in found]

    def now(self) -> float:
        """The clock of this account's sessions, in seconds since the epoch."""
        return self._now()

    async def quota(self) -> tuple[int, int]:
        """Octets that are stored, and how many may be; 0 for as many as there is room for."""
        return await self._online.database.read(lambda tx: quota(tx, self.account_id))

    def close(self) -> None:
        """Leave; nothing can be opened by this session any more. Harmless when done twice."""
        for watch in self._watches:
            self._online.watches.discard(watch)
        self._watches.clear()
        if self._leave is not None:
            self._leave()
            self._leave = None

    # Mailboxes

    async def rename_mailbox(self, name: str, to: str) -> None:
        """Rename a mailbox and all below it (`Folders.rename`).

        Of INBOX only the messages go (RFC 9051 section 6.3.6), and its annotations are those of both then.
        """
        if name.upper() == INBOX:
            target_id = await self.create_mailbox(to)
            inbox_id = (await self.mailbox(INBOX)).id
            await self.annotations.copy(inbox_id, target_id)
            await self.move(inbox_id, map(Uid, (await self.snapshot(inbox_id)).uids), target_id)
            return
        async with self._writing():
            await self._online.folders.rename(name, to)

    # What a session sees

    async def snapshot(self, mailbox_id: bytes) -> Snapshot:
        """The mailbox as it is now (`Snapshots.newest`)."""
        await self._online.look_again()
        return await self._online.snapshots.newest(mailbox_id)

    async def glimpse(self, mailbox_id: bytes) -> Snapshot:
        """The mailbox as it is now, for who does not stay (`Snapshots.glimpse`)."""
        return await self._online.snapshots.glimpse(mailbox_id)

    def damage(self, mailbox_id: bytes) -> list[str]:
        """How a mailbox was found not to be as it was left; then it can only be read."""
        return self._online.damage(mailbox_id)

    def alerts(self, mailbox: Mailbox) -> list[str]:
        """What of `damage` its owner is told when he opens a mailbox, each with what it is about."""
        standing = self._online.standing.account
        of_mailbox = self.damage(mailbox.id)[len(standing) :]
        return [*standing, *(f"{mailbox.name}, {words}" for words in of_mailbox)]

    @property
    def verifying(self) -> Verifying:
        """What compares all of the account with what was written."""
        return self._online.verifying

    async def opened(self, snapshot: Snapshot, uids: Iterable[int]) -> Snapshot:
        """*snapshot* with the flags of *uids* looked at, which pendings need (`Snapshots.opened`)."""
        return await self._online.snapshots.opened(snapshot, uids)

    async def take_recent(self, mailbox_id: bytes) -> range:
        """The UIDs that are recent in this session and in no other (RFC 3501 section 2.3.2)."""
        self.require_write()
        return await take_recent(self._online.database, self._online.keys, mailbox_id)

    def watch(self, mailbox_id: bytes | None, tell: Watcher) -> Callable[[], None]:
        """Have *tell* called, on the loop, when something may have changed in a mailbox (None: anywhere).

        Returns what ends it.
        """
        watch = Watch(mailbox_id, tell)
        self._watches.append(watch)
        self._online.watches.add(watch)

        def unwatch() -> None:
            self._online.watches.discard(watch)
            if watch in self._watches:
                self._watches.remove(watch)

        return unwatch

    # Messages

    def fetch(self, mailbox_id: bytes, uids: Iterable[Uid], columns: Columns) -> AsyncIterator[list[Fetched]]:
        """Those of *uids* that are there, with the *columns* asked for, a row at a time."""
        return self._online.reader.fetch(mailbox_id, uids, columns)

    def messages(self, mailbox_id: bytes, after: Uid = BEGINNING) -> AsyncIterator[Located]:
        """The messages with a UID above *after*, in UID order, absorbed or not."""
        return self._online.reader.messages(mailbox_id, after)

    async def locate(self, mailbox_id: bytes, uid: Uid) -> Located:
        """One message.

        Raises:
            Refused: it is not there.
            UnsealError: what is there is not what was delivered.
        """
        async for found in self.fetch(mailbox_id, [uid], Columns.BOTH):
            return found[0].whole()
        raise Refused(Reason.NO_SUCH_MESSAGE)

    def read(self, message: BodyKey, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The octets of a message from *start* to *stop*, in pieces.

        Raises:
            Refused: it was expunged meanwhile.
            UnsealError: they are not what was delivered; what was yielded before is.
        """
        return self._online.bodies.read(message, start, stop)

    @property
    def orders(self) -> Orders:
        """The messages of mailboxes in order, and in threads."""
        return self._online.orders

    async def read_small(self, messages: Iterable[BodyKey]) -> dict[Uid, bytes | Refused | UnsealError]:
        """All octets of messages of up to `bodies.SMALL`, or why not (`Bodies.small`)."""
        return await self._online.bodies.small(messages)

    async def look_up(
        self, mailbox_id: bytes, questions: Collection[Question]
    ) -> dict[Question, Hits] | None:
        """What the search index says of a mailbox (`SearchIndex.ask`)."""
        return await self._online.search_index.ask(mailbox_id, questions)

    async def change_flags(
        self,
        mailbox_id: bytes,
        uids: Iterable[Uid],
        change: FlagChange,
        unchanged_since: Modseq | None = None,
    ) -> FlagOutcome:
        """Change flags and keywords (`changes.change_flags`)."""
        o = self._online
        async with self._writing(mailbox_id, soon=False):
            return await change_flags(o.database, o.keys, mailbox_id, uids, change, unchanged_since)

    async def expunge(
        self, mailbox_id: bytes, uids: Iterable[Uid], undelete_days: int = 0, *, only_deleted: bool = False
    ) -> dict[Uid, Modseq]:
        """Remove messages for good, or into tombs for *undelete_days* (`changes.expunge`)."""
        o = self._online
        async with self._writing(mailbox_id):
            gone = await expunge(
                o.database, o.keys, mailbox_id, uids, int(self._now()), undelete_days,
                only_deleted=only_deleted,
            )  # fmt: skip
        if gone and not undelete_days:
            o.erased()
        return gone

    async def copy(self, source: bytes, uids: Iterable[Uid], target: bytes, step: Step = unheard) -> Copied:
        """Copy messages (`Copying.copy`)."""
        o = self._online
        async with self._writing(target, soon=False):
            return await Copying(o.database, o.keys, source, target, int(self._now()), step).copy(uids)

    async def move(self, source: bytes, uids: Iterable[Uid], target: bytes, step: Step = unheard) -> Copied:
        """Move messages (`Copying.move`)."""
        o = self._online
        async with self._writing(source, target):
            return await Copying(o.database, o.keys, source, target, int(self._now()), step).move(uids)

    def replacing(self, mailbox_id: bytes, uid: Uid) -> Replacing:
        """The replacement of a message by another, to be begun (`Replacing`)."""
        self.require_write()
        return Replacing(self._online, mailbox_id, uid, int(self._now()))

    async def absorb(self, mailbox_id: bytes) -> int:
        """Absorb what was delivered since; how many. Refused if the mailbox is not as it was left."""
        o = self._online
        await o.intact(mailbox_id)
        absorbed = 0
        async with o.turn:
            while done := await absorb_batch(o.database, o.keys, mailbox_id, stored=o.stored_orders):
                absorbed += done
        if absorbed:
            await o.wrote()
        return absorbed

    async def access_log(self) -> Entries:
        """Who got in, and who tried, as far as it was noted by now."""
        async with self._online.turn:
            return await take_in(self._online.database, self._online.keys)

    async def quarantined(self) -> list[tuple[bytes, int, str]]:
        """Mailbox id, UID and reason of every message that could not be opened."""
        return await self._online.database.read(lambda tx: quarantined(tx, self.account_id))

    async def open_row(self, row: SealedRow) -> OpenedRow:
        """One stored row of this account with what is in it (`openedrows.open_row`)."""
        return await open_row(self, self._online.database, self._online.keys, row)
