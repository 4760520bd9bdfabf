"""Where a section of a message lies: BODY[...] as octet ranges (RFC 9051 section 6.4.5.1).

The tree comes from a Summary's `parts`, in the order of a walk. It does not say what a part is,
and need not: a message's only child begins where its body begins, which a part of a multipart
never does, because a delimiter lies in between.
"""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

# children, header start, body start, body end, lines, header lines
_PART = struct.Struct(">HIIIII")
# A field with its continuation lines, or a line that is none: every octet is in a match.
_FIELD = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")
_BLANK = (b"\r\n", b"\n")


class Text(Enum):
    """What of a part is meant."""

    ALL = auto()
    HEADER = auto()
    FIELDS = auto()
    FIELDS_NOT = auto()
    TEXT = auto()
    MIME = auto()


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between "BODY[" and "]".

    Args:
        path: Part numbers; empty for the message itself.
        fields: Names of header fields, for FIELDS and FIELDS_NOT only.
    """

    path: tuple[int, ...] = ()
    text: Text = Text.ALL
    fields: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        text = self.text
        if (text is Text.MIME and not self.path) or 0 in self.path:
            raise ValueError("there is no such section")
        if bool(self.fields) != (text is Text.FIELDS or text is Text.FIELDS_NOT):
            raise ValueError("fields are named for HEADER.FIELDS, and only there")

    @property
    def in_root_header(self) -> bool:
        """Whether the message's own header block is all it takes."""
        return not self.path and self.text in (Text.HEADER, Text.FIELDS, Text.FIELDS_NOT)


@dataclass(slots=True)
class PartNode:
    """One part of a message by its offsets, as `mail.part.Part` has them."""

    header_start: int
    body_start: int
    body_end: int
    children: list["PartNode"] = field(default_factory=list["PartNode"])
    hollow: bool = False  # a multipart without parts

    @property
    def message(self) -> "PartNode | None":
        """The message that this part holds (message/rfc822), or None."""
        if len(self.children) == 1 and self.children[0].header_start == self.body_start:
            return self.children[0]
        return None


def tree(parts: bytes, bodystructure: bytes = b"") -> PartNode | None:
    """The parts of a message, from a Summary's `parts`; None when there are none, or they are wrong.

    Args:
        bodystructure: Says of a message without parts whether it is a multipart.
    """
    if not parts or len(parts) % _PART.size:
        return None
    root = PartNode(0, 0, 0)
    open_parts: list[tuple[PartNode, int]] = [(root, 1)]
    for count, header_start, body_start, body_end, _, _ in _PART.iter_unpack(parts):
        while open_parts and not open_parts[-1][1]:
            open_parts.pop()
        if not open_parts:
            return None
        parent, left = open_parts[-1]
        open_parts[-1] = (parent, left - 1)
        node = PartNode(header_start, body_start, body_end)
        parent.children.append(node)
        open_parts.append((node, count))
    if any(left for _, left in open_parts):
        return None
    message = root.children[0]
    message.hollow = not message.children and bodystructure.startswith(b"((")
    return message


def locate(root: PartNode, section: Section) -> range | None:
    """The octets that *section* is, or is taken out of; None when the message has no such part.

    For FIELDS and FIELDS_NOT they are a header block, for `filter_header` to choose from.
    """
    part, is_message = root, True
    for number in section.path:
        if not is_message and part.message is not None:
            part, is_message = part.message, True  # the path goes on inside an enclosed message
        if part.children and part.message is None:
            if number > len(part.children):
                return None
            part = part.children[number - 1]
        elif not is_message or number != 1 or part.hollow:
            return None  # a message that is no multipart has one part: its body
        is_message = False
    return _range(part, section, root=root)


def _range(part: PartNode, section: Section, *, root: PartNode) -> range | None:
    if section.text is Text.ALL:
        return range(part.body_start if section.path else part.header_start, part.body_end)
    if section.text is Text.MIME:
        return range(part.header_start, part.body_start)
    message = part.message if section.path else root
    if message is None:
        return None
    if section.text is Text.TEXT:
        return range(message.body_start, message.body_end)
    return range(message.header_start, message.body_start)


def filter_header(block: bytes, names: Iterable[bytes], *, wanted: bool) -> bytes:
    """The fields of a header block that are *names*, or are not, as they came, and its blank line.

    The wanted ones have one even if the block does not: programs look for it. A line without a
    colon is a field of that name, which only FIELDS_NOT can want.
    """
    lower = {name.lower() for name in names}
    kept: list[bytes] = []
    blank = b"\r\n" if wanted else b""
    at = 0
    while at < len(block):
        found = _FIELD.match(block, at)
        assert found is not None, "it matches the empty string"
        octets = found[0]
        at = found.end()
        if octets in _BLANK:
            blank = octets
            break
        name = octets.partition(b":")[0].strip(b" \t\r\n").lower()
        if (name in lower) == wanted:
            kept.append(octets)
    if wanted and kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\r\n")
    kept.append(blank)
    return b"".join(kept)
