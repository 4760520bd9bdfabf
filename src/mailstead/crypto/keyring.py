"""The two keyrings: EKD1, which a read key opens, and EKR1, which only the root opens.

EKR1 is the authority; both carry the same version and are written in one transaction. Anything
that is not exactly as docs/format.md, "Keyrings", says is refused.
"""

import struct
from dataclasses import dataclass, replace

from mailstead.crypto.frame import PADDED, frame
from mailstead.crypto.keys import open_content
from mailstead.crypto.primitives import SUITE, Octets, expand, random_octets, seal
from mailstead.crypto.records import header, read_ref, root_ref, stored_context
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref, Sealed, SealedRecord
from mailstead.errors import UnsealError

CURRENT, CLOSING, STORE_KEY_ONLY = 1, 2, 3
MANIFESTS, ROTATE = 1, 2  # features
ROOT_ID = b"\xff" * 16
NAME_OCTETS = 64

_HEAD = struct.Struct(">4sQIIIQHH")  # magic, version, root_gen, read_gen, features, created, n, n
_EPOCH = struct.Struct(">IBBHQ32s32s")
_SLOT = struct.Struct(">16sBBBBQ32s32sB")


@dataclass(frozen=True, slots=True)
class Epoch:
    """The keys of one epoch: what opens its lanes, and what its records are sealed under."""

    number: int
    state: int
    created: int
    xwing_seed: bytes
    store_key: bytes
    suite: int = SUITE

    def __repr__(self) -> str:
        return f"Epoch({self.number}, ***)"


@dataclass(frozen=True, slots=True)
class RingSlot:
    """A way in as the root keyring knows it: enough to re-wrap it without its credential."""

    slot_id: bytes
    type: int
    scope: int
    wrap: int
    not_after: int
    pin: bytes  # SHA-256 of the slot's public key, or 32 zero octets
    auth_key: bytes  # C
    name: str

    def __repr__(self) -> str:
        return f"RingSlot({self.name!r}, ***)"


@dataclass(frozen=True, slots=True)
class Ring:
    """What both keyrings hold; the read keyring has no slots."""

    version: int
    root_gen: int
    read_gen: int
    features: int
    created: int
    epochs: tuple[Epoch, ...]
    slots: tuple[RingSlot, ...] = ()

    def current(self) -> Epoch:
        """The epoch that mail is sealed to."""
        return next(e for e in self.epochs if e.state == CURRENT)

    def encode_read(self) -> bytes:
        """EKD1."""
        return self._head(b"EKD1", 0) + self._epochs()

    def encode_root(self) -> bytes:
        """EKR1."""
        slots: list[bytes] = []
        for s in self.slots:
            name = s.name.encode()
            if len(name) > NAME_OCTETS:
                raise ValueError("the name of a slot has 64 octets at most")
            slots.append(
                _SLOT.pack(
                    s.slot_id, s.type, s.scope, s.wrap, SUITE, s.not_after, s.pin, s.auth_key, len(name)
                )
                + name
            )
        return b"".join((self._head(b"EKR1", len(self.slots)), self._epochs(), *slots))

    def _head(self, magic: bytes, slots: int) -> bytes:
        return _HEAD.pack(
            magic, self.version, self.root_gen, self.read_gen, self.features, self.created,
            len(self.epochs), slots,
        )  # fmt: skip

    def _epochs(self) -> bytes:
        return b"".join(
            _EPOCH.pack(e.number, e.suite, e.state, 0, e.created, e.xwing_seed, e.store_key)
            for e in self.epochs
        )


def decode_read(octets: bytes) -> Ring:
    """Read EKD1.

    Raises:
        UnsealError: it is anything else.
    """
    ring, at, slots = _decode_head(octets, b"EKD1")
    if slots or at != len(octets):
        raise UnsealError("the read keyring has octets left over")
    return ring


def decode_root(octets: bytes) -> Ring:
    """Read EKR1.

    Raises:
        UnsealError: it is anything else.
    """
    ring, at, count = _decode_head(octets, b"EKR1")
    slots: list[RingSlot] = []
    for _ in range(count):
        if at + _SLOT.size > len(octets):
            raise UnsealError("the root keyring is cut")
        slot_id, kind, scope, wrap, suite, not_after, pin, c, length = _SLOT.unpack_from(octets, at)
        at += _SLOT.size
        name = octets[at : at + length]
        at += length
        if suite != SUITE or length > NAME_OCTETS or len(name) != length:
            raise UnsealError("the root keyring is malformed")
        try:
            slots.append(RingSlot(slot_id, kind, scope, wrap, not_after, pin, c, name.decode()))
        except UnicodeDecodeError as error:
            raise UnsealError("the root keyring is malformed") from error
    if at != len(octets):
        raise UnsealError("the root keyring has octets left over")
    return replace(ring, slots=tuple(slots))


