"""What a connection tells whoever drives it, besides commands."""

from dataclasses import dataclass, field
from enum import Enum, auto

from mailstead.imap.append import Steps
from mailstead.imap.commands import Command, Kind
from mailstead.imap.responses import Answer, Condition

CONTINUE = b"+ OK\r\n"


class Need(Enum):
    """What must happen before the next event."""

    OCTETS = auto()
    REPLY = auto()


@dataclass(frozen=True, slots=True)
class BadCommand:
    """No legal command here; answer with *reply*. When that is BYE, hang up then."""

    reply: Answer
    kind: Kind | None = None  # what it was, where its refusal means more than its words

    @property
    def fatal(self) -> bool:
        """Whether the connection ends."""
        return self.reply.condition is Condition.BYE


@dataclass(frozen=True, slots=True)
class WantsContinuation:
    """The client waits to be allowed to send a literal: send *octets*. Nothing is to be answered."""

    octets: bytes = CONTINUE


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """What the client says in a SASL exchange; answer it, or `challenge` again."""

    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """Octets of the message. Nothing is to be answered."""

    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppendNext:
    """A literal is complete, and *steps* end with another: let it come, or answer the APPEND or REPLACE."""

    steps: Steps


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All is said of the APPEND or REPLACE; answer it, after *steps*, or with *error* if there is one."""

    steps: Steps = ()
    error: Answer | None = None


Event = Command | BadCommand | WantsContinuation | SaslResponse | AppendChunk | AppendNext | AppendEnd
