"""DEFLATE in both directions: cut anywhere, never more than is asked for, and never for nothing."""

import asyncio
import zlib
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.net.deflate import (
    BARREN_OCTETS,
    PIECE_OCTETS,
    QUIET_SECONDS,
    SLICE_OCTETS,
    Deflater,
    Garbled,
    Inflater,
)

EMPTY_BLOCK = b"\0\0\0\xff\xff"


def deflated(octets: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return made.compress(octets) + made.flush(mode)


def inflated(inflater: Inflater, chunks: list[bytes]) -> bytes:
    """What *chunks* say, fed as the wire feeds them."""
    whole = b""
    for chunk in chunks:
        while not inflater.hungry:
            whole += _piece(inflater)
        inflater.feed(chunk)
    while not inflater.hungry and not inflater.ended:
        whole += _piece(inflater)
    return whole


def _piece(inflater: Inflater) -> bytes:
    found = inflater.next()
    assert len(found) <= PIECE_OCTETS
    return found


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({p % (len(octets) + 1) for p in places} | {len(octets)})
    return [octets[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < b]


@given(st.lists(st.binary(max_size=300) | st.integers(1, 200_000).map(bytes)), st.lists(st.integers(0)))
def test_cut_anywhere_it_is_the_same(parts: list[bytes], places: list[int]) -> None:
    whole = b"".join(parts)
    assert inflated(Inflater(), cut(deflated(whole), places)) == whole


def test_octet_by_octet_and_from_the_first() -> None:
    whole = b"a NOOP\r\n" * 50
    octets = deflated(whole)
    assert inflated(Inflater(), [octets[n : n + 1] for n in range(len(octets))]) == whole
    assert inflated(Inflater(octets[:7]), [octets[7:]]) == whole


def test_what_zlib_holds_back_is_had_without_more_input() -> None:
    octets = deflated(b"x" * (PIECE_OCTETS + 300))
    for end in range(len(octets)):
        whole = zlib.decompressobj(-15).decompress(octets[:end])
        assert inflated(Inflater(), [octets[:end]]) == whole, end


def test_a_bomb_goes_off_a_piece_at_a_time() -> None:
    inflater = Inflater(bomb := deflated(bytes(100 << 20)))
    assert len(bomb) < 110_000
    for _ in range(64):
        assert inflater.next() == bytes(PIECE_OCTETS)
        assert len(inflater._zlib.unconsumed_tail) <= SLICE_OCTETS
    assert not inflater.hungry


def test_nothing_is_counted_and_something_is_not() -> None:
    inflater = Inflater()
    much = EMPTY_BLOCK * (BARREN_OCTETS // len(EMPTY_BLOCK))
    for _ in range(3):
        assert inflated(inflater, [much, deflated(b"x")]) == b"x", "what says something begins anew"
    with pytest.raises(Garbled, match="nothing"):
        inflated(inflater, [much, EMPTY_BLOCK])


@pytest.mark.parametrize(
    "octets", [b"\x07", b"a NOOP\r\n" * 9, deflated(b"x") + b"\xff\xff", EMPTY_BLOCK[:3] + b"xx"]
)
def test_what_is_not_deflate(octets: bytes) -> None:
    with pytest.raises(Garbled):
        inflated(Inflater(), [octets])


def test_behind_the_last_block_nothing_counts() -> None:
    inflater = Inflater(deflated(b"a LOGOUT\r\n", zlib.Z_FINISH) + deflated(b"b NOOP\r\n"))
    assert inflater.next() == b"a LOGOUT\r\n"
    assert inflater.ended
    assert inflater.next() == b""


class Loop:
    """What a deflater asks of the loop, done when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.cancelled = 0

    def call_soon(self, act: Callable[[], None]) -> None:
        self.soon.append(act)

    def call_later(self, seconds: float, act: Callable[[], None]) -> "Loop":
        self.later.append((seconds, act))
        return self

    def cancel(self) -> None:
        self.cancelled += 1

    def turn(self) -> None:
        due, self.soon = self.soon, []
        for act in due:
            act()

    def wait(self) -> None:
        ((seconds, act),) = self.later
        self.later = []
        assert seconds == QUIET_SECONDS
        act()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def sent() -> list[bytes]:
    return []


@pytest.fixture
def deflater(loop: Loop, sent: list[bytes]) -> Deflater:
    # It is asked for call_soon and call_later only.
    return Deflater(cast("asyncio.AbstractEventLoop", loop), sent.append)


def test_one_flush_for_all_that_is_written_in_one_turn(
    deflater: Deflater, loop: Loop, sent: list[bytes]
) -> None:
    peer = zlib.decompressobj(-15)
    for n in range(100):
        deflater.write(b"* %d EXISTS\r\n" % n)
    assert sent == []
    loop.turn()
    assert len(sent) == 1
    assert peer.decompress(sent.pop()) == b"".join(b"* %d EXISTS\r\n" % n for n in range(100))
    deflater.write(b"a OK\r\n")
    deflater.flush()
    loop.turn()
    assert [peer.decompress(s) for s in sent] == [b"a OK\r\n"], "flushed already"


def test_much_is_not_kept_until_the_flush(deflater: Deflater, sent: list[bytes]) -> None:
    octets = b"".join(b"%d " % (n * n) for n in range(100_000))
    deflater.write(octets)
    assert len(zlib.decompressobj(-15).decompress(b"".join(sent))) > len(octets) - (32 << 10)


def test_who_is_quiet_keeps_nothing_and_the_stream_goes_on(
    deflater: Deflater, loop: Loop, sent: list[bytes]
) -> None:
    peer = zlib.decompressobj(-15)
    heard = b""
    for pause in (1, 2, 3):
        for _ in range(2):
            deflater.write(b"* OK Still here\r\n")
            loop.turn()
        for _ in range(pause):
            if loop.later:
                loop.wait()
        assert (deflater._zlib is None) is (pause > 1)
        heard += b"".join(peer.decompress(s) for s in sent)
        sent.clear()
    assert heard == b"* OK Still here\r\n" * 6


def test_behind_the_end_no_timer_runs(deflater: Deflater, loop: Loop, sent: list[bytes]) -> None:
    deflater.write(b"x")
    deflater.stop()
    assert loop.cancelled == 1
    loop.turn()
    assert sent == []


@pytest.mark.parametrize("mode", [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 10_000])
def test_what_is_behind_a_flush_is_not_inflated_yet(mode: int, step: int) -> None:
    inflater = Inflater()
    octets = deflated(b"a UNAUTHENTICATE\r\n" + bytes(5000), mode) + b"b NOOP\r\n"
    found = b""
    at = 0
    while not inflater.settled:
        if inflater.hungry:
            inflater.feed(octets[at : at + step])
            at += step
        found += inflater.next()
    assert found == b"a UNAUTHENTICATE\r\n" + bytes(5000)
    assert inflater.behind + octets[at:] == b"b NOOP\r\n"
