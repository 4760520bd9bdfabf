"""Submission (RFC 6409): who may send, by AUTH (RFC 4954), and as whom."""

from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, field

from mailstead.accounts.logins import Logins, Proof
from mailstead.errors import MailError
from mailstead.log import Log
from mailstead.mail.address import AddressError
from mailstead.sasl.exchange import Exchange
from mailstead.sasl.mechanism import Challenge, Credentials, Failed
from mailstead.sasl.mechanisms import MECHANISMS
from mailstead.smtp import reply as replies
from mailstead.smtp.commands import Auth, MailFrom
from mailstead.smtp.reply import FOR_REASON, Reply, reply
from mailstead.smtp.server import AuthResponse


@dataclass(slots=True)
class Submitter:
    """The login of one connection, and what it allows.

    Args:
        address: The client's address.
        encrypted: Whether a password may be sent now.
    """

    logins: Logins
    log: Log
    address: str
    encrypted: Callable[[], bool]
    exchange: Exchange = field(default_factory=Exchange)
    proof: Proof | None = None

    @property
    def words(self) -> list[str]:
        """What EHLO says of it."""
        return [f"AUTH {' '.join(MECHANISMS)}"] if self.encrypted() and self.proof is None else []

    def forget(self) -> None:
        """TLS has begun: nobody is logged in (RFC 3207 section 4.2)."""
        self.exchange, self.proof = Exchange(), None

    async def authenticate(self, command: Auth | AuthResponse) -> Reply:
        """Answer AUTH and what follows it."""
        if isinstance(command, Auth):
            if self.proof is not None:
                return replies.BAD_SEQUENCE
            if not self.encrypted():
                return replies.AUTH_NEEDS_TLS
            step = self.exchange.begin(command.mechanism, command.initial)
        else:
            step = self.exchange.go_on(command.octets)
        match step:
            case None:
                return replies.NO_SUCH_MECHANISM
            case Challenge():
                return reply(334, b2a_base64(step.octets, newline=False).decode())
            case Credentials():
                return await self._check(step.user, step.password)
            case Failed():
                return replies.AUTH_MALFORMED if step.malformed else replies.AUTH_FAILED

    async def _check(self, user: bytes, password: bytes) -> Reply:
        name = user.decode("utf-8", "replace")
        try:
            self.proof = await self.logins.prove(name, password, self.address)
        except MailError as error:
            self.log.info("submission.login.failed", user=self.log.address(name), reason=error.reason.name)
            return FOR_REASON[error.reason]
        return replies.AUTH_DONE

    async def refusal(self, command: MailFrom) -> Reply | None:
        """Why MAIL is refused, if it is: a sender who is not logged in, not any more, or not himself."""
        if self.proof is None:
            return replies.AUTH_FIRST
        try:
            if not await self.logins.stands(self.proof):
                self.proof = None
                return replies.AUTH_FIRST
        except MailError as error:
            return FOR_REASON[error.reason]
        if command.reverse_path is None:
            return None
        try:
            own = command.reverse_path.canonical() in self.proof.addresses
        except AddressError:
            own = False
        return None if own else replies.NOT_YOUR_ADDRESS
