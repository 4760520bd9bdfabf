"""A message: octets that are never changed; everything else is a view of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message's octets in clear. What it prints is their number."""

    octets: bytes

    def __repr__(self) -> str:
        return f"Message({len(self.octets)} octets)"
