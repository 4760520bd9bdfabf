"""What every service does with a connection: let it in, carry on its dialogue, and end it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mailstead.log import Log
from mailstead.metrics.families import Gauge
from mailstead.net.listen import Gate
from mailstead.net.tls import ServerTls
from mailstead.net.wire import NEVER, TooLate, Wire

TURN = 20  # events of one dialogue, after which the others have their turn


class Dialogue(Protocol):
    """One connection, as a protocol speaks on it."""

    def greet(self) -> None:
        """Say the first word."""
        ...

    async def step(self) -> bool:
        """Deal with one event; False when the connection is over."""
        ...

    def forget(self) -> None:
        """Let go of whatever it holds: it is over."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """Where the connections of one protocol are served.

    Args:
        full: What is said to who comes when there are too many.
        failed: The name under which the log says that a dialogue failed.
        sessions: How many dialogues there are.
        came: Told of each connection whether it was let in.
    """

    gate: Gate
    log: Log
    full: bytes
    failed: str
    sessions: Gauge
    came: Callable[[bool], None] = lambda _: None

    async def serve(self, wire: Wire, dialogue: Dialogue) -> None:
        """Carry on a dialogue until it ends."""
        allowed = self.gate.enter(wire)
        self.sessions.move(1)
        self.came(allowed)
        try:
            if allowed:
                dialogue.greet()
                await _carry_on(wire, dialogue)
            else:
                wire.write(self.full)
                wire.close()
        except (TooLate, OSError):
            wire.abort()
        except Exception as error:
            # The top of a session: what we did not foresee ends it, and nothing else.
            self.log.unforeseen(self.failed, error)
            wire.abort()
        finally:
            dialogue.forget()
            self.sessions.move(-1)
            self.gate.leave(wire)


class Machine(Protocol):
    """A protocol without I/O."""

    @property
    def buffered(self) -> bool:
        """Whether octets are here that no event has been made of."""
        ...


async def begin_tls(wire: Wire, machine: Machine, tls: ServerTls, ready: Callable[[], bytes]) -> bool:
    """Say that TLS begins, and begin it; False when the connection is over."""
    if machine.buffered or wire.unread:
        # Octets sent before the handshake, to be taken for octets inside of it.
        wire.abort()
        return False
    wire.write(ready())
    wire.deadline = NEVER  # the handshake has its own
    await wire.start_tls(tls.context)
    return True


async def _carry_on(wire: Wire, dialogue: Dialogue) -> None:
    events = 0
    while await dialogue.step():
        events += 1
        if events % TURN == 0:
            # Thousands of commands may be here already: no reply piles up, and nobody waits for us.
            await wire.drain()
            await asyncio.sleep(0)
