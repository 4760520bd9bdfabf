"""Mailboxes and what numbers and marks the messages in them (RFC 9051 section 2.3)."""

import unicodedata
from enum import IntEnum, IntFlag
from typing import NewType

Uid = NewType("Uid", int)
SeqNumber = NewType("SeqNumber", int)
Modseq = NewType("Modseq", int)

NAME_OCTETS = 1024  # of a mailbox name in UTF-8
HIERARCHY = "/"
INBOX = "INBOX"


class SystemFlag(IntFlag):
    """The system flags (RFC 9051 section 2.3.2); \\Recent is a session's, and never stored."""

    ANSWERED = 1
    FLAGGED = 2
    DELETED = 4
    SEEN = 8
    DRAFT = 16


class SpecialUse(IntEnum):
    """What a mailbox is for (RFC 6154); 0 on disk means no special use."""

    INBOX = 1
    DRAFTS = 2
    SENT = 3
    JUNK = 4
    TRASH = 5
    ARCHIVE = 6


# What every account begins with.
FIRST_MAILBOXES: tuple[tuple[str, SpecialUse], ...] = (
    ("INBOX", SpecialUse.INBOX),
    ("Drafts", SpecialUse.DRAFTS),
    ("Sent", SpecialUse.SENT),
    ("Junk", SpecialUse.JUNK),
    ("Trash", SpecialUse.TRASH),
    ("Archive", SpecialUse.ARCHIVE),
)


def mailbox_name(text: str) -> str:
    """The one spelling of a mailbox name: NFC, and a first level INBOX in capitals (RFC 9051 section 5.1).

    Raises:
        ValueError: it is empty, too long, has an empty level or a control character.
    """
    name = unicodedata.normalize("NFC", text)
    if not name or len(name.encode()) > NAME_OCTETS:
        raise ValueError(f"a mailbox name has 1 to {NAME_OCTETS} octets")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        raise ValueError("a mailbox name has no control characters")
    if "" in name.split(HIERARCHY):
        raise ValueError("a mailbox name has no empty level")
    first, slash, rest = name.partition(HIERARCHY)
    return INBOX + slash + rest if is_inbox(first) else name


def is_inbox(level: str) -> bool:
    """INBOX in any case of ASCII: of others, some have its letters as their capitals."""
    return level.isascii() and level.upper() == INBOX
