"""Messages whose summary had no room for their header, envelope, structure or parts."""

from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.imap import imap_worker

LONG_HEADER = (
    b"Subject: long\r\nFrom: a@a.test\r\n" + b"X-Pad: %b\r\n" % (b"y" * 900) * 50 + b"\r\ntext here\r\n"
)
MANY_NAMES = (
    b"Subject: many\r\nTo: " + b",\r\n ".join(b"n%d@a.test" % n for n in range(950)) + b"\r\n\r\nx\r\n"
)
LONG_NAMES = (
    b"Subject: n\r\n"
    + b"".join(
        b"%b: %b\r\n" % (field, b",\r\n ".join(b'"%b" <n%d@a.test>' % (b"z" * 60, n) for n in range(300)))
        for field in (b"From", b"To", b"Cc", b"Reply-To")
    )
    + b"\r\nx\r\n"
)
MANY_PARTS = (
    b'Subject: parts\r\nContent-Type: multipart/mixed; boundary="="\r\n\r\n'
    + b"".join(b"--=\r\nContent-Type: text/plain\r\n\r\npart %d\r\n" % n for n in range(1500))
    + b"--=--\r\n"
)  # fmt: skip


@pytest.mark.parametrize("absorbed", [True, False])
@pytest.mark.parametrize("octets", [LONG_HEADER, MANY_NAMES, LONG_NAMES, MANY_PARTS], ids="hnlp")
async def test_they_are_answered_from_the_body(
    sqlite: Database, tmp_path: Path, octets: bytes, absorbed: bool
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(octets)
        if absorbed:
            account = await w.house.unlock()
            await account.absorb(await w.house.inbox(account))
            account.close()
        header, _, text = octets.partition(b"\r\n\r\n")
        assert await client.body(1) == octets
        assert await client.body(1, b"BODY.PEEK[HEADER]") == header + b"\r\n\r\n"
        assert await client.body(1, b"BODY.PEEK[TEXT]") == text
        subject = header.partition(b"\r\n")[0]
        assert await client.body(1, b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]") == subject + b"\r\n\r\n"
        envelope = await client.item(1, b"ENVELOPE")
        assert b'"%b"' % subject[9:] in envelope
        assert (b"n299" in envelope) == (octets in (MANY_NAMES, LONG_NAMES))
        assert (await client.item(1, b"BODYSTRUCTURE")).count(b"(") >= (1000 if octets is MANY_PARTS else 1)
        assert (await client.item(1, b"BODY")).count(b"(") >= (1000 if octets is MANY_PARTS else 1)
        if octets is MANY_PARTS:
            assert await client.body(1, b"BODY.PEEK[900]") == b"part 899"
        assert (await client.ok(b"SEARCH SUBJECT %b" % subject[9:])).untagged == [b"* SEARCH 1"]
        assert (await client.ok(b"SEARCH HEADER X-None x")).untagged == [b"* SEARCH"]
        assert (await client.ok(b'SEARCH TEXT "no such thing"')).untagged == [b"* SEARCH"]
