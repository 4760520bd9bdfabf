"""Headers and contexts: what a record is bound to (docs/format.md, "Records").

A header is not stored: it is made again from the columns, so that a wrong column makes the
record fail to open.
"""

import struct

from mailstead.crypto.primitives import SUITE
from mailstead.crypto.sealed import Kind, Ref
from mailstead.errors import UnsealError

_HEADER = struct.Struct(">4sBBBB16s16sII")
HEADER_OCTETS = _HEADER.size
MAGIC = b"EMS1"
_RECORD = b"EMS1 record\x00"
_STORED = b"EMS1 stored\x00"
_STORED_TAIL = struct.Struct(">16s16sQQ16s")

# The record key of a store key is derived under the label of the kind (docs/format.md, "Labels").
LABELS: dict[Kind, bytes] = {
    Kind.PAGE: b"EMS1 page",
    Kind.STATE: b"EMS1 state",
    Kind.COUNTS: b"EMS1 state",
    Kind.SEGMENT: b"EMS1 index",
    Kind.MBOXES: b"EMS1 mboxes",
    Kind.SETTINGS: b"EMS1 settings",
    Kind.LEAF: b"EMS1 manifest",
    Kind.ANCHOR: b"EMS1 manifest",
    Kind.TOMB: b"EMS1 tomb",
    Kind.ACCESSLOG: b"EMS1 accesslog",
    Kind.METADATA: b"EMS1 metadata",
    Kind.ORDER: b"EMS1 order",
}

# What a content may be in plain octets (docs/format.md, "Caps").
CAPS: dict[Kind, int] = {
    Kind.SUMMARY: 256 << 10,
    Kind.PAGE: 4 << 20,
    Kind.STATE: 64 << 10,
    Kind.KEYRING: 1 << 20,
    Kind.MBOXES: 16 << 20,
    Kind.SETTINGS: 1 << 20,
    Kind.LEAF: 512 << 10,  # of the account: 8 KiB do for one of a mailbox
    Kind.ANCHOR: 512 << 10,
    Kind.COUNTS: 1 << 20,
    Kind.TOMB: 8 << 20,
    Kind.METADATA: 128 << 10,
    Kind.ACCESSLOG: 256 << 10,
    Kind.ORDER: 4 << 20,
    Kind.SEGMENT: 4 << 20,  # the head; a piece has 32 KiB
}


def header(
    kind: Kind,
    ref: Ref,
    flags: int,
    object_id: bytes,
    ref_id: bytes,
    index: int,
    dictionary: int = 0,
) -> bytes:
    """The 48 octets of a record's header.

    Raises:
        UnsealError: an id has another length: packing would cut it to fit; a number has more bits.
    """
    if len(object_id) != 16 or len(ref_id) != 16:
        raise UnsealError("an id of the record is malformed")
    return _packed(_HEADER, MAGIC, SUITE, kind, ref, flags, object_id, ref_id, index, dictionary)


def record_context(head: bytes, account: bytes) -> bytes:
    """The context of a record of a lane (76 octets)."""
    return b"".join((_RECORD, head, account))


def stored_context(
    head: bytes, account: bytes, place: bytes, version: int, modseq: int, write_id: bytes
) -> bytes:
    """The context of a record under a key of the account (124 octets).

    Args:
        place: The mailbox it belongs to, or 16 zero octets.
        version: The row's version after this write.
        modseq: max_modseq of a STATE row, else 0.
        write_id: 16 random octets that name this very write, and make every context new.

    Raises:
        UnsealError: place or write id have another length: packing would cut them to fit; a number has
            more bits.
    """
    if len(place) != 16 or len(write_id) != 16:
        raise UnsealError("the record's place or write id is malformed")
    return b"".join((_STORED, head, _packed(_STORED_TAIL, account, place, version, modseq, write_id)))


def _packed(layout: struct.Struct, *values: int | bytes) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as error:  # somebody changed a row
        raise UnsealError("a number of the record is out of its range") from error


def epoch_ref(epoch: int) -> bytes:
    """The ref id of a record under the store key of an epoch."""
    return epoch.to_bytes(16, "big")


def root_ref(root_gen: int) -> bytes:
    """The ref id of the root keyring."""
    return root_gen.to_bytes(16, "big")


def read_ref(root_gen: int, read_gen: int) -> bytes:
    """The ref id of the read keyring."""
    return bytes(8) + root_gen.to_bytes(4, "big") + read_gen.to_bytes(4, "big")
