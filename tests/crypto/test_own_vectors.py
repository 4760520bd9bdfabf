"""The vectors of what is ours in docs/format.md, opened by our code and by the slow oracle.

They were sealed once (tools/make_vectors.py). A change that does not open them is another format.
"""

import base64
import hashlib
import hmac
import json
import runpy
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from mnemonic import Mnemonic

from mailstead.accounts import annotations, mboxes, orderrows, pages
from mailstead.accounts import entries as packed
from mailstead.accounts.accessentries import Entries
from mailstead.accounts.accountleaf import AccountLeaf
from mailstead.accounts.anchor import Anchor
from mailstead.accounts.columns import Numbers
from mailstead.accounts.counts import Counts
from mailstead.accounts.leaves import Leaf
from mailstead.accounts.states import RowStates
from mailstead.crypto import arrivals, escrow, frame, keyring, passwords, primitives, slots
from mailstead.crypto.apppasswords import invitation, locator_of
from mailstead.crypto.keys import StoreKeys
from mailstead.crypto.ledger import LINE_OCTETS, START, read_lines
from mailstead.crypto.scram import scram_keys
from mailstead.crypto.sealed import Kind, Sealed, SealedLane, SealedRecord
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.unseal import LaneReader, RecordName, open_note, open_summary
from mailstead.errors import UnsealError
from mailstead.mail.sortkeys import By
from mailstead.mail.summary import Summary
from mailstead.secretmem import Arena
from tests.crypto import oracle
from tests.crypto.bodies import read_body

ROOT = Path(__file__).parent.parent.parent
OWN: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "mailstead.json").read_text())
SERVER, WAYS, RINGS, LANE = OWN["server_key"], OWN["ways"], OWN["rings"], OWN["lane"]
APPS, BACK_IN = OWN["app_passwords"], OWN["back_in"]
ACCOUNT = bytes.fromhex(LANE["account"])
MESSAGES = [(lane, v) for lane in (LANE, OWN["as_it_is"], OWN["saved"]) for v in lane["messages"]]
DICTIONARY = (ROOT / "src" / "mailstead" / "crypto" / "dictionary1.bin").read_bytes()
# The clear numbers of docs/format.md, "Kinds", written out again.
KINDS = {
    "PAGE": 16,
    "STATE": 17,
    "MBOXES": 19,
    "TOMB": 25,
    "COUNTS": 27,
    "METADATA": 28,
    "LEAF": 23,
    "ACCESSLOG": 26,
    "ANCHOR": 24,
    "ORDER": 29,
}
LABELS = {
    "PAGE": b"page", "STATE": b"state", "COUNTS": b"state", "MBOXES": b"mboxes", "TOMB": b"tomb", "METADATA": b"metadata",
    "LEAF": b"manifest", "ACCESSLOG": b"accesslog", "ANCHOR": b"manifest", "ORDER": b"order",
}  # fmt: skip


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def inflate(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(DICTIONARY)).decompress(packed)


def test_server_key() -> None:
    secret = octets(SERVER["server_key"])
    key = ServerKey(secret)
    pepper = oracle.expand(secret, b"EMS1 pepper", 32)
    assert pepper.hex() == SERVER["pepper"] == key.peppers[0].octets.hex()
    pepper_id = hashlib.sha256(b"EMS1 pepper id\x00" + pepper).digest()[:4]
    assert pepper_id.hex() == SERVER["pepper_id"] == key.peppers[0].id().hex()
    v = SERVER["instance"]
    check = oracle.mac(oracle.expand(secret, b"EMS1 instance", 32), octets(v["id"]))
    assert check.hex() == v["check"] == key.instance_check(octets(v["id"])).hex()
    v = SERVER["unknown"]
    salt = oracle.mac(oracle.expand(secret, b"EMS1 unknown", 32), v["name"].encode())[:20]
    assert salt.hex() == v["salt"] == key.unknown_salt(v["name"]).hex()


