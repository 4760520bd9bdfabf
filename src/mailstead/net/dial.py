"""A plain blocking SMTP client for the command line: one connection, one message."""

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mailstead.mail.address import Address
from mailstead.smtp.client import (
    ReplyError,
    ReplyReader,
    ServerReply,
    dot_stuffed,
    extensions,
    mail_command,
)

SECONDS = 60.0
TlsMode = Literal["none", "starttls", "implicit"]


class SendError(Exception):
    """The message was not taken; the text says by whom and why."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """Where to, and how.

    Args:
        ca: Certificates to trust instead of the system's.
        insecure: Encrypt, and ask nobody who is there.
    """

    host: str
    port: int
    tls: TlsMode = "starttls"
    ca: Path | None = None
    insecure: bool = False


def client_context(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """A context for a client: TLS 1.2 or newer, the name checked unless *insecure*."""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class SmtpClient:
    """One connection to a server; `say` gets the dialogue line by line.

    Raises:
        SendError: there is no connection, no greeting, or no TLS where it was asked for.
    """

    def __init__(self, to: Dialled, say: Callable[[str], None]) -> None:
        self._to = to
        self._say = say
        self._replies = ReplyReader()
        try:
            self._socket = socket.create_connection((to.host, to.port), SECONDS)
        except OSError as error:
            raise SendError(f"{to.host}:{to.port} does not answer: {error}") from error
        try:
            self._begin()
        except BaseException:
            self._socket.close()
            raise

    def _begin(self) -> None:
        if self._to.tls == "implicit":
            self._wrap()
        self._expect(self._read(), "the greeting")
        self._hello()
        if self._to.tls == "starttls":
            if "STARTTLS" not in self.offered:
                raise SendError("the server offers no STARTTLS; nothing was sent in clear")
            self._expect(self._command("STARTTLS"), "STARTTLS")
            if self._replies.buffered:
                raise SendError("the server sent more before TLS began")
            self._wrap()
            self._hello()

    def _wrap(self) -> None:
        context = client_context(self._to.ca, insecure=self._to.insecure)
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=self._to.host)
        except (ssl.SSLError, OSError) as error:
            raise SendError(f"no TLS with {self._to.host}: {error}") from error

    @property
    def tls(self) -> str | None:
        """The TLS version in use."""
        return self._socket.version() if isinstance(self._socket, ssl.SSLSocket) else None

    def _hello(self) -> None:
        reply = self._command(f"EHLO {socket.gethostname() or 'localhost'}")
        self._expect(reply, "EHLO")
        self.offered = extensions(reply)

    def send(
        self, sender: Address | None, recipients: Sequence[Address], octets: bytes
    ) -> tuple[ServerReply, dict[str, ServerReply]]:
        """Send one message; the server's last word, and its word on each recipient it refused.

        Raises:
            SendError: nobody may be sent to, or the message was not taken.
        """
        self._expect(self._command(mail_command(sender, octets, self.offered)), "the sender")
        refused: dict[str, ServerReply] = {}
        for recipient in recipients:
            reply = self._command(f"RCPT TO:<{recipient}>")
            if not reply.positive:
                refused[str(recipient)] = reply
        if len(refused) == len(recipients):
            raise SendError("; ".join(f"{who}: {reply}" for who, reply in refused.items()))
        self._expect(self._command("DATA"), "DATA")
        self._say(f"C: [{len(octets)} octets]")
        self._write(dot_stuffed(octets))
        reply = self._read()
        self._expect(reply, "the message")
        return reply, refused

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._command("QUIT")
        except SendError:
            pass  # it has what we sent; how it hangs up is its own affair
        finally:
            self._socket.close()

    def _command(self, line: str) -> ServerReply:
        self._say(f"C: {line}")
        self._write(line.encode() + b"\r\n")
        return self._read()

    def _write(self, octets: bytes) -> None:
        try:
            self._socket.sendall(octets)
        except OSError as error:
            raise SendError(f"the connection broke: {error}") from error

    def _read(self) -> ServerReply:
        try:
            while (reply := self._replies.next_reply()) is None:
                octets = self._socket.recv(65536)
                if not octets:
                    raise SendError("the server closed the connection")
                self._replies.receive(octets)
        except (OSError, ReplyError) as error:
            raise SendError(f"no answer: {error}") from error
        for line in reply.lines:
            self._say(f"S: {reply.code} {line}")
        return reply

    def _expect(self, reply: ServerReply, what: str) -> None:
        if not reply.positive:
            raise SendError(f"{what} was refused: {reply}")
