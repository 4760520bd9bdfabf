"""Message ids in Message-ID, In-Reply-To and References (RFC 5322 section 3.6.4), in one spelling.

Linear and total: what is no id is passed over.
"""

import re

VALUE_CAP = 64 << 10  # octets of a value that are looked at, the last ones

# msg-id = "<" id-left "@" id-right ">"
_PLAIN = re.compile(rb'<([^<>"@\s]+@[^<>"@\s]+)>')
# The same where id-left may be quoted, which is another spelling of it (RFC 5256 section 3).
_ANY = re.compile(rb'<(?:"([^"\\]*+(?:\\.[^"\\]*+)*)"|([^<>"@\s]+))@([^<>"@\s]+)>', re.S)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)


def message_ids(value: bytes) -> list[bytes]:
    """The ids in an unfolded value, in order, without their brackets; they are compared with case."""
    value = value[-VALUE_CAP:]
    if b'"' not in value:
        return _PLAIN.findall(value)
    return [
        (left or _QUOTED_PAIR.sub(rb"\1", quoted)) + b"@" + right
        for quoted, left, right in _ANY.findall(value)
    ]
