"""What goes with the lines of an extended LIST: STATUS (RFC 5819), MYRIGHTS (RFC 8440) and METADATA (RFC 9590)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailstead.accounts.status import Statuses
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.crypto.sealed import Kind
from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def lines(client: Client, command: bytes) -> list[bytes]:
    return (await client.ok(command)).untagged


async def test_status_behind_each_mailbox(sqlite: Database, tmp_path: Path) -> None:
    """RFC 5819 section 2, adapted: \\NonExistent has no STATUS."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.append(PLAIN, options=rb"(\Seen) ")
        for name in (b"foo", b"bar/deep"):
            await client.ok(b"CREATE " + name)
            await client.append(PLAIN, name)
        await client.ok(b"DELETE bar")
        assert await lines(client, b'LIST "" (foo bar INBOX) RETURN (status (MESSAGES UNSEEN))') == [
            b'* LIST () "/" "INBOX"', b'* STATUS "INBOX" (MESSAGES 1 UNSEEN 0)',
            b'* LIST () "/" "foo"', b'* STATUS "foo" (MESSAGES 1 UNSEEN 1)',
            b'* LIST (\\NonExistent \\HasChildren) "/" "bar"',
        ]  # fmt: skip
        items = b"UIDNEXT UIDVALIDITY HIGHESTMODSEQ MESSAGES UNSEEN RECENT"
        listed = await lines(client, b'LIST "" * RETURN (CHILDREN STATUS (%b) SUBSCRIBED)' % items)
        told = [line for line in listed if line.startswith(b"* STATUS")]
        names = [b"INBOX", b"Drafts", b"Sent", b"Junk", b"Trash", b"Archive", b"foo", b"bar/deep"]
        assert told == [(await lines(client, b'STATUS "%b" (%b)' % (name, items)))[-1] for name in names]
        await client.append(PLAIN, b"foo")
        await client.ok(b"DELETE bar/deep")
        assert await lines(client, b'LIST "" "f%" RETURN (STATUS (MESSAGES UIDNEXT))') == [
            b'* LIST () "/" "foo"', b'* STATUS "foo" (MESSAGES 2 UIDNEXT 3)',
        ]  # fmt: skip
        for bad in (b"STATUS", b"STATUS ()", b"STATUS (FOO)", b"STATUS MESSAGES", b"STATUS (MESSAGES"):
            await client.bad(b'LIST "" * RETURN (%b)' % bad)


async def test_no_status_of_what_is_only_a_parent(sqlite: Database, tmp_path: Path) -> None:
    """RFC 5819 section 4: foo does not meet the selection criteria."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"CREATE foo/bar")
        await client.ok(b"SUBSCRIBE foo/bar")
        await client.ok(b"SUBSCRIBE gone")
        command = b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX foo gone) RETURN (STATUS (MESSAGES))'
        assert await lines(client, command) == [
            b'* LIST (\\Subscribed) "/" "INBOX"', b'* STATUS "INBOX" (MESSAGES 0)',
            b'* LIST () "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))', b'* LIST (\\NonExistent \\Subscribed) "/" "gone"',
        ]  # fmt: skip


async def test_rights_behind_each_mailbox(sqlite: Database, tmp_path: Path) -> None:
    """RFC 8440 section 4, adapted: the owner has all rights, and there are none to what is no mailbox."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"CREATE foo/deep")
        await client.ok(b"CREATE bar/deep")
        await client.ok(b"DELETE bar")
        rights = b"lrswipkxtecda"
        assert await lines(client, b'LIST "" (INBOX foo bar) RETURN (myrights CHILDREN)') == [
            b'* LIST (\\HasNoChildren) "/" "INBOX"', b'* MYRIGHTS "INBOX" ' + rights,
            b'* LIST (\\HasChildren) "/" "foo"', b'* MYRIGHTS "foo" ' + rights,
            b'* LIST (\\NonExistent \\HasChildren) "/" "bar"',
        ]  # fmt: skip
        await client.ok(b"SUBSCRIBE foo/deep")
        command = b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX foo) RETURN (MYRIGHTS STATUS (MESSAGES))'
        assert await lines(client, command) == [
            b'* LIST (\\Subscribed) "/" "INBOX"', b'* MYRIGHTS "INBOX" ' + rights, b'* STATUS "INBOX" (MESSAGES 0)',
            b'* LIST () "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))',
        ]  # fmt: skip


