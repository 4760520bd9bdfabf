"""Modified UTF-7: mailbox names on the wire of IMAP4rev1 (RFC 3501 section 5.1.3), both ways.

Only the one canonical spelling of a name is read, so two octet strings never name one mailbox.
"""

import re
from binascii import Error, a2b_base64, b2a_base64

# Printable US-ASCII stands for itself, "&" excepted.
_SHIFTED = re.compile(r"[^ -~]+|&")
_UNSHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-|([ -%'-~]+)")


def encode(name: str) -> bytes:
    """A name as octets.

    Raises:
        ValueError: it has a lone surrogate.
    """
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode()
    return _SHIFTED.sub(_shift, name).encode()


def _shift(match: re.Match[str]) -> str:
    run = match[0]
    if run == "&":
        return "&-"
    packed = b2a_base64(run.encode("utf-16-be"), newline=False).rstrip(b"=")
    return "&" + packed.replace(b"/", b",").decode() + "-"


def decode(octets: bytes) -> str:
    """The name that *octets* spell.

    Raises:
        ValueError: they are not the canonical spelling of any.
    """
    if b"&" not in octets and octets.isascii():
        name = octets.decode()
        if name.isprintable():
            return name
    parts: list[str] = []
    at = 0
    while at < len(octets):
        found = _UNSHIFTED.match(octets, at)
        if found is None:
            raise ValueError("not modified UTF-7")
        parts.append(found[2].decode() if found[2] is not None else _unshift(found[1]))
        at = found.end()
    name = "".join(parts)
    if encode(name) != octets:
        raise ValueError("not the canonical modified UTF-7")
    return name


def _unshift(packed: bytes) -> str:
    if not packed:
        return "&"
    try:
        return a2b_base64(packed.replace(b",", b"/") + b"=" * (-len(packed) % 4)).decode("utf-16-be")
    except Error as error:
        raise ValueError("not base64") from error
