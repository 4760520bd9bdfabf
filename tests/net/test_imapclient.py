"""The IMAP client of the command line, against servers of all kinds."""

import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from mailstead.errors import Reason, Refused, Unavailable
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.net.dial import Dialled
from mailstead.net.imapclient import ImapClient, ReadError
from mailstead.net.imapfetched import RemoteMessage

GREETING = b"* OK ready\r\n"
CAPABLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n"
IN = (GREETING, CAPABLE, b"+ \r\n", b"TAG OK in\r\n")
BOX = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\nTAG OK [READ-ONLY] open\r\n"
BYE = b"* BYE\r\nTAG OK bye\r\n"


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[Dialled, list[bytes]]]:
    """Says the first of *answers* at once, and the next for each line it gets; TAG is the last line's."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        tag = b""
        with listener.accept()[0] as sock, sock.makefile("rb") as lines:
            for answer in answers:
                sock.sendall(answer.replace(b"TAG", tag))
                line = lines.readline()
                if not line:
                    return
                heard.append(line.rstrip(b"\r\n"))
                first = line.split(b" ")[0].strip()
                tag = first if b" " in line else tag  # a line of SASL has none

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield Dialled("127.0.0.1", listener.getsockname()[1], "none"), heard
    finally:
        thread.join(10)
        listener.close()


def opened(to: Dialled) -> ImapClient:
    client = ImapClient(to, "ann", b'p\xc3\xa4ss "w\\')
    assert client.examine("INBOX") == 3
    return client


def test_a_list_is_read_however_it_is_spelled() -> None:
    quoted = b'* 1 FETCH (FLAGS (\\Seen \\Recent $Label1 work) UID 7 INTERNALDATE " 1-Feb-2026 10:00:00 +0100" RFC822.SIZE 9 BODY[HEADER] "a \\"b\\"" BODY[TEXT]<0> NIL)\r\n'
    literals = b'* 2 FETCH (BODY[TEXT]<0> {5}\r\nx)\r\ny BODY[HEADER] {9}\r\nS: (a "\r\n UID 8 FLAGS () INTERNALDATE "02-Feb-2026 10:00:00 +0000" RFC822.SIZE 10)\r\n'
    news = b"* 4 EXISTS\r\n* 2 FETCH (FLAGS (\\Deleted))\r\n"
    with server(*IN, BOX, quoted + news + literals + b"TAG OK done\r\n", BYE) as (to, heard):
        client = opened(to)
        found = list(client.listed())
        client.close()
    assert found == [
        RemoteMessage(Uid(7), 1769936400, 9, Flags(SystemFlag.SEEN, frozenset(("$Label1", "work"))), b'a "b"', b""),
        RemoteMessage(Uid(8), 1770026400, 10, Flags(), b'S: (a "\r\n', b"x)\r\ny"),
    ]  # fmt: skip
    assert heard[-2].split(b" ", 1)[1].startswith(b"FETCH 1:3 (UID FLAGS ")
    assert heard[-1].endswith(b" LOGOUT")


def test_the_password_goes_as_it_is_and_the_name_in_utf_7() -> None:
    with server(*IN, BOX, BOX, BYE) as (to, heard):
        client = opened(to)
        client.examine('Büro "x" \\ 日本')
        client.close()
    assert b64decode(heard[2]) == b'\0ann\0p\xc3\xa4ss "w\\'
    assert heard[4].endswith(b' EXAMINE "B&APw-ro \\"x\\" \\\\ &ZeVnLA-"')


def test_some_that_are_gone_leave_the_others() -> None:
    gone = b"* 1 FETCH (UID 7)\r\nTAG NO [EXPUNGEISSUED] Some messages are gone\r\n"
    with server(*IN, BOX, gone, BYE) as (to, _):
        client = opened(to)
        assert list(client.uids()) == [7]
        client.close()


def test_a_search_is_asked_in_ascii_or_by_a_literal() -> None:
    plain = b"* SEARCH 1 3\r\nTAG OK done\r\n"
    with server(*IN, BOX, plain, b"+ go on\r\n", plain, b"TAG NO [BADCHARSET] no\r\n") as (to, heard):
        client = opened(to)
        assert client.search(b"UNSEEN") == {1, 3}
        assert client.search(b"SUBJECT", "дом") == {1, 3}
        with closing(client), pytest.raises(ReadError, match="does not search so"):
            client.search(b"BODY x")
    assert heard[4].endswith(b" SEARCH 1:3 UNSEEN")
    assert heard[5].endswith(b" SEARCH CHARSET UTF-8 1:3 SUBJECT {6}")
    assert heard[6] == "дом".encode()


def test_a_message_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailstead.net.imapclient.PIECE", 4)
    first = b"* 1 FETCH (BODY[]<0> {4}\r\nabcd UID 7)\r\nTAG OK done\r\n"
    second = b'* 1 FETCH (UID 7 BODY[]<4> "ef")\r\nTAG OK done\r\n'
    with server(*IN, BOX, first, second, b"TAG OK done\r\n", BYE) as (to, _):
        client = opened(to)
        assert list(client.read(Uid(7))) == [b"abcd", b"ef"]
        with pytest.raises(Refused) as caught:
            list(client.read(Uid(8)))
        assert caught.value.reason is Reason.NO_SUCH_MESSAGE
        client.close()


@pytest.mark.parametrize(
    ("answers", "why", "temporary"),
    [
        ((), "", True),
        ((b"* BYE too many \x1b[31mconnections\r\n",), "too many", True),
        ((b"220 smtp.example ESMTP\r\n",), "220 smtp.example", True),
        ((GREETING, b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nTAG OK done\r\n"), "without TLS", False),
        ((GREETING, CAPABLE), "broke", True),
        ((*IN, BOX, b"* 1 FETCH (UID x FLAGS\r\nTAG OK done\r\n"), "makes no sense", False),
        ((*IN, BOX, b"* 1 FETCH (UID (1))\r\nTAG OK done\r\n"), "makes no sense", False),
        ((*IN, BOX, b"* 1 FETCH (UID 1)\r\nTAG OK done\r\n"), "makes no sense", False),
        ((*IN, BOX, b"* 1 FETCH (()\r\nTAG OK done\r\n"), "makes no sense", False),
        ((*IN, BOX, b"TAG BAD what?\r\n"), "what?", False),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_error(answers: tuple[bytes, ...], why: str, temporary: bool) -> None:
    with server(*answers) as (to, _), pytest.raises(ReadError) as caught:
        client = ImapClient(to, "ann", b"x")
        with closing(client):
            client.examine("INBOX")
            list(client.listed())
    assert why in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert caught.value.temporary is temporary


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"TAG NO [AUTHENTICATIONFAILED] no\r\n", Refused(Reason.LOGIN_FAILED)),
        (b"TAG NO [UNAVAILABLE] busy\r\n", Unavailable(Reason.TOO_BUSY)),
    ],
)
def test_a_login_fails_for_a_reason(answer: bytes, error: Refused | Unavailable) -> None:
    with server(*IN[:3], answer) as (to, _), pytest.raises(type(error)) as caught:
        ImapClient(to, "ann", b"x")
    assert caught.value.reason is error.reason


def test_a_mailbox_that_is_not_there() -> None:
    with server(*IN, b"TAG NO [NONEXISTENT] none\r\n") as (to, _):
        client = ImapClient(to, "ann", b"x")
        with closing(client), pytest.raises(Refused) as caught:
            client.examine("Nope")
    assert caught.value.reason is Reason.NO_SUCH_MAILBOX


def test_starttls_is_not_gone_without() -> None:
    with server(GREETING, CAPABLE) as (to, heard), pytest.raises(ReadError, match="no STARTTLS"):
        ImapClient(Dialled(to.host, to.port, "starttls"), "ann", b"x")
    assert all(b"PLAIN" not in line for line in heard)
