"""METADATA: the grammar of RFC 5464 with its errata, names of entries, and what GETMETADATA finds."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.commands import parse
from mailstead.imap.events import BadCommand, Need, WantsContinuation
from mailstead.imap.metadata import (
    READ_CAP,
    SET_CAP,
    VALUE_OCTETS,
    Depth,
    Found,
    GetMetadata,
    SetMetadata,
    find,
)
from mailstead.imap.responses import Condition, ok
from mailstead.imap.server import ServerConnection
from mailstead.imap.tokens import BadSyntax
from tests.support.pace import seconds

COMMENTS = ("/shared/comment", "/private/comment")


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        ((b'a GETMETADATA "" /shared/comment',), GetMetadata("", ("/shared/comment",))),
        ((b'a GETMETADATA "INBOX" /private/comment',), GetMetadata("INBOX", ("/private/comment",))),
        ((b'a GETMETADATA "INBOX" (/shared/comment /private/comment)',), GetMetadata("INBOX", COMMENTS)),
        # Erratum 2785: the options come first; where they stood is read, too.
        ((b'a GETMETADATA (MAXSIZE 1024) "INBOX" (/shared/comment /private/comment)',), GetMetadata("INBOX", COMMENTS, 1024)),
        ((b'a GETMETADATA "INBOX" (MAXSIZE 1024) (/shared/comment /private/comment)',), GetMetadata("INBOX", COMMENTS, 1024)),
        ((b'a GETMETADATA "INBOX" (DEPTH 1) (/private/filters/values)',), GetMetadata("INBOX", ("/private/filters/values",), None, Depth.ONE)),
        ((b"a getmetadata (depth infinity maxsize 0) inbox /Private",), GetMetadata("INBOX", ("/Private",), 0, Depth.INFINITY)),
        ((b"a GETMETADATA (DEPTH 0) {5}", b"INBOX", b" ({15}", b"/shared/comment", b' "/shared/a b\\"c" /SHARED/COMMENT)'),
         GetMetadata("INBOX", ("/shared/comment", '/shared/a b"c'))),
        ((b"a SETMETADATA INBOX (/private/comment ", b"My new comment across\r\ntwo lines.", b")"),
         SetMetadata("INBOX", (("/private/comment", b"My new comment across\r\ntwo lines."),))),
        ((b"a SETMETADATA INBOX (/private/comment NIL)",), SetMetadata("INBOX", (("/private/comment", None),))),
        ((b'a SETMETADATA INBOX (/private/comment "My new comment" /shared/comment "This one is for you!")',),
         SetMetadata("INBOX", (("/private/comment", b"My new comment"), ("/shared/comment", b"This one is for you!")))),
        # A literal8 holds any octets; one entry is set once, to its last value.
        ((b'a SETMETADATA "" (/Private/A/b ~', b"\0~\xff", b' /private/a/B "" /shared/vendor/x/y nil)'),
         SetMetadata("", (("/private/a/b", b""), ("/shared/vendor/x/y", None)))),
        ((b'a SETMETADATA "" (/private/a ~', b"\0~\xff", b")"), SetMetadata("", (("/private/a", b"\0~\xff"),))),
    ],
)  # fmt: skip
def test_commands_of_the_rfc(parts: tuple[bytes, ...], command: object) -> None:
    assert parse(tuple(p.removesuffix(b"{5}").removesuffix(b"{15}") for p in parts)) == command


@pytest.mark.parametrize(
    "name",
    [
        b"comment", b"/", b"//", b"/foo/bar", b"/shared", b"/private", b"/shared//comment", b"/shared/comment/", b'""', b"(", b"",
        b'"/shared/com*ment"', b'"/shared/com%ment"', b'"/shared/c\xc3\xb6mment"', b'"/shared/a\x01b"', b'"/shared/a\x19b"', b"/shared/vendor",
        b"/private/vendor/x", b"/PRIVATE/Vendor/x", b"/sharedcomment", b"/private/" + b"x" * 248, b'"/shared/a\x7f"',
    ],
)  # fmt: skip
def test_what_is_no_name_of_an_entry(name: bytes) -> None:
    for command in (
        b"GETMETADATA INBOX %b", b"GETMETADATA INBOX (/private/a %b)", b'SETMETADATA INBOX (%b "x")',
    ):  # fmt: skip
        with pytest.raises(BadSyntax) as caught:
            parse((b"a " + command % name,))
        assert caught.value.answer.condition is Condition.BAD


@pytest.mark.parametrize(
    "name",
    [b"/private/x", b"/shared/vendor/x/y", b"/SHARED/Vendors/x", b'"/private/ "', b"/private/" + b"x" * 247, b"/private/" + b"a/" * 123 + b"a"],
)  # fmt: skip
def test_what_is_one(name: bytes) -> None:
    assert parse((b'a SETMETADATA "" (%b NIL)' % name,)) == SetMetadata(
        "", ((name.strip(b'"').decode().lower(), None),)
    )


def test_levels_without_entries_are_looked_below() -> None:
    for name in (b"/private", b"/shared/vendor", b"/shared/vendor/x"):
        parse((b"a GETMETADATA (DEPTH 1) INBOX " + name,))
        with pytest.raises(BadSyntax):
            parse((b"a GETMETADATA (DEPTH 0) INBOX " + name,))


@pytest.mark.parametrize(
    "line",
    [
        b"GETMETADATA", b"GETMETADATA INBOX", b'GETMETADATA "" ()', b"GETMETADATA (MAXSIZE) INBOX /private/a", b"GETMETADATA () INBOX /private/a",
        b"GETMETADATA (MAXSIZE -1) INBOX /private/a", b"GETMETADATA (MAXSIZE 4294967296) INBOX /private/a", b"GETMETADATA (DEPTH 2) INBOX /private/a",
        b"GETMETADATA (DEPTH 1 ) INBOX /private/a", b"GETMETADATA (FOO 1) INBOX /private/a", b"GETMETADATA (DEPTH 1)INBOX /private/a",
        b"GETMETADATA (DEPTH 1) INBOX (DEPTH 1) /private/a", b"GETMETADATA INBOX /private/a /private/b", b"GETMETADATA INBOX (/private/a  /private/b)",
        b"SETMETADATA", b"SETMETADATA INBOX", b'SETMETADATA INBOX /private/a "x"', b"SETMETADATA INBOX ()", b"SETMETADATA INBOX (/private/a)",
        b'SETMETADATA INBOX (/private/a "x"', b"SETMETADATA INBOX (/private/a x)", b'SETMETADATA INBOX (/private/a "x") y', b"SETMETADATA INBOX (/private/a ~)",
        b'SETMETADATA INBOX (/private/a ~"x")', b'SETMETADATA a//b (/private/a "x")',
    ],
)  # fmt: skip
def test_what_is_no_command(line: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((b"a " + line,))


def test_nul_stands_in_a_literal8_and_nowhere_else() -> None:
    for parts in (
        (b"a SETMETADATA INBOX (/private/a ", b"\0", b")"), (b"a SETMETADATA INBOX (~", b"/private/a", b' "x")'),
        (b"a SETMETADATA ~", b"INBOX", b' (/private/a "x")'), (b"a GETMETADATA ~", b"INBOX", b" /private/a"), (b"a GETMETADATA INBOX ~", b"/private/a", b""),
    ):  # fmt: skip
        with pytest.raises(BadSyntax):
            parse(parts)


def test_entries_of_one_command_have_a_cap() -> None:
    for cap, command in (
        (READ_CAP, b"GETMETADATA INBOX (%b)"), (SET_CAP, b"SETMETADATA INBOX (%b)"),
    ):  # fmt: skip
        value = b" NIL" if cap is SET_CAP else b""
        parse((b"a " + command % b" ".join([b"/private/%d%b" % (n, value) for n in range(cap)]),))
        with pytest.raises(BadSyntax) as caught:
            parse((b"a " + command % b" ".join([b"/private/%d%b" % (n, value) for n in range(cap + 1)]),))
        assert caught.value.answer.code == b"LIMIT"


VALUES = {
    "/private/filters/values/small": b"SMALLER 5000", "/private/filters/values/boss": b'FROM "boss@example.com"',
    "/private/filters/values/boss/since": b"2009", "/private/comment": b"My own comment", "/shared/comment": b"x" * 2199,
}  # fmt: skip


def test_depth() -> None:
    """RFC 5464 section 4.2.2, whose example comes in another order here."""
    below = find(VALUES, ("/private/filters/values",), Depth.ONE)
    assert below.octets("INBOX") == (
        b'* METADATA "INBOX" (/private/filters/values/boss "FROM \\"boss@example.com\\""'
        b' /private/filters/values/small "SMALLER 5000")\r\n'
    )
    names = [name for name, _ in find(VALUES, ("/Private",), Depth.INFINITY).shown]
    assert names == sorted(name for name in VALUES if name.startswith("/private/"))
    assert find(VALUES, ("/private",), Depth.ONE).shown == (("/private/comment", b"My own comment"),)
    assert find(VALUES, ("/private/com", "/private/filters/values/boss/sinc"), Depth.INFINITY) == Found(())
    assert find(VALUES, ("/private/filter", "/shared/x"), Depth.INFINITY).octets("INBOX") == b""
    both = find(VALUES, ("/private/filters/values/boss", "/private/filters"), Depth.INFINITY).shown
    assert len(both) == 3, "each once"


def test_an_entry_that_was_asked_for_is_told_as_it_was_spelled() -> None:
    assert find(VALUES, ("/PRIVATE/Comment", "/shared/None")).octets("a") == (
        b'* METADATA "a" (/PRIVATE/Comment "My own comment" /shared/None NIL)\r\n'
    )


def test_values_over_the_maximum_are_left_out() -> None:
    """RFC 5464 section 4.2.1."""
    found = find(VALUES, COMMENTS, max_size=1024)
    assert found.octets("INBOX") == b'* METADATA "INBOX" (/private/comment "My own comment")\r\n'
    assert found.code == b"METADATA LONGENTRIES 2199"
    assert find(VALUES, COMMENTS, max_size=2199).code == b""
    none = find(VALUES, COMMENTS, max_size=13)
    assert (none.octets("INBOX"), none.longest) == (b"", 2199)
    assert find({"/private/comment": b""}, COMMENTS[1:], max_size=0).shown == (("/private/comment", b""),)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (b"", b'""'), (b'a "b\\', b'"a \\"b\\\\"'), (b"a\r\nb", b"{4}\r\na\r\nb"), ("é".encode(), b"{2}\r\n\xc3\xa9"), (b"\xff", b"{1}\r\n\xff"),
        (b"a\0", b"~{2}\r\na\0"), (b"x" * 40_000, b"{40000}\r\n" + b"x" * 40_000), (None, b"NIL"), (b"NIL", b'"NIL"'), (b")", b'")"'),
    ],
)  # fmt: skip
def test_values_as_they_are_sent(value: bytes | None, octets: bytes) -> None:
    for mailbox, name in (("", b'""'), ("é", b'"&AOk-"')):
        assert Found((("/private/a", value),)).octets(mailbox) == b"* METADATA %b (/private/a %b)\r\n" % (
            name,
            octets,
        )


@pytest.mark.parametrize(
    ("name", "octets"),
    [("/a/b]", b'"/a/b]"'), ("/a/b c", b'"/a/b c"'), ('/a/"', b'"/a/\\""'), ("/a/(", b'"/a/("'), ("/a/{5}", b'"/a/{5}"'), ("/a/\\", b'"/a/\\\\"')],
)  # fmt: skip
def test_names_as_they_are_sent(name: str, octets: bytes) -> None:
    assert Found(((name, b"x"),)).octets("") == b'* METADATA "" (%b "x")\r\n' % octets


@given(
    st.dictionaries(st.sampled_from([f"/private/{a}{b}" for a in "abc" for b in ("", "/x", "/x/y", "x")]), st.binary()),
    st.lists(st.sampled_from(["/private", "/private/a", "/private/b/x", "/Private/c/x", "/private/a/x/y"])),
    st.sampled_from(Depth), st.none() | st.integers(0, 5),
)  # fmt: skip
def test_what_is_found_is_what_the_rfc_says(
    entries: dict[str, bytes], wanted: list[str], depth: Depth, most: int | None
) -> None:
    """Said again, slowly."""
    found = find(entries, wanted, depth, most)
    levels = {Depth.ZERO: 0, Depth.ONE: 1, Depth.INFINITY: 99}[depth]
    chosen = {
        entry
        for entry in entries
        for name in (w.lower() for w in wanted)
        if f"{entry}/".startswith(f"{name}/") and entry[len(name) :].count("/") <= levels
    }
    short = {e for e in chosen if most is None or len(entries[e]) <= most}
    assert {n.lower(): v for n, v in found.shown if v is not None} == {e: entries[e] for e in short}
    assert found.longest == max((len(entries[e]) for e in chosen - short), default=0)
    missing = {n.lower() for n, v in found.shown if v is None}
    assert missing == ({w.lower() for w in wanted} - set(entries) if depth is Depth.ZERO else set())
    assert len(found.shown) == len(short) + len(missing)


def test_deep_names_take_no_time() -> None:
    entries = {"/private" + "/a" * 120 + f"/{n}": b"x" for n in range(100)}
    wanted = [f"/private/b/{n}" for n in range(READ_CAP)]
    began = time.process_time()
    for _ in range(10):
        find(entries, wanted, Depth.INFINITY)
    assert time.process_time() - began < seconds(0.5)


def logged_in() -> ServerConnection:
    connection = ServerConnection(plaintext_login=True, append_limit=1000)
    connection.receive(b"x LOGIN bob secret\r\n")
    connection.next_event()
    connection.reply(ok("In"))
    return connection


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"a SETMETADATA INBOX (/private/a {%d}\r\n" % (VALUE_OCTETS + 1), b"METADATA MAXSIZE %d" % VALUE_OCTETS),
        (b"a SETMETADATA INBOX (/private/a ~{%d+}\r\n" % (VALUE_OCTETS + 1) + b"\0" * VALUE_OCTETS + b"\n)\r\n", b"METADATA MAXSIZE %d" % VALUE_OCTETS),
        (b"a SETMETADATA INBOX (" + b" ".join([b"/private/%d {1+}\r\nx" % n for n in range(101)]) + b")\r\n", b"METADATA TOOMANY"),
        (b"a SETMETADATA INBOX (" + b" ".join([b"/private/%d {50000+}\r\n" % n + b"x" * 50_000 for n in range(3)]) + b")\r\n", b"METADATA TOOMANY"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_kept_are_refused_as_the_rfc_says(octets: bytes, code: bytes) -> None:
    connection = logged_in()
    connection.receive(octets + b"b NOOP\r\n")
    event = connection.next_event()
    assert isinstance(event, BadCommand)
    assert (event.reply.condition, event.reply.code) == (Condition.NO, code)
    connection.reply(event.reply)
    assert type(connection.next_event()).__name__ == "Noop"


def test_the_largest_value_is_asked_for() -> None:
    connection = logged_in()
    connection.receive(b"a SETMETADATA INBOX (/private/a ~{%d}\r\n" % VALUE_OCTETS)
    assert connection.next_event() == WantsContinuation()
    assert connection.next_event() is Need.OCTETS
    connection.receive(b"\0" * VALUE_OCTETS + b")\r\n")
    assert connection.next_event() == SetMetadata("INBOX", (("/private/a", b"\0" * VALUE_OCTETS),))


def test_nothing_of_it_is_for_strangers() -> None:
    connection = ServerConnection(plaintext_login=True, append_limit=1000)
    connection.receive(b"a SETMETADATA INBOX (/private/a ~{3}\r\n")
    event = connection.next_event()
    assert isinstance(event, BadCommand)
    assert event.reply.condition is Condition.BAD
