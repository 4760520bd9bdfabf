"""The marks on a message, as values: system flags and keywords (RFC 9051 section 2.3.2)."""

from dataclasses import dataclass
from enum import Enum, auto

from mailstead.mail.mailbox import SystemFlag

KEYWORD_OCTETS = 255
KEYWORDS_CAP = 64  # that a message comes with
NO_FLAGS = SystemFlag(0)


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags and keywords; keywords keep the case they came in, and are compared without it."""

    system: SystemFlag = NO_FLAGS
    keywords: frozenset[str] = frozenset()


class How(Enum):
    """What STORE does with the flags it is given (RFC 9051 section 6.4.6)."""

    SET = auto()
    ADD = auto()
    REMOVE = auto()
