"""Submission (RFC 6409): who may send, by AUTH (RFC 4954), and as whom."""

from binascii import b2a_base64
from collections.abc import Callable

from mailstead.accounts.logins import Admitted, Logins, Proof
from mailstead.accounts.opening import ScramProof
from mailstead.errors import MailError, Reason
from mailstead.log import Log
from mailstead.mail.address import AddressError
from mailstead.net.wire import Wire
from mailstead.sasl.mechanism import Failed
from mailstead.services.sasl import Entered, SaslLogin
from mailstead.smtp import reply as replies
from mailstead.smtp.commands import Auth, MailFrom
from mailstead.smtp.reply import FOR_REASON, Reply, reply
from mailstead.smtp.server import AuthResponse


class Submitter:
    """The login of one connection, and what it allows.

    Args:
        encrypted: Whether somebody may log in now.
    """

    def __init__(self, logins: Logins, log: Log, wire: Wire, encrypted: Callable[[], bool]) -> None:
        self._logins = logins
        self._log = log
        self._wire = wire
        self._encrypted = encrypted
        self._sasl = SaslLogin[Proof](logins, wire, self._enter, lambda _: None)
        self.proof: Proof | None = None

    @property
    def words(self) -> list[str]:
        """What EHLO says of it."""
        if not self._encrypted() or self.proof is not None:
            return []
        return [f"AUTH {' '.join(self._sasl.mechanisms)}"]

    def forget(self) -> None:
        """TLS has begun: nobody is logged in (RFC 3207 section 4.2)."""
        self._sasl.drop()
        self.proof = None

    async def authenticate(self, command: Auth | AuthResponse) -> Reply:
        """Answer AUTH and what follows it."""
        if isinstance(command, Auth) and self.proof is not None:
            return replies.BAD_SEQUENCE
        if isinstance(command, Auth) and not self._encrypted():
            return replies.AUTH_NEEDS_TLS
        try:
            if isinstance(command, Auth):
                found = await self._sasl.begin(command.mechanism, command.initial)
            else:
                found = await self._sasl.go_on(command.octets)
        except MailError as error:
            if self._sasl.by_proof and error.reason is Reason.LOGIN_FAILED:
                return replies.SCRAM_FAILED
            return FOR_REASON[error.reason]
        match found:
            case None:
                return replies.NO_SUCH_MECHANISM
            case bytes():
                return reply(334, b2a_base64(found, newline=False).decode())
            case Entered():
                self.proof = found.what
                return replies.AUTH_DONE
            case Failed():
                return replies.AUTH_MALFORMED if found.malformed else replies.AUTH_FAILED

    async def _enter(self, name: str, given: bytes | ScramProof) -> Admitted[Proof]:
        try:
            return await self._logins.prove(name, given, self._wire.peer[0])
        except MailError as error:
            user = self._log.address(name)
            self._log.info("submission.login.failed", user=user, reason=error.reason.name)
            raise

    async def refusal(self, command: MailFrom) -> Reply | None:
        """Why MAIL is refused, if it is: a sender who is not logged in, not any more, or not himself."""
        if self.proof is None:
            return replies.AUTH_FIRST
        try:
            if not await self._logins.stands(self.proof):
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
