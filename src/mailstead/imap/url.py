"""IMAP URLs of messages and of their parts, as CATENATE names them (RFC 5092, RFC 4469 section 3).

What they name is relative to "imap://user@server/", and of a selected mailbox to "imap://user@server/mailbox".
An absolute-path reference needs no more than the first. Relative-path references are forbidden (RFC 5092
section 7.2), but for the one that needs the second: a message of the selected mailbox (section 9.1).
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mailstead.imap.binary import WHOLE as ALL_OCTETS
from mailstead.imap.binary import Partial
from mailstead.imap.fetch import read_section
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.mailbox import Uid, mailbox_name
from mailstead.mail.section import Section
from mailstead.mail.uidset import HIGHEST

# achar = unreserved / pct-encoded / "!" / "$" / "'" / "(" / ")" / "*" / "+" / "," / "&" / "="
_ACHAR = rb"[A-Za-z0-9\-._~%!$'*+(),&=]"
_BCHAR = rb"[A-Za-z0-9\-._~%!$'*+(),&=:@/]"  # achar / ":" / "@" / "/"
_NZ_NUMBER = rb"[1-9][0-9]{0,9}"
_NUMBER = rb"0|[1-9][0-9]{0,17}"
ALL_OF_IT = Section()
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# imapurl = "imap://" iserver ipath-query; inetwork-path = "//" iserver ipath-query
_WITH_SERVER = re.compile(rb"(?:imap:)?//([^/]*)(/.*)", re.IGNORECASE | re.DOTALL)
# iserver = [iuserinfo "@"] host [":" port]; iuserinfo = enc-user [iauth] / [enc-user] iauth
_SERVER = re.compile(
    rb"(?:(%b+)?(?:;AUTH=(?:\*|%b+))?@)?([A-Za-z0-9\-._~]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?"
    % (_ACHAR, _ACHAR),
    re.IGNORECASE,
)
# imessagepart = enc-mailbox [";UIDVALIDITY=" nz-number] "/" iuid-only ["/" isection-only] ["/" ipartial-only]
_MESSAGE = re.compile(
    rb"(?:/(?P<mailbox>%b+)(?:;UIDVALIDITY=(?P<validity>%b))?/)?;UID=(?P<uid>%b)(?:/;SECTION=(?P<section>%b+))?"
    rb"(?:/;PARTIAL=(?P<start>%b)(?:\.(?P<count>[1-9][0-9]{0,17}))?)?"
    % (_BCHAR, _NZ_NUMBER, _NZ_NUMBER, _BCHAR, _NUMBER),
    re.IGNORECASE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Server:
    """Whose mailboxes a URL is about.

    Args:
        host: In lower case.
        port: None for the one of IMAP.
        user: None when nobody is named, which means anonymous access.
    """

    host: str
    port: int | None
    user: str | None


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """A message, or octets of one.

    Args:
        server: None for the one that is spoken with, and who is logged in there.
        mailbox: None for the selected one.
        uid_validity: None when any will do.
    """

    server: Server | None
    mailbox: str | None
    uid_validity: int | None
    uid: Uid
    section: Section = ALL_OF_IT
    partial: Partial = ALL_OCTETS


def parse_url(octets: bytes) -> MessageUrl:
    """Read the URL of a message or of its part.

    Raises:
        ValueError: it is none, or it names something else.
    """
    if _BAD_PERCENT.search(octets) is not None:
        raise ValueError("not percent-encoded")
    server = None
    with_server = _WITH_SERVER.fullmatch(octets)
    if with_server is not None:
        server = _server(with_server[1])
        octets = with_server[2]
    if octets.startswith(b"/"):
        octets = _without_dots(octets)
    found = _MESSAGE.fullmatch(octets)
    if found is None:
        raise ValueError("not the URL of a message")
    mailbox, validity = found["mailbox"], found["validity"]
    try:
        section = ALL_OF_IT if found["section"] is None else read_section(unquote_to_bytes(found["section"]))
    except BadSyntax as error:
        raise ValueError("not a section") from error
    partial = ALL_OCTETS
    if found["start"] is not None:
        partial = Partial(int(found["start"]), None if found["count"] is None else int(found["count"]))
    return MessageUrl(
        server,
        None if mailbox is None else mailbox_name(unquote_to_bytes(mailbox).decode()),
        None if validity is None else _number(validity),
        Uid(_number(found["uid"])),
        section,
        partial,
    )


def _server(octets: bytes) -> Server:
    found = _SERVER.fullmatch(octets)
    if found is None or octets.startswith(b"@"):
        raise ValueError("not a server")
    user, host, port = found.groups()
    return Server(
        host.decode().lower(),
        None if port is None else int(port),
        None if user is None else unquote_to_bytes(user).decode(),
    )


def _without_dots(path: bytes) -> bytes:
    """An absolute path without "." and ".." (RFC 3986 section 5.2.4), which are no mailboxes here."""
    kept: list[bytes] = []
    segment = b""
    for segment in path.split(b"/")[1:]:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segment in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _number(octets: bytes) -> int:
    number = int(octets)
    if number > HIGHEST:
        raise ValueError("no such number")
    return number
