"""What must not open, does not: every attack of docs/security.md that cryptography answers."""

import os
import random
import secrets
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
import zstandard

from mailstead.accounts.entries import Described, compressed_b
from mailstead.crypto import frame, keyring, newslots, passwords, primitives, slots
from mailstead.crypto.body import PreparedBody
from mailstead.crypto.keyring import CLOSING, CURRENT, MANIFESTS, Epoch, Ring, RingSlot
from mailstead.crypto.keys import StoreKeys
from mailstead.crypto.lanes import EXTENT, DeliveryKey, LaneWriter
from mailstead.crypto.rows import RowMacs
from mailstead.crypto.sealed import Kind, Sealed, SealedRecord
from mailstead.crypto.serverbox import ServerBox
from mailstead.crypto.unseal import BodyReader, LaneReader, RecordName, open_summary
from mailstead.errors import UnsealError
from mailstead.mail.structure import Scanner
from mailstead.mail.summary import Provenance, Summary, summarise
from mailstead.secretmem import Arena
from tests.crypto.bodies import built, read_body

SEED = bytes(range(32))
ACCOUNT, OTHER = b"A" * 16, b"B" * 16
PLACE = b"P" * 16
KEY = DeliveryKey.parse(primitives.public_octets(SEED))


@pytest.fixture
def lane() -> LaneWriter:
    return LaneWriter(ACCOUNT, 1, DeliveryKey.parse(primitives.public_octets(SEED)))


def reader(lane: LaneWriter) -> LaneReader:
    private = primitives.private_key(SEED)
    return LaneReader(private, ACCOUNT, 1, lane.lane_id, lane.sealed.sealed)


SIZES = [
    0,
    1,
    7,
    8,
    16367,
    16368,
    16375,
    16376,
    16377,
    65535,
    65536,
    65537,
    131072,
    131073,
    262_392,
    1_100_000,
]


