"""Plaintext on one side, sealed values on the other: one message, sealed for one recipient."""

import os
from functools import cached_property

from mailstead.accounts.directory import Resident
from mailstead.crypto.body import PreparedBody
from mailstead.crypto.lanes import LaneWriter
from mailstead.crypto.sealed import Sealed, SealedMessage
from mailstead.delivery.body import IncomingBody
from mailstead.mail.part import Structure
from mailstead.mail.summary import Provenance, Summary, summarise


class Sealing:
    """One finished message, ready to be sealed for each of its recipients."""

    def __init__(self, now: float, body: IncomingBody, structure: Structure, prepared: PreparedBody) -> None:
        self.body = body
        self.prepared = prepared
        self._now = now
        self._structure = structure

    @cached_property
    def _summary(self) -> Summary:
        return summarise(
            self._structure,
            internal_date=int(self._now),
            trace_octets=self.body.trace_octets,
            provenance=Provenance.DELIVERED,
        )

    def summary(self, to: Resident) -> bytes:
        """The content of the SUMMARY, which begins with the mailbox it is meant for."""
        return self._summary.encode(to.inbox_id)

    def message(self, lane: LaneWriter, to: Resident) -> SealedMessage:
        """The message sealed in *lane*, all of it in memory."""
        object_id = os.urandom(16)
        with lane.next() as sealer:
            summary_flags, summary = sealer.summary(object_id, self.summary(to))
            body_flags, extents = sealer.body(object_id, self.prepared)
            sealed = tuple(extents)
        return SealedMessage(
            ctr=sealer.ctr,
            object_id=object_id,
            summary_flags=summary_flags,
            summary=summary,
            body_flags=body_flags,
            extents=sealed,
            stored_octets=stored_octets(summary, sealed),
        )


def stored_octets(summary: Sealed, extents: tuple[Sealed, ...]) -> int:
    """What a message counts against the quota."""
    return len(summary.octets) + sum(len(e.octets) for e in extents)
