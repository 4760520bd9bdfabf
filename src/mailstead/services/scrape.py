"""What Prometheus is told: what all workers counted, and what is found out when it asks."""

import asyncio
import os
from functools import partial
from pathlib import Path

from mailstead.clock import Clock
from mailstead.errors import MailError
from mailstead.metrics.catalogue import Metrics
from mailstead.metrics.text import exposition
from mailstead.net.tls import ServerTls
from mailstead.store.database import Database
from mailstead.store.probe import totals
from mailstead.version import __version__

KEPT_SECONDS = 60.0  # for what is counted in all mailboxes


class Scrape:
    """Makes the text, in any worker.

    Args:
        data: The data folder, on whose disk the room is that is left.
    """

    def __init__(
        self, metrics: Metrics, database: Database, data: Path, tls: ServerTls | None, clock: Clock
    ) -> None:
        self._metrics = metrics
        self._database = database
        self._data = data
        self._tls = tls
        self._clock = clock
        self._counted = float("-inf")

    async def text(self) -> str:
        """All series as they are now; what cannot be found out is as it was, or left out."""
        metrics = self._metrics
        metrics.build_info.put(1, __version__)
        if self._tls is not None:
            metrics.cert_expiry.put(self._tls.good_until - self._clock.now(), "tls")
        try:
            found = os.statvfs(self._data)
            metrics.store_bytes.put(found.f_bavail * found.f_frsize, "free")
            await self._count()
        except (OSError, MailError):
            pass  # the disk or the database is away, which other series say
        return exposition(metrics.families, metrics.total())

    async def _count(self) -> None:
        """Add up all mailboxes, some accounts at a time.

        Raises:
            Unavailable: the database is away.
        """
        if self._clock.monotonic() - self._counted < KEPT_SECONDS:
            return
        messages = octets = after = 0
        while found := await self._database.read(partial(totals, after=after)):
            after, some, sealed = found
            messages, octets = messages + some, octets + sealed
            await asyncio.sleep(0)
        self._counted = self._clock.monotonic()
        self._metrics.store_messages.put(messages)
        self._metrics.store_bytes.put(octets, "sealed")
