"""Absorbing what strangers made: nothing that comes stops the mail that is beside it."""

import base64
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from mailstead.accounts import entries
from mailstead.accounts.entries import (
    Described,
    EntryA,
    EntryB,
    compressed_a,
    compressed_b,
    pack_a,
    pack_b,
    unpack_a,
    unpack_b,
)
from mailstead.accounts.pages import PAGE_CAP
from mailstead.crypto import frame, primitives
from mailstead.crypto.arrivals import digest
from mailstead.crypto.lanes import SUMMARY_FLAGS, LaneWriter, MessageSealer
from mailstead.crypto.sealed import Kind, Sealed, SealedMessage
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.mail.structure import Scanner
from mailstead.mail.summary import Provenance, Summary, summarise
from mailstead.store.arrivals import Arrival, Letter, Placed
from mailstead.store.database import Database
from tests.support.house import House, house


async def test_large_headers_never_make_a_page_that_does_not_open(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        sent = [
            b"Subject: %d\r\nX: " % n + base64.b64encode(os.urandom(23_000)) + b"\r\n\r\nbody\r\n"
            for n in range(250)
        ]
        for octets in sent:
            await h.deliver(octets)
        account = await h.unlock()
        await account.absorb(await h.inbox(account))
        assert await account.quarantined() == []
        assert list((await h.read_all(account)).values()) == sent
        account.close()


async def hostile(h: House, content: bytes, *, compress: bool = True) -> None:
    """Have a message arrive that somebody made who has the public key, and may hand over what he sealed."""
    resident = await h.directory.find("ann@b.test", 0)
    lane = LaneWriter(resident.uuid, resident.epoch, resident.key)
    object_id = os.urandom(16)
    with lane.next() as sealer:
        _, summary = (
            sealer.summary(object_id, content) if compress else raw_summary(sealer, object_id, content)
        )
    body = Sealed(os.urandom(100))
    message = SealedMessage(
        0, object_id, SUMMARY_FLAGS, summary, 1, (body,), 100, digest(summary, 100, body.octets)
    )
    arrival = Arrival(
        resident.account_id, resident.epoch, resident.mailbox_id, lane.sealed, message, resident.chain
    )
    (outcome,) = await h.batch.add(Letter((arrival,), each=True))
    assert isinstance(outcome, Placed)


def raw_summary(sealer: MessageSealer, object_id: bytes, compressed: bytes) -> tuple[int, Sealed]:
    """A SUMMARY record whose compressed content is what somebody wants it to be."""
    context = sealer._context(Kind.SUMMARY, SUMMARY_FLAGS, object_id, frame.DICTIONARY_ID)
    return SUMMARY_FLAGS, Sealed(primitives.seal(sealer._key, context, frame.frame(compressed)))


def honest() -> Summary:
    scanner = Scanner()
    scanner.push(b"Subject: hostile\r\n\r\nx\r\n")
    return summarise(scanner.finish(), internal_date=0, trace_octets=0, provenance=Provenance.DELIVERED)


def first_version(content: bytes) -> bytes:
    """A summary as it was before it had a save date (docs/format.md, "Summaries")."""
    return content[:16] + b"\x01" + content[17:28] + content[36:]


def offsets(*numbers: int) -> bytes:
    return struct.pack(">HIIIII", *numbers)


ZSTD = zstandard.ZstdCompressor(level=19)
CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "noise": os.urandom(100),
    "an offset outside of the body": replace(honest(), parts=offsets(0, 0, 5, 99, 0, 0)).encode(bytes(16)),
    "offsets out of order": replace(honest(), parts=offsets(0, 9, 5, 20, 0, 0)).encode(bytes(16)),
    "an unknown flag": replace(honest(), flags=32).encode(bytes(16)),
    "trace fields longer than the message": replace(honest(), trace_octets=10_000).encode(bytes(16)),
    "a part of an offset": replace(honest(), parts=b"x" * 21).encode(bytes(16)),
    "a version that nobody knows": honest().encode(bytes(16)).replace(b"\x02\x01\0\x01", b"\x03\x01\0\x01"),
    "the first version, cut": first_version(honest().encode(bytes(16)))[:-4],
    "octets left over": honest().encode(bytes(16)) + b"\0",
    "a field too many": honest().encode(bytes(16)) + bytes(4),
    "a preview that is not UTF-8": honest().encode(bytes(16)).replace(b"\0\0\0\1x", b"\0\0\0\1\xff"),
    "more than the cap": replace(honest(), header=os.urandom(300_000)).encode(bytes(16)),
}  # fmt: skip
COMPRESSED: dict[str, bytes] = {
    "a bomb": ZSTD.compress(bytes(1 << 30)),
    "a frame without its size": zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100),
    "two frames": frame.compress_entry(honest().encode(bytes(16))) + frame.compress_entry(b"x"),
    "a skippable frame": struct.pack("<II", 0x184D2A50, 4) + b"skip",
    "a frame of another dictionary": zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(b"other words" * 99)).compress(honest().encode(bytes(16)) * 9),
}  # fmt: skip


