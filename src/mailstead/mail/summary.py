"""The SUMMARY of a message: what lists need and what describes it, made once at delivery.

The layout is in docs/format.md, "Summaries". Whoever has the public key can make one, so reading
is strict: anything out of place is refused.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from mailstead.errors import UnsealError
from mailstead.mail.flags import Flags
from mailstead.mail.part import Part, Structure
from mailstead.mail.render import bodystructure, envelope
from mailstead.mail.text import preview

VERSION, WITHOUT_SAVE_DATE = 2, 1
HEADER_CAP = 32 << 10
ENVELOPE_CAP = 64 << 10
BODYSTRUCTURE_CAP = 64 << 10
PARTS_CAP = 1000  # whose offsets are kept; the others are found by scanning the body
SUMMARY_CAP = 256 << 10

_HEAD = struct.Struct(">16sBBBB")  # mailbox id, version, provenance, flags, header is whole
_FIXED = struct.Struct(">qqQI")  # internal date, save date, size, trace octets
_FIXED_1 = struct.Struct(">qQI")  # of version 1, which has no save date
_LENGTH = struct.Struct(">I")
_PART = struct.Struct(">HIIIII")  # children, header start, body start, body end, lines, header lines
_SIZE_CAP = 1 << 32
NOT_MARKED = Flags()


class Provenance(IntEnum):
    """How a message came here: delivery is open to anybody, an APPEND is the owner's."""

    DELIVERED = 1
    APPENDED = 2


@dataclass(frozen=True, slots=True)
class Summary:
    """What is sealed beside a body.

    Args:
        mailbox_id: The mailbox it was delivered to; 16 zero octets until `encode` is told.
        internal_date, save_date: Seconds since the epoch.
        trace_octets: How many of the first octets this server put in front.
        parts: Offsets of the parts, in the order of a walk; empty when there are too many.
        header: The header block, or empty when it is too long (then `header_whole` is False).
    """

    internal_date: int
    save_date: int
    size: int
    trace_octets: int
    provenance: Provenance
    envelope: bytes
    bodystructure: bytes
    parts: bytes
    preview: str
    header: bytes
    header_whole: bool
    mailbox_id: bytes = bytes(16)
    flags: int = 0
    keywords: tuple[str, ...] = field(default=())

    def encode(self, mailbox_id: bytes) -> bytes:
        """The content of a SUMMARY record for a message to *mailbox_id*."""
        fields = (
            self.envelope, self.bodystructure, self.parts, self.preview.encode(), self.header,
            "\x00".join(self.keywords).encode(),
        )  # fmt: skip
        head = _HEAD.pack(mailbox_id, VERSION, self.provenance, self.flags, self.header_whole)
        head += _FIXED.pack(self.internal_date, self.save_date, self.size, self.trace_octets)
        return head + b"".join(_LENGTH.pack(len(f)) + f for f in fields)

    @classmethod
    def decode(cls, content: bytes) -> "Summary":
        """Read the content of a SUMMARY record; what version 1 describes was saved at its internal date.

        Raises:
            UnsealError: it is malformed in any way.
        """
        if not _HEAD.size + _FIXED.size <= len(content) <= SUMMARY_CAP:
            raise UnsealError("the summary is malformed")
        mailbox_id, version, provenance, flags, whole = _HEAD.unpack_from(content)
        if version not in (VERSION, WITHOUT_SAVE_DATE) or flags & ~0x1F or whole > 1:
            raise UnsealError("the summary is malformed")
        if version == WITHOUT_SAVE_DATE:
            date, size, trace = _FIXED_1.unpack_from(content, _HEAD.size)
            saved, end = date, _HEAD.size + _FIXED_1.size
        else:
            date, saved, size, trace = _FIXED.unpack_from(content, _HEAD.size)
            end = _HEAD.size + _FIXED.size
        parts = fields(content, end)
        if size > _SIZE_CAP or trace > size or len(parts) != 6 or len(parts[2]) % _PART.size:
            raise UnsealError("the summary is malformed")
        _check_parts(parts[2], size)
        try:
            return cls(
                date, saved, size, trace, Provenance(provenance), parts[0], parts[1], parts[2],
                parts[3].decode(), parts[4], bool(whole), mailbox_id, flags,
                tuple(k for k in parts[5].decode().split("\x00") if k),
            )  # fmt: skip
        except ValueError as error:
            raise UnsealError("the summary is malformed") from error


def fields(content: bytes, at: int = 0) -> list[bytes]:
    """The fields that *content* is made of from *at* on, each behind its length in four octets.

    Raises:
        UnsealError: the last one is cut.
    """
    found: list[bytes] = []
    while at < len(content):
        if at + _LENGTH.size > len(content):
            raise UnsealError("a field is cut")
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size
        if at + length > len(content):
            raise UnsealError("a field is cut")
        found.append(content[at : at + length])
        at += length
    return found


def _check_parts(parts: bytes, size: int) -> None:
    """All offsets lie inside the body, and in order."""
    for at in range(0, len(parts), _PART.size):
        _, header_start, body_start, body_end, _, _ = _PART.unpack_from(parts, at)
        if not header_start <= body_start <= body_end <= size:
            raise UnsealError("the summary has offsets outside of the body")


def summarise(
    structure: Structure,
    *,
    internal_date: int,
    trace_octets: int,
    provenance: Provenance,
    flags: Flags = NOT_MARKED,
    save_date: int | None = None,
) -> Summary:
    """The summary of a message that was scanned; without a *save_date* it is saved at *internal_date*."""
    whole = structure.header_octets <= HEADER_CAP
    rendered = bodystructure(structure.root)
    shown = envelope(structure.root)
    return Summary(
        internal_date=internal_date,
        save_date=internal_date if save_date is None else save_date,
        size=structure.size,
        trace_octets=trace_octets,
        provenance=provenance,
        envelope=shown if len(shown) <= ENVELOPE_CAP else b"",
        bodystructure=rendered if len(rendered) <= BODYSTRUCTURE_CAP else b"",
        parts=_offsets(structure.root, structure.size),
        preview=preview(structure),
        header=structure.header if whole else b"",
        header_whole=whole,
        flags=int(flags.system),
        keywords=tuple(sorted(flags.keywords)),
    )


def _offsets(root: Part, size: int) -> bytes:
    if size >= _SIZE_CAP:
        return b""
    packed: list[bytes] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if len(packed) == PARTS_CAP or len(part.children) > 0xFFFF:
            return b""
        packed.append(
            _PART.pack(
                len(part.children), part.header_start, part.body_start, part.body_end, part.lines,
                part.header_lines,
            )
        )  # fmt: skip
        waiting.extend(reversed(part.children))
    return b"".join(packed)