@pytest.mark.parametrize("table", sorted(SERVER["rows"]))
def test_row_macs(table: str) -> None:
    v = SERVER["rows"][table]
    secret = octets(SERVER["server_key"])
    macs = ServerKey(secret).rows
    fields: list[bytes]
    match table:
        case "address":
            fields = [v["address"].encode(), ACCOUNT, bytes((v["kind"],))]
            macs.check_address(octets(v["mac"]), v["address"], ACCOUNT, v["kind"])
        case "epoch_key":
            public = octets(v["public_key"])
            fields = [
                ACCOUNT,
                v["epoch"].to_bytes(4, "big"),
                bytes((v["suite"],)),
                bytes((v["state"],)),
                public,
            ]
            macs.check_epoch_key(octets(v["mac"]), ACCOUNT, v["epoch"], v["suite"], v["state"], public)
        case "slot":
            header, public, blob, tag = (octets(v[n]) for n in ("header", "public_key", "blob", "tag"))
            fields = [ACCOUNT, header, *(v[n].to_bytes(4, "big") for n in ("root_gen", "read_gen"))]
            fields += [v["not_after"].to_bytes(8, "big"), hashlib.sha256(public).digest(), blob, tag, b""]
            gens = (v["root_gen"], v["read_gen"])
            macs.check_slot(octets(v["mac"]), ACCOUNT, header, gens, v["not_after"], public, blob, tag, b"")
        case _:
            gens_octets = [v[n].to_bytes(4, "big") for n in ("epoch", "root_gen", "read_gen")]
            fields = [ACCOUNT, bytes((v["status"],)), *gens_octets]
            macs.check_account(
                octets(v["mac"]), ACCOUNT, v["status"], v["epoch"], v["root_gen"], v["read_gen"]
            )
    assert oracle.row_mac(secret, table.encode(), *fields).hex() == v["mac"]


def test_arrivals() -> None:
    v = OWN["arrivals"]
    secret, mailbox, summary, body = (
        octets(t) for t in (SERVER["server_key"], v["mailbox"], v["summary"], v["body"])
    )
    key = oracle.expand(secret, b"EMS1 arrival\x00" + ACCOUNT, 32)
    tag = oracle.mac(key, b"EMS1 arrival start\x00" + mailbox + v["uid_validity"].to_bytes(4, "big"))
    chain = ServerKey(secret).rows.arrivals(ACCOUNT)
    assert tag.hex() == v["start"] == chain.start(mailbox, v["uid_validity"]).hex()
    counted = b"".join((len(summary).to_bytes(8, "big"), summary, len(body).to_bytes(8, "big"), body[:56]))
    digest = hashlib.sha256(b"EMS1 arrival body\x00" + counted).digest()
    assert digest.hex() == v["digest"] == arrivals.digest(Sealed(summary), len(body), body).hex()
    for link in v["links"]:
        n, uid, modseq, ctr = link["n"], link["uid"], link["modseq"], link["ctr"]
        object_id, lane_id = octets(link["object_id"]), octets(link["lane_id"])
        ours = arrivals.Link(n, mailbox, uid, modseq, object_id, lane_id, ctr, digest)
        numbers = (n.to_bytes(8, "big"), mailbox, uid.to_bytes(4, "big"), modseq.to_bytes(8, "big"))
        before = tag
        message = b"".join((tag, *numbers, object_id, lane_id, ctr.to_bytes(4, "big"), digest))
        assert chain.follows(octets(link["tag"]), tag, ours)
        assert not chain.follows(octets(link["tag"]), tag, replace(ours, uid=uid + 1))
        if n == 1:
            assert chain.follows_start(octets(link["tag"]), v["uid_validity"], ours)
            assert not chain.follows_start(octets(link["tag"]), v["uid_validity"] + 1, ours)
        tag = oracle.mac(key, b"EMS1 arrival step\x00" + message)
        assert tag.hex() == link["tag"] == chain.step(before, ours).hex()
    last, at = octets(v["links"][1]["tag"]), octets(v["links"][0]["tag"])
    assert ServerKey(bytes(32), (secret,)).rows.arrivals(ACCOUNT).follows(last, at, ours), "an older key"
    assert not ServerKey(bytes(32)).rows.arrivals(ACCOUNT).follows(last, at, ours)


@pytest.mark.parametrize("name", ["password", "recovery"])
def test_ways_in(name: str) -> None:
    v = WAYS[name]
    head, secret, blob = octets(v["header"]), octets(v["secret"]), octets(v["blob"])
    header = slots.SlotHeader.decode(head)
    arena = Arena(8)
    # Recovery words depend on no file of the server.
    peppers = [slots.Pepper(octets(SERVER["pepper"]))] if name == "password" else []
    with slots.slot_secret(arena, header, octets(v["credential"]), peppers) as found:
        assert bytes(found.view) == secret
    if name == "password":
        assert header.salt[16:].hex() == SERVER["pepper_id"]
    else:
        assert (v["credential"], header.m_kib, header.t, len(header.salt)) == (WAYS["entropy"], 65536, 3, 16)
    # From here on by hand.
    c = oracle.expand(secret, b"EMS1 slot auth", 32)
    public = oracle.xwing(secret)[2]
    assert (c.hex(), hashlib.sha256(public).hexdigest()) == (v["C"], v["public_key_sha256"])
    gens = (1).to_bytes(4, "big") * 2
    tagged = (
        b"EMS1 slot tag\x00"
        + len(head).to_bytes(2, "big")
        + head
        + gens
        + hashlib.sha256(public).digest()
        + blob
    )
    assert oracle.mac(c, tagged).hex() == v["tag"]
    assert oracle.decapsulate(secret, blob, b"EMS1 slot\x00" + head).hex() == v["payload"]
    slot = slots.Slot(head, 1, 1, public, blob, octets(v["tag"]))
    assert bytes(slots.open_slot(arena, slot, header, secret).view).hex() == v["payload"]


