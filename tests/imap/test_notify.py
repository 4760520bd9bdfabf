"""What NOTIFY says (RFC 5465 section 9)."""

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.fetch import Body, Item
from mailstead.imap.notify import Event, Group, Notify
from mailstead.imap.scope import Reach, Scope
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.section import Section

COUNTS = frozenset((Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (b"NONE", Notify()),
        (
            b"set (selected-delayed (MessageNew (UID BODY[]) messageexpunge FlagChange))",
            Notify((
                Group(
                    Scope(Reach.SELECTED_DELAYED), COUNTS | {Event.FLAG_CHANGE},
                    (Item.UID, Body(Section(), b"BODY[]", peek=True)),
                ),
            )),
        ),
        (
            b'SET STATUS (subtree (Lists "a b") (MessageNew MessageExpunge)) (mailboxes inbox NONE)'
            b" (personal (MailboxName SubscriptionChange MailboxMetadataChange servermetadatachange))",
            Notify((
                Group(Scope(Reach.SUBTREE, frozenset(("Lists", "a b"))), COUNTS),
                Group(Scope(Reach.MAILBOXES, frozenset(("INBOX",))), frozenset()),
                Group(Scope(Reach.PERSONAL), frozenset(Event) - COUNTS - {Event.FLAG_CHANGE}),
            ), status=True),
        ),
    ],
)  # fmt: skip
def test_what_is_wanted(text: bytes, command: Notify) -> None:
    assert parse((b"a NOTIFY " + text,)) == command


@pytest.mark.parametrize(
    "text",
    [b"SET", b"SET STATUS", b"NONE x", b"MAYBE", b"SET (selected (MailboxName))", b"SET (selected (MailboxMetadataChange))", b"SET (selected (ServerMetadataChange))",
      b"SET (personal (MessageNew))",
     b"SET (personal (FlagChange))", b"SET (personal (MessageExpunge FlagChange))", b"SET (personal ())",
     b"SET (selected NONE) (selected-delayed NONE)", b"SET (personal (MessageNew (UID) MessageExpunge))",
     b"SET (subtree-one x (MailboxName))", b"SET (subtree (MailboxName))", b"SET (personal MailboxName)",
     b"SET (personal (MailboxName)"],
)  # fmt: skip
def test_what_is_no_notify(text: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a NOTIFY " + text,))
    assert caught.value.answer.code == b""


def test_events_that_are_not_known_are_named() -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a NOTIFY SET (personal (MailboxName AnnotationChange))",))
    assert caught.value.answer.octets(b"a").startswith(
        b"a NO [BADEVENT (MessageNew MessageExpunge FlagChange "
    )


@pytest.mark.parametrize(
    ("reach", "has"),
    [
        (Reach.INBOXES, {"INBOX"}), (Reach.PERSONAL, {"INBOX", "a", "a/b", "a/b/c", "ab"}),
        (Reach.SUBSCRIBED, {"a/b"}), (Reach.MAILBOXES, {"a"}), (Reach.SUBTREE, {"a", "a/b", "a/b/c"}),
        (Reach.SUBTREE_ONE, {"a", "a/b"}), (Reach.SELECTED, set()),
    ],
)  # fmt: skip
def test_scopes(reach: Reach, has: set[str]) -> None:
    scope = Scope(reach, frozenset(("a", "z")))
    names = ("INBOX", "a", "a/b", "a/b/c", "ab")
    assert {n for n in names if scope.has(n, subscribed=n == "a/b")} == has


def test_the_first_group_that_has_a_mailbox_counts() -> None:
    command = parse((b"a NOTIFY SET (mailboxes x NONE) (personal (MailboxName))",))
    assert isinstance(command, Notify)
    assert not command.of("x", subscribed=False)
    assert command.of("y", subscribed=False) == {Event.MAILBOX_NAME}
    assert not command.selected.events