async def test_to_ask_for_modseqs_is_to_know_them(sqlite: Database, tmp_path: Path) -> None:
    """RFC 7162 section 3.1: from then on changes are told with MODSEQ."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(PLAIN)
        assert (await client.ok(b'LIST "" INBOX RETURN (STATUS (MESSAGES))')).having(b"MODSEQ") == []
        assert (
            (await client.ok(b'LIST "" INBOX RETURN (STATUS (HIGHESTMODSEQ))'))
            .untagged[0]
            .startswith(b"* OK [HIGHESTMODSEQ ")
        )
        assert b"MODSEQ" in (await client.ok(rb"STORE 1 +FLAGS (\Seen)")).having(b"FETCH")[0]


async def test_a_mailbox_that_goes_meanwhile_is_passed_over(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login(None)
        await client.ok(b"CREATE foo")
        statuses = UnlockedAccount.statuses

        async def after_a_delete(account: UnlockedAccount, ids: list[bytes]) -> object:
            await other.command(b"DELETE foo")
            return await statuses(account, ids)

        monkeypatch.setattr(UnlockedAccount, "statuses", after_a_delete)
        assert await lines(client, b'LIST "" (foo Sent) RETURN (STATUS (MESSAGES))') == [
            b'* LIST () "/" "Sent"', b'* STATUS "Sent" (MESSAGES 0)', b'* LIST () "/" "foo"',
        ]  # fmt: skip


async def test_and_one_that_goes_while_its_rows_are_looked_at(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DELETED-STORAGE (RFC 9208) needs more than the counts."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login(None)
        for name in (b"foo", b"bar"):
            await client.ok(b"CREATE " + name)
            await client.append(PLAIN, name, rb"(\Deleted) ")
        snapshot = UnlockedAccount.snapshot

        async def after_a_delete(account: UnlockedAccount, mailbox_id: bytes) -> object:
            await other.command(b"DELETE foo")
            return await snapshot(account, mailbox_id)

        monkeypatch.setattr(UnlockedAccount, "snapshot", after_a_delete)
        assert await lines(client, b'LIST "" (foo bar) RETURN (STATUS (DELETED-STORAGE))') == [
            b'* LIST () "/" "foo"', b'* LIST () "/" "bar"', b'* STATUS "bar" (DELETED-STORAGE %d)' % len(PLAIN),
        ]  # fmt: skip


async def test_counts_that_do_not_open_hide_no_others(sqlite: Database, tmp_path: Path) -> None:
    """RFC 5819 section 2: that STATUS is dropped, and LIST is OK."""
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(PLAIN)
        await client.ok(rb"STORE 1 +FLAGS (\Seen)")  # it is absorbed, and counted
        inbox = await w.house.inbox(account := await w.house.unlock())
        account.close()
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE record SET octets = ? WHERE kind = ? AND place = ?",
                (b"\0" * 200, int(Kind.COUNTS), inbox),
            )
        )
        assert await lines(client, b'LIST "" (INBOX Sent) RETURN (STATUS (MESSAGES))') == [
            b'* LIST () "/" "INBOX"', b'* LIST () "/" "Sent"', b'* STATUS "Sent" (MESSAGES 0)',
        ]  # fmt: skip
        assert (await client.no(b"STATUS INBOX (MESSAGES)")).code == b"CONTACTADMIN"


async def test_mailboxes_that_have_not_changed_are_not_counted_again(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for n in range(100):
            await client.ok(b"CREATE work/%d" % n)
        counted: list[bytes] = []
        status = Statuses.status

        async def noted(self: Statuses, mailbox_id: bytes) -> object:
            counted.append(mailbox_id)
            return await status(self, mailbox_id)

        monkeypatch.setattr(Statuses, "status", noted)
        command = b'LIST "" * RETURN (STATUS (MESSAGES))'
        first = await lines(client, command)
        assert len(counted) == len(first) / 2 == 107
        counted.clear()
        reads = 0
        read = w.house.database.read

        async def and_count(work: Callable[..., Any]) -> object:
            nonlocal reads
            reads += 1
            return await read(work)

        monkeypatch.setattr(w.house.database, "read", and_count)
        assert await lines(client, command) == first
        assert (counted, reads) == ([], 2), "one for the names, one for all counts"
        monkeypatch.setattr(w.house.database, "read", read)
        await client.append(PLAIN, b"work/7")
        changed = await lines(client, command)
        assert len(counted) == 1
        assert set(changed) - set(first) == {b'* STATUS "work/7" (MESSAGES 1)'}


async def test_dialogs_of_rfc_9590_adapted(database: Database, tmp_path: Path) -> None:
    """Section 5: "foo" has no colour, "bar" is no mailbox; and only what was looked for has annotations."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for name in (b"foo/deep", b"bar/deep"):
            await client.ok(b"CREATE " + name)
        await client.ok(b"DELETE bar")
        await client.ok(b'SETMETADATA INBOX ("/shared/vendor/cmu/cyrus-imapd/color" "#b71c1c")')
        color = b'METADATA ("/shared/vendor/cmu/cyrus-imapd/color")'
        assert await lines(client, b'LIST "" (INBOX foo bar) RETURN (%b)' % color) == [
            b'* LIST () "/" "INBOX"', b'* METADATA "INBOX" (/shared/vendor/cmu/cyrus-imapd/color "#b71c1c")',
            b'* LIST () "/" "foo"', b'* METADATA "foo" (/shared/vendor/cmu/cyrus-imapd/color NIL)',
            b'* LIST (\\NonExistent \\HasChildren) "/" "bar"',
        ]  # fmt: skip
        await client.ok(b"SUBSCRIBE foo/deep")
        assert await lines(client, b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX foo) RETURN (%b)' % color) == [
            b'* LIST (\\Subscribed) "/" "INBOX"', b'* METADATA "INBOX" (/shared/vendor/cmu/cyrus-imapd/color "#b71c1c")',
            b'* LIST () "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))',
        ]  # fmt: skip
        several = b'LIST "" (Sent foo) RETURN (MYRIGHTS STATUS (MESSAGES) METADATA (/private/specialuse /Private/x))'
        assert await lines(client, several) == [
            b'* LIST () "/" "Sent"', b'* MYRIGHTS "Sent" lrswipkxtecda', b'* STATUS "Sent" (MESSAGES 0)',
            rb'* METADATA "Sent" (/private/specialuse "\\Sent" /Private/x NIL)',
            b'* LIST () "/" "foo"', b'* MYRIGHTS "foo" lrswipkxtecda', b'* STATUS "foo" (MESSAGES 0)',
            b'* METADATA "foo" (/private/specialuse NIL /Private/x NIL)',
        ]  # fmt: skip
        await client.ok(b'CREATE "&AOk-"')
        await client.ok(b"ENABLE UTF8=ACCEPT")
        listed = await lines(client, 'LIST "" "é" RETURN (METADATA /private/a)'.encode())
        assert listed[1] == '* METADATA "é" (/private/a NIL)'.encode()
        assert b"LIST-METADATA" in (await client.ok(b"CAPABILITY")).untagged[0].split()