@pytest.mark.parametrize("name", ["mail", "read_only", "submit_only"])
def test_app_passwords(name: str) -> None:
    v, secret_of_server = APPS[name], octets(SERVER["server_key"])
    key = ServerKey(secret_of_server)
    salt = oracle.mac(oracle.expand(secret_of_server, b"EMS1 scram fake", 32), APPS["name"].encode())[:16]
    assert salt.hex() == APPS["salt"] == key.scram_salt(APPS["name"]).hex()
    password = v["password"].encode()
    assert locator_of(password) == v["locator"] == v["password"][4:8]
    check = base64.b32encode(hashlib.sha256(password[:-2]).digest()).decode().lower()
    assert v["password"][-2:] == check[:2]
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, APPS["iterations"])
    client_key, server_key = (hmac.digest(salted, n, "sha256") for n in (b"Client Key", b"Server Key"))
    stored_key = hashlib.sha256(client_key).digest()
    assert [client_key.hex(), stored_key.hex(), server_key.hex()] == [
        v["client_key"],
        v["stored_key"],
        v["server_key"],
    ]
    head, blob = octets(v["header"]), octets(v["blob"])
    scope, wrap, pay = {"mail": (11, 1, True), "read_only": (1, 1, True), "submit_only": (2, 2, False)}[name]
    assert head[:8] == b"EMSK" + bytes((1, 7, scope, wrap))
    assert head[40:50] == bytes(9) + b"\x18", "no cost of Argon2id, and 24 octets of salt"
    assert int.from_bytes(head[-8:], "big") == 1 << 33
    secret = oracle.mac(head[50:], b"EMS1 slot\x00\x07" + client_key)
    assert secret.hex() == v["secret"]
    public = oracle.xwing(secret)[2] if pay else b""
    tagged = b"EMS1 slot tag\x00" + len(head).to_bytes(2, "big") + head + bytes((0, 0, 0, 1, 0, 0, 0, 2))
    tagged += hashlib.sha256(public).digest() + blob
    assert oracle.mac(oracle.expand(secret, b"EMS1 slot auth", 32), tagged).hex() == v["tag"]
    if pay:
        assert oracle.decapsulate(secret, blob, b"EMS1 slot\x00" + head).hex() == APPS["read_key"]
    verifier = oracle.open_(
        oracle.expand(secret_of_server, b"EMS1 auth", 32), b"EMS1 scram\x00" + head, octets(v["scram"])
    )
    assert verifier == stored_key + server_key
    header, arena = slots.SlotHeader.decode(head), Arena(8)
    assert scram_keys(password, salt).client_key == client_key
    with slots.slot_secret(arena, header, client_key, []) as found:
        slot = slots.Slot(head, 1, 2, public, blob, octets(v["tag"]))
        opened = slots.open_slot(arena, slot, header, found.view)
    assert (None if opened is None else bytes(opened.view).hex()) == (APPS["read_key"] if pay else None)


def _tag(c: bytes, head: bytes, public: bytes, blob: bytes) -> str:
    tagged = b"EMS1 slot tag\x00" + len(head).to_bytes(2, "big") + head + bytes((0, 0, 0, 3, 0, 0, 0, 1))
    return oracle.mac(c, tagged + hashlib.sha256(public).digest() + blob).hex()


def test_an_invitation() -> None:
    v = BACK_IN["invitation"]
    code, head, blob = v["code"].encode(), octets(v["header"]), octets(v["blob"])
    assert len(code) == 38
    assert code[-2:] == base64.b32encode(hashlib.sha256(code[:-2]).digest()).lower()[:2]
    assert invitation(code.upper()) == code
    assert head[:8] == b"EMSK" + bytes((1, 9, 0x8F, 1))
    assert int.from_bytes(head[-8:], "big") == 1 << 33
    secret = oracle.mac(head[50:], b"EMS1 slot\x00\x09" + code)
    assert secret.hex() == v["secret"]
    public = oracle.xwing(secret)[2]
    assert _tag(oracle.expand(secret, b"EMS1 slot auth", 32), head, public, blob) == v["tag"]
    assert oracle.decapsulate(secret, blob, b"EMS1 slot\x00" + head).hex() == BACK_IN["root"]
    header, arena = slots.SlotHeader.decode(head), Arena(8)
    with slots.slot_secret(arena, header, code, []) as found:
        opened = slots.open_slot(
            arena, slots.Slot(head, 3, 1, public, blob, octets(v["tag"])), header, found.view
        )
    assert opened is not None
    assert bytes(opened.view).hex() == BACK_IN["root"]


