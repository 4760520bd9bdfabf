"""One mail transaction of a session (RFC 5321 section 3.3): envelope, octets, and what became of it."""

from dataclasses import dataclass, replace

from mailstead.delivery.reception import Reception, Recipient, Transaction
from mailstead.delivery.trace import Peer
from mailstead.errors import MailError, Reason
from mailstead.log import Log
from mailstead.mail.address import Address, AddressError
from mailstead.mail.envelope import Envelope, RecipientOptions
from mailstead.services.counted import Counted
from mailstead.smtp import reply as replies
from mailstead.smtp.commands import MailFrom, RcptTo
from mailstead.smtp.reply import FOR_REASON, Reply, reply

# What happens every day to every server, and is no news.
_COMMON = (Reason.NO_SUCH_RECIPIENT, Reason.RELAY_DENIED)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """What the service is told of the settings."""

    hostname: str
    message_octets: int = 50 << 20
    recipients: int = 100


class MailTransaction:
    """From MAIL to the answer that takes charge of the message, or does not."""

    def __init__(
        self, settings: SmtpSettings, reception: Reception, log: Log, counted: Counted, *, lmtp: bool
    ) -> None:
        self._counted = counted
        self._settings = settings
        self._reception = reception
        self._log = log
        self._lmtp = lmtp
        self._envelope: Envelope | None = None
        self._recipients: list[Recipient] = []
        self._paths: list[Address] = []
        self._options: list[RecipientOptions] = []
        self._transaction: Transaction | None = None
        self._failure: MailError | None = None
        self.octets = 0

    @property
    def begun(self) -> bool:
        """Whether octets of the message are coming."""
        return self._transaction is not None

    @property
    def smtputf8(self) -> bool:
        """Whether MAIL asked for it."""
        return self._envelope is not None and self._envelope.smtputf8

    def reset(self) -> None:
        """Forget envelope and octets."""
        self.discard()
        self._envelope = None
        self._recipients, self._paths, self._options = [], [], []
        self._failure = None
        self.octets = 0

    def discard(self) -> None:
        """Let go of the octets."""
        if self._transaction is not None:
            self._transaction.discard()
            self._transaction = None

    def mail(self, command: MailFrom) -> Reply:
        """Answer MAIL."""
        try:
            self._reception.check_space(command.size)
        except MailError as error:
            answer = self._refused("smtp.mail.deferred", error)
            self._counted.message(answer.code, error.reason)
            return answer
        self.reset()
        self._envelope = Envelope(
            command.reverse_path, (), (), command.size, command.eight_bit, command.smtputf8,
            command.ret, command.envid,
        )  # fmt: skip
        return replies.SENDER_OK

    async def rcpt(self, command: RcptTo) -> Reply:
        """Answer RCPT."""
        assert self._envelope is not None
        path = command.forward_path
        if len(self._recipients) >= self._settings.recipients:
            self._counted.recipient(None)
            return replies.TOO_MANY_RECIPIENTS
        if not path.is_ascii() and not self._envelope.smtputf8:
            self._counted.recipient(None)
            return replies.NEEDS_UTF8
        try:
            found = await self._reception.recipient(path, self._envelope.size)
        except AddressError:
            self._counted.recipient(None)
            return replies.BAD_RECIPIENT
        except MailError as error:
            self._counted.recipient(error.reason)
            return self._refused("smtp.rcpt.refused", error)
        self._recipients.append(found)
        self._paths.append(path)
        self._options.append(RecipientOptions(command.notify, command.original_recipient))
        return replies.RECIPIENT_OK

    def begin(self, peer: Peer) -> None:
        """The message begins, unless it has: its trace fields are its first octets."""
        if self._transaction is None and self._envelope is not None:
            envelope = replace(self._envelope, forward_paths=tuple(self._paths), options=tuple(self._options))
            self._transaction = self._reception.begin(envelope, peer, self._recipients)

    def push(self, octets: bytes) -> None:
        """Take octets of the message; a failure is told at its end."""
        self.octets += len(octets)
        if self._transaction is None or self._failure is not None:
            return
        try:
            self._transaction.push(octets)
        except MailError as error:
            self._failure = error
            self.discard()

    def cut_off(self, answer: Reply) -> None:
        """The connection ends with *answer*: a message whose octets were coming is refused by it."""
        if self.begun:
            self._counted.message(answer.code, None)
        self.reset()

    async def finish(self, error: Reply | None, *, last: bool) -> list[Reply]:
        """Answer the end of the message, or of a chunk that is not the last.

        Args:
            error: Why the message cannot be taken, whatever delivery would say.
        """
        reason = None
        if error is None and self._failure is not None:
            reason = self._failure.reason
            error = FOR_REASON[reason]
        if error is not None:
            answers = [error] * (len(self._recipients) if self._lmtp and last else 1) or [error]
            for answer in answers:
                self._counted.message(answer.code, reason)
        elif not last:
            return [reply(250, f"2.0.0 {self.octets} octets received")]
        else:
            answers = await self._deliver()
        self.reset()
        return answers

    async def _deliver(self) -> list[Reply]:
        assert self._transaction is not None
        answers: list[Reply] = []
        reasons: list[Reason | None] = []
        for outcome in await self._reception.deliver(self._transaction, each=self._lmtp):
            if isinstance(outcome, str):
                answers.append(reply(250, f"2.0.0 stored as {outcome}"))
                reasons.append(None)
            else:
                answers.append(self._refused("smtp.message.refused", outcome))
                reasons.append(outcome.reason)
        if not self._lmtp:  # all or none, by one answer
            one = next((n for n, a in enumerate(answers) if not a.positive), 0)
            answers, reasons = [answers[one]], [reasons[one]]
        for answer, reason in zip(answers, reasons, strict=True):
            self._counted.message(answer.code, reason)
        return answers

    def _refused(self, event: str, error: MailError) -> Reply:
        if error.reason not in _COMMON:
            self._log.warning(event, reason=error.reason.name, detail=str(error))
        return FOR_REASON[error.reason]
