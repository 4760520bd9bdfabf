"""A second, slow implementation of the sealed formats, from docs/format.md and plain primitives only.

It shares no code with `mailstead.crypto`: what both agree on is the format.
"""

import hashlib
import hmac
import struct

import zstandard
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
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


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha512).digest()[:32]


def extract256(salt: bytes, message: bytes) -> bytes:
    return hmac.new(salt or bytes(32), message, hashlib.sha256).digest()


def expand256(key: bytes, info: bytes, length: int) -> bytes:
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()[:length]


def xwing(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey, bytes]:
    """Both private keys of a seed, and the 1216 octets of the public key."""
    expanded = hashlib.shake_256(seed).digest(96)
    kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:])
    return kem, curve, kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def decapsulate(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """HPKE base mode by hand (RFC 9180 section 5.1), with the combiner of X-Wing."""
    assert len(sealed) == 1168
    kem, curve, public = xwing(seed)
    ct_kem, ct_curve = sealed[:1088], sealed[1088:1120]
    shared = kem.decapsulate(ct_kem) + curve.exchange(X25519PublicKey.from_public_bytes(ct_curve))
    secret = hashlib.sha3_256(shared + ct_curve + public[1184:] + b"\\.//^\\").digest()
    suite = b"HPKE" + bytes.fromhex("647a00010002")

    def labeled_extract(salt: bytes, label: bytes, message: bytes) -> bytes:
        return extract256(salt, b"HPKE-v1" + suite + label + message)

    def labeled_expand(key: bytes, label: bytes, context: bytes, length: int) -> bytes:
        return expand256(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context, length)

    context = b"\x00" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    schedule = labeled_extract(secret, b"secret", b"")
    key = labeled_expand(schedule, b"key", context, 32)
    nonce = labeled_expand(schedule, b"base_nonce", context, 12)
    opened = AESGCM(key).decrypt(nonce, sealed[1120:], b"")
    assert len(opened) == 32
    return opened


def lane_keys(seed: bytes, count: int) -> list[bytes]:
    keys: list[bytes] = []
    for _ in range(count):
        both = expand(seed, b"EMS1 lane step", 64)
        seed = both[:32]
        keys.append(both[32:])
    return keys


def lane_context(head: bytes, account: bytes) -> bytes:
    return b"EMS1 record\x00" + head + account


def stored_context(
    head: bytes, account: bytes, place: bytes, version: int, modseq: int, write_id: bytes
) -> bytes:
    tail = place + version.to_bytes(8, "big") + modseq.to_bytes(8, "big") + write_id
    return b"EMS1 stored\x00" + head + account + tail


class Take:
    """Takes octets from the front."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __call__(self, count: int) -> bytes:
        taken, self.octets = self.octets[:count], self.octets[count:]
        assert len(taken) == count
        return taken

    def n(self, count: int) -> int:
        return int.from_bytes(self(count), "big")

    def counted(self, count: int) -> bytes:
        return self(self.n(count))


def body(content: bytes, flags: int, size: int) -> bytes:
    """The message in the content of a BODY record ("Bodies")."""
    if not flags & 8:
        return zstandard.ZstdDecompressor().decompress(content) if flags & 2 else content
    frames, descriptor, magic = struct.unpack("<IBI", content[-9:])
    assert (descriptor, magic) == (0, 0x8F92EAB1)
    table = content[-(17 + 8 * frames) :]
    assert struct.unpack("<II", table[:8]) == (0x184D2A5E, 9 + 8 * frames)
    message = b""
    at = 0
    for i in range(frames):
        compressed, plain = struct.unpack_from("<II", table, 8 + 8 * i)
        block = zstandard.ZstdDecompressor().decompress(content[at : at + compressed])
        assert len(block) == plain == min(65536, size - i * 65536)
        message += block
        at += compressed
    assert len(message) == size
    return message


def summary(content: bytes) -> dict[str, object]:
    """The fields of a SUMMARY ("Summaries")."""
    take = Take(content)
    names = ["mailbox", "version", "provenance", "flags", "whole", "date", "saved", "size", "trace"]
    values: list[object] = [take(16), *(take.n(1) for _ in range(4))]
    date = int.from_bytes(take(8), "big", signed=True)
    saved = int.from_bytes(take(8), "big", signed=True) if values[1] == 2 else date
    values += [date, saved, take.n(8), take.n(4)]
    found = dict(zip(names, values, strict=True))
    for name in ["envelope", "bodystructure", "parts", "preview", "header", "keywords"]:
        found[name] = take.counted(4)
    assert not take.octets
    return found


def page(content: bytes) -> tuple[int, dict[int, bytes]]:
    """The group of a page and its packed entries by UID ("Pages")."""
    take = Take(content)
    assert take.n(1) == 1
    group = take.n(1)
    index = [(take.n(4), take.n(8)) for _ in range(take.n(2))]
    begins = [0, *(end for _, end in index)]
    return group, {uid: take.octets[b:e] for (uid, e), b in zip(index, begins, strict=False)}


def state(content: bytes) -> tuple[dict[int, tuple[int, int, set[str]]], dict[int, tuple[int, int]]]:
    """Modseq, flags and keywords by UID, and the tombstones ("States")."""
    take = Take(content)
    assert take.n(1) == 1
    live_count, gone_count, names_count = take.n(2), take.n(2), take.n(1)
    uids, modseqs = [take.n(4) for _ in range(live_count)], [take.n(8) for _ in range(live_count)]
    flags, names = [take.n(1) for _ in range(live_count)], [set[str]() for _ in range(live_count)]
    gone = {take.n(4): (take.n(8), take.n(4)) for _ in range(gone_count)}
    for _ in range(names_count):
        name = take.counted(1).decode()
        for at in take(take.n(2)):
            names[at].add(name)
    live = dict(zip(uids, zip(modseqs, flags, names, strict=True), strict=True))
    assert not take.octets
    return live, gone


def mailbox_names(content: bytes) -> list[tuple[bytes, int, int, str]]:
    """Id, special use, subscribed and name of each mailbox ("Mailbox names")."""
    take = Take(content)
    assert take.n(1) == 1
    return [(take(16), take.n(1), take.n(1), take.counted(2).decode()) for _ in range(take.n(4))]


def keyring(content: bytes) -> dict[str, object]:
    """EKD1 or EKR1 ("Keys and keyrings")."""
    take = Take(content)
    found: dict[str, object] = {"magic": take(4)}
    for name, octets in (("version", 8), ("root_gen", 4), ("read_gen", 4), ("features", 4), ("created", 8)):
        found[name] = take.n(octets)
    epochs, slots = take.n(2), take.n(2)
    found["epochs"] = [
        (take.n(4), take.n(1), take.n(1), take.n(2), take.n(8), take(32), take(32)) for _ in range(epochs)
    ]
    found["slots"] = [
        (take(16), take.n(1), take.n(1), take.n(1), take.n(1), take.n(8), take(32), take(32), take.counted(1))
        for _ in range(slots)
    ]
    assert not take.octets
    return found


def row_mac(server_key: bytes, table: bytes, *fields: bytes) -> bytes:
    message = b"EMS1 row\x00" + table + b"\x00"
    for field in fields:
        message += len(field).to_bytes(4, "big") + field
    return mac(expand(server_key, b"EMS1 rows", 32), message)
