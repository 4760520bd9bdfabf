"""What a SEARCH can ask of a message, as values (RFC 3501 section 6.4.4)."""

from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.uidset import SeqSet, UidSet


@dataclass(frozen=True, slots=True)
class Everything:
    """ALL."""


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A system flag is set, or is not."""

    flag: SystemFlag
    present: bool = True


@dataclass(frozen=True, slots=True)
class HasKeyword:
    """A keyword is set, or is not; compared without case."""

    keyword: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class IsRecent:
    """It is \\Recent in this session, or is not."""

    present: bool = True


@dataclass(frozen=True, slots=True)
class Among:
    """It is one of these."""

    messages: SeqSet | UidSet


@dataclass(frozen=True, slots=True)
class ChangedAt:
    """Its mod-sequence is this or higher (RFC 7162 section 3.1.5)."""

    modseq: int


class When(Enum):
    """How a message's day lies to the one that is named."""

    BEFORE = auto()
    ON = auto()
    SINCE = auto()


@dataclass(frozen=True, slots=True)
class Within:
    """INTERNALDATE is within the last *seconds*, or is not (RFC 5032)."""

    seconds: int
    younger: bool


@dataclass(frozen=True, slots=True)
class Dated:
    """Its day lies so; time and zone are disregarded. *sent*: by its Date field, else by INTERNALDATE."""

    when: When
    day: date
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """The day it came into the mailbox lies so (RFC 8514 section 4.3)."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class Sized:
    """RFC822.SIZE is larger, or smaller, than *octets*."""

    larger: bool
    octets: int


@dataclass(frozen=True, slots=True)
class HasEmailId:
    """Its EMAILID is this (RFC 8474 section 6)."""

    email_id: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """What no message is: of a thread, as far as we know (RFC 8474 section 5.2)."""


@dataclass(frozen=True, slots=True)
class HasAttachment:
    """A part of it is an attachment, or no text; IMAP has no word for it."""


@dataclass(frozen=True, slots=True)
class HeaderHas:
    """A field of this name (lower case) contains *text*; any such field does when that is empty.

    Args:
        words: Of *text*, where it is looked for in a fuzzy way (RFC 6203); as `mail.fuzzy.words` gives them.
    """

    name: bytes
    text: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BodyHas:
    """The body contains *text*; *words* as in `HeaderHas`."""

    text: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextHas:
    """The header or the body contains *text*; *words* as in `HeaderHas`."""

    text: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """What *key* does not match."""

    key: "Key"


@dataclass(frozen=True, slots=True)
class And:
    """What all match; two at least."""

    keys: "tuple[Key, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """What any matches; two at least."""

    keys: "tuple[Key, ...]"


Leaf = (
    Everything | HasFlag | HasKeyword | IsRecent | Among | ChangedAt | Within | Dated | Saved | Sized
    | HasEmailId | Nothing | HasAttachment | HeaderHas | BodyHas | TextHas
)  # fmt: skip
Key = Leaf | Not | And | Or
