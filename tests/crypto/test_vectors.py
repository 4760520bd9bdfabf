"""The vectors of docs/format.md, against our code and against the slow oracle."""

import hashlib
import json
from pathlib import Path

import pytest

from mailstead.crypto import keyring, primitives, slots
from mailstead.crypto.frame import frame, padme
from mailstead.crypto.lanes import lane_info
from mailstead.crypto.sealed import Sealed
from mailstead.crypto.selftest import selftest
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.unseal import LaneReader
from mailstead.secretmem import Arena
from tests.crypto import oracle

VECTORS = Path(__file__).parent.parent / "vectors"
EMS1 = json.loads((VECTORS / "ems1.json").read_text())
KEYS = json.loads((VECTORS / "ems1-keys.json").read_text())


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def test_selftest_passes() -> None:
    selftest()


def test_xwing_public_key() -> None:
    public = primitives.public_octets(octets(EMS1["xwing_seed"]))
    assert hashlib.sha256(public).hexdigest() == EMS1["xwing_pub_sha256"]


def test_lane_opens_and_its_ratchet_steps() -> None:
    v = EMS1["lane_sealed"]
    reader = LaneReader(
        primitives.private_key(octets(EMS1["xwing_seed"])),
        octets(v["account"]),
        v["epoch"],
        octets(v["lane_id"]),
        Sealed(octets(v["sealed"])),
    )
    keys = [step["mk"] for step in EMS1["lane_keys"]]
    assert [reader.key(i).hex() for i in range(3)] == keys
    assert reader.key(0).hex() == keys[0], "an earlier key is found again"
    info = lane_info(octets(v["account"]), v["epoch"], octets(v["lane_id"]))
    opened = primitives.decapsulate(
        octets(v["sealed"]), primitives.private_key(octets(EMS1["xwing_seed"])), info
    )
    assert opened.hex() == EMS1["lane_seed"]
    assert oracle.decapsulate(octets(EMS1["xwing_seed"]), octets(v["sealed"]), info) == opened
    chain = opened
    for step in EMS1["lane_keys"]:
        both = oracle.expand(chain, b"EMS1 lane step", 64)
        assert (both[:32].hex(), both[32:].hex()) == (step["ck_next"], step["mk"])
        chain = both[:32]


@pytest.mark.parametrize("v", EMS1["records"], ids=lambda v: v["name"])
def test_records(v: dict[str, str]) -> None:
    key = octets(EMS1["lane_keys"][0]["mk"])
    context, salt = octets(v["context"]), octets(v["salt"])
    contents = {
        "summary-empty": b"",
        "summary-hello": b"hello world",
        "body-one-chunk-minus": b"a" * 16375,
        "body-exact-chunk": b"b" * 16376,
        "body-3-chunks": b"c" * 40000,
    }
    content = contents[v["name"]]
    assert hashlib.sha256(content).hexdigest() == v["content_sha256"]
    framed = len(content).to_bytes(8, "big") + content
    framed += bytes(v["framed_len"] - len(framed))
    if octets(v["header"])[7] & 1:
        assert framed == frame(content)
    cipher_key, nonce, commitment = oracle.parameters(key, salt, context)
    assert cipher_key.hex() == v["derived_key"]
    assert nonce.to_bytes(12, "big").hex() == v["base_nonce"]
    assert commitment.hex() == v["commitment"]
    sealed = oracle.seal(key, context, salt, framed)
    assert len(sealed) == v["ct_len"]
    assert hashlib.sha256(sealed).hexdigest() == v["ct_sha256"]
    assert primitives.open_sealed(key, context, sealed) == framed


def test_padme() -> None:
    assert {int(k): padme(int(k)) for k in EMS1["padme"]} == {int(k): v for k, v in EMS1["padme"].items()}


def test_symmetric_slot() -> None:
    v = EMS1["slot"]
    header = slots.SlotHeader.decode(octets(v["header"]))
    assert header.encode() == octets(v["header"])
    arena = Arena(8)
    with slots.slot_secret(arena, header, v["password"].encode(), [slots.Pepper(octets(v["pepper"]))]) as s:
        assert bytes(s.view).hex() == v["prk"]
        info = b"EMS1 slot\x00" + octets(v["header"])
        assert primitives.open_sealed(s.view, info, octets(v["ct"])).hex() == v["ark"]


def test_hpke_slot_and_its_tag() -> None:
    header_octets = octets(KEYS["slot_header_wrap1"])
    header = slots.SlotHeader.decode(header_octets)
    secret = octets(KEYS["slot_secret"])
    pepper = octets(EMS1["slot"]["pepper"])
    found = bytearray(32)
    primitives.argon2id(b"password", header.salt, header.m_kib, header.t, pepper, memoryview(found))
    assert found == secret
    assert slots.auth_key(secret).hex() == KEYS["slot_auth_key"]
    public = primitives.public_octets(secret)
    assert primitives.sha256(public).hex() == KEYS["slot_pub_sha256"]
    root = bytes(range(32))
    slot = slots.make_slot(header, secret, root, 1, 1)
    arena = Arena(8)
    assert bytes(slots.open_slot(arena, slot, header, secret).view) == root


def test_arrivals() -> None:
    chain = ServerKey(b"D" * 32).rows.arrivals(bytes(range(16)))
    assert oracle.expand(b"D" * 32, b"EMS1 arrival\x00" + bytes(range(16)), 32).hex() == KEYS["arrival_key"]
    assert chain.start(b"M" * 16, 1).hex() == KEYS["arrival_0"]


def test_read_keys_and_keyrings() -> None:
    root = octets(EMS1["slot"]["ark"])
    assert keyring.read_key(root, 1, 1).hex() == KEYS["read_key_1_1"]
    assert keyring.read_key(root, 1, 2).hex() == KEYS["read_key_1_2"]
    assert primitives.expand(root, b"EMS1 root keyring").hex() == KEYS["root_keyring_key"]
    key = octets(KEYS["read_key_1_1"])
    assert primitives.expand(key, b"EMS1 read keyring").hex() == KEYS["read_keyring_key"]
    read = keyring.decode_read(octets(KEYS["ring_read"]))
    assert read.encode_read().hex() == KEYS["ring_read"]
    whole = keyring.decode_root(octets(KEYS["ring_root"]))
    assert whole.encode_root().hex() == KEYS["ring_root"]
    assert [s.name for s in whole.slots] == ["password"]
    assert whole.current().number == 2
