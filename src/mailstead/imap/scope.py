"""Which mailboxes a command is about, where it may be many (RFC 5465 section 6, RFC 7377 section 2.2)."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.mailbox import HIERARCHY, INBOX

NAMES_CAP = 1000


class Reach(Enum):
    """How mailboxes are named."""

    SELECTED = b"SELECTED"
    SELECTED_DELAYED = b"SELECTED-DELAYED"
    INBOXES = b"INBOXES"  # where new mail comes in
    PERSONAL = b"PERSONAL"  # all there are
    SUBSCRIBED = b"SUBSCRIBED"
    SUBTREE = b"SUBTREE"  # these, and all below them
    SUBTREE_ONE = b"SUBTREE-ONE"  # these, and those right below them
    MAILBOXES = b"MAILBOXES"


_NAMED = frozenset((Reach.SUBTREE, Reach.SUBTREE_ONE, Reach.MAILBOXES))
_REACHES = {reach.value: reach for reach in Reach}


@dataclass(frozen=True, slots=True)
class Scope:
    """Some mailboxes; *names* where they are named."""

    reach: Reach
    names: frozenset[str] = frozenset()

    @property
    def of_selected(self) -> bool:
        """It is the selected mailbox."""
        return self.reach in (Reach.SELECTED, Reach.SELECTED_DELAYED)

    def has(self, name: str, *, subscribed: bool) -> bool:
        """Whether a mailbox that need not be selected is one of them; linear in the levels of its name."""
        match self.reach:
            case Reach.INBOXES:
                return name == INBOX
            case Reach.PERSONAL:
                return True
            case Reach.SUBSCRIBED:
                return subscribed
            case Reach.MAILBOXES:
                return name in self.names
            case Reach.SUBTREE_ONE:
                return name in self.names or name.rpartition(HIERARCHY)[0] in self.names
            case Reach.SUBTREE:
                return name in self.names or any(
                    name[:at] in self.names for at, c in enumerate(name) if c == HIERARCHY
                )
            case _:
                return False


def read_scope(tokens: Tokens, reaches: Collection[Reach]) -> Scope:
    """filter-mailboxes, of these *reaches*: a word, and names behind it where it takes some."""
    reach = _REACHES.get(tokens.word())
    if reach is None or reach not in reaches:
        raise BadSyntax("Unknown set of mailboxes")
    if reach not in _NAMED:
        return Scope(reach)
    tokens.space()
    if not tokens.skip(b"("):
        return Scope(reach, frozenset((tokens.mailbox(),)))
    names: set[str] = set()
    while True:
        names.add(tokens.mailbox())
        if len(names) > NAMES_CAP:
            raise limit("Too many mailboxes")
        if tokens.skip(b")"):
            return Scope(reach, frozenset(names))
        tokens.space()
