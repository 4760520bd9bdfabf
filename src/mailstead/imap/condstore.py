"""Mod-sequences in commands: the parameters of SELECT, FETCH and STORE (RFC 7162 section 7)."""

from dataclasses import dataclass

from mailstead.imap.page import Page, read_page
from mailstead.imap.tokens import NUMBER_CAP, UID_REQUIRED, BadSyntax, Tokens
from mailstead.mail.mailbox import Modseq
from mailstead.mail.uidset import HIGHEST, UidSet


@dataclass(frozen=True, slots=True)
class Resync:
    """What a client still knows of a mailbox: the QRESYNC parameter of SELECT (section 3.2.5).

    Which sequence numbers its UIDs had is read and not used: expunged UIDs are remembered here.

    Args:
        modseq: It has seen every change up to this one.
        known: Its UIDs, or None for all there may have been.
    """

    uid_validity: int
    modseq: Modseq
    known: UidSet | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """The parameters of SELECT: from here on mod-sequences are told."""

    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What limits a FETCH.

    Args:
        changed_since: To messages that changed after this mod-sequence.
        vanished: And which UIDs vanished since is wanted, too.
        page: To a part of the messages that remain (RFC 9394).
    """

    changed_since: Modseq | None = None
    vanished: bool = False
    page: Page | None = None


EVERYTHING = Modifiers()


def read_opening(tokens: Tokens) -> Opening | None:
    """[SP "(" select-param *(SP select-param) ")"], behind the mailbox of a SELECT."""
    if not tokens.skip(b" ("):
        return None
    resync: Resync | None = None
    while True:
        match tokens.word():
            case b"CONDSTORE":
                pass
            case b"QRESYNC" if resync is None:
                tokens.space()
                resync = _resync(tokens)
            case _:
                raise BadSyntax("Unknown SELECT parameter")
        if tokens.skip(b")"):
            return Opening(resync)
        tokens.space()


def _resync(tokens: Tokens) -> Resync:
    tokens.expect(b"(")
    uid_validity = tokens.number(HIGHEST, 1)
    tokens.space()
    modseq = read_modseq(tokens, least=1)
    known: UidSet | None = None
    if tokens.skip(b" "):
        if tokens.peek() != b"(":
            known = _known(tokens)
        if known is None or tokens.skip(b" "):
            if tokens.dialect.uid_only:
                raise BadSyntax(UID_REQUIRED)  # RFC 9586 section 3.7
            tokens.expect(b"(")
            _known(tokens)
            tokens.space()
            _known(tokens)
            tokens.expect(b")")
    tokens.expect(b")")
    return Resync(uid_validity, modseq, known)


def _known(tokens: Tokens) -> UidSet:
    """A set in which "*" is not allowed."""
    start = tokens.at
    found = tokens.sequence_set(uid=True)
    assert isinstance(found, UidSet)
    if b"*" in tokens.text[start : tokens.at]:
        raise BadSyntax("No * in a set of what is known")
    return found


def read_modifiers(tokens: Tokens) -> Modifiers:
    """[SP "(" fetch-modifier *(SP fetch-modifier) ")"]: CHANGEDSINCE, VANISHED and PARTIAL, each once."""
    if not tokens.skip(b" ("):
        return EVERYTHING
    modseq: Modseq | None = None
    page: Page | None = None
    vanished = False
    while True:
        match tokens.word():
            case b"CHANGEDSINCE" if modseq is None:
                tokens.space()
                modseq = read_modseq(tokens, least=1)
            case b"VANISHED" if not vanished:
                vanished = True
            case b"PARTIAL" if page is None:
                tokens.space()
                page = read_page(tokens)
            case _:
                raise BadSyntax("Unknown FETCH modifier")
        if tokens.skip(b")"):
            break
        tokens.space()
    if vanished and modseq is None:
        raise BadSyntax("VANISHED goes with CHANGEDSINCE")
    return Modifiers(modseq, vanished, page)


def read_unchanged_since(tokens: Tokens) -> Modseq | None:
    """["(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP]."""
    if not tokens.skip(b"("):
        return None
    if tokens.word() != b"UNCHANGEDSINCE":
        raise BadSyntax("Unknown STORE modifier")
    tokens.space()
    modseq = read_modseq(tokens)
    tokens.expect(b")")
    tokens.space()
    return modseq


def read_modseq(tokens: Tokens, least: int = 0) -> Modseq:
    """mod-sequence-valzer, or mod-sequence-value with *least* 1: 63 bits."""
    return Modseq(tokens.number(NUMBER_CAP, least))
