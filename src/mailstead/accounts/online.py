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
    """

    database: Database
    keys: SessionKeys
    ring: Ringer
    erased: Callable[[], None]
    body_keys: BodyKeys | None = None
    kept_orders: KeptOrders = field(default_factory=KeptOrders)
    snapshots: Snapshots = field(init=False)
    statuses: Statuses = field(init=False)
    folders: Folders = field(init=False)
    annotations: Annotations = field(init=False)
    reader: Reader = field(init=False)
    bodies: Bodies = field(init=False)
    orders: Orders = field(init=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # there may be something to tidy
    watches: set[Watch] = field(default_factory=set[Watch])

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.database, self.keys)
        self.statuses = Statuses(self.database, self.keys)
        self.folders = Folders(self.database, self.keys)
        self.annotations = Annotations(self.database, self.keys, self.folders, self.writing)
        self.reader = Reader(self.database, self.keys, self.body_keys)
        self.bodies = Bodies(self.database, self.keys)
        summaries = Summaries(self.reader, self.bodies)
        self.orders = Orders(self.keys.account_id, self.snapshots, summaries, self.kept_orders)

    @property
    def account_id(self) -> int:
        """The account's number in this database."""
        return self.keys.account_id

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncGenerator[None]:
        """A turn at writing, after which everybody is told."""
        async with self.turn:
            try:
                yield
            finally:
                self.ring((self.account_id,))  # of several transactions some may be done


def silence(*_: object) -> None:
    """Tell nobody: for a process that is alone with its data, or ends soon."""
