"""What a session was told of the mailboxes that it has not selected (RFC 5465)."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mailstead.accounts.annotations import NewUse, Noted
from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.status import Status
from mailstead.imap.notify import Notify

REST = 10.0  # times as long as a look took


@dataclass(frozen=True, slots=True)
class Seen:
    """The account as the client was told of it; all by mailbox id, but for the names subscribed to."""

    mailboxes: dict[bytes, Mailbox] = field(default_factory=dict[bytes, Mailbox])
    statuses: dict[bytes, Status] = field(default_factory=dict[bytes, Status])
    subscribed: frozenset[str] = frozenset()
    noted: dict[bytes, Noted] = field(default_factory=dict[bytes, Noted])


@dataclass(eq=False, slots=True)
class Elsewhere:
    """What is wanted of other mailboxes, and what was told of them.

    Args:
        nudge: Called when there may be something to tell; of much that happens, now and then.
    """

    wanted: Notify
    nudge: Callable[[], None]
    seen: Seen = Seen()
    stirred: bool = False  # something may have changed since
    unwatch: Callable[[], None] = lambda: None
    _rested: float = 0.0  # loop time from which on it may look again
    _alarm: asyncio.TimerHandle | None = None

    def stir(self) -> None:
        """Something may have changed."""
        self.stirred = True
        self.nudge()

    @property
    def rested(self) -> bool:
        """Whether to look now; otherwise there will be a nudge when it is time."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._rested:
            return True
        if self._alarm is None:
            self._alarm = loop.call_at(self._rested, self._wake)
        return False

    def looked(self, seconds: float) -> None:
        """A look took so long: others have many times that before the next."""
        self._rested = asyncio.get_running_loop().time() + REST * seconds

    def _wake(self) -> None:
        self._alarm = None
        self.nudge()

    def close(self) -> None:
        """Nothing is wanted any more."""
        self.unwatch()
        if self._alarm is not None:
            self._alarm.cancel()

    def annotated(self, place: bytes, changes: Mapping[str, bytes | None], new_use: NewUse | None) -> None:
        """The client itself set annotations: that is no news to it (RFC 5465 section 5)."""
        seen = self.seen
        noted = {**seen.noted, place: seen.noted.get(place, Noted()).with_own(changes)}
        mailboxes = dict(seen.mailboxes)
        if new_use is not None and place in mailboxes:
            mailboxes[place] = replace(mailboxes[place], special_use=new_use.use)
        self.seen = replace(seen, mailboxes=mailboxes, noted=noted)
