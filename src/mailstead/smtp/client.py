"""The client's side of one SMTP connection, without I/O: replies in, commands out."""

import re
from dataclasses import dataclass

from mailstead.mail.address import Address

LINE_CAP = 8192
LINES_CAP = 256
# Reply-line (RFC 5321 section 4.2)
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.S)


class ReplyError(Exception):
    """What came is no reply."""


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One whole reply of a server."""

    code: int
    lines: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """Whether it completes, or goes on."""
        return self.code < 400

    def __str__(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}"


class ReplyReader:
    """Cuts octets into replies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []
        self._code = 0

    @property
    def buffered(self) -> bool:
        """Whether octets are here that belong to no reply yet: before TLS there may be none."""
        return bool(self._buffer or self._lines)

    def receive(self, octets: bytes) -> None:
        """Take what came from the wire."""
        self._buffer += octets

    def next_reply(self) -> ServerReply | None:
        """The next reply, or None when more octets are needed.

        Raises:
            ReplyError: what came is no reply.
        """
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end].rstrip(b"\r"), self._buffer[end + 1 :]
            found = _LINE.fullmatch(line)
            if found is None or (self._lines and int(found[1]) != self._code):
                raise ReplyError("the server's answer is no SMTP reply")
            self._code = int(found[1])
            self._lines.append((found[3] or b"").decode("utf-8", "replace"))
            if len(self._lines) > LINES_CAP:
                raise ReplyError("the server's answer has no end")
            if found[2] != b"-":
                reply = ServerReply(self._code, tuple(self._lines))
                self._lines = []
                return reply
        if len(self._buffer) > LINE_CAP:
            raise ReplyError("the server's answer has no end")
        return None


def extensions(reply: ServerReply) -> dict[str, str]:
    """The keywords of an EHLO reply with their parameters."""
    words = (line.partition(" ") for line in reply.lines[1:])
    return {keyword.upper(): parameters for keyword, _, parameters in words}


def mail_command(sender: Address | None, octets: bytes, offered: dict[str, str]) -> str:
    """MAIL with the parameters that the server offers and this message needs."""
    command = f"MAIL FROM:<{'' if sender is None else sender}>"
    if "SIZE" in offered:
        command += f" SIZE={len(octets)}"
    if "8BITMIME" in offered and not octets.isascii():
        command += " BODY=8BITMIME"
    if "SMTPUTF8" in offered and sender is not None and not sender.is_ascii():
        command += " SMTPUTF8"
    return command


def dot_stuffed(octets: bytes) -> bytes:
    """What follows 354: dots doubled, a last line end, and the dot that ends it (section 4.5.2)."""
    if octets.startswith(b"."):
        octets = b"." + octets
    if not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    return octets.replace(b"\r\n.", b"\r\n..") + b".\r\n"
