"""What a SEARCH or SORT returns (RFC 4731, RFC 5182, RFC 5267, RFC 6203, RFC 7377, RFC 9394)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mailstead.imap.fetch import FetchItem, peeking, read_items
from mailstead.imap.page import Page, read_page
from mailstead.imap.responses import mailbox
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.render import string
from mailstead.mail.uidset import UidSet, in_order


class Result(Enum):
    """What can be asked for."""

    MIN = b"MIN"
    MAX = b"MAX"
    ALL = b"ALL"
    COUNT = b"COUNT"


@dataclass(frozen=True, slots=True)
class Return:
    """RETURN (...).

    Args:
        save: The result is what "$" means from here on.
        relevancy: The scores of what is returned (RFC 6203 section 4).
        update: The client is told what is found later, and what is not any more (RFC 5267 section 4.3).
        items: What to tell of each new message that is found (RFC 5465 section 7); nothing of it sets \\Seen.
    """

    results: frozenset[Result] = frozenset()
    page: Page | None = None
    save: bool = False
    relevancy: bool = False
    update: bool = False
    items: tuple[FetchItem, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether anything is said: to who only saves, nothing is."""
        return bool(self.results) or self.page is not None or self.relevancy or not self.save

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
_WORDS = frozenset((b"SAVE", b"RELEVANCY", b"CONTEXT"))  # that of CONTEXT is a hint: nothing is kept for it


def read_return(tokens: Tokens) -> Return | None:
    """["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP]."""
    if tokens.text[tokens.at : tokens.at + 8].upper() != b"RETURN (":
        return None
    tokens.at += 8
    results: set[Result] = set()
    words: set[bytes] = set()
    page: Page | None = None
    items: tuple[FetchItem, ...] = ()
    if tokens.skip(b")"):
        results.add(Result.ALL)
    else:
        while True:
            word = tokens.word()
            if word in _RESULTS:
                results.add(_RESULTS[word])
            elif word == b"PARTIAL" and page is None:
                tokens.space()
                page = read_page(tokens)
            elif word == b"UPDATE" and word not in words:
                items = _items(tokens)
            elif word not in _WORDS:
                raise BadSyntax("Unknown RETURN option")
            words.add(word)
            if tokens.skip(b")"):
                break
            tokens.space()
    if page is not None and Result.ALL in results:
        raise BadSyntax("PARTIAL and ALL exclude each other")
    tokens.space()
    return Return(
        frozenset(results),
        page,
        save=b"SAVE" in words,
        relevancy=b"RELEVANCY" in words,
        update=b"UPDATE" in words,
        items=items,
    )


def _items(tokens: Tokens) -> tuple[FetchItem, ...]:
    """[[SP] "(" fetch-att *(SP fetch-att) ")"]: with a space in the example, without one in the grammar."""
    if not tokens.skip(b" (") and not tokens.skip(b"("):
        return ()
    return tuple(dict.fromkeys(map(peeking, read_items(tokens))))


def correlator(tag: bytes, within: bytes = b"") -> bytes:
    """search-correlator: whose response it is, and about which mailbox (RFC 7377 section 4).

    Args:
        within: As `within` says it; empty for the selected mailbox, which nobody has to name.
    """
    return b"(TAG %b%b)" % (string(tag), within)


def within(name: str, uid_validity: int, *, utf8: bool) -> bytes:
    """The correlators of a mailbox."""
    return b" MAILBOX %b UIDVALIDITY %d" % (mailbox(name, utf8=utf8), uid_validity)


def esearch(
    correlated: bytes,
    asked: Return,
    found: Sequence[int],
    modseq: int | None,
    *,
    uid: bool,
    scores: Sequence[int] = (),
) -> bytes:
    """The ESEARCH response.

    Args:
        correlated: As `correlator` says it.
        found: Numbers or UIDs, in the order of the mailbox or as they were sorted: MIN is the first, and
            sets keep the order (RFC 5267 section 3).
        modseq: The highest of what was found, for who asked (RFC 7162 section 3.1.10).
        scores: The relevancy of each, where it was asked for; told of what a page has, or of all.
    """
    shown = [b"* ESEARCH " + correlated]
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
