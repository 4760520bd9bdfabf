"""Lanes: how a message is sealed by who cannot open it (docs/format.md, "Lanes").

One encapsulation to the account's delivery key carries a seed; a one-way ratchet gives each
message a key of its own, and each chain key is overwritten by the next. A lane is never resumed.
"""

import os
from collections.abc import Iterator

from mailstead.crypto.body import PreparedBody
from mailstead.crypto.frame import (
    DICTIONARY,
    DICTIONARY_ID,
    PADDED,
    ZSTD,
    compress_entry,
    frame,
    padme,
)
from mailstead.crypto.primitives import (
    Encryptor,
    PublicKey,
    encapsulate,
    expand_into,
    public_key,
    random_octets,
    seal,
)
from mailstead.crypto.records import header, record_context
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref, Sealed, SealedLane
from mailstead.secretmem import wipe

LANE_MESSAGES = 256
EXTENT = 16 * (16384 + 16)  # octets of a sealed body in one row
LANE_INFO = b"EMS1 lane\x00"
LANE_STEP = b"EMS1 lane step"
SUMMARY_FLAGS = PADDED | ZSTD | DICTIONARY


class DeliveryKey:
    """The public key that an account's mail is sealed to."""

    __slots__ = ("key",)

    def __init__(self, key: PublicKey) -> None:
        self.key = key

    @classmethod
    def parse(cls, octets: bytes) -> "DeliveryKey":
        """Read the 1216 octets of `epoch_key.public_key`.

        Raises:
            UnsealError: they are not a key.
        """
        return cls(public_key(octets))


def lane_info(account: bytes, epoch: int, lane_id: bytes) -> bytes:
    """The info of a lane's encapsulation."""
    return b"".join((LANE_INFO, account, epoch.to_bytes(4, "big"), lane_id))


class LaneWriter:
    """Seals up to 256 messages to one account under one encapsulation."""

    def __init__(self, account: bytes, epoch: int, key: DeliveryKey) -> None:
        self.account = account
        self.lane_id = random_octets(16)
        self.count = 0
        self._pid = os.getpid()
        self._chain = bytearray(random_octets(32))
        self._open = True
        info = lane_info(account, epoch, self.lane_id)
        self.sealed = SealedLane(self.lane_id, epoch, Sealed(encapsulate(self._chain, key.key, info)))

    def next(self) -> "MessageSealer":
        """The sealer of the next message; wiped when it is left.

        Raises:
            RuntimeError: the lane is closed, full, or this process was forked from its own.
        """
        if not self._open or self.count >= LANE_MESSAGES or os.getpid() != self._pid:
            raise RuntimeError("this lane seals no more messages")
        step = bytearray(64)
        expand_into(self._chain, LANE_STEP, step)
        self._chain[:] = step[:32]
        sealer = MessageSealer(self.account, self.lane_id, self.count, step[32:])
        wipe(step)
        self.count += 1
        return sealer

    def close(self) -> None:
        """Wipe the seed; no message follows."""
        wipe(self._chain)
        self._open = False


class MessageSealer:
    """Seals the SUMMARY and the BODY of one message."""

    def __init__(self, account: bytes, lane_id: bytes, ctr: int, key: bytearray) -> None:
        self.ctr = ctr
        self._account = account
        self._lane_id = lane_id
        self._key = key

    def __enter__(self) -> "MessageSealer":
        return self

    def __exit__(self, *_: object) -> None:
        wipe(self._key)

    def _context(self, kind: Kind, flags: int, object_id: bytes, dictionary: int) -> bytes:
        head = header(kind, Ref.LANE, flags, object_id, self._lane_id, self.ctr, dictionary)
        return record_context(head, self._account)

    def summary(self, object_id: bytes, content: bytes, *, compressed: bool = True) -> tuple[int, Sealed]:
        """The flags of the SUMMARY record, and its payload."""
        flags, dictionary = (SUMMARY_FLAGS, DICTIONARY_ID) if compressed else (PADDED, 0)
        context = self._context(Kind.SUMMARY, flags, object_id, dictionary)
        framed = frame(compress_entry(content) if compressed else content)
        return flags, Sealed(seal(self._key, context, framed))

    def note(self, content: bytes) -> Sealed:
        """The payload of an ACCESSLOG record."""
        return Sealed(seal(self._key, self._context(Kind.ACCESSLOG, PADDED, ZERO_ID, 0), frame(content)))

    def body(self, object_id: bytes, prepared: PreparedBody) -> tuple[int, Iterator[Sealed]]:
        """The flags of the BODY record, and its payload by extents, sealed as they are asked for."""
        context = self._context(Kind.BODY, prepared.flags, object_id, 0)
        return prepared.flags, self._extents(Encryptor(self._key, context), prepared)

    def _extents(self, encryptor: Encryptor, prepared: PreparedBody) -> Iterator[Sealed]:
        length = 8 + prepared.content_octets
        sealed = bytearray(encryptor.update(prepared.content_octets.to_bytes(8, "big")))
        for piece in prepared.pieces():
            sealed += encryptor.update(piece)
            while len(sealed) > EXTENT:
                yield Sealed(bytes(sealed[:EXTENT]))
                del sealed[:EXTENT]
        sealed += encryptor.update(bytes(padme(length) - length))
        sealed += encryptor.finalize()
        while len(sealed) > EXTENT:
            yield Sealed(bytes(sealed[:EXTENT]))
            del sealed[:EXTENT]
        yield Sealed(bytes(sealed))
