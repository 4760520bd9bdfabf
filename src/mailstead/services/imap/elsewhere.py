"""What a session was told of the mailboxes that it has not selected (RFC 5465)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mailstead.accounts.status import Status
from mailstead.accounts.unlocked import Mailbox
from mailstead.imap.notify import Notify


@dataclass(frozen=True, slots=True)
class Seen:
    """The account as the client was told of it: mailboxes by id, their counts, and subscribed names."""

    mailboxes: dict[bytes, Mailbox] = field(default_factory=dict[bytes, Mailbox])
    statuses: dict[bytes, Status] = field(default_factory=dict[bytes, Status])
    subscribed: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Elsewhere:
    """What is wanted of other mailboxes, and what was told of them; *unwatch* ends it."""

    wanted: Notify
    unwatch: Callable[[], None] = lambda: None
    seen: Seen = Seen()
    stirred: bool = False  # something may have changed since
