"""LIST and LSUB: which mailboxes match, and what they are (RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258)."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from mailstead.imap import responses
from mailstead.imap.listoptions import Options, Return, Select, read_options, read_selects
from mailstead.imap.patterns import Pattern
from mailstead.imap.specialuse import SPECIAL_USE
from mailstead.imap.tokens import BAD_NAME, BadSyntax, Tokens, limit
from mailstead.mail.mailbox import HIERARCHY, NAME_OCTETS, SpecialUse

PATTERNS_CAP = 100


@dataclass(frozen=True, slots=True)
class List:
    """LIST; a single pattern that is empty asks for the hierarchy's delimiter only.

    Args:
        options: What an extended LIST says, even if that is nothing; None for a plain one.
    """

    reference: str
    patterns: tuple[str, ...]
    options: Options | None = None


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB."""

    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A mailbox as far as lists show it, or a name that is subscribed to and is none."""

    name: str
    special_use: SpecialUse | None = None
    subscribed: bool = False
    exists: bool = True


class Attribute(Enum):
    """Name attributes (RFC 3501 section 7.2.2, RFC 5258 section 3)."""

    NO_SELECT = b"\\Noselect"
    NON_EXISTENT = b"\\NonExistent"  # as the RFC says it implies \Noselect
    SUBSCRIBED = b"\\Subscribed"
    HAS_CHILDREN = b"\\HasChildren"
    HAS_NO_CHILDREN = b"\\HasNoChildren"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the answer.

    Args:
        whole: It is a mailbox, and what was looked for: what else was asked for goes with it.
        below: What something below it is, that was looked for: CHILDINFO (RFC 5258 section 3.5).
        old: What it was called, or how the client spelled it: OLDNAME (RFC 9051 section 6.3.9.7).
    """

    name: str
    attributes: tuple[Attribute, ...] = ()
    special_use: SpecialUse | None = None
    whole: bool = True
    below: tuple[Select, ...] = ()
    old: str = ""

    def octets(self, response: bytes = b"LIST", *, utf8: bool = False) -> bytes:
        """The LIST or LSUB response."""
        shown = [a.value for a in self.attributes]
        if self.special_use is not None and (use := SPECIAL_USE[self.special_use]):
            shown.append(use)
        name = responses.mailbox(self.name, utf8=utf8)
        more: list[bytes] = []
        if self.below:
            more.append(b'"CHILDINFO" (%b)' % b" ".join([b'"%b"' % s.value for s in self.below]))
        if self.old:
            more.append(b'"OLDNAME" (%b)' % responses.mailbox(self.old, utf8=utf8))
        if more:
            name += b" (%b)" % b" ".join(more)
        return b'* %b (%b) "/" %b\r\n' % (response, b" ".join(shown), name)


DELIMITER_ONLY = b'* LIST (\\Noselect) "/" ""\r\n'


def read_list(tokens: Tokens) -> List:
    """LIST [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]."""
    selects = read_selects(tokens)
    tokens.space()
    reference = tokens.astring()
    tokens.space()
    several = tokens.skip(b"(")
    patterns = _several(tokens) if several else [tokens.list_mailbox()]
    found = _decoded(tokens, reference, *patterns)
    return List(found[0], found[1:], read_options(tokens, selects, extended=several))


def _several(tokens: Tokens) -> list[bytes]:
    """patterns = "(" list-mailbox *(SP list-mailbox) ")", without the first parenthesis."""
    patterns: list[bytes] = []
    for _ in range(PATTERNS_CAP):
        patterns.append(tokens.list_mailbox())
        if tokens.skip(b")"):
            return patterns
        tokens.space()
    raise limit("Too many patterns")


def read_lsub(tokens: Tokens) -> Lsub:
    """LSUB SP mailbox SP list-mailbox."""
    tokens.space()
    reference = tokens.astring()
    tokens.space()
    return Lsub(*_decoded(tokens, reference, tokens.list_mailbox()))


