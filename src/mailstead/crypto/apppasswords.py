"""App passwords: generated, shown once, pasted into one mail program (docs/format.md, "App passwords").

The first letters say which of an account's app passwords it is, so that no other is tried; the last
two, that it was copied whole.
"""

import re
from base64 import b32encode
from collections.abc import Container
from dataclasses import dataclass, field

from mailstead.crypto.primitives import random_octets, sha256

_PREFIX = b"ms1-"
# "ms1-" locator(4) secret(32) check(2), in the alphabet of RFC 4648 section 6, small letters
_FORM = re.compile(rb"ms1-([a-z2-7]{4})[a-z2-7]{34}")
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


def _check(octets: bytes) -> bytes:
    return _base32(sha256(octets)[:5])[:_CHECK]


def _base32(octets: bytes) -> bytes:
    return b32encode(octets).lower()
