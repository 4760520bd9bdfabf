"""Who is on the connection: LOGIN, AUTHENTICATE, STARTTLS, ID (RFC 9051 sections 6.1, 6.2)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mailstead.accounts.logins import Logins
from mailstead.errors import MailError, Reason
from mailstead.imap import responses as answers
from mailstead.imap.capability import Offer
from mailstead.imap.events import SaslResponse
from mailstead.imap.responses import Answer, bad, ok
from mailstead.imap.session import Authenticate, Enable, Id, Login, Unauthenticate
from mailstead.log import Log
from mailstead.sasl.exchange import Exchange
from mailstead.sasl.mechanism import Challenge, Credentials, Failed
from mailstead.services.imap.context import Context
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


@dataclass(slots=True)
class Entrance:
    """How one connection gets in."""

    context: Context
    logins: Logins
    log: Log
    revoked: Callable[[], None]
    exchange: Exchange = field(default_factory=Exchange)

    async def login(self, command: Login) -> Answer:
        """Answer LOGIN."""
        return await self._check(command.user, command.password)

    async def authenticate(self, command: Authenticate | SaslResponse) -> Answer | bytes:
        """Answer AUTHENTICATE and what follows: with octets, a challenge."""
        if isinstance(command, Authenticate):
            step = self.exchange.begin(command.mechanism, command.initial)
        else:
            step = self.exchange.go_on(command.octets)
        match step:
            case None:
                return answers.NO_SUCH_MECHANISM
            case Challenge():
                return step.octets
            case Credentials():
                return await self._check(step.user, step.password)
            case Failed():
                return MALFORMED if step.malformed else answers.LOGIN_FAILED

    async def _check(self, user: bytes, password: bytes) -> Answer:
        context = self.context
        peer = context.wire.peer[0]
        name = user.decode("utf-8", "replace")
        try:
            context.account = await self.logins.login(name, password, peer, self.revoked)
        except MailError as error:
            self.log.info("imap.login.failed", user=self.log.address(name), reason=error.reason.name)
            if error.reason is Reason.DAMAGED:
                self.log.error("imap.login.damaged", user=self.log.address(name), detail=str(error))
            return answers.FOR_REASON[error.reason]
        context.name = name
        self.log.info("imap.login", user=self.log.address(name))
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
