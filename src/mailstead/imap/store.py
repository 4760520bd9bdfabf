"""STORE, COPY, MOVE: commands that change or place selected messages (RFC 9051 sections 6.4.6 to 6.4.8)."""

from dataclasses import dataclass

from mailstead.imap.condstore import read_unchanged_since
from mailstead.imap.flags import read_flags
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.flags import Flags, How
from mailstead.mail.mailbox import Modseq
from mailstead.mail.uidset import SeqSet, UidSet


@dataclass(frozen=True, slots=True)
class Store:
    """STORE, or UID STORE when *messages* are UIDs; *silent*: the new flags are not wanted back.

    Args:
        unchanged_since: Leave messages alone that changed after this (RFC 7162 section 3.1.3).
    """

    messages: SeqSet | UidSet
    how: How
    flags: Flags
    silent: bool = False
    unchanged_since: Modseq | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY, or UID COPY."""

    messages: SeqSet | UidSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class Move:
    """MOVE, or UID MOVE (RFC 6851)."""

    messages: SeqSet | UidSet
    mailbox: str


_HOW = {b"FLAGS": How.SET, b"+FLAGS": How.ADD, b"-FLAGS": How.REMOVE}


def read_store(tokens: Tokens, *, uid: bool) -> Store:
    """STORE SP sequence-set SP [modifier SP] ["+" / "-"] "FLAGS" [".SILENT"] SP flags."""
    tokens.space()
    messages = tokens.sequence_set(uid=uid)
    tokens.space()
    unchanged_since = read_unchanged_since(tokens)
    word = tokens.word()
    how = _HOW.get(word.removesuffix(b".SILENT"))
    if how is None:
        raise BadSyntax("Unknown STORE item")
    tokens.space()
    return Store(messages, how, read_flags(tokens), word.endswith(b".SILENT"), unchanged_since)


def read_copy(tokens: Tokens, *, uid: bool) -> Copy:
    """COPY SP sequence-set SP mailbox."""
    return Copy(*_placed(tokens, uid=uid))


def read_move(tokens: Tokens, *, uid: bool) -> Move:
    """MOVE SP sequence-set SP mailbox."""
    return Move(*_placed(tokens, uid=uid))


def _placed(tokens: Tokens, *, uid: bool) -> tuple[SeqSet | UidSet, str]:
    tokens.space()
    messages = tokens.sequence_set(uid=uid)
    tokens.space()
    return messages, tokens.mailbox()
