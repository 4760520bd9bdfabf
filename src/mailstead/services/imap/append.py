"""APPEND: a message on its way in, spooled sealed as delivered mail is (RFC 9051 section 6.3.12)."""

from mailstead.delivery.appending import Appended, Appending
from mailstead.errors import Reason, Refused
from mailstead.imap import responses as answers
from mailstead.imap.append import Append
from mailstead.imap.events import AppendEnd
from mailstead.imap.responses import TRY_CREATE, Answer, ok
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.context import Context


class Upload:
    """The APPEND of one connection; there is one at a time."""

    def __init__(self, context: Context, appending: Appending) -> None:
        self._context = context
        self._appending = appending
        self._appended: Appended | None = None
        self._mailbox_id = b""
        self.octets = 0

    async def begin(self, command: Append) -> Answer | None:
        """The command came; why its message is not wanted, or None."""
        account = self._context.owner
        try:
            mailbox = await account.mailbox(command.mailbox)
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            return TRY_CREATE
        self.octets = 0
        self._mailbox_id = mailbox.id
        self._appended = await self._appending.begin(
            account.account_id, mailbox.id, command.flags, command.internal_date, command.size
        )
        return None

    def push(self, octets: bytes) -> None:
        """Octets of the message came."""
        self.octets += len(octets)
        if self._appended is not None:
            self._appended.push(octets)

    async def finish(self, event: AppendEnd) -> Answer:
        """The message is complete; answer its APPEND."""
        appended, self._appended = self._appended, None
        assert appended is not None
        if event.error is not None:
            appended.discard()
            return event.error
        try:
            placed = await self._appending.finish(appended)
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            return TRY_CREATE  # it went while the message came
        selected = self._context.selected
        if selected is not None and selected.mailbox.id == self._mailbox_id:
            selected.stirred = True
        row = await self._context.owner.exists(self._mailbox_id)
        if row is None:
            return ok("Append completed")
        return ok("Append completed", answers.append_uid(row.uid_validity, UidSet.of((placed.uid,))))

    def discard(self) -> None:
        """Let go of a message that did not come to its end."""
        if self._appended is not None:
            self._appended.discard()
            self._appended = None
