"""What an account begins with, and begins with again after a reset: keys, mailboxes, ways in."""

import os
from typing import TYPE_CHECKING

from mailstead.accounts import mboxes
from mailstead.accounts.accountleaf import AccountLeaf
from mailstead.accounts.anchor import Anchor
from mailstead.accounts.leaves import first_leaf
from mailstead.accounts.waysin import Gens, NewWayIn
from mailstead.crypto.keyring import (
    CURRENT,
    MANIFESTS,
    ROOT_ID,
    ROTATE,
    Epoch,
    Ring,
    read_key,
    seal_read_ring,
    seal_root_ring,
)
from mailstead.crypto.keys import StoreKeys
from mailstead.crypto.primitives import SUITE, Octets, public_octets
from mailstead.crypto.sealed import ZERO_ID, Kind
from mailstead.mail.mailbox import FIRST_MAILBOXES
from mailstead.store import accounts as rows
from mailstead.store.accounts import EpochKeyRow
from mailstead.store.database import Tx
from mailstead.store.leaves import put_leaf
from mailstead.store.mailboxes import add_mailbox
from mailstead.store.records import put_record
from mailstead.store.slots import add_slot

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


class FirstRows:
    """Keys, mailboxes and ways in, sealed before the transaction that writes them begins.

    Args:
        root: Of the generations *gens*.
        epoch: The number of the epoch it begins with.
        clock: Seconds since the epoch by the database's clock, and above every UIDVALIDITY so far.
        anchor: The version of the anchor, one above that of the one that is there.
    """

    def __init__(
        self,
        office: "Office",
        uuid: bytes,
        gens: Gens,
        epoch: int,
        root: Octets,
        ways: list[NewWayIn],
        clock: int,
        anchor: int = 1,
    ) -> None:
        now = int(office.now())
        first = Epoch(epoch, CURRENT, now, os.urandom(32), os.urandom(32))
        listed = tuple(way.listed for way in ways)
        ring = Ring(1, gens.root_gen, gens.read_gen, MANIFESTS | ROTATE, now, (first,), listed)
        public = public_octets(first.xwing_seed)
        mac = office.server_key.rows.epoch_key(uuid, epoch, SUITE, CURRENT, public)
        self.epoch_key = EpochKeyRow(epoch, SUITE, CURRENT, public, mac)
        self._ways = ways
        self._root_ring = seal_root_ring(root, uuid, ring)
        self._read_ring = seal_read_ring(read_key(root, gens.root_gen, gens.read_gen), uuid, ring)
        self._mailbox_ids = [os.urandom(16) for _ in FIRST_MAILBOXES]
        self._uid_validities = [clock + at for at, _ in enumerate(FIRST_MAILBOXES)]
        store = StoreKeys(office.arena, uuid, epoch, first.store_key)
        names = mboxes.encode(mboxes.first(self._mailbox_ids))
        self._names = store.seal(Kind.MBOXES, ZERO_ID, 0, 1, 0, names)
        self._leaves = [
            store.seal(Kind.LEAF, mailbox_id, 0, 1, 0, first_leaf(mailbox_id, made).encode())
            for mailbox_id, made in zip(self._mailbox_ids, self._uid_validities, strict=True)
        ]
        named = {(int(Kind.MBOXES), ZERO_ID): (1, self._names.write_id)}
        self._account_leaf = store.seal(Kind.LEAF, ZERO_ID, 0, 1, 0, AccountLeaf(1, named).encode())
        floors = Anchor(anchor, now, ring.version, (1, self._account_leaf.write_id))
        self.anchor = store.seal(Kind.ANCHOR, ZERO_ID, 0, anchor, 0, floors.encode())
        store.close()

    @property
    def inbox_id(self) -> bytes:
        """Where mail goes."""
        return self._mailbox_ids[0]

    def write(self, tx: Tx, account_id: int, modseq: int) -> None:
        """Write them beside the account's row, which is there.

        Args:
            modseq: Of the new mailboxes.

        Raises:
            LostRace: something came first.
        """
        rows.set_epoch_keys(tx, account_id, [self.epoch_key])
        for way in self._ways:
            add_slot(tx, account_id, way.row)
        put_record(tx, account_id, Kind.KEYRING, self._read_ring)
        put_record(tx, account_id, Kind.KEYRING, self._root_ring, object_id=ROOT_ID)
        put_record(tx, account_id, Kind.MBOXES, self._names)
        put_record(tx, account_id, Kind.LEAF, self._account_leaf)
        put_record(tx, account_id, Kind.ANCHOR, self.anchor)
        made = zip(self._mailbox_ids, self._uid_validities, self._leaves, strict=True)
        for mailbox_id, uid_validity, leaf in made:
            add_mailbox(tx, account_id, mailbox_id, modseq, uid_validity)
            put_leaf(tx, account_id, mailbox_id, 0, leaf)
