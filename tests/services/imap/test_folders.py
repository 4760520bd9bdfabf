"""Mailbox names: CREATE to LSUB, NAMESPACE and rights (RFC 3501 section 6.3, RFC 4314, RFC 6154, RFC 3348)."""

import re
from pathlib import Path

from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def names(client: Client, command: bytes = b'LIST "" "*"') -> dict[bytes, set[bytes]]:
    found: dict[bytes, set[bytes]] = {}
    word = command.split()[0]
    for line in (await client.ok(command)).untagged:
        parts = re.fullmatch(rb'\* %b \(([^)]*)\) "/" "(.*)"' % word, line)
        assert parts is not None, line
        assert parts[2] not in found
        found[parts[2]] = set(parts[1].split())
    return found


async def test_a_new_account(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        leaf = rb"\HasNoChildren"
        assert await names(client) == {
            b"INBOX": {leaf}, b"Drafts": {leaf, rb"\Drafts"}, b"Sent": {leaf, rb"\Sent"},
            b"Junk": {leaf, rb"\Junk"}, b"Trash": {leaf, rb"\Trash"}, b"Archive": {leaf, rb"\Archive"},
        }  # fmt: skip
        assert set(await names(client, b'LSUB "" "*"')) == set(await names(client))
        assert (await client.ok(b'LIST "" ""')).untagged == [rb'* LIST (\Noselect) "/" ""']
        assert (await client.ok(b"NAMESPACE")).untagged == [b'* NAMESPACE (("" "/")) NIL NIL']
        assert set(await names(client, b"LIST inb ox")) == {b"INBOX"}
        assert set(await names(client, b'LIST "" inbox')) == {b"INBOX"}
        assert set(await names(client, b'LIST "" "%n%"')) == {b"INBOX", b"Sent", b"Junk"}


async def test_levels(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"CREATE work/2026/june")
        await client.ok(b"CREATE other/")
        listed = await names(client)
        assert listed[b"work"] == listed[b"work/2026"] == {rb"\HasChildren"}
        assert listed[b"work/2026/june"] == listed[b"other"] == {rb"\HasNoChildren"}
        assert set(await names(client, b'LIST "" "work/%"')) == {b"work/2026"}
        assert set(await names(client, b'LIST "work/" "*"')) == {b"work/2026", b"work/2026/june"}
        assert (await client.no(b"CREATE work")).code == b"ALREADYEXISTS"
        assert (await client.no(b"CREATE Inbox")).code == b"ALREADYEXISTS"
        await client.ok(b"DELETE work/2026")
        assert (await names(client))[b"work/2026"] == {rb"\Noselect", rb"\HasChildren"}
        assert (await client.no(b"SELECT work/2026")).code == b"NONEXISTENT"
        assert (await client.no(b"DELETE work/2026")).code == b"HASCHILDREN"
        assert (await client.no(b"DELETE INBOX")).code == b"CANNOT"
        assert (await client.no(b"DELETE nowhere")).code == b"NONEXISTENT"
        await client.ok(b"RENAME work play")
        listed = await names(client)
        assert {b"play", b"play/2026", b"play/2026/june"} <= set(listed)
        assert not any(name.startswith(b"work") for name in listed)
        assert (await client.no(b"RENAME nowhere there")).code == b"NONEXISTENT"
        assert (await client.no(b"RENAME other play")).code == b"ALREADYEXISTS"


async def test_a_mailbox_is_made_for_a_use(sqlite: Database, tmp_path: Path) -> None:
    """RFC 6154 section 3: all or nothing, and each use once."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for command in (
            b"CREATE a/MySent (USE (\\Sent))",
            b"CREATE a/x (USE (\\All))",
            b"CREATE a/x (USE (\\Sent \\Junk))",
        ):
            assert (await client.no(command)).code == b"USEATTR"
        assert not any(name.startswith(b"a") for name in await names(client)), (
            "no level of it was made either"
        )
        await client.ok(b"DELETE Sent")
        await client.ok(b"CREATE a/MySent (USE (\\Sent))")
        assert (await client.ok(b'LIST (SPECIAL-USE) "" a*')).untagged == [b'* LIST (\\Sent) "/" "a/MySent"']
        assert (await names(client))[b"a"] == {rb"\HasChildren"}
        await client.ok(b"RENAME a/MySent Sent")
        assert (await names(client))[b"Sent"] == {rb"\HasNoChildren", rb"\Sent"}
        assert (await client.no(b"CREATE Sent (USE (\\Sent))")).code == b"ALREADYEXISTS"
        await client.ok(b"CREATE b (USE ())")
        assert (await names(client))[b"b"] == {rb"\HasNoChildren"}


async def test_subscriptions_are_of_names(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"SUBSCRIBE not/yet")
        await client.ok(b"UNSUBSCRIBE Junk")
        subscribed = await names(client, b'LSUB "" "*"')
        assert b"not/yet" in subscribed
        assert b"Junk" not in subscribed
        assert b"Junk" in await names(client)
        assert b"not/yet" not in await names(client)
        assert (await names(client, b'LSUB "" "%"'))[b"not"] == {rb"\Noselect"}
        await client.ok(b"CREATE work")
        assert b"work" not in await names(client, b'LSUB "" "*"')
        await client.ok(b"SUBSCRIBE work")
        await client.ok(b"DELETE work")
        assert b"work" in await names(client, b'LSUB "" "*"'), "a subscription outlives its mailbox"


async def test_lists_of_what_is_subscribed(sqlite: Database, tmp_path: Path) -> None:
    """RFC 5258: LIST (SUBSCRIBED) says of a name whether it is a mailbox."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"SUBSCRIBE not/yet")
        await client.ok(b"CREATE work/2026")
        await client.ok(b"UNSUBSCRIBE Junk")
        subscribed = await names(client, b'LIST (SUBSCRIBED) "" *')
        assert subscribed[b"not/yet"] == {rb"\NonExistent", rb"\Subscribed"}
        assert subscribed[b"Sent"] == {rb"\Subscribed"}
        assert not {b"Junk", b"work", b"work/2026"} & set(subscribed)
        assert (await client.ok(b'LIST (SUBSCRIBED RECURSIVEMATCH) "" n% RETURN (CHILDREN)')).untagged == [
            b'* LIST (\\NonExistent \\HasNoChildren) "/" "not" ("CHILDINFO" ("SUBSCRIBED"))'
        ]
        some = await names(client, b'LIST "" (work/% Ju* inbox) RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)')
        assert some == {
            b"INBOX": {rb"\Subscribed", rb"\HasNoChildren"}, b"Junk": {rb"\HasNoChildren", rb"\Junk"},
            b"work/2026": {rb"\HasNoChildren"},
        }  # fmt: skip
        assert (await client.ok(b'LIST (SUBSCRIBED) "" ""')).untagged == [rb'* LIST (\Noselect) "/" ""']
        await client.bad(b'LIST (RECURSIVEMATCH) "" *')


async def test_rename_of_inbox_moves_its_messages(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login()
        await client.append(PLAIN)
        await other.ok(b"NOOP")
        await client.ok(b"RENAME INBOX old")
        assert b"* 1 EXISTS" in (await client.select(b"old")).untagged
        assert b"* 0 EXISTS" in (await client.select()).untagged
        await w.house.deliver(PLAIN)
        assert b"* 1 EXISTS" in (await client.ok(b"NOOP")).untagged
        told = (await other.ok(b"NOOP")).untagged
        assert told[:2] == [b"* 1 EXPUNGE", b"* 1 EXISTS"], "INBOX is the same, and its messages went"


async def test_names_in_any_language(sqlite: Database, tmp_path: Path) -> None:
    """On the wire modified UTF-7, and only in its canonical spelling (RFC 3501 section 5.1.3)."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for name in (b"&AOk-t&AOk-", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", b"R&-D", b"&2D3eAA-"):
            await client.ok(b'CREATE "%b"' % name)
            assert name in await names(client)
            await client.append(PLAIN, b'"%b"' % name)
            (line,) = (await client.ok(b'STATUS "%b" (MESSAGES)' % name)).untagged
            assert line == b'* STATUS "%b" (MESSAGES 1)' % name
            await client.select(b'"%b"' % name)
        decomposed = b"e&AwE-te&AwE-"
        assert (await client.no(b'CREATE "%b"' % decomposed)).code == b"ALREADYEXISTS", (
            "it is the same in NFC"
        )
        await client.ok(b'SELECT "%b"' % decomposed)
        odd = rb'a "quoted\" \\ name'
        await client.ok(b'CREATE "a \\"quoted\\" \\\\ name"')
        assert rb"a \"quoted\" \\ name" in await names(client), odd
        await client.ok(b"CREATE {10}", b"in literal")
        assert b"in literal" in await names(client)


async def test_what_is_no_name(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        before = None
        for name in (
            b"&AGE-",
            b"&AG",
            b"&IRw",
            b"&A-",
            b"&AAA-",
            b"&2AA-",
            b"a//b",
            b"/a",
            b"x" * 1025,
            "é".encode(),
        ):
            client = await w.login(None)
            before = before or await names(client)
            for command in (b"CREATE", b"SELECT", b"SUBSCRIBE", b"DELETE"):
                assert (await client.no(b'%b "%b"' % (command, name))).code == b"CANNOT", (command, name)
            assert await names(client) == before
            client.hang_up()


async def test_the_owner_has_all_rights(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None, b"ann@b.test")
        rights = b"lrswipkxtecda"
        assert (await client.ok(b"MYRIGHTS INBOX")).untagged == [b'* MYRIGHTS "INBOX" ' + rights]
        assert (await client.ok(b"GETACL INBOX")).untagged == [b'* ACL "INBOX" "ann@b.test" ' + rights]
        assert (await client.ok(b"LISTRIGHTS INBOX bob")).untagged == [b'* LISTRIGHTS "INBOX" "bob" ""']
        for command in (b"SETACL INBOX bob lr", b"DELETEACL INBOX bob"):
            assert (await client.no(command)).code == b"CANNOT"
        for command in (
            b"MYRIGHTS x",
            b"GETACL x",
            b"LISTRIGHTS x bob",
            b"SETACL x bob lr",
            b"DELETEACL x bob",
        ):
            assert (await client.no(command)).code == b"NONEXISTENT"
