"""The trace fields put before a message at final delivery (RFC 5321 sections 4.1.1.4 and 4.4).

The message's own octets are never touched: the fields go in front of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailstead.mail.envelope import Envelope

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Domain / address-literal (RFC 5321 section 4.1.2): what may stand in a Received field as it is.
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.?)+|\[[0-9A-Fa-f:.IPv]+\]")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sends.

    Args:
        helo: The argument of EHLO, HELO or LHLO; any text.
        tls: Version and cipher, or None.
        protocol: The "with" word (RFC 3848, RFC 6531): ESMTP, ESMTPS, LMTP, UTF8SMTP ...
    """

    address: str
    port: int
    helo: str
    tls: str | None
    protocol: str


def trace_fields(
    envelope: Envelope, peer: Peer, recipients: Sequence[str], hostname: str, name: str, now: float
) -> bytes:
    """Return-Path and Received, as octets that end in CRLF.

    Args:
        recipients: The forward-paths; "for" is written only when there is one, so that
            recipients do not learn of each other (RFC 5321 section 7.2).
        name: What this message is called in the log and in the 250.
        now: Seconds since the epoch.
    """
    path = "" if envelope.reverse_path is None else str(envelope.reverse_path)
    helo = peer.helo if _DOMAIN.fullmatch(peer.helo) else "unknown"
    literal = f"[IPv6:{peer.address}]" if ":" in peer.address else f"[{peer.address}]"
    tls = f"\r\n\t({peer.tls})" if peer.tls else ""
    target = f"\r\n\tfor <{recipients[0]}>" if len(recipients) == 1 else ""
    return (
        f"Return-Path: <{path}>\r\n"
        f"Received: from {helo} ({literal}){tls}\r\n"
        f"\tby {hostname} with {peer.protocol} id {name}{target};\r\n"
        f"\t{date_time(now)}\r\n"
    ).encode()


def date_time(now: float) -> str:
    """The date-time of RFC 5322 section 3.3, in UTC."""
    t = datetime.fromtimestamp(int(now), UTC)
    return (
        f"{_DAYS[t.weekday()]}, {t.day} {_MONTHS[t.month - 1]} {t.year:04}"
        f" {t.hour:02}:{t.minute:02}:{t.second:02} +0000"
    )
