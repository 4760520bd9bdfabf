"""A plain blocking IMAP client for the command line: one login, one mailbox, which is never changed.

imaplib (RFC 3501) does the talking. Messages are named by sequence numbers within the life of a
connection: no answer to FETCH or SEARCH may renumber them, and nothing else is asked. A server is
a stranger: what it says is cleaned before anybody sees it.
"""

import imaplib
import ssl
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mailstead.errors import Reason, Refused, Unavailable
from mailstead.imap.mutf7 import encode
from mailstead.mail.mailbox import Uid
from mailstead.mail.text import safe
from mailstead.net.dial import SECONDS, Dialled, client_context
from mailstead.net.imapfetched import Fetched, RemoteMessage, Response, fetched, message_of, number, octets

LISTED_AT_ONCE = 100  # messages
SEARCHED_AT_ONCE = 50_000  # messages: the numbers of all must fit into a line of imaplib's
PIECE = 1 << 20  # octets
TEXT_OCTETS = 8192  # of the body, for the preview

_LISTED = f"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.{TEXT_OCTETS}>)"


class ReadError(Exception):
    """The mail cannot be read there; the text says why.

    Args:
        temporary: It may be different later.
    """

    def __init__(self, why: str, *, temporary: bool = False) -> None:
        super().__init__(safe(why))
        self.temporary = temporary


