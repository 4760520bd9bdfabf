"""QUOTA: how much of its storage an account uses (RFC 9208)."""

from dataclasses import dataclass

from mailstead.imap import responses
from mailstead.imap.tokens import Tokens

ROOT = ""  # the one quota root: an account has one limit for all its mailboxes


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA."""

    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """GETQUOTAROOT."""

    mailbox: str


def read_get_quota(tokens: Tokens) -> GetQuota:
    """GETQUOTA SP quota-root-name."""
    tokens.space()
    return GetQuota(tokens.astring())


def read_get_quota_root(tokens: Tokens) -> GetQuotaRoot:
    """GETQUOTAROOT SP mailbox."""
    tokens.space()
    return GetQuotaRoot(tokens.mailbox())


def quota(used: int, limit: int) -> bytes:
    """The QUOTA response, from octets; nothing is limited when *limit* is 0.

    STORAGE is in units of 1,024 octets (section 5.1).
    """
    if not limit:
        return b'* QUOTA "" ()\r\n'
    return b'* QUOTA "" (STORAGE %d %d)\r\n' % (-(-used // 1024), limit // 1024)


def quota_root(mailbox: str, *, utf8: bool = False) -> bytes:
    """The QUOTAROOT response (section 4.4.2)."""
    return b'* QUOTAROOT %b ""\r\n' % responses.mailbox(mailbox, utf8=utf8)
