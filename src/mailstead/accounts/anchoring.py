"""When the anchor is written, and from what.

It is not written with every change: a second after those that take something away or move it, a minute
after others, and when the last session leaves. What lies between is found by leaves, if not as a whole.
"""

import asyncio
import contextlib
from dataclasses import dataclass, replace

from mailstead.accounts.accountleaf import Write, open_account_leaf
from mailstead.accounts.anchor import Anchor, open_anchor, seal_anchor
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.standing import AccountHeads, anchor_behind, named, read_account
from mailstead.accounts.turns import until_won
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import MailError, UnsealError
from mailstead.log import Log
from mailstead.store.accounts import Stale, fence
from mailstead.store.book import Known
from mailstead.store.database import Database, Tx
from mailstead.store.ledger import Ledger
from mailstead.store.records import get_record, put_record

SOON, LATE = 1.0, 60.0  # seconds after a write


@dataclass(frozen=True, slots=True)
class Anchored:
    """An anchor that is to be written; None when there is none that could be followed by another."""

    record: SealedRecord | None

    def put(self, tx: Tx, account_id: int) -> None:
        """Write it.

        Raises:
            LostRace: another was written first.
        """
        if self.record is not None:
            put_record(tx, account_id, Kind.ANCHOR, self.record)

    def later(self, known: Known) -> bool:
        """Whether it is later than the last that is *known*."""
        last = 0 if known.anchor is None else known.anchor.number
        return self.record is not None and self.record.version > last

    def note(self, ledger: Ledger | None, account: bytes) -> None:
        """Note that it was written."""
        if self.record is not None and ledger is not None:
            ledger.anchored(account, self.record.version, self.record.write_id)


def anchor_with_keys(keys: SessionKeys, sealed: SealedRecord | None, keyring: int, now: int) -> Anchored:
    """The next anchor, with the floor of keyrings of version *keyring*.

    Args:
        sealed: The present one. That it is missing or does not open is to be seen, and not made good.

    Raises:
        UnsealError: there were keyrings that this change does not follow: what they said would be lost.
    """
    if sealed is None:
        return Anchored(None)
    try:
        old = open_anchor(keys, sealed)
    except (UnsealError, Stale):
        return Anchored(None)
    if old.keyring >= keyring:
        raise UnsealError(f"its keys were set back: version {keyring - 1} found, {old.keyring} was written")
    new = replace(old, version=old.version + 1, created=now, keyring=keyring)
    return Anchored(seal_anchor(keys, new))


def noted(ledger: Ledger | None, account: bytes) -> Known:
    """What is noted of an account: to be asked before a snapshot that is compared with it."""
    return Known() if ledger is None else ledger.of(account)


def set_back(known: Known, sealed: SealedRecord | None) -> str:
    """How an anchor is older than was *known* before it was read, or of another line of writes, in words.

    No other may follow on it: with the numbers of those that are gone it would pass for the last.
    That it is missing stays to be seen, whatever is written.
    """
    return "" if sealed is None else anchor_behind(known, sealed)


async def write_anchor(database: Database, keys: SessionKeys, ledger: Ledger | None) -> None:
    """Raise the floors to what is there and opens, if there is anything to raise.

    An anchor that was set back is left as it is.

    Raises:
        Stale: the account's keys have moved on.
    """

    async def turn(_: int) -> None:
        known = noted(ledger, keys.uuid)
        present, anchored = await database.read(lambda tx: _next(tx, keys, known))
        if anchored.record is None:
            if present.later(known):  # whoever wrote it did not come to noting it
                present.note(ledger, keys.uuid)
            return

        def work(tx: Tx) -> None:
            fence(tx, keys.account_id, keys.root_gen, keys.read_gen, 0)
            anchored.put(tx, keys.account_id)

        await database.write(work)
        anchored.note(ledger, keys.uuid)

    await until_won(turn)


