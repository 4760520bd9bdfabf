"""The machine: its table is total, a refusal changes nothing, and cuts change nothing."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.errors import Reason
from mailstead.smtp import reply as replies
from mailstead.smtp.commands import Auth, Bdat, Hello, MailFrom, Plain, RcptTo, parse
from mailstead.smtp.reply import FOR_REASON, Reply
from mailstead.smtp.server import AFTER, BadCommand, BodyChunk, BodyEnd, Need, ServerConnection, State

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs").glob("*.txt"))


def test_the_table_is_total() -> None:
    assert set(AFTER) == set(State)
    for row in AFTER.values():
        for key, target in row.items():
            assert key in {Auth, Hello, MailFrom, RcptTo, Bdat} | set(Plain)
            assert target is None or target in State


def test_every_reason_has_a_reply() -> None:
    assert set(FOR_REASON) == set(Reason)
    for given_reply in FOR_REASON.values():
        code, text = given_reply.code, given_reply.lines[0]
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3} .+", text)
        assert str(code)[0] == text[0]


class Run:
    """A connection whose every command is accepted, except what the test refuses."""

    def __init__(
        self, *, lmtp: bool = False, limit: int = 100_000, refuse: frozenset[str] = frozenset()
    ) -> None:
        self.connection = ServerConnection(lmtp=lmtp, size_limit=limit)
        self.refuse = refuse
        self.lmtp = lmtp
        self.out = b""
        self.messages: list[bytes] = []
        self.body = b""
        self.recipients = 0

    def feed(self, octets: bytes) -> "Run":
        c = self.connection
        if c.state is State.CLOSED:
            return self
        c.receive(octets)
        while (event := c.next_event()) is not Need.OCTETS:
            assert event is not Need.REPLY
            match event:
                case BodyChunk(octets=piece):
                    self.body += piece
                case Bdat():
                    pass
                case BadCommand(reply=r):
                    self.out += c.reply(r)
                    self.body = b"" if event.fatal else self.body
                case BodyEnd(last=last, error=error):
                    if error is None and last:
                        self.messages.append(self.body)
                    if error is not None or last:
                        self.body = b""
                    count = max(1, self.recipients) if self.lmtp and last else 1
                    self.out += c.reply(*[error or replies.OK] * count)
                    self.recipients = 0 if last else self.recipients
                case _:
                    self.out += c.reply(self.answer(event))
            if c.state is State.CLOSED:
                break
        return self

    def answer(self, command: object) -> Reply:
        name = command.name if isinstance(command, Plain) else type(command).__name__
        if name in self.refuse:
            return replies.FOR_REASON[Reason.STORAGE_UNAVAILABLE]
        if isinstance(command, Auth):  # nobody logs in to receive mail
            return replies.NOT_IMPLEMENTED
        if isinstance(command, RcptTo):
            self.recipients += 1
            if command.forward_path.local == "Green":
                self.recipients -= 1
                return replies.FOR_REASON[Reason.NO_SUCH_RECIPIENT]
        return {Plain.DATA: replies.START_INPUT, Plain.QUIT: replies.CLOSING}.get(command, replies.OK)  # type: ignore[call-overload]


IN_RCPT = b"EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n"


@pytest.mark.parametrize("command", ["Hello", "MailFrom", "RcptTo", "DATA"])
def test_a_refused_command_leaves_the_state(command: str) -> None:
    lines = {
        "Hello": b"EHLO a\r\n",
        "MailFrom": b"MAIL FROM:<a@a.test>\r\n",
        "RcptTo": b"RCPT TO:<b@b.test>\r\n",
        "DATA": b"DATA\r\n",
    }
    run = Run(refuse=frozenset((command,)))
    for name, line in lines.items():
        before = run.connection.state
        run.feed(line)
        if name == command:
            assert run.connection.state is before
            return


BODIES = [
    b"Subject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n", b".\r\nQUIT\r\n", b"..\r\n.x\r\n...\r\n\r\n.\r\n.\r\nQUIT\r\n",
    b"hi\n.\r\n", b"hi\r\n.\nMAIL", b"hi\r\n.\r\r\n", b"a\x00\r\n.\r\n", b"a\r.\r\n", b"\r\n.\r\n", b"." * 50 + b"\r\n.\r\n",
]  # fmt: skip
CHUNKS = [
    b"BDAT 5\r\nhi\r\nXBDAT 4 LAST\r\n\r\n\r\nQUIT\r\n", b"BDAT 3\r\nab\rBDAT 1 LAST\r\n\nQUIT\r\n",
    b"BDAT 3 LAST\r\nab\rNOOP\r\n", b"BDAT 3\r\na\nbNOOP\r\nQUIT\r\n", b"BDAT 0 LAST\r\nQUIT\r\n",
    b"BDAT 2\r\nhiDATA\r\nRSET\r\nNOOP\r\n", b"BDAT x\r\nBDAT 3 FIRST\r\nQUIT\r\n",
]  # fmt: skip


@pytest.mark.parametrize(
    "octets", [IN_RCPT + b"DATA\r\n" + b for b in BODIES] + [IN_RCPT + c for c in CHUNKS]
)
def test_octet_by_octet_equals_whole(octets: bytes) -> None:
    whole = Run().feed(octets)
    for size in (1, 2, 3, 5, 7):
        cut = Run()
        for at in range(0, len(octets), size):
            cut.feed(octets[at : at + size])
        assert (cut.out, cut.messages) == (whole.out, whole.messages)


def test_what_the_bodies_are() -> None:
    assert Run().feed(IN_RCPT + b"DATA\r\n" + BODIES[2]).messages == [b".\r\nx\r\n..\r\n\r\n"]
    assert Run().feed(IN_RCPT + b"DATA\r\n" + BODIES[1]).messages == [b""]
    assert Run().feed(IN_RCPT + CHUNKS[0]).messages == [b"hi\r\nX\r\n\r\n"]
    assert Run().feed(IN_RCPT + CHUNKS[1]).messages == [b"ab\r\n"]
    for bad in BODIES[3:8]:
        run = Run().feed(IN_RCPT + b"DATA\r\n" + bad + b"\r\nRSET\r\nNOOP\r\n")
        assert run.messages == []
        assert run.out.endswith(b"550 5.6.11 Bare CR, bare LF or NUL in message\r\n")
        assert run.connection.state is State.CLOSED


def test_too_much_is_counted_and_dropped() -> None:
    run = Run(limit=100).feed(IN_RCPT + b"DATA\r\n" + b"x" * 90 + b"\r\n" + b"y" * 90 + b"\r\n.\r\nNOOP\r\n")
    assert run.messages == []
    assert b"552 5.3.4" in run.out
    assert run.out.endswith(b"250 2.0.0 OK\r\n")
    chunks = Run(limit=10).feed(IN_RCPT + b"BDAT 8\r\n12345678BDAT 8 LAST\r\n12345678NOOP\r\n")
    assert chunks.messages == []
    assert b"552 5.3.4" in chunks.out
    exact = Run(limit=10).feed(IN_RCPT + b"BDAT 10 LAST\r\n12345678\r\n")
    assert exact.messages == [b"12345678\r\n"]


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=80))
def test_any_line_is_a_command_or_a_reply(line: bytes) -> None:
    for lmtp in (False, True):
        parse(line, lmtp=lmtp, size_limit=1000)
    for word in (b"MAIL FROM:", b"RCPT TO:", b"BDAT ", b"EHLO "):
        parse(word + line, lmtp=False, size_limit=1000)


PIECES = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"x", b"EHLO a\r\n", b"MAIL FROM:<a@a>\r\n", b"RCPT TO:<b@b>\r\n",
                     b"DATA\r\n", b"BDAT 3\r\n", b"BDAT 2 LAST\r\n", b"RSET\r\n", b"\r\n.\r\n", b"\0"]),
    max_size=25,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(PIECES)
def test_any_conversation_is_the_same_cut_anywhere(pieces: list[bytes]) -> None:
    whole = Run().feed(b"".join(pieces))
    cut = Run()
    for piece in pieces:
        for at in range(len(piece)):
            cut.feed(piece[at : at + 1])
    assert (cut.out, cut.messages) == (whole.out, whole.messages)


@pytest.mark.parametrize("path", DIALOGS, ids=lambda p: p.stem)
def test_dialogs(path: Path) -> None:
    """Transcripts of the RFCs: "C:" is sent, "S:" is the code that must come; "\\n" is one bare LF."""
    lines = path.read_text().splitlines()
    run = Run(lmtp="lmtp" in path.stem)
    waiting: list[bytes] = []
    for line in lines:
        if line.startswith("C: "):
            text = line[3:].encode().replace(b"\\n", b"\n")
            run.out = b""
            run.feed(text if text.endswith(b"\\") else text + b"\r\n")
            waiting = run.out.splitlines()
        elif line.startswith("S: "):
            assert waiting, line
            assert waiting.pop(0)[:4].rstrip() == line[3:7].encode().rstrip(), line


def test_dialogs_exist() -> None:
    assert len(DIALOGS) >= 4
