"""Plaintext on one side, sealed values on the other: one message, sealed for one recipient."""

import os
from dataclasses import dataclass
from functools import cached_property

from mailstead.accounts.directory import Resident
from mailstead.crypto import arrivals
from mailstead.crypto.body import PreparedBody
from mailstead.crypto.lanes import LaneWriter
from mailstead.crypto.sealed import Sealed, SealedMessage
from mailstead.delivery.body import IncomingBody
from mailstead.mail.flags import Flags
from mailstead.mail.part import Structure
from mailstead.mail.summary import Provenance, Summary, summarise

UNMARKED = Flags()


@dataclass(frozen=True, slots=True)
class Marks:
    """How a message came here, and what it is marked with from the beginning."""

    provenance: Provenance = Provenance.DELIVERED
    flags: Flags = UNMARKED


DELIVERED = Marks()


class Sealing:
    """One finished message, ready to be sealed for each of its recipients.

    Args:
        internal_date, save_date: Seconds since the epoch.
    """

    def __init__(
        self,
        internal_date: float,
        save_date: float,
        body: IncomingBody,
        structure: Structure,
        prepared: PreparedBody,
        marks: Marks = DELIVERED,
    ) -> None:
        self.body = body
        self.prepared = prepared
        self._internal_date, self._save_date = int(internal_date), int(save_date)
        self._structure = structure
        self._marks = marks

    @cached_property
    def _summary(self) -> Summary:
        return summarise(
            self._structure,
            internal_date=self._internal_date,
            trace_octets=self.body.trace_octets,
            provenance=self._marks.provenance,
            flags=self._marks.flags,
            save_date=self._save_date,
        )

    def summary(self, to: Resident) -> bytes:
        """The content of the SUMMARY, which begins with the mailbox it is meant for."""
        return self._summary.encode(to.mailbox_id)

    def message(self, lane: LaneWriter, to: Resident) -> SealedMessage:
        """The message sealed in *lane*, all of it in memory."""
        object_id = os.urandom(16)
        with lane.next() as sealer:
            summary_flags, summary = sealer.summary(
                object_id, self.summary(to), compressed=self.prepared.compressed
            )
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
            digest=arrivals.digest(summary, sum(len(e.octets) for e in sealed), sealed[0].octets),
        )


def stored_octets(summary: Sealed, extents: tuple[Sealed, ...]) -> int:
    """What a message counts against the quota."""
    return len(summary.octets) + sum(len(e.octets) for e in extents)
