"""What a public key is called where people compare it: sixteen letters."""

from mailstead.crypto.primitives import sha256

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: nothing is read as another


def fingerprint(public_key: bytes) -> str:
    """The first 80 bits of its SHA-256, as `K7QF-2M9D-XW4R-81TC`."""
    number = int.from_bytes(sha256(public_key)[:10], "big")
    letters = "".join(_CROCKFORD[number >> shift & 31] for shift in range(75, -5, -5))
    return "-".join(letters[i : i + 4] for i in range(0, 16, 4))