def test_an_organisations_key() -> None:
    v = BACK_IN["escrow"]
    seed, head, blob = octets(v["seed"]), octets(v["header"]), octets(v["blob"])
    public = oracle.xwing(seed)[2]
    assert v["private"] == f"mailstead-escrow-secret-1 {base64.b64encode(seed).decode()}"
    assert v["public"] == f"mailstead-escrow-1 {base64.b64encode(public).decode()}"
    assert all(len(share.split()) == 33 for share in v["shares"])
    assert [escrow.join([v["shares"][a], v["shares"][b]]) for a, b in ((0, 1), (2, 1), (0, 2))] == [seed] * 3
    assert head[:8] == b"EMSK" + bytes((1, 4, 0x8F, 1))
    assert _tag(octets(v["C"]), head, public, blob) == v["tag"]
    assert oracle.decapsulate(seed, blob, b"EMS1 slot\x00" + head).hex() == BACK_IN["root"]
    slot = slots.Slot(head, 3, 1, public, blob, octets(v["tag"]))
    slots.check_tag(slot, octets(v["C"]))
    assert bytes(escrow.open_escrow_slot(Arena(8), slot, seed).view).hex() == BACK_IN["root"]


def test_words_and_passwords() -> None:
    assert passwords.entropy(WAYS["words"]).hex() == WAYS["entropy"]
    listed = Mnemonic("english").wordlist
    bits = "".join(f"{listed.index(w):011b}" for w in WAYS["words"].split())
    entropy = int(bits[:128], 2).to_bytes(16, "big")
    assert entropy.hex() == WAYS["entropy"]
    assert bits[128:] == f"{hashlib.sha256(entropy).digest()[0]:08b}"[:4]
    for typed, prepared in WAYS["prepared"]:
        assert passwords.prepare(octets(typed)).hex() == prepared
    text = octets(WAYS["prepared"][2][0]).decode()
    assert (
        unicodedata.normalize("NFC", text.replace("\u3000", " ").replace("\u00a0", " ")).encode() == b"a b c"
    )


def test_keyrings() -> None:
    root, read_gen = octets(RINGS["root"]), RINGS["read_gen"]
    key = oracle.expand(root, b"EMS1 read key\x00" + (1).to_bytes(4, "big") + read_gen.to_bytes(4, "big"), 32)
    assert key.hex() == RINGS["read_key"]
    for name, ref, ring_key, ref_id, object_id, magic in (
        ("read", 5, oracle.expand(key, b"EMS1 read keyring", 32), bytes(8) + bytes((0, 0, 0, 1, 0, 0, 0, 2)), bytes(16), b"EKD1"),
        ("root_ring", 4, oracle.expand(root, b"EMS1 root keyring", 32), bytes(15) + b"\x01", b"\xff" * 16, b"EKR1"),
    ):  # fmt: skip
        v = RINGS[name]
        head = oracle.header(20, ref, 1, object_id, ref_id, 0, 0)
        context = oracle.stored_context(head, ACCOUNT, bytes(16), v["version"], 0, octets(v["write_id"]))
        content = oracle.unframe(oracle.open_(ring_key, context, octets(v["payload"])))
        assert content.hex() == v["content"]
        ring = oracle.keyring(content)
        assert (ring["magic"], ring["version"]) == (magic, v["version"])
        record = SealedRecord(v["version"], 0, octets(v["write_id"]), Sealed(octets(v["payload"])))
        opened = (
            keyring.open_read_ring(key, ACCOUNT, 1, read_gen, record)
            if name == "read"
            else keyring.open_root_ring(root, ACCOUNT, 1, read_gen, record)
        )
        assert [(e.number, e.state, e.xwing_seed, e.store_key) for e in opened.epochs] == [
            (n, state, seed, store)
            for n, _, state, _, _, seed, store in ring["epochs"]  # type: ignore[attr-defined]
        ]
        assert len(opened.slots) == (name == "root_ring")


def lane_reader(lane: dict[str, Any]) -> LaneReader:
    key = primitives.private_key(octets(lane["xwing_seed"]))
    return LaneReader(key, ACCOUNT, lane["epoch"], octets(lane["lane_id"]), Sealed(octets(lane["sealed"])))


