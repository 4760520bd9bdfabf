"""APPEND, up to where its message begins."""

import pytest

from mailstead.imap.append import Append, Upcoming, mailbox_follows
from mailstead.imap.commands import parse_append
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        ((b"A003 APPEND saved-messages (\\Seen) ",), Append("saved-messages", Upcoming(Flags(SystemFlag.SEEN), None, 310))),
        ((b"a append INBOX ",), Append("INBOX", Upcoming(Flags(), None, 310))),
        ((b"a APPEND ", b"a b", b" () ",), Append("a b", Upcoming(Flags(), None, 310))),
        ((b'a APPEND x (\\Draft k) "17-Jul-1996 02:44:25 -0700" ',), Append("x", Upcoming(Flags(SystemFlag.DRAFT, frozenset("k")), 837596665, 310))),
        ((b"a APPEND x (\\Seen) utf8 (",), Append("x", Upcoming(Flags(SystemFlag.SEEN), None, 310, utf8=True))),
        ((b'a APPEND x " 1-jan-1970 00:00:00 +0000" ',), Append("x", Upcoming(Flags(), 0, 310))),
    ],
)  # fmt: skip
def test_heads(parts: tuple[bytes, ...], command: Append) -> None:
    assert parse_append(parts, 310) == command


@pytest.mark.parametrize(
    "rest",
    [
        b"", b"INBOX", b"INBOX(\\Seen) ", b"INBOX (\\Recent) ", b"INBOX (\\Seen)", b"INBOX x ", b'INBOX "x" ', b"INBOX () () ", b"INBOX UTF8 ", b"INBOX UTF8(",  b"INBOX UTF8 () ",
        b'INBOX "99-Foo-0000 00:00:00 +0000" ', b'INBOX "31-Feb-2024 00:00:00 +0000" ', b'INBOX "01-Jan-2024 00:00:00 +9999" ',
        b'INBOX "01-Jan-0000 00:00:00 +0000" ', b'INBOX "01-Jan-2024 24:00:00 +0000" ', b'INBOX "1-Jan-2024 00:00:00 +0000" ',
        b'INBOX "01-Jan-2024 00:00:00" ', b'INBOX "01-Jan-2024 00:00:00 +0060" ', b'"" ', b'"/etc" ',
    ],
)  # fmt: skip
def test_what_is_no_append(rest: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse_append((b"a APPEND " + rest,), 1)


@pytest.mark.parametrize(
    "date", [b"31-Dec-9999 23:59:59 -2359", b"01-Jan-0001 00:00:00 +2359", b"30-Jun-2015 23:59:60 +0000"]
)
def test_far_away_dates(date: bytes) -> None:
    assert isinstance(parse_append((b'a APPEND x "' + date + b'" ',), 1).first.internal_date, int)


def test_which_literal_is_the_message() -> None:
    assert mailbox_follows((b"a APPEND ",))
    assert not mailbox_follows((b"a APPEND x ",))
    assert not mailbox_follows((b"a APPEND ", b"x", b" "))