@pytest.mark.parametrize("name", [*CONTENTS, *COMPRESSED])
async def test_a_summary_of_a_stranger_is_put_aside(sqlite: Database, tmp_path: Path, name: str) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(b"Subject: before\r\n\r\n")
        await hostile(h, CONTENTS.get(name) or COMPRESSED.get(name, b""), compress=name in CONTENTS)
        await h.deliver(b"Subject: after\r\n\r\n")
        account = await h.unlock()
        await account.absorb(await h.inbox(account))
        assert [uid for _, uid, _ in await account.quarantined()] == [2]
        assert list(await h.read_all(account)) == [1, 3]
        account.close()


async def test_a_well_made_summary_is_shown(sqlite: Database, tmp_path: Path) -> None:
    """The control of the test above: it is what is wrong that puts a summary aside."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await hostile(h, honest().encode(bytes(16)))
        account = await h.unlock()
        await account.absorb(await h.inbox(account))
        assert await account.quarantined() == []
        with pytest.raises(UnsealError):  # its body was sealed by another lane
            await h.read_all(account)
        account.close()


@pytest.mark.parametrize("absorbed", [False, True])
async def test_what_has_no_save_date_was_saved_at_its_internal_date(
    sqlite: Database, tmp_path: Path, absorbed: bool
) -> None:
    """Pendings sealed by a mailstead that knew no save date."""
    made = replace(honest(), internal_date=12345, save_date=67890)
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await hostile(h, first_version(made.encode(bytes(16))))
        await hostile(h, made.encode(bytes(16)))
        account = await h.unlock()
        inbox = await h.inbox(account)
        if absorbed:
            assert await account.absorb(inbox) == 2
        found = [message.a async for message in account.messages(inbox)]
        assert [(a.internal_date, a.save_date) for a in found] == [(12345, 12345), (12345, 67890)]
        assert await account.quarantined() == []
        account.close()


async def test_keywords_of_a_stranger_do_not_stop_the_others(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(b"Subject: before\r\n\r\n")
        many = tuple(f"keyword{n:03}" for n in range(256))
        await hostile(h, replace(honest(), keywords=many).encode(bytes(16)))
        await hostile(h, replace(honest(), keywords=("x" * 256,)).encode(bytes(16)))
        await hostile(
            h, replace(honest(), keywords=tuple("x" * 250 + f"{n:03}" for n in range(250))).encode(bytes(16))
        )
        account = await h.unlock()
        assert await account.absorb(await h.inbox(account)) == 4
        assert [m.uid async for m in account.messages(await h.inbox(account))] == [1, 2, 3, 4]
        account.close()


def test_an_entry_always_fits_into_its_page() -> None:
    noise = base64.b64encode(os.urandom(60_000))
    a = EntryA(1, 2, 3, 4, b"o" * 16, compressed_a(noise))
    assert unpack_a(pack_a(a)) == a
    assert a.envelope == b""

    def entry(described: Described) -> EntryB:
        compressed, whole = compressed_b(described, header_whole=True)
        made = EntryB(b"o" * 16, b"k" * 32, b"l" * 16, 7, 3, bytes(32), 1, whole, compressed)
        assert unpack_b(pack_b(made)) == made
        return made

    b = entry(Described(noise, noise, noise, noise[:40_000]))
    assert (b.described, b.header_whole) == (Described(b"", b"", b"", b""), False)
    only_header = entry(Described(b"s", b"", b"p", noise))
    assert (only_header.described, only_header.header_whole) == (Described(b"s", b"", b"p", b""), False)
    small = Described(b"s", b"", b"p", noise[:9000])
    assert (entry(small).described, entry(small).header_whole) == (small, True)
    largest = max(len(pack_a(a)), len(pack_b(b)), entries.ENTRY_CAP)
    assert 4 + 256 * (12 + largest) <= PAGE_CAP


@pytest.mark.parametrize(("compress", "as_it_is"), [("none", True), ("large", True), ("all", False)])
async def test_what_came_uncompressed_stays_so(
    database: Database, tmp_path: Path, compress: str, as_it_is: bool
) -> None:
    sent = b"Subject: the same words, the same words\r\n\r\nthe same words, the same words\r\n"
    async with house(database, tmp_path, compress=compress) as h:
        await h.move_in()
        await h.deliver(sent)
        flags = await database.read(lambda tx: tx.execute("SELECT summary_flags FROM pending"))
        assert flags == [(1,)] if as_it_is else [(7,)]
        account = await h.unlock()
        inbox = await h.inbox(account)
        assert list((await h.read_all(account)).values()) == [sent]
        await account.absorb(inbox)
        assert list((await h.read_all(account)).values()) == [sent]
        message = await account.locate(inbox, Uid(1))
        for packed in (message.a.compressed, message.b.compressed):
            found = zstandard.get_frame_parameters(packed)
            assert (found.dict_id == 0) is as_it_is
            assert (len(packed) == found.content_size + 12) is as_it_is
        assert b"the same words" in message.a.envelope
        assert message.b.described.preview == b"the same words, the same words"
        account.close()