def _decoded(tokens: Tokens, reference: bytes, *patterns: bytes) -> tuple[str, ...]:
    if sum(len(reference) + len(pattern) for pattern in patterns) > 4 * NAME_OCTETS:
        raise limit("Pattern too long")
    try:
        return tuple(tokens.decoded(octets) for octets in (reference, *patterns))
    except ValueError as error:
        raise BadSyntax(BAD_NAME) from error


def children_of(*, exist: bool) -> Attribute:
    """What says whether there is something below a name."""
    return Attribute.HAS_CHILDREN if exist else Attribute.HAS_NO_CHILDREN


_PLAIN = Options(returns=frozenset((Return.CHILDREN, Return.SPECIAL_USE)))


def listed(entries: Iterable[Entry], pattern: Pattern, options: Options | None = None) -> Iterator[Listed]:
    """What LIST answers, in the order of *entries*; a level without one stands before one that is below it.

    A name that is not what is looked for comes if something below it is that does not match (RFC 5258
    section 3.4): with RECURSIVEMATCH; and where nothing is looked for, as the level of a mailbox. Nothing
    grows with the levels of a name, of which there may be hundreds.
    """
    everything = list(entries)
    show = _Show(everything, pattern, options)
    names = {e.name for e in everything}
    for entry in everything:
        for level in show.levels(entry.name):
            if level not in names and level in pattern:
                yield show.line(Entry(level, exists=False))
        if (show.wanted(entry) or show.is_level(entry.name)) and entry.name in pattern:
            yield show.line(entry)


class _Below:
    """Names, to be asked whether any of them is below another."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)

    def __contains__(self, superior: str) -> bool:
        begins = superior + HIERARCHY
        at = bisect_left(self.names, begins)
        return at < len(self.names) and self.names[at].startswith(begins)


class _Show:
    """What one LIST shows of each name."""

    def __init__(self, entries: list[Entry], pattern: Pattern, options: Options | None) -> None:
        self._missing = Attribute.NO_SELECT if options is None else Attribute.NON_EXISTENT
        self._options = options = options or _PLAIN
        self._criteria = options.criteria
        self._parents = self._causes = _Below(e.name for e in entries if e.exists)
        self._wanted = _Below(())  # if it is to be told what something is below
        if Select.RECURSIVE_MATCH in options.selects:
            self._wanted = _Below(e.name for e in entries if self.wanted(e))
        if self._criteria:
            self._causes = _Below(name for name in self._wanted.names if name not in pattern)

    def levels(self, name: str) -> Iterator[str]:
        """Levels that come because of *name*; each because of one only, the first in order."""
        causes = self._causes.names
        at = bisect_left(causes, name)
        if at < len(causes) and causes[at] == name:
            before = causes[at - 1] if at else ""
            yield from (level for level in _above(name) if not before.startswith(level + HIERARCHY))

    def is_level(self, name: str) -> bool:
        """Whether a name comes because of what is below it."""
        return name in self._causes

    def wanted(self, entry: Entry) -> bool:
        """Whether it is all that names are selected by: else it must be a mailbox."""
        if Select.SPECIAL_USE in self._criteria and not _has_use(entry):
            return False
        return entry.subscribed if Select.SUBSCRIBED in self._criteria else entry.exists

    def line(self, entry: Entry) -> Listed:
        """The line of a name."""
        returns = self._options.returns
        attributes: list[Attribute] = []
        if not entry.exists:
            attributes.append(self._missing)
        if entry.subscribed and Return.SUBSCRIBED in returns:
            attributes.append(Attribute.SUBSCRIBED)
        parent = entry.name in self._parents
        if Return.CHILDREN in returns or (parent and not entry.exists):
            attributes.append(Attribute.HAS_CHILDREN if parent else Attribute.HAS_NO_CHILDREN)
        return Listed(
            entry.name,
            tuple(attributes),
            entry.special_use if Return.SPECIAL_USE in returns else None,
            whole=entry.exists and self.wanted(entry),
            below=self._criteria if entry.name in self._wanted else (),
        )


def _has_use(entry: Entry) -> bool:
    return entry.special_use is not None and bool(SPECIAL_USE[entry.special_use])


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
