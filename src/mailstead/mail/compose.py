"""Messages we write: a text, with attachments if there are any (RFC 5322, RFC 2045 to 2049)."""

import binascii
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailstead.mail.address import Address

LINE = 78
_ASCII = re.compile(r"[ -~]*")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to send along."""

    name: str
    octets: bytes


def compose(
    sender: Address,
    recipients: Sequence[Address],
    subject: str,
    text: str,
    attachments: Sequence[Attachment] = (),
    *,
    date: str,
    message_id: str,
    boundary: str,
) -> bytes:
    """A message, with CRLF line ends.

    Args:
        date: A date-time of RFC 5322.
        message_id: Without angle brackets.
        boundary: Random, so that no body holds it by chance.

    Raises:
        ValueError: a field would hold a line end or a control character.
    """
    fields = [
        _field("From", str(sender)),
        _field("To", ", ".join(map(str, recipients))),
        _field("Subject", _unstructured(subject)),
        _field("Date", date),
        _field("Message-ID", f"<{message_id}>"),
        _field("MIME-Version", "1.0"),
    ]
    body = _text_part(text)
    if attachments:
        parts = [body, *map(_attachment_part, attachments)]
        marker = f"--{boundary}\r\n".encode()
        fields.append(_field("Content-Type", f'multipart/mixed; boundary="{boundary}"'))
        inner = b"".join(marker + part for part in parts)
        return _join(fields) + b"\r\n" + inner + f"--{boundary}--\r\n".encode()
    return _join(fields) + body


def _join(fields: list[str]) -> bytes:
    return "".join(f"{f}\r\n" for f in fields).encode()


def _field(name: str, value: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in value.replace("\r\n ", "")):
        raise ValueError(f"{name} has a line end or a control character")
    return f"{name}: {value}"


def _unstructured(text: str) -> str:
    """Text for a header field: as it is, or as encoded words on folded lines (RFC 2047)."""
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError("Subject has a line end or a control character")
    if _ASCII.fullmatch(text) and len(text) <= 900 and "=?" not in text:
        return text
    words: list[str] = []
    piece = ""
    for character in text:
        if len((piece + character).encode()) > 42:  # 56 characters of base64: a word of 68
            words.append(piece)
            piece = ""
        piece += character
    words.append(piece)
    return "\r\n ".join(f"=?utf-8?B?{_base64(w.encode())}?=" for w in words)


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()


def _text_part(text: str) -> bytes:
    octets = _LINE_END.sub("\r\n", text).removesuffix("\r\n").encode() + b"\r\n"
    short = max(map(len, octets.split(b"\r\n"))) <= 990
    if octets.isascii() and short:
        charset, encoding = "us-ascii", "7bit"
    else:
        charset, encoding = "utf-8", "base64"
        octets = _base64_lines(octets)
    return (
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + octets


def _base64_lines(octets: bytes) -> bytes:
    lines = [binascii.b2a_base64(octets[i : i + 57], newline=False) for i in range(0, len(octets), 57)]
    return b"".join(line + b"\r\n" for line in lines)


def _attachment_part(attachment: Attachment) -> bytes:
    media = mimetypes.guess_type(attachment.name)[0] or "application/octet-stream"
    return (
        f"Content-Type: {media}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; {_filename(attachment.name)}\r\n\r\n"
    ).encode() + _base64_lines(attachment.octets)


def _filename(name: str) -> str:
    """The filename parameter; other than plain ASCII as RFC 2231 has it."""
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise ValueError("a file name has a control character")
    if _ASCII.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'filename="{escaped}"'
    coded = "".join(chr(o) if chr(o).isalnum() and o < 128 else f"%{o:02X}" for o in name.encode())
    return f"filename*=utf-8''{coded}"
