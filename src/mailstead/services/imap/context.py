"""What the commands of one connection share: who is logged in, what is selected, and what is sent."""

import asyncio
import contextlib
from collections.abc import Collection, Iterable
from dataclasses import replace

from mailstead.accounts.flagging import FlagChange, FlagOutcome, unexpected
from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.news import news
from mailstead.accounts.snapshot import Snapshot
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.imap import responses as answers
from mailstead.imap.dialect import Dialect
from mailstead.imap.news import News, told
from mailstead.imap.notify import UNASKED, Event, Group
from mailstead.imap.responses import ok
from mailstead.imap.server import ServerConnection
from mailstead.imap.view import MailboxView
from mailstead.log import Log
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.net.wire import NEVER, Wire
from mailstead.services.imap.elsewhere import Elsewhere
from mailstead.services.imap.progress import Progress
from mailstead.services.imap.selected import Selected
from mailstead.store.numbers import by_row

WRITE_SECONDS = 300.0  # for a peer to take what it asked for


class CutOff(Exception):
    """A response was begun and cannot be finished: only the end of the connection says so."""


class Context:
    """One connection's state, behind all its commands.

    Args:
        large_ones: How many more large messages may be searched in this worker now.
    """

    def __init__(self, wire: Wire, connection: ServerConnection, large_ones: asyncio.Semaphore) -> None:
        self.wire = wire
        self.connection = connection
        self.large_ones = large_ones
        self.progress = Progress(wire.write)
        self.account: UnlockedAccount | None = None
        self.name = ""  # who is logged in
        self.selected: Selected | None = None
        self.notify = UNASKED
        self.elsewhere: Elsewhere | None = None
        self.newcomers: list[Uid] = []  # the client has heard that they are there, and wants to hear more
        self.busy = True  # a command is being answered
        self.until = NEVER  # when the time to log in is over

    @property
    def owner(self) -> UnlockedAccount:
        """The account that is logged in; the state table lets no command here before."""
        assert self.account is not None
        return self.account

    @property
    def dialect(self) -> Dialect:
        """What the client has enabled."""
        return self.connection.dialect

    @property
    def chosen(self) -> Selected:
        """The selected mailbox; the state table lets no command here without one."""
        assert self.selected is not None
        return self.selected

    async def send(self, octets: bytes) -> None:
        """Send responses; wait while the peer does not take them."""
        if not octets:
            return
        self.wire.write(octets)
        patience = asyncio.get_running_loop().time() + WRITE_SECONDS
        self.wire.deadline = patience if self.account is not None else min(patience, self.until)
        await self.wire.drain()
        self.wire.deadline = NEVER
        self.still_there()

    def still_there(self) -> None:
        """Stop working for a peer that is gone.

        Raises:
            OSError: it is.
        """
        if self.wire.transport is None:
            raise ConnectionResetError("the peer is gone")

    def select(self, mailbox: Mailbox, snapshot: Snapshot, view: MailboxView, *, read_only: bool) -> None:
        """A mailbox is selected now."""
        self.deselect()
        selected = Selected(mailbox, read_only, snapshot, view, _nothing)
        selected.told_modseq = snapshot.highest_modseq

        def stir() -> None:
            selected.stirred = True
            self.wire.nudge()

        selected.unwatch = self.owner.watch(mailbox.id, stir)
        self.selected = selected

    def deselect(self) -> None:
        """No mailbox is selected."""
        if self.selected is not None:
            self.selected.unwatch()
            self.selected = None

    def leave(self) -> None:
        """The connection is over: let go of mailbox and account."""
        self.deselect()
        self.forget_elsewhere()
        self.notify = UNASKED
        self.name = ""
        if self.account is not None:
            self.account.close()
            self.account = None

    def stir(self) -> None:
        """The client asks what is new: look, even if nothing is known to have changed."""
        if self.selected is not None:
            self.selected.stirred = True
        if self.elsewhere is not None:
            self.elsewhere.stirred = True

    def forget_elsewhere(self) -> None:
        """Nothing is wanted of other mailboxes."""
        if self.elsewhere is not None:
            self.elsewhere.close()
            self.elsewhere = None

    # News of the selected mailbox

    async def refresh(self, own: Collection[int] = ()) -> list[Uid]:
        """Look at the store; what is new waits in the view until it may be told.

        Returns:
            What changed last by changes with the modseqs *own*; that does not wait.
        """
        selected = self.selected
        if selected is None:
            return []
        selected.stirred = False
        view, old = selected.view, selected.snapshot
        try:
            new = await self.owner.snapshot(selected.mailbox.id)
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            view.expunge(old.uids)  # another session deleted it
            selected.standings.vanish(old.uids)
            return []
        if new is old:
            return []
        found = news(old, new, own)
        if found.changed:
            new = await self.owner.opened(new, found.changed)
        selected.snapshot = new
        view.expunge(found.gone)
        selected.standings.happened(found)
        if found.new:
            await self._arrive(selected, found.new)
        for uid in found.changed:
            selected.retell(uid)
        return found.own

    async def news(self, log: Log, *, expunges: bool, polled: bool) -> None:
        """Tell what is new, as far as it may be told now (`tell`)."""
        if self.selected is None:
            return
        if self.selected.stirred:
            try:
                await self.refresh()
            except (MailError, UnsealError) as error:
                self.selected.stirred = True  # news that cannot be had now is told later
                log.warning("imap.news.put-off", detail=str(error))
        await self.send(self.tell(expunges=expunges, polled=polled))

    async def _arrive(self, selected: Selected, uids: list[Uid]) -> None:
        if not selected.read_only and not self.dialect.rev2:
            with contextlib.suppress(MailError):
                # More may have come since the snapshot: it is recent here all the same, when it is told.
                selected.view.own_recent(await self.owner.take_recent(selected.mailbox.id))
        selected.view.arrive(uids)

    def tell(self, *, expunges: bool, polled: bool = True) -> bytes:
        """What is new and may be told now.

        Args:
            polled: The client asked for news, which it hears whatever NOTIFY says.
        """
        selected = self.selected
        if selected is None:
            return b""
        octets = selected.standings.tell_gone(selected.view)
        if selected.view.waiting:
            octets += self._news(selected, self.notify.selected, expunges=expunges, polled=polled)
        if not selected.view.waiting:
            selected.told_modseq = selected.snapshot.highest_modseq
        return octets

    def _news(self, selected: Selected, wanted: Group, *, expunges: bool, polled: bool) -> bytes:
        hears = polled or Event.MESSAGE_NEW in wanted.events
        if hears and wanted.items:
            self.newcomers += selected.view.arrived
        flags = polled or Event.FLAG_CHANGE in wanted.events
        return self._told(selected.view.tell(expunges=expunges and hears, arrivals=hears, flags=flags))

    async def tell_modseqs(self) -> None:
        """From here on changes are told with mod-sequences: a command said so (RFC 7162 section 3.1)."""
        if self.dialect.modseqs:
            return
        self.connection.dialect = replace(self.dialect, modseqs=True)
        if self.selected is not None:
            code = answers.highest_modseq(self.selected.told_modseq)
            await self.send(ok("Mod-sequences are told", code).octets())

    async def look_at(self, uids: Iterable[int]) -> None:
        """See to it that the snapshot has the flags of *uids*: those of pendings are sealed."""
        selected = self.chosen
        selected.snapshot = await self.owner.opened(selected.snapshot, uids)

    def defined(self, uids: Iterable[int]) -> bytes:
        """What tells the client of keywords of *uids* that it has not heard of."""
        selected = self.chosen
        keywords = selected.snapshot.keywords(uids)
        found = selected.view.define(keywords) if keywords else None
        return b"" if found is None else self._told([found])

    def _told(self, news: list[News]) -> bytes:
        return told(news, self.dialect, writable=not self.chosen.read_only)

    async def change(
        self,
        uids: Iterable[Uid],
        change: FlagChange,
        unchanged_since: Modseq | None = None,
        *,
        silent: bool = False,
    ) -> FlagOutcome:
        """Change flags; the client hears of them by the answer, not as news.

        Args:
            unchanged_since: Leave messages alone that changed after this.
            silent: There will be no answer: the client goes by what it knew, so what it did not
                know stays news.
        """
        selected = self.chosen
        view, before = selected.view, selected.snapshot
        change = replace(change, keywords=view.as_told(change.keywords))
        outcome = await self.owner.change_flags(selected.mailbox.id, uids, change, unchanged_since)
        if not silent:  # its answer tells what they are now, whoever made them so
            await self.refresh(own=outcome.modseqs)
            view.forget_changes(outcome.there)
            return outcome
        unheard = view.changed.intersection(outcome.there)
        own = await self.refresh(own=outcome.modseqs)
        for number, group in by_row(own):
            unheard.update(unexpected(before.rows[number], selected.snapshot.rows[number], group, change))
        for uid in unheard.intersection(own):
            selected.retell(uid)
        return outcome


def _nothing() -> None:
    """Nobody watches yet."""
