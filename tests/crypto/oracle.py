"""A second, slow implementation of the sealed formats, from docs/format.md and plain primitives only.

It shares no code with `mailstead.crypto`: what both agree on is the format.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

COBBLESTONE = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand-SHA-512, by hand (RFC 5869 section 2.3)."""
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.new(key, block + info + bytes((counter,)), hashlib.sha512).digest()
        out += block
        counter += 1
    return out[:length]


def parameters(key: bytes, salt: bytes, context: bytes) -> tuple[bytes, int, bytes]:
    derived = expand(key, COBBLESTONE + salt + context, 76)
    return derived[:32], int.from_bytes(derived[32:44], "big"), derived[44:]


def seal(key: bytes, context: bytes, salt: bytes, frame: bytes) -> bytes:
    cipher_key, nonce, commitment = parameters(key, salt, context)
    aead = AESGCM(cipher_key)
    chunks = [frame[i : i + 16384] for i in range(0, len(frame) + 1, 16384)]
    if len(chunks[-1]) == 16384:
        chunks.append(b"")
    sealed = [aead.encrypt((nonce ^ i).to_bytes(12, "big"), c, None) for i, c in enumerate(chunks)]
    return salt + commitment + b"".join(sealed)


def open_(key: bytes, context: bytes, payload: bytes) -> bytes:
    cipher_key, nonce, commitment = parameters(key, payload[:24], context)
    assert payload[24:56] == commitment
    aead = AESGCM(cipher_key)
    body = payload[56:]
    chunks = [body[i : i + 16400] for i in range(0, len(body), 16400)]
    assert len(chunks[-1]) < 16400
    return b"".join(aead.decrypt((nonce ^ i).to_bytes(12, "big"), c, None) for i, c in enumerate(chunks))


def header(kind: int, ref: int, flags: int, object_id: bytes, ref_id: bytes, index: int, words: int) -> bytes:
    head = b"EMS1" + bytes((1, kind, ref, flags)) + object_id + ref_id
    return head + index.to_bytes(4, "big") + words.to_bytes(4, "big")


def unframe(frame: bytes) -> bytes:
    length = int.from_bytes(frame[:8], "big")
    return frame[8 : 8 + length]
