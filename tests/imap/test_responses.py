"""Responses: strings cannot end them, every reason has one, and a client reads back what was meant."""

import imaplib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.errors import Reason
from mailstead.imap import responses
from mailstead.imap.capability import Offer
from mailstead.imap.commands import READ
from mailstead.imap.dialect import Dialect
from mailstead.imap.mutf7 import encode
from mailstead.imap.news import told, vanished
from mailstead.imap.responses import FOR_REASON, Answer, Condition
from mailstead.imap.tokens import Tokens
from mailstead.imap.view import MailboxView, uid_array
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Modseq, SystemFlag
from mailstead.mail.uidset import UidSet


def test_every_reason_has_an_answer() -> None:
    assert set(FOR_REASON) == set(Reason)
    assert all(a.condition is Condition.NO for a in FOR_REASON.values())


def test_answers() -> None:
    assert responses.ok("Done").octets(b"a1") == b"a1 OK Done\r\n"
    assert responses.no("No", b"TRYCREATE").octets(b"a1") == b"a1 NO [TRYCREATE] No\r\n"
    assert responses.LOGGING_OUT.octets(b"a1") == b"* BYE Logging out\r\n"
    assert Answer(Condition.PREAUTH, "Hi").octets() == b"* PREAUTH Hi\r\n"


def test_data() -> None:
    seen = Flags(SystemFlag.SEEN, frozenset(("b", "a")))
    assert responses.flag_names(seen) == b"\\Seen a b"
    assert responses.flag_names(Flags(), recent=True) == b"\\Recent"
    assert responses.flag_names(Flags()) == b""
    assert responses.flag_names(Flags(keywords=frozenset(("x",)))) == b"x"
    assert (
        responses.defined_flags(["$Junk"])
        == b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk)\r\n"
    )
    assert responses.permanent_flags([], writable=True).startswith(
        b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] "
    )
    assert responses.permanent_flags(["x"], writable=False).startswith(b"* OK [PERMANENTFLAGS ()] ")
    assert responses.exists(3) + responses.recent(1) == b"* 3 EXISTS\r\n* 1 RECENT\r\n"
    assert responses.fetch(
        2, [b"UID 5", responses.item(b"BODY[TEXT]", b"hi"), responses.item(b"BODY[9]", None)]
    ) == (b'* 2 FETCH (UID 5 BODY[TEXT] "hi" BODY[9] NIL)\r\n')
    assert responses.item(b"BODY[]", b"x" * 100) == b"BODY[] {100}\r\n" + b"x" * 100
    assert responses.item(b"BODY[]", b"a\r\n") == b"BODY[] {3}\r\na\r\n"
    assert responses.literal(b"BODY[]", 7) == b"BODY[] {7}\r\n"
    form = responses.fetch_form(b"FETCH", uid=True, flags=True)
    assert form % (1, 5, b"\\Seen") == b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n"
    assert (
        responses.fetch_form(b"UIDFETCH", uid=False, modseq=True) % (5, 9) == b"* 5 UIDFETCH (MODSEQ (9))\r\n"
    )
    assert (
        responses.status("ä", [(b"MESSAGES", 1), (b"UNSEEN", 0)])
        == b'* STATUS "&AOQ-" (MESSAGES 1 UNSEEN 0)\r\n'
    )
    assert responses.search([]) == b"* SEARCH\r\n"
    assert responses.search([2, 84]) == b"* SEARCH 2 84\r\n"
    assert responses.enabled([b"CONDSTORE"]) == b"* ENABLED CONDSTORE\r\n"
    assert responses.namespaces() == b'* NAMESPACE (("" "/")) NIL NIL\r\n'
    assert responses.server_id([(b"name", b"mailstead")]) == b'* ID ("name" "mailstead")\r\n'
    assert responses.server_id([]) == b"* ID NIL\r\n"
    assert responses.my_rights("INBOX") == b'* MYRIGHTS "INBOX" lrswipkxtecda\r\n'
    assert responses.acl("INBOX", "bob") == b'* ACL "INBOX" "bob" lrswipkxtecda\r\n'
    assert responses.list_rights("INBOX", b"eve", owner=False) == b'* LISTRIGHTS "INBOX" "eve" ""\r\n'
    assert responses.append_uid(38505, UidSet.of([3955])) == b"APPENDUID 38505 3955"
    assert (
        responses.copy_uid(38505, [(304, 3956), (319, 3957), (320, 3958)])
        == b"COPYUID 38505 304,319:320 3956:3958"
    )
    assert responses.copy_uid(1, [(5, 2), (4, 3)]) == b"COPYUID 1 5,4 2:3"
    assert responses.copy_uid(1, []) == b""


