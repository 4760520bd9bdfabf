"""SEARCH: every key, charsets, and trees that stay flat."""

from datetime import date

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.search import DEPTH_CAP, Search
from mailstead.imap.searchkeys import (
    Among,
    And,
    BodyHas,
    Dated,
    Everything,
    HasFlag,
    HasKeyword,
    HeaderHas,
    IsRecent,
    Key,
    Not,
    Or,
    Saved,
    Sized,
    TextHas,
    When,
    Within,
)  # fmt: skip
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.uidset import STAR, SeqSet, UidSet

SEEN = HasFlag(SystemFlag.SEEN)


def key(text: bytes, *more: bytes) -> Key:
    found = parse((b"a SEARCH " + text, *more))
    assert isinstance(found, Search)
    return found.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"ALL", Everything()),
        *[(f.name.encode(), HasFlag(f)) for f in SystemFlag if f.name],
        *[(b"un" + f.name.encode(), HasFlag(f, present=False)) for f in SystemFlag if f.name],
        (b"NEW", And((IsRecent(), HasFlag(SystemFlag.SEEN, present=False)))),
        (b"OLD", IsRecent(present=False)),
        (b"RECENT", IsRecent()),
        (b"KEYWORD $Junk", HasKeyword("$Junk")),
        (b"UNKEYWORD a", HasKeyword("a", present=False)),
        (b"BEFORE 1-Feb-1994", Dated(When.BEFORE, date(1994, 2, 1))),
        (b'ON "01-feb-1994"', Dated(When.ON, date(1994, 2, 1))),
        (b"SINCE 1-Feb-1994", Dated(When.SINCE, date(1994, 2, 1))),
        (b"SENTBEFORE 1-Feb-1994", Dated(When.BEFORE, date(1994, 2, 1), sent=True)),
        (b"SENTON 1-Feb-1994", Dated(When.ON, date(1994, 2, 1), sent=True)),
        (b"SENTSINCE 1-Feb-1994", Dated(When.SINCE, date(1994, 2, 1), sent=True)),
        (b"SAVEDBEFORE 1-Feb-1994", Saved(When.BEFORE, date(1994, 2, 1))),
        (b"savedon 1-Feb-1994", Saved(When.ON, date(1994, 2, 1))),
        (b'SAVEDSINCE "1-Feb-1994"', Saved(When.SINCE, date(1994, 2, 1))),
        (b"SAVEDATESUPPORTED", Everything()),
        (b"YOUNGER 259200", Within(259200, younger=True)), (b"OLDER 1", Within(1, younger=False)),
        (b"LARGER 100", Sized(larger=True, octets=100)),
        (b"SMALLER 0", Sized(larger=False, octets=0)),
        (b"BCC a", HeaderHas(b"bcc", "a")), (b"CC a", HeaderHas(b"cc", "a")), (b"TO a", HeaderHas(b"to", "a")),
        (b'FROM "Smith"', HeaderHas(b"from", "Smith")),
        (b'SUBJECT ""', HeaderHas(b"subject", "")),
        (b'HEADER X-Foo "bar baz"', HeaderHas(b"x-foo", "bar baz")),
        (b"BODY hello", BodyHas("hello")), (b"TEXT hello", TextHas("hello")),
        (b"UID 1:*", Among(UidSet([(1, STAR)]))), (b"2,4:7", Among(SeqSet([(2, 2), (4, 7)]))), (b"*", Among(SeqSet([(STAR, STAR)]))),
        (b"NOT SEEN", Not(SEEN)), (b"NOT NOT SEEN", SEEN),
        (b"OR SEEN ALL", Or((SEEN, Everything()))),
        (b"OR SEEN OR ALL OR OLD NOT SEEN", Or((SEEN, Everything(), IsRecent(present=False), Not(SEEN)))),
        (b"OR OR SEEN ALL OLD", Or((SEEN, Everything(), IsRecent(present=False)))),
        (b"(SEEN)", SEEN), (b"((SEEN) (ALL))", And((SEEN, Everything()))),
        (b"NOT (SEEN ALL) OLD", And((Not(And((SEEN, Everything()))), IsRecent(present=False)))),
        (
            b'FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"',
            And((HasFlag(SystemFlag.FLAGGED), Dated(When.SINCE, date(1994, 2, 1)), Not(HeaderHas(b"from", "Smith")))),
        ),
        (b"CHARSET UTF-8 TEXT x", TextHas("x")), (b'charset "us-ascii" SEEN ', SEEN),
        (b'TEXT "\xc3\xa4"', TextHas("ä")),
        (b'FUZZY (SUBJECT "IMAP break")', HeaderHas(b"subject", "IMAP break", ("imap", "break"))),  # RFC 6203 section 3
        (
            b"FUZZY SUBJECT work FROM user@example.com",
            And((HeaderHas(b"subject", "work", ("work",)), HeaderHas(b"from", "user@example.com"))),
        ),
        (b'fuzzy FUZZY NOT BODY "Stra\xc3\x9fe"', Not(BodyHas("Straße", ("strasse",)))),
        (b"FUZZY OR SEEN (TEXT a HEADER b c) TEXT d", And((Or((SEEN, And((TextHas("a", ("a",)), HeaderHas(b"b", "c", ("c",)))))), TextHas("d")))),
        (b'FUZZY SUBJECT "..."', HeaderHas(b"subject", "...")), (b"OR FUZZY OR SEEN ALL OLD", Or((SEEN, Everything(), IsRecent(present=False)))),
    ],
)  # fmt: skip
def test_keys(text: bytes, expected: Key) -> None:
    assert key(text) == expected
    assert parse((b"a UID SEARCH " + text,)) == Search(expected, uid=True)


