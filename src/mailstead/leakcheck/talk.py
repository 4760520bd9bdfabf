"""Lines over a socket, as any client might send them: to SMTP and LMTP in clear, to IMAP within TLS."""

import itertools
import socket
import ssl
from collections.abc import Callable, Sequence

from mailstead.net.dial import client_context

SECONDS = 60.0


class TalkError(Exception):
    """The server did not answer as it should; the text has its words."""


class LineTalk:
    """SMTP or LMTP by hand, so that a message can be sent in parts."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._file = self._socket.makefile("rb")
        self._expect("220")

    def send_message(
        self,
        hello: str,
        sender: str,
        to: Sequence[str],
        octets: bytes,
        midway: Callable[[], None] | None = None,
    ) -> None:
        """Send one message; *midway* is called when half of it is out.

        Raises:
            TalkError: it was not taken.
        """
        commands = [(f"{hello} localhost", "250"), (f"MAIL FROM:<{sender}> SIZE={len(octets)}", "250")]
        commands += [(f"RCPT TO:<{one}>", "250") for one in to] + [("DATA", "354")]
        for command, code in commands:
            self._socket.sendall(command.encode() + b"\r\n")
            self._expect(code)
        half = len(octets) // 2 if midway is not None else 0
        self._socket.sendall(octets[:half])
        if midway is not None:
            midway()
        self._socket.sendall(octets[half:] + b".\r\n")
        for _ in to if hello == "LHLO" else to[:1]:
            self._expect("250")

    def _expect(self, code: str) -> None:
        while (line := self._file.readline())[3:4] == b"-":
            pass
        if not line.startswith(code.encode()):
            raise TalkError(line.decode("utf-8", "replace").strip() or "the connection was closed")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


class ImapTalk:
    """IMAP by hand, for commands that no client would send."""

    def __init__(self, port: int) -> None:
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        try:
            # Who is there is known: this very process.
            self._socket = client_context(None, insecure=True).wrap_socket(plain)
        except (OSError, ssl.SSLError) as error:
            plain.close()
            raise TalkError(str(error)) from error
        self._buffer = b""
        self._tags = itertools.count(1)
        self._until(b"\r\n")

    def ask(self, command: bytes) -> tuple[bool, bytes]:
        """One command with its literals, which do not wait; whether it was OK, and all that was answered."""
        tag = b"c%d" % next(self._tags)
        self._socket.sendall(tag + b" " + command + b"\r\n")
        said = b""
        while not (line := self._until(b"\r\n")).startswith(tag + b" "):
            said += line
        return line.startswith(tag + b" OK"), said + line

    def do(self, command: bytes) -> bytes:
        """One command that must be OK; all that was answered.

        Raises:
            TalkError: it was not.
        """
        good, said = self.ask(command)
        if not good:
            last = said.rstrip().rpartition(b"\r\n")[2]
            raise TalkError(f"{command.split()[0].decode()}: {last.decode('utf-8', 'replace')}")
        return said

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            came = self._socket.recv(65536)
            if not came:
                raise TalkError("the connection was closed")
            self._buffer += came
        line, _, self._buffer = self._buffer.partition(end)
        return line + end

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
