"""What every mechanism is: a machine that takes responses and ends with credentials, or fails (RFC 4422)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

RESPONSE_OCTETS = 4096  # of one response; names and passwords have 1,024 at most


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send *octets*, and come back with the response."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who wants in, and the password that proves it; both as they came."""

    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Named:
    """Who wants in by SCRAM; go on with the salt of that name (`Exchange.salted`)."""

    user: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """Who wants in by SCRAM, and his proof over *message*; if it is right, go on with `Exchange.proved`."""

    user: bytes
    message: bytes = field(repr=False)
    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The exchange is over, and what was proven counts."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The exchange makes no sense, or asks for what nobody is given; *malformed*: a protocol says BAD."""

    malformed: bool


Step = Challenge | Credentials | Named | Proven | Done | Failed


class Mechanism(Protocol):
    """One exchange."""

    def step(self, response: bytes | None) -> Step:
        """Take the next response; None at the beginning, when the client sent no initial one."""
        ...


Begin = Callable[[], Mechanism]
