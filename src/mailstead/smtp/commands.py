"""Commands of SMTP and LMTP, parsed: a line in, a value or a reply out."""

import re
from binascii import Error, a2b_base64
from dataclasses import dataclass, field
from enum import Enum, auto

from mailstead.mail.address import Address, AddressError, parse_path
from mailstead.smtp import reply as replies
from mailstead.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO, HELO or LHLO."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class MailFrom:
    """MAIL FROM, with its ESMTP parameters."""

    reverse_path: Address | None
    size: int = 0
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class RcptTo:
    """RCPT TO, with its DSN parameters."""

    forward_path: Address
    notify: frozenset[str] = frozenset()
    original_recipient: str = ""


@dataclass(frozen=True, slots=True)
class Bdat:
    """BDAT: a chunk of *octets* follows (RFC 3030 section 2)."""

    octets: int
    last: bool


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH (RFC 4954 section 4).

    Args:
        mechanism: In upper case.
        initial: The initial response, or None without one.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


class Plain(Enum):
    """Commands without parameters that matter."""

    DATA = auto()
    RSET = auto()
    NOOP = auto()
    QUIT = auto()
    VRFY = auto()
    EXPN = auto()
    HELP = auto()
    STARTTLS = auto()


Command = Hello | MailFrom | RcptTo | Bdat | Auth | Plain

JUNK = frozenset({Plain.RSET, Plain.NOOP, Plain.VRFY, Plain.EXPN, Plain.HELP})

_HELO = re.compile(rb"[!-~\x80-\xff]{1,255}")
# sasl-mech (RFC 4422 section 3.1)
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")
_DIGITS = re.compile(rb"[0-9]{1,20}")
# esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 section 4.1.2)
_PARAMETER = re.compile(rb" +([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\xff]+))?")
# xtext (RFC 3461 section 4)
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
# orig-recipient = addr-type ";" xtext (RFC 3461 section 4.2); UTF-8 by RFC 6533 section 3
_ORCPT = re.compile(rb"[A-Za-z0-9-]+;(?:[!-*,-<>-~\x80-\xff]|\+[0-9A-F]{2})+")
_NOTIFY = frozenset(("SUCCESS", "FAILURE", "DELAY"))
_NEVER = frozenset(("NEVER",))
_BARE = {
    b"DATA": Plain.DATA, b"RSET": Plain.RSET, b"QUIT": Plain.QUIT, b"STARTTLS": Plain.STARTTLS,
}  # fmt: skip
_WITH_TEXT = {b"NOOP": Plain.NOOP, b"VRFY": Plain.VRFY, b"EXPN": Plain.EXPN, b"HELP": Plain.HELP}
_KNOWN = frozenset(
    (
        b"ETRN",
        b"TURN",
        b"XCLIENT",
        b"XFORWARD",
        b"SEND",
        b"SOML",
        b"SAML",
        b"BURL",
        b"ATRN",
    )
)


def parse(line: bytes, *, lmtp: bool, size_limit: int) -> Command | Reply:
    """The command in a line without its CRLF, or the reply that says what is wrong with it."""
    verb, _, rest = line.partition(b" ")
    verb = verb.upper()
    match verb:
        case b"MAIL":
            return _mail(rest, size_limit)
        case b"RCPT":
            return _rcpt(rest)
        case b"EHLO" | b"HELO" | b"LHLO":
            if (verb == b"LHLO") != lmtp:  # RFC 2033 section 4.1
                return replies.UNKNOWN
            return _hello(rest.strip(), extended=verb != b"HELO")
        case b"BDAT":
            return _bdat(rest)
        case b"AUTH":
            return _auth(rest)
        case _:
            pass
    if verb in _BARE:
        return replies.NO_PARAMETERS if rest.strip() else _BARE[verb]
    if verb in _WITH_TEXT:
        return _WITH_TEXT[verb]
    return replies.NOT_IMPLEMENTED if verb in _KNOWN else replies.UNKNOWN


def _hello(name: bytes, *, extended: bool) -> Command | Reply:
    if not _HELO.fullmatch(name):
        return replies.SYNTAX
    return Hello(name.decode("utf-8", "backslashreplace"), extended)


