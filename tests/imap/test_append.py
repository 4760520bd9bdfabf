"""APPEND, up to where its message begins."""

from collections.abc import Generator

import pytest

from mailstead.imap.append import Append, Literal, Steps, Upcoming, Url
from mailstead.imap.commands import head_of, parse
from mailstead.imap.replace import Replace
from mailstead.imap.tokens import BadSyntax, Parts, Tokens
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag


def announced(parts: Parts, size: int) -> Append | Replace | Steps | None:
    """What is said up to a literal of *size* octets behind *parts*."""
    head = head_of(parts[0])
    course = head.read(Tokens(parts, head.at, announced=size))
    assert isinstance(course, Generator)
    return next(course)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        ((b"A003 APPEND saved-messages (\\Seen) ",), Append("saved-messages", (Upcoming(Flags(SystemFlag.SEEN), None), Literal(310)))),
        ((b"a append INBOX ",), Append("INBOX", (Upcoming(Flags(), None), Literal(310)))),
        ((b"a APPEND ", b"a b", b" () ",), Append("a b", (Upcoming(Flags(), None), Literal(310)))),
        ((b'a APPEND x (\\Draft k) "17-Jul-1996 02:44:25 -0700" ',), Append("x", (Upcoming(Flags(SystemFlag.DRAFT, frozenset("k")), 837596665), Literal(310)))),
        ((b"a APPEND x (\\Seen) utf8 (",), Append("x", (Upcoming(Flags(SystemFlag.SEEN), None), Literal(310, utf8=True)))),
        ((b'a APPEND x " 1-jan-1970 00:00:00 +0000" ',), Append("x", (Upcoming(Flags(), 0), Literal(310)))),
        ((b'a APPEND x catenate (url "/a" URL /b text ',), Append("x", (Upcoming(Flags(), None), Url(b"/a"), Url(b"/b"), Literal(310)))),
        ((b"a APPEND x () CATENATE (URL ", b"/a/;UID=1", b" UTF8 (",), Append("x", (Upcoming(Flags(), None), Url(b"/a/;UID=1"), Literal(310, utf8=True)))),
        ((b"a APPEND x CATENATE (URL /a) CATENATE (TEXT ",), Append("x", (Upcoming(Flags(), None), Url(b"/a"), Upcoming(Flags(), None), Literal(310)))),
        ((b"a APPEND ",), None), ((b"a APPEND x CATENATE (URL ",), None), ((b"a APPEND x CATENATE (URL ", b"/a", b" URL "), None),
    ],
)  # fmt: skip
def test_heads(parts: Parts, command: Append | None) -> None:
    assert announced(parts, 310) == command


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        ((b"a APPEND x CATENATE (URL /a)",), Append("x", (Upcoming(Flags(), None), Url(b"/a")))),
        ((b"a APPEND x CATENATE (URL ", b"/a", b' URL "b c") (\\Seen) CATENATE (URL "") ',), Append("x", (Upcoming(Flags(), None), Url(b"/a"), Url(b"b c"), Upcoming(Flags(SystemFlag.SEEN), None), Url(b"")))),
    ],
)  # fmt: skip
def test_messages_without_a_literal_of_their_own(parts: Parts, command: Append) -> None:
    assert parse(parts) == command


@pytest.mark.parametrize(
    "rest",
    [b"x CATENATE", b"x CATENATE ()", b"x CATENATE (URL)", b"x CATENATE (URL /a", b"x CATENATE (URL /a )", b"x CATENATE ( URL /a)", b"x CATENATE (/a)",
     b"x CATENATE (URL /a URL)", b"x CATENATE (URL /a)(URL /b)", b"x CATENATE(URL /a)", b"x CATENATE (TEXT \"a\")", b"x CATENATE (TEXT /a)", b"x CATENATE (URL /a) y",
     b"x CATENATE (URL (/a))", b"x (URL /a)", b"x URL /a", b"x CATENATE (UTF8 (/a))", b"x CATENATE (URL /a)  CATENATE (URL /a)", b"x", b"x ",
     b'x CATENATE (URL "' + b"u" * 8193 + b'")', b"x CATENATE (" + b" ".join([b"URL /a"] * 501) + b")", b"x" + b" CATENATE (URL /a)" * 501],
)  # fmt: skip
def test_what_is_not_catenated(rest: bytes) -> None:
    for head in (b"a APPEND ", b"a REPLACE 1 "):
        with pytest.raises(BadSyntax):
            parse((head + rest,))
    with pytest.raises(BadSyntax):
        parse((b"a REPLACE 1 x CATENATE (URL /a) CATENATE (URL /a)",))


@pytest.mark.parametrize(
    "rest",
    [
        b"INBOX", b"INBOX(\\Seen) ", b"INBOX (\\Recent) ", b"INBOX (\\Seen)", b"INBOX x ", b'INBOX "x" ', b"INBOX () () ", b"INBOX UTF8 ", b"INBOX UTF8(",  b"INBOX UTF8 () ",
        b'INBOX "99-Foo-0000 00:00:00 +0000" ', b'INBOX "31-Feb-2024 00:00:00 +0000" ', b'INBOX "01-Jan-2024 00:00:00 +9999" ',
        b'INBOX "01-Jan-0000 00:00:00 +0000" ', b'INBOX "01-Jan-2024 24:00:00 +0000" ', b'INBOX "1-Jan-2024 00:00:00 +0000" ',
        b'INBOX "01-Jan-2024 00:00:00" ', b'INBOX "01-Jan-2024 00:00:00 +0060" ', b'"" ', b'"/etc" ',
    ],
)  # fmt: skip
def test_what_is_no_append(rest: bytes) -> None:
    with pytest.raises(BadSyntax):
        announced((b"a APPEND " + rest,), 1)


@pytest.mark.parametrize(
    "date", [b"31-Dec-9999 23:59:59 -2359", b"01-Jan-0001 00:00:00 +2359", b"30-Jun-2015 23:59:60 +0000"]
)
def test_far_away_dates(date: bytes) -> None:
    found = announced((b'a APPEND x "' + date + b'" ',), 1)
    assert isinstance(found, Append)
    assert isinstance(found.steps[0], Upcoming)
    assert isinstance(found.steps[0].internal_date, int)


def test_which_literal_is_the_message() -> None:
    assert announced((b"a APPEND ",), 1) is None
    for parts in ((b"a APPEND x ",), (b"a APPEND ", b"x", b" ")):
        assert isinstance(announced(parts, 1), Append)
        with pytest.raises(BadSyntax):
            parse(parts)