async def test_annotations_of_a_thousand_mailboxes_are_read_together(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for n in range(994):
            await client.ok(b"CREATE m%d" % n)
        for n in range(0, 994, 10):
            await client.ok(b'SETMETADATA m%d (/private/comment "number %d")' % (n, n))
        reads: list[int] = []  # of records, by statements
        read = w.house.database.read

        async def and_count(work: Callable[..., Any]) -> object:
            counting = Counting()
            found = await read(lambda tx: work(counting.over(tx)))
            reads.extend([counting.statements] if counting.statements else [])
            return found

        class Counting:
            statements = 0

            def over(self, tx: Any) -> "Counting":
                self._tx = tx
                return self

            def execute(self, sql: str, *args: Any) -> Any:
                self.statements += "octets FROM record" in sql and int(Kind.METADATA) in args[0]
                return self._tx.execute(sql, *args)

        monkeypatch.setattr(w.house.database, "read", and_count)
        listed = await lines(client, b'LIST "" * RETURN (METADATA (/private/comment))')
        assert reads == [1] * 16, "64 mailboxes by each"
        assert len(listed) == 2000
        told = dict(zip(listed[0::2], listed[1::2], strict=True))
        for n in range(994):
            value = b'"number %d"' % n if n % 10 == 0 else b"NIL"
            assert told[b'* LIST () "/" "m%d"' % n] == b'* METADATA "m%d" (/private/comment %b)' % (n, value)


async def test_annotations_that_do_not_open_hide_no_others(sqlite: Database, tmp_path: Path) -> None:
    """RFC 9590 section 4: their METADATA is dropped, and LIST is OK."""
    async with imap_worker(sqlite, tmp_path, failures=True) as w:
        await w.house.move_in()
        client = await w.login(None)
        for name in (b"INBOX", b"Sent"):
            await client.ok(b'SETMETADATA %b (/private/comment "x")' % name)
        inbox = await w.house.inbox(account := await w.house.unlock())
        account.close()
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE record SET octets = ? WHERE kind = ? AND place = ?",
                (b"\0" * 1200, int(Kind.METADATA), inbox),
            )
        )
        assert await lines(client, b'LIST "" (INBOX Sent) RETURN (METADATA /private/comment)') == [
            b'* LIST () "/" "INBOX"', b'* LIST () "/" "Sent"', b'* METADATA "Sent" (/private/comment "x")',
        ]  # fmt: skip
