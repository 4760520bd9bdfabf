"""Long commands tell how far they have come (RFC 9585), on virtual time and a slow disk."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailstead.services.imap.progress import EVERY, Progress
from tests.services.imap.test_session import LOGIN, on_virtual_time
from tests.simulation.simulator import FailingDatabase, VirtualHands, VirtualLoop
from tests.simulation.test_reception import image
from tests.support.virtual import Connect, Peer

__all__ = ["image"]

MESSAGES = 5
TAG = b"a.!#$&',-/:;<=>?@[^_`|}~9"  # as special as a tag can be
_LINE = re.compile(rb'\* OK \[INPROGRESS \("([^"]+)" (\d+) (\d+|NIL)\)\] [A-Za-z ]+')


@dataclass
class Disk:
    """Every read takes so many seconds; writes take none to speak of."""

    seconds: float = 0.0
    database: FailingDatabase | None = None


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made, read = Disk(), FailingDatabase.read

    async def slowly(self: FailingDatabase, work: Any) -> Any:
        made.database = self
        if made.seconds:
            await asyncio.sleep(made.seconds)
        return await read(self, work)

    def at_once(self: VirtualHands) -> None:
        asyncio.get_running_loop().call_later(0.001, self._run)

    monkeypatch.setattr(FailingDatabase, "read", slowly)
    monkeypatch.setattr(VirtualHands, "_later", at_once)
    return made


async def filled(connect: Connect, disk: Disk) -> Peer:
    """Who has five messages, each in a row of its own."""
    peer = connect()
    await peer.say(LOGIN)
    for n in range(MESSAGES):
        message = b"Subject: s%d\r\n\r\nbody %d\r\n" % (9 - n, n)
        await ask(peer, b"p", b"APPEND INBOX {%d+}\r\n%b" % (len(message), message))
        assert disk.database is not None
        list(disk.database.connection.execute("UPDATE mailbox SET uid_next = uid_next + 299"))
    said = await ask(peer, b"s", b"SELECT INBOX")
    assert b"* 5 EXISTS" in said
    return peer


async def ask(peer: Peer, tag: bytes, command: bytes) -> bytes:
    """All that is heard until the answer to a command, however long it takes."""
    peer.heard = b""
    peer.link.send(b"%b %b\r\n" % (tag, command))
    await answered(peer, tag)
    return peer.heard


async def answered(peer: Peer, tag: bytes) -> None:
    for _ in range(100_000):
        if re.search(rb"(\A|\n)%b (OK|NO|BAD) .*\r\n\Z" % re.escape(tag), peer.heard):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(peer.heard)


@pytest.mark.parametrize(
    ("command", "goal", "wanted"),
    [
        (b"SEARCH BODY body", b"5", b"* SEARCH 1 2 3 4 5"), (b"UID SEARCH TEXT none", b"5", b"* SEARCH"),
        (b"SEARCH SUBJECT s", b"5", b"* SEARCH 1 2 3 4 5"), (b"SEARCH UNSEEN", b"5", b"* SEARCH 1 2 3 4 5"),
        (b"SORT (SUBJECT) UTF-8 BODY body", b"NIL", b"* SORT 5 4 3 2 1"), (b"SORT (SUBJECT) UTF-8 ALL", b"NIL", b"* SORT 5 4 3 2 1"),
        (b"UID SORT RETURN (COUNT) (SUBJECT) UTF-8 ALL", b"NIL", b'* ESEARCH (TAG "%b") UID COUNT 5' % TAG),
        (b"THREAD REFERENCES UTF-8 ALL", b"NIL", b"* THREAD (1)(2)(3)(4)(5)"),
        (b"ESEARCH IN (personal) RETURN (COUNT) BODY body", b"5", None),
        (b"COPY 1:5 INBOX", b"5", None), (b"MOVE 1:5 Archive", b"5", None),
    ],
)  # fmt: skip
def test_every_ten_seconds(
    image: bytes, tmp_path: Path, disk: Disk, command: bytes, goal: bytes, wanted: bytes | None
) -> None:
    async def act(connect: Connect) -> None:
        peer = await filled(connect, disk)
        disk.seconds = 4.3
        world = peer.link._world
        said_before, begun = len(world.said), asyncio.get_running_loop().time()
        heard = await ask(peer, TAG, command)
        took = asyncio.get_running_loop().time() - begun
        lines = heard.removesuffix(b"\r\n").split(b"\r\n")
        told = [match.groups() for line in lines if (match := _LINE.fullmatch(line))]
        assert heard.count(b"INPROGRESS") == len(told) >= 1, "each is a response of its own"
        assert {(tag, total) for tag, _, total in told} == {(TAG, goal)}
        done = [int(count) for _, count, _ in told]
        assert done == sorted(done)
        assert goal == b"NIL" or done[-1] < int(goal)
        assert (done[-1] > 0) == any(
            word in command for word in (b"BODY", b"TEXT", b"UTF-8", b"SEARCH SUBJECT")
        )
        assert (done[-1] > MESSAGES) == (b"UTF-8" in command), "sorting reads them, too"
        if wanted is not None:
            assert next(line for line in lines if not _LINE.fullmatch(line)) == wanted, "in one piece"
        at = [when - begun for when, _, who, octets in world.said[said_before:] if b"INPROGRESS" in octets]
        assert len(at) == len(told)
        assert all(
            second - first >= EVERY - 1e-6 for first, second in zip([at[0] - EVERY, *at], at, strict=False)
        )
        begins = disk.seconds if b"ESEARCH" in command else 0.0  # it has to know how many there are
        assert EVERY <= at[0] - begins < EVERY + 1
        assert len(told) >= (took - EVERY - 5) // EVERY, "what is new is told behind it"
        peer.heard, disk.seconds = b"", 0.0
        await asyncio.sleep(100)
        assert peer.heard == b"", "it is over"
        assert (await peer.say(b"z NOOP\r\n")).endswith(b"z OK Completed\r\n")

    on_virtual_time(image, tmp_path, act)


def test_what_takes_no_time_is_not_told_of(image: bytes, tmp_path: Path, disk: Disk) -> None:
    async def act(connect: Connect) -> None:
        peer = await filled(connect, disk)
        heard = b""
        for command in (b"CAPABILITY", b"SEARCH BODY body", b"SORT (DATE) UTF-8 ALL", b"COPY 1 Archive"):
            await ask(peer, b"q", command)
            await asyncio.sleep(30)
            heard += peer.heard
        assert b" INPROGRESS" in heard, "it is advertised"
        assert b"[INPROGRESS" not in heard

    on_virtual_time(image, tmp_path, act)


def alone(act: Callable[[], Awaitable[None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(act())
    finally:
        loop.close()


def test_it_is_as_often_as_recommended() -> None:
    """RFC 9585 section 4."""
    assert 10 <= EVERY <= 15


def test_it_ends_with_the_command_whatever_becomes_of_it() -> None:
    async def act() -> None:
        said: list[bytes] = []
        progress = Progress(said.append)
        for _ in range(2):
            with pytest.raises(ValueError, match="x"), progress.of(b"a", 10):
                progress.step(3)
                await asyncio.sleep(2.5 * EVERY)
                raise ValueError("x")
            assert said == [b'* OK [INPROGRESS ("a" 3 10)] Still at it\r\n'] * 2, "counted anew"
            said.clear()
            await asyncio.sleep(10 * EVERY)
            assert said == []
        progress.step(5)
        with progress.of(b"b"):
            progress.step(1)
            progress.step(2)
            await asyncio.sleep(EVERY + 1)
        assert said == [b'* OK [INPROGRESS ("b" 3 NIL)] Still at it\r\n']

    alone(act)


def test_waiting_for_others_is_told_of_too(image: bytes, tmp_path: Path, disk: Disk) -> None:
    """A COPY waits while another one writes: its client hears that it is not forgotten."""

    async def act(connect: Connect) -> None:
        first = await filled(connect, disk)
        second = connect()
        await second.say(LOGIN)
        await ask(second, b"s", b"SELECT INBOX")
        disk.seconds = 6.0
        first.link.send(b"c COPY 1:5 Archive\r\n")
        await asyncio.sleep(1)
        second.link.send(b"d COPY 1 Archive\r\n")
        await answered(first, b"c")
        assert b'[INPROGRESS ("d" 0 1)]' in second.heard
        await answered(second, b"d")
        disk.seconds = 0.0
        assert b"COPYUID" in second.heard

    on_virtual_time(image, tmp_path, act)
