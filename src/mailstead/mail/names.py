"""The names that parts have as files (RFC 2183 section 2.3, RFC 2231, RFC 2047)."""

from urllib.parse import unquote_to_bytes

from mailstead.mail.charset import decode
from mailstead.mail.encodedwords import text
from mailstead.mail.header import Parameterised, parameterised
from mailstead.mail.part import Part

NAME_CAP = 1000  # characters


def file_name(part: Part) -> str:
    """What a part is called, or ""."""
    disposition = part.headers.get(b"content-disposition")
    if disposition:
        name = _param(parameterised(disposition[0]), b"filename")
        if name:
            return name
    return "" if part.content_type is None else _param(part.content_type, b"name")


def _param(value: Parameterised, name: bytes) -> str:
    extended = value.param(name + b"*")
    if extended is not None:
        charset, _, rest = extended.partition(b"'")
        return decode(unquote_to_bytes(rest.partition(b"'")[2]), charset or b"utf-8")[:NAME_CAP]
    return text(value.param(name) or b"")[:NAME_CAP]
