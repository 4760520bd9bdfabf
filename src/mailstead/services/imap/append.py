"""APPEND and REPLACE: messages on their way in, spooled sealed as delivered mail is (RFC 9051, RFC 3502)."""

import asyncio

from mailstead.accounts.replacing import Replacing
from mailstead.delivery.appending import Appended, Appending
from mailstead.errors import Reason, Refused
from mailstead.imap import responses as answers
from mailstead.imap.append import Append, Literal, Steps, Upcoming, Url
from mailstead.imap.events import AppendEnd, AppendNext
from mailstead.imap.incoming import TOO_LARGE
from mailstead.imap.replace import Replace
from mailstead.imap.responses import TRY_CREATE, Answer, ok
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.catenate import (
    READ_FACTOR,
    TOO_MUCH_TO_READ,
    BadUrl,
    Sources,
    TooMuchToRead,
    bad_url,
)
from mailstead.services.imap.context import Context
from mailstead.services.imap.replace import outgoing, replace

MESSAGE_SECONDS, MESSAGE_RATE = 180.0, 500.0  # of an APPEND, and octets a second


class Upload:
    """The APPEND or REPLACE of one connection; there is one at a time, of one message or several.

    Args:
        message_octets: Of the largest message.
        hostname: Of this server.
    """

    def __init__(self, context: Context, appending: Appending, message_octets: int, hostname: str) -> None:
        self._context = context
        self._appending = appending
        self._message_octets = message_octets
        self._hostname = hostname
        self._sources = Sources(context, hostname, 0)
        self._messages: list[Appended] = []
        self._mailbox_id = b""
        self._uid_validity = 0
        self._replacing: Replacing | None = None  # the message that goes, when this is a REPLACE
        self._announced = 0  # octets of all messages, as far as they are known of, less what goes
        self._head: Upcoming | None = None  # of a message of which nothing has come
        self._size = 0  # of the last message, as far as it is known
        self._octets = 0  # that came
        self._begun = 0.0  # when, by the loop's clock, but for the time that was spent here

    @property
    def deadline(self) -> float:
        """The moment, by the loop's clock, by which the next octets must have come."""
        return self._begun + MESSAGE_SECONDS + self._octets / MESSAGE_RATE

    async def let_come(self, event: Append | Replace | AppendNext) -> Answer | None:
        """Let a literal come that is announced, or say why not; without one, answer.

        Raises:
            MailError: nothing is stored.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if isinstance(event, AppendNext):
            refused = await self._take(event.steps)
        else:
            self._begun = now
            refused = await self._begin(event)
        if refused is not None:
            return refused
        if not isinstance(event.steps[-1], Literal):
            return await self.finish(AppendEnd())
        self._begun += loop.time() - now  # what took its time here is not the peer's
        self._context.wire.write(self._context.connection.go_ahead())
        return None

    async def _begin(self, command: Append | Replace) -> Answer | None:
        """The command came; why it is not wanted, or None."""
        self.discard()
        context, self._replacing = self._context, None
        context.owner.require_write()
        if isinstance(command, Replace):
            found = outgoing(context, command)
            if isinstance(found, Answer):
                return found
            self._replacing = found
        try:
            mailbox = await context.owner.mailbox(command.mailbox)
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            return TRY_CREATE
        self._mailbox_id, self._uid_validity = mailbox.id, mailbox.uid_validity
        self._announced = self._octets = 0
        self._sources = Sources(context, self._hostname, READ_FACTOR * self._message_octets)
        if self._replacing is not None:
            self._announced -= await self._replacing.frees()
        return await self._take(command.steps)

    async def _take(self, steps: Steps) -> Answer | None:
        """Do what was said, up to a literal that shall come; why it cannot be done, or None."""
        for step in steps:
            if isinstance(step, Upcoming):
                self._head, self._size = step, 0
                continue
            refused = await (self._copy(step.octets) if isinstance(step, Url) else self._expect(step.size))
            if refused is not None:
                return refused
        return None

    async def _expect(self, size: int) -> Answer | None:
        """So many octets of the last message come next; why they are not wanted, or None."""
        self._size += size
        self._announced += size
        if self._size > self._message_octets:
            return TOO_LARGE
        account_id, head = self._context.owner.account_id, self._head
        if head is None:
            await self._appending.room(account_id, self._announced)
            return None
        appended = await self._appending.begin(
            account_id, self._mailbox_id, head.flags, head.internal_date, self._announced
        )
        self._messages.append(appended)
        self._head = None
        return None

    async def _copy(self, url: bytes) -> Answer | None:
        """What a URL names comes next; why it does not, or None."""
        try:
            source = await self._sources.find(url)
            refused = await self._expect(source.size)
            if refused is not None:
                return refused
            async for piece in self._sources.pieces(source):
                self._messages[-1].push(piece)
                if self._messages[-1].failure is not None:
                    raise self._messages[-1].failure
        except BadUrl:
            return bad_url(url)
        except TooMuchToRead:
            return TOO_MUCH_TO_READ
        return None

    def push(self, octets: bytes) -> None:
        """Octets of a literal came."""
        self._octets += len(octets)
        if self._messages:
            self._messages[-1].push(octets)

    async def finish(self, event: AppendEnd) -> Answer:
        """All was said; answer the command.

        Raises:
            MailError: nothing is stored.
        """
        refused = event.error if event.error is not None else await self._take(event.steps)
        if refused is not None:
            return refused
        messages, self._messages = self._messages, []
        if self._replacing is not None:
            return await replace(
                self._context, self._appending, self._replacing, messages[0], self._uid_validity
            )
        try:
            placed = await self._appending.finish(messages)
        except Refused as refused_:
            if refused_.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            return TRY_CREATE  # it went while the messages came
        selected = self._context.selected
        if selected is not None and selected.mailbox.id == self._mailbox_id:
            selected.stirred = True
        row = await self._context.owner.exists(self._mailbox_id)
        if row is None:
            return ok("Append completed")
        uids = UidSet.of(p.uid for p in placed)
        return ok("Append completed", answers.append_uid(row.uid_validity, uids))

    def discard(self) -> None:
        """Let go of messages whose APPEND did not come to its end."""
        for appended in self._messages:
            appended.discard()
        self._messages = []
