"""Listening sockets that all workers share, and who may hold how many connections."""

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from mailstead.net.tls import ServerTls
from mailstead.net.wire import HANDSHAKE_SECONDS, Wire

BACKLOG = 1024
EXEMPT = frozenset(("127.0.0.1", "::1"))  # the machine itself


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that other workers may bind beside this one; not listening yet.

    Raises:
        OSError: the address is not ours, or taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def source_of(address: str) -> str:
    """Whom a connection from *address* is charged to: IPv6 by its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))


class Gate:
    """Counts connections of one worker, all and by source.

    Args:
        per_source: How many one source may hold; the machine itself is exempt.
    """

    def __init__(self, per_source: int) -> None:
        self.wires: dict[Wire, None] = {}  # in the order they came, so that a sweep can be replayed
        self._per_source = per_source
        self._held: Counter[str] = Counter()
        self._empty = asyncio.Event()

    def enter(self, wire: Wire) -> bool:
        """Count a connection; False when its source holds too many."""
        self.wires[wire] = None
        source = source_of(wire.peer[0])
        self._held[source] += 1
        return wire.peer[0] in EXEMPT or self._held[source] <= self._per_source

    def leave(self, wire: Wire) -> None:
        """The connection is closed."""
        self.wires.pop(wire, None)
        source = source_of(wire.peer[0])
        self._held[source] -= 1
        if self._held[source] <= 0:
            del self._held[source]
        if not self.wires:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Return once there is no connection."""
        while self.wires:
            self._empty.clear()
            await self._empty.wait()


Serve = Callable[[Wire], Coroutine[Any, Any, None]]


async def listen(
    sock: socket.socket, serve: Serve, tasks: asyncio.TaskGroup, tls: ServerTls | None = None
) -> asyncio.Server:
    """Accept connections on a bound socket; *serve* runs as a task of *tasks* for each.

    Args:
        tls: It begins with the connection. That is the loop's to do: uvloop reads before anybody
            could call `Wire.start_tls`, and what it reads is the beginning of the handshake.
    """
    loop = asyncio.get_running_loop()

    def connected(wire: Wire) -> None:
        tasks.create_task(serve(wire))

    if tls is None:
        return await loop.create_server(lambda: Wire(connected), sock=sock, backlog=BACKLOG)
    return await loop.create_server(
        lambda: Wire(connected), sock=sock, backlog=BACKLOG,
        ssl=tls.from_the_start(), ssl_handshake_timeout=HANDSHAKE_SECONDS,
    )  # fmt: skip
