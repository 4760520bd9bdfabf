"""What mail transactions are counted as: every answer has a result and a reason out of a short list."""

from dataclasses import dataclass

from mailstead.errors import Reason
from mailstead.metrics.catalogue import REASONS, VERSIONS, Metrics


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts the answers of one connection.

    Args:
        direction: "in", or "submission" from who lives here.
    """

    metrics: Metrics
    direction: str

    def message(self, code: int, reason: Reason | None) -> None:
        """A message was answered with *code*; without a reason it was stored, or was not SMTP's."""
        if code < 400:
            self.metrics.smtp_messages.add(self.direction, "accepted", "none")
        else:
            result = "deferred" if code < 500 else "refused"
            self.metrics.smtp_messages.add(self.direction, result, label(reason))

    def recipient(self, reason: Reason | None) -> None:
        """A recipient was refused; without a reason for what the protocol says of it."""
        self.metrics.smtp_recipients_refused.add(label(reason))


def label(reason: Reason | None) -> str:
    """What a reason is counted as."""
    if reason is None:
        return "protocol"
    name = reason.name.lower()
    return name if name in REASONS else "other"


def tls_version(description: str | None) -> str:
    """The version in what `Wire.tls_description` says."""
    found = (description or "").partition(" ")[0].removeprefix("TLSv")
    return found if found in VERSIONS else "other"