class ImapClient:
    """One connection to a server, logged in.

    Raises:
        ReadError: there is no connection, or no TLS where it was asked for.
        Refused: the password is wrong.
        Unavailable: the server is too busy to look at it.
    """

    def __init__(self, to: Dialled, user: str, password: bytes) -> None:
        self._to = to
        self.messages = 0
        with self._talking():
            self._imap = self._connect()
        try:
            with self._talking():
                self._log_in(user, password)
        except BaseException:
            self._imap.shutdown()
            raise

    def _connect(self) -> imaplib.IMAP4:
        to = self._to
        try:
            context = client_context(to.ca, insecure=to.insecure)
        except OSError as error:
            raise ReadError(f"{to.ca} cannot be read: {error}") from error
        if to.tls == "implicit":
            return imaplib.IMAP4_SSL(to.host, to.port, ssl_context=context, timeout=SECONDS)
        imap = imaplib.IMAP4(to.host, to.port, timeout=SECONDS)
        if to.tls == "starttls":
            try:
                if "STARTTLS" not in imap.capabilities:
                    raise ReadError("the server offers no STARTTLS; nothing was sent in clear")
                imap.starttls(context)
            except BaseException:
                imap.shutdown()
                raise
        return imap

    def _log_in(self, user: str, password: bytes) -> None:
        if "LOGINDISABLED" in self._imap.capabilities:
            raise ReadError("the server takes no password without TLS; nothing was sent")
        secret = b"\0".join((b"", user.encode(), password))
        try:
            self._imap.authenticate("PLAIN", lambda _: secret)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if "[UNAVAILABLE]" in str(error):
                raise Unavailable(Reason.TOO_BUSY) from error
            raise Refused(Reason.LOGIN_FAILED) from error

    @contextmanager
    def _talking(self) -> Generator[None]:
        """The one place where imaplib's errors, and the network's, become ours."""
        where = f"{self._to.host}:{self._to.port}"
        try:
            yield
        except ssl.SSLError as error:
            raise ReadError(f"no TLS with {self._to.host}: {error}") from error
        except OSError as error:
            raise ReadError(f"{where} does not answer: {error}", temporary=True) from error
        except imaplib.IMAP4.abort as error:
            raise ReadError(f"the connection to {where} broke: {_said(error)}", temporary=True) from error
        except imaplib.IMAP4.error as error:
            busy = "BYE" in str(error)  # in place of a greeting
            raise ReadError(f"{where} said: {_said(error)}", temporary=busy) from error
        except (IndexError, KeyError, ValueError) as error:
            raise ReadError(f"the answer of {where} makes no sense") from error

    @property
    def tls(self) -> str | None:
        """The TLS version in use."""
        sock = self._imap.socket()
        return sock.version() if isinstance(sock, ssl.SSLSocket) else None

    def examine(self, name: str) -> int:
        """Open a mailbox to read in it; how many messages it has.

        Raises:
            Refused: there is none of this name.
        """
        spelled = encode(name).decode().replace("\\", "\\\\").replace('"', '\\"')
        with self._talking():
            answer, data = self._imap.select(f'"{spelled}"', readonly=True)
            if answer != "OK":
                raise _refusal(data, Reason.NO_SUCH_MAILBOX)
            self.messages = int(data[0] or b"0")
        return self.messages

    def uids(self) -> Iterator[Uid]:
        """The UID of every message, oldest first."""
        for found in self._fetch(range(1, self.messages + 1), "(UID)", SEARCHED_AT_ONCE):
            with self._talking():
                uid = number(found, b"UID")
            yield Uid(uid)

    def listed(self, numbers: Iterable[int] | None = None) -> Iterator[RemoteMessage]:
        """The messages with these *numbers*, or all, oldest first."""
        wanted = range(1, self.messages + 1) if numbers is None else sorted(numbers)
        for found in self._fetch(wanted, _LISTED, LISTED_AT_ONCE):
            with self._talking():
                message = message_of(found)
            yield message

    def _fetch(self, numbers: Sequence[int], items: str, at_once: int) -> Iterator[Fetched]:
        for start in range(0, len(numbers), at_once):
            some = numbers[start : start + at_once]
            named = f"{some[0]}:{some[-1]}" if isinstance(some, range) else ",".join(map(str, some))
            with self._talking():
                answer, data = self._imap.fetch(named, items)
                if answer != "OK" and "[EXPUNGEISSUED]" in _joined(data):
                    _, data = self._imap.response("FETCH")  # some are gone: the others came
                elif answer != "OK":
                    raise _refusal(data, Reason.NO_SUCH_MESSAGE)
                found = [f for f in fetched(data) if b"UID" in f]
            yield from found

    def search(self, words: bytes, text: str | None = None) -> set[int]:
        """The numbers of the messages that a search finds.

        Args:
            words: Search keys as IMAP spells them.
            text: The string that belongs behind the last of them, when it is not ASCII.
        """
        imap: Any = self._imap  # it takes octets, which its types do not know
        found: set[int] = set()
        for start in range(1, self.messages + 1, SEARCHED_AT_ONCE):
            among = b"%d:%d" % (start, min(self.messages, start + SEARCHED_AT_ONCE - 1))
            arguments = [among, words]
            with self._talking():
                if text is not None:
                    imap.literal = text.encode()
                    arguments = [b"CHARSET", b"UTF-8", *arguments]
                answer, data = imap.search(None, *arguments)
                if answer != "OK":
                    raise ReadError(f"the server does not search so: {_joined(data)}")
                found.update(int(number) for line in data if line for number in line.split())
        return found

    def read(self, uid: Uid) -> Iterator[bytes]:
        """The octets of a message, in pieces.

        Raises:
            Refused: it is not there.
        """
        start = 0
        while True:
            with self._talking():
                answer, data = self._imap.uid("FETCH", str(uid), f"(UID BODY.PEEK[]<{start}.{PIECE}>)")
                found = [f for f in fetched(data) if f.get(b"UID") == b"%d" % uid] if answer == "OK" else []
                if not found:
                    raise Refused(Reason.NO_SUCH_MESSAGE)
                piece = octets(found[-1], b"BODY[]<%d>" % start)
            yield piece
            start += len(piece)
            if len(piece) < PIECE:
                return

    def close(self) -> None:
        """Say goodbye."""
        with suppress(OSError, imaplib.IMAP4.error):  # how it hangs up is its own affair
            self._imap.logout()
        with suppress(OSError):
            self._imap.shutdown()


def _refusal(data: Response, reason: Reason) -> Refused | Unavailable:
    text = _joined(data)
    return Unavailable(Reason.TOO_BUSY, text) if "[UNAVAILABLE]" in text else Refused(reason, text)


def _joined(data: Response) -> str:
    return " ".join(line.decode("utf-8", "replace") for line in data if isinstance(line, bytes))


def _said(error: Exception) -> str:
    """What imaplib has of the server's own words."""
    said: object = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
