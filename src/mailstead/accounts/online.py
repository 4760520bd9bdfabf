"""What all sessions of one account in this process share: one set of keys, snapshots, and turns.

Sessions take turns at writing, so that a race by compare-and-swap is lost only to another process.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field

from mailstead.accounts.anchoring import Anchoring
from mailstead.accounts.annotations import Annotations
from mailstead.accounts.bodies import Bodies
from mailstead.accounts.bodykeys import BodyKeys
from mailstead.accounts.folders import Folders
from mailstead.accounts.indexing import Indexing
from mailstead.accounts.keptorders import KeptOrders
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.orders import Orders
from mailstead.accounts.reading import Reader
from mailstead.accounts.searchindex import SearchIndex
from mailstead.accounts.snapshot import Snapshots
from mailstead.accounts.standing import AS_LEFT, Standing, compare, read_account
from mailstead.accounts.status import Statuses
from mailstead.accounts.storedorders import StoredOrders
from mailstead.accounts.summaries import Summaries
from mailstead.accounts.verifying import Verifying
from mailstead.errors import MailError, Reason, Refused
from mailstead.metrics.families import Histogram
from mailstead.store.book import Known
from mailstead.store.database import Database
from mailstead.store.ledger import Ledger

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
        damaged: Told of a mailbox that is not as it was left, and how; of the account without an id.
        ledger: What this node has noted of arrivals and anchors.
        searching: Counts how long the search index takes.
        alone: Nobody writes the anchor later, so it is written at once.
        standing: What is not as it was left of the account, and of mailboxes as a whole.
    """

    database: Database
    keys: SessionKeys
    ring: Ringer
    erased: Callable[[], None]
    body_keys: BodyKeys | None = None
    kept_orders: KeptOrders = field(default_factory=KeptOrders)
    damaged: Callable[[bytes, list[str]], None] = field(default=lambda _, __: None)
    ledger: Ledger | None = None
    alone: bool = False
    searching: Histogram | None = None
    standing: Standing = AS_LEFT
    anchoring: Anchoring = field(init=False)
    snapshots: Snapshots = field(init=False)
    statuses: Statuses = field(init=False)
    folders: Folders = field(init=False)
    annotations: Annotations = field(init=False)
    reader: Reader = field(init=False)
    bodies: Bodies = field(init=False)
    orders: Orders = field(init=False)
    stored_orders: StoredOrders = field(init=False)
    verifying: Verifying = field(init=False)
    search_index: SearchIndex = field(init=False)
    indexing: Indexing = field(init=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    resealed: bool = False  # nothing is left under the keys of an earlier epoch
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # there may be something to tidy
    absorbed: asyncio.Event = field(default_factory=asyncio.Event)  # there may be something to index
    watches: set[Watch] = field(default_factory=set[Watch])

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.database, self.keys, self.damaged)
        self.statuses = Statuses(self.database, self.keys)
        self.folders = Folders(self.database, self.keys)
        self.verifying = Verifying(self.database, self.keys, self.folders, self.snapshots, self.ledger)
        self.search_index = SearchIndex(self.database, self.keys, self.searching)
        self.anchoring = Anchoring(self.database, self.keys, self.ledger)
        self.annotations = Annotations(self.database, self.keys, self.folders, self.writing)
        self.reader = Reader(self.database, self.keys, self.body_keys)
        self.bodies = Bodies(self.database, self.keys)
        self.indexing = Indexing(
            self.database, self.keys, self.snapshots, self.reader, self.bodies, self.search_index
        )
        summaries = Summaries(self.reader, self.bodies)
        self.stored_orders = StoredOrders(self.database, self.keys)
        self.orders = Orders(self.account_id, self.snapshots, summaries, self.kept_orders, self.stored_orders)

    @property
    def account_id(self) -> int:
        """The account's number in this database."""
        return self.keys.account_id

    def stand(self, standing: Standing) -> None:
        """Take what a login has found, and tell of it when it is news."""
        if standing != self.standing:
            for mailbox_id, said in ((b"", standing.account), *standing.mailboxes.items()):
                if said:
                    self.damaged(mailbox_id, list(said))
        self.standing = standing

    def damage(self, mailbox_id: bytes) -> list[str]:
        """How a mailbox is not as it was left, as far as it was looked at; then it can only be read."""
        return [*self.standing.of(mailbox_id), *self.snapshots.damage.get(mailbox_id, [])]

    def damaged_mailboxes(self) -> set[bytes]:
        """Those that are not as they were left, as far as they were looked at."""
        return {*self.standing.mailboxes, *(m for m, said in self.snapshots.damage.items() if said)}

    async def look_again(self) -> None:
        """See whether somebody has seen to what differed of the account as a whole.

        Raises:
            Stale: the account's keys have moved on.
        """
        if not self.standing.good:
            known = Known() if self.ledger is None else self.ledger.of(self.keys.uuid)
            heads = await self.database.read(lambda tx: read_account(tx, self.account_id))
            self.stand(compare(self.keys, heads, known))

    async def intact(self, *mailbox_ids: bytes) -> None:
        """See to it that nothing is written into what is not as it was left.

        Raises:
            Refused: the account is not, or one of these mailboxes; it can only be read.
        """
        await self.look_again()
        for said in (self.standing.account, *(self.damage(mailbox_id) for mailbox_id in mailbox_ids)):
            if said:
                raise Refused(Reason.NOT_AS_LEFT, said[0])

    async def wrote(self, *, soon: bool = True) -> None:
        """Have the anchor follow what was written, which it does not have to: see `anchoring`."""
        if not self.alone:
            self.anchoring.wrote(soon=soon)
            return
        with contextlib.suppress(MailError):
            await self.anchoring.write()

    @contextlib.asynccontextmanager
    async def writing(self, *mailbox_ids: bytes, soon: bool = True) -> AsyncGenerator[None]:
        """A turn at writing into these mailboxes, after which everybody is told.

        Args:
            soon: What is written is more than flags and copies.

        Raises:
            Refused: one of them is not as it was left.
        """
        await self.intact(*mailbox_ids)
        async with self.turn:
            try:
                yield
            finally:
                self.ring((self.account_id,))  # of several transactions some may be done
                await self.wrote(soon=soon)


def silence(*_: object) -> None:
    """Tell nobody: for a process that is alone with its data, or ends soon."""
