"""IMAP over a real socket, by hand: for servers that are processes of their own."""

import itertools
import re
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.support.imap import Said, deflater
from tests.support.server import PASSWORD, SAID, Talk

_LITERAL = re.compile(rb"\{(\d+)\}\Z")


class ImapTalk(Talk):
    """One connection; every command waits for its answer."""

    def __init__(self, port: int, source: str = "127.0.0.1", ca: Path | None = None) -> None:
        super().__init__(port, source=source)
        if ca is not None:
            self.wrap(ca)
        self._tags = itertools.count(1)
        self._inflate: Callable[[bytes], bytes] = bytes
        self._deflate: Callable[[bytes], bytes] = bytes
        self.greeting = self.line()
        if not self.greeting:
            self.close()
            raise ConnectionError("no greeting")

    def wrap(self, ca: Path) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def compress(self) -> "ImapTalk":
        self.ok(b"COMPRESS DEFLATE")
        self._inflate, self._deflate = zlib.decompressobj(-15).decompress, deflater()
        return self

    def raw(self) -> None:
        """What is sent from here on is sent as it is."""
        self._deflate = bytes

    def send(self, octets: bytes) -> None:
        super().send(self._deflate(octets))

    def until_closed(self, seconds: float = 10) -> bytes:
        whole, self.buffer = self.buffer, b""
        return whole + self._inflate(super().until_closed(seconds))

    def line(self) -> bytes:
        """The next whole response, literals and all, without its CRLF; empty at the end."""
        while (end := self._end()) is None:
            try:
                came = self.socket.recv(1 << 18)
            except ConnectionError:
                came = b""
            if not came:
                return b""
            self.buffer += self._inflate(came)
        found, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return found

    def _end(self) -> int | None:
        at = 0
        while (end := self.buffer.find(b"\r\n", at)) >= 0:
            literal = _LITERAL.search(self.buffer, at, end)
            if literal is None:
                return end
            at = end + 2 + int(literal[1])
            if len(self.buffer) < at:
                return None
        return None

    def ask(self, *pieces: bytes) -> Said:
        """One command: its text, and after each piece that announces one, a literal."""
        tag = b"t%d" % next(self._tags)
        self.send(tag + b" " + pieces[0] + b"\r\n")
        rest = list(pieces[1:])
        untagged: list[bytes] = []
        while line := self.line():
            first, _, after = line.partition(b" ")
            if first == tag:
                status, _, text = after.partition(b" ")
                return Said(untagged, status, text)
            if first == b"+" and rest:
                self.send(rest.pop(0) + (rest.pop(0) if rest else b"") + b"\r\n")
            else:
                untagged.append(line)
        return Said(untagged, b"", b"")

    def ok(self, *pieces: bytes) -> Said:
        said = self.ask(*pieces)
        assert said.status == b"OK", (pieces[0][:100], said)
        return said

    def log_in(self, user: str = "ann@b.test", password: str = PASSWORD) -> "ImapTalk":
        SAID.passwords += 1
        self.ok(b'LOGIN "%b" "%b"' % (user.encode(), password.encode()))
        return self

    def append(self, octets: bytes, mailbox: bytes = b"INBOX", options: bytes = b"") -> Said:
        return self.ask(b"APPEND %b %b{%d}" % (mailbox, options, len(octets)), octets)