@pytest.mark.parametrize("compress", ["all", "large", "none"])
@pytest.mark.parametrize("size", SIZES)
def test_bodies_of_any_size_open_whole_and_in_part(lane: LaneWriter, size: int, compress: str) -> None:
    octets = secrets.token_bytes(size // 2) + bytes(size - size // 2)
    object_id = os.urandom(16)
    with lane.next() as sealer:
        flags, sealed = sealer.body(object_id, built(octets, compress))
        extents = [e.octets for e in sealed]
    assert all(len(e) == EXTENT for e in extents[:-1])
    name = RecordName(ACCOUNT, object_id, lane.lane_id, 0, flags)
    key = bytes(reader(lane).key(0))
    assert read_body(key, name, extents, size, 0, size) == octets
    for start, stop in (
        (0, min(1, size)),
        (size // 2, size // 2 + min(10, size // 2)),
        (max(0, size - 3), size),
    ):
        assert read_body(key, name, extents, size, start, stop) == octets[start:stop]


@pytest.mark.parametrize("size", [100_000, 60_000])
def test_a_body_that_is_cut_or_changed_does_not_open(lane: LaneWriter, size: int) -> None:
    octets = secrets.token_bytes(size)
    object_id = os.urandom(16)
    with lane.next() as sealer:
        flags, sealed = sealer.body(object_id, built(octets, "none"))
        whole = b"".join(e.octets for e in sealed)
    name = RecordName(ACCOUNT, object_id, lane.lane_id, 0, flags)
    key = bytes(reader(lane).key(0))
    assert read_body(key, name, [whole], size, 0, size) == octets
    # Cut at every chunk boundary, and beside it: the last chunk is strictly shorter than the others.
    cuts = [56 + 16400 * i + d for i in range(size // 16384 + 1) for d in (-1, 0, 1)] + [
        len(whole) - 1,
        0,
        55,
    ]
    for cut in cuts:
        with pytest.raises(UnsealError):
            read_body(key, name, [whole[:cut]], size, 0, size)
    for at in (0, 24, 56, 60, 16500, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        with pytest.raises(UnsealError):
            read_body(key, name, [bytes(changed)], size, 0, size)
    swapped = whole[:56] + whole[56 + 16400 : 56 + 32800] + whole[56 : 56 + 16400] + whole[56 + 32800 :]
    with pytest.raises(UnsealError):
        read_body(key, name, [swapped], size, 0, size)


def test_a_summary_opens_only_under_its_own_name(lane: LaneWriter) -> None:
    object_id = os.urandom(16)
    with lane.next() as sealer:
        flags, sealed = sealer.summary(object_id, b"hello")
    key = bytes(reader(lane).key(0))
    right = RecordName(ACCOUNT, object_id, lane.lane_id, 0, flags)
    assert open_summary(key, right, sealed) == b"hello"
    for wrong in (
        replace(right, account=OTHER),
        replace(right, object_id=os.urandom(16)),
        replace(right, lane_id=os.urandom(16)),
        replace(right, ctr=1),
        replace(right, flags=flags ^ 1),
        replace(right, flags=flags | 16),
        replace(right, flags=0),
    ):
        with pytest.raises(UnsealError):
            open_summary(key, wrong, sealed)
    with pytest.raises(UnsealError):
        open_summary(os.urandom(32), right, sealed)
    body = BodyReader
    with pytest.raises(UnsealError):  # a summary is no body
        body(key, replace(right, flags=3), sealed, len(sealed.octets), 5)
    for at in range(len(sealed.octets)):
        changed = bytearray(sealed.octets)
        changed[at] ^= 0x80
        with pytest.raises(UnsealError):
            open_summary(key, right, Sealed(bytes(changed)))
    for cut in range(len(sealed.octets)):
        with pytest.raises(UnsealError):
            open_summary(key, right, Sealed(sealed.octets[:cut]))


def test_a_lane_opens_only_for_its_account_epoch_and_id(lane: LaneWriter) -> None:
    private = primitives.private_key(SEED)
    sealed = lane.sealed.sealed
    for account, epoch, lane_id in (
        (OTHER, 1, lane.lane_id), (ACCOUNT, 2, lane.lane_id), (ACCOUNT, 1, bytes(16)),
    ):  # fmt: skip
        with pytest.raises(UnsealError):
            LaneReader(private, account, epoch, lane_id, sealed)
    with pytest.raises(UnsealError):
        LaneReader(primitives.private_key(bytes(32)), ACCOUNT, 1, lane.lane_id, sealed)
    with pytest.raises(UnsealError):
        reader(lane).key(256)


def test_a_lane_seals_no_more_when_full_closed_or_forked(lane: LaneWriter) -> None:
    for _ in range(256):
        lane.next().__exit__()
    with pytest.raises(RuntimeError):
        lane.next()
    other = LaneWriter(ACCOUNT, 1, DeliveryKey.parse(primitives.public_octets(SEED)))
    other._pid -= 1  # as it looks to a forked child
    with pytest.raises(RuntimeError):
        other.next()
    other._pid += 1
    other.close()
    with pytest.raises(RuntimeError):
        other.next()
    assert other._chain == bytearray(32), "the seed is wiped"


def test_every_message_of_a_lane_has_a_key_of_its_own(lane: LaneWriter) -> None:
    keys = reader(lane)
    assert len({bytes(keys.key(i)) for i in range(256)}) == 256


@pytest.fixture
def store() -> StoreKeys:
    return StoreKeys(Arena(64), ACCOUNT, 1, bytes(32))


def test_a_stored_record_opens_only_in_its_place(store: StoreKeys) -> None:
    record = store.seal(Kind.STATE, PLACE, 3, 7, 99, b"flags")
    assert store.open(Kind.STATE, PLACE, 3, 99, record) == b"flags"
    wrong: list[Callable[[], bytes]] = [
        lambda: store.open(Kind.PAGE, PLACE, 3, 99, record),
        lambda: store.open(Kind.COUNTS, PLACE, 3, 99, record),
        lambda: store.open(Kind.STATE, b"Q" * 16, 3, 99, record),
        lambda: store.open(Kind.STATE, PLACE, 4, 99, record),
        lambda: store.open(Kind.STATE, PLACE, 3, 98, record),
        lambda: store.open(Kind.STATE, PLACE, 3, 99, replace(record, version=6)),
        lambda: store.open(Kind.STATE, PLACE, 3, 99, replace(record, epoch=2)),
        lambda: store.open(Kind.STATE, PLACE, 3, 99, replace(record, write_id=bytes(16))),
        lambda: store.open(Kind.STATE, PLACE, 3, 99, record, os.urandom(16)),
        lambda: StoreKeys(Arena(8), OTHER, 1, bytes(32)).open(Kind.STATE, PLACE, 3, 99, record),
        lambda: StoreKeys(Arena(8), ACCOUNT, 1, b"k" * 32).open(Kind.STATE, PLACE, 3, 99, record),
    ]
    for attempt in wrong:
        with pytest.raises(UnsealError):
            attempt()


def test_two_writes_of_the_same_are_never_the_same_octets(store: StoreKeys) -> None:
    one = store.seal(Kind.PAGE, PLACE, 0, 1, 0, b"x")
    two = store.seal(Kind.PAGE, PLACE, 0, 1, 0, b"x")
    assert one.write_id != two.write_id
    assert one.sealed != two.sealed


def test_a_lane_record_is_no_stored_record(store: StoreKeys, lane: LaneWriter) -> None:
    with lane.next() as sealer:
        _, sealed = sealer.summary(bytes(16), b"x")
    with pytest.raises(UnsealError):
        store.open(Kind.STATE, PLACE, 0, 0, SealedRecord(1, 1, bytes(16), sealed))


EPOCH = Epoch(1, CURRENT, 5, b"x" * 32, b"s" * 32)
RING = Ring(1, 1, 1, MANIFESTS, 5, (EPOCH,))


def test_keyrings_are_read_strictly() -> None:
    assert keyring.decode_read(RING.encode_read()) == RING
    two = replace(EPOCH, number=2)
    for bad in (
        replace(RING, epochs=(EPOCH, two)),
        replace(RING, epochs=(replace(EPOCH, state=CLOSING),)),
        replace(RING, epochs=(replace(two, state=CLOSING), EPOCH)),
        replace(RING, features=MANIFESTS | 4),
        replace(RING, features=0),
        replace(RING, epochs=(replace(EPOCH, suite=2),)),
        replace(RING, epochs=(replace(EPOCH, state=9),)),
        replace(RING, epochs=(replace(EPOCH, xwing_seed=bytes(32)),)),
    ):
        with pytest.raises(UnsealError):
            keyring.decode_read(bad.encode_read())
    octets = RING.encode_read()
    for bad_octets in (octets + b"\0", octets[:-1], b"", octets[:20], b"EKR1" + octets[4:]):
        with pytest.raises(UnsealError):
            keyring.decode_read(bad_octets)
    slot = RingSlot(b"i" * 16, 1, 0x8F, 1, 0, b"p" * 32, b"c" * 32, "password")
    root = replace(RING, slots=(slot,))
    assert keyring.decode_root(root.encode_root()) == root
    for bad_octets in (root.encode_root() + b"\0", root.encode_root()[:-1]):
        with pytest.raises(UnsealError):
            keyring.decode_root(bad_octets)


def test_a_keyring_opens_only_for_its_account_and_generation() -> None:
    root = bytes(range(32))
    key = keyring.read_key(root, 1, 1)
    record = keyring.seal_read_ring(key, ACCOUNT, RING)
    assert keyring.open_read_ring(key, ACCOUNT, 1, 1, record) == RING
    for account, gens, found in (
        (OTHER, (1, 1), record),
        (ACCOUNT, (1, 2), record),
        (ACCOUNT, (2, 1), record),
        (ACCOUNT, (1, 1), replace(record, version=2)),
    ):
        with pytest.raises(UnsealError):
            keyring.open_read_ring(key, account, *gens, found)
    with pytest.raises(UnsealError):  # the read key opens no root keyring
        keyring.open_root_ring(key, ACCOUNT, 1, 1, keyring.seal_root_ring(root, ACCOUNT, RING))


def password_slot(arena: Arena, password: bytes = b"pw") -> tuple[slots.Slot, slots.SlotHeader, bytes]:
    header = newslots.new_header(slots.SlotType.PASSWORD, ACCOUNT, PEPPER, slots.Cost(64, 1))
    with slots.slot_secret(arena, header, password, [PEPPER]) as secret:
        return slots.make_slot(header, secret.view, ROOT, 1, 1), header, bytes(secret.view)


PEPPER = slots.Pepper(b"p" * 32)
ROOT = b"R" * 32


def test_slots_open_with_their_password_only() -> None:
    arena = Arena(64)
    for length in (1, 2, 64, 1023, 1024):
        slot, header, secret = password_slot(arena, b"x" * length)
        assert bytes(slots.open_slot(arena, slot, header, secret).view) == ROOT
        with (
            slots.slot_secret(arena, header, b"x" * length + b"y", [PEPPER]) as wrong,
            pytest.raises(UnsealError),
        ):
            slots.open_slot(arena, slot, header, wrong.view)


def test_a_planted_slot_is_refused_before_it_is_opened() -> None:
    """Anybody can seal a root of his own to the slot's public key; nobody can make its tag."""
    arena = Arena(64)
    slot, header, secret = password_slot(arena)
    planted = primitives.encapsulate(
        b"E" * 32, primitives.public_key(slot.public_key), b"EMS1 slot\x00" + slot.header
    )
    other, _, _ = password_slot(arena)
    for bad in (
        replace(slot, blob=planted),
        replace(slot, blob=planted, tag=other.tag),
        replace(slot, tag=other.tag),
        replace(slot, root_gen=2),
        replace(slot, read_gen=2),
        replace(slot, public_key=other.public_key),
    ):
        with pytest.raises(UnsealError, match="the slot does not open"):
            slots.open_slot(arena, bad, header, secret)


@pytest.mark.parametrize("length", [31, 33, 0])
def test_a_slot_wraps_exactly_32_octets(length: int) -> None:
    arena = Arena(64)
    slot, header, secret = password_slot(arena)
    blob = primitives.encapsulate(
        b"r" * length, primitives.public_key(slot.public_key), b"EMS1 slot\x00" + slot.header
    )
    tag = slots.slot_tag(slots.auth_key(secret), slot.header, 1, 1, slot.public_key, blob)
    with pytest.raises(UnsealError):
        slots.open_slot(arena, replace(slot, blob=blob, tag=tag), header, secret)


def test_a_slot_that_asks_for_too_much_work_is_refused() -> None:
    header = newslots.new_header(slots.SlotType.PASSWORD, ACCOUNT, PEPPER, slots.Cost(64, 1))
    for bad in (replace(header, m_kib=(1 << 20) + 1), replace(header, t=17), replace(header, p=5)):
        with pytest.raises(UnsealError, match="more work"):
            slots.SlotHeader.decode(bad.encode())
    for octets in (header.encode()[:-1], header.encode() + b"\0", b"EMSX" + header.encode()[4:]):
        with pytest.raises(UnsealError):
            slots.SlotHeader.decode(octets)


def test_a_slot_needs_the_pepper_it_was_made_with() -> None:
    arena = Arena(64)
    _, header, secret = password_slot(arena)
    older = slots.Pepper(b"q" * 32)
    with slots.slot_secret(arena, header, b"pw", [older, PEPPER]) as found:
        assert bytes(found.view) == secret
    with pytest.raises(UnsealError, match="pepper"):
        slots.slot_secret(arena, header, b"pw", [older])


def test_row_macs_bind_every_field() -> None:
    macs = RowMacs(bytes(32))
    mac = macs.address("ann@b.test", ACCOUNT, 0)
    macs.check_address(mac, "ann@b.test", ACCOUNT, 0)
    for args in (("ben@b.test", ACCOUNT, 0), ("ann@b.test", OTHER, 0), ("ann@b.test", ACCOUNT, 1)):
        with pytest.raises(UnsealError):
            macs.check_address(mac, *args)
    with pytest.raises(UnsealError):
        RowMacs(b"k" * 32).check_address(mac, "ann@b.test", ACCOUNT, 0)
    key = macs.epoch_key(ACCOUNT, 1, 1, 1, b"public")
    for fields in ((OTHER, 1, 1, 1, b"public"), (ACCOUNT, 2, 1, 1, b"public"), (ACCOUNT, 1, 1, 1, b"publix")):
        with pytest.raises(UnsealError):
            macs.check_epoch_key(key, *fields)


def test_the_serverbox_holds_nobody_s_mail() -> None:
    for kind in (Kind.BODY, Kind.SUMMARY, Kind.PAGE, Kind.KEYRING):
        with pytest.raises(ValueError, match="its own"):
            ServerBox(kind)
    box = ServerBox(Kind.SPOOL)
    sealed = box.seal(0, b"piece")
    assert box.open(0, sealed) == b"piece"
    with pytest.raises(UnsealError):
        box.open(1, sealed)
    with pytest.raises(UnsealError):
        ServerBox(Kind.SPOOL).open(0, sealed)


def test_bombs_and_lies_are_refused_before_they_grow() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(64 << 20))
    with pytest.raises(UnsealError, match="too large"):
        frame.decompress(bomb, 65536)
    unknown = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100)
    with pytest.raises(UnsealError):
        frame.decompress(unknown, 65536)
    good = frame.compress(b"x" * 100)
    for octets in (good + b"\0", good[:-1], b"", b"nonsense"):
        with pytest.raises(UnsealError):
            frame.decompress(octets, 65536)
    table = frame.seek_table([(10, 65536), (10, 5)])
    assert frame.read_seek_table(table, 2, 65541) == [(10, 65536), (10, 5)]
    for size in (65540, 65536, 131073):
        with pytest.raises(UnsealError):
            frame.read_seek_table(table, 2, size)
    with pytest.raises(UnsealError):
        frame.unframe(struct.pack(">Q", 9) + b"12345678")


def test_no_octet_of_a_body_can_be_changed(lane: LaneWriter) -> None:
    """Not even in its padding, or in what no range of the message needs."""
    octets = secrets.token_bytes(700_000)
    object_id = os.urandom(16)
    with lane.next() as sealer:
        flags, sealed = sealer.body(object_id, built(octets))
        extents = [e.octets for e in sealed]
    name = RecordName(ACCOUNT, object_id, lane.lane_id, 0, flags)
    key = bytes(reader(lane).key(0))
    assert read_body(key, name, extents, len(octets), 0, len(octets)) == octets
    for number, extent in enumerate(extents):
        for at in {*range(0, len(extent), 8191), len(extent) - 1}:
            changed = bytearray(extent)
            changed[at] ^= 1
            wrong = [*extents[:number], bytes(changed), *extents[number + 1 :]]
            with pytest.raises(UnsealError):
                read_body(key, name, wrong, len(octets), 0, len(octets))
    for cut in (1, 16, 17, 16400, 16401):
        with pytest.raises(UnsealError):
            read_body(key, name, [*extents[:-1], extents[-1][:-cut]], len(octets), 0, len(octets))


def test_what_a_body_says_of_itself_is_not_believed(lane: LaneWriter) -> None:
    """Whoever has the public key can seal any content."""
    octets = bytes(70_000)
    good = built(octets)
    content = b"".join(good.pieces())
    table = frame.seek_table(
        [(len(frame.compress(bytes(65536))), 65536), (len(frame.compress(bytes(4464))), 4464)]
    )
    assert content.endswith(table), "the control: this is how it is made"
    blocks = content[: -len(table)]
    bomb = frame.compress(bytes(1 << 24))
    lies: list[tuple[int, bytes]] = [
        (9, blocks),
        (9, blocks + b"junk" + table),
        (9, table),
        (9, b""),
        (9, blocks + frame.seek_table([(1, 65536), (len(blocks) - 1, 4464)])),
        (9, blocks + frame.seek_table([(1 << 31, 65536), (1, 4464)])),
        (9, blocks + frame.seek_table([(0, 0)] * 1000)),
        (9, bomb + frame.compress(bytes(4464)) + frame.seek_table([(len(bomb), 65536), (len(frame.compress(bytes(4464))), 4464)])),
        (9, content[:-1] + b"\0"),
        (3, bomb),
        (3, frame.compress(octets[:65536])),
        (3, content),
        (1, content),
        (1, octets[:-1]),
        (1, octets + b"\0"),
    ]  # fmt: skip
    small = octets[:60_000]
    small_lies: list[tuple[int, bytes]] = [
        (3, bomb),
        (3, frame.compress(small[:-1])),
        (3, frame.compress(small) + b"\0"),
        (7, frame.compress_entry(small)),
        (9, frame.compress(small)),
        (1, small[:-1]),
        (1, small + b"\0"),
    ]
    for size, flags, lie in [(70_000, *lie) for lie in lies] + [(60_000, *lie) for lie in small_lies]:
        object_id = os.urandom(16)
        with lane.next() as sealer:
            key = bytes(sealer._key)
            ctr = sealer.ctr
            _, sealed = sealer.body(object_id, PreparedBody(flags, size, len(lie), lambda lie=lie: [lie]))
            extents = [e.octets for e in sealed]
        name = RecordName(ACCOUNT, object_id, lane.lane_id, ctr, flags)
        with pytest.raises(UnsealError):
            read_body(key, name, extents, size, 0, size)


def test_words_open_their_slot_without_any_pepper() -> None:
    arena = Arena(8)
    header = newslots.new_header(slots.SlotType.RECOVERY, ACCOUNT, PEPPER, slots.Cost(64, 1))
    with slots.slot_secret(arena, header, bytes(16), [PEPPER]) as secret:
        slot = slots.make_slot(header, secret.view, ROOT, 1, 1)
    with slots.slot_secret(arena, header, bytes(16), []) as again:
        assert bytes(slots.open_slot(arena, slot, header, again.view).view) == ROOT


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("zebra " * 11, "there are 12 recovery words, not 11"),
        ("zebra " * 11 + "kanarie", "word 12 is not a recovery word"),
        ("zebra " * 12, "the recovery words do not fit together: one is wrong"),
    ],
)
def test_what_is_wrong_with_words_is_said_without_them(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        passwords.entropy(text)
    assert str(caught.value) == why


def test_parameters_that_make_no_sense_are_one_of_the_errors() -> None:
    header = newslots.new_header(slots.SlotType.PASSWORD, ACCOUNT, PEPPER, slots.Cost(64, 1))
    for bad in (replace(header, m_kib=0), replace(header, t=0), replace(header, m_kib=7)):
        with pytest.raises(UnsealError):
            slots.slot_secret(Arena(8), bad, b"pw", [PEPPER])


def test_a_record_that_could_not_be_opened_is_not_sealed(store: StoreKeys) -> None:
    largest = bytes(64 << 10)
    assert store.open(Kind.STATE, PLACE, 0, 0, store.seal(Kind.STATE, PLACE, 0, 1, 0, largest)) == largest
    with pytest.raises(ValueError, match="at most"):
        store.seal(Kind.STATE, PLACE, 0, 1, 0, largest + b"\0")


def code_mail(guess: int, filler: int) -> tuple[bytes, bytes]:
    """A mail with a secret that greets by a name that a stranger chose; and what its summary holds."""
    head = b"From: shop <a@b.test>\r\nTo: Your login code is %06d <ann@b.test>\r\n" % guess
    more = b"X: %b\r\n\r\n" % random.Random(1).randbytes(400).hex()[:filler].encode()
    whole = head + more + b"Your login code is 482913\r\n"
    scanner = Scanner()
    scanner.push(whole)
    found = summarise(scanner.finish(), internal_date=0, trace_octets=0, provenance=Provenance.DELIVERED)
    return whole, found.encode(bytes(16))


def sizes(guess: int, filler: int, compress: str) -> tuple[int, int, int]:
    """What a thief sees of it: octets of the BODY, of the SUMMARY, and of the entries of a page."""
    whole, summary = code_mail(guess, filler)
    prepared = built(whole, compress)
    with LaneWriter(ACCOUNT, 1, KEY).next() as sealer:
        _, body = sealer.body(bytes(16), prepared)
        _, sealed = sealer.summary(bytes(16), summary, compressed=prepared.compressed)
    s = Summary.decode(summary)
    described = Described(s.bodystructure, s.parts, s.preview.encode(), s.header)
    entry = compressed_b(described, header_whole=True, compress=prepared.compressed)[0]
    return sum(len(e.octets) for e in body), len(sealed.octets), len(entry)


@pytest.mark.parametrize("compress", ["none", "large"])
def test_without_compression_a_right_guess_has_the_size_of_a_wrong_one(compress: str) -> None:
    for filler in range(0, 600, 7):
        assert len({sizes(guess, filler, compress) for guess in (482913, 571046, 300721)}) == 1


def test_with_compression_some_right_guess_is_smaller() -> None:
    """The control, and what docs/security.md says: padding hides it mostly, not always."""
    for part in range(3):
        assert any(
            sizes(482913, filler, "all")[part] < min(sizes(g, filler, "all")[part] for g in (571046, 300721))
            for filler in range(0, 600, 7)
        ), part
