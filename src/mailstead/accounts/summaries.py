"""What orders and threads look at in each message: columns of a page, and the body where it had no room."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from mailstead.accounts.bodies import SMALL, Bodies, together
from mailstead.accounts.entries import EntryA
from mailstead.accounts.reading import Columns, Reader
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Uid
from mailstead.mail.render import envelope
from mailstead.mail.structure import HEADER_CAP, Scanner

AT_ONCE = 64  # messages of a row, then others get their turn

T = TypeVar("T")
Make = Callable[
    [EntryA, bytes, bytes], T
]  # of ENVELOPE and header block; empty where they were not asked for
Check = Callable[[int], None]  # so many more were read; raises when nobody waits for the answer any more


class Summaries:
    """Reads them of the mailboxes of one unlocked account."""

    def __init__(self, reader: Reader, bodies: Bodies) -> None:
        self._reader = reader
        self._bodies = bodies

    async def of(
        self,
        mailbox_id: bytes,
        uids: Iterable[Uid],
        make: Make[T],
        check: Check,
        *,
        envelopes: bool,
        headers: bool,
    ) -> AsyncIterator[list[tuple[Uid, T]]]:
        """What *make* gives for those of *uids* that are there, in order, a row at a time.

        Args:
            check: Called now and then with how many more were read, to raise when nobody waits any more.
        """
        columns = Columns.BOTH if headers else Columns.A
        async for row in self._reader.fetch(mailbox_id, uids, columns):
            made: list[tuple[Uid, T]] = []
            lacking: dict[Uid, EntryA] = {}
            for at, (uid, _, a, b, _) in enumerate(row):
                if at % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
                assert a is not None, "it was asked for"
                shown = a.envelope if envelopes else b""
                if (envelopes and not shown) or (b is not None and not b.header_whole):
                    lacking[uid] = a
                else:
                    made.append((uid, make(a, shown, b"" if b is None else b.header)))
            if lacking:
                scanned = self._scanned(mailbox_id, lacking, check)
                made += [(uid, make(lacking[uid], *found)) async for uid, found in scanned]
                made.sort(key=lambda message: message[0])
            yield made
            check(len(made))
            await asyncio.sleep(0)

    async def _scanned(
        self, mailbox_id: bytes, wanted: Iterable[Uid], check: Check
    ) -> AsyncIterator[tuple[Uid, tuple[bytes, bytes]]]:
        """ENVELOPE and header block, read again; not of what was expunged meanwhile."""
        keys = [m.body async for row in self._reader.fetch(mailbox_id, wanted, Columns.BODY) for m in row]
        for some in together(keys, lambda key: key.size):
            small = await self._bodies.small([key for key in some if key.size <= SMALL])
            for key in some:
                check(0)
                try:
                    octets = small.get(key.uid)
                    if octets is None:
                        octets = b"".join([p async for p in self._bodies.read(key, 0, HEADER_CAP)])
                    elif not isinstance(octets, bytes):
                        raise octets
                except Refused as refused:
                    if refused.reason is not Reason.NO_SUCH_MESSAGE:
                        raise
                    continue
                scanner = Scanner()
                scanner.push(octets)
                structure = scanner.finish()
                yield key.uid, (envelope(structure.root), structure.header)
            await asyncio.sleep(0)
