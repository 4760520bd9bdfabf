"""REPLACE, up to where its message begins (RFC 8508 section 5)."""

import pytest

from mailstead.imap.append import Literal, Upcoming, Url
from mailstead.imap.commands import parse
from mailstead.imap.replace import Replace
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.uidset import STAR, SeqSet, UidSet
from tests.imap.test_append import announced

DRAFT = (Upcoming(Flags(SystemFlag.SEEN | SystemFlag.DRAFT), None), Literal(312))
PLAIN = (Upcoming(Flags(), None), Literal(312))


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        ((b"A003 REPLACE 4 Drafts (\\Seen \\Draft) ",), Replace(SeqSet([(4, 4)]), "Drafts", DRAFT)),
        ((b"A004 UID REPLACE 2000 Drafts (\\Seen \\Draft) ",), Replace(UidSet([(2000, 2000)]), "Drafts", DRAFT)),
        ((b"a replace * inbox ",), Replace(SeqSet([(STAR, STAR)]), "INBOX", PLAIN)),
        ((b"a uid replace * inbox ",), Replace(UidSet([(STAR, STAR)]), "INBOX", PLAIN)),
        ((b"a REPLACE 1 ", b"a b", b" utf8 (",), Replace(SeqSet([(1, 1)]), "a b", (Upcoming(Flags(), None), Literal(312, utf8=True)))),
        ((b"A011 UID REPLACE 3002 Drafts CATENATE (URL /a TEXT ",), Replace(UidSet([(3002, 3002)]), "Drafts", (Upcoming(Flags(), None), Url(b"/a"), Literal(312)))),
    ],
)  # fmt: skip
def test_heads(parts: tuple[bytes, ...], command: Replace) -> None:
    found = announced(parts, 312)
    assert found == command
    assert isinstance(found, Replace)
    assert type(found.message) is type(command.message)
    with pytest.raises(BadSyntax):
        parse(parts)


@pytest.mark.parametrize(
    "rest", [b"", b"1", b"x ", b"Drafts ", b"0 x ", b"4294967296 x ", b"01 x ", b"1:2 x ", b"1,2 x ", b"$ x ", b"1  x ", b"1 x", b"1 x () () ", b"-1 x "]
)  # fmt: skip
def test_what_is_no_replace(rest: bytes) -> None:
    for head in (b"a REPLACE ", b"a UID REPLACE "):
        with pytest.raises(BadSyntax):
            announced((head + rest,), 1)


def test_which_literal_is_the_message() -> None:
    for head in (b"a REPLACE 1 ", b"a UID REPLACE 1 "):
        assert announced((head,), 1) is None
