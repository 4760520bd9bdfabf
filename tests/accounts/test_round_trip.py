"""What was sent is what its owner reads, octet by octet, on both engines."""

import random
from pathlib import Path

import pytest

from mailstead.errors import MailError, Reason, Refused
from mailstead.store.database import Database
from tests.support.house import PASSWORD, house

CORPUS = Path(__file__).parent.parent / "corpus"


def generated(seed: int) -> bytes:
    """A message of any shape: sizes around every boundary, dots, long lines, all octets but CR, LF, NUL."""
    rng = random.Random(seed)
    size = rng.choice([0, 1, 10, 1000, 16300, 16384, 65400, 65535, 65536, 65537, 131072, 300_000])
    octets = bytearray(f"Subject: message {seed}\r\n\r\n".encode())
    while len(octets) < size:
        line = bytes(rng.choice(b"abc .-=") for _ in range(min(rng.randint(0, 120), 990)))
        octets += rng.choice([line, line, b".", b"..", bytes(range(128, 256))]) + b"\r\n"
    return bytes(octets)


async def test_corpus_and_generated_messages_come_back(database: Database, tmp_path: Path) -> None:
    messages = [generated(seed) for seed in range(60)]
    for path in sorted(p for p in CORPUS.rglob("*") if p.is_file() and p.name != "COPYING"):
        octets = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        messages.append(octets)
    async with house(database, tmp_path) as h:
        await h.move_in()
        for octets in messages:
            (outcome,) = await h.deliver(octets, pieces=7001)
            assert isinstance(outcome, str), outcome
        account = await h.unlock()
        before = await h.read_all(account)
        assert list(before.values()) == messages
        inbox = await h.inbox(account)
        assert await account.absorb(inbox) == len(messages)
        assert await h.read_all(account) == before
        assert (await account.status(inbox)).messages == len(messages)
        account.close()


async def test_large_message_is_written_ahead_and_read_in_part(database: Database, tmp_path: Path) -> None:
    rng = random.Random(7)
    octets = b"Subject: large\r\n\r\n" + b"".join(
        rng.randbytes(48).hex().encode() + b"\r\n" for _ in range(60_000)
    )
    async with house(database, tmp_path) as h:
        await h.move_in()
        assert isinstance((await h.deliver(octets))[0], str)
        account = await h.unlock()
        (found,) = [m async for m in account.messages(await h.inbox(account))]
        whole = b"".join([piece async for piece in account.read(found.body)])
        assert whole[found.a.trace_octets :] == octets
        for start, stop in ((0, 1), (65535, 65537), (1_000_000, 1_000_100), (len(whole) - 5, len(whole))):
            part = b"".join([piece async for piece in account.read(found.body, start, stop)])
            assert part == whole[start:stop], (start, stop)
        account.close()
    assert not list((tmp_path / "spool").iterdir())


async def test_nothing_at_all_and_as_much_as_is_allowed(sqlite: Database, tmp_path: Path) -> None:
    line = random.Random(3).randbytes(1 << 20).hex().encode()
    lines = b"\r\n".join(line[at : at + 998] for at in range(0, len(line), 998)) + b"\r\n"
    limit = 50 << 20
    largest = b"Subject: largest\r\n\r\n" + lines * (limit // len(lines))
    largest += b"x" * (limit - len(largest) - 2) + b"\r\n"
    assert len(largest) == limit
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        for octets in (b"", b"\r\n", b"x", largest):
            assert isinstance((await h.deliver(octets))[0], str)
        account = await h.unlock()
        assert list((await h.read_all(account)).values()) == [b"", b"\r\n", b"x", largest]
        await account.absorb(await h.inbox(account))
        assert list((await h.read_all(account)).values()) == [b"", b"\r\n", b"x", largest]
        account.close()


async def test_one_copy_for_two_addresses_of_one_account(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        outcomes = await h.deliver(b"Subject: x\r\n\r\n", "ann@b.test", "postmaster@b.test", "abuse@b.test")
        assert len(outcomes) == 3
        account = await h.unlock()
        assert len(await h.read_all(account)) == 1
        account.close()


async def test_all_or_none_for_smtp_and_each_for_lmtp(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in("ann@b.test")
        await h.move_in("ben@b.test", quota=3000)
        big = b"Subject: big\r\n\r\n" + random.Random(1).randbytes(4000).hex().encode() + b"\r\n"
        smtp = await h.deliver(big, "ann@b.test", "ben@b.test")
        assert [e.reason for e in smtp if isinstance(e, MailError)] == [Reason.OVER_QUOTA] * 2
        ann = await h.unlock("ann@b.test")
        assert await h.read_all(ann) == {}
        lmtp = await h.deliver(big, "ann@b.test", "ben@b.test", each=True)
        assert isinstance(lmtp[0], str)
        assert isinstance(lmtp[1], MailError)
        assert await h.read_all(ann) == {1: big}
        ann.close()


async def test_wrong_password_and_unknown_user_are_one_error(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        for address, password in (("ann@b.test", b"wrong"), ("nobody@b.test", PASSWORD)):
            with pytest.raises(Refused) as caught:
                await h.unlock(address, password)
            assert caught.value.reason is Reason.LOGIN_FAILED
