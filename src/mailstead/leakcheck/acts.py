"""What senders and an owner do, with a canary in whatever they name: everything that could be written down.

These functions block; they run in a thread, against a server in the same process.
"""

import contextlib
import poplib
import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailstead.leakcheck.canaries import Canaries
from mailstead.leakcheck.talk import ImapTalk, LineTalk
from mailstead.mail.address import parse_mailbox
from mailstead.net.dial import SECONDS, Dialled, SmtpClient

LARGE = 30_000  # lines of 200 octets and more that hardly compress: it waits in the spool
DATE = 837_596_665  # of a message that is appended: 17-Jul-1996 02:44:25 -0700
SERVED = ("smtp", "lmtp", "submission", "imaps", "pop3s")


class Server(NamedTuple):
    """Where the server is, and who its two new people are.

    Args:
        ports: By service, on loopback.
    """

    ports: dict[str, int]
    owner: str
    other: str


def deliver(server: Server, canaries: Canaries, words: Sequence[bytes]) -> None:
    """Mail as it comes in: to both people at once by SMTP in TLS, and by LMTP.

    Args:
        words: Stand in it, too.

    Raises:
        SendError, TalkError: it was not taken.
    """
    sender = parse_mailbox(f"{canaries['sender']}@example.net".encode())
    to = [parse_mailbox(one.encode()) for one in (server.owner, server.other)]
    client = SmtpClient(Dialled("127.0.0.1", server.ports["smtp"], "starttls", insecure=True), lambda _: None)
    try:
        text = b"".join(word + b"\r\n" for word in words)
        client.send(sender, to, canaries.message(server.owner) + text)
    finally:
        client.close()
    with contextlib.closing(LineTalk(server.ports["lmtp"])) as talk:
        talk.send_message("LHLO", str(sender), [server.owner], canaries.message(server.owner))


def deliver_large(server: Server, canaries: Canaries, midway: Callable[[], None]) -> None:
    """A message that is too large to wait in memory; *midway* is called when half of it is there.

    Raises:
        TalkError: it was not taken.
    """
    octets = canaries.message(server.owner, "large body", LARGE)
    sender = f"{canaries['sender']}@example.net"
    with contextlib.closing(LineTalk(server.ports["smtp"])) as talk:
        talk.send_message("EHLO", sender, [server.owner], octets, midway)


def submit(server: Server, canaries: Canaries) -> None:
    """Mail that the owner sends, to himself, after a login."""
    context = _context()
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=SECONDS) as client:
        client.starttls(context=context)
        client.login(server.owner, canaries["password"])
        client.sendmail(server.owner, [server.owner], canaries.message(server.owner))


def fetch_by_pop3(server: Server, canaries: Canaries) -> None:
    """A login that fails, and one that reads a message."""
    with contextlib.suppress(poplib.error_proto):
        stranger = _pop3(server)
        stranger.user(canaries["wrong name"])
        stranger.pass_(canaries["wrong password"])
    client = _pop3(server)
    client.user(server.owner)
    client.pass_(canaries["password"])
    client.retr(1)
    client.quit()


def _pop3(server: Server) -> poplib.POP3_SSL:
    return poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], context=_context(), timeout=SECONDS)


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is this very process
    return context


def mistype(server: Server, canaries: Canaries) -> None:
    """Logins by IMAP that fail."""
    with contextlib.closing(ImapTalk(server.ports["imaps"])) as talk:
        for name in (canaries["wrong name"], server.owner):
            talk.ask(b'LOGIN "%b" "%b"' % (name.encode(), canaries.octets("wrong password")))


class Arranged(NamedTuple):
    """What an owner has before he begins to arrange, and after it.

    Args:
        sizes: Exact sizes of his larger messages, which no column may have.
    """

    sizes: frozenset[int]
    mailboxes: int


