"""APPEND: what the owner puts into a mailbox takes the way of delivered mail, with flags of its own.

It has no trace fields, and keeps a bare CR or LF: the octets are the owner's own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailstead.accounts.directory import Directory, Resident
from mailstead.clock import Clock
from mailstead.delivery.body import IncomingBody
from mailstead.delivery.sealing import Marks, Sealing
from mailstead.delivery.storing import Storing, Within, placed
from mailstead.errors import MailError, Reason, Unavailable
from mailstead.mail.flags import Flags
from mailstead.mail.summary import Provenance
from mailstead.store.arrivals import Outcome, Placed


@dataclass(slots=True)
class Appended:
    """A message on its way in."""

    resident: Resident
    body: IncomingBody
    internal_date: int
    flags: Flags
    failure: MailError | None = None

    def push(self, octets: bytes) -> None:
        """Take octets of the message; a failure is told at its end."""
        if self.failure is not None:
            return
        try:
            self.body.push(octets)
        except MailError as error:
            self.failure = error
            self.discard()

    def discard(self) -> None:
        """Let go of the octets; harmless when done twice."""
        self.body.discard()


class Appending:
    """Takes in what owners append."""

    def __init__(self, storing: Storing, directory: Directory, clock: Clock) -> None:
        self._storing = storing
        self._directory = directory
        self._clock = clock

    async def begin(
        self, account_id: int, mailbox_id: bytes, flags: Flags, internal_date: int | None, size: int
    ) -> Appended:
        """A message is announced; its octets go to `Appended.push`.

        Args:
            size: Octets that the quota must have room for: of it, and of those before it, less what goes.
            internal_date: Seconds since the epoch, or None for now.

        Raises:
            Unavailable: it would be too much for the quota, or there is no key to seal to.
        """
        resident = await self._directory.at_home(account_id, size)
        date = int(self._clock.now()) if internal_date is None else internal_date
        return Appended(replace(resident, mailbox_id=mailbox_id), self._storing.body(), date, flags)

    async def room(self, account_id: int, size: int) -> None:
        """See to it that the quota has room for *size* octets, as `begin` does.

        Raises:
            Unavailable: it has not.
        """
        await self._directory.at_home(account_id, size)

    async def finish(self, messages: Sequence[Appended]) -> list[Placed]:
        """Seal and store all or none; where they are, once they are durable.

        Args:
            messages: To one mailbox, in the order in which they get their UIDs.

        Raises:
            Refused, Unavailable: none is stored.
        """
        try:
            now = self._clock.now()
            sealings = [await _sealing(appended, now) for appended in messages]
            outcomes = await self._store(sealings, messages[-1].resident)
        finally:
            for appended in messages:
                appended.discard()
        return [placed(outcome) for outcome in outcomes]

    async def finish_within(self, appended: Appended, within: Within) -> Placed:
        """Seal a message, and store it by a transaction that has more to do (`Storing.store_by`).

        Raises:
            Refused, Unavailable: it is not stored, and that transaction was undone.
        """
        try:
            sealing, resident = await _sealing(appended, self._clock.now()), appended.resident
            try:
                return await self._storing.store_by(sealing, resident, within)
            except Unavailable as error:
                if error.reason is not Reason.KEY_CHANGED:
                    raise
            return await self._storing.store_by(sealing, await self._again(resident), within)
        finally:
            appended.discard()

    async def _store(self, sealings: list[Sealing], resident: Resident) -> list[Outcome]:
        outcomes = await self._storing.store_all(sealings, resident)
        if Reason.KEY_CHANGED in outcomes:  # rotated meanwhile: once more, under the new key
            outcomes = await self._storing.store_all(sealings, await self._again(resident))
        return outcomes

    async def _again(self, resident: Resident) -> Resident:
        """The same, with the key that is current now."""
        again = await self._directory.at_home(resident.account_id, 0)
        return replace(again, mailbox_id=resident.mailbox_id)


async def _sealing(appended: Appended, now: float) -> Sealing:
    if appended.failure is not None:
        raise appended.failure
    structure, prepared = appended.body.finish()
    await asyncio.sleep(0)
    marks = Marks(Provenance.APPENDED, appended.flags)
    return Sealing(appended.internal_date, now, appended.body, structure, prepared, marks)