@pytest.mark.parametrize(("lane", "v"), MESSAGES, ids=lambda v: v.get("name", ""))
def test_messages_of_a_lane(lane: dict[str, Any], v: dict[str, Any]) -> None:
    lane_id, object_id = octets(lane["lane_id"]), octets(v["object_id"])
    info = b"EMS1 lane\x00" + ACCOUNT + lane["epoch"].to_bytes(4, "big") + lane_id
    seed = oracle.decapsulate(octets(lane["xwing_seed"]), octets(lane["sealed"]), info)
    key = oracle.lane_keys(seed, v["ctr"] + 1)[-1]
    assert key == bytes(lane_reader(lane).key(v["ctr"]))

    wanted = base64.b64decode(v["summary_content"])
    sealed = base64.b64decode(v["summary"])
    compressed = v["summary_flags"] == 7
    head = oracle.header(2, 0, v["summary_flags"], object_id, lane_id, v["ctr"], int(compressed))
    content = oracle.unframe(oracle.open_(key, oracle.lane_context(head, ACCOUNT), sealed))
    assert (inflate(content) if compressed else content) == wanted
    name = RecordName(ACCOUNT, object_id, lane_id, v["ctr"], v["summary_flags"])
    assert open_summary(key, name, Sealed(sealed)) == wanted
    by_hand, ours = oracle.summary(wanted), Summary.decode(wanted)
    assert (by_hand["envelope"], by_hand["header"], by_hand["date"], by_hand["saved"], by_hand["size"]) == (
        ours.envelope, ours.header, ours.internal_date, ours.save_date, ours.size,
    ) != (b"", b"", 0, 0, 1)  # fmt: skip
    assert ours.save_date == (2 if lane is OWN["saved"] else -1)

    sealed = base64.b64decode(v["body"])
    head = oracle.header(1, 0, v["body_flags"], object_id, lane_id, v["ctr"], 0)
    content = oracle.unframe(oracle.open_(key, oracle.lane_context(head, ACCOUNT), sealed))
    message = oracle.body(content, v["body_flags"], v["size"])
    assert hashlib.sha256(message).hexdigest() == v["sha256"]
    name = RecordName(ACCOUNT, object_id, lane_id, v["ctr"], v["body_flags"])
    assert read_body(key, name, [sealed], v["size"], 0, v["size"]) == message


def test_an_entry_that_is_not_compressed() -> None:
    v = OWN["as_it_is"]["entry"]
    assert zstandard.ZstdDecompressor().decompress(octets(v["z"])) == octets(v["content"])
    assert octets(v["content"]) in octets(v["z"])
    assert frame.decompress_entry(octets(v["z"])) == octets(v["content"])


def test_every_way_to_hold_a_body_is_among_them() -> None:
    assert {v["body_flags"] for _, v in MESSAGES} == {1, 3, 9}
    assert {v["summary_flags"] for _, v in MESSAGES} == {1, 7}
    assert {v["size"] == 0 for _, v in MESSAGES} == {True, False}


@pytest.mark.parametrize("v", OWN["stored"], ids=lambda v: f"{v['kind']}-{v['index']}")
def test_stored_records(v: dict[str, Any]) -> None:
    key = oracle.expand(octets(OWN["store_key"]), b"EMS1 " + LABELS[v["kind"]], 32)
    ref_id = bytes(12) + OWN["epoch"].to_bytes(4, "big")
    head = oracle.header(KINDS[v["kind"]], 1, 1, octets(v["object_id"]), ref_id, v["index"], 0)
    context = oracle.stored_context(
        head, ACCOUNT, octets(v["place"]), v["version"], v["modseq"], octets(v["write_id"])
    )
    assert len(context) == 124
    content = oracle.unframe(oracle.open_(key, context, octets(v["payload"])))
    assert content.hex() == v["content"]
    keys = StoreKeys(Arena(8), ACCOUNT, OWN["epoch"], octets(OWN["store_key"]))
    record = SealedRecord(v["version"], OWN["epoch"], octets(v["write_id"]), Sealed(octets(v["payload"])))
    assert (
        keys.open(
            Kind[v["kind"]], octets(v["place"]), v["index"], v["modseq"], record, octets(v["object_id"])
        )
        == content
    )


def content_of(kind: str, index: int) -> bytes:
    return octets(next(v["content"] for v in OWN["stored"] if (v["kind"], v["index"]) == (kind, index)))


def content_of_account(kind: str) -> bytes:
    (found,) = [v["content"] for v in OWN["stored"] if (v["kind"], v["place"]) == (kind, bytes(16).hex())]
    return octets(found)


