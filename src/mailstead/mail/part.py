"""A message as a tree of parts: what each is, where it lies, what its header says (RFC 2045, 2046)."""

from dataclasses import dataclass, field

from mailstead.mail.header import Parameterised, chosen, media_type, parameterised

TEXT_PLAIN = (b"text", b"plain")


@dataclass(slots=True)
class Part:
    """One part of a message; offsets count from the first octet of the message.

    Args:
        header_start, body_start, body_end: The header block is what lies between the first two,
            its blank line included; the body is what lies between the last two.
        lines: Line ends in the body.
        headers: The fields BODYSTRUCTURE shows, and at a message's own level the ENVELOPE's.
        header_lines: Line ends in the header block.
    """

    header_start: int
    body_start: int = 0
    body_end: int = 0
    lines: int = 0
    header_lines: int = 0
    media: tuple[bytes, bytes] = TEXT_PLAIN
    content_type: Parameterised | None = None
    headers: dict[bytes, list[bytes]] = field(default_factory=dict[bytes, list[bytes]])
    children: list["Part"] = field(default_factory=list["Part"])

    def kind(self) -> bytes:
        """The media type in lower case, without its subtype."""
        return self.media[0].lower()


@dataclass(frozen=True, slots=True)
class Structure:
    """What the scanner found.

    Args:
        size: Octets of the message.
        header: Its header block, blank line included; cut at `HEADER_CAP`.
        header_octets: How long the header block is.
        received: How many Received fields it has.
        text, html: The first octets of the first such leaf, still encoded, and that leaf.
    """

    root: Part
    size: int
    header: bytes
    header_octets: int
    received: int
    text: tuple[Part, bytes] | None
    html: tuple[Part, bytes] | None


_PART_FIELDS = frozenset(
    (
        b"content-type", b"content-id", b"content-description", b"content-transfer-encoding",
        b"content-md5", b"content-disposition", b"content-language", b"content-location",
    )
)  # fmt: skip
_MESSAGE_FIELDS = _PART_FIELDS | {
    b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to",
    b"message-id", b"references", b"received",
}  # fmt: skip


def read_header(part: Part, block: bytes, *, own_message: bool) -> None:
    """Give *part* what its header *block* says; a message has more fields worth keeping than a part."""
    if b":" not in block:
        return
    part.headers = headers = chosen(block, _MESSAGE_FIELDS if own_message else _PART_FIELDS)
    if b"content-type" in headers:
        content_type = parameterised(headers[b"content-type"][0])
        media = media_type(content_type.value)
        if media is not None:
            part.media, part.content_type = media, content_type
