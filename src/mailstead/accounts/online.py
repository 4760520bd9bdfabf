"""What all sessions of one account in this process share: one set of keys, snapshots, and turns.

Sessions take turns at writing, so that a race by compare-and-swap is lost only to another process.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field

from mailstead.accounts.annotations import Annotations
from mailstead.accounts.bodies import Bodies
from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.folders import Folders
from mailstead.accounts.keptorders import KeptOrders
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.orders import Orders
from mailstead.accounts.reading import Reader
from mailstead.accounts.snapshot import Snapshots
from mailstead.accounts.status import Statuses
from mailstead.accounts.summaries import Summaries
from mailstead.accounts.verifying import Verifying
from mailstead.errors import Reason, Refused
from mailstead.store.database import Database

Ringer = Callable[[Iterable[int]], None]
Watcher = Callable[[], None]


@dataclass(eq=False, slots=True)
class Watch:
    """A session that wants to hear of changes of one mailbox, or of anything in the account for None."""

    mailbox_id: bytes | None
    tell: Watcher
    modseq: int = 0  # that it was told of


@dataclass(eq=False, slots=True)
class Online:
    """One account that has a session here.

    Args:
        ring: Tells this process and all others that something of an account changed.
        erased: Told when messages went for good, whose keys may still lie in a log.
        body_keys: What this process keeps of rows; nothing where one session is all there is.
        kept_orders: What it keeps of mailboxes that were sorted.
        damaged: Told of a mailbox that is not as it was left, and how.
    """

    database: Database
    keys: SessionKeys
    ring: Ringer
    erased: Callable[[], None]
    body_keys: BodyKeys | None = None
    kept_orders: KeptOrders = field(default_factory=KeptOrders)
    damaged: Callable[[bytes, list[str]], None] = field(default=lambda _, __: None)
    snapshots: Snapshots = field(init=False)
    statuses: Statuses = field(init=False)
    folders: Folders = field(init=False)
    annotations: Annotations = field(init=False)
    reader: Reader = field(init=False)
    bodies: Bodies = field(init=False)
    orders: Orders = field(init=False)
    verifying: Verifying = field(init=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # there may be something to tidy
    watches: set[Watch] = field(default_factory=set[Watch])

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.database, self.keys, self.damaged)
        self.statuses = Statuses(self.database, self.keys)
        self.folders = Folders(self.database, self.keys)
        self.verifying = Verifying(self.database, self.keys, self.folders, self.snapshots)
        self.annotations = Annotations(self.database, self.keys, self.folders, self.writing)
        self.reader = Reader(self.database, self.keys, self.body_keys)
        self.bodies = Bodies(self.database, self.keys)
        summaries = Summaries(self.reader, self.bodies)
        self.orders = Orders(self.keys.account_id, self.snapshots, summaries, self.kept_orders)

    @property
    def account_id(self) -> int:
        """The account's number in this database."""
        return self.keys.account_id

    def intact(self, mailbox_id: bytes) -> None:
        """See to it that nothing is written into a mailbox that is not as it was left.

        Raises:
            Refused: it is not; it can only be read.
        """
        said = self.snapshots.damage.get(mailbox_id)
        if said:
            raise Refused(Reason.NOT_AS_LEFT, said[0])

    @contextlib.asynccontextmanager
    async def writing(self, *mailbox_ids: bytes) -> AsyncGenerator[None]:
        """A turn at writing into these mailboxes, after which everybody is told.

        Raises:
            Refused: one of them is not as it was left.
        """
        for mailbox_id in mailbox_ids:
            self.intact(mailbox_id)
        async with self.turn:
            try:
                yield
            finally:
                self.ring((self.account_id,))  # of several transactions some may be done


def silence(*_: object) -> None:
    """Tell nobody: for a process that is alone with its data, or ends soon."""
