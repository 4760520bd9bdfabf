"""What a SEARCH or SORT returns (RFC 4731): SEARCHRES, ESORT and PARTIAL (RFC 5182, RFC 5267, RFC 9394)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.render import string
from mailstead.mail.uidset import HIGHEST, UidSet, in_order

T = TypeVar("T")


class Result(Enum):
    """What can be asked for."""

    MIN = b"MIN"
    MAX = b"MAX"
    ALL = b"ALL"
    COUNT = b"COUNT"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the results: from *first* to *last*, counted from 1, or from the end with -1 (RFC 9394)."""

    first: int
    last: int

    def of(self, found: Sequence[T]) -> Sequence[T]:
        """The results that are on this page."""
        low, high = sorted((abs(self.first), abs(self.last)))
        if self.first > 0:
            return found[low - 1 : high]
        return found[max(0, len(found) - high) : max(0, len(found) - low + 1)]

    def octets(self) -> bytes:
        """As the client wrote it."""
        return b"%d:%d" % (self.first, self.last)


@dataclass(frozen=True, slots=True)
class Return:
    """RETURN (...).

    Args:
        save: The result is what "$" means from here on.
        relevancy: The scores of what is returned (RFC 6203 section 4).
    """

    results: frozenset[Result] = frozenset()
    page: Page | None = None
    save: bool = False
    relevancy: bool = False

    @property
    def answers(self) -> bool:
        """Whether anything is said: to who only saves, nothing is."""
        return bool(self.results) or self.page is not None or self.relevancy

    def saved(self, uids: Sequence[int]) -> UidSet:
        """What "$" means, of the UIDs that were found, in their order (RFC 5182 section 2.4, RFC 9394)."""
        if not self.results <= _EXTREMES:
            return UidSet.of(uids)
        ends = [uids[at] for result, at in _ENDS if uids and result in self.results]
        if self.page is not None:
            return UidSet.of([*ends, *self.page.of(uids)])
        return UidSet.of(ends or uids)


EVERYTHING = Return(frozenset((Result.ALL,)))  # what IMAP4rev2 answers to a SEARCH that asks for nothing
_ENDS = ((Result.MIN, 0), (Result.MAX, -1))
_EXTREMES = frozenset(result for result, _ in _ENDS)
_RESULTS = {result.value: result for result in Result}


def read_return(tokens: Tokens) -> Return | None:
    """["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP]."""
    if tokens.text[tokens.at : tokens.at + 8].upper() != b"RETURN (":
        return None
    tokens.at += 8
    results: set[Result] = set()
    page: Page | None = None
    save = relevancy = False
    if not tokens.skip(b")"):
        while True:
            word = tokens.word()
            if word == b"SAVE":
                save = True
            elif word == b"RELEVANCY":
                relevancy = True
            elif word == b"PARTIAL" and page is None:
                tokens.space()
                page = read_page(tokens)
            elif word in _RESULTS:
                results.add(_RESULTS[word])
            else:
                raise BadSyntax("Unknown RETURN option")
            if tokens.skip(b")"):
                break
            tokens.space()
    if page is not None and Result.ALL in results:
        raise BadSyntax("PARTIAL and ALL exclude each other")
    if not results and page is None and not save and not relevancy:
        results.add(Result.ALL)
    tokens.space()
    return Return(frozenset(results), page, save, relevancy)


def read_page(tokens: Tokens) -> Page:
    """nz-number ":" nz-number, both of them negative or none (RFC 9394 section 3)."""
    sign = -1 if tokens.skip(b"-") else 1
    first = tokens.number(HIGHEST, 1)
    tokens.expect(b":")
    if sign < 0:
        tokens.expect(b"-")
    return Page(sign * first, sign * tokens.number(HIGHEST, 1))


def esearch(
    tag: bytes,
    asked: Return,
    found: Sequence[int],
    modseq: int | None,
    *,
    uid: bool,
    scores: Sequence[int] = (),
) -> bytes:
    """The ESEARCH response.

    Args:
        found: Numbers or UIDs, in the order of the mailbox or as they were sorted: MIN is the first, and
            sets keep the order (RFC 5267 section 3).
        modseq: The highest of what was found, for who asked (RFC 7162 section 3.1.10).
        scores: The relevancy of each, where it was asked for; told of what a page has, or of all.
    """
    shown = [b"* ESEARCH (TAG %b)" % string(tag)]
    if uid:
        shown.append(b"UID")
    if found and Result.MIN in asked.results:
        shown.append(b"MIN %d" % found[0])
    if found and Result.MAX in asked.results:
        shown.append(b"MAX %d" % found[-1])
    if Result.COUNT in asked.results:
        shown.append(b"COUNT %d" % len(found))
    if found and Result.ALL in asked.results:
        shown.append(b"ALL " + in_order(found).encode())
    if asked.page is not None:
        page = asked.page.of(found)
        shown.append(b"PARTIAL (%b %b)" % (asked.page.octets(), in_order(page).encode() if page else b"NIL"))
    if asked.relevancy:
        told = scores if asked.page is None else asked.page.of(scores)
        shown.append(b"RELEVANCY (%b)" % b" ".join([b"%d" % score for score in told]))
    if modseq is not None:
        shown.append(b"MODSEQ %d" % modseq)
    return b" ".join(shown) + b"\r\n"
