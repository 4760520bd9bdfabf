"""ESEARCH, the command: where to look, and which mailbox a response is about (RFC 7377 section 4)."""

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.dialect import Dialect
from mailstead.imap.esearch import EVERYTHING, Result, Return, correlator, esearch, within
from mailstead.imap.multisearch import SOURCES_CAP, MultiSearch
from mailstead.imap.page import Page
from mailstead.imap.scope import NAMES_CAP, Reach, Scope
from mailstead.imap.searchkeys import Among, And, Everything, HasFlag, HeaderHas
from mailstead.imap.state import AFTER, State, by_number
from mailstead.imap.tokens import BadSyntax
from mailstead.imap.updates import updated
from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.uidset import SeqSet

UNSEEN = HasFlag(SystemFlag.SEEN, present=False)


def scope(reach: Reach, *names: str) -> Scope:
    return Scope(reach, frozenset(names))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (b"UNSEEN", MultiSearch(UNSEEN)),
        (b"in (selected) unseen", MultiSearch(UNSEEN)),
        (b'IN (mailboxes "folder1" subtree "folder2") unseen',  # RFC 7377 section 3
         MultiSearch(UNSEEN, (scope(Reach.MAILBOXES, "folder1"), scope(Reach.SUBTREE, "folder2")))),
        (b'IN (mailboxes "folder1" subtree-one "folder2") subject "chad"',
         MultiSearch(
             HeaderHas(b"subject", "chad"), (scope(Reach.MAILBOXES, "folder1"), scope(Reach.SUBTREE_ONE, "folder2")),
         )),
        (b"IN (personal inboxes subscribed selected) ALL",
         MultiSearch(
             Everything(),
             (scope(Reach.PERSONAL), scope(Reach.INBOXES), scope(Reach.SUBSCRIBED), scope(Reach.SELECTED)),
         )),
        (b'IN (mailboxes (a inbox "b c") personal mailboxes d personal) ALL',
         MultiSearch(Everything(), (scope(Reach.MAILBOXES, "a", "INBOX", "b c", "d"), scope(Reach.PERSONAL)))),
        (b"IN (personal) RETURN () ALL", MultiSearch(Everything(), (scope(Reach.PERSONAL),))),
        (b"IN (personal) RETURN (COUNT PARTIAL 1:5) CHARSET UTF-8 1:100 UNSEEN",
         MultiSearch(
             And((Among(SeqSet([(1, 100)])), UNSEEN)), (scope(Reach.PERSONAL),),
             Return(frozenset((Result.COUNT,)), Page(1, 5)),
         )),
        (b"IN (selected) RETURN (SAVE) ALL", MultiSearch(Everything(), asked=Return(save=True))),
        (b"RETURN (SAVE UPDATE) ALL", MultiSearch(Everything(), asked=Return(save=True, update=True))),
    ],
)  # fmt: skip
def test_where_to_look(text: bytes, command: MultiSearch) -> None:
    assert parse((b"a ESEARCH " + text,)) == command


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b" IN", b" IN ALL", b" IN () ALL", b" IN (selected-delayed) ALL", b" IN (everything) ALL", b" IN (personal) ",
        b" IN (personal)", b" IN (personal ALL", b" IN (personal)ALL", b" IN (mailboxes) ALL", b" IN (mailboxes ()) ALL", b" IN (subtree) ALL",
        b" IN ((personal)) ALL", b" IN (personal (depth 1)) ALL", b" IN (mailboxes a (depth 1)) ALL", b" IN (personal ) ALL",
        b" IN (personal) IN (personal) ALL", b" RETURN (ALL) IN (personal) ALL", b" IN (personal) CHARSET UTF-8 RETURN (ALL) ALL",
        b" IN (personal) RETURN (SAVE) ALL", b" IN (selected personal) RETURN (SAVE COUNT) ALL", b" IN (inboxes) RETURN (COUNT SAVE) ALL",
        b" IN (personal) RETURN (RELEVANCY) SUBJECT x", b" IN (personal) COLOUR red",
    ],
)  # fmt: skip
def test_what_is_no_search(text: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a ESEARCH" + text,))
    assert caught.value.answer.code == b""


def test_uid_does_not_stand_before_it() -> None:
    with pytest.raises(BadSyntax, match="Unknown command"):
        parse((b"a UID ESEARCH ALL",))


def test_there_is_an_end_to_sources() -> None:
    many = b" ".join([b"mailboxes (a b)"] * SOURCES_CAP)
    assert len(parse((b"a ESEARCH IN (%b) ALL" % many,)).scopes) == 1
    names = b" ".join([b"n%d" % n for n in range(NAMES_CAP + 1)])
    for too_many in (many + b" personal", b"subtree (%b)" % names):
        with pytest.raises(BadSyntax) as caught:
            parse((b"a ESEARCH IN (%b) ALL" % too_many,))
        assert caught.value.answer.code == b"LIMIT"


def test_charsets_and_dialects() -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a ESEARCH IN (personal) CHARSET KOI8-R ALL",))
    assert caught.value.answer.code.startswith(b"BADCHARSET")
    with pytest.raises(BadSyntax):
        parse((b"a ESEARCH CHARSET UTF-8 ALL",), dialect=Dialect(accept=True))  # RFC 6855 section 3
    with pytest.raises(BadSyntax) as caught:
        parse((b"a ESEARCH IN (personal) 1:5",), dialect=Dialect(uid_only=True))
    assert caught.value.answer.code == b"UIDREQUIRED"
    name = "Köln"
    found = parse((b'a ESEARCH IN (mailboxes "%b") ALL' % name.encode(),), dialect=Dialect(rev2=True))
    assert found == parse((b"a ESEARCH IN (mailboxes K&APY-ln) ALL",))


@pytest.mark.parametrize(
    ("command", "has", "has_not"),
    [
        (b"subtree a", ["a", "a/b", "a/b/c"], ["INBOX", "ab", "b/a", "A"]),
        (b"subtree-one a", ["a", "a/b"], ["a/b/c", "INBOX", "ab"]),
        (b"subtree (a b/c) mailboxes x", ["a/z", "b/c", "b/c/d", "x"], ["b", "x/y"]),
        (b"mailboxes (inbox a)", ["INBOX", "a"], ["a/b", "INBOX/a"]),
        (b"inboxes", ["INBOX"], ["a", "INBOX/a"]), (b"personal", ["INBOX", "a", "a/b"], []),
        (b"selected", [], ["INBOX", "a"]), (b"subscribed", [], ["a"]),
    ],
)  # fmt: skip
def test_which_mailboxes_are_meant(command: bytes, has: list[str], has_not: list[str]) -> None:
    found = parse((b"a ESEARCH IN (%b) ALL" % command,))
    assert isinstance(found, MultiSearch)
    assert [name for name in (*has, *has_not) if found.has(name, subscribed=False)] == has
    assert found.has("any", subscribed=True) == (command in (b"subscribed", b"personal"))
    assert found.of_selected == (command == b"selected")


def test_it_is_a_command_of_who_is_logged_in() -> None:
    """RFC 7377 section 4: command-auth and command-select."""
    assert [state for state in State if MultiSearch in AFTER[state]] == [State.AUTHENTICATED, State.SELECTED]
    assert not by_number(MultiSearch(Everything())), (
        "it names messages by UID, so others may lose their number"
    )


def test_responses_name_their_mailbox() -> None:
    """RFC 7377 section 3."""
    place = within("folder2/banana", 503, utf8=False)
    assert esearch(correlator(b"tag1", place), EVERYTHING, [3002, 4004], None, uid=True) == (
        b'* ESEARCH (TAG "tag1" MAILBOX "folder2/banana" UIDVALIDITY 503) UID ALL 3002,4004\r\n'
    )
    assert updated(correlator(b"t", place), [], [(0, [5])], uid=True) == (
        b'* ESEARCH (TAG "t" MAILBOX "folder2/banana" UIDVALIDITY 503) UID ADDTO (0 5)\r\n'
    )
    assert within('a "b" Köln', 1, utf8=False) == rb' MAILBOX "a \"b\" K&APY-ln" UIDVALIDITY 1'
    assert within("Köln", 1, utf8=True) == ' MAILBOX "Köln" UIDVALIDITY 1'.encode()
