"""The content of a BODY record, made while the message arrives.

Blocks of 64 KiB are compressed as soon as more follows, so that the length of the content is
known when the message ends, which the frame needs, and nothing of it is kept here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from mailstead.crypto.frame import BLOCK, PADDED, SEEKABLE, ZSTD, compress, seek_table

Compress = Literal["all", "large", "none"]


@dataclass(frozen=True, slots=True)
class PreparedBody:
    """A content ready to be sealed, once for each recipient.

    Args:
        flags: The flags octet of the record's header.
        plain_octets: The length of the message.
        content_octets: The length of the content.
        pieces: The content, from its beginning, as often as it is asked for.
    """

    flags: int
    plain_octets: int
    content_octets: int
    pieces: Callable[[], Iterable[bytes]]

    @property
    def compressed(self) -> bool:
        """Whether it is; then its summary is too."""
        return bool(self.flags & (ZSTD | SEEKABLE))


class BodyBuilder:
    """Turns the octets of a message into the content of its BODY record.

    Args:
        compression: "all" messages, "large" ones of more than one block, or "none".
    """

    def __init__(self, compression: Compress = "all") -> None:
        self._compression = compression
        self._waiting: list[bytes] = []
        self._waiting_octets = 0
        self._entries: list[tuple[int, int]] = []
        self._ready: list[bytes] = []
        self.plain_octets = 0
        self.content_octets = 0
        self.flags = PADDED

    def push(self, octets: bytes) -> None:
        """Take the next octets of the message."""
        self.plain_octets += len(octets)
        self._waiting.append(octets)
        self._waiting_octets += len(octets)
        if self._waiting_octets > BLOCK:
            self._full_blocks()

    def _full_blocks(self) -> None:
        whole = memoryview(b"".join(self._waiting))
        at = 0
        while len(whole) - at > BLOCK:
            self._emit(whole[at : at + BLOCK], compressed=self._compression != "none")
            at += BLOCK
        rest = bytes(whole[at:])
        self._waiting, self._waiting_octets = [rest], len(rest)

    def _emit(self, block: bytes | memoryview, *, compressed: bool) -> None:
        content = compress(block) if compressed else bytes(block)
        self._entries.append((len(content), len(block)))
        self._ready.append(content)
        self.content_octets += len(content)

    def take(self) -> bytes:
        """The content that is finished and was not taken yet."""
        if not self._ready:
            return b""
        content = b"".join(self._ready)
        self._ready.clear()
        return content

    def finish(self) -> None:
        """No octets follow: the last of the content is ready to be taken."""
        many = bool(self._entries)
        compressed = self._compression == "all" or (many and self._compression == "large")
        if self._waiting_octets or not many:
            self._emit(b"".join(self._waiting), compressed=compressed)
        self._waiting = []
        if not compressed:
            return
        if not many:
            self.flags |= ZSTD
            return
        self.flags |= SEEKABLE
        table = seek_table(self._entries)
        self._ready.append(table)
        self.content_octets += len(table)

    def prepared(self, pieces: Callable[[], Iterable[bytes]]) -> PreparedBody:
        """The finished content, which *pieces* gives back from its beginning."""
        return PreparedBody(self.flags, self.plain_octets, self.content_octets, pieces)
