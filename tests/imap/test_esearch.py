"""RETURN options, ESEARCH, ESORT, "$" and PARTIAL (RFC 4731, RFC 5182, RFC 5267, RFC 9394)."""

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.esearch import Result, Return, correlator, esearch, read_return
from mailstead.imap.fetch import Fetch
from mailstead.imap.mailboxes import Expunge
from mailstead.imap.page import Page
from mailstead.imap.search import Search
from mailstead.imap.searchkeys import Among
from mailstead.imap.store import Copy, Store
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.uidset import SavedNumbers, SavedUids, UidSet

MIN, MAX, ALL, COUNT = Result.MIN, Result.MAX, Result.ALL, Result.COUNT


def of(*results: Result, page: Page | None = None, save: bool = False, relevancy: bool = False) -> Return:
    return Return(frozenset(results), page, save, relevancy)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"RETURN (MIN COUNT) ", of(MIN, COUNT)), (b"return (min max all count) ", of(MIN, MAX, ALL, COUNT)), (b"RETURN () ", of(ALL)),
        (b"RETURN (SAVE) ", of(save=True)), (b"RETURN (SAVE MIN) ", of(MIN, save=True)),
        (b"RETURN (RELEVANCY) ", of(relevancy=True)), (b"RETURN (RELEVANCY ALL) ", of(ALL, relevancy=True)),
        (b"RETURN (PARTIAL 1:500 COUNT) ", of(COUNT, page=Page(1, 500))), (b"RETURN (PARTIAL -1:-100) ", of(page=Page(-1, -100))),
    ],
)  # fmt: skip
def test_what_shall_be_returned(text: bytes, expected: Return) -> None:
    assert read_return(Tokens((text + b"ALL",))) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"RETURN (MIN", b"RETURN (FOO) ", b"RETURN (MIN  MAX) ", b"RETURN ( MIN) ", b"RETURN (MIN)", b"RETURN (PARTIAL) ", b"RETURN (PARTIAL 0:5) ",
        b"RETURN (PARTIAL 1:-5) ", b"RETURN (PARTIAL -1:5) ", b"RETURN (PARTIAL 1:500 ALL) ", b"RETURN (PARTIAL 1:4294967296) ",
        b"RETURN (PARTIAL 1:2 PARTIAL 3:4) ",
    ],
)  # fmt: skip
def test_what_cannot(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        read_return(Tokens((text,)))


def test_without_return_nothing_is_read() -> None:
    tokens = Tokens((b"RETURNED 1",))
    assert read_return(tokens) is None
    assert tokens.at == 0


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        (of(MIN, COUNT), [2, 7, 9], b'* ESEARCH (TAG "A282") MIN 2 COUNT 3\r\n'),
        (of(ALL), [2, 10, 11], b'* ESEARCH (TAG "A282") ALL 2,10:11\r\n'),
        (of(ALL, MIN, MAX, COUNT), [], b'* ESEARCH (TAG "A282") COUNT 0\r\n'),
        (of(page=Page(2, 3)), [5, 6, 7, 8], b'* ESEARCH (TAG "A282") PARTIAL (2:3 6:7)\r\n'),
        (of(page=Page(-1, -2)), [5, 6, 7, 8], b'* ESEARCH (TAG "A282") PARTIAL (-1:-2 7:8)\r\n'),
        (of(page=Page(-5, -3)), [5, 6, 7, 8], b'* ESEARCH (TAG "A282") PARTIAL (-5:-3 5:6)\r\n'),
        (of(COUNT, page=Page(9, 20)), [5, 6], b'* ESEARCH (TAG "A282") COUNT 2 PARTIAL (9:20 NIL)\r\n'),
    ],
)  # fmt: skip
def test_responses(asked: Return, found: list[int], said: bytes) -> None:
    assert esearch(correlator(b"A282"), asked, found, None, uid=False) == said


