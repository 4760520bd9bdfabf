"""Commands that name a mailbox, or close the selected one (RFC 9051 section 6.3, RFC 4314)."""

from dataclasses import dataclass
from enum import Enum

from mailstead.imap.condstore import Opening, read_opening
from mailstead.imap.specialuse import read_use
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.mailbox import SpecialUse
from mailstead.mail.uidset import UidSet


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT; with an *opening* mod-sequences are told from here on (RFC 7162)."""

    mailbox: str
    opening: Opening | None = None
    spelled: str = ""  # its name, if it came in another spelling


@dataclass(frozen=True, slots=True)
class Examine:
    """EXAMINE: SELECT that changes nothing."""

    mailbox: str
    opening: Opening | None = None
    spelled: str = ""


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE, perhaps for a *use* (RFC 6154 section 3).

    Parents that are missing are to be made, too (RFC 9051 section 6.3.4).
    """

    mailbox: str
    use: SpecialUse | None = None
    spelled: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME; what is below *mailbox* moves along, but for INBOX (RFC 9051 section 6.3.6)."""

    mailbox: str
    to: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """UNSUBSCRIBE."""

    mailbox: str


class StatusItem(Enum):
    """What STATUS can say (RFC 3501 section 6.3.10)."""

    MESSAGES = b"MESSAGES"
    RECENT = b"RECENT"
    UIDNEXT = b"UIDNEXT"
    UIDVALIDITY = b"UIDVALIDITY"
    UNSEEN = b"UNSEEN"
    DELETED = b"DELETED"  # RFC 9051 section 6.3.11
    HIGHESTMODSEQ = b"HIGHESTMODSEQ"  # RFC 7162 section 3.1.7
    DELETED_STORAGE = b"DELETED-STORAGE"  # octets that EXPUNGE would free (RFC 9208 section 4.1.4)
    SIZE = b"SIZE"  # RFC 8438
    APPENDLIMIT = b"APPENDLIMIT"  # RFC 7889 section 3.2
    MAILBOXID = b"MAILBOXID"  # RFC 8474 section 4.3


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; *items* in the order asked for, each once."""

    mailbox: str
    items: tuple[StatusItem, ...]


@dataclass(frozen=True, slots=True)
class MyRights:
    """MYRIGHTS."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class GetAcl:
    """GETACL."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class SetAcl:
    """SETACL, whatever is to be set: nobody but the owner has rights here."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class DeleteAcl:
    """DELETEACL, whoever's."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class ListRights:
    """LISTRIGHTS: what rights *identifier* could be given."""

    mailbox: str
    identifier: bytes


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK (RFC 3501 section 6.4.1)."""


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE: expunge silently, unless read-only, and deselect."""


@dataclass(frozen=True, slots=True)
class Unselect:
    """UNSELECT: deselect, and nothing else (RFC 3691)."""


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE, or UID EXPUNGE of *uids* only (RFC 4315 section 2.1)."""

    uids: UidSet | None = None


_STATUS = {item.value: item for item in StatusItem}


def read_select(tokens: Tokens) -> Select:
    """SELECT SP mailbox [SP "(" select-param *(SP select-param) ")"]."""
    return Select(_mailbox(tokens), read_opening(tokens), tokens.spelled)


def read_examine(tokens: Tokens) -> Examine:
    """EXAMINE, and what SELECT takes."""
    return Examine(_mailbox(tokens), read_opening(tokens), tokens.spelled)


def read_create(tokens: Tokens) -> Create:
    """CREATE SP mailbox [SP "(" create-param ")"]."""
    tokens.space()
    return Create(tokens.mailbox(new=True), read_use(tokens), tokens.spelled)


def read_delete(tokens: Tokens) -> Delete:
    """DELETE SP mailbox."""
    return Delete(_mailbox(tokens))


def read_rename(tokens: Tokens) -> Rename:
    """RENAME SP mailbox SP mailbox."""
    mailbox = _mailbox(tokens)
    tokens.space()
    return Rename(mailbox, tokens.mailbox(new=True))


def read_subscribe(tokens: Tokens) -> Subscribe:
    """SUBSCRIBE SP mailbox."""
    return Subscribe(_mailbox(tokens))


def read_unsubscribe(tokens: Tokens) -> Unsubscribe:
    """UNSUBSCRIBE SP mailbox."""
    return Unsubscribe(_mailbox(tokens))


def read_status(tokens: Tokens) -> Status:
    """STATUS SP mailbox SP "(" status-att *(SP status-att) ")"."""
    mailbox = _mailbox(tokens)
    return Status(mailbox, read_status_items(tokens))


def read_status_items(tokens: Tokens) -> tuple[StatusItem, ...]:
    """SP "(" status-att *(SP status-att) ")"."""
    tokens.space()
    tokens.expect(b"(")
    items: dict[StatusItem, None] = {}
    while True:
        item = _STATUS.get(tokens.word())
        if item is None:
            raise BadSyntax("Unknown STATUS item")
        items[item] = None
        if tokens.skip(b")"):
            return tuple(items)
        tokens.space()


def read_my_rights(tokens: Tokens) -> MyRights:
    """MYRIGHTS SP mailbox."""
    return MyRights(_mailbox(tokens))


def read_get_acl(tokens: Tokens) -> GetAcl:
    """GETACL SP mailbox."""
    return GetAcl(_mailbox(tokens))


def read_set_acl(tokens: Tokens) -> SetAcl:
    """SETACL SP mailbox SP identifier SP mod-rights."""
    command = SetAcl(_mailbox(tokens))
    for _ in range(2):
        tokens.space()
        tokens.astring()
    return command


def read_delete_acl(tokens: Tokens) -> DeleteAcl:
    """DELETEACL SP mailbox SP identifier."""
    command = DeleteAcl(_mailbox(tokens))
    tokens.space()
    tokens.astring()
    return command


def read_list_rights(tokens: Tokens) -> ListRights:
    """LISTRIGHTS SP mailbox SP identifier."""
    mailbox = _mailbox(tokens)
    tokens.space()
    return ListRights(mailbox, tokens.astring())


def read_uid_expunge(tokens: Tokens) -> Expunge:
    """UID EXPUNGE SP sequence-set."""
    tokens.space()
    found = tokens.sequence_set(uid=True)
    assert isinstance(found, UidSet)
    return Expunge(found)


def _mailbox(tokens: Tokens) -> str:
    tokens.space()
    return tokens.mailbox()