def test_what_is_in_pages_and_tombs() -> None:
    group, entries = oracle.page(content_of("PAGE", 2))
    assert (group, list(entries)) == (0, [257])
    take = oracle.Take(entries[257])
    fixed = [int.from_bytes(take(8), "big", signed=True), *(take.n(8) for _ in range(3)), take(16)]
    a = packed.unpack_a(pages.split(0, content_of("PAGE", 2))[257])  # type: ignore[index]
    assert [*fixed, inflate(take.octets)] == [-1, 2, 3, 4, b"o" * 16, b"(NIL NIL)"]
    assert [a.internal_date, a.save_date, a.size, a.trace_octets, a.object_id, a.envelope] == [
        *fixed,
        b"(NIL NIL)",
    ]

    group, entries_b = oracle.page(content_of("PAGE", 3))
    take = oracle.Take(entries_b[257])
    found = [take(16), take(32), take(16), take.n(4), take.n(1), take(32), take.n(1), take.n(1)]
    assert found == [b"o" * 16, b"k" * 32, b"l" * 16, 7, 3, bytes(32), 1, 1]
    rest = oracle.Take(inflate(take.octets))
    assert [rest.counted(4) for _ in range(4)] == [b"(b)", b"", "hä".encode(), b"A: b\r\n\r\n"]
    b = packed.unpack_b(pages.split(1, content_of("PAGE", 3))[257])  # type: ignore[index]
    assert (b.key, b.lane_id, b.ctr, b.described.preview, b.described.header) == (
        b"k" * 32,
        b"l" * 16,
        7,
        "hä".encode(),
        b"A: b\r\n\r\n",
    )

    tomb = oracle.Take(content_of("TOMB", 0))
    assert tomb.n(8) == 3600
    buried = [(tomb.n(1), tomb.n(4), tomb.counted(4)) for _ in range(2)]
    assert buried == [(0, 257, entries[257]), (1, 257, entries_b[257])]
    assert not tomb.octets


def test_what_is_in_states_counts_and_names() -> None:
    live, gone = oracle.state(content_of("STATE", 1))
    assert live == {257: (9, 8 | 16, {"$Forwarded", "x"})}
    assert gone == {258: (10, 11)}
    ours = RowStates.decode(content_of("STATE", 1))
    assert {u: (s.modseq, int(s.flags), set(s.keywords)) for u, s in ours.items()} == live
    take = oracle.Take(content_of("COUNTS", 0))
    assert [take.n(n) for n in (1, 4, 4, 4, 8, 8)] == [1, 1, 2, 3, 4, 5]
    assert Counts.decode(content_of("COUNTS", 0)) == Counts(1, 2, 3, 4, 5)
    (named,) = [octets(v["content"]) for v in OWN["stored"] if v["place"] == (b"n" * 16).hex()]
    take = oracle.Take(named)
    assert [take.n(n) for n in (1, 4, 4, 4, 8, 8)] == [2, 1, 2, 3, 4, 5]
    written = {take.n(4): (take.n(8), take(16)) for _ in range(take.n(4))}
    assert written == {0: (2, b"v" * 16), 1: (3, b"w" * 16)}
    assert not take.octets
    assert Counts.decode(named) == Counts(1, 2, 3, 4, 5, written)
    names = oracle.mailbox_names(content_of("MBOXES", 0))
    assert names == [(bytes(range(16, 32)), 1, 1, "INBOX"), (b"m" * 16, 0, 0, "Entwürfe/alt")]
    assert [
        (n.mailbox_id, n.special_use or 0, n.subscribed, n.name)
        for n in mboxes.decode(content_of("MBOXES", 0))
    ] == names


def test_what_is_in_leaves() -> None:
    take = oracle.Take(content_of("LEAF", 1))
    assert (take(4), take(16)) == (b"EML1", bytes(range(16, 32)))
    assert [take.n(n) for n in (4, 8, 4, 4, 8, 8)] == [1, 3, 7, 16385, 99, 0]
    assert (take(32), take.n(4), take.n(2), take.n(2)) == (bytes(32), 0, 3, 0)
    entries = [(take.n(1), take.n(4), take.n(8), take(16)) for _ in range(3)]
    assert entries == [(kind, 64, 9, b"w" * 16) for kind in (0, 1, 2)]
    assert not take.octets
    for number in (0, 1):
        leaf = Leaf.decode(content_of("LEAF", number))
        assert leaf.encode() == content_of("LEAF", number)
        assert (leaf.number, leaf.arrivals, leaf.leaves) == (number, 2 * (1 - number), 2 * (1 - number))


