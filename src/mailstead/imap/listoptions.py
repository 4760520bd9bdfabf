"""The options of an extended LIST (RFC 5258 section 3, RFC 5819, RFC 6154 section 3, RFC 9590)."""

from dataclasses import dataclass, replace
from enum import Enum

from mailstead.imap.mailboxes import StatusItem, read_status_items
from mailstead.imap.metadata import read_entries
from mailstead.imap.tokens import BadSyntax, Tokens, limit

OPTIONS_CAP = 50  # of a kind; the same one may come again


class Select(Enum):
    """What a name must be to be listed; of several, all."""

    SUBSCRIBED = b"SUBSCRIBED"
    SPECIAL_USE = b"SPECIAL-USE"
    REMOTE = b"REMOTE"  # those as well; there are none
    RECURSIVE_MATCH = b"RECURSIVEMATCH"


class Return(Enum):
    """What is said of a name that is listed."""

    SUBSCRIBED = b"SUBSCRIBED"
    CHILDREN = b"CHILDREN"
    SPECIAL_USE = b"SPECIAL-USE"
    MY_RIGHTS = b"MYRIGHTS"  # in a response of its own (RFC 8440)


@dataclass(frozen=True, slots=True)
class Options:
    """How an extended LIST selects names, and what it says of them.

    Args:
        status: What STATUS is to say of each mailbox, in this order; nothing for no STATUS (RFC 5819).
        metadata: The annotations of each mailbox that are to be told; nothing for none (RFC 9590).
    """

    selects: frozenset[Select] = frozenset()
    returns: frozenset[Return] = frozenset()
    status: tuple[StatusItem, ...] = ()
    metadata: tuple[str, ...] = ()

    @property
    def criteria(self) -> tuple[Select, ...]:
        """What a name must be, in the order in which CHILDINFO tells it."""
        return tuple(s for s in (Select.SUBSCRIBED, Select.SPECIAL_USE) if s in self.selects)


_SELECTS = {option.value: option for option in Select}
_RETURNS = {option.value: option for option in Return}
# What is selected by is returned, too (RFC 5258 section 3.1, RFC 6154 section 6).
_IMPLIED = {Select.SUBSCRIBED: Return.SUBSCRIBED, Select.SPECIAL_USE: Return.SPECIAL_USE}


def read_selects(tokens: Tokens) -> frozenset[Select] | None:
    """[SP "(" [list-select-opt *(SP list-select-opt)] ")"], or None without."""
    if tokens.skip(b" ()"):
        return frozenset()
    if not tokens.skip(b" ("):
        return None
    found: set[Select] = set()
    for _ in range(OPTIONS_CAP):
        option = _SELECTS.get(tokens.word())
        if option is None:
            raise BadSyntax("Unknown LIST selection option")
        found.add(option)
        if tokens.skip(b")"):
            if Select.RECURSIVE_MATCH in found and not found & _IMPLIED.keys():
                raise BadSyntax("RECURSIVEMATCH goes with another selection option")
            return frozenset(found)
        tokens.space()
    raise limit("Too many selection options")


def read_options(tokens: Tokens, selects: frozenset[Select] | None, *, extended: bool) -> Options | None:
    """[SP "RETURN" SP "(" [return-option *(SP return-option)] ")"], behind the patterns.

    Args:
        selects: The selection options, which were read before.
        extended: The patterns alone make it an extended LIST.
    """
    found = Options()
    if tokens.text[tokens.at : tokens.at + 9].upper() == b" RETURN (":
        tokens.at += 9
        extended = True
        found = _read_returns(tokens)
    if selects is None and not extended:
        return None
    implied = {_IMPLIED[s] for s in selects or () if s in _IMPLIED}
    return replace(found, selects=selects or frozenset(), returns=found.returns | implied)


def _read_returns(tokens: Tokens) -> Options:
    """What is to be said; when STATUS or METADATA comes again, the last one counts."""
    returns: set[Return] = set()
    status: tuple[StatusItem, ...] = ()
    metadata: tuple[str, ...] = ()
    if tokens.skip(b")"):
        return Options()
    for _ in range(OPTIONS_CAP):
        match tokens.word():
            case b"STATUS":
                status = read_status_items(tokens)
            case b"METADATA":
                tokens.space()
                metadata = read_entries(tokens)
            case word if word in _RETURNS:
                returns.add(_RETURNS[word])
            case _:
                raise BadSyntax("Unknown LIST return option")
        if tokens.skip(b")"):
            return Options(returns=frozenset(returns), status=status, metadata=metadata)
        tokens.space()
    raise limit("Too many return options")