def _decode_head(octets: bytes, wanted: bytes) -> tuple[Ring, int, int]:
    if len(octets) < _HEAD.size:
        raise UnsealError("the keyring is cut")
    magic, version, root_gen, read_gen, features, created, count, slots = _HEAD.unpack_from(octets)
    end = _HEAD.size + count * _EPOCH.size
    if magic != wanted or end > len(octets):
        raise UnsealError("the keyring is malformed")
    if features & ~(MANIFESTS | ROTATE) or not features & MANIFESTS:
        raise UnsealError("the keyring has features that this version does not know")
    epochs: list[Epoch] = []
    for at in range(_HEAD.size, end, _EPOCH.size):
        number, suite, state, zero, made, seed, store_key = _EPOCH.unpack_from(octets, at)
        if suite != SUITE or zero or state not in (CURRENT, CLOSING, STORE_KEY_ONLY):
            raise UnsealError("the keyring has an epoch of a kind this version does not know")
        if epochs and number <= epochs[-1].number:
            raise UnsealError("the epochs of the keyring do not ascend")
        if (state == STORE_KEY_ONLY) != (seed == bytes(32)):
            raise UnsealError("the keyring is malformed")
        epochs.append(Epoch(number, state, made, seed, store_key, suite))
    if sum(e.state == CURRENT for e in epochs) != 1:
        raise UnsealError("the keyring has not exactly one current epoch")
    return Ring(version, root_gen, read_gen, features, created, tuple(epochs)), end, slots


def read_key(root: Octets, root_gen: int, read_gen: int) -> bytes:
    """The read key of a generation: it yields neither the root nor another generation's."""
    gens = root_gen.to_bytes(4, "big") + read_gen.to_bytes(4, "big")
    return expand(root, b"EMS1 read key\x00" + gens)


def seal_read_ring(key: Octets, account: bytes, ring: Ring) -> SealedRecord:
    """EKD1 sealed under the read *key*."""
    ring_key = expand(key, b"EMS1 read keyring")
    ref_id = read_ref(ring.root_gen, ring.read_gen)
    return _seal(ring_key, Ref.READ_KEY, ref_id, ZERO_ID, account, ring.version, ring.encode_read())


def open_read_ring(key: Octets, account: bytes, root_gen: int, read_gen: int, record: SealedRecord) -> Ring:
    """EKD1, opened by the read *key* of these generations.

    Raises:
        UnsealError: it is not this account's, of these generations and this version.
    """
    ring_key = expand(key, b"EMS1 read keyring")
    ref_id = read_ref(root_gen, read_gen)
    ring = decode_read(_open(ring_key, Ref.READ_KEY, ref_id, ZERO_ID, account, record))
    return _checked(ring, root_gen, read_gen, record)


def seal_root_ring(root: Octets, account: bytes, ring: Ring) -> SealedRecord:
    """EKR1 sealed under the *root*."""
    ring_key = expand(root, b"EMS1 root keyring")
    ref_id = root_ref(ring.root_gen)
    return _seal(ring_key, Ref.ROOT, ref_id, ROOT_ID, account, ring.version, ring.encode_root())


def open_root_ring(root: Octets, account: bytes, root_gen: int, read_gen: int, record: SealedRecord) -> Ring:
    """EKR1, opened by the *root*.

    Raises:
        UnsealError: as `open_read_ring`.
    """
    ring_key = expand(root, b"EMS1 root keyring")
    ring = decode_root(_open(ring_key, Ref.ROOT, root_ref(root_gen), ROOT_ID, account, record))
    return _checked(ring, root_gen, read_gen, record)


def _checked(ring: Ring, root_gen: int, read_gen: int, record: SealedRecord) -> Ring:
    if (ring.root_gen, ring.read_gen, ring.version) != (root_gen, read_gen, record.version):
        raise UnsealError("the keyring is of another generation")
    return ring


def _seal(
    key: bytes,
    ref: Ref,
    ref_id: bytes,
    object_id: bytes,
    account: bytes,
    version: int,
    content: bytes,
) -> SealedRecord:
    write_id = random_octets(16)
    head = header(Kind.KEYRING, ref, PADDED, object_id, ref_id, 0)
    context = stored_context(head, account, ZERO_ID, version, 0, write_id)
    return SealedRecord(version, 0, write_id, Sealed(seal(key, context, frame(content))))


def _open(
    key: bytes, ref: Ref, ref_id: bytes, object_id: bytes, account: bytes, record: SealedRecord
) -> bytes:
    head = header(Kind.KEYRING, ref, PADDED, object_id, ref_id, 0)
    context = stored_context(head, account, ZERO_ID, record.version, 0, record.write_id)
    return open_content(key, context, Kind.KEYRING, record.sealed)
