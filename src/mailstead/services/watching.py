"""Answers whoever watches the server: what it counts, whether it lives, whether it is ready.

    /metrics                   Prometheus' text; with a token, if one is set (RFC 6750)
    /livez    /healthz/live    200 as long as the worker answers
    /readyz   /healthz/ready   200 when it takes mail and shows it, else 503 and why not

Rule 1: what is asked costs little, whoever asks: a head of 8 KiB, ten seconds, one answer.
Rule 2: only `/metrics` says anything of what goes on here, so only that is guarded.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailstead.http.request import Request, RequestReader, Status
from mailstead.http.response import TEXT, response
from mailstead.log import Log
from mailstead.metrics.families import Gauge
from mailstead.metrics.text import CONTENT_TYPE
from mailstead.net.listen import Gate
from mailstead.net.wire import Wire
from mailstead.services.dialogue import Host

SECONDS = 10.0  # for a request, and again until its answer is taken
LINGER_SECONDS, LINGER_OCTETS = 2.0, 65536
MOST = 100  # connections of one worker, from wherever they come
_LIVE = (b"/livez", b"/healthz/live")
_READY = (b"/readyz", b"/healthz/ready")
_METRICS = b"/metrics"


@dataclass(frozen=True, slots=True)
class WatchService:
    """Everything a connection needs that is not its own.

    Args:
        here: Connections of this kind in this worker, the oldest first.
        scrape: Gives the text of all metrics.
        why_not: Says what keeps the worker from being ready; None: it is.
        token: Whoever wants the metrics must have it; None: nobody must.
    """

    gate: Gate
    log: Log
    open: Gauge
    here: dict[Wire, None]
    scrape: Callable[[], Awaitable[str]]
    why_not: Callable[[], Awaitable[str | None]]
    token: bytes | None = None

    async def serve(self, wire: Wire) -> None:
        """Serve one connection until it ends."""
        host = Host(self.gate, self.log, response(Status.UNAVAILABLE), "watching.failed", self.open)
        self.here[wire] = None
        if len(self.here) > MOST:
            next(iter(self.here)).abort()  # whoever does not come to the point makes room for who does
        await host.serve(wire, _Exchange(self, wire))


class _Exchange:
    """One request, and its answer."""

    def __init__(self, service: WatchService, wire: Wire) -> None:
        self._service = service
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader()

    def greet(self) -> None:
        """In HTTP the client begins; from now on its time runs."""
        self._wire.deadline = self._loop.time() + SECONDS
        self._wire.hurry = 0.0  # in a crowd it is asked all the more

    def forget(self) -> None:
        """The connection is over."""
        self._service.here.pop(self._wire, None)

    async def step(self) -> bool:
        """Take the next octets; False when they were answered, or none come."""
        wire = self._wire
        wire.idle = True
        try:
            octets = await wire.read()
        finally:
            wire.idle = False
        found = self._reader.receive(octets) if octets else None
        if found is None:
            if not octets:
                wire.close()
            return bool(octets)
        await self._say(response(found) if isinstance(found, Status) else await self._answer(found))
        return False

    async def _say(self, octets: bytes) -> None:
        """Send an answer to the end, or as much as the peer takes in time.

        Raises:
            TooLate: it does not take it.
        """
        wire = self._wire
        wire.deadline = self._loop.time() + SECONDS
        if wire.transport is not None:
            wire.transport.set_write_buffer_limits(0)  # so that `drain` waits for all of it
        wire.write(octets)
        await wire.drain()
        await wire.linger(LINGER_OCTETS, LINGER_SECONDS)

    async def _answer(self, request: Request) -> bytes:
        known = request.path in (*_LIVE, *_READY, _METRICS)
        if not known:
            return response(Status.NOT_FOUND, head_only=request.method == b"HEAD")
        if request.method not in (b"GET", b"HEAD"):
            return response(Status.METHOD_NOT_ALLOWED)
        status, text, kind = await self._found(request)
        return response(status, text, kind, head_only=request.method == b"HEAD")

    async def _found(self, request: Request) -> tuple[Status, str, str]:
        if request.path in _LIVE:
            return Status.OK, "alive\n", TEXT
        if request.path in _READY:
            why = await self._service.why_not()
            return (Status.OK, "ready\n", TEXT) if why is None else (Status.UNAVAILABLE, f"{why}\n", TEXT)
        if not self._allowed(request.authorization):
            return Status.UNAUTHORIZED, "", TEXT
        return Status.OK, await self._service.scrape(), CONTENT_TYPE

    def _allowed(self, authorization: bytes) -> bool:
        token = self._service.token
        if token is None:
            return True
        scheme, _, given = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(b" "), token)
