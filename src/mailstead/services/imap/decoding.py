"""Items of a FETCH whose octets are decoded: BINARY[...] and BINARY.SIZE[...] (RFC 3516)."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from mailstead.imap.binary import Binary
from mailstead.mail.header import first
from mailstead.mail.transfer import Decoder, decoder

Read = Callable[[int, int], AsyncIterator[bytes]]  # octets of a message, from and to


class UnknownEncoding(Exception):
    """A part has a transfer encoding that nobody here knows."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """An item that is made by decoding octets of the message.

    Args:
        header: Where the header stands that names the encoding; nowhere for the whole message.
        where: The octets that are decoded.
    """

    item: Binary
    header: range
    where: range

    def pieces(self, octets: bytes) -> tuple[bytes, ...]:
        """The item, from all octets of the message.

        Raises:
            UnknownEncoding: it cannot be had.
        """
        made = _decoder(octets[self.header.start : self.header.stop])
        plain = made.push(octets[self.where.start : self.where.stop]) + made.end()
        if self.item.size:
            return (_size(self.item, len(plain)),)
        part = self.item.partial.of(len(plain))
        chosen = plain[part.start : part.stop]
        return _head(self.item, len(chosen), binary=b"\0" in chosen), chosen

    async def streamed(self, read: Read) -> AsyncIterator[bytes]:
        """The item in pieces; it is decoded twice, since its size comes first.

        Raises:
            UnknownEncoding: it cannot be had; nothing was yielded.
        """
        header = b"".join([piece async for piece in read(self.header.start, self.header.stop)])
        size, binary = 0, False
        async for plain in self._decoded(header, read):
            size += len(plain)
            binary = binary or b"\0" in plain
        if self.item.size:
            yield _size(self.item, size)
            return
        part = self.item.partial.of(size)
        yield _head(self.item, len(part), binary=binary)
        at = 0
        async for plain in self._decoded(header, read):
            yield plain[max(0, part.start - at) : max(0, part.stop - at)]
            at += len(plain)

    async def _decoded(self, header: bytes, read: Read) -> AsyncIterator[bytes]:
        made = _decoder(header)
        async for piece in read(self.where.start, self.where.stop):
            yield made.push(piece)
        yield made.end()


def nothing(item: Binary) -> bytes:
    """The item for a part that the message does not have."""
    return _size(item, 0) if item.size else item.label + b" NIL"


def _decoder(header: bytes) -> Decoder:
    made = decoder(first(header, b"content-transfer-encoding") or b"")
    if made is None:
        raise UnknownEncoding
    return made


def _size(item: Binary, octets: int) -> bytes:
    return b"%b %d" % (item.label, octets)


def _head(item: Binary, octets: int, *, binary: bool) -> bytes:
    """A literal, or a literal8 for what a literal may not hold."""
    return b"%b %b{%d}\r\n" % (item.label, b"~" if binary else b"", octets)
