"""DEFLATE in both directions of a connection, as IMAP's COMPRESS wants it (RFC 4978, RFC 1951).

Rule 1: what comes in is inflated no faster than it is taken: few octets never become many in memory.
Rule 2: input that says nothing is counted, and too much of it is an error.
Rule 3: what is sent is flushed as soon as the loop has its turn: once for all that was written until then.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

PIECE_OCTETS = 64 << 10  # at most so much is inflated at once
SLICE_OCTETS = 4 << 10  # of input at once: zlib copies what it could not use yet
BARREN_OCTETS = 64 << 10  # of input in a row without an octet of output; no client has a use for it

# Of zlib's levels the fastest: on lists of envelopes 6 makes a tenth less of it, and takes twice the time.
LEVEL = 1
# A window of 8 KiB: 70 KiB for each connection that talks, where zlib's defaults take 250 KiB.
WINDOW_BITS, MEMORY_LEVEL = 13, 6
QUIET_SECONDS = 10.0  # without a word to the peer, after which what was kept for the next one is given up
PEERS_WINDOW_BITS = 15  # the peer may use what the format has
FLUSHED = b"\0\0\xff\xff"  # ends every Z_SYNC_FLUSH (RFC 1951 section 3.2.4)


class Garbled(Exception):
    """What came is not DEFLATE, or too much of it says nothing."""


class Inflater:
    """What comes from the peer: octets are fed in, and inflated a piece at a time.

    Args:
        first: Octets that are here already.
    """

    def __init__(self, first: bytes = b"") -> None:
        self._zlib = zlib.decompressobj(-PEERS_WINDOW_BITS)
        self._octets = first
        self._at = 0
        self._last = b""  # four octets
        self._more = False
        self._barren = 0

    @property
    def hungry(self) -> bool:
        """Whether there is nothing to be had before octets are fed."""
        return not self._more and not self._zlib.unconsumed_tail and self._at >= len(self._octets)

    @property
    def ended(self) -> bool:
        """Whether the peer said that this was the last block; what it sends behind it means nothing."""
        return self._zlib.eof

    @property
    def settled(self) -> bool:
        """Whether the stream may end here: what the peer flushed is inflated, and nothing of what follows."""
        return self.ended or (self._last == FLUSHED and not self._more and not self._zlib.unconsumed_tail)

    @property
    def behind(self) -> bytes:
        """What came and was not inflated."""
        return self._zlib.unused_data + self._octets[self._at :]

    def feed(self, octets: bytes) -> None:
        """Take *octets*; nothing may be left of those before."""
        assert self.hungry, "there is something left"
        self._octets, self._at = octets, 0

    def next(self) -> bytes:
        """Some of what was fed, inflated; empty when this much of it was nothing.

        Raises:
            Garbled: it cannot be inflated, or has been nothing for too long.
        """
        octets = self._zlib.unconsumed_tail
        if not octets and not self._more:
            octets = self._slice()
        try:
            found = self._zlib.decompress(octets, PIECE_OCTETS)
        except zlib.error as error:
            raise Garbled(str(error)) from error
        self._more = len(found) == PIECE_OCTETS  # of input that is used up there may be output still
        self._barren = 0 if found else self._barren + len(octets)
        if self._barren > BARREN_OCTETS:
            raise Garbled("too much of nothing")
        return found

    def _slice(self) -> bytes:
        """The next octets, as far as a flush: what is behind it may be no deflate any more."""
        octets = self._octets[self._at : self._at + SLICE_OCTETS]
        known = len(self._last)
        found = (self._last + octets).find(FLUSHED, max(0, known - 3))
        if found >= 0:
            octets = octets[: found + len(FLUSHED) - known]
        self._at += len(octets)
        self._last = (self._last + octets)[-len(FLUSHED) :]
        return octets


class _Compressor(Protocol):
    """What `zlib.compressobj` makes; its type has no name."""

    def compress(self, octets: bytes, /) -> bytes: ...

    def flush(self, mode: int, /) -> bytes: ...


def _compressor() -> _Compressor:
    return zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL)


class Deflater:
    """What goes to the peer.

    Args:
        send: Sends compressed octets.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._send = send
        self._zlib: _Compressor | None = None
        self._unflushed = False
        self._quiet = False
        self._timer: asyncio.TimerHandle | None = None

    def write(self, octets: bytes) -> None:
        """Send *octets*, at the latest when the loop has its turn."""
        self._quiet = False
        if self._zlib is None:
            # No block of it looks back beyond its beginning: in the peer's eyes the stream goes on.
            self._zlib = _compressor()
            self._timer = self._loop.call_later(QUIET_SECONDS, self._rest)
        if not self._unflushed:
            self._unflushed = True
            self._loop.call_soon(self.flush)
        if compressed := self._zlib.compress(octets):
            self._send(compressed)

    def flush(self) -> None:
        """See to it that the peer can inflate all that was written."""
        if self._unflushed and self._zlib is not None:
            self._unflushed = False
            self._send(self._zlib.flush(zlib.Z_SYNC_FLUSH))

    def finish(self) -> None:
        """Nothing more of what follows is compressed: the peer's stream ends."""
        made = self._zlib or _compressor()
        self._send(made.flush(zlib.Z_FINISH))
        self.stop()

    def stop(self) -> None:
        """The connection is gone, or the stream has ended."""
        self._zlib = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self) -> None:
        """A phone that idles all day leaves its 70 KiB to others."""
        if self._quiet:
            self.stop()
        else:
            self._quiet = True
            self._timer = self._loop.call_later(QUIET_SECONDS, self._rest)
