"""The text of a message for people: a preview, and a whole view for a terminal.

What a sender wrote is untrusted: no control character of his reaches a terminal.
"""

import unicodedata
from collections.abc import Iterable, Iterator

from mailstead.mail import transfer
from mailstead.mail.charset import decode, decode_pieces
from mailstead.mail.encodedwords import base64, text
from mailstead.mail.header import fields
from mailstead.mail.html import visible_text
from mailstead.mail.part import Part, Structure
from mailstead.mail.structure import Scanner
from mailstead.mail.transfer import Identity, decoder, quoted_printable

PREVIEW_CHARACTERS = 200  # RFC 8970 section 3
_PREVIEW_READ = 800  # characters looked at for them, space included
_SHOWN = (b"from", b"to", b"cc", b"subject", b"date")


def preview(structure: Structure) -> str:
    """The first 200 characters of the message's text, on one line."""
    found = structure.text or structure.html
    if found is None:
        return ""
    readable = decoded(*found)
    if structure.text is None:
        readable = visible_text(readable)
    line = " ".join(readable[:_PREVIEW_READ].split())
    return safe(line[:PREVIEW_CHARACTERS])


def decoded(part: Part, octets: bytes) -> str:
    """The text of a leaf, out of its transfer encoding and its charset."""
    encoding = _encoding(part)
    if encoding == b"base64":
        octets = base64(octets)
    elif encoding == b"quoted-printable":
        octets = quoted_printable(octets)
    return decode(octets, _charset(part))


def decoded_pieces(part: Part, pieces: Iterable[bytes]) -> Iterator[str]:
    """What `decoded` makes of all *pieces*, a piece at a time; one of text may be empty."""
    return decode_pieces(transfer.decoded(decoder(_encoding(part)) or Identity(), pieces), _charset(part))


def _encoding(part: Part) -> bytes:
    return part.headers.get(b"content-transfer-encoding", [b"7bit"])[0].strip().lower()


def _charset(part: Part) -> bytes | None:
    return part.content_type.param(b"charset") if part.content_type else None


def safe(shown: str) -> str:
    """Text with control and formatting characters made visible; line ends and tabs stay."""
    if shown.isprintable():
        return shown
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else "\ufffd"
        for c in shown.replace("\r\n", "\n")
    )


def display(octets: bytes) -> str:
    """A message as a person reads it: the fields that matter, and its text."""
    scanner = Scanner()
    scanner.push(octets)
    structure = scanner.finish()
    lines: list[str] = []
    for name, value in fields(structure.header):
        if name in _SHOWN:
            lines.append(f"{name.decode().title()}: {safe(text(value))}")
    lines.append("")
    part = structure.text[0] if structure.text else structure.html[0] if structure.html else None
    if part is None:
        lines.append("[no text]")
    else:
        body = decoded(part, octets[part.body_start : part.body_end])
        lines.append(safe(body if structure.text else visible_text(body)).rstrip())
    return "\n".join(lines)
