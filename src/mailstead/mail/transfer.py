"""Content transfer encodings, decoded a piece at a time (RFC 2045 section 6).

What makes no sense is left out of base64, and stays as it is in quoted-printable: every octet a
sender wrote leads to some result, and cut anywhere to the same.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from mailstead.mail.encodedwords import NOT_BASE64, base64

_SOFT = re.compile(rb"=[ \t]*\r?\n")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_SOFT_BEGUN = re.compile(rb"=[ \t]*\r?\Z")
_HEX_BEGUN = re.compile(rb"=[0-9A-Fa-f]?\Z")


class Decoder(Protocol):
    """Decodes one body."""

    def push(self, octets: bytes) -> bytes:
        """What the next octets make certain."""
        ...

    def end(self) -> bytes:
        """The rest."""
        ...


class Identity:
    """7bit, 8bit and binary."""

    def push(self, octets: bytes) -> bytes:
        """The same octets."""
        return octets

    def end(self) -> bytes:
        """Nothing."""
        return b""


class Base64:
    """base64 (section 6.8); it ends at its first "="."""

    def __init__(self) -> None:
        self._held = b""
        self._over = False

    def push(self, octets: bytes) -> bytes:
        """What whole groups of four make."""
        if self._over:
            return b""
        before, end, _ = octets.partition(b"=")
        self._over = bool(end)
        held = self._held + NOT_BASE64.sub(b"", before)
        whole = len(held) // 4 * 4
        self._held = held[whole:]
        return binascii.a2b_base64(held[:whole])

    def end(self) -> bytes:
        """What a group that was not completed makes."""
        return base64(self._held)


class QuotedPrintable:
    """quoted-printable (section 6.7)."""

    def __init__(self) -> None:
        self._soft = b""  # what may be the beginning of a soft line break
        self._hexed = b""  # and of an encoded octet

    def push(self, octets: bytes) -> bytes:
        """What is decoded whatever follows."""
        held = self._soft + octets
        begun = _SOFT_BEGUN.search(held, held.rfind(b"=")) if b"=" in held else None
        self._soft = held[begun.start() :] if begun else b""
        held = self._hexed + _SOFT.sub(b"", held[: begun.start()] if begun else held)
        begun = _HEX_BEGUN.search(held, max(0, len(held) - 2))
        self._hexed = held[begun.start() :] if begun else b""
        return _unhex(held[: begun.start()] if begun else held)

    def end(self) -> bytes:
        """What was begun and is nothing."""
        return _unhex(self._hexed + self._soft)


_DECODERS: dict[bytes, type[Decoder]] = {
    b"": Identity, b"7bit": Identity, b"8bit": Identity, b"binary": Identity, b"base64": Base64,
    b"quoted-printable": QuotedPrintable,
}  # fmt: skip


def decoder(encoding: bytes) -> Decoder | None:
    """What decodes a body of this Content-Transfer-Encoding; None when nobody here knows it."""
    kind = _DECODERS.get(encoding.strip().lower())
    return None if kind is None else kind()


def decoded(made: Decoder, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What *made* makes of all *pieces*, a piece at a time; one may be empty."""
    for piece in pieces:
        yield made.push(piece)
    yield made.end()


def quoted_printable(octets: bytes) -> bytes:
    """All of a quoted-printable body at once."""
    return _unhex(_SOFT.sub(b"", octets))


def _unhex(octets: bytes) -> bytes:
    return _HEX.sub(lambda m: bytes((int(m[1], 16),)), octets)
