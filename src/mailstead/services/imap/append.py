"""APPEND: messages on their way in, spooled sealed as delivered mail is (RFC 9051, RFC 3502)."""

from mailstead.delivery.appending import Appended, Appending
from mailstead.errors import Reason, Refused
from mailstead.imap import responses as answers
from mailstead.imap.append import Append, Upcoming
from mailstead.imap.events import AppendEnd
from mailstead.imap.responses import TRY_CREATE, Answer, ok
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.context import Context


class Upload:
    """The APPEND of one connection; there is one at a time, of one message or several."""

    def __init__(self, context: Context, appending: Appending) -> None:
        self._context = context
        self._appending = appending
        self._messages: list[Appended] = []
        self._mailbox_id = b""
        self._announced = 0  # octets of all messages, as far as they are announced
        self.octets = 0

    async def begin(self, command: Append) -> Answer | None:
        """The command came; why its first message is not wanted, or None."""
        self.discard()
        try:
            mailbox = await self._context.owner.mailbox(command.mailbox)
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            return TRY_CREATE
        self._mailbox_id = mailbox.id
        self._announced = self.octets = 0
        await self.another(command.first)
        return None

    async def another(self, message: Upcoming) -> None:
        """A message is announced.

        Raises:
            MailError: neither it nor those before it are stored.
        """
        self._announced += message.size
        appended = await self._appending.begin(
            self._context.owner.account_id, self._mailbox_id, message.flags, message.internal_date,
            self._announced,
        )  # fmt: skip
        self._messages.append(appended)

    def push(self, octets: bytes) -> None:
        """Octets of the last message came."""
        self.octets += len(octets)
        if self._messages:
            self._messages[-1].push(octets)

    async def finish(self, event: AppendEnd) -> Answer:
        """All messages are complete; answer their APPEND."""
        messages, self._messages = self._messages, []
        if event.error is not None:
            for appended in messages:
                appended.discard()
            return event.error
        try:
            placed = await self._appending.finish(messages)
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
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
