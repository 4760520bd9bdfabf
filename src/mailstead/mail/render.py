"""ENVELOPE and BODYSTRUCTURE as IMAP octets (RFC 9051 sections 7.5.2 and 9), for any message.

They are made once, at delivery, and sent as they are for ever after.
"""

import re

from mailstead.mail.addresslist import ListedAddress, address_list
from mailstead.mail.header import Parameterised, parameterised, without_comments
from mailstead.mail.part import TEXT_PLAIN, Part

NIL = b"NIL"
# QUOTED-CHAR of RFC 9051 section 9, without the two that need a backslash
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_ESCAPED = re.compile(rb'(["\\])')
_QUOTABLE = re.compile(rb"[ -~]*")
STRING_CAP = 32 << 10

# A part whose header says nothing (RFC 2045 section 5.2), by its octets and lines.
_BARE = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d NIL NIL NIL NIL)'
# What Dovecot, too, shows for a multipart without a part, which the grammar does not allow.
_NO_PART = _BARE % (0, 0)
_ASCII = b'"charset" "us-ascii"'  # of a text that names no other (RFC 2045 section 5.2)
_CTE = re.compile(rb"[!#-'*+\-.0-9A-Z^-~]+")  # token (RFC 2045 section 5.1)
# Text for people that is a quoted string as it stands: words with one space between them.
_WORDS = re.compile(rb"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_SPACE = re.compile(rb"[ \t\r\n]+")


def string(octets: bytes) -> bytes:
    """*octets* as a quoted string, or as a literal when they cannot be one."""
    octets = octets[:STRING_CAP]
    if _PLAIN.fullmatch(octets):
        return b'"' + octets + b'"'
    if _QUOTABLE.fullmatch(octets):
        return b'"' + _ESCAPED.sub(rb"\\\1", octets) + b'"'
    octets = octets.replace(b"\x00", b"")  # no string of IMAP holds a NUL
    return b"{%d}\r\n%b" % (len(octets), octets)


def words(octets: bytes | None) -> bytes:
    """Text for people, or NIL: runs of space are one space, as Dovecot shows them."""
    if octets is None:
        return NIL
    octets = octets[:STRING_CAP]
    if _WORDS.fullmatch(octets):
        return b'"' + octets + b'"'
    octets = _SPACE.sub(b" ", octets.replace(b"\x00", b"")).strip(b" ")
    return b"{%d}\r\n%b" % (len(octets), octets) if octets else b'""'


def nstring(octets: bytes | None) -> bytes:
    """*octets* as a string, or NIL."""
    return NIL if octets is None else string(octets)


def envelope(part: Part) -> bytes:
    """The ENVELOPE of a message whose headers are in *part*."""
    headers = part.headers
    sender_default = _addresses(headers.get(b"from"))
    sender = _addresses(headers.get(b"sender"))
    reply_to = _addresses(headers.get(b"reply-to"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(_last(part, b"date")),
        words(_last(part, b"subject")),
        sender_default,
        sender_default if sender == NIL else sender,
        sender_default if reply_to == NIL else reply_to,
        _addresses(headers.get(b"to")),
        _addresses(headers.get(b"cc")),
        _addresses(headers.get(b"bcc")),
        nstring(_last(part, b"in-reply-to")),
        nstring(_last(part, b"message-id")),
    )


def _last(part: Part, name: bytes) -> bytes | None:
    """A field that may stand there once; of several, the one Dovecot shows."""
    values = part.headers.get(name)
    return values[-1] if values else None


def _first(part: Part, name: bytes) -> bytes | None:
    values = part.headers.get(name)
    return values[0] if values else None


def _addresses(values: list[bytes] | None) -> bytes:
    if not values:
        return NIL
    listed = [a for value in values[:50] for a in address_list(value)][:1000]
    return b"(" + b"".join(map(_address, listed)) + b")" if listed else NIL


def _address(address: ListedAddress) -> bytes:
    return b"(%b %b %b %b)" % (
        words(address.name),
        nstring(address.route),
        nstring(address.mailbox),
        nstring(address.host),
    )


def bodystructure(root: Part) -> bytes:
    """The BODYSTRUCTURE of a part, its extension data included; without recursion."""
    # Children are rendered before their parents: the order of a walk, turned around.
    order: list[Part] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        order.append(part)
        waiting.extend(part.children)
    rendered: dict[int, bytes] = {}
    for part in reversed(order):
        rendered[id(part)] = _one(part, [rendered.pop(id(c)) for c in part.children])
    return rendered[id(root)]


def _one(part: Part, children: list[bytes]) -> bytes:
    if part.media is TEXT_PLAIN and not part.headers:
        return _BARE % (part.body_end - part.body_start, part.lines)
    kind, subtype = part.media
    text = part.kind() == b"text"
    params = _params(part.content_type, text=text)
    tail = b"%b %b %b" % (
        _disposition(_last(part, b"content-disposition")),
        _languages(_first(part, b"content-language")),
        nstring(_first(part, b"content-location")),
    )
    if part.kind() == b"multipart":
        body = b"".join(children) or _NO_PART
        return b"(%b %b %b %b)" % (body, string(subtype), params, tail)
    size = part.body_end - part.body_start
    if children:
        kind, subtype = kind.lower(), subtype.lower()
    basic = b"%b %b %b %b %b %b %d" % (
        string(kind),
        string(subtype),
        params,
        nstring(_first(part, b"content-id")),
        nstring(_first(part, b"content-description")),
        string(_encoding(part)),
        size,
    )
    if children:
        basic += b" %b %b %d" % (envelope(part.children[0]), children[0], part.lines)
    elif text:
        basic += b" %d" % part.lines
    elif part.kind() == b"message" and subtype.lower() in (b"rfc822", b"global"):
        # Its content was not looked into (too deep): an empty message's structure.
        empty = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
        basic += b" %b %b %d" % (empty, _NO_PART, part.lines)
    return b"(%b %b %b)" % (basic, nstring(_first(part, b"content-md5")), tail)


def _encoding(part: Part) -> bytes:
    """The transfer encoding as it came; one that is not a token is none (RFC 2045 section 6.1)."""
    value = _first(part, b"content-transfer-encoding")
    if value is None or _CTE.fullmatch(value):
        return value or b"7bit"
    token = without_comments(value).strip(b" \t")
    return token if _CTE.fullmatch(token) else b"7bit"


def _params(value: Parameterised | None, *, text: bool = False) -> bytes:
    pairs = [] if value is None else [string(n) + b" " + string(v) for n, v in value.params]
    if text and (value is None or value.param(b"charset") is None):
        pairs.append(_ASCII)
    return b"(" + b" ".join(pairs) + b")" if pairs else NIL


def _disposition(value: bytes | None) -> bytes:
    if value is None:
        return NIL
    parsed = parameterised(value)
    if not parsed.value:
        return NIL
    return b"(%b %b)" % (string(parsed.value), _params(parsed))


def _languages(value: bytes | None) -> bytes:
    if value is None:
        return NIL
    tags = [t.strip() for t in without_comments(value).split(b",") if t.strip()][:50]
    return b"(" + b" ".join(map(string, tags)) + b")" if tags else NIL
