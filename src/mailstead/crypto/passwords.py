"""Passwords and recovery words, from what a person types to the octets a slot is made of."""

import unicodedata

from mnemonic import Mnemonic

from mailstead.crypto.primitives import random_octets

MAX_OCTETS = 1024
WORDS = 12
_FORBIDDEN = (0, 10, 13)  # NUL, LF, CR


def prepare(octets: bytes) -> bytes:
    """A password as a slot takes it: OpaqueString when it is UTF-8, else the octets.

    RFC 8265 section 4.2: other spaces become U+0020, the rest is NFC; nothing is case-mapped.

    Raises:
        ValueError: it has no octets, more than 1,024, or NUL, CR or LF.
    """
    if not 1 <= len(octets) <= MAX_OCTETS:
        raise ValueError(f"a password has 1 to {MAX_OCTETS} octets")
    if any(octet in octets for octet in _FORBIDDEN):
        raise ValueError("a password has no NUL, CR or LF")
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return octets
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    return unicodedata.normalize("NFC", spaced).encode()


def from_file(octets: bytes) -> bytes:
    """What a password file holds: its one trailing LF or CRLF is not part of it."""
    if octets.endswith(b"\r\n"):
        return octets[:-2]
    return octets.removesuffix(b"\n")


def new_words() -> tuple[str, ...]:
    """Twelve recovery words (BIP39, English): 128 random bits and a checksum."""
    return tuple(Mnemonic("english").to_mnemonic(random_octets(16)).split(" "))


def entropy(text: str) -> bytes:
    """The 16 octets that twelve words stand for, however they are spelt, spaced or cased.

    Raises:
        ValueError: they are not twelve words of the list, or their checksum is wrong. None of them is in it.
    """
    words = unicodedata.normalize("NFKD", text).lower().split()
    if len(words) != WORDS:
        raise ValueError(f"there are {WORDS} recovery words, not {len(words)}")
    language = Mnemonic("english")
    for place, word in enumerate(words, 1):
        if word not in language.wordlist:
            raise ValueError(f"word {place} is not a recovery word")
    try:
        return bytes(language.to_entropy(words))
    except ValueError as error:
        raise ValueError("the recovery words do not fit together: one is wrong") from error
