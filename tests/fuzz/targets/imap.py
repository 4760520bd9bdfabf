"""Fuzz targets of IMAP and SASL, in the manner of `parsers`."""

import contextlib
from collections.abc import Callable

from mailstead.imap.append import Append, Literal
from mailstead.imap.body import without_extensions
from mailstead.imap.commands import parse
from mailstead.imap.events import (
    AppendChunk,
    AppendEnd,
    AppendNext,
    BadCommand,
    Need,
    SaslResponse,
    WantsContinuation,
)
from mailstead.imap.listing import Entry, List, listed
from mailstead.imap.metadata import SetMetadata, find
from mailstead.imap.mutf7 import decode, encode
from mailstead.imap.patterns import Pattern
from mailstead.imap.replace import Replace
from mailstead.imap.responses import LOGGING_OUT, ok
from mailstead.imap.server import ServerConnection
from mailstead.imap.session import Authenticate, Idle
from mailstead.imap.state import State
from mailstead.imap.tokens import BadSyntax
from mailstead.imap.url import parse_url
from mailstead.mail.mailbox import SpecialUse, mailbox_name
from mailstead.mail.section import Section, Text, filter_header, locate, tree

_ENTRIES = [Entry("INBOX/a/b", SpecialUse.SENT), Entry("INBOX", subscribed=True), Entry("x/y", exists=False)]


def imap_command(octets: bytes) -> None:
    """One command; NUL parts its text from its literals."""
    parts = octets.split(b"\0")
    with contextlib.suppress(BadSyntax):
        command = parse(tuple(parts[: len(parts) - (len(parts) + 1) % 2]))
        if isinstance(command, List):
            found = listed(_ENTRIES, Pattern(command.reference, *command.patterns), command.options)
            assert all(line.octets().endswith(b"\r\n") for line in found)


def imap_conversation(octets: bytes) -> None:
    """A whole connection: everything is done, and what is answered is of lines that we made."""
    connection = ServerConnection(plaintext_login=True, append_limit=1000)
    if octets[:1] < b"\x80":
        connection.receive(b"a LOGIN a b\r\n")
    connection.receive(octets)
    for _ in range(len(octets) + 100):
        event = connection.next_event()
        out = b""
        match event:
            case Need.OCTETS:
                return
            case WantsContinuation() | AppendChunk():
                continue
            case BadCommand(reply=answer):
                out = connection.reply(answer)
            case Append(steps=steps) | Replace(steps=steps) | AppendNext(steps=steps) if isinstance(
                steps[-1], Literal
            ):
                out = connection.go_ahead()
            case Idle():
                out = connection.go_ahead()
            case Authenticate():
                out = connection.challenge(b"x")
            case SaslResponse(octets=b"bye"):
                out = connection.reply(LOGGING_OUT)
            case AppendEnd(error=error):
                out = connection.reply(error or ok("Done"))
            case _:
                out = connection.reply(ok("Done"))
        assert not out or (out.endswith(b"\r\n") and out.count(b"\n") == 1 and out.isascii())
        if connection.state is State.LOGOUT:
            return
    raise AssertionError("a connection that does not come to an end")


def annotated(octets: bytes) -> None:
    """What SETMETADATA sets is answered by GETMETADATA in words that set the same again; NUL parts literals."""
    parts = (b"a SETMETADATA " + octets).split(b"\0")
    with contextlib.suppress(BadSyntax):
        command = parse(tuple(parts[: len(parts) - (len(parts) + 1) % 2]))
        assert isinstance(command, SetMetadata)
        found = find({n: v for n, v in command.changes if v is not None}, [n for n, _ in command.changes])
        assert found.shown == command.changes
        connection = ServerConnection(plaintext_login=True, append_limit=1000)
        connection.receive(b"a LOGIN a b\r\n")
        connection.next_event()
        connection.reply(ok("Done"))
        connection.receive(b"a SETMETADATA" + found.octets(command.mailbox).removeprefix(b"* METADATA"))
        while isinstance(event := connection.next_event(), WantsContinuation):
            pass
        many = isinstance(event, BadCommand) and event.reply.code == b"METADATA TOOMANY"
        assert event == command or many


def url(octets: bytes) -> None:
    """URLs: a message that there can be, or the documented error."""
    with contextlib.suppress(ValueError):
        found = parse_url(octets)
        assert found.mailbox is None or mailbox_name(found.mailbox) == found.mailbox
        assert 1 <= found.uid < 1 << 32
        assert found.server is None or found.server.host


def mutf7(octets: bytes) -> None:
    """Names: one spelling each."""
    with contextlib.suppress(ValueError):
        assert encode(decode(octets)) == octets


def section(octets: bytes) -> None:
    """Trees of parts, header fields, and BODY out of BODYSTRUCTURE."""
    root = tree(octets[: len(octets) // 22 * 22])
    if root is not None:
        for path in ((), (1,), (1, 1), (2,), (1, 2, 1)):
            for text in (Text.ALL, Text.HEADER, Text.TEXT):
                locate(root, Section(path, text))
    kept = filter_header(octets, (b"a", b"subject"), wanted=True)
    assert filter_header(kept, (b"a", b"subject"), wanted=True) == kept
    without_extensions(octets)


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f for f in (imap_command, imap_conversation, annotated, url, mutf7, section)
}
