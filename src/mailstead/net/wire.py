"""One connection: bounded buffers, back-pressure, a deadline, and TLS that begins with nothing read.

Not a StreamReader: that one splits at bare LF, hands on what follows an over-long line as if it
were a command, and keeps plaintext across STARTTLS.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

from mailstead.net.deflate import Deflater, Inflater

HIGH_WATER = 64 << 10  # octets read and not taken, at which reading pauses
NEVER = float("inf")
HANDSHAKE_SECONDS = 10.0
QUIET_SECONDS = 2.0  # who was told that this is the end and sends nothing has heard it
HURRY_SECONDS = 290.0  # less for whoever is idle in a crowd: five minutes for a command become ten seconds


class TooLate(Exception):
    """The peer did not do in time what it was waited for."""


class Wire(asyncio.Protocol):
    """Octets from and to one peer.

    `deadline` is the moment (of the loop's clock) by which the peer must have done what it is
    doing; a sweep of the worker looks at it (see `sweep`).
    """

    def __init__(self, connected: "Callable[[Wire], None]") -> None:
        self._loop = asyncio.get_running_loop()  # kept: asking for it is a system call
        self._connected = connected
        self._received: list[bytes] = []
        self._held = 0
        self._paused = False
        self._ended = False
        self._reading: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None
        self._full = False
        self._late = False
        self._nudged = False
        self._inflater: Inflater | None = None
        self._deflater: Deflater | None = None
        self.deadline = NEVER
        self.idle = False  # between two commands: a worker that stops may end it here
        self.hurry = HURRY_SECONDS  # how much sooner it is over in a crowd, while it is idle
        self.transport: asyncio.Transport | None = None
        self.peer: tuple[str, int] = ("", 0)

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        name = transport.get_extra_info("peername") or ("", 0)
        self.peer = (str(name[0]).removeprefix("::ffff:"), int(name[1]))
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected(self)

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        self._received.append(bytes(data))
        self._held += len(data)
        if self._held >= HIGH_WATER and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        _wake(self._reading)

    def eof_received(self) -> bool:
        """The peer sends no more; our side closes when it has answered."""
        self._ended = True
        _wake(self._reading)
        # Half a connection still takes the answers to what came before; TLS has no halves.
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, in whatever way."""
        self._ended = True
        self.transport = None
        if self._deflater is not None:
            self._deflater.stop()
        _wake(self._reading)
        _wake(self._draining)

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._full = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._full = False
        _wake(self._draining)

    # Called by the session.

    async def read(self) -> bytes:
        """The octets that came since; empty when none will come any more.

        Raises:
            TooLate: the deadline has passed.
            Garbled: they are compressed, and cannot be inflated.
        """
        octets = await self.read_or_nudge(nudged=False)
        assert octets is not None, "nobody asked to be nudged"
        return octets

    async def read_or_nudge(self, *, nudged: bool = True) -> bytes | None:
        """As `read`, but None as soon as somebody calls `nudge`, or has since the last time."""
        inflater = self._inflater
        if inflater is None:
            return await self._take(nudged=nudged)
        while True:
            if self._deflater is None and inflater.settled:
                self._inflater = None
                return inflater.behind or await self._take(nudged=nudged)
            if inflater.ended:
                return b""
            if inflater.hungry:
                octets = await self._take(nudged=nudged)
                if not octets:
                    return octets
                inflater.feed(octets)
            if found := inflater.next():
                return found
            await asyncio.sleep(0)  # it may be a lot of nothing

    async def _take(self, *, nudged: bool = False) -> bytes | None:
        while not self._received:
            if nudged and self._nudged:
                self._nudged = False
                return None
            if self._late:
                raise TooLate
            if self._ended:
                return b""
            self._reading = self._loop.create_future()
            try:
                await self._reading
            finally:
                self._reading = None
        octets = self._received[0] if len(self._received) == 1 else b"".join(self._received)
        self._received.clear()
        self._held = 0
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return octets

    def nudge(self) -> None:
        """There is something to tell the peer: whoever reads with `read_or_nudge` is woken."""
        self._nudged = True
        _wake(self._reading)

    def write(self, octets: bytes) -> None:
        """Send *octets*; nothing happens when the connection is gone."""
        if self._deflater is None or self.transport is None:
            self._send(octets)
        else:
            self._deflater.write(octets)

    def _send(self, octets: bytes) -> None:
        if self.transport is not None:
            self.transport.write(octets)

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was sent.

        Raises:
            TooLate: the deadline has passed.
        """
        while self._full and self.transport is not None:
            self._draining = self._loop.create_future()
            try:
                await self._draining
            finally:
                self._draining = None
            if self._late:
                raise TooLate

    @property
    def ended(self) -> bool:
        """Whether the peer sends nothing more; it may still take what it asked for, or be gone."""
        return self._ended

    @property
    def unread(self) -> bool:
        """Whether octets came that nobody has taken."""
        return bool(self._received)

    def expire(self) -> None:
        """The deadline has passed: whoever waits for the peer is told; a peer that does not read is cut."""
        self._late = True
        if self._full and self.transport is not None:
            self.transport.abort()
        _wake(self._reading)
        _wake(self._draining)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Begin TLS as the server; nothing may have been read beyond this point.

        Raises:
            OSError: the handshake failed, or octets came before it.
        """
        if self._received or self.transport is None or self._ended:
            raise ConnectionAbortedError("octets before the handshake")
        transport = await self._loop.start_tls(
            self.transport,
            self,
            context,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
        )
        if transport is None:
            raise ConnectionAbortedError("gone during the handshake")
        self.transport = transport

    def compress(self, behind: bytes) -> None:
        """From here on both directions are DEFLATE; *behind* was read already and is compressed, too."""
        self._inflater = Inflater(behind)
        self._deflater = Deflater(self._loop, self._send)

    def end_compression(self) -> None:
        """What is sent from here on is plain, and so is what comes behind what the peer flushed."""
        if self._deflater is not None:
            self._deflater.finish()
            self._deflater = None

    @property
    def compressing(self) -> bool:
        """Whether what is sent and read is compressed."""
        return self._deflater is not None

    def tls_end_point(self) -> bytes | None:
        """What both ends of a TLS connection know of it (RFC 5929 section 4); None without TLS."""
        return getattr(getattr(self._tls(), "context", None), "end_point", None)

    def tls_description(self) -> str | None:
        """Version and cipher of the TLS in use, or None."""
        if (found := self._tls()) is None:
            return None
        cipher = found.cipher()
        return f"{found.version()} {cipher[0]}" if cipher else str(found.version())

    def _tls(self) -> ssl.SSLObject | None:
        return None if self.transport is None else self.transport.get_extra_info("ssl_object")

    def close(self) -> None:
        """Send what was written, then close."""
        self._flush()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    async def linger(self, octets: int, seconds: float) -> None:
        """Close, but let the peer finish sending, so that it reads the last reply instead of a reset."""
        end = self._loop.time() + seconds
        self._flush()
        with contextlib.suppress(TooLate, OSError):
            if self.transport is not None and self.transport.can_write_eof():
                self.transport.write_eof()
            while octets > 0:
                self.deadline = min(end, self._loop.time() + QUIET_SECONDS)
                octets -= len(came := await self._take() or b"")
                if not came:
                    break
        self.close()

    def _flush(self) -> None:
        if self._deflater is not None:
            self._deflater.flush()


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
