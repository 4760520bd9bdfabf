"""Object ids: the examples of RFC 8474, and what is none."""

import re

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.fetch import Fetch, Item
from mailstead.imap.mailboxes import Status, StatusItem
from mailstead.imap.objectid import email_id, mailbox_id, mailbox_id_code
from mailstead.imap.search import Search
from mailstead.imap.searchkeys import And, HasEmailId, Not, Nothing
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.uidset import STAR, SeqSet


def test_commands_of_the_rfc() -> None:
    assert parse((b"3 STATUS foo (mailboxid)",)) == Status("foo", (StatusItem.MAILBOXID,))
    found = Fetch(SeqSet([(1, STAR)]), (Item.EMAILID, Item.THREADID))
    assert parse((b"5 FETCH 1:* (EMAILID THREADID)",)) == found
    key = And((HasEmailId(b"M6d99ac3275bb4e"), Nothing()))
    assert parse((b"27 SEARCH EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9",)) == Search(key)
    assert parse((b"27 SEARCH NOT (EMAILID -_)",)) == Search(Not(HasEmailId(b"-_")))


@pytest.mark.parametrize("key", [b"EMAILID", b"THREADID"])
@pytest.mark.parametrize(
    "name", [b"", b" ", b' "M1"', b" M.1", b" (M1)", b" M1 x", b" " + b"M" * 256, b"  M1"]
)
def test_what_is_no_object_id(key: bytes, name: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((b"a SEARCH " + key + name,))


def test_ids_are_of_their_alphabet() -> None:
    """Section 7; they differ by more than case, do not begin with a digit, and tell mailboxes from messages."""
    octets = bytes(range(0xF0, 0x100))
    assert mailbox_id(octets) == b"(Ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff)"
    assert mailbox_id_code(octets) == b"MAILBOXID " + mailbox_id(octets)
    assert re.fullmatch(rb"M[0-9a-f]{32}", email_id(octets))