def _next(tx: Tx, keys: SessionKeys, known: Known) -> tuple[Anchored, Anchored]:
    """The present anchor, and the one to be written; none where there is nothing to follow on or to raise."""
    none = Anchored(None)
    heads = read_account(tx, keys.account_id)
    if heads.gens != (keys.root_gen, keys.read_gen):
        raise Stale
    if heads.anchor is None or set_back(known, heads.anchor):
        return none, none
    try:
        old = open_anchor(keys, heads.anchor)
        gone = _gone(keys, heads, old)
    except (UnsealError, Stale):
        return none, none
    floors = {box: floor for box, floor in old.mailboxes.items() if box not in gone}
    floors |= found_counts(tx, keys, heads, floors)
    new = replace(
        old, version=old.version + 1, created=tx.now(), leaf=_leaf(keys, heads, old), mailboxes=floors
    )
    if (new.leaf, new.mailboxes) == (old.leaf, old.mailboxes):
        return Anchored(heads.anchor), none
    return Anchored(heads.anchor), Anchored(seal_anchor(keys, new))


def _gone(keys: SessionKeys, heads: AccountHeads, old: Anchor) -> set[bytes]:
    """Mailboxes that have a floor and are deleted: not only their rows are missing, but their names.

    The names are those that were written last, or nothing is known.
    """
    missing = old.mailboxes.keys() - heads.mailboxes.keys()
    if not missing or heads.names is None or heads.leaf is None or heads.leaf.version < old.leaf[0]:
        return set()
    written = open_account_leaf(keys, heads.leaf).writes.get((Kind.MBOXES, ZERO_ID))
    if written != (heads.names.version, heads.names.write_id):
        return set()
    return missing - named(keys, heads.names)


def found_counts(
    tx: Tx, keys: SessionKeys, heads: AccountHeads, floors: dict[bytes, Write]
) -> dict[bytes, Write]:
    """The counts above *floors* that were opened, so that a column is not believed by itself."""
    found: dict[bytes, Write] = {}
    for box in heads.mailboxes:
        write, floor = heads.counts(box), floors.get(box)
        if write is None or (floor is not None and write[0] <= floor[0]):
            continue
        record = get_record(tx, keys.account_id, Kind.COUNTS, box)
        with contextlib.suppress(UnsealError, Stale):
            if record is not None:
                keys.open(Kind.COUNTS, box, 0, 0, record)
                found[box] = write
    return found


def _leaf(keys: SessionKeys, heads: AccountHeads, old: Anchor) -> Write:
    if heads.leaf is None or heads.leaf.version <= old.leaf[0]:
        return old.leaf
    try:
        open_account_leaf(keys, heads.leaf)
    except (UnsealError, Stale):
        return old.leaf
    return heads.leaf.version, heads.leaf.write_id


class Anchoring:
    """The anchor of one account that is open here."""

    def __init__(self, database: Database, keys: SessionKeys, ledger: Ledger | None) -> None:
        self._database = database
        self._keys = keys
        self._ledger = ledger
        self._some = asyncio.Event()
        self._at = 0.0  # on the loop's clock
        self.due = False  # something was written since
        self._writing = False

    def wrote(self, *, soon: bool) -> None:
        """Have it written before long."""
        at = asyncio.get_running_loop().time() + (SOON if soon else LATE)
        if not self.due or at < self._at:
            self.due, self._at = True, at
            self._some.set()

    @property
    def unfinished(self) -> bool:
        """Whether there is something to be written, or on its way to be."""
        return self.due or self._writing

    async def write(self) -> None:
        """Write it now (`write_anchor`); it is due again if that is not done."""
        self.due, self._writing = False, True
        try:
            await write_anchor(self._database, self._keys, self._ledger)
        except BaseException:  # also cancelled, and then nobody knows
            self.wrote(soon=False)
            raise
        finally:
            self._writing = False

    async def try_to_write(self, log: Log) -> None:
        """Write it now, or log why not: what is wrong with one account ends nobody's job."""
        try:
            await self.write()
        except (MailError, UnsealError) as error:
            log.warning("presence.anchor.put-off", account=self._keys.account_id, why=str(error))
        except Exception as error:
            name = type(error).__name__
            log.error("presence.anchor.failed", account=self._keys.account_id, error=name)

    async def run(self, log: Log) -> None:
        """Write it whenever it is due, as long as the account is online."""
        clock = asyncio.get_running_loop().time
        while True:
            self._some.clear()
            wait = self._at - clock() if self.due else None
            if wait is None or wait > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._some.wait()
                continue
            await self.try_to_write(log)
