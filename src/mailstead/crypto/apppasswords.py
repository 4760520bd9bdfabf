"""Codes that the server makes and a person pastes: app passwords, and invitations (docs/format.md).

The first letters say which of an account's app passwords it is, so that no other is tried; the last
two, that it was copied whole.
"""

import re
from base64 import b32encode
from collections.abc import Container
from dataclasses import dataclass, field

from mailstead.crypto.primitives import random_octets, sha256

_PREFIX = b"ms1-"
_INVITATION = b"msi-"
# "ms1-" locator(4) secret(32) check(2), in the alphabet of RFC 4648 section 6, small letters
_FORM = re.compile(rb"ms1-([a-z2-7]{4})[a-z2-7]{34}")
_INVITATION_FORM = re.compile(rb"msi-[a-z2-7]{34}")  # secret(32) check(2)
_CHECK = 2


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One app password.

    Args:
        octets: What its owner pastes.
        locator: The four letters that tell it from the account's others.
    """

    octets: bytes = field(repr=False)
    locator: str


def new_app_password(taken: Container[str]) -> AppPassword:
    """An app password of 160 random bits, with a locator that is not *taken*."""
    while (locator := _base32(random_octets(5))[:4]).decode() in taken:
        pass
    octets = _PREFIX + locator + _base32(random_octets(20))
    return AppPassword(octets + _check(octets), locator.decode())


def locator_of(password: bytes) -> str | None:
    """The locator of what has the form of an app password; None for any other password."""
    found = _FORM.fullmatch(password)
    if found is None or _check(password[:-_CHECK]) != password[-_CHECK:]:
        return None
    return found[1].decode()


def new_invitation() -> bytes:
    """A code of 160 random bits, by which somebody moves in once."""
    octets = _INVITATION + _base32(random_octets(20))
    return octets + _check(octets)


def invitation(typed: bytes) -> bytes:
    """An invitation as it was made, however it is spaced or cased.

    Raises:
        ValueError: it is none, or was not copied whole.
    """
    octets = b"".join(typed.lower().split())
    if _INVITATION_FORM.fullmatch(octets) is None or _check(octets[:-_CHECK]) != octets[-_CHECK:]:
        raise ValueError("an invitation has the form msi-…, 38 letters and digits: copy all of it")
    return octets


def _check(octets: bytes) -> bytes:
    return _base32(sha256(octets)[:5])[:_CHECK]


def _base32(octets: bytes) -> bytes:
    return b32encode(octets).lower()
