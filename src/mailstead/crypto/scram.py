"""The keys of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), which app passwords are checked by.

A slot is opened by ClientKey, which a client that speaks SCRAM proves to have and never sends; what
is stored, StoredKey and ServerKey, gives neither ClientKey nor the password.
"""

from dataclasses import dataclass, field

from mailstead.crypto.primitives import Octets, equal, mac256, pbkdf2, sha256

ITERATIONS = 4096  # the least that RFC 7677 allows: 160 random bits cannot be guessed at any cost
SALT_OCTETS = 16


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a password and a salt give."""

    client_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def stored_key(self) -> bytes:
        """What tells whether somebody has the client key."""
        return sha256(self.client_key)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is stored of them."""

    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def client_key(self, message: bytes, proof: bytes) -> bytes | None:
        """The client key behind a right *proof* over the AuthMessage (RFC 5802 section 3), or None."""
        signature = mac256(self.stored_key, message)
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        return key if equal(sha256(key), self.stored_key) else None

    def signature(self, message: bytes) -> bytes:
        """What shows the client that it speaks with a server that knew it."""
        return mac256(self.server_key, message)


def scram_keys(password: Octets, salt: bytes, iterations: int = ITERATIONS) -> ScramKeys:
    """The keys of a password; it takes a millisecond or some."""
    salted = pbkdf2(password, salt, iterations)
    return ScramKeys(mac256(salted, b"Client Key"), mac256(salted, b"Server Key"))