def _path(rest: bytes, word: bytes) -> tuple[Address | None, dict[str, bytes | None]] | None:
    """The path behind "FROM:" or "TO:", and the parameters; None when they make no sense."""
    if rest[: len(word)].upper() != word:
        return None
    address, tail = parse_path(rest[len(word) :].lstrip(b" "))
    tail = tail.rstrip(b" ")
    parameters: dict[str, bytes | None] = {}
    at = 0
    while at < len(tail):
        found = _PARAMETER.match(tail, at)
        if found is None:
            return None
        name = found[1].decode().upper()
        if name in parameters:
            return None
        parameters[name] = found[2]
        at = found.end()
    return address, parameters


def _mail(rest: bytes, size_limit: int) -> Command | Reply:
    try:
        parsed = _path(rest, b"FROM:")
    except AddressError:
        return replies.BAD_SENDER
    if parsed is None:
        return replies.SYNTAX
    address, parameters = parsed
    found = _mail_parameters(address, parameters)
    if isinstance(found, Reply):
        return found
    if address is not None and not address.domain:
        return replies.BAD_SENDER
    if address is not None and not address.is_ascii() and not found.smtputf8:
        return replies.NEEDS_UTF8
    return replies.TOO_LARGE if found.size > size_limit else found


def _mail_parameters(address: Address | None, parameters: dict[str, bytes | None]) -> MailFrom | Reply:
    size, eight_bit, smtputf8, ret, envid = 0, False, False, "", ""
    for name, value in parameters.items():
        match name, value:
            case "SIZE", bytes() if _DIGITS.fullmatch(value):
                size = int(value)
            case "BODY", bytes() if value.upper() in (b"7BIT", b"8BITMIME"):
                eight_bit = value.upper() == b"8BITMIME"
            case "SMTPUTF8", None:
                smtputf8 = True
            case "RET", bytes() if value.upper() in (b"FULL", b"HDRS"):
                ret = value.decode().upper()
            case "ENVID", bytes() if len(value) <= 100 and _XTEXT.fullmatch(value):
                envid = value.decode()
            case (("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID"), _):
                return replies.SYNTAX
            case _:
                return replies.reply(555, "5.5.4 Parameter not recognized")
    return MailFrom(address, size, eight_bit, smtputf8, ret, envid)


def _rcpt(rest: bytes) -> Command | Reply:
    try:
        parsed = _path(rest, b"TO:")
    except AddressError:
        return replies.BAD_RECIPIENT
    if parsed is None:
        return replies.SYNTAX
    address, parameters = parsed
    if address is None:
        return replies.BAD_RECIPIENT
    notify: frozenset[str] = frozenset()
    original = ""
    for name, value in parameters.items():
        match name, value:
            case "NOTIFY", bytes():
                notify = frozenset(value.decode("ascii", "replace").upper().split(","))
                if notify != _NEVER and not notify <= _NOTIFY:
                    return replies.SYNTAX
            case "ORCPT", bytes() if len(value) <= 500 and _ORCPT.fullmatch(value):
                original = value.decode("utf-8", "replace")
            case (("NOTIFY" | "ORCPT"), _):
                return replies.SYNTAX
            case _:
                return replies.reply(555, "5.5.4 Parameter not recognized")
    return RcptTo(address, notify, original)


def _bdat(rest: bytes) -> Command | Reply:
    words = rest.split()
    if not words or len(words) > 2 or not _DIGITS.fullmatch(words[0]):
        return replies.SYNTAX
    if len(words) == 2 and words[1].upper() != b"LAST":
        return replies.SYNTAX
    return Bdat(int(words[0]), len(words) == 2)


def _auth(rest: bytes) -> Command | Reply:
    words = rest.split(b" ")
    if len(words) > 2 or not _MECHANISM.fullmatch(words[0]):
        return replies.SYNTAX
    mechanism = words[0].decode().upper()
    if len(words) == 1:
        return Auth(mechanism)
    initial = b"" if words[1] == b"=" else auth_response(words[1])
    return initial if isinstance(initial, Reply) else Auth(mechanism, initial)


def auth_response(line: bytes) -> bytes | Reply:
    """What a line of an AUTH exchange holds, or what is wrong with it (RFC 4954 section 4)."""
    if line == b"*":
        return replies.AUTH_CANCELLED
    try:
        return a2b_base64(line, strict_mode=True) if line else b""
    except Error:
        return replies.AUTH_NOT_BASE64
