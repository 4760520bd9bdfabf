"""What is new to a session, and the responses that tell it (RFC 9051 sections 7.4 and 7.5, RFC 7162)."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from mailstead.imap.dialect import PLAIN, Dialect
from mailstead.imap.responses import defined_flags, exists, fetch, flag_names, permanent_flags, recent
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Modseq, SeqNumber, Uid
from mailstead.mail.uidset import UidSet


@dataclass(frozen=True, slots=True)
class Exists:
    """There are so many messages now (RFC 9051 section 7.4.1)."""

    count: int


@dataclass(frozen=True, slots=True)
class Recent:
    """So many of them are recent (RFC 3501 section 7.3.2)."""

    count: int


@dataclass(frozen=True, slots=True)
class Expunge:
    """The message with this sequence number is gone (RFC 9051 section 7.5.1)."""

    number: SeqNumber
    uid: Uid


@dataclass(frozen=True, slots=True)
class FlagsDefined:
    """These keywords are in use now: to be told before a message shows one of them."""

    keywords: frozenset[str]


@dataclass(frozen=True, slots=True)
class FlagsChanged:
    """The message has these flags now (RFC 9051 section 7.5.2), since the change *modseq*."""

    number: SeqNumber
    uid: Uid
    flags: Flags
    recent: bool
    modseq: Modseq


News = Exists | Recent | Expunge | FlagsDefined | FlagsChanged


def told(news: Iterable[News], dialect: Dialect = PLAIN, *, writable: bool = True) -> bytes:
    """What `MailboxView.tell` gave, in its order."""
    out: list[bytes] = []
    for kind, group in groupby(news, type):
        if kind is Expunge and dialect.vanished:
            out.append(vanished(piece.uid for piece in group if isinstance(piece, Expunge)))
        else:
            out += [_one(piece, dialect, writable=writable) for piece in group]
    return b"".join(out)


def _one(piece: News, dialect: Dialect, *, writable: bool) -> bytes:
    match piece:
        case Exists(count):
            return exists(count)
        case Recent(count):
            return recent(count)
        case Expunge(number, _):
            return b"* %d EXPUNGE\r\n" % number
        case FlagsDefined(keywords):
            return defined_flags(keywords) + permanent_flags(keywords, writable=writable)
        case FlagsChanged(number, uid, flags, is_recent, modseq):
            items = [] if dialect.uid_only else [b"UID %d" % uid]
            items.append(b"FLAGS (%b)" % flag_names(flags, recent=is_recent))
            if dialect.modseqs:
                items.append(b"MODSEQ (%d)" % modseq)
            return fetch(uid if dialect.uid_only else number, items, dialect.numbered)


def vanished(uids: Iterable[int], *, earlier: bool = False) -> bytes:
    """The VANISHED response, or nothing for none (RFC 7162 section 3.2.10)."""
    found = UidSet.of(uids)
    word = b"VANISHED (EARLIER)" if earlier else b"VANISHED"
    return b"* %b %b\r\n" % (word, str(found).encode()) if found.ranges else b""
