"""The primitives, each under one name: every call into `cryptography` for them is here.

Suite 0x01 (docs/format.md): HPKE base mode with X-Wing, HKDF-SHA256 and AES-256-GCM;
Cobblestone-256 (C2SP chunked-encryption with AES-256-GCM); HMAC-SHA-512; HKDF-Expand-SHA-512;
Argon2id. HMAC-SHA-256 and PBKDF2 are for SCRAM only.
"""

import hashlib
import hmac
import os

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from mailstead.errors import UnsealError

Octets = bytes | bytearray | memoryview

SUITE = 0x01
PUBLIC_KEY_OCTETS = 1216  # ML-KEM-768 encapsulation key (1184) || X25519 (32)
ENCAPSULATED_OCTETS = 1168  # of a 32-octet secret: enc (1120) || ciphertext (48)
CHUNK = 16384  # plaintext octets of a Cobblestone chunk; the last one is strictly shorter
SEALED_CHUNK = CHUNK + 16
HEAD = 56  # salt (24) || commitment (32)
SALT = 24
_COBBLESTONE = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

PrivateKey = hpke.MLKEM768X25519PrivateKey
PublicKey = hpke.MLKEM768X25519PublicKey
Encryptor = Cobblestone256Encryptor


def random_octets(count: int) -> bytes:
    """Octets from the kernel; nothing falls back to another source."""
    return os.urandom(count)


def expand(key: Octets, info: bytes, length: int = 32) -> bytes:
    """HKDF-Expand-SHA-512 (RFC 5869 section 2.3); *key* is a uniform secret."""
    return HKDFExpand(SHA512(), length, info).derive(key)


def expand_into(key: Octets, info: bytes, out: bytearray | memoryview) -> None:
    """HKDF-Expand-SHA-512 into a buffer, so that no immutable copy is left behind."""
    HKDFExpand(SHA512(), len(out), info).derive_into(key, out)


def mac(key: Octets, message: bytes) -> bytes:
    """HMAC-SHA-512, its first 32 octets."""
    return hmac.digest(key, message, "sha512")[:32]


def mac256(key: Octets, message: bytes) -> bytes:
    """HMAC-SHA-256, which SCRAM is made of (RFC 7677)."""
    return hmac.digest(key, message, "sha256")


def pbkdf2(password: Octets, salt: bytes, iterations: int) -> bytes:
    """PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2): the SaltedPassword of SCRAM, 32 octets."""
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


def equal(a: Octets, b: Octets) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(a, b)


