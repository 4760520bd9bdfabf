"""LIST and LSUB: patterns against a slow matcher that is easy to believe, and the RFC's examples."""

import re
import time
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.listing import Entry, Listed, listed, subscribed
from mailstead.imap.patterns import Pattern
from mailstead.imap.specialuse import SPECIAL_USE
from mailstead.mail.mailbox import FIRST_MAILBOXES, SpecialUse


def slow(pattern: str, name: str) -> bool:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(c) or re.escape(c) for c in pattern)
    return re.fullmatch(expression, name, re.DOTALL) is not None


@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=8))
def test_matching(pattern: str, name: str) -> None:
    assert (name in Pattern("", pattern)) == slow(pattern, name)
    assert (name in Pattern(pattern[:3], pattern[3:])) == slow(pattern, name)


def test_inbox_in_any_case() -> None:
    for pattern in ("inbox", "InBox", "in*", "%BOX", "*", "%", "inbo%", "INBOX"):
        assert "INBOX" in Pattern("", pattern)
    assert "INBOX/a" in Pattern("", "inbox/*")
    assert "INBOX/a" in Pattern("inbox/", "%")
    assert "Inbox/a" in Pattern("", "Inbox/%")
    assert "INBOX" not in Pattern("", "inboxes")
    for pattern in ("in*", "inbox*", "%/a", "%x/%"):
        assert "INBOX/a" in Pattern("", pattern)
        assert "INBOX/A" in Pattern("", pattern.replace("a", "A"))
    for pattern in ("inboxes", "inbox*", "inbox%", "inbox/A", "\u0131nbox", "\u0131nbo%"):
        assert "INBOXes" not in Pattern("", pattern)
        assert "INBOX/a" not in Pattern("", pattern.replace("*", "%"))
    assert "INBOX" not in Pattern("", "\u0131nbo%")
    assert "INBOX" not in Pattern("", "\u0131nbox")
    assert "drafts" not in Pattern("", "DRAFTS")
    assert "Drafts" not in Pattern("", "dr*")


def test_no_pattern_is_slow() -> None:
    begun = time.perf_counter()
    for pattern in ("*a" * 500, "%a" * 500 + "b", "*%" * 1000 + "b"):
        assert "a" * 1000 not in Pattern("", pattern + "c")
    assert time.perf_counter() - begun < 2


ENTRIES = [Entry(name, use, subscribed=name != "Junk") for name, use in FIRST_MAILBOXES]
DEEP = [
    *ENTRIES,
    Entry("foo/bar/baz", subscribed=True),
    Entry("foo/bar", subscribed=False),
    Entry("ä", subscribed=True),
]


def lines(found: Iterable[Listed], response: bytes = b"LIST") -> bytes:
    return b"".join(f.octets(response) for f in found)


def test_what_an_account_begins_with() -> None:
    assert lines(listed(ENTRIES, Pattern("", "*"))) == (
        b'* LIST (\\HasNoChildren) "/" "INBOX"\r\n* LIST (\\HasNoChildren \\Drafts) "/" "Drafts"\r\n'
        b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"\r\n* LIST (\\HasNoChildren \\Junk) "/" "Junk"\r\n'
        b'* LIST (\\HasNoChildren \\Trash) "/" "Trash"\r\n* LIST (\\HasNoChildren \\Archive) "/" "Archive"\r\n'
    )
    assert set(SPECIAL_USE) == set(SpecialUse)


def test_levels_without_a_mailbox() -> None:
    assert lines(listed(DEEP, Pattern("", "f%"))) == b'* LIST (\\Noselect \\HasChildren) "/" "foo"\r\n'
    assert lines(listed(DEEP, Pattern("", "foo*"))) == (
        b'* LIST (\\HasNoChildren) "/" "foo/bar/baz"\r\n* LIST (\\Noselect \\HasChildren) "/" "foo"\r\n'
        b'* LIST (\\HasChildren) "/" "foo/bar"\r\n'
    )
    assert lines(listed(DEEP, Pattern("foo/", "%"))) == b'* LIST (\\HasChildren) "/" "foo/bar"\r\n'


def test_names_are_encoded() -> None:
    assert lines(listed(DEEP, Pattern("", "ä"))) == b'* LIST (\\HasNoChildren) "/" "&AOQ-"\r\n'
    assert Listed('a"\\ä').octets(utf8=True) == b'* LIST () "/" "a\\"\\\\\xc3\xa4"\r\n'
    assert Listed('a"\\b').octets() == b'* LIST () "/" "a\\"\\\\b"\r\n'


def test_subscriptions_of_the_rfc() -> None:
    assert lines(subscribed(DEEP, Pattern("", "%")), b"LSUB").splitlines() == [
        b'* LSUB () "/" "INBOX"', b'* LSUB () "/" "Drafts"', b'* LSUB () "/" "Sent"', b'* LSUB () "/" "Trash"',
        b'* LSUB () "/" "Archive"', b'* LSUB (\\Noselect) "/" "foo"', b'* LSUB () "/" "&AOQ-"',
    ]  # fmt: skip
    assert lines(subscribed(DEEP, Pattern("", "foo*")), b"LSUB") == b'* LSUB () "/" "foo/bar/baz"\r\n'
