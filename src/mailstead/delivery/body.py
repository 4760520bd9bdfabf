"""One message as it arrives: scanned, compressed and, beyond a memory budget, spooled sealed."""

from collections.abc import Iterator
from pathlib import Path

from mailstead.crypto.body import BodyBuilder, Compress, PreparedBody
from mailstead.delivery.spool import Spool
from mailstead.mail.part import Structure
from mailstead.mail.structure import Scanner


class MemoryBudget:
    """How many octets of unfinished bodies a worker holds in memory before it spools."""

    def __init__(self, total: int, single: int) -> None:
        self.total = total
        self.single = single
        self.used = 0


class IncomingBody:
    """The octets of one message, trace fields first, on their way from the wire to the store.

    Args:
        trace: The trace fields, which become the first octets.
        keep: How many octets to keep in clear for `serve --show-mail`; 0 but there.
    """

    def __init__(
        self, trace: bytes, budget: MemoryBudget, folder: Path, compress: Compress, keep: int = 0
    ) -> None:
        self.trace_octets = len(trace)
        self.size = 0
        self.spooled = False
        self.shown = bytearray()
        self._keep = keep
        self._budget = budget
        self._folder = folder
        self._scanner = Scanner()
        self._builder = BodyBuilder(compress)
        self._held: list[bytes] = []
        self._held_octets = 0
        self._spool: Spool | None = None
        self.push(trace)

    def push(self, octets: bytes) -> None:
        """Take the next octets.

        Raises:
            Unavailable: they had to be spooled and the disk is full or failing.
        """
        self.size += len(octets)
        if self._keep > len(self.shown):
            self.shown += octets[: self._keep - len(self.shown)]
        self._scanner.push(octets)
        self._builder.push(octets)
        self._hold(self._builder.take())

    def _hold(self, content: bytes) -> None:
        if not content:
            return
        budget = self._budget
        if self._spool is None and (
            self._held_octets + len(content) > budget.single or budget.used + len(content) > budget.total
        ):
            self._spool = Spool(self._folder)
            self.spooled = True
            for piece in self._held:
                self._spool.append(piece)
            self._release()
        if self._spool is not None:
            self._spool.append(content)
        else:
            self._held.append(content)
            self._held_octets += len(content)
            budget.used += len(content)

    def _release(self) -> None:
        self._budget.used -= self._held_octets
        self._held, self._held_octets = [], 0

    def finish(self) -> tuple[Structure, PreparedBody]:
        """All octets are here: what they are, and the content to be sealed for each recipient."""
        self._builder.finish()
        self._hold(self._builder.take())
        return self._scanner.finish(), self._builder.prepared(self._pieces)

    def _pieces(self) -> Iterator[bytes]:
        if self._spool is not None:
            yield from self._spool.pieces()
        else:
            yield from self._held

    def discard(self) -> None:
        """Let go of everything; harmless when done twice."""
        self._release()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
