"""A bell: whoever changed something of an account rings, and all workers hear the account's number.

A ring carries nothing else; who hears it reads what changed. It follows the commit, and it may be
lost: those who wait look for themselves every half minute.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from mailstead.bus.doorbell import Doorbell

Heard = Callable[[int], None]


class Bell(Protocol):
    """Rings and is heard."""

    def ring(self, accounts: Iterable[int]) -> None:
        """Tell everybody that something of these *accounts* changed; neither waits nor raises."""
        ...

    async def run(self, heard: Heard) -> None:
        """Call *heard* with the account of every ring, for as long as this runs."""
        ...

    async def close(self) -> None:
        """Let what was rung go out, and stop."""
        ...


def open_bell(data: Path, database: str | None) -> Bell:
    """The bell of the processes that share this data.

    Args:
        data: The data folder, with its folder `run`.
        database: A postgresql:// URL, whose server is then the bell; or None.
    """
    if database is not None:
        from mailstead.bus.notify import NotifyBell  # noqa: PLC0415  # an optional extra

        return NotifyBell(database)
    return Doorbell(data / "run")