def test_what_is_in_the_account_leaf_and_the_anchor() -> None:
    take = oracle.Take(content_of_account("LEAF"))
    assert (take(4), take.n(8), take.n(4)) == (b"EMA1", 3, 2)
    named = [(take.n(1), take(16), take.n(8), take(16)) for _ in range(2)]
    assert named == [(19, bytes(16), 4, b"w" * 16), (28, bytes(range(16, 32)), 5, b"x" * 16)]
    assert not take.octets
    leaf = AccountLeaf.decode(content_of_account("LEAF"))
    assert leaf == AccountLeaf(3, {(kind, place): (n, wid) for kind, place, n, wid in named})
    assert leaf.encode() == content_of_account("LEAF")

    take = oracle.Take(content_of_account("ANCHOR"))
    head = (take(4), take.n(8), take.n(8), take.n(8), take.n(8), take(16), take.n(4))
    assert head == (b"EMH1", 3, 1_700_000_000, 6, 3, b"v" * 16, 2)
    floors = [(take(16), take.n(8), take(16)) for _ in range(2)]
    assert floors == [(bytes(range(16, 32)), 7, b"y" * 16), (b"m" * 16, 8, b"z" * 16)]
    assert not take.octets
    anchor = Anchor.decode(content_of_account("ANCHOR"))
    assert anchor == Anchor(3, 1_700_000_000, 6, (3, b"v" * 16), {box: (n, wid) for box, n, wid in floors})
    assert anchor.encode() == content_of_account("ANCHOR")


@pytest.mark.parametrize(("kind", "decode"), [("LEAF", AccountLeaf.decode), ("ANCHOR", Anchor.decode)])
def test_what_is_no_account_leaf_and_no_anchor(kind: str, decode: Callable[[bytes], object]) -> None:
    right = content_of_account(kind)
    size = 41 if kind == "LEAF" else 40
    head = right[: -2 * size]
    twice = head + right[-size:] * 2
    for wrong in (b"", right[:-1], right + b"\0", b"EML1" + right[4:], head, right + right[-size:], twice):
        with pytest.raises(UnsealError):
            decode(wrong)
    assert decode(right), "the control"


def test_the_ledger() -> None:
    secret = octets(SERVER["server_key"])
    key = oracle.expand(secret, b"EMS1 rows", 32)
    chain, before, lines = ServerKey(secret).rows.ledger, bytes(16), b""
    for v in OWN["ledger"]:
        entry = b"".join(
            (
                bytes((v["type"],)), ACCOUNT, octets(v["place"]), v["count"].to_bytes(8, "big"),
                v["uid"].to_bytes(4, "big"), octets(v["tag"]), v["time"].to_bytes(8, "big"),
            )
        )  # fmt: skip
        before = oracle.mac(key, b"EMS1 ledger\x00" + before + entry)[:16]
        assert (entry + before).hex() == v["line"]
        lines += entry + before
    assert len(lines) == 5 * LINE_OCTETS == 5 * 85
    assert chain.write(START, read_lines(lines)) == lines
    assert [line.type for line in read_lines(lines)] == [1, 2, 3, 4, 5]
    assert chain.follow(lines) == len(lines) == chain.follow(lines + b"cut")
    assert ServerKey(bytes(32), (secret,)).rows.ledger.follow(lines) == len(lines), "an older key"
    assert ServerKey(bytes(32)).rows.ledger.follow(lines) == 0
    for at in range(len(lines)):
        spoiled = lines[:at] + bytes((lines[at] ^ 1,)) + lines[at + 1 :]
        assert chain.follow(spoiled) == at // LINE_OCTETS * LINE_OCTETS
    assert chain.follow(lines[LINE_OCTETS:]) == 0, "the first one is missing"
    assert chain.follow(lines[:LINE_OCTETS] + lines[2 * LINE_OCTETS :]) == LINE_OCTETS, "the second one is"


def test_what_is_in_annotations() -> None:
    content = content_of("METADATA", 0)
    assert len(content) == 1024
    take = oracle.Take(content)
    assert take.n(1) == 1
    found: list[tuple[bytes, bytes]] = []
    for _ in range(take.n(2)):
        name_octets, value_octets = take.n(2), take.n(4)
        found.append((take(name_octets), take(value_octets)))
    assert found == [
        (b"/private/none", b""),
        (b"/private/vendor/x/y", b"\0\xff"),
        (b"/shared/comment", "hä".encode()),
    ]
    assert not any(take.octets)
    assert annotations.decode(content) == {name.decode(): value for name, value in found}