def sha256(*parts: Octets) -> bytes:
    """SHA-256 of the parts, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def argon2id(
    password: Octets, salt: bytes, m_kib: int, t: int, pepper: Octets | None, out: memoryview
) -> None:
    """Argon2id v1.3 (RFC 9106) into *out*, always with one lane: more of them can deadlock.

    Raises:
        UnsealError: the parameters are less than it can work with.
    """
    secret = None if pepper is None else bytes(pepper)
    try:
        kdf = Argon2id(salt=salt, length=len(out), iterations=t, lanes=1, memory_cost=m_kib, secret=secret)
    except ValueError as error:
        raise UnsealError("the parameters of Argon2id make no sense") from error
    kdf.derive_into(bytes(password), out)


def private_key(seed: Octets) -> PrivateKey:
    """The X-Wing private key of a 32-octet seed (draft-connolly-cfrg-xwing-kem)."""
    expanded = hashlib.shake_256(seed).digest(96)
    return hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        X25519PrivateKey.from_private_bytes(expanded[64:]),
    )


def public_octets(seed: Octets) -> bytes:
    """The 1216 octets of the public half of `private_key(seed)`."""
    expanded = hashlib.shake_256(seed).digest(96)
    return (
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
        + X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()
    )


def public_key(octets: bytes) -> PublicKey:
    """Parse 1216 octets.

    Raises:
        UnsealError: they are not a public key.
    """
    if len(octets) != PUBLIC_KEY_OCTETS:
        raise UnsealError("a public key has 1216 octets")
    try:
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(octets[:1184]),
            X25519PublicKey.from_public_bytes(octets[1184:]),
        )
    except ValueError as error:
        raise UnsealError("not a public key") from error


def encapsulate(secret: Octets, key: PublicKey, info: bytes) -> bytes:
    """HPKE SealBase of a 32-octet *secret* (RFC 9180 section 6.1): 1168 octets."""
    return _HPKE.encrypt(secret, key, info)


def decapsulate(sealed: bytes, key: PrivateKey, info: bytes) -> bytes:
    """HPKE OpenBase; the secret must have exactly 32 octets, since GCM does not commit to its key.

    Raises:
        UnsealError: it does not open, or has another length.
    """
    if len(sealed) != ENCAPSULATED_OCTETS:
        raise UnsealError("an encapsulation has 1168 octets")
    try:
        secret = _HPKE.decrypt(sealed, key, info)
    except (InvalidTag, ValueError) as error:
        raise UnsealError("the encapsulation does not open") from error
    if len(secret) != 32:
        raise UnsealError("the encapsulated secret is not 32 octets")
    return secret


def seal(key: Octets, context: bytes, frame: Octets) -> bytes:
    """Cobblestone-256: salt || commitment || chunks."""
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(frame) + encryptor.finalize()


def open_sealed(key: Octets, context: bytes, payload: Octets) -> bytes:
    """The frame inside a whole Cobblestone-256 payload.

    Raises:
        UnsealError: any octet of it, its length, the key or the context is wrong.
    """
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        return decryptor.update(payload) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise UnsealError("the record does not open") from error


class RandomAccess:
    """Opens single chunks of one Cobblestone-256 payload.

    Args:
        head: Its first 56 octets.
        total: The length of the whole payload, from which the last chunk is known.
    """

    def __init__(self, key: Octets, context: bytes, head: bytes, total: int) -> None:
        body = total - HEAD
        self.chunks = body // SEALED_CHUNK + 1
        self._last = body % SEALED_CHUNK
        # A payload that ends on a full chunk was cut: the last chunk is strictly shorter.
        if len(head) != HEAD or self._last < 16:
            raise UnsealError("the record is cut")
        derived = bytearray(76)
        expand_into(key, _COBBLESTONE + head[:SALT] + context, derived)
        if not equal(derived[44:], head[SALT:]):
            raise UnsealError("the record does not open")
        self._cipher = AESGCM(derived[:32])
        self._nonce = int.from_bytes(derived[32:44], "big")
        derived[:] = bytes(76)

    def span(self, index: int) -> tuple[int, int]:
        """Where the sealed chunk *index* lies in the payload."""
        start = HEAD + index * SEALED_CHUNK
        return start, start + (self._last if index == self.chunks - 1 else SEALED_CHUNK)

    def open(self, index: int, sealed: Octets) -> bytes:
        """The plaintext of chunk *index*.

        Raises:
            UnsealError: it is not that chunk of this payload.
        """
        start, stop = self.span(index)
        if not 0 <= index < self.chunks or len(sealed) != stop - start:
            raise UnsealError("the record is cut")
        try:
            return self._cipher.decrypt((self._nonce ^ index).to_bytes(12, "big"), sealed, None)
        except InvalidTag as error:
            raise UnsealError("the record does not open") from error


def open_kept(key: Octets, context: bytes, payload: Octets) -> bytes:
    """As `open_sealed`, for a key that is kept: the library's decryptor frees its copy of one unwiped.

    Raises:
        UnsealError: any octet of it, its length, the key or the context is wrong.
    """
    view = memoryview(payload)
    chunks = RandomAccess(key, context, bytes(view[:HEAD]), len(view))
    return b"".join(chunks.open(n, view[slice(*chunks.span(n))]) for n in range(chunks.chunks))
