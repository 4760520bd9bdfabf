"""Headers of new slots: what each kind of way in begins with (docs/format.md, "Slots")."""

from mailstead.crypto.primitives import random_octets
from mailstead.crypto.slots import (
    FULL,
    RECOVERY_M_KIB,
    RECOVERY_T,
    SESSION,
    Cost,
    Pepper,
    Scope,
    SlotHeader,
    SlotType,
    Wrap,
)


def new_header(kind: SlotType, account: bytes, pepper: Pepper | None, cost: Cost) -> SlotHeader:
    """The header of a new slot that opens the root, for a password or for recovery words."""
    salt = random_octets(16)
    m_kib, t = RECOVERY_M_KIB, RECOVERY_T
    if kind is SlotType.PASSWORD:
        assert pepper is not None
        salt += pepper.id()
        m_kib, t = cost.m_kib, cost.t
    return SlotHeader(kind, FULL, Wrap.HPKE, random_octets(16), account, m_kib, t, 1, salt)


def app_header(account: bytes, scope: Scope, not_after: int) -> SlotHeader:
    """The header of a new slot for an app password, which opens the read key, or nothing.

    Args:
        not_after: Seconds since the epoch; 0: it does not expire.
    """
    wrap = Wrap.HPKE if Scope.READ in scope else Wrap.NONE
    return _timed_header(SlotType.APP_PASSWORD, scope, wrap, account, not_after)


def invite_header(account: bytes, not_after: int) -> SlotHeader:
    """The header of a new slot for an invitation, which opens the root; *not_after* as in `app_header`."""
    return _timed_header(SlotType.INVITE, FULL, Wrap.HPKE, account, not_after)


def escrow_header(account: bytes) -> SlotHeader:
    """The header of a new slot for an organisation's key, which opens the root and does not expire."""
    return _timed_header(SlotType.ESCROW, FULL, Wrap.HPKE, account, 0)


def session_header(account: bytes, not_after: int) -> SlotHeader:
    """The header of a new slot for the token of a session, which opens the read key until *not_after*."""
    return _timed_header(SlotType.SESSION, SESSION, Wrap.HPKE, account, not_after)


def _timed_header(kind: SlotType, scope: Scope, wrap: Wrap, account: bytes, not_after: int) -> SlotHeader:
    salt = random_octets(16) + not_after.to_bytes(8, "big")
    return SlotHeader(kind, scope, wrap, random_octets(16), account, 0, 0, 0, salt)
