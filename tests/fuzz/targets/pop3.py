"""Fuzz targets of POP3, of what SORT and THREAD read, and of compressed connections, as in `parsers`."""

import contextlib
from collections.abc import Callable

from mailstead.errors import UnsealError
from mailstead.mail.basesubject import base_subject
from mailstead.mail.headersummary import read_envelope
from mailstead.mail.messageids import message_ids
from mailstead.mail.transfer import Base64, QuotedPrintable, decoded, quoted_printable
from mailstead.net.deflate import PIECE_OCTETS, Garbled, Inflater
from mailstead.pop3.commands import Auth
from mailstead.pop3.responses import ok
from mailstead.pop3.server import BadCommand, Need, SaslResponse, ServerConnection, State
from mailstead.pop3.text import Stuffer, TopCutter


def pop3_conversation(octets: bytes) -> None:
    """A whole connection: everything is done, and each answer is a line of ours."""
    connection = ServerConnection(plaintext_login=True)
    if octets[:1] < b"\x80":
        connection.receive(b"USER a\r\nPASS b\r\n")
    connection.receive(octets)
    for _ in range(len(octets) + 100):
        event = connection.next_event()
        if event is Need.OCTETS:
            return
        match event:
            case BadCommand():
                out = connection.respond(event.response)
            case Auth() | SaslResponse(octets=b"on"):
                out = connection.challenge(b"x")
            case _:
                out = connection.respond(ok("Done"))
        assert out.endswith(b"\r\n")
        assert out.count(b"\n") == 1
        if connection.state is State.CLOSED:
            return
    raise AssertionError("a connection that does not come to an end")


def maildrop_text(octets: bytes) -> None:
    """Dots and TOP: in two pieces as in one, and no line of it ends the response."""
    for cut in (0, 1, len(octets) // 2):
        stuffer, whole = Stuffer(), Stuffer()
        stuffed = stuffer.push(octets[:cut]) + stuffer.push(octets[cut:]) + stuffer.end()
        assert stuffed == whole.push(octets) + whole.end()
        assert (b"\r\n" + stuffed).find(b"\r\n.\r\n") == len(stuffed) - 3
        cutter = TopCutter(2)
        some = cutter.push(octets[:cut])
        some += b"" if cutter.done else cutter.push(octets[cut:])
        assert octets.startswith(some)


def threading(octets: bytes) -> None:
    """Subjects, message ids and ENVELOPEs as SORT and THREAD read them."""
    found = base_subject(octets.decode("utf-8", "replace"))
    assert base_subject(found.text).text == found.text
    message_ids(octets)
    with contextlib.suppress(UnsealError):
        read_envelope(octets)


def transfer(octets: bytes) -> None:
    """Transfer encodings in pieces as in one."""
    pieces = [octets[at : at + 7] for at in range(0, len(octets), 7)]
    assert b"".join(decoded(QuotedPrintable(), pieces)) == quoted_printable(octets)
    assert b"".join(decoded(Base64(), pieces)) == b"".join(decoded(Base64(), [octets]))


def inflated(octets: bytes) -> None:
    """Whatever is said to be DEFLATE comes to an end, a piece at a time."""
    inflater = Inflater(octets)
    with contextlib.suppress(Garbled):
        while not (inflater.hungry or inflater.ended):
            assert len(inflater.next()) <= PIECE_OCTETS


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f for f in (pop3_conversation, maildrop_text, threading, transfer, inflated)
}
