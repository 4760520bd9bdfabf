"""The keys of one unlocked session: what opens its lanes, what seals and opens its records."""

from mailstead.accounts import mboxes
from mailstead.accounts.mboxes import MailboxName
from mailstead.clock import ticks
from mailstead.crypto.arrivals import ArrivalChain
from mailstead.crypto.keyring import STORE_KEY_ONLY, Ring
from mailstead.crypto.keys import StoreKeys
from mailstead.crypto.notes import SealedNote
from mailstead.crypto.primitives import PrivateKey, private_key
from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.crypto.unseal import LaneReader, open_note
from mailstead.errors import UnsealError
from mailstead.metrics.catalogue import Metrics
from mailstead.metrics.families import Histogram
from mailstead.secretmem import Arena, Secret
from mailstead.store.accounts import Stale


class SessionKeys:
    """Made from an opened keyring; wiped by `close`. It holds no root and no read key.

    Args:
        arrivals: What tells whether this server delivered what is pending.
        opening: Told how long it took to open something.
    """

    def __init__(
        self,
        arena: Arena,
        account_id: int,
        uuid: bytes,
        ring: Ring,
        arrivals: ArrivalChain,
        opening: Histogram | None = None,
    ) -> None:
        self.opening = opening or Metrics().open
        self.arrivals = arrivals
        self.account_id = account_id
        self.uuid = uuid
        self.root_gen = ring.root_gen
        self.read_gen = ring.read_gen
        self.epoch = ring.current().number
        self._stores: dict[int, StoreKeys] = {}
        self._seeds: dict[int, Secret] = {}
        self._private: dict[int, PrivateKey] = {}
        try:
            for e in ring.epochs:
                self._stores[e.number] = StoreKeys(arena, uuid, e.number, e.store_key)
                if e.state != STORE_KEY_ONLY:
                    self._seeds[e.number] = arena.hold(e.xwing_seed)
        except BaseException:
            self.close()
            raise

    @property
    def earlier(self) -> tuple[int, ...]:
        """The epochs before the present one whose keys are here: some of their records may be, too."""
        return tuple(number for number in self._stores if number != self.epoch)

    def seal(
        self,
        kind: Kind,
        place: bytes,
        index: int,
        version: int,
        modseq: int,
        content: bytes,
        object_id: bytes = ZERO_ID,
    ) -> SealedRecord:
        """Seal a record under the current epoch."""
        store = self._stores[self.epoch]
        return store.seal(kind, place, index, version, modseq, content, object_id)

    def open(
        self,
        kind: Kind,
        place: bytes,
        index: int,
        modseq: int,
        record: SealedRecord,
        object_id: bytes = ZERO_ID,
    ) -> bytes:
        """The content of a record of any epoch that is still here.

        Raises:
            UnsealError: it is not what this account wrote there.
            Stale: the account's keys have moved on.
        """
        store = self._stores.get(record.epoch)
        if store is None and record.epoch > self.epoch:
            raise Stale  # it was sealed again since
        if store is None:
            raise UnsealError(f"there is no key of epoch {record.epoch}")
        began = ticks()
        content = store.open(kind, place, index, modseq, record, object_id)
        self.opening.observe(ticks() - began, "record")
        return content

    def open_mboxes(self, record: SealedRecord) -> list[MailboxName]:
        """The names of the mailboxes."""
        return mboxes.decode(self.open(Kind.MBOXES, ZERO_ID, 0, 0, record))

    def lane(self, epoch: int, lane_id: bytes, sealed: Sealed) -> LaneReader:
        """Open a lane.

        Raises:
            UnsealError: it was not sealed to this account.
        """
        key = self._private.get(epoch)
        if key is None:
            seed = self._seeds.get(epoch)
            if seed is None:
                raise UnsealError(f"there is no key of epoch {epoch}")
            key = self._private[epoch] = private_key(seed.view)
        began = ticks()
        reader = LaneReader(key, self.uuid, epoch, lane_id, sealed)
        self.opening.observe(ticks() - began, "lane")
        return reader

    def open_note(self, note: SealedNote) -> bytes:
        """The content of a note of this server.

        Raises:
            UnsealError: this server did not make it, or it was not sealed to this account.
        """
        lane = note.lane
        if not self.arrivals.noted(note.tag, lane, note.octets):
            raise UnsealError("a note was not made by this server")
        reader = self.lane(lane.epoch, lane.lane_id, lane.sealed)
        try:
            return open_note(reader.key(0), self.uuid, lane.lane_id, note.octets)
        finally:
            reader.close()

    def close(self) -> None:
        """Wipe the keys."""
        for store in self._stores.values():
            store.close()
        for seed in self._seeds.values():
            seed.release()
        self._stores.clear()
        self._seeds.clear()
        self._private.clear()
