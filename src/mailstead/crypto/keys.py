"""The account's own keys: what seals and opens the records of its sessions.

A store key belongs to an epoch; each kind of record has a key derived from it. They lie in
secret memory and are wiped by `close`.
"""

from mailstead.crypto.frame import PADDED, frame, unframe
from mailstead.crypto.primitives import Octets, expand_into, open_kept, random_octets, seal
from mailstead.crypto.records import CAPS, LABELS, epoch_ref, header, stored_context
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref, Sealed, SealedRecord
from mailstead.errors import UnsealError
from mailstead.secretmem import Arena, Secret


class StoreKeys:
    """The record keys of one epoch of one account."""

    def __init__(self, arena: Arena, account: bytes, epoch: int, store_key: Octets) -> None:
        self.epoch = epoch
        self._account = account
        self._arena = arena
        self._store_key = arena.hold(store_key)
        self._keys: dict[bytes, Secret] = {}

    def _key(self, kind: Kind) -> memoryview:
        label = LABELS[kind]
        secret = self._keys.get(label)
        if secret is None:
            secret = self._keys[label] = self._arena.take()
            expand_into(self._store_key.view, label, secret.view)
        return secret.view

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
        """Seal a record for the row's *version* after this write.

        Raises:
            ValueError: it is larger than `open` allows: it would be sealed for ever.
        """
        if len(content) > CAPS[kind]:
            raise ValueError(f"a record of kind {kind.name} has {CAPS[kind]} octets at most")
        write_id = random_octets(16)
        head = header(kind, Ref.STORE_KEY, PADDED, object_id, epoch_ref(self.epoch), index)
        context = stored_context(head, self._account, place, version, modseq, write_id)
        payload = seal(self._key(kind), context, frame(content))
        return SealedRecord(version, self.epoch, write_id, Sealed(payload))

    def open(
        self,
        kind: Kind,
        place: bytes,
        index: int,
        modseq: int,
        record: SealedRecord,
        object_id: bytes = ZERO_ID,
    ) -> bytes:
        """The content of a record.

        Raises:
            UnsealError: it is not what this account wrote in this place, at this version.
        """
        head = header(kind, Ref.STORE_KEY, PADDED, object_id, epoch_ref(record.epoch), index)
        context = stored_context(head, self._account, place, record.version, modseq, record.write_id)
        return open_content(self._key(kind), context, kind, record.sealed)

    def close(self) -> None:
        """Wipe the keys."""
        for secret in self._keys.values():
            secret.release()
        self._keys.clear()
        self._store_key.release()


def open_content(key: Octets, context: bytes, kind: Kind, sealed: Sealed) -> bytes:
    """The content of an uncompressed record, capped by its *kind*."""
    if len(sealed.octets) > 2 * CAPS[kind] + 4096:
        raise UnsealError("the record is too large")
    content = unframe(open_kept(key, context, sealed.octets))
    if len(content) > CAPS[kind]:
        raise UnsealError("the record is too large")
    return content
