"""What a page holds of one message, in two column groups.

Group A is what lists need (dates, size, ENVELOPE); group B is what opens a message (its key) and
what describes it (BODYSTRUCTURE, preview, header block). Entries are compressed one by one with
the static dictionary, never across messages: docs/format.md, "Pages", says the layout and why.
"""

import struct
from dataclasses import dataclass, replace
from typing import NamedTuple

from mailstead.crypto.frame import compress_entry, decompress_entry, store_entry
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.mail.summary import fields

ENTRY_CAP = 16_000  # packed octets of one entry: whatever strangers send, 256 of them fit into a page
NO_DIGEST = bytes(32)

_A = struct.Struct(">qqQQ16s")  # internal date, save date, size, trace octets, object id
# object id, key, lane id, counter, BODY flags, digest, provenance, header is whole
_B = struct.Struct(">16s32s16sIB32sBB")
_LENGTH = struct.Struct(">I")
_SIZE = slice(16, 24)  # of an entry of group A
_OPENS = 69  # octets at the beginning of an entry of group B: what opens the body
_BODY_KEY = struct.Struct(">Q16s32s16sIB")  # size, and those
BODY_KEY_OCTETS = _BODY_KEY.size


class BodyKey(NamedTuple):
    """What opens the body of one message.

    Args:
        size: RFC822.SIZE in octets.
        key: The message key of its lane.
        lane_id, ctr, flags: As in the BODY record's header.
    """

    uid: Uid
    size: int
    object_id: bytes
    key: bytes
    lane_id: bytes
    ctr: int
    flags: int


class EntryA(NamedTuple):
    """What a list shows of one message.

    Args:
        internal_date: Seconds since the epoch.
        save_date: When it came into this mailbox, seconds since the epoch.
        size: RFC822.SIZE in octets.
        trace_octets: How many of them are trace fields that this server put in front.
        compressed: The ENVELOPE as IMAP octets, in one zstd frame.
    """

    internal_date: int
    save_date: int
    size: int
    trace_octets: int
    object_id: bytes
    compressed: bytes

    @property
    def envelope(self) -> bytes:
        """The ENVELOPE as IMAP octets; empty when it was too large.

        Raises:
            UnsealError: it is damaged.
        """
        return decompress_entry(self.compressed)


@dataclass(frozen=True, slots=True)
class Described:
    """What a summary says of a message's parts and text; empty where it had no room."""

    bodystructure: bytes
    parts: bytes
    preview: bytes
    header: bytes


class EntryB(NamedTuple):
    """What opens one message, and what describes it.

    Args:
        key: The message key of its lane.
        body_flags: The flags octet of the BODY record's header.
        lane_id, ctr: As in the BODY record's header.
        digest: SHA-256 of the BODY payload; 32 zero octets when not computed yet.
        header_whole: Whether `described.header` is the header block.
        compressed: What describes it, in one zstd frame.
    """

    object_id: bytes
    key: bytes
    lane_id: bytes
    ctr: int
    body_flags: int
    digest: bytes
    provenance: int
    header_whole: bool
    compressed: bytes

    @property
    def described(self) -> Described:
        """What describes it, inflated anew each time.

        Raises:
            UnsealError: it is damaged.
        """
        return Described(*self._inflated())

    @property
    def header(self) -> bytes:
        """The header block that `described` has.

        Raises:
            UnsealError: it is damaged.
        """
        return self._inflated()[3]

    def _inflated(self) -> list[bytes]:
        found = fields(decompress_entry(self.compressed))
        if len(found) != 4:
            raise UnsealError("page entry has another number of fields")
        return found


def compressed_a(envelope: bytes, *, compress: bool = True) -> bytes:
    """An ENVELOPE as an entry holds it; one that is too large is left out."""
    packed = _packed(envelope, compress=compress)
    return packed if _A.size + len(packed) <= ENTRY_CAP else _packed(b"", compress=compress)


def compressed_b(described: Described, *, header_whole: bool, compress: bool = True) -> tuple[bytes, bool]:
    """What describes a message as an entry holds it, and whether the header block is whole in it.

    When it is too large the header block is left out, and then the structure: both can be had
    from the body.
    """
    d = described
    content = b"".join(_LENGTH.pack(len(f)) + f for f in (d.bodystructure, d.parts, d.preview, d.header))
    packed = _packed(content, compress=compress)
    if _B.size + len(packed) <= ENTRY_CAP:
        return packed, header_whole
    if d.header:
        return compressed_b(replace(d, header=b""), header_whole=False, compress=compress)
    return compressed_b(Described(b"", b"", b"", b""), header_whole=header_whole, compress=compress)


def _packed(octets: bytes, *, compress: bool) -> bytes:
    """One zstd frame, in which nothing is compressed of a message that must not show its text by its size."""
    return compress_entry(octets) if compress else store_entry(octets)


def unpack_a(octets: bytes) -> EntryA:
    """One entry of group A."""
    if len(octets) < _A.size:
        raise UnsealError("page entry is short")
    internal_date, save_date, size, trace_octets, object_id = _A.unpack_from(octets)
    return EntryA(internal_date, save_date, size, trace_octets, object_id, octets[_A.size :])


def unpack_b(octets: bytes) -> EntryB:
    """One entry of group B."""
    if len(octets) < _B.size:
        raise UnsealError("page entry is short")
    object_id, key, lane_id, ctr, body_flags, digest, provenance, whole = _B.unpack_from(octets)
    if whole > 1:
        raise UnsealError("page entry has octets left over")
    return EntryB(
        object_id, key, lane_id, ctr, body_flags, digest, provenance, bool(whole), octets[_B.size :]
    )


def packed_body_key(a: bytes, b: bytes) -> bytes:
    """What opens a body, from the packed entries of both groups, as `unpack_body_key` reads it.

    Raises:
        UnsealError: they are cut.
    """
    if len(a) < _A.size or len(b) < _B.size:
        raise UnsealError("page entry is short")
    return a[_SIZE] + b[:_OPENS]


def unpack_body_key(uid: Uid, octets: bytes | memoryview, at: int = 0) -> BodyKey:
    """What `packed_body_key` gave for *uid*, which begins *at*."""
    return BodyKey(uid, *_BODY_KEY.unpack_from(octets, at))


def pack_a(e: EntryA) -> bytes:
    """One entry of group A, as `merge` takes it."""
    return _A.pack(e.internal_date, e.save_date, e.size, e.trace_octets, e.object_id) + e.compressed


def pack_b(e: EntryB) -> bytes:
    """One entry of group B, as `merge` takes it."""
    fixed = _B.pack(
        e.object_id, e.key, e.lane_id, e.ctr, e.body_flags, e.digest, e.provenance, e.header_whole
    )
    return fixed + e.compressed


def saved_at(octets: bytes, when: int) -> bytes:
    """A packed entry of group A with another save date."""
    internal_date, _, size, trace_octets, object_id = _A.unpack_from(octets)
    return _A.pack(internal_date, when, size, trace_octets, object_id) + octets[_A.size :]


def size_and_object(octets: bytes) -> tuple[int, bytes]:
    """RFC822.SIZE and object id of a packed entry of group A, which is not inflated.

    Raises:
        UnsealError: it is cut.
    """
    if len(octets) < _A.size:
        raise UnsealError("page entry is short")
    _, _, size, _, object_id = _A.unpack_from(octets)
    return size, object_id