def test_literals_count_octets() -> None:
    assert key(b"CHARSET UTF-8 TEXT ", "é{5}\r\nx LOGOUT".encode(), b" SEEN") == And(
        (TextHas("é{5}\r\nx LOGOUT"), SEEN)
    )


@pytest.mark.parametrize(
    "text",
    [
        b"", b"()", b"(", b"(SEEN", b"SEEN)", b"( SEEN)", b"(SEEN )", b"SEEN  ALL", b"NOT", b"NOT ", b"OR", b"OR SEEN", b"OR SEEN ",
        b"(OR SEEN) ALL", b"(NOT) SEEN", b"FOO", b"LARGER", b"LARGER -1", b"LARGER 99999999999999999999", b"BEFORE", b"BEFORE x",
        b"BEFORE 31-Feb-2024", b"BEFORE 1-Foo-2024", b'ON "1-Jan-2020 "', b"UID", b"UID 0", b"UID x", b"KEYWORD", b"KEYWORD \\Seen",
        b"HEADER", b"HEADER a", b"TEXT", b'TEXT "a', b"TEXT {5}", b"CHARSET", b"CHARSET UTF-8", b"CHARSET UTF-8 ", b"0", b"1:0",
        b'CHARSET US-ASCII TEXT "\xc3\xa4"', b'TEXT "\xff"', b"SEEN CHARSET UTF-8 ALL", b"OR (SEEN) (ALL",
        b"FUZZY", b"FUZZY ", b"(FUZZY) SEEN", b"FUZZY FOO",
        b"RETURN (RELEVANCY) ALL", b"RETURN (RELEVANCY ALL) FUZZ SUBJECT x", b'RETURN (RELEVANCY) SUBJECT "FUZZY x"',
    ],
)  # fmt: skip
def test_what_is_no_search(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        key(text)


def test_other_charsets_are_refused_by_name() -> None:
    with pytest.raises(BadSyntax) as caught:
        key(b"CHARSET KOI8-R TEXT x")
    assert caught.value.answer.octets(b"a") == b"a NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"(" * 10_000 + b"ALL" + b")" * 10_000, b"NOT " * 10_000 + b"ALL", b"OR " * 5_000 + b"ALL ALL" * 5_000,
        b"OR ALL " * 5_000 + b"ALL", b"ALL " * 5_000 + b"ALL", b"(" * 4000,
        b"FUZZY " * 10_000 + b"ALL", b'FUZZY BODY "' + b" ".join(b"%d" % n for n in range(101)) + b'"',
        b"FUZZY (" + b" ".join(b"BODY %d" % n for n in range(101)) + b")",
        b"OR NOT (ALL " * 100 + b"ALL" + b") ALL" * 100,
    ],
)  # fmt: skip
def test_bombs(text: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        key(text)
    assert caught.value.answer.code == b"LIMIT"


def depth(tree: Key) -> int:
    match tree:
        case Not(inner):
            return 1 + depth(inner)
        case And(keys) | Or(keys):
            return 1 + max(map(depth, keys))
        case _:
            return 1


def test_what_is_deep_as_text_is_flat_as_a_tree() -> None:
    assert depth(key(b"OR ALL " * 400 + b"ALL")) == 2
    assert depth(key(b"NOT " * 301 + b"ALL")) == 2
    assert depth(key(b"FUZZY " * 300 + b"ALL")) == 1
    assert depth(key(b"(" * 300 + b"ALL" + b")" * 300)) == 1
    assert depth(key(b"NOT (ALL " * (DEPTH_CAP // 2 - 1) + b"ALL" + b")" * (DEPTH_CAP // 2 - 1))) <= DEPTH_CAP
