"""The MBOXES record: what an account's mailboxes are called, sealed as one list.

The layout is in docs/format.md, "Mailbox names".
"""

import os
import struct
from dataclasses import dataclass, replace

from mailstead.crypto.sealed import ZERO_ID
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import FIRST_MAILBOXES, HIERARCHY, INBOX, SpecialUse, mailbox_name

VERSION = 1
FOUND = "Found"  # what a mailbox is called that lost its name
_HEAD = struct.Struct(">BI")  # version, mailboxes
_ENTRY = struct.Struct(">16sBBH")  # mailbox id, special use, subscribed, octets of the name


@dataclass(frozen=True, slots=True)
class MailboxName:
    """One mailbox of the list; *name* is NFC with "/" between levels.

    With an id of 16 zero octets it is no mailbox but a name somebody is subscribed to.
    """

    mailbox_id: bytes
    name: str
    special_use: SpecialUse | None
    subscribed: bool = True

    @property
    def exists(self) -> bool:
        """Whether there is a mailbox of this name."""
        return self.mailbox_id != ZERO_ID


Names = dict[str, MailboxName]


@dataclass(slots=True)
class NamesChange:
    """What a change of names means to the rows of mailboxes: their ids."""

    created: list[bytes]
    deleted: list[bytes]


def encode(names: list[MailboxName]) -> bytes:
    """The content of an MBOXES record."""
    parts = [_HEAD.pack(VERSION, len(names))]
    for n in names:
        octets = n.name.encode()
        use = 0 if n.special_use is None else int(n.special_use)
        parts.append(_ENTRY.pack(n.mailbox_id, use, n.subscribed, len(octets)) + octets)
    return b"".join(parts)


def decode(content: bytes) -> list[MailboxName]:
    """Read the content of an MBOXES record.

    Raises:
        UnsealError: it is malformed.
    """
    try:
        return _decode(content)
    except (struct.error, ValueError) as error:
        raise UnsealError("the list of mailboxes is malformed") from error


def _decode(content: bytes) -> list[MailboxName]:
    version, count = _HEAD.unpack_from(content)
    if version != VERSION:
        raise ValueError("version")
    at = _HEAD.size
    names: list[MailboxName] = []
    for _ in range(count):
        mailbox_id, use, subscribed, length = _ENTRY.unpack_from(content, at)
        at += _ENTRY.size
        octets = content[at : at + length]
        if len(octets) != length or subscribed > 1:
            raise ValueError("cut")
        at += length
        names.append(
            MailboxName(mailbox_id, octets.decode(), SpecialUse(use) if use else None, bool(subscribed))
        )
    if at != len(content):
        raise ValueError("octets left over")
    return names


def first(ids: list[bytes]) -> list[MailboxName]:
    """The mailboxes every account begins with, INBOX first, under these *ids*."""
    return [
        MailboxName(mailbox_id, name, use)
        for mailbox_id, (name, use) in zip(ids, FIRST_MAILBOXES, strict=True)
    ]


def is_below(name: str, superior: str) -> bool:
    """Whether a name is one of the levels below another."""
    return name.startswith(superior + HIERARCHY)


def below(names: Names, superior: str) -> bool:
    """Whether there is a mailbox below this name."""
    return any(n.exists and is_below(n.name, superior) for n in names.values())


def drop(names: Names, entry: MailboxName) -> None:
    """Take a mailbox's name off the list; a subscription to it stays."""
    if entry.subscribed:
        names[entry.name] = MailboxName(ZERO_ID, entry.name, None)
    else:
        del names[entry.name]


def adopt(names: Names, top: str, come: list[MailboxName]) -> str:
    """Put mailboxes below one called *top*, or the next free name like it, which is returned.

    What they are for stays with the mailboxes that are for it now.
    """
    number, name = 1, top
    while name in names or below(names, name):
        number, name = number + 1, f"{top} {number + 1}"
    for entry in come:
        try:
            target = mailbox_name(name + HIERARCHY + entry.name)
        except ValueError:  # it would be too long
            target = name + HIERARCHY + entry.mailbox_id.hex()
        names[target] = MailboxName(entry.mailbox_id, target, None, entry.subscribed)
    return name


def agree(names: Names, there: set[bytes]) -> list[bytes] | None:
    """Have names for exactly the mailboxes that are *there*; INBOX keeps its own in any case.

    One without a name gets one; a name without a mailbox goes.

    Returns:
        The ids of those that went; None: nothing was to be done.
    """
    lost = [n for n in names.values() if n.exists and n.mailbox_id not in there and n.name != INBOX]
    unnamed = there - {n.mailbox_id for n in names.values()}
    for entry in lost:
        drop(names, entry)
    for mailbox_id in sorted(unnamed):
        name = f"{FOUND} {mailbox_id.hex()}"
        names[name] = MailboxName(mailbox_id, name, None)
    return [n.mailbox_id for n in lost] if lost or unnamed else None


def make_superiors(names: Names, name: str) -> list[bytes]:
    """Make mailboxes of the levels above *name* that have none; their ids."""
    made: list[bytes] = []
    levels = name.split(HIERARCHY)
    for depth in range(1, len(levels)):
        superior = HIERARCHY.join(levels[:depth])
        known = names.get(superior)
        if known is None or not known.exists:
            made.append(os.urandom(16))
            names[superior] = MailboxName(made[-1], superior, None, known is not None)
    return made


def rename(names: Names, old: str, new: str) -> list[bytes]:
    """Rename a mailbox and all below it; the ids of mailboxes that are made above the new name.

    Raises:
        Refused: there is none, it is INBOX, or the new name, or one below it, exists.
    """
    moving = [n for n in names.values() if n.exists and (n.name == old or is_below(n.name, old))]
    if not moving:
        raise Refused(Reason.NO_SUCH_MAILBOX)
    if new in names and names[new].exists:
        raise Refused(Reason.MAILBOX_EXISTS)
    if old == INBOX:
        raise Refused(Reason.MAILBOX_FIXED)  # only its messages can go
    if is_below(new, old):
        raise Refused(Reason.MAILBOX_FIXED)  # it would be below itself
    for entry in moving:
        drop(names, entry)
    for entry in moving:
        target = mailbox_name(new + entry.name[len(old) :])
        known = names.get(target)
        if known is not None and known.exists:
            raise Refused(Reason.MAILBOX_EXISTS)
        names[target] = replace(entry, name=target, subscribed=known is not None)
    return make_superiors(names, new)


def check_use(names: Names, use: SpecialUse | None, but: MailboxName | None = None) -> None:
    """See that a special use is one mailbox's.

    Raises:
        Refused: another has it than *but*.
    """
    if use is not None and any(n.special_use is use and n is not but for n in names.values()):
        raise Refused(Reason.SPECIAL_USE_TAKEN)
