"""The machine: its table is total, a refusal changes nothing, and cuts change nothing."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.imap import responses
from mailstead.imap.append import Append, Literal, Steps, Upcoming, Url
from mailstead.imap.commands import Command, parse
from mailstead.imap.dialect import Dialect
from mailstead.imap.events import (
    AppendChunk,
    AppendEnd,
    AppendNext,
    BadCommand,
    Need,
    SaslResponse,
    WantsContinuation,
)
from mailstead.imap.mailboxes import Examine, Select
from mailstead.imap.replace import Replace
from mailstead.imap.responses import Answer, Condition, bad, bye, no, ok
from mailstead.imap.server import ServerConnection
from mailstead.imap.session import Authenticate, Done, Idle, Login, Logout, StartTls
from mailstead.imap.state import AFTER, AFTER_NO, State
from mailstead.sasl.mechanism import Challenge, Credentials, Mechanism
from mailstead.sasl.mechanisms import MECHANISMS

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs" / "imap").glob("*.txt"))
LIMIT = 1000
RESPONSE = re.compile("S: \\* (?!BAD)")  # of the services, which are not here


def test_the_table_is_total() -> None:
    assert set(AFTER) == set(State)
    commands = set(Command.__args__)
    assert {kind for row in AFTER.values() for kind in row} == commands
    for row in (*AFTER.values(), *AFTER_NO.values()):
        assert all(target is None or target in State for target in row.values())


class Run:
    """A connection whose every command is done, but for what the test refuses."""

    def __init__(
        self, *, plaintext: bool = True, refuse: Answer | None = None, state: State | None = None
    ) -> None:
        self.connection = ServerConnection(plaintext_login=plaintext, append_limit=LIMIT)
        if state is not None:
            lines = [b"x LOGIN bob secret\r\n", b"y SELECT INBOX\r\n"]
            for line in lines[: 1 if state is State.AUTHENTICATED else 2]:
                self.connection.receive(line)
                self.connection.next_event()
                self.connection.reply(ok("Done"))
        self.refuse = refuse
        self.out = b""
        self.events: list[object] = []
        self.messages: list[bytes] = []
        self.coming: list[bytes] = []  # messages of the APPEND that goes on; a URL is shown as it is
        self.sasl: Mechanism | None = None

    def feed(self, octets: bytes) -> "Run":
        c = self.connection
        c.receive(octets)
        while (event := c.next_event()) is not Need.OCTETS:
            assert event is not Need.REPLY
            if not isinstance(event, AppendChunk):
                self.events.append(event)
            self.out += self.answer(event)
        return self

    def answer(self, event: object) -> bytes:
        c = self.connection
        match event:
            case WantsContinuation(octets=octets):
                return octets
            case AppendChunk(octets=octets):
                self.coming[-1] += octets
                return b""
            case BadCommand(reply=answer):
                return c.reply(answer)
            case AppendNext(steps=steps):
                self.take(steps)
                return c.go_ahead()
            case AppendEnd(steps=steps, error=error):
                self.take(steps)
                return self.appended(error)
            case Append(steps=steps) | Replace(steps=steps) if self.refuse is None:
                self.coming = []
                self.take(steps)
                return c.go_ahead() if isinstance(steps[-1], Literal) else self.appended(None)
            case Idle():
                return c.go_ahead()
            case Authenticate(mechanism=name, initial=initial):
                if name not in MECHANISMS:
                    return c.reply(responses.NO_SUCH_MECHANISM)
                self.sasl = MECHANISMS[name]()
                return self.step(initial)
            case SaslResponse(octets=octets):
                return self.step(octets)
            case Login(password=password):
                return c.reply(ok("In") if password != b"wrong" else responses.LOGIN_FAILED)
            case Select(mailbox="absent") | Examine(mailbox="absent"):
                return c.reply(responses.FOR_REASON[responses.Reason.NO_SUCH_MAILBOX])
            case _:
                return c.reply(self.refuse or ok("Done"))

    def take(self, steps: Steps) -> None:
        for step in steps:
            match step:
                case Upcoming():
                    self.coming.append(b"")
                case Url(octets=octets):
                    self.coming[-1] += b"<%b>" % octets

    def appended(self, error: Answer | None) -> bytes:
        if error is None and self.refuse is None:
            self.messages += self.coming
        return self.connection.reply(error or self.refuse or ok("Appended"))

    def step(self, response: bytes | None) -> bytes:
        assert self.sasl is not None
        match self.sasl.step(response):
            case Challenge(octets=octets):
                return self.connection.challenge(octets)
            case Credentials(user=b"bob", password=b"secret"):
                return self.connection.reply(ok("In"))
            case _:
                return self.connection.reply(responses.LOGIN_FAILED)


@pytest.mark.parametrize("path", DIALOGS, ids=lambda p: p.stem)
def test_dialogs(path: Path) -> None:
    run = Run()
    waiting: list[bytes] = []
    for line in path.read_text().splitlines():
        if line.startswith("C: "):
            assert not waiting, (line, waiting)
            run.out = b""
            run.feed(line[3:].encode() + b"\r\n")
            waiting = run.out.splitlines()
        elif line.startswith("S: ") and not RESPONSE.match(line):
            assert waiting, line
            assert waiting.pop(0).startswith(line[3:].encode()), line
    assert not waiting


LINES = {
    "CAPABILITY": b"", "NOOP": b"", "LOGOUT": b"", "ID": b" NIL", "STARTTLS": b"", "LOGIN": b" a b", "AUTHENTICATE": b" PLAIN",
    "ENABLE": b" X", "COMPRESS": b" DEFLATE", "NAMESPACE": b"", "SELECT": b" a", "EXAMINE": b" a", "CREATE": b" a", "DELETE": b" a", "RENAME": b" a b",
    "SUBSCRIBE": b" a", "UNSUBSCRIBE": b" a", "LIST": b' "" a', "LSUB": b' "" a', "STATUS": b" a (UNSEEN)", "MYRIGHTS": b" a",
    "GETACL": b" a", "SETACL": b" a b c", "DELETEACL": b" a b", "LISTRIGHTS": b" a b", "IDLE": b"", "CHECK": b"", "CLOSE": b"",
    "UNSELECT": b"", "EXPUNGE": b"", "SEARCH": b" ALL", "FETCH": b" 1 UID", "STORE": b" 1 FLAGS ()", "COPY": b" 1 a", "MOVE": b" 1 a",
    "GETMETADATA": b" a /private/a", "SETMETADATA": b" a (/private/a NIL)",
}  # fmt: skip


@pytest.mark.parametrize("state", [State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("answer", [ok("x"), no("x"), bad("x"), bye("x")], ids=lambda a: a.condition.name)
def test_every_command_in_every_state(name: str, state: State, answer: Answer) -> None:
    connection = Run(state=None if state is State.NOT_AUTHENTICATED else state).connection
    line = name.encode() + LINES[name]
    connection.receive(b"t " + line + b"\r\n")
    kind = type(parse((b"t " + line,)))
    event = connection.next_event()
    assert connection.next_event() is Need.REPLY
    if kind not in AFTER[state]:
        assert isinstance(event, BadCommand)
        assert connection.reply(event.reply).startswith(b"t BAD")
        assert connection.state is state
        return
    assert type(event) is kind
    octets = connection.reply(answer)
    match answer.condition:
        case Condition.OK:
            assert connection.state is (AFTER[state][kind] or state)
        case Condition.NO:
            assert connection.state is (AFTER_NO.get(state, {}).get(kind) or state)
        case Condition.BYE:
            assert connection.state is State.LOGOUT
        case _:
            assert connection.state is state
    assert octets == answer.octets(b"*" if answer.condition is Condition.BYE else b"t")


def test_without_tls_no_password_is_asked_for() -> None:
    run = Run(plaintext=False)
    run.feed(b"a LOGIN bob secret\r\nb LOGIN {3}\r\nc AUTHENTICATE PLAIN\r\nd LOGIN {3+}\r\nbob secret\r\n")
    lines = run.out.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        [c, b"NO", b"[PRIVACYREQUIRED]"] for c in (b"a", b"b", b"c")
    ]
    assert run.connection.state is State.NOT_AUTHENTICATED


def test_tls_begins_with_nothing_from_before() -> None:
    connection = ServerConnection(plaintext_login=False, append_limit=LIMIT)
    connection.receive(b"a STARTTLS\r\nb LOGIN bob secret\r\n")
    assert connection.next_event() == StartTls()
    assert connection.buffered
    connection.reply(responses.BEGIN_TLS)
    connection.secured()
    assert not connection.buffered
    assert connection.next_event() is Need.OCTETS
    connection.receive(b"b LOGIN bob secret\r\n")
    assert connection.next_event() == Login(b"bob", b"secret")


APPENDS = [
    b"a APPEND INBOX {5}\r\nhello\r\nb NOOP\r\n", b"a APPEND INBOX {5+}\r\nhello\r\nb NOOP\r\n", b"a APPEND {5}\r\nINBOX {0}\r\n\r\nb NOOP\r\n",
    b"a APPEND INBOX {3+}\r\na\0b\r\nb NOOP\r\n", b"a APPEND INBOX {3+}\r\nabc x\r\nb NOOP\r\n", b"a APPEND INBOX {3+}\r\nabc x{2+}\r\nde\r\nb NOOP\r\n",
    b"a APPEND INBOX {3+}\r\nabc x{2}\r\nb NOOP\r\n", b"a APPEND INBOX {1001}\r\nb NOOP\r\n", b"a APPEND INBOX {1001+}\r\n" + b"\n" * 1001 + b"\r\nb NOOP\r\n",
    b"a APPEND INBOX ~{3+}\r\na\0b\r\nb NOOP\r\n", b'a APPEND INBOX "x" {3}\r\nb NOOP\r\n', b'a APPEND INBOX "x" {3+}\r\nabc\r\nb NOOP\r\n',
    b"a APPEND INBOX (\\Seen {3}\r\nb NOOP\r\n", b"a APPEND INBOX\r\nb NOOP\r\n", b"a APPEND INBOX {3}\r\nab",
    b"a APPEND INBOX {99999999+}\r\n" + b"x" * 100,
]  # fmt: skip


@pytest.mark.parametrize(
    ("octets", "messages"),
    [
        (b"a APPEND INBOX {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n", [b"abc", b"de"]),
        (b'a APPEND INBOX (\\Seen) {3}\r\nabc (\\Flagged) "17-Jul-1996 02:44:25 -0700" {0}\r\n {1}\r\nx\r\nb NOOP\r\n', [b"abc", b"", b"x"]),
        (b"a APPEND INBOX {3+}\r\nabc (\\Recent) {2+}\r\nde\r\nb NOOP\r\n", []),
        (b"a APPEND INBOX {3+}\r\nabc{2+}\r\nde\r\nb NOOP\r\n", []),
        (b"a APPEND INBOX {3+}\r\na\0c {2+}\r\nde\r\nb NOOP\r\n", []),
        (b"a APPEND INBOX {3+}\r\nabc {1001+}\r\n" + b"y" * 1001 + b" {2+}\r\nde\r\nb NOOP\r\n", []),
        (b"a APPEND INBOX " + b" ".join([b"{1+}\r\nx"] * 1000) + b"\r\nb NOOP\r\n", [b"x"] * 1000),
        (b"a APPEND INBOX " + b" ".join([b"{1+}\r\nx"] * 1001) + b"\r\nb NOOP\r\n", []),
    ],
)  # fmt: skip
def test_several_messages_are_one_append(octets: bytes, messages: list[bytes]) -> None:
    run = Run(state=State.AUTHENTICATED).feed(octets)
    assert run.messages == messages
    assert run.out.endswith(b"b OK Done\r\n"), run.out
    assert (b"a OK Appended" in run.out) == bool(messages)


@pytest.mark.parametrize(
    ("octets", "messages"),
    [
        (b"a APPEND x CATENATE (URL /u)\r\nb NOOP\r\n", [b"</u>"]),
        (b"a APPEND x CATENATE (TEXT {2}\r\nab URL /u URL \"/v\" TEXT {1+}\r\nc)\r\nb NOOP\r\n", [b"ab</u></v>c"]),
        (b"a APPEND {1+}\r\nx CATENATE (URL {2+}\r\n/u TEXT {0}\r\n URL {3}\r\n/vw)\r\nb NOOP\r\n", [b"</u></vw>"]),
        (b"a APPEND x (\\Seen) CATENATE (TEXT {1+}\r\na) {2+}\r\nbc CATENATE (URL /u) (k) CATENATE (URL /v)\r\nb NOOP\r\n", [b"a", b"bc", b"</u>", b"</v>"]),
        (b"a APPEND x {1+}\r\na CATENATE (URL {2}\r\n/u URL {2+}\r\n/v) {1}\r\nb\r\nb NOOP\r\n", [b"a", b"</u></v>", b"b"]),
        (b"a APPEND x CATENATE (" + b" ".join([b"TEXT {1+}\r\nx"] * 500) + b")\r\nb NOOP\r\n", [b"x" * 500]),
        (b"a APPEND x CATENATE (" + b" ".join([b"TEXT {1+}\r\nx"] * 501) + b")\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (" + b" ".join([b"URL {2+}\r\n/u"] * 100) + b")\r\nb NOOP\r\n", [b"</u>" * 100]),
        (b"a APPEND x CATENATE (TEXT {1+}\r\nx " + b" ".join([b"URL {2+}\r\n/u"] * 101) + b")\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\na URL {70000+}\r\n" + b"u" * 70_000 + b")\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\na URL ~{2+}\r\n/u)\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\na URL {2+}\r\n/\0)\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\n\0 URL {2+}\r\n/u)\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\na)x\r\nb NOOP\r\n", []), (b"a APPEND x CATENATE (TEXT {1+}\r\na\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\naTEXT {1+}\r\na)\r\nb NOOP\r\n", []), (b"a APPEND x CATENATE (TEXT {1+}\r\na )\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (TEXT {1+}\r\na URL {2}\r\nb NOOP\r\n", []), (b"a APPEND x CATENATE (TEXT {1001+}\r\n" + b"\n" * 1001 + b")\r\nb NOOP\r\n", []),
        (b"a APPEND x CATENATE (UTF8 (~{1+}\r\na))\r\nb NOOP\r\n", []), (b"a APPEND x CATENATE (TEXT {1+}\r\na UTF8 (~{1+}\r\na))\r\nb NOOP\r\n", []),
        (b'a APPEND x CATENATE (URL "/u {1+}\r\na)\r\nb NOOP\r\n', []), (b"a APPEND x CATENATE (URL /u {1+}\r\na)\r\nb NOOP\r\n", []),
    ],
)  # fmt: skip
def test_what_is_catenated(octets: bytes, messages: list[bytes]) -> None:
    """However it is cut: literals of its own, URLs as literals, and several messages."""
    run = Run(state=State.AUTHENTICATED).feed(octets)
    if b"URL {2}\r\nb NOOP" not in octets:
        assert run.messages == messages
        assert run.out.endswith(b"b OK Done\r\n"), run.out
        assert (b"a OK Appended" in run.out) == bool(messages)
    cut = Run(state=State.AUTHENTICATED)
    for at in range(len(octets)):
        cut.feed(octets[at : at + 1])
    assert (cut.out, cut.messages, cut.events) == (run.out, run.messages, run.events)


def test_utf8_is_a_part_of_what_is_catenated() -> None:
    run = Run(state=State.AUTHENTICATED)
    run.connection.dialect = Dialect(accept=True)
    run.feed(
        b"a APPEND x CATENATE (UTF8 (~{1}\r\na) URL /u utf8 (~{2+}\r\nbc)) UTF8 (~{1+}\r\nd)\r\nb NOOP\r\n"
    )
    assert run.messages == [b"a</u>bc", b"d"]
    assert run.out.endswith(b"b OK Done\r\n")
    for wrong in (b"UTF8 ({1+}\r\na)", b"UTF8 (~{1+}\r\na", b"UTF8 ~{1+}\r\na", b"UTF8 (~{1+}\r\na))"):
        run.feed(b"c APPEND x CATENATE (" + wrong + b")\r\n")
        assert b"\r\nc BAD" in run.out, wrong
    assert len(run.messages) == 2


def test_what_the_appends_are() -> None:
    def feed(n: int) -> Run:
        return Run(state=State.AUTHENTICATED).feed(APPENDS[n])

    assert feed(0).out == b"+ OK\r\na OK Appended\r\nb OK Done\r\n"
    assert feed(0).messages == [b"hello"]
    assert feed(1).out == b"a OK Appended\r\nb OK Done\r\n"
    assert feed(2).out == b"+ OK\r\n+ OK\r\na OK Appended\r\nb OK Done\r\n"
    assert feed(2).messages == [b""]
    for n in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13):
        run = feed(n)
        assert run.messages == []
        assert run.out.endswith(b"b OK Done\r\n"), n
        assert run.out.split()[1] in (b"BAD", b"NO"), n
    assert b"a NO [TOOBIG]" in feed(7).out
    assert feed(14).messages == []
    assert feed(15).out.startswith(b"* BYE [TOOBIG]")


REPLACES = [
    b"a REPLACE 1 INBOX {5}\r\nhello\r\nb NOOP\r\n", b"a UID REPLACE 1 {5+}\r\nINBOX ~{5+}\r\nhello\r\nb NOOP\r\n",
    b"a REPLACE 1 INBOX {5+}\r\nhello {3+}\r\nabc\r\nb NOOP\r\n", b"a REPLACE 1 INBOX {5+}\r\nhello {3}\r\nb NOOP\r\n",
    b"a REPLACE 1 INBOX {5+}\r\nhe\0lo\r\nb NOOP\r\n", b"a REPLACE 1 INBOX {1001+}\r\n" + b"\n" * 1001 + b"\r\nb NOOP\r\n",
    b"a REPLACE 1 INBOX\r\nb NOOP\r\n", b"a REPLACE INBOX {3+}\r\nabc\r\nb NOOP\r\n", b'a REPLACE 1 "x {3+}\r\nabc\r\nb NOOP\r\n',
]  # fmt: skip


def test_what_the_replaces_are() -> None:
    for n, octets in enumerate(REPLACES):
        run = Run(state=State.SELECTED).feed(octets)
        assert run.messages == ([b"hello"] if n < 2 else []), n
        assert run.out.endswith(b"b OK Done\r\n"), n
        assert (b"a OK" in run.out) == (n < 2), n
        assert (
            b"b OK Done"
            in Run(state=State.AUTHENTICATED).feed(REPLACES[n].replace(b"{5}\r\nhello", b"{5}")).out
        )


@pytest.mark.parametrize("octets", [APPENDS[0], APPENDS[1]])
def test_a_refused_append_is_read_past(octets: bytes) -> None:
    run = Run(state=State.AUTHENTICATED, refuse=responses.TRY_CREATE)
    run.feed(octets.replace(b"hello\r\n", b"") if b"{5}" in octets else octets)
    assert run.out.startswith(b"a NO [TRYCREATE]")
    assert b"BAD" not in run.out
    assert run.connection.state is State.AUTHENTICATED


@pytest.mark.parametrize(
    "octets",
    [
        *APPENDS,
        *REPLACES,
        b"a IDLE\r\nDONE\r\nb IDLE\r\nx\r\nc NOOP\r\n",
        b"a LOGIN {3}\r\nb\r\n",
        b"a SEARCH TEXT {3}\r\nabc ALL\r\n",
    ],
)
def test_octet_by_octet_equals_whole(octets: bytes) -> None:
    whole = Run(state=State.SELECTED).feed(octets)
    for size in (1, 2, 3, 7):
        cut = Run(state=State.SELECTED)
        for at in range(0, len(octets), size):
            cut.feed(octets[at : at + size])
        assert (cut.out, cut.messages, cut.events) == (whole.out, whole.messages, whole.events)


PIECES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"a ", b"NOOP\r\n", b"a LOGIN bob {6}\r\n", b"a LOGIN bob secret\r\n", b"secret", b"b SELECT x\r\n", b"c IDLE\r\n",
         b"DONE\r\n", b"d APPEND x {3+}\r\n", b"d APPEND x {3}\r\n", b"abc", b"\0", b"e AUTHENTICATE PLAIN\r\n", b"AGJvYgBzZWNyZXQ=\r\n",
         b"*\r\n", b"f LOGOUT\r\n", b"g FETCH 1 BODY[]\r\n", b"{5+}\r\n", b"{5}\r\n", b"h CLOSE\r\n", b'"', b"i APPEND x {2000+}\r\n",
         b"j SETMETADATA x (/private/a ~{3+}\r\n", b"j SETMETADATA x (/private/a ~{3}\r\n", b")\r\n",
         b"k APPEND x CATENATE (", b"URL {3+}\r\n", b"URL /u ", b"TEXT {3+}\r\n", b"TEXT {3}\r\n", b" ", b")",
         b"j REPLACE 1 x {3+}\r\n", b"j UID REPLACE 1 x {3}\r\n"]
    ),
    max_size=20,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(PIECES)
def test_any_conversation_is_the_same_cut_anywhere(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    whole = Run().feed(octets)
    cut = Run()
    for at in range(len(octets)):
        cut.feed(octets[at : at + 1])
    assert (cut.out, cut.messages, cut.events) == (whole.out, whole.messages, whole.events)
    for line in whole.out.splitlines():
        assert line.isascii()


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_a_refusal_changes_nothing(pieces: list[bytes]) -> None:
    run = Run(refuse=bad("Never"))
    run.feed(b"a LOGIN bob secret\r\n")
    for piece in pieces:
        run.feed(piece)
        assert run.connection.state not in (State.SELECTED, State.NOT_AUTHENTICATED)


@pytest.mark.parametrize(
    "octets",
    [
        b"a LOGIN {4294967295}\r\n", b"a LOGIN {9999999999999999999999}\r\n", b"a LOGIN {05}\r\n", b"a LOGIN {\xd9\xa3}\r\n",
        b"a SEARCH {1}\r\n", b"a" * 10_240 + b" NOOP\r\n", b"+ NOOP\r\n", b"] NOOP\r\n", b'a LOGIN "us\0er" "pw"\r\n',
        b'a LOGIN "abc {5}\r\n', b"a NOOP ((((\r\n",
    ],
)  # fmt: skip
def test_bad_input_before_login_is_refused_at_once(octets: bytes) -> None:
    run = Run().feed(octets)
    assert b"+ " not in run.out
    assert run.out.split()[1] in (b"BAD", b"NO", b"BYE")
    assert len(run.out) < 200


@pytest.mark.parametrize(
    "octets",
    [
        b"a LOGIN {1073741824+}\r\n" + b"\0" * 100,
        b"a NOOP " + b"(" * 9000,
        b"a NOOP" + b" " * 9000,
        b'a LOGIN "' + b"x" * 9000,
    ],
)
def test_too_much_before_login_ends_it(octets: bytes) -> None:
    run = Run().feed(octets)
    assert run.out.startswith(b"* BYE")
    assert run.connection.state is State.LOGOUT
    assert not run.connection.buffered
    run.connection.receive(b"more")
    assert not run.connection.buffered


def test_many_literals() -> None:
    run = Run(state=State.SELECTED).feed(b"a SEARCH" + b" TEXT {1+}\r\nx" * 10_000 + b"\r\n")
    assert run.out.startswith(b"a BAD [LIMIT]")


def test_logout_is_the_end() -> None:
    run = Run().feed(b"a LOGOUT\r\nb NOOP\r\n")
    assert run.out == b"a OK Done\r\n"
    assert run.events == [Logout()]


def test_done_is_an_event_of_idle_only() -> None:
    assert Run(state=State.SELECTED).feed(b"a IDLE\r\nDONE\r\n").events == [Idle(), Done()]
