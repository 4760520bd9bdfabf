"""Records of the server's own keys: kinds 32 to 39 only, so that mail is never sealed to them.

Delivery, outbound and services may import this; it opens nothing that belongs to a person.
"""

from mailstead.crypto.frame import PADDED, frame, unframe
from mailstead.crypto.primitives import open_sealed, random_octets, seal
from mailstead.crypto.records import header, record_context
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref
from mailstead.secretmem import wipe

FIRST, LAST = 32, 39


class ServerBox:
    """Seals pieces of one *kind* under a random key that nobody else ever has."""

    def __init__(self, kind: Kind) -> None:
        if not FIRST <= kind <= LAST:
            raise ValueError("the server seals only what is its own")
        self._kind = kind
        self._key = bytearray(random_octets(32))
        self._id = random_octets(16)

    def _context(self, index: int) -> bytes:
        head = header(self._kind, Ref.SERVER, PADDED, ZERO_ID, self._id, index)
        return record_context(head, ZERO_ID)

    def seal(self, index: int, octets: bytes) -> bytes:
        """Piece number *index*."""
        return seal(self._key, self._context(index), frame(octets))

    def open(self, index: int, sealed: bytes) -> bytes:
        """What piece number *index* holds.

        Raises:
            UnsealError: it is not that piece.
        """
        return unframe(open_sealed(self._key, self._context(index), sealed))

    def close(self) -> None:
        """Forget the key."""
        wipe(self._key)
