"""SORT: its criteria, its search keys and its response (RFC 5256 section 3, RFC 5267, RFC 5957, RFC 6203)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailstead.imap.esearch import Return, read_return
from mailstead.imap.search import read_charset, read_keys
from mailstead.imap.searchkeys import Key
from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.sortkeys import By, Criterion

CRITERIA_CAP = 50
AT_ONCE = 4096  # numbers that are written at once


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT, or UID SORT; no criterion twice, which would decide nothing.

    Args:
        asked: What it shall return, where that was said.
    """

    criteria: tuple[Criterion, ...]
    key: Key
    uid: bool = False
    asked: Return | None = None


_BY = {by.name.encode(): by for by in By}


def read_sort(tokens: Tokens, *, uid: bool) -> Sort:
    """SORT [SP search-return-opts] SP sort-criteria SP charset 1*(SP search-key)."""
    tokens.space()
    asked = read_return(tokens)
    criteria = _criteria(tokens)
    tokens.space()
    charset = read_charset(tokens)
    tokens.space()
    scored = asked is not None and asked.relevancy
    fuzzy = scored or any(criterion.by is By.RELEVANCY for criterion in criteria)
    return Sort(criteria, read_keys(tokens, charset, fuzzy=fuzzy), uid, asked)


def _criteria(tokens: Tokens) -> tuple[Criterion, ...]:
    """ "(" sort-criterion *(SP sort-criterion) ")", where sort-criterion = ["REVERSE" SP] sort-key."""
    tokens.expect(b"(")
    found: dict[By, Criterion] = {}
    for _ in range(CRITERIA_CAP):
        word = tokens.word()
        reverse = word == b"REVERSE"
        if reverse:
            tokens.space()
            word = tokens.word()
        by = _BY.get(word)
        if by is None:
            raise BadSyntax("Unknown sort criterion")
        found.setdefault(by, Criterion(by, reverse))
        if tokens.skip(b")"):
            return tuple(found.values())
        tokens.space()
    raise limit("Too many sort criteria")


def sorted_data(numbers: Sequence[int], modseq: int | None = None) -> Iterator[bytes]:
    """The SORT response in pieces (RFC 5256 section 4).

    Args:
        modseq: The highest of what was found, for who asked (RFC 7162 section 3.1.6).
    """
    yield b"* SORT"
    for at in range(0, len(numbers), AT_ONCE):
        some = tuple(numbers[at : at + AT_ONCE])
        yield b" %d" * len(some) % some
    yield b"\r\n" if modseq is None else b" (MODSEQ %d)\r\n" % modseq
