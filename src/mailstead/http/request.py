"""The head of one HTTP request (RFC 9112 sections 2 to 5), from whoever sends it.

    request-line = method SP request-target SP HTTP-version
    field-line   = field-name ":" OWS field-value OWS

Rule 1: a head has `HEAD_OCTETS` and no more; what is behind it is never looked at, since every
connection ends with its first answer.
Rule 2: lines end in CRLF. A bare CR, LF or NUL in a head is refused as soon as it is there.
"""

import re
from dataclasses import dataclass
from enum import IntEnum

HEAD_OCTETS = 8192
FIELDS = 64

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_BARE = re.compile(rb"\r(?!\n|\Z)|(?<!\r)\n|\0")
_ABSOLUTE = re.compile(rb"(?i:https?)://[^/?#]*")
_ONCE = (b"host", b"authorization")


class Status(IntEnum):
    """How a request is answered (RFC 9110 section 15, RFC 6585 section 5)."""

    OK = 200
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    HEAD_TOO_LARGE = 431
    UNAVAILABLE = 503
    VERSION_NOT_SUPPORTED = 505


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Args:
        path: Without what follows a "?".
        authorization: The field's value; empty without one.
    """

    method: bytes
    path: bytes
    authorization: bytes


class RequestReader:
    """Takes octets until they are a head, or cannot be one."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def receive(self, octets: bytes) -> Request | Status | None:
        """The request, or how it is refused; None while there is neither. Nothing may follow an answer."""
        looked = max(0, len(self._octets) - 3)
        self._octets += octets[: HEAD_OCTETS + 4 - len(self._octets)]
        end = self._octets.find(b"\r\n\r\n", looked)
        if _BARE.search(self._octets, looked, end + 2 if end >= 0 else len(self._octets)):
            return Status.BAD_REQUEST
        if end >= 0:
            return _parse(bytes(self._octets[:end]))
        return Status.HEAD_TOO_LARGE if len(self._octets) >= HEAD_OCTETS + 4 else None


def _parse(head: bytes) -> Request | Status:
    first, *lines = head.split(b"\r\n")
    found = _REQUEST.fullmatch(first)
    if found is None:
        return Status.BAD_REQUEST
    if found[3] != b"1":
        return Status.VERSION_NOT_SUPPORTED
    if len(lines) > FIELDS:
        return Status.HEAD_TOO_LARGE
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            return Status.BAD_REQUEST
        name = field[1].lower()
        if name in fields and name in _ONCE:
            return Status.BAD_REQUEST
        fields[name] = field[2].rstrip(b" \t")
    if b"host" not in fields and found[4] != b"0":  # RFC 9112 section 3.2
        return Status.BAD_REQUEST
    # A server takes the absolute form, too (RFC 9112 section 3.2.2).
    path = _ABSOLUTE.sub(b"", found[2], count=1) if not found[2].startswith(b"/") else found[2]
    return Request(found[1], path.partition(b"?")[0] or b"/", fields.get(b"authorization", b""))