def read_and_arrange(server: Server, canaries: Canaries, password: str) -> Arranged:
    """An afternoon of an owner at his mail, by IMAP.

    Raises:
        TalkError: what should have been done was not.
    """
    with contextlib.closing(ImapTalk(server.ports["imaps"])) as talk:
        talk.do(b'LOGIN "%b" "%b"' % (server.owner.encode(), password.encode()))
        talk.do(b"EXAMINE INBOX")
        sizes = re.findall(rb"RFC822\.SIZE (\d{6,})", talk.do(b"FETCH 1:* RFC822.SIZE"))
        for command in _commands(canaries):
            talk.do(command)
        for command in _refused(canaries):
            talk.ask(command)
        mailboxes = len(re.findall(rb"^\* LIST ", talk.do(b'LIST "" "*"'), re.M))
    return Arranged(frozenset(map(int, sizes)), mailboxes)


def expunge_first(server: Server, password: str) -> None:
    """Remove the first message of INBOX for good."""
    with contextlib.closing(ImapTalk(server.ports["imaps"])) as talk:
        talk.do(b'LOGIN "%b" "%b"' % (server.owner.encode(), password.encode()))
        for command in (b"SELECT INBOX", rb"STORE 1 +FLAGS (\Deleted)", b"EXPUNGE", b"LOGOUT"):
            talk.do(command)


def _commands(canaries: Canaries) -> list[bytes]:
    """What must be OK, in this order."""
    box, renamed, keyword = map(canaries.octets, ("mailbox", "renamed mailbox", "keyword"))
    note, value, search = map(canaries.octets, ("annotation's name", "annotation", "search"))
    appended = b"Subject: %b\r\n\r\n%b\r\n" % (canaries.octets("subject"), canaries.octets("appended body"))
    literal = b"{%d+}\r\n%b" % (len(appended), appended)
    return [
        b'ID ("name" "%b")' % canaries.octets("client's name"),
        b'CREATE "%b"' % box, b'CREATE "%b/%b %b"' % (box, box, box), b'CREATE "&AOk-%b"' % box,
        b'SUBSCRIBE "%b"' % canaries.octets("subscription"), b'RENAME "%b" "%b"' % (box, renamed),
        b'LIST "" "%b*"' % renamed, b'STATUS "%b" (MESSAGES UNSEEN)' % renamed,
        b'SETMETADATA "%b" (/private/%b "%b")' % (renamed, note, value),
        b'SETMETADATA "" (/private/%b "%b" /private/comment "%b")' % (note, value, value),
        b'GETMETADATA (DEPTH infinity) "%b" (/private/%b)' % (renamed, note),
        b'APPEND "%b" (%b) "17-Jul-1996 02:44:25 -0700" %b' % (renamed, keyword, literal),
        b"SELECT INBOX", b"STORE 1:* +FLAGS (%b $%b)" % (keyword, keyword),
        b"STORE 1 -FLAGS.SILENT ($%b)" % keyword,
        b"FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])",
        b"FETCH 1 BODY[HEADER.FIELDS (%b)]" % canaries.octets("name of a field"),
        b"SEARCH BODY %b" % search, b"SEARCH TEXT %b" % canaries.octets("body"),
        b"SEARCH SUBJECT %b" % canaries.octets("search by subject"),
        b"SEARCH HEADER X-Canary %b" % canaries.octets("search in headers"),
        b"SEARCH KEYWORD %b" % keyword, b"SEARCH CHARSET UTF-8 FROM %b" % canaries.octets("sender"),
        b"SORT (SUBJECT FROM) UTF-8 TEXT %b" % search, b"SORT (SUBJECT) UTF-8 ALL",
        b"THREAD REFERENCES UTF-8 ALL",
        b'COPY 1 "%b"' % renamed, b'MOVE 2 "%b"' % renamed, b'DELETE "&AOk-%b"' % box,
        b'SELECT "%b"' % renamed, rb"STORE 1:* +FLAGS (\Deleted)", b"EXPUNGE", b"CLOSE",
    ]  # fmt: skip


def _refused(canaries: Canaries) -> list[bytes]:
    """What a server may refuse, and must not write down for it."""
    nonsense, box = canaries.octets("nonsense"), canaries.octets("mailbox")
    return [
        nonsense, b"ENABLE %b" % nonsense, b'SELECT "%b nowhere"' % box, b"SEARCH CHARSET %b ALL" % nonsense,
        b'GETACL "%b"' % box, b"FETCH %b FLAGS" % nonsense, b'CREATE "INBOX/%b"' % box,
        b'SETMETADATA INBOX (%b NIL)' % nonsense,
    ]  # fmt: skip
