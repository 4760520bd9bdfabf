"""SORT and THREAD: what is read of them, and what their responses look like."""

from array import array

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.esearch import Result, Return
from mailstead.imap.page import Page
from mailstead.imap.searchkeys import And, Everything, HasFlag, HasKeyword, HeaderHas
from mailstead.imap.sort import Sort, sorted_data
from mailstead.imap.thread import Thread, thread_data
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threadlist import Piece
from mailstead.mail.threads import Algorithm


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"a SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994", None),
        (
            b"a SORT (subject reverse date) UTF-8 ALL",
            Sort((Criterion(By.SUBJECT), Criterion(By.DATE, True)), Everything()),
        ),
        (b'a UID SORT (DISPLAYFROM) "us-ascii" ALL', Sort((Criterion(By.DISPLAYFROM),), Everything(), True)),
        (b"a SORT (SIZE REVERSE SIZE SIZE) UTF-8 ALL", Sort((Criterion(By.SIZE),), Everything())),
        (
            b"E01 UID SORT RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk",  # RFC 5267 section 3.3
            Sort(
                (Criterion(By.DATE, True),),
                And((HasFlag(SystemFlag.DELETED, present=False), HasKeyword("$Junk", present=False))),
                True,
                Return(frozenset((Result.ALL,))),
            ),
        ),
        (
            b"a SORT RETURN (SAVE PARTIAL -1:-5) (SIZE) UTF-8 ALL",
            Sort((Criterion(By.SIZE),), Everything(), False, Return(page=Page(-1, -5), save=True)),
        ),
        (
            b"a THREAD ORDEREDSUBJECT UTF-8 SEEN FROM x",
            Thread(Algorithm.ORDEREDSUBJECT, And((HasFlag(SystemFlag.SEEN), HeaderHas(b"from", "x")))),
        ),
        (b"a UID THREAD references US-ASCII ALL", Thread(Algorithm.REFERENCES, Everything(), True)),
    ],
)
def test_commands(line: bytes, command: object) -> None:
    assert command is None or parse((line,)) == command


@pytest.mark.parametrize("by", By)
def test_every_criterion(by: By) -> None:
    key = b"FUZZY ALL" if by is By.RELEVANCY else b"ALL"
    read = parse((b"a SORT (REVERSE %b) UTF-8 %b" % (by.name.encode(), key),))
    assert read == Sort((Criterion(by, reverse=True),), Everything())


def test_strings_are_in_the_charset() -> None:
    read = parse((b"a SORT (DATE) UTF-8 SUBJECT ", "é".encode(), b""))
    assert read == Sort((Criterion(By.DATE),), HeaderHas(b"subject", "é"))
    with pytest.raises(BadSyntax):
        parse((b"a SORT (DATE) US-ASCII SUBJECT ", "é".encode(), b""))


@pytest.mark.parametrize("command", [b"SORT (DATE)", b"THREAD REFERENCES"])
def test_other_charsets_are_refused(command: bytes) -> None:
    with pytest.raises(BadSyntax) as refused:
        parse((b"a " + command + b" KOI8-R ALL",))
    assert refused.value.answer.octets(b"a") == b"a NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"SORT", b"SORT ", b"SORT ()", b"SORT () UTF-8 ALL", b"SORT (SIZE)", b"SORT (SIZE) UTF-8", b"SORT (SIZE) ALL",
        b"SORT SIZE UTF-8 ALL", b"SORT (SIZE UTF-8 ALL", b"SORT (REVERSE) UTF-8 ALL", b"SORT (REVERSE REVERSE SIZE) UTF-8 ALL",
        b"SORT (COLOUR) UTF-8 ALL", b"SORT (SIZE  DATE) UTF-8 ALL", b"SORT (SIZE) UTF-8 COLOUR", b"SORT (SIZE ) UTF-8 ALL",
        b"SORT RETURN (SIZE) UTF-8 ALL", b"SORT RETURN (ALL PARTIAL 1:2) (SIZE) UTF-8 ALL", b"SORT (SIZE) RETURN (ALL) UTF-8 ALL",
        b"SORT (RELEVANCY) UTF-8 SUBJECT x", b"SORT RETURN (RELEVANCY) (SIZE) UTF-8 SUBJECT x",
        b"THREAD RETURN (ALL) REFERENCES UTF-8 ALL", b"SORT (" + b" ".join([b"SIZE"] * 51) + b") UTF-8 ALL",
        b"THREAD", b"THREAD REFS UTF-8 ALL", b"THREAD REFERENCES", b"THREAD REFERENCES UTF-8", b"THREAD REFERENCES ALL",
        b"THREAD (REFERENCES) UTF-8 ALL",
    ],
)  # fmt: skip
def test_what_cannot_be_read(line: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((b"a " + line,))


def test_responses() -> None:
    assert b"".join(sorted_data([])) == b"* SORT\r\n"
    assert b"".join(sorted_data([2, 84, 882])) == b"* SORT 2 84 882\r\n"
    assert b"".join(sorted_data([2], 917162500)) == b"* SORT 2 (MODSEQ 917162500)\r\n"
    assert b"".join(thread_data([], [])) == b"* THREAD\r\n"


def test_long_responses_come_in_pieces() -> None:
    pieces = list(sorted_data(range(10_000, 0, -1)))
    assert max(map(len, pieces)) < 25_000
    assert b"".join(pieces).split() == [b"*", b"SORT", *[b"%d" % n for n in range(10_000, 0, -1)]]


def test_threads_of_the_rfc() -> None:
    """RFC 5256 section 4."""
    pieces = [Piece(b"(n)(n n (n n)", array("I", (0, 1, 2, 3, 4))), Piece(b"(n n n))", array("I", (5, 6, 7)))]
    data = b"".join(thread_data(pieces, [2, 3, 6, 4, 23, 44, 7, 96]))
    assert data == b"* THREAD (2)(3 6 (4 23)(44 7 96))\r\n"
