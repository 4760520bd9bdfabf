"""Encoded words of header fields, decoded for people to read (RFC 2047); linear and capped."""

import binascii
import re

from mailstead.mail.charset import decode

WORDS_CAP = 1000
TEXT_CAP = 64 << 10

# encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
_WORD = re.compile(rb"=\?([!->@-~]{1,60})\?([BbQq])\?([!->@-~ ]{0,10000})\?=")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")


def text(value: bytes) -> str:
    """A field's value as people read it."""
    value = value[:TEXT_CAP]
    if b"=?" not in value:
        return value.decode(errors="replace")
    parts: list[str] = []
    at = 0
    after_word = False
    for count, word in enumerate(_WORD.finditer(value)):
        if count == WORDS_CAP:
            break
        between = value[at : word.start()]
        if not (after_word and not between.strip()):  # space between two words is not shown
            parts.append(decode(between, b"utf-8"))
        charset = word[1].partition(b"*")[0]
        octets = base64(word[3]) if word[2] in b"Bb" else q(word[3])
        parts.append(decode(octets, charset))
        at, after_word = word.end(), True
    parts.append(decode(value[at:], b"utf-8"))
    return "".join(parts)


def q(octets: bytes) -> bytes:
    """The Q encoding (RFC 2047 section 4.2)."""
    return _HEX.sub(lambda m: bytes((int(m[1], 16),)), octets.replace(b"_", b" "))


NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def base64(octets: bytes) -> bytes:
    """Base64 with whatever does not belong to it left out (RFC 2045 section 6.8)."""
    clean = NOT_BASE64.sub(b"", octets.partition(b"=")[0])
    clean = clean[: len(clean) - (1 if len(clean) % 4 == 1 else 0)]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
