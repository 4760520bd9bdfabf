"""What SORT compares of a message, in the form in which it is compared (RFC 5256 section 3, RFC 5957)."""

from dataclasses import dataclass
from enum import Enum, auto

from mailstead.mail.basesubject import BaseSubject, base_subject
from mailstead.mail.casemap import KEY_CHARACTERS, sort_key
from mailstead.mail.dates import moment_of
from mailstead.mail.encodedwords import text
from mailstead.mail.headersummary import FirstAddress

# A base subject is cut to a key, so that what stands so far behind is seldom any of it; the marks of 2,000
# replies have room, or a key in encoded words.
SUBJECT_CAP = 8 << 10
_MAILBOX_CAP = KEY_CHARACTERS * 4  # octets of UTF-8


class By(Enum):
    """What messages are sorted by (RFC 5256 section 3, RFC 5957 section 3, RFC 6203 section 5)."""

    ARRIVAL = auto()
    CC = auto()
    DATE = auto()
    DISPLAYFROM = auto()
    DISPLAYTO = auto()
    FROM = auto()
    RELEVANCY = auto()
    SIZE = auto()
    SUBJECT = auto()
    TO = auto()


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion, from the lowest to the highest or the other way round; RELEVANCY from the highest."""

    by: By
    reverse: bool = False


def sent(internal_date: int, date: bytes | None) -> int:
    """The sent date, which is INTERNALDATE without a Date that can be read (RFC 5256 section 2.2)."""
    moment = None if date is None else moment_of(date)
    return internal_date if moment is None else moment


def subject_key(subject: bytes | None) -> BaseSubject:
    """The key of a Subject's base, and whether it is one of a reply."""
    if not subject:
        return _NO_SUBJECT
    base, reply = base_subject(text(subject[:SUBJECT_CAP]))
    return BaseSubject(sort_key(base), reply)


_NO_SUBJECT = BaseSubject("", reply=False)


def mailbox_key(address: FirstAddress) -> str:
    """The key of an address's local part, or of a group's name."""
    return sort_key((address.mailbox or b"")[:_MAILBOX_CAP].decode(errors="replace"))


def display_key(address: FirstAddress) -> str:
    """The key of what is shown of an address: its name, or else the address (RFC 5957 section 3)."""
    if address.name:
        name = text(address.name[:SUBJECT_CAP])
        if name.strip(" \t"):
            return sort_key(name)
    if address.host is None:  # a group, or nobody
        return sort_key(text((address.mailbox or b"")[:SUBJECT_CAP]))
    mailbox = (address.mailbox or b"")[:_MAILBOX_CAP]
    return sort_key((mailbox + b"@" + address.host[:_MAILBOX_CAP]).decode(errors="replace"))
