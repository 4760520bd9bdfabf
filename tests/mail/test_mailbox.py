"""Names of mailboxes have one spelling."""

import pytest

from mailstead.mail.mailbox import NAME_OCTETS, mailbox_name


def test_one_spelling() -> None:
    assert mailbox_name("inBox") == "INBOX"
    assert mailbox_name("Entwu\u0308rfe/alt") == "Entwürfe/alt"
    assert mailbox_name("INBOX/x") == "INBOX/x"
    assert mailbox_name("inBox/x/inbox") == "INBOX/x/inbox"
    assert mailbox_name("inboxes") == "inboxes"
    assert mailbox_name("x/inbox") == "x/inbox"
    assert mailbox_name("\u0131nbox") == "\u0131nbox", "a dotless i, whose capital is I"
    assert mailbox_name("x" * NAME_OCTETS) == "x" * NAME_OCTETS


@pytest.mark.parametrize(
    "bad", ["", "/", "a/", "/a", "a//b", "a\0", "a\r\nb", "a\u2028b", "ä" * 513, "x" * 1025]
)
def test_what_is_no_name(bad: str) -> None:
    with pytest.raises(ValueError, match="a mailbox name"):
        mailbox_name(bad)
