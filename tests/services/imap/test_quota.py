"""QUOTA (RFC 9208), PREVIEW (RFC 8970) and WITHIN (RFC 5032)."""

from pathlib import Path

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.fetch import Fetch, Item
from mailstead.imap.quota import GetQuota, GetQuotaRoot
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.uidset import SeqSet
from mailstead.store.database import Database
from tests.support.imap import imap_worker

PLAIN = b"Subject: one\r\n\r\n  the text\r\nof it\r\n"
LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b'G0001 GETQUOTA "!partition/sda4"', GetQuota(b"!partition/sda4")),
        (b'a GETQUOTA ""', GetQuota(b"")),
        (b"G0002 GETQUOTAROOT INBOX", GetQuotaRoot("INBOX")),
        (b"a FETCH 1 (PREVIEW (LAZY) UID)", Fetch(SeqSet([(1, 1)]), (Item.PREVIEW, Item.UID))),
        (b"a FETCH 1 PREVIEW", Fetch(SeqSet([(1, 1)]), (Item.PREVIEW,))),
    ],
)  # fmt: skip
def test_commands(line: bytes, command: object) -> None:
    assert parse((line,)) == command


@pytest.mark.parametrize(
    "line",
    [b"a GETQUOTA", b"a GETQUOTAROOT", b"a FETCH 1 PREVIEW (SLOW)", b"a SEARCH OLDER 0", b"a SEARCH YOUNGER"],
)
def test_what_is_none(line: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((line,))


async def test_a_quota_is_told_in_units_of_1024(database: Database, tmp_path: Path) -> None:
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in(quota=LIMIT)
        client = await w.login()
        said = await client.ok(b"GETQUOTAROOT INBOX")
        assert said.untagged == [b'* QUOTAROOT "INBOX" ""', b'* QUOTA "" (STORAGE 0 1024)']
        await client.append(PLAIN)
        (line,) = (await client.ok(b'GETQUOTA ""')).untagged
        assert line == b'* QUOTA "" (STORAGE 1 1024)'
        assert (await client.no(b"GETQUOTA other")).code == b"NONEXISTENT"
        assert (await client.no(b"GETQUOTAROOT nowhere")).code == b"NONEXISTENT"
        await client.bad(b'SETQUOTA "" (STORAGE 1)')


async def test_without_a_limit_nothing_is_limited(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        assert (await client.ok(b'GETQUOTA ""')).untagged == [b'* QUOTA "" ()']


async def test_what_an_expunge_would_free(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        for n in range(4):
            await client.append(PLAIN + b"x" * n)
        assert (await client.ok(b"STATUS INBOX (DELETED-STORAGE)")).untagged == [
            b'* STATUS "INBOX" (DELETED-STORAGE 0)'
        ]
        await client.ok(rb"STORE 2,4 +FLAGS.SILENT (\Deleted)")
        (line,) = (await client.ok(b"STATUS INBOX (DELETED-STORAGE MESSAGES)")).untagged
        assert line == b'* STATUS "INBOX" (DELETED-STORAGE %d MESSAGES 4)' % (2 * len(PLAIN) + 4)


async def test_how_a_message_begins_and_how_old_it_is(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(PLAIN, options=b'"17-Jul-1996 02:44:25 -0700" ')
        await client.append(b"Subject: nothing else\r\n\r\n")
        said = await client.ok(b"FETCH 1:2 (PREVIEW (LAZY))")
        assert said.untagged[-2:] == [b'* 1 FETCH (PREVIEW "the text of it")', b'* 2 FETCH (PREVIEW "")']
        for search, found in (
            (b"YOUNGER 3600", b" 2"), (b"OLDER 3600", b" 1"), (b"NOT YOUNGER 3600", b" 1"), (b"OLDER 3600 YOUNGER 9", b""),
        ):  # fmt: skip
            assert (await client.ok(b"SEARCH " + search)).untagged[-1] == b"* SEARCH" + found, search
