"""LIST and LSUB: which mailboxes match, and what they are (RFC 3501 sections 6.3.8 and 6.3.9).

Matching follows all ways through a pattern at once, as bits of one number, so no pattern is slow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mailstead.imap import responses
from mailstead.imap.tokens import BAD_NAME, BadSyntax, Tokens, limit
from mailstead.mail.mailbox import HIERARCHY, INBOX, NAME_OCTETS, SpecialUse, is_inbox


@dataclass(frozen=True, slots=True)
class List:
    """LIST; an empty pattern asks for the hierarchy's delimiter only."""

    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB."""

    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A mailbox as far as lists show it."""

    name: str
    special_use: SpecialUse | None = None
    subscribed: bool = False


class Attribute(Enum):
    """Name attributes (RFC 3348, RFC 3501 section 7.2.2)."""

    NO_SELECT = b"\\Noselect"
    HAS_CHILDREN = b"\\HasChildren"
    HAS_NO_CHILDREN = b"\\HasNoChildren"


# RFC 6154 section 2; INBOX has no attribute.
SPECIAL_USE: dict[SpecialUse, bytes] = {
    SpecialUse.INBOX: b"",
    SpecialUse.DRAFTS: b"\\Drafts",
    SpecialUse.SENT: b"\\Sent",
    SpecialUse.JUNK: b"\\Junk",
    SpecialUse.TRASH: b"\\Trash",
    SpecialUse.ARCHIVE: b"\\Archive",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the answer."""

    name: str
    attributes: tuple[Attribute, ...] = ()
    special_use: SpecialUse | None = None

    def octets(self, response: bytes = b"LIST", *, utf8: bool = False) -> bytes:
        """The LIST or LSUB response."""
        shown = [a.value for a in self.attributes]
        if self.special_use is not None and (use := SPECIAL_USE[self.special_use]):
            shown.append(use)
        return b'* %b (%b) "/" %b\r\n' % (
            response, b" ".join(shown), responses.mailbox(self.name, utf8=utf8),
        )  # fmt: skip


DELIMITER_ONLY = b'* LIST (\\Noselect) "/" ""\r\n'


def read_list(tokens: Tokens) -> List:
    """LIST SP mailbox SP list-mailbox."""
    return List(*_patterns(tokens))


def read_lsub(tokens: Tokens) -> Lsub:
    """LSUB SP mailbox SP list-mailbox."""
    return Lsub(*_patterns(tokens))


def _patterns(tokens: Tokens) -> tuple[str, str]:
    tokens.space()
    reference = tokens.astring()
    tokens.space()
    pattern = tokens.list_mailbox()
    if len(reference) + len(pattern) > 4 * NAME_OCTETS:
        raise limit("Pattern too long")
    try:
        return tokens.decoded(reference), tokens.decoded(pattern)
    except ValueError as error:
        raise BadSyntax(BAD_NAME) from error


class Pattern:
    """A reference and a pattern, ready to be held against names.

    Follows all ways through the pattern at once: bit n of a state says that its first n tokens have
    been matched. INBOX is matched in any case, also as the first level of a longer name (RFC 3501
    section 5.1), and nothing else is.
    """

    def __init__(self, reference: str, pattern: str) -> None:
        whole = reference + pattern
        tokens: list[str] = []
        for c in whole:
            if tokens and c in "*%" and tokens[-1] in "*%":  # "*%" is what "*" is
                if c == "*":
                    tokens[-1] = "*"
            else:
                tokens.append(c)
        self._every = whole == "*"
        self._literal = None if "*" in tokens or "%" in tokens else whole
        self._end = 1 << len(tokens)
        self._stars = self._percents = 0
        self._steps: dict[str, int] = {}
        self._inbox: dict[str, int] = dict.fromkeys(INBOX, 0)  # as steps, in any case
        for n, token in enumerate(tokens):
            match token:
                case "*":
                    self._stars |= 1 << n
                case "%":
                    self._percents |= 1 << n
                case _:
                    self._steps[token] = self._steps.get(token, 0) | 1 << n
                    if token.isascii() and token.upper() in self._inbox:
                        self._inbox[token.upper()] |= 1 << n

    def __contains__(self, name: str) -> bool:
        if self._every:
            return True
        inbox = len(INBOX) if name.partition(HIERARCHY)[0] == INBOX else 0
        if self._literal is not None:
            first, rest = self._literal[:inbox], self._literal[inbox:]
            return rest == name[inbox:] and (not inbox or is_inbox(first))
        wild = self._stars | self._percents
        state = 1
        state |= (state & wild) << 1
        for at, c in enumerate(name):
            staying = self._stars if c == HIERARCHY else wild
            steps = self._inbox if at < inbox else self._steps
            state = state & staying | (state & steps.get(c, 0)) << 1
            if not state:
                return False
            state |= (state & wild) << 1
        return bool(state & self._end)


def listed(entries: Iterable[Entry], pattern: Pattern) -> list[Listed]:
    """What LIST answers: mailboxes that match, and levels without a mailbox that have children.

    In the order of *entries*; a level without a mailbox stands before its first child.
    """
    everything = list(entries)
    names = {e.name for e in everything}
    parents = {p for e in everything for p in _above(e.name)}
    found: dict[str, Listed] = {}
    for entry in everything:
        for parent in _above(entry.name):
            if parent not in names and parent not in found and parent in pattern:
                found[parent] = Listed(parent, (Attribute.NO_SELECT, Attribute.HAS_CHILDREN))
        if entry.name in pattern:
            has = Attribute.HAS_CHILDREN if entry.name in parents else Attribute.HAS_NO_CHILDREN
            found[entry.name] = Listed(entry.name, (has,), entry.special_use)
    return list(found.values())


def subscribed(entries: Iterable[Entry], pattern: Pattern) -> list[Listed]:
    """What LSUB answers: subscribed mailboxes that match.

    A mailbox that matches, is not subscribed, and has a subscribed child that does not match, comes
    as \\Noselect: the client shall know that there is something below (RFC 3501 section 6.3.9).
    """
    wanted = [e for e in entries if e.subscribed]
    names = {e.name for e in wanted}
    found: dict[str, Listed] = {}
    for entry in wanted:
        if entry.name in pattern:
            found[entry.name] = Listed(entry.name)
            continue
        for parent in _above(entry.name):
            if parent not in names and parent not in found and parent in pattern:
                found[parent] = Listed(parent, (Attribute.NO_SELECT,))
    return list(found.values())


def _above(name: str) -> list[str]:
    """Every level above *name*, the highest first."""
    at = name.find(HIERARCHY)
    found: list[str] = []
    while at >= 0:
        found.append(name[:at])
        at = name.find(HIERARCHY, at + 1)
    return found
