"""App passwords over IMAP: one that may only read changes nothing, and one that may only send gets nowhere."""

from base64 import b64encode
from pathlib import Path

from mailstead.crypto.slots import READ_ONLY, SUBMIT_ONLY
from mailstead.store.database import Database
from tests.accounts.test_apppasswords import changeable
from tests.support.imap import Client, ImapWorker, imap_worker

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


async def connected(w: ImapWorker) -> Client:
    client = w.connect()
    await client.response()
    return client


async def test_one_for_all_is_as_good_as_the_password(database: Database, tmp_path: Path) -> None:
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(MESSAGE)
        password = await w.house.app()
        client = await connected(w)
        await client.ok(b"LOGIN ann " + password)
        assert (await client.select()).code == b"READ-WRITE"
        await client.ok(b"STORE 1 +FLAGS (\\Flagged)")
        await client.append(MESSAGE)
        assert (await client.ok(b"MYRIGHTS INBOX")).untagged == [b'* MYRIGHTS "INBOX" lrswipkxtecda']
        client = await connected(w)
        await client.ok(b"AUTHENTICATE PLAIN " + b64encode(b"\0ann@b.test\0" + password))
        await client.select()
        assert await client.flags(1) >= {b"\\Flagged"}


async def test_what_only_reads_is_told_so_and_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        await w.house.deliver(MESSAGE)
        client = await connected(w)
        await client.ok(b"LOGIN ann " + await w.house.app(scope=READ_ONLY))
        owner = await w.login()
        await owner.ok(b"STORE 1 +FLAGS (\\Deleted)")
        await owner.ok(b"LOGOUT")
        before = await sqlite.read(changeable)
        said = await client.select()
        assert said.code == b"READ-ONLY"
        assert said.having(b"PERMANENTFLAGS") == [b"* OK [PERMANENTFLAGS ()] Read-only mailbox"]
        assert await client.body(1, b"BODY[]") is not None
        assert b"\\Seen" not in await client.flags(1), "not even that it was read"
        for command in (
            b"STORE 1 +FLAGS (\\Seen)", b"UID STORE 1 FLAGS.SILENT ()", b"EXPUNGE", b"UID EXPUNGE 1", b"COPY 1 Trash",
            b"UID COPY 1 Trash", b"MOVE 1 Trash", b"UID MOVE 1 Trash", b"CREATE x", b"CREATE x (USE (\\Archive))",
            b"DELETE Trash", b"RENAME Trash x", b"RENAME INBOX x", b"SUBSCRIBE x", b"UNSUBSCRIBE INBOX",
            b'SETMETADATA INBOX (/private/comment "x")', b'SETMETADATA "" (/private/comment "x")',
            b"SETACL INBOX bob lr", b"DELETEACL INBOX bob",
        ):  # fmt: skip
            said = await client.no(command)
            assert said.code in (b"READ-ONLY", b"NOPERM", b"CANNOT"), (command, said)
        said = await client.no(b"APPEND INBOX {%d}" % len(MESSAGE), MESSAGE)
        assert said.text == b"[NOPERM] This login may only read"
        said = await client.no(b"APPEND INBOX {%d+}\r\n%b" % (len(MESSAGE), MESSAGE))
        assert said.code == b"NOPERM"
        said = await client.no(b"REPLACE 1 INBOX {%d+}\r\n%b" % (len(MESSAGE), MESSAGE))
        assert said.code in (b"READ-ONLY", b"NOPERM")
        assert (await client.ok(b"MYRIGHTS INBOX")).untagged == [b'* MYRIGHTS "INBOX" lr']
        listed = await client.ok(b'LIST "" INBOX RETURN (MYRIGHTS)')
        assert listed.having(b"MYRIGHTS") == [b'* MYRIGHTS "INBOX" lr']
        await client.ok(b"CHECK")
        await client.ok(b"CLOSE")
        await client.ok(b"SELECT INBOX")
        await client.ok(b"UNSELECT")
        assert await sqlite.read(changeable) == before
        assert (await client.ok(b"EXAMINE INBOX")).code == b"READ-ONLY"
        assert await client.uids() == [1]


async def test_it_hears_of_news_all_the_same(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await connected(w)
        await client.ok(b"LOGIN ann " + await w.house.app(scope=READ_ONLY))
        await client.select()
        await w.house.deliver(MESSAGE)
        assert (await client.ok(b"NOOP")).having(b"EXISTS") == [b"* 1 EXISTS"]
        owner = await w.login(None)
        assert (await owner.select()).having(b"RECENT") == [b"* 1 RECENT"], "nobody took that from its owner"


async def test_what_only_sends_is_refused_in_words(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        password = await w.house.app(scope=SUBMIT_ONLY)
        client = await connected(w)
        said = await client.no(b"LOGIN ann " + password)
        assert said.text == b"[NOPERM] This app password is for sending mail only"
        await client.no(b"LOGIN ann " + password[:-1] + b"a")
        await client.ok(b'LOGIN ann "correct horse battery staple"')
