"""Commands: the RFC's own, what programs really send, and what nobody should."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.imap import commands
from mailstead.imap.commands import READ, READ_UID, parse
from mailstead.imap.dialect import Dialect
from mailstead.imap.listing import List, Lsub
from mailstead.imap.mailboxes import (
    Check,
    Close,
    Create,
    Delete,
    DeleteAcl,
    Examine,
    Expunge,
    GetAcl,
    ListRights,
    MyRights,
    Rename,
    Select,
    SetAcl,
    Status,
    StatusItem,
    Subscribe,
    Unselect,
    Unsubscribe,
)  # fmt: skip
from mailstead.imap.responses import Condition
from mailstead.imap.session import (
    Authenticate,
    Capability,
    Compress,
    Enable,
    Id,
    Idle,
    Login,
    Logout,
    Namespace,
    Noop,
    StartTls,
)  # fmt: skip
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.mailbox import SpecialUse
from mailstead.mail.uidset import STAR, UidSet


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"abcd CAPABILITY", Capability()),
        (b"a002 noop", Noop()),
        (b"A023 LOGOUT ", Logout()),
        (b"a001 LOGIN SMITH SESAME", Login(b"SMITH", b"SESAME")),
        (b'a1 login "a\\"b" "p\\\\w d"', Login(b'a"b', b"p\\w d")),
        (b"a1 LOGIN a]b c]", Login(b"a]b", b"c]")),
        (b'a1 LOGIN bob "p\xc3\xa4ss"', Login(b"bob", "päss".encode())),
        (b"a002 STARTTLS", StartTls()),
        (b"a001 AUTHENTICATE gssapi", Authenticate("GSSAPI")),
        (b"C01 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=", Authenticate("PLAIN", b"test\0test\0test")),
        (b"C01 AUTHENTICATE EXTERNAL =", Authenticate("EXTERNAL", b"")),
        (b"t1 compress deflate", Compress("DEFLATE")),
        (b"t1 ENABLE CONDSTORE utf8=accept", Enable(("CONDSTORE", "UTF8=ACCEPT"))),
        (b'a023 ID ("name" "sodr" "version" NIL)', Id(((b"name", b"sodr"), (b"version", None)))),
        (b"a042 ID NIL", Id()),
        (b"a042 ID ()", Id()),
        (b"C: NAMESPACE", Namespace()),
        (b"A002 IDLE", Idle()),
        (b"A142 SELECT INBOX", Select("INBOX")),
        (b"A142 SELECT inBox", Select("INBOX", spelled="inBox")),
        (b'A142 SELECT "Entw&APw-rfe/a b"', Select("Entwürfe/a b")),
        (b"A932 EXAMINE blurdybloop", Examine("blurdybloop")),
        (b"A003 CREATE owatagusiam/", Create("owatagusiam")),
        (b"t1 CREATE MyDrafts (USE (\\Drafts))", Create("MyDrafts", SpecialUse.DRAFTS)),
        (b'a create "a b/" (use (\\sent \\Sent))', Create("a b", SpecialUse.SENT)),
        (b"a CREATE x (USE ()) ", Create("x")),
        (b"A683 DELETE blurdybloop", Delete("blurdybloop")),
        (b"Z433 RENAME INBOX old-mail", Rename("INBOX", "old-mail")),
        (b"A002 SUBSCRIBE #news.comp.mail.mime", Subscribe("#news.comp.mail.mime")),
        (b"A002 UNSUBSCRIBE #news.comp.mail.mime", Unsubscribe("#news.comp.mail.mime")),
        (b'A101 LIST "" ""', List("", ("",))),
        (b"A202 LIST ~/Mail/ %", List("~/Mail/", ("%",))),
        (b'A1 LIST "" *', List("", ("*",))),
        (b'A1 LIST "" "INBOX/*"', List("", ("INBOX/*",))),
        (b'A002 LSUB "news." "comp.mail.*"', Lsub("news.", "comp.mail.*")),
        (
            b"A042 STATUS blurdybloop (UIDNEXT MESSAGES uidnext)",
            Status("blurdybloop", (StatusItem.UIDNEXT, StatusItem.MESSAGES)),
        ),
        (b"A003 MYRIGHTS INBOX", MyRights("INBOX")),
        (b"A002 GETACL INBOX", GetAcl("INBOX")),
        (b"A035 SETACL INBOX John lrQswicda", SetAcl("INBOX")),
        (b"B001 DELETEACL INBOX Fred", DeleteAcl("INBOX")),
        (b"A001 LISTRIGHTS ~/Mail/saved smith", ListRights("~/Mail/saved", b"smith")),
        (b"FXXZ CHECK", Check()),
        (b"A341 CLOSE", Close()),
        (b"A342 UNSELECT", Unselect()),
        (b"A202 EXPUNGE", Expunge()),
        (b"A003 UID EXPUNGE 3000:3002,*", Expunge(UidSet([(3000, 3002), (STAR, STAR)]))),
    ],
)  # fmt: skip
def test_commands_of_the_rfcs(line: bytes, command: object) -> None:
    if line.startswith(b"C:"):
        line = b"a" + line[2:]
    assert parse((line,)) == command


def test_literals_are_strings() -> None:
    assert parse((b"a LOGIN ", b"bo\r\nb", b" ", b"", b"")) == Login(b"bo\r\nb", b"")
    assert parse((b"a SELECT ", b"INBOX", b"")) == Select("INBOX")
    assert parse((b"a ID (", b"name", b" ", b"x", b")")) == Id(((b"name", b"x"),))


@pytest.mark.parametrize(
    "line",
    [
        b"", b" ", b"a", b"a ", b" NOOP", b"a  NOOP", b"* NOOP", b"+ NOOP", b"a+ NOOP", b"a% NOOP", b"a{ NOOP",
        b"a( NOOP", b"a) NOOP", b"a\0 NOOP", b'a" NOOP', b"a] NOOP", b"a\rb NOOP", b"\xc3\xa4 NOOP", b"a" * 129 + b" NOOP",
        b"a NOOP x", b"a NOOP (", b"a NO\xc3\x96P", b"a FOO", b"a UID", b"a UID FOO", b"a UID NOOP", b"a UID LOGIN a b",
        b"a LOGIN", b"a LOGIN a", b"a LOGIN  a b", b"a LOGIN a b c", b'a LOGIN "a b', b'a LOGIN "a\0" b', b"a LOGIN a\0 b",
        b'a LOGIN "a\\b" c', b"a LOGIN {3} b", b"a LOGIN (a) b", b"a LOGIN a\rb c", b'a LOGIN "a\rb" c',
        b"a AUTHENTICATE", b"a AUTHENTICATE PLAIN !", b"a AUTHENTICATE PLAIN YQ", b"a AUTHENTICATE PLAIN YQ== x",
        b"a COMPRESS", b"a COMPRESS ", b'a COMPRESS "DEFLATE"', b"a COMPRESS DEFLATE X",
        b"a ENABLE", b"a ENABLE ", b"a ENABLE " + b" ".join([b"X"] * 51),
        b"a ID", b'a ID ("a")', b'a ID ("a" "b"', b"a ID (a b)", b"a ID (" + b" ".join([b'"a" NIL'] * 101) + b")",
        b"a STATUS INBOX", b"a STATUS INBOX ()", b"a STATUS INBOX (FOO)", b"a STATUS INBOX MESSAGES",
        b'a LIST ""', b"a LIST a", b'a LIST "" (a', b'a LIST "" ' + b"*" * 5000,
        b"a CREATE x (", b"a CREATE x ()", b"a CREATE x (USE)", b"a CREATE x (FOO (\\Sent))", b"a CREATE x (USE (Sent))",
        b"a CREATE x (USE (\\Sent)", b"a CREATE x (USE (\\Sent) x)", b"a CREATE x (USE (\\All)) x", b"a CREATE x (USE \\Sent)",
        b"a CREATE x (USE (" + b" ".join([rb"\Sent"] * 51) + b"))", b"a CREATE x (USE ( ))", b"a CREATE x (USE (\\))",
        b"a UID EXPUNGE", b"a EXPUNGE 1", b"a APPEND INBOX", b"a APPEND INBOX (\\Seen)", b"a DONE",
    ],
)  # fmt: skip
def test_what_is_no_command(line: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((line,))
    assert caught.value.answer.condition is Condition.BAD


@pytest.mark.parametrize(
    "uses", [rb"\All", rb"\Flagged", rb"\Important", rb"\Inbox", rb"\Sent \Drafts", rb"\x \Sent"]
)
def test_uses_that_no_mailbox_can_have(uses: bytes) -> None:
    """RFC 6154 section 5.3; INBOX is the only one of its kind, and a mailbox is for one thing."""
    with pytest.raises(BadSyntax) as caught:
        parse((b"a CREATE Everything (USE (%b))" % uses,))
    assert caught.value.answer.octets(b"a").startswith(b"a NO [USEATTR] ")


@pytest.mark.parametrize(
    "name",
    [
        b'""', b'"/etc"', b'"a//b"', b'"a/"', b'"&AAA-"', b'"&2AA-"', b'"&AGE-"', b'"&AG"', b'"&IRw"', b'"&A-"', b'"&"',
        b'"a\x07"', b'"\xc3\xa4"', b'"' + b"x" * 1025 + b'"', b'"&AAo-"', b'"&ICg-"', b'"' + b"x" * 60_000 + b'"',
    ],
)  # fmt: skip
def test_what_is_no_mailbox_name(name: bytes) -> None:
    for verb in (b"SELECT", b"CREATE", b"STATUS"):
        with pytest.raises(BadSyntax) as caught:
            parse((b"a %b %b (MESSAGES)" % (verb, name) if verb == b"STATUS" else b"a %b %b" % (verb, name),))
        if not (verb == b"CREATE" and name == b'"a/"'):
            assert caught.value.answer.octets(b"a").startswith(b"a NO [CANNOT] ")
        if name == b'"a/"':
            break


@pytest.mark.parametrize(
    "name", [b'"../../etc"', b'".."', b'"&AC4ALg-"', b'"~root"', b'"a\\\\..\\\\b"', b'"a*b%"', b'"]"']
)
def test_names_are_keys_and_nothing_else(name: bytes) -> None:
    if b"&AC4" in name:
        with pytest.raises(BadSyntax):
            parse((b"a SELECT " + name,))
        return
    command = parse((b"a SELECT " + name,))
    assert command == Select(name[1:-1].decode().replace("\\\\", "\\"))


def test_decomposed_names_are_composed() -> None:
    assert parse((b'a CREATE "a&Awg-"',)) == Create("ä", spelled="a\u0308")
    assert parse((b'a SELECT "\xc3\xa4"',), dialect=Dialect(accept=True)) == Select("ä")


def test_the_tables_are_total() -> None:
    kinds = {kind for kind, _ in (*READ.values(), *READ_UID.values())}
    assert kinds | {commands.session.Done} == set(commands.Command.__args__)


PIECES = st.lists(
    st.sampled_from(
        [b" ", b"(", b")", b"[", b"]", b"<", b">", b'"', b"\\", b"*", b"%", b"1:*", b"0", b"4294967296", b"1.2", b"FETCH", b"UID",
         b"BODY", b"BODY.PEEK[", b"HEADER.FIELDS", b"SEARCH", b"OR", b"NOT", b"CHARSET UTF-8", b"TEXT", b"STORE", b"+FLAGS",
         b"\\Seen", b"LIST", b"RETURN (", b"SUBSCRIBED", b"RECURSIVEMATCH", b"CHILDREN", b"ID", b"NIL", b"STATUS", b"INBOX", b"&AOQ-", b"\xc3\xa4", b"\0", b"\r", b"LOGIN", b"{5}",
         b"AUTHENTICATE", b"=", b"APPEND", b"COPY", b"1-Jan-2020", b"BEFORE", b"HEADER", b"<0.1>"]
    ),
    max_size=14,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(PIECES, PIECES, st.sampled_from([*READ, *(b"UID " + n for n in READ_UID)]))
def test_any_octets_are_a_command_or_an_answer(first: list[bytes], second: list[bytes], verb: bytes) -> None:
    for parts in (
        (b"a " + verb + b" " + b"".join(first),),
        (b"a " + verb + b" " + b" ".join(first),),
        (b"a " + verb + b" " + b" ".join(first), b"literal", b" ".join(second)),
        (b"".join(first),),
    ):
        with contextlib.suppress(BadSyntax):
            parse(parts)


def test_passwords_are_not_shown() -> None:
    assert "SESAME" not in repr(parse((b"a001 LOGIN SMITH SESAME",)))
    assert "test" not in repr(parse((b"a AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",)))
