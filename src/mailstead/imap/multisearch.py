"""ESEARCH: one search of several mailboxes (RFC 7377).

Rule: messages are named by UID, since nobody has told the client of any number in most of the mailboxes.
"""

from dataclasses import dataclass

from mailstead.imap.esearch import EVERYTHING, Return, read_return
from mailstead.imap.scope import Reach, Scope, read_scope
from mailstead.imap.search import read_program
from mailstead.imap.searchkeys import Key
from mailstead.imap.tokens import BadSyntax, Tokens, limit

SOURCES_CAP = 100

_REACHES = frozenset(Reach) - {Reach.SELECTED_DELAYED}  # RFC 7377 section 2.2
_SELECTED: tuple[Scope, ...] = (Scope(Reach.SELECTED),)


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """ESEARCH.

    Args:
        scopes: Where to look; each reach once.
    """

    key: Key
    scopes: tuple[Scope, ...] = _SELECTED
    asked: Return = EVERYTHING

    @property
    def of_selected(self) -> bool:
        """The selected mailbox is asked for as such."""
        return any(scope.of_selected for scope in self.scopes)

    def has(self, name: str, *, subscribed: bool) -> bool:
        """Whether a mailbox is asked for by what it is called, or is."""
        return any(scope.has(name, subscribed=subscribed) for scope in self.scopes)


def read_multi_search(tokens: Tokens) -> MultiSearch:
    """ESEARCH [SP esearch-source-opts] [SP search-return-opts] SP search-program (RFC 7377 section 4)."""
    tokens.space()
    scopes = _SELECTED
    if tokens.text[tokens.at : tokens.at + 4].upper() == b"IN (":
        tokens.at += 4
        scopes = _sources(tokens)
        tokens.space()
    asked = read_return(tokens)
    if asked is not None and asked.save and not all(scope.of_selected for scope in scopes):
        raise BadSyntax("SAVE goes with the selected mailbox alone")  # section 2.2
    return MultiSearch(read_program(tokens, asked), scopes, asked or EVERYTHING)


def _sources(tokens: Tokens) -> tuple[Scope, ...]:
    """esearch-source-opts = "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")", behind its first "(".

    source-mbox = filter-mailboxes *(SP filter-mailboxes)
    """
    names: dict[Reach, set[str]] = {}
    for _ in range(SOURCES_CAP):
        scope = read_scope(tokens, _REACHES)
        names.setdefault(scope.reach, set()).update(scope.names)
        if tokens.skip(b")"):
            return tuple(Scope(reach, frozenset(some)) for reach, some in names.items())
        tokens.space()
        if tokens.peek() == b"(":
            raise BadSyntax("Unknown scope option")  # there are none yet
    raise limit("Too many sets of mailboxes")