@pytest.mark.parametrize(
    ("asked", "found", "scores", "said"),
    [
        (of(ALL, relevancy=True), [1, 5, 10], [4, 99, 42], b"ALL 1,5,10 RELEVANCY (4 99 42)"),  # RFC 6203 section 4
        (of(ALL, relevancy=True), [5, 10, 1], [99, 42, 4], b"ALL 5,10,1 RELEVANCY (99 42 4)"),  # and section 6
        (of(page=Page(2, 9), relevancy=True), [5, 10, 1], [99, 42, 4], b"PARTIAL (2:9 10,1) RELEVANCY (42 4)"),
        (of(relevancy=True), [5, 1], [99, 4], b"RELEVANCY (99 4)"), (of(COUNT, relevancy=True), [], [], b"COUNT 0 RELEVANCY ()"),
    ],
)  # fmt: skip
def test_scores(asked: Return, found: list[int], scores: list[int], said: bytes) -> None:
    assert (
        esearch(correlator(b"B1"), asked, found, None, uid=False, scores=scores)
        == b'* ESEARCH (TAG "B1") %b\r\n' % said
    )


def test_uids_and_mod_sequences() -> None:
    assert (
        esearch(correlator(b"a"), of(ALL, COUNT), [7], 12, uid=True)
        == b'* ESEARCH (TAG "a") UID COUNT 1 ALL 7 MODSEQ 12\r\n'
    )


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        (of(ALL), [23765, 23764, 23763, 23761], b"ALL 23765,23764,23763,23761"),  # RFC 5267 section 3.3
        (of(ALL), [10, 11, 12, 3, 2, 1, 5, 6], b"ALL 10:12,3,2,1,5:6"), (of(MIN, MAX, COUNT), [9, 4, 5], b"MIN 9 MAX 5 COUNT 3"),
        (of(page=Page(2, 3)), [9, 4, 5, 1], b"PARTIAL (2:3 4:5)"), (of(page=Page(-1, -2)), [9, 4, 5, 1], b"PARTIAL (-1:-2 5,1)"),
    ],
)  # fmt: skip
def test_what_is_sorted_keeps_its_order(asked: Return, found: list[int], said: bytes) -> None:
    assert (
        esearch(correlator(b"E01"), asked, found, None, uid=True)
        == b'* ESEARCH (TAG "E01") UID %b\r\n' % said
    )


@pytest.mark.parametrize(
    ("asked", "saved"),
    [
        (of(), [2, 5, 9]), (of(MIN), [2]), (of(MAX), [9]), (of(MIN, MAX), [2, 9]), (of(MIN, COUNT), [2, 5, 9]), (of(ALL), [2, 5, 9]),
        (of(page=Page(2, 3)), [5, 9]), (of(MIN, page=Page(3, 3)), [2, 9]),
    ],
)  # fmt: skip
def test_what_is_saved(asked: Return, saved: list[int]) -> None:
    assert asked.saved([2, 5, 9]) == UidSet.of(saved)
    assert asked.saved([]) == UidSet()


@pytest.mark.parametrize(
    "line",
    [
        b"FETCH $ FLAGS",
        b"STORE $ FLAGS ()",
        b"COPY $ x",
        b"UID EXPUNGE $",
        b"SEARCH $",
        b"UID SEARCH UID $",
        b"UID FETCH $ FLAGS",
    ],
)
def test_what_was_saved_stands_for_a_set(line: bytes) -> None:
    command = parse((b"a " + line,))
    match command:
        case (
            Search(key=Among(messages))
            | Fetch(messages=messages)
            | Store(messages=messages)
            | Copy(messages=messages)
        ):
            found: object = messages
        case Expunge(uids=uids):
            found = uids
        case _:
            raise AssertionError(command)
    assert isinstance(found, SavedUids if b"UID" in line and line != b"UID SEARCH $" else SavedNumbers)
    for wrong in (b"FETCH $,1 FLAGS", b"FETCH $1 FLAGS", b"FETCH 1,$ FLAGS", b"FETCH $:5 FLAGS"):
        with pytest.raises(BadSyntax):
            parse((b"a " + wrong,))
