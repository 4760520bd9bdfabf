"""Whether a worker is on its way out."""

from typing import Protocol


class Stopping(Protocol):
    """Asked by every session between two commands."""

    def is_set(self) -> bool:
        """True once it is."""
        ...
