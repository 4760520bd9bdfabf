"""Who is on the connection: LOGIN, AUTHENTICATE, STARTTLS, ID (RFC 9051 sections 6.1, 6.2)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from mailstead.accounts.logins import Admitted, Logins
from mailstead.accounts.opening import ScramProof
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import MailError, Reason
from mailstead.imap import responses as answers
from mailstead.imap.capability import Offer
from mailstead.imap.events import SaslResponse
from mailstead.imap.responses import Answer, bad, ok
from mailstead.imap.session import Authenticate, Enable, Id, Login, Unauthenticate
from mailstead.log import Log
from mailstead.sasl.mechanism import Failed
from mailstead.services.imap.context import Context
from mailstead.services.sasl import Entered, SaslLogin
from mailstead.version import __version__

LOGIN_SECONDS = 60.0  # from the first octet of the greeting to the end of a login
_EXTENSIONS = {
    "CONDSTORE": "modseqs", "QRESYNC": "qresync", "UTF8=ACCEPT": "accept", "IMAP4REV2": "rev2",
    "UIDONLY": "uid_only",
}  # fmt: skip
_SPELLED = {"IMAP4REV2": b"IMAP4rev2"}
_BEFORE_SELECT = frozenset(("IMAP4REV2", "UIDONLY"))  # what SELECT said would not be true any more
SELECTED_ALREADY = bad(
    "IMAP4rev2 and UIDONLY are enabled before a mailbox is selected"
)  # RFC 5161 section 3.1
MALFORMED = bad("Malformed authentication exchange")


class Entrance:
    """How one connection gets in."""

    def __init__(self, context: Context, logins: Logins, log: Log, revoked: Callable[[], None]) -> None:
        self._context = context
        self._logins = logins
        self._log = log
        self._revoked = revoked
        self.sasl = SaslLogin(logins, context.wire, self._enter, UnlockedAccount.close)

    async def login(self, command: Login) -> Answer:
        """Answer LOGIN."""
        name = command.user.decode("utf-8", "replace")
        try:
            admitted = await self._enter(name, command.password)
        except MailError as error:
            return answers.FOR_REASON[error.reason]
        return self._entered(Entered(name, admitted.what))

    async def authenticate(self, command: Authenticate | SaslResponse) -> Answer | bytes:
        """Answer AUTHENTICATE and what follows: with octets, a challenge."""
        try:
            if isinstance(command, Authenticate):
                found = await self.sasl.begin(command.mechanism, command.initial)
            else:
                found = await self.sasl.go_on(command.octets)
        except MailError as error:
            if self.sasl.by_proof and error.reason is Reason.LOGIN_FAILED:
                return answers.SCRAM_FAILED
            return answers.FOR_REASON[error.reason]
        match found:
            case None:
                return answers.NO_SUCH_MECHANISM
            case bytes():
                return found
            case Entered():
                return self._entered(found)
            case Failed():
                return MALFORMED if found.malformed else answers.LOGIN_FAILED

    async def _enter(self, name: str, given: bytes | ScramProof) -> Admitted[UnlockedAccount]:
        log = self._log
        try:
            return await self._logins.admit(name, given, self._context.wire.peer[0], self._revoked)
        except MailError as error:
            log.info("imap.login.failed", user=log.address(name), reason=error.reason.name)
            if error.reason is Reason.DAMAGED:
                log.error("imap.login.damaged", user=log.address(name), detail=str(error))
            raise

    def _entered(self, entered: Entered[UnlockedAccount]) -> Answer:
        context = self._context
        context.account, context.name = entered.what, entered.name
        self._log.info("imap.login", user=self._log.address(entered.name))
        limit = context.connection.append_limit
        offer = Offer(logged_in=True, starttls=False, plaintext_login=True, append_limit=limit)
        return ok("Logged in", offer.code())


async def unauthenticate(context: Context, _: Unauthenticate) -> Answer:
    """Answer UNAUTHENTICATE: all is as before the login, but for TLS (RFC 8437 section 4)."""
    context.leave()
    context.until = asyncio.get_running_loop().time() + LOGIN_SECONDS
    return ok("Nobody is logged in")


async def identify(context: Context, _: Id) -> Answer:
    """Answer ID (RFC 2971)."""
    fields = ((b"name", b"mailstead"), (b"version", __version__.encode()))
    await context.send(answers.server_id(fields))
    return ok("ID completed")


async def enable(context: Context, command: Enable) -> Answer:
    """Answer ENABLE: what is unknown is passed over (RFC 5161 section 3.1)."""
    names = dict.fromkeys(name for name in command.names if name in _EXTENSIONS)
    if context.selected is not None and not _BEFORE_SELECT.isdisjoint(names):
        return SELECTED_ALREADY
    await context.send(answers.enabled(_SPELLED.get(name, name.encode()) for name in names))
    if "CONDSTORE" in names or "QRESYNC" in names:
        await context.tell_modseqs()
    context.connection.dialect = replace(context.dialect, **{_EXTENSIONS[name]: True for name in names})
    return ok("Enabled")
