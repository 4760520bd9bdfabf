"""What a POP3 server says: one line, or many (RFC 1939 section 3, RFC 2449 section 8, RFC 3206)."""

from collections.abc import Iterable
from dataclasses import dataclass

from mailstead.errors import Reason


@dataclass(frozen=True, slots=True)
class Response:
    """A status line.

    Args:
        code: An extended response code, such as ``AUTH``.
    """

    positive: bool
    text: str
    code: str | None = None

    def octets(self) -> bytes:
        """The line as it is sent."""
        code = "" if self.code is None else f"[{self.code}] "
        return f"{'+OK' if self.positive else '-ERR'} {code}{self.text}\r\n".encode()


class BadSyntax(Exception):
    """A line is no command; the argument says why."""


def ok(text: str) -> Response:
    """Done."""
    return Response(positive=True, text=text)


def err(text: str, code: str | None = None) -> Response:
    """Not done."""
    return Response(positive=False, text=text, code=code)


def lines(found: Iterable[bytes]) -> bytes:
    """The lines of a multi-line response behind its first; none of them begins with a dot."""
    return b"".join([b"%b\r\n" % line for line in found]) + b".\r\n"


NOT_NOW = err("Not in this state")
NO_SUCH_MESSAGE = err("No such message")
GONE = err("The message is gone: another session deleted it")
NO_TLS = err("TLS is not offered here, or on already")
NO_PLAINTEXT = err("Use STLS first")
NO_SUCH_MECHANISM = err("No such mechanism")
MALFORMED = err("Malformed authentication exchange")
CANCELLED = err("Authentication cancelled")
TOO_LONG = err("The line is too long")
BARE_LF = err("A line ends with CR LF")
BEGIN_TLS = ok("Begin TLS")
GOODBYE = ok("Goodbye")
LOGIN_FAILED = err("Authentication failed", "AUTH")
SCRAM_FAILED = err("Authentication failed; SCRAM takes app passwords only", "AUTH")
TOO_MANY_CONNECTIONS = err("Too many connections from your address", "SYS/TEMP")
TOO_MANY_ERRORS = err("Too many errors")
SHUTTING_DOWN = err("Shutting down", "SYS/TEMP")
TOO_SLOW = err("Too slow")
LOGIN_REVOKED = err("This login is no longer valid", "AUTH")
NOT_DELETED = err("Some deleted messages were not removed", "SYS/TEMP")
DAMAGED = err("The message is damaged; tell your administrator", "SYS/PERM")
FOR_REASON: dict[Reason, Response] = {
    Reason.LOGIN_FAILED: LOGIN_FAILED,
    Reason.TOO_BUSY: err("Too many logins; try again later", "SYS/TEMP"),
    Reason.DAMAGED: err("The account is damaged; tell your administrator", "SYS/PERM"),
    Reason.NO_SUCH_MESSAGE: GONE,
    Reason.OUT_OF_SCOPE: err("This app password is for sending mail only", "AUTH"),
    Reason.READ_ONLY: err("This login may only read", "SYS/PERM"),
}
NOT_AVAILABLE = err("Not available now; try again later", "SYS/TEMP")
