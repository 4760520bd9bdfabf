"""Vectors of docs/format.md that are run at start: a library that fails them serves no mail."""

from mailstead.crypto.primitives import expand_into, open_sealed, public_octets, sha256
from mailstead.errors import UnsealError

_SEED = (1).to_bytes(32, "big")
_PUBLIC = "3500c7d79330b8869b50e86c194ec187d2ef9391e83f92abb00e37537e9d296f"
_LANE_SEED = bytes.fromhex("b3ce9f1cde37ea3265545c23e27702811f5a6fd9a8ae13fef9b4ba11f956dd33")
_MK = "3c90444b831abc8b98ccd80b16fbd19d79a427eecd6749a2bba560c2d77e89a4"
_CONTEXT = bytes.fromhex(
    "454d5331207265636f726400454d533101020000101112131415161718191a1b1c1d1e1f"
    "202122232425262728292a2b2c2d2e2f0000000700000000000102030405060708090a0b0c0d0e0f"
)
_PAYLOAD = bytes.fromhex(
    "404142434445464748494a4b4c4d4e4f50515253545556572f5b7b8078a4c3bb8ef830e7adff10bd5941d8f58f"
    "687b3d5c22bdda00c79304df034718d49fb34ac719a988f5a2cf55260823f25c4d1ce5"
)


def selftest() -> None:
    """An X-Wing key, a step of the ratchet, and a record.

    Raises:
        UnsealError: one of them is not as the format says.
    """
    if sha256(public_octets(_SEED)).hex() != _PUBLIC:
        raise UnsealError("X-Wing gives another public key")
    step = bytearray(64)
    expand_into(_LANE_SEED, b"EMS1 lane step", step)
    if step[32:].hex() != _MK:
        raise UnsealError("the ratchet gives another message key")
    if open_sealed(step[32:], _CONTEXT, _PAYLOAD) != bytes(8):
        raise UnsealError("the record holds something else")