def test_news_in_its_order() -> None:
    view = MailboxView(uid_array([3, 4, 9]), recent=UidSet.of([9]))
    view.expunge([4])
    view.arrive([10], recent=True)
    view.change(9, Flags(SystemFlag.SEEN, frozenset(("new",))), Modseq(7))
    assert told(view.tell(expunges=True)) == (
        b"* 2 EXPUNGE\r\n* 3 EXISTS\r\n* 2 RECENT\r\n"
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft new)\r\n"
        b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft new \\*)] Flags permitted\r\n"
        b"* 2 FETCH (UID 9 FLAGS (\\Seen \\Recent new))\r\n"
    )
    view.change(3, Flags(), Modseq(8))
    assert told(view.tell(expunges=False)) == b"* 1 FETCH (UID 3 FLAGS ())\r\n"
    assert told([]) == b""


def test_news_for_who_asked_for_mod_sequences_and_for_uids() -> None:
    view = MailboxView(uid_array([3, 4, 5, 9]))
    view.expunge([4, 5, 9])
    view.change(3, Flags(SystemFlag.SEEN), Modseq(8))
    assert told(view.tell(expunges=True), Dialect(modseqs=True, qresync=True)) == (
        b"* VANISHED 4:5,9\r\n* 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (8))\r\n"
    )
    assert vanished([], earlier=True) == b""
    assert vanished([7], earlier=True) == b"* VANISHED (EARLIER) 7\r\n"


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_a_name_is_one_token(name: str) -> None:
    octets = responses.mailbox(name)
    assert octets.isascii()
    assert b"\r" not in octets
    assert Tokens((octets,)).string() == encode(name)


@pytest.mark.parametrize("evil", [b"a\r\nb OK x", b')"', b"{5}", b'"', b"]", b"\\", b"\xc3\xa4", b"\n"])
def test_strings_cannot_end_a_response(evil: bytes) -> None:
    octets = responses.item(b"X", evil)
    if octets.startswith(b'X "'):
        tokens = Tokens((octets[2:],))
        assert tokens.string() == evil
        tokens.end()
    else:
        assert octets == b"X {%d}\r\n%b" % (len(evil), evil)


def test_python_reads_our_flags() -> None:
    names = responses.flag_names(Flags(SystemFlag(9), frozenset(("$Junk",))))
    line = responses.fetch_form(b"FETCH", uid=True, flags=True) % (1, 5, names)
    assert imaplib.ParseFlags(line) == (b"\\Answered", b"\\Seen", b"$Junk")


def test_what_is_offered() -> None:
    before = Offer(logged_in=False, starttls=True, plaintext_login=False, append_limit=1)
    assert b"STARTTLS" in before.names().split()
    assert b"LOGINDISABLED" in before.names().split()
    assert b"AUTH=" not in before.names()
    tls = Offer(logged_in=False, starttls=False, plaintext_login=True, append_limit=1).names().split()
    assert {b"AUTH=PLAIN", b"AUTH=LOGIN", b"SASL-IR", b"LITERAL+"} <= set(tls)
    assert not {b"STARTTLS", b"LOGINDISABLED"} & set(tls)
    after = Offer(logged_in=True, starttls=False, plaintext_login=True, append_limit=52_428_800)
    assert {b"UIDPLUS", b"MOVE", b"IDLE", b"SPECIAL-USE", b"LIST-EXTENDED"} <= set(after.names().split())
    assert b"APPENDLIMIT=52428800" in after.names().split()
    assert b"AUTH=PLAIN" not in after.names()
    assert b"COMPRESS=DEFLATE" in after.names().split()
    assert b"COMPRESS" not in before.names()
    compressing = replace(after, compressing=True)
    assert compressing.names() == after.names().replace(b" COMPRESS=DEFLATE", b"")
    assert after.code() == b"CAPABILITY " + after.names()
    assert after.octets() == b"* CAPABILITY " + after.names() + b"\r\n"
    for name in (b"IDLE", b"ENABLE", b"NAMESPACE", b"ID", b"UNSELECT", b"MOVE"):
        assert name in READ