def test_a_note_and_what_is_in_the_access_log() -> None:
    v = OWN["note"]
    lane_id, sealed, payload = octets(v["lane_id"]), octets(v["sealed"]), octets(v["payload"])
    epoch = v["epoch"].to_bytes(4, "big")
    key = oracle.expand(octets(SERVER["server_key"]), b"EMS1 arrival\x00" + ACCOUNT, 32)
    tag = oracle.mac(key, b"EMS1 access note\x00" + lane_id + epoch + sealed + payload)
    assert tag.hex() == v["tag"]
    seed = oracle.decapsulate(
        octets(LANE["xwing_seed"]), sealed, b"EMS1 lane\x00" + ACCOUNT + epoch + lane_id
    )
    context = oracle.lane_context(oracle.header(26, 0, 1, bytes(16), lane_id, 0, 0), ACCOUNT)
    content = oracle.unframe(oracle.open_(oracle.lane_keys(seed, 1)[0], context, payload))
    assert content == octets(v["content"]) == content_of("ACCESSLOG", 0)
    take = oracle.Take(content)
    assert (take.n(1), take.n(4), take.n(2)) == (1, 3, 2)
    found = [
        (
            take.n(8),
            take.n(8),
            take.n(4),
            take.n(1),
            take.n(1),
            take.n(1),
            take.n(1),
            take(16),
            take(16),
            take(4),
        )
        for _ in range(2)
    ]
    assert found == [
        (5, 9, 2, 2, 1, 7, 0, b"s" * 16, bytes(10) + b"\xff\xff\xc0\x00\x02\x01", b"ab2c"),
        (10, 10, 1, 3, 2, 0, 0, bytes(16), b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01", bytes(4)),
    ]
    assert not take.octets
    assert Entries.decode(content).encode() == content
    lane = SealedLane(lane_id, v["epoch"], Sealed(sealed))
    chain = arrivals.ArrivalChain((octets(SERVER["server_key"]),), ACCOUNT)
    assert chain.noted(octets(v["tag"]), lane, Sealed(payload))
    assert not chain.noted(octets(v["tag"]), replace(lane, epoch=3), Sealed(payload))
    reader = LaneReader(
        primitives.private_key(octets(LANE["xwing_seed"])), ACCOUNT, 2, lane_id, Sealed(sealed)
    )
    assert open_note(reader.key(0), ACCOUNT, lane_id, Sealed(payload)) == content


def test_what_is_in_orders() -> None:
    found = [v for v in OWN["stored"] if v["kind"] == "ORDER"]
    names = [f"{field:02x}{'00' * 11}00000001" for field in (8, 3, 10)]
    names += ["ff008803" + "00" * 12, "ff02" + "00" * 14]
    assert [v["object_id"] for v in found] == names
    subjects, dates, links, *orders = [oracle.Take(octets(v["content"])) for v in found]
    for take, field, uids in (
        (subjects, 8, [257, 258, 260, 261]),
        (dates, 3, [257, 258]),
        (links, 10, [257, 258, 260]),
    ):
        assert (take.n(1), take.n(1), take.n(2), take.n(8), take(16)) == (1, field, len(uids), 9, b"w" * 16)
        assert [take.n(4) for _ in uids] == uids
    separator = bytes([subjects.n(1)])
    assert (separator, list(subjects(4))) == (b"\0", [1, 0, 3, 2])
    assert subjects.octets.decode().split("\0") == ["A\n", "B", "B", "\U0010ffff?"]
    assert [dates.n(8) for _ in range(2)] == [2**64 - 1, 1_780_000_000]
    assert [links.n(8) for _ in range(3)] == [5, 0, 6]
    assert (list(links(3)), list(links(3))) == ([1, 0, 0], [2, 0, 1])
    assert [links.n(8) for _ in range(3)] == [7, 2**64 - 8, 9]
    assert not dates.octets + links.octets
    for take, shapes in zip(orders, ([], [8]), strict=True):
        assert (take.n(1), take.n(4), take.n(4)) == (2, 2, len(shapes))
        assert [(take.n(4), take.n(4)) for _ in range(2)] == [(257, 2), (260, 1)]
        assert [(take.n(4), take.n(4)) for _ in shapes] == [(octets_, 3) for octets_ in shapes]
        assert [take.n(4) for _ in range(3)] == [2, 0, 1]
        assert take.octets == b"(n n)(n)"[: sum(shapes)]
    texts: dict[int, str] = {}
    column = orderrows.decode(By.SUBJECT, (9, b"w" * 16), octets(found[0]["content"]), texts)
    assert isinstance(column, Numbers)
    assert [texts[value] for value in column.values] == ["B", "A\n", "\U0010ffff?", "B"]


def test_the_dictionary() -> None:
    digest = hashlib.sha256(DICTIONARY).hexdigest()
    assert len(DICTIONARY) == 32768
    assert digest == frame.DICTIONARY_SHA256
    assert digest in (ROOT / "docs" / "format.md").read_text()


def test_what_made_them_still_makes_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_vectors.py"))
    monkeypatch.setitem(tool["main"].__globals__, "FILE", tmp_path / "made.json")
    tool["main"]()
    assert shape(json.loads((tmp_path / "made.json").read_text())) == shape(OWN)


def shape(of: Any) -> Any:
    match of:
        case dict():
            return {name: shape(value) for name, value in of.items()}
        case list():
            return [shape(value) for value in of]
        case _:
            return type(of)
