"""Replies (RFC 5321 section 4.2) with enhanced status codes (RFC 2034), and one for every Reason.

A reply tells a stranger nothing about configuration; the log has the detail.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailstead.errors import Reason


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Args:
        code: 200 to 599.
        lines: The text, enhanced status code included where there is one.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """Whether it completes, or goes on (2yz, 3yz)."""
        return self.code < 400

    def octets(self) -> bytes:
        """What is sent."""
        *first, last = self.lines
        return "".join([*(f"{self.code}-{line}\r\n" for line in first), f"{self.code} {last}\r\n"]).encode()


def reply(code: int, text: str) -> Reply:
    """A reply of one line."""
    return Reply(code, (text,))


def extensions(
    hostname: str, message_octets: int, recipients: int, *, starttls: bool, others: Sequence[str]
) -> Reply:
    """The reply to EHLO: *hostname*, and a line for each extension (RFC 5321 section 4.1.1.1)."""
    first = (hostname, "STARTTLS") if starttls else (hostname,)
    return Reply(250, (
        *first, "PIPELINING", f"SIZE {message_octets}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES",
        "CHUNKING", "DSN", f"LIMITS RCPTMAX={recipients}", "HELP", *others,
    ))  # fmt: skip


OK = reply(250, "2.0.0 OK")
SENDER_OK = reply(250, "2.1.0 OK")
RECIPIENT_OK = reply(250, "2.1.5 OK")
START_INPUT = reply(354, "Start mail input; end with <CRLF>.<CRLF>")
READY_FOR_TLS = reply(220, "2.0.0 Ready to start TLS")
NO_TLS = reply(454, "4.7.0 TLS not available")
CLOSING = reply(221, "2.0.0 Closing connection")
CANNOT_VERIFY = reply(252, "2.1.5 Cannot verify, but will accept mail for local addresses")
HELP = reply(214, "2.0.0 See RFC 5321")
SHUTTING_DOWN = reply(421, "4.3.2 Shutting down, try again later")
TOO_SLOW = reply(421, "4.4.2 Timeout, closing connection")
TOO_MANY_CONNECTIONS = reply(421, "4.7.0 Too many connections from your address")
TOO_MANY_ERRORS = reply(421, "4.7.0 Too many errors")
TOO_MUCH_NOISE = reply(421, "4.7.0 Too many commands without mail")
LINE_TOO_LONG = reply(500, "5.5.2 Line too long")
BARE_LINE_END = reply(500, "5.5.2 Lines end with CRLF; bare CR or LF received")
UNKNOWN = reply(500, "5.5.2 Command not recognized")
NOT_IMPLEMENTED = reply(502, "5.5.1 Command not implemented")
BAD_SEQUENCE = reply(503, "5.5.1 Bad sequence of commands")
SYNTAX = reply(501, "5.5.4 Syntax error in parameters")
NO_PARAMETERS = reply(501, "5.5.4 No parameters allowed")
BAD_SENDER = reply(501, "5.1.7 Bad sender address syntax")
BAD_RECIPIENT = reply(501, "5.1.3 Bad recipient address syntax")
NEEDS_UTF8 = reply(553, "5.6.7 Address needs SMTPUTF8")
BAD_OCTET = reply(550, "5.6.11 Bare CR, bare LF or NUL in message")
BAD_OCTET_CHUNK = reply(550, "5.6.0 Bare CR, bare LF or NUL in message")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3 Too many recipients")
NO_VALID_RECIPIENTS = reply(554, "5.5.1 No valid recipients")
NO_VALID_RECIPIENTS_LMTP = reply(503, "5.5.1 No valid recipients")  # RFC 2033 section 4.2
TOO_LARGE = reply(552, "5.3.4 Message too large")
AUTH_DONE = reply(235, "2.7.0 Authentication successful")
AUTH_CANCELLED = reply(501, "5.7.0 Authentication cancelled")
AUTH_NOT_BASE64 = reply(501, "5.5.2 Not base64")
AUTH_MALFORMED = reply(501, "5.5.2 Malformed authentication exchange")
AUTH_FAILED = reply(535, "5.7.8 Authentication failed")
SCRAM_FAILED = reply(535, "5.7.8 Authentication failed; SCRAM takes app passwords only")
AUTH_FIRST = reply(530, "5.7.0 Authentication required")
AUTH_NEEDS_TLS = reply(538, "5.7.11 Encryption required for this authentication")
NO_SUCH_MECHANISM = reply(504, "5.5.4 Mechanism not supported")
NOT_YOUR_ADDRESS = reply(550, "5.7.1 Not an address of yours")

FOR_REASON: dict[Reason, Reply] = {
    Reason.NO_SUCH_RECIPIENT: reply(550, "5.1.1 No such recipient here"),
    Reason.ACCOUNT_DISABLED: reply(550, "5.2.1 Mailbox disabled"),
    Reason.RELAY_DENIED: reply(550, "5.7.1 Relaying denied"),
    Reason.OVER_QUOTA: reply(452, "4.2.2 Mailbox full"),
    Reason.NO_KEY: reply(451, "4.3.0 Recipient cannot receive mail now, try again later"),
    Reason.KEY_CHANGED: reply(451, "4.3.0 Recipient cannot receive mail now, try again later"),
    Reason.MESSAGE_TOO_LARGE: TOO_LARGE,
    Reason.TOO_MANY_HOPS: reply(554, "5.4.6 Too many hops, mail loop"),
    Reason.STORAGE_FULL: reply(452, "4.3.1 Insufficient storage"),
    Reason.STORAGE_UNAVAILABLE: reply(451, "4.3.0 Storage unavailable, try again later"),
    Reason.SHUTTING_DOWN: SHUTTING_DOWN,
    Reason.ADDRESS_TAKEN: reply(451, "4.3.0 Local error, try again later"),
    Reason.NO_SUCH_MAILBOX: reply(451, "4.3.0 Recipient cannot receive mail now, try again later"),
    Reason.NO_SUCH_MESSAGE: reply(451, "4.3.0 Local error, try again later"),
    Reason.MAILBOX_EXISTS: reply(451, "4.3.0 Local error, try again later"),
    Reason.MAILBOX_HAS_CHILDREN: reply(451, "4.3.0 Local error, try again later"),
    Reason.MAILBOX_FIXED: reply(451, "4.3.0 Local error, try again later"),
    Reason.TOO_MANY_MAILBOXES: reply(451, "4.3.0 Local error, try again later"),
    Reason.SPECIAL_USE_TAKEN: reply(451, "4.3.0 Local error, try again later"),
    Reason.NO_SUCH_ACCOUNT: reply(550, "5.1.1 No such recipient here"),
    Reason.LOGIN_FAILED: AUTH_FAILED,
    Reason.TOO_BUSY: reply(451, "4.3.2 Too busy, try again later"),
    Reason.TOO_MANY_KEYWORDS: reply(451, "4.3.0 Local error, try again later"),
    Reason.TOO_MANY_ANNOTATIONS: reply(451, "4.3.0 Local error, try again later"),
    Reason.NOT_AS_LEFT: reply(451, "4.3.0 Local error, try again later"),
    Reason.DAMAGED: reply(451, "4.3.0 Recipient cannot receive mail now, try again later"),
    Reason.OUT_OF_SCOPE: reply(535, "5.7.8 This app password is not for sending mail"),
    Reason.READ_ONLY: reply(535, "5.7.8 This login may only read"),
    Reason.NAME_TAKEN: reply(451, "4.3.0 Local error, try again later"),
    Reason.TOO_MANY_WAYS_IN: reply(451, "4.3.0 Local error, try again later"),
    Reason.NO_SUCH_WAY_IN: reply(451, "4.3.0 Local error, try again later"),
    Reason.SEVERAL_WAYS_IN: reply(451, "4.3.0 Local error, try again later"),
    Reason.LAST_WAY_IN: reply(451, "4.3.0 Local error, try again later"),
}
