"""UTF8=ACCEPT (RFC 6855): names and messages in UTF-8, from ENABLE on."""

from pathlib import Path

from mailstead.store.database import Database
from tests.support.imap import imap_worker

MESSAGE = "Subject: Grüße\r\nFrom: Jürgen <jürgen@exämple.test>\r\n\r\nä\r\n".encode()
NAME = "Entwürfe/日本語 & mehr"


async def test_mailbox_names_are_utf_8_from_then_on(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, old = await w.login(), await w.login()
        await old.ok(b'CREATE "Entw&APw-rfe/&ZeVnLIqe- &- mehr"')
        assert (await client.ok(b"ENABLE UTF8=ACCEPT")).untagged == [b"* ENABLED UTF8=ACCEPT"]
        quoted = b'"%b"' % NAME.encode()
        said = await client.ok(b'LIST "" "Entw*"')
        assert any(line.endswith(quoted) for line in said.untagged)
        assert (await client.ok(b"STATUS %b (MESSAGES)" % quoted)).untagged == [
            b"* STATUS %b (MESSAGES 0)" % quoted
        ]
        await client.ok(b"SELECT " + quoted)
        await client.ok(b'CREATE "a&-b"')
        said = await old.ok(b'LIST "" "a*"')
        assert said.untagged[-1].endswith(b'"a&--b"'), "an ampersand is one"
        assert (await client.no(b'CREATE "\xff\xfe"')).code == b"CANNOT"
        await client.bad(b"SEARCH CHARSET UTF-8 ALL")
        await client.ok('SEARCH SUBJECT "Grüße"'.encode())


async def test_a_message_in_utf_8_is_appended(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        assert (await client.bad(b"APPEND INBOX UTF8 (~{%d}" % len(MESSAGE), b"")).text
        await client.ok(b"ENABLE UTF8=ACCEPT")
        await client.ok(b"APPEND INBOX (\\Seen) UTF8 (~{%d}" % len(MESSAGE), MESSAGE, b")")
        tag = client.begin(b"APPEND INBOX UTF8 (~{%d+}\r\n" % len(MESSAGE), MESSAGE + b")")
        assert (await client.end(tag)).status == b"OK"
        assert await client.body(1) == await client.body(2) == MESSAGE
        for text, rest in ((b"UTF8 (~{%d}", b""), (b"UTF8 (~{%d}", b"))"), (b"{%d}", b")")):
            said = await client.command(b"APPEND INBOX " + text % len(MESSAGE), MESSAGE, rest)
            assert said.status == b"BAD", (text, rest)
        await client.bad(b"APPEND INBOX UTF8 ({%d}" % len(MESSAGE))
        assert await client.uids() == [1, 2]
