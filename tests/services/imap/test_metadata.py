"""METADATA over the real store: the dialogs of RFC 5464 and of RFC 6154 section 5.4, and what they do not say."""

import asyncio
from pathlib import Path

import pytest

from mailstead.accounts.annotations import MOST, Annotations
from mailstead.crypto.sealed import Kind
from mailstead.imap.metadata import VALUE_OCTETS
from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

PLAIN = b"Subject: one\r\n\r\nbody\r\n"


async def lines(client: Client, *command: bytes) -> list[bytes]:
    return (await client.ok(*command)).untagged


async def test_dialogs_of_rfc_5464(database: Database, tmp_path: Path) -> None:
    """Sections 4.2 to 4.4, with errata 2785 and 3868."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        assert b"METADATA" in (await client.ok(b"CAPABILITY")).untagged[0].split()
        await client.ok(b'SETMETADATA "" (/shared/comment "Shared comment")')
        assert await lines(client, b'GETMETADATA "" /shared/comment') == [
            b'* METADATA "" (/shared/comment "Shared comment")'
        ]
        await client.ok(
            b'SETMETADATA INBOX (/private/comment "My own comment" /shared/comment "Shared comment")'
        )
        assert await lines(client, b'GETMETADATA "INBOX" /private/comment') == [
            b'* METADATA "INBOX" (/private/comment "My own comment")'
        ]
        assert await lines(client, b'GETMETADATA "INBOX" (/shared/comment /private/comment)') == [
            b'* METADATA "INBOX" (/shared/comment "Shared comment" /private/comment "My own comment")'
        ]
        await client.ok(b"SETMETADATA INBOX (/shared/comment {2199}", b"x" * 2199, b")")
        said = await client.ok(b'GETMETADATA (MAXSIZE 1024) "INBOX" (/shared/comment /private/comment)')
        assert said.untagged == [b'* METADATA "INBOX" (/private/comment "My own comment")']
        assert said.code == b"METADATA LONGENTRIES 2199"
        for name, value in ((b"small", b'"SMALLER 5000"'), (b"boss", b'"FROM \\"boss@example.com\\""')):
            await client.ok(b"SETMETADATA INBOX (/private/filters/values/%b %b)" % (name, value))
        assert await lines(client, b'GETMETADATA (DEPTH 1) "INBOX" (/private/filters/values)') == [
            b'* METADATA "INBOX" (/private/filters/values/boss "FROM \\"boss@example.com\\""'
            b' /private/filters/values/small "SMALLER 5000")'
        ]
        two_lines = b"My new comment across\r\ntwo lines."
        await client.ok(b"SETMETADATA INBOX (/private/comment {33}", two_lines, b")")
        assert await lines(client, b"GETMETADATA INBOX /private/comment") == [
            b'* METADATA "INBOX" (/private/comment {33}\r\n%b)' % two_lines
        ]
        await client.ok(b"SETMETADATA INBOX (/private/comment NIL)")
        assert await lines(client, b"GETMETADATA INBOX /private/comment") == [
            b'* METADATA "INBOX" (/private/comment NIL)'
        ]
        await client.ok(
            b'SETMETADATA INBOX (/private/comment "My new comment" /shared/comment "This one is for you!")'
        )
        assert await lines(client, b"GETMETADATA (DEPTH infinity) INBOX (/private/comment /shared)") == [
            b'* METADATA "INBOX" (/private/comment "My new comment" /shared/comment "This one is for you!")'
        ]


async def test_annotations_stay_with_their_mailbox(database: Database, tmp_path: Path) -> None:
    """Section 4.1; other sessions find them, and those that come later."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login()
        await client.ok(b"CREATE a/b")
        for name in (b"a", b"a/b"):
            await client.ok(
                b'SETMETADATA %b (/private/comment "of %b" /private/x ~{3}' % (name, name), b"\0\xff\n", b")"
            )
        both = b" (/private/x /private/comment)"
        assert await lines(other, b"GETMETADATA a" + both) == [
            b'* METADATA "a" (/private/x ~{3}\r\n\0\xff\n /private/comment "of a")'
        ]
        await client.ok(b"RENAME a c")
        assert (await other.no(b"GETMETADATA a" + both)).code == b"NONEXISTENT"
        assert b"of a/b" in (await lines(other, b"GETMETADATA c/b" + both))[0]
        await client.ok(b"DELETE c")
        assert (await other.no(b"GETMETADATA c" + both)).code == b"NONEXISTENT"
        assert (await other.no(b"SETMETADATA c (/private/x NIL)")).code == b"NONEXISTENT"
        await client.ok(b"CREATE c")
        assert await lines(other, b"GETMETADATA c" + both) == [
            b'* METADATA "c" (/private/x NIL /private/comment NIL)'
        ]
        client.hang_up()
        other.hang_up()
        later = await w.login(None)
        assert b"of a/b" in (await lines(later, b"GETMETADATA c/b" + both))[0]


async def test_inbox_keeps_its_own_and_gives_copies(database: Database, tmp_path: Path) -> None:
    """Section 4.1: RENAME of INBOX."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.append(PLAIN)
        await client.ok(b'SETMETADATA inbox (/private/comment "mine")')
        await client.ok(b"RENAME INBOX old")
        await client.ok(b'SETMETADATA INBOX (/private/comment "changed")')
        for name, value in ((b"INBOX", b"changed"), (b"old", b"mine")):
            assert await lines(client, b"GETMETADATA %b /private/comment" % name) == [
                b'* METADATA "%b" (/private/comment "%b")' % (name, value)
            ]
        assert await lines(client, b"STATUS old (MESSAGES)") == [b'* STATUS "old" (MESSAGES 1)']
        await client.ok(b"RENAME INBOX older")
        await client.ok(b"SETMETADATA INBOX (/private/comment NIL)")
        await client.ok(b"RENAME INBOX oldest")
        assert b"NIL" in (await lines(client, b"GETMETADATA oldest /private/comment"))[0]


async def test_annotations_of_the_server_are_the_account_s(sqlite: Database, tmp_path: Path) -> None:
    """Nobody else could open them: "shared" is with one's own programs."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in("ann@c.test")
        await w.house.move_in("ben@b.test")
        ann, ben = await w.login(None, b"ann@c.test"), await w.login(None, b"ben@b.test")
        await ann.ok(b'SETMETADATA "" (/shared/comment "ann\'s" /private/vendor/x/y "z")')
        assert await lines(ben, b'GETMETADATA "" (/shared/comment)') == [
            b'* METADATA "" (/shared/comment NIL)'
        ]
        assert await lines(ann, b'GETMETADATA (DEPTH infinity) "" (/shared /private)') == [
            b'* METADATA "" (/private/vendor/x/y "z" /shared/admin "mailto:postmaster@c.test"'
            b' /shared/comment "ann\'s")'
        ]
        assert await lines(ben, b'GETMETADATA "" /shared/admin') == [
            b'* METADATA "" (/shared/admin "mailto:postmaster@b.test")'
        ]
        for value in (b'"mailto:me@c.test"', b"NIL"):
            said = await ann.no(b'SETMETADATA "" (/private/a "x" /Shared/Admin %b)' % value)
            assert said.code == b"CANNOT"
        assert b"NIL" in (await lines(ann, b'GETMETADATA "" /private/a'))[0], "all or nothing"
        await ann.ok(b'SETMETADATA INBOX (/shared/admin "of a mailbox it is any other")')
        assert (await ann.no(b'SETMETADATA nowhere (/private/a "x")')).code == b"NONEXISTENT"
        assert (await ann.no(b"GETMETADATA nowhere /private/a")).code == b"NONEXISTENT"


async def test_too_many(sqlite: Database, tmp_path: Path) -> None:
    """Section 4.3: what is over a limit changes nothing."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        for mailbox in (b'""', b"INBOX"):
            some = b" ".join([b'/private/%d "%d"' % (n, n) for n in range(MOST)])
            await client.ok(b"SETMETADATA %b (%b)" % (mailbox, some))
            said = await client.no(
                b'SETMETADATA %b (/private/0 "changed" /private/comment "My new comment")' % mailbox
            )
            assert said.code == b"METADATA TOOMANY"
            said = await client.ok(b"GETMETADATA %b (/private/comment /private/0)" % mailbox)
            assert said.untagged == [
                b'* METADATA "%b" (/private/comment NIL /private/0 "0")' % mailbox.strip(b'"')
            ]
            await client.ok(b'SETMETADATA %b (/private/1 NIL /private/comment "My new comment")' % mailbox)
        many = b" ".join([b'/private/%d "x"' % n for n in range(MOST + 1)])
        assert (await client.no(b"SETMETADATA Sent (%b)" % many)).code == b"METADATA TOOMANY"


async def test_too_large(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        said = await client.no(b"SETMETADATA INBOX (/private/a {%d}" % (VALUE_OCTETS + 1), b"")
        assert said.code == b"METADATA MAXSIZE %d" % VALUE_OCTETS
        largest = b"x" * VALUE_OCTETS
        for mailbox, name in ((b'""', b""), (b"INBOX", b"INBOX")):
            await client.ok(b"SETMETADATA %b (/private/a {%d}" % (mailbox, VALUE_OCTETS), largest, b")")
            assert await lines(client, b"GETMETADATA %b /private/a" % mailbox) == [
                b'* METADATA "%b" (/private/a {%d}\r\n%b)' % (name, VALUE_OCTETS, largest)
            ]
            await client.ok(b"SETMETADATA %b (/private/b {65000}" % mailbox, largest[:65000], b")")
            said = await client.no(b"SETMETADATA %b (/private/c {1024}" % mailbox, largest[:1024], b")")
            assert said.code == b"METADATA TOOMANY", "of all together there are 128 KiB"
            await client.ok(
                b"SETMETADATA %b (/private/a NIL /private/c {1024}" % mailbox, largest[:1024], b")"
            )


async def test_what_is_sealed_counts_against_the_quota(database: Database, tmp_path: Path) -> None:
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in(quota=20 << 10)

        async def used() -> int:
            (line,) = (await client.ok(b'GETQUOTA ""')).untagged
            return int(line.split()[4])

        client = await w.login(None)
        await client.ok(b"SETMETADATA INBOX (/private/none NIL)")
        assert await used() == 0, "nothing was noted"
        await client.ok(b'SETMETADATA INBOX (/private/a "x")')
        assert await used() == 2  # KiB, of which a little more than one
        await client.ok(b'SETMETADATA INBOX (/private/a "y" /private/b "%b")' % (b"z" * 500))
        assert await used() == 2, "other words of some hundred octets are as large"
        await client.ok(b"CREATE work")
        await client.ok(b"SETMETADATA work (/private/a {12000}", b"x" * 12_000, b")")
        before = await used()
        assert 14 <= before <= 15
        said = await client.no(b"SETMETADATA Sent (/private/a {6000}", b"x" * 6000, b")")
        assert said.code == b"OVERQUOTA"
        assert await used() == before
        assert b"NIL" in (await lines(client, b"GETMETADATA Sent /private/a"))[0]
        await client.ok(b"SETMETADATA work (/private/a NIL)")
        assert await used() == 3
        await client.ok(b"SETMETADATA work (/private/a {12000}", b"x" * 12_000, b")")
        await client.ok(b"DELETE work")
        async with asyncio.timeout(10):
            while await used() != 2:
                await asyncio.sleep(0.01)


async def test_inbox_is_renamed_also_when_no_copy_has_room(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in(quota=8 << 10)
        client = await w.login(None)
        await client.append(PLAIN)
        await client.ok(b"SETMETADATA INBOX (/private/a {5000}", b"x" * 5000, b")")
        await client.ok(b"RENAME INBOX old")
        assert await lines(client, b"STATUS old (MESSAGES)") == [b'* STATUS "old" (MESSAGES 1)']
        assert b"NIL" in (await lines(client, b"GETMETADATA old /private/a"))[0]
        assert b"xxx" in (await lines(client, b"GETMETADATA INBOX /private/a"))[0]


async def test_dialog_of_rfc_6154_adapted(database: Database, tmp_path: Path) -> None:
    """Section 5.4; but a use that another mailbox has is refused, as CREATE refuses it."""
    async with imap_worker(database, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"CREATE SavedDrafts")
        listing = b'LIST "" (Sent Drafts SavedDrafts Trash) RETURN (SPECIAL-USE)'
        assert await lines(client, listing) == [
            rb'* LIST (\Drafts) "/" "Drafts"', rb'* LIST (\Sent) "/" "Sent"', rb'* LIST (\Trash) "/" "Trash"', b'* LIST () "/" "SavedDrafts"',
        ]  # fmt: skip
        assert await lines(client, b'GETMETADATA "Drafts" /private/specialuse') == [
            rb'* METADATA "Drafts" (/private/specialuse "\\Drafts")'
        ]
        said = await client.no(
            rb'SETMETADATA "SavedDrafts" (/private/comment "x" /private/specialuse "\\Drafts")'
        )
        assert said.code == b"USEATTR"
        await client.ok(b'SETMETADATA "Drafts" (/private/specialuse NIL)')
        assert (await client.no(rb"CREATE x (USE (\Sent))")).code == b"USEATTR"
        await client.ok(
            rb'SETMETADATA "SavedDrafts" (/Private/SpecialUse "\\drafts" /private/vendor/a/b "beside it")'
        )
        assert await lines(client, b"GETMETADATA (DEPTH infinity) SavedDrafts /private") == [
            rb'* METADATA "SavedDrafts" (/private/specialuse "\\Drafts" /private/vendor/a/b "beside it")'
        ]
        await client.ok(rb'SETMETADATA "SavedDrafts" (/private/specialuse "\\Drafts")')
        await client.ok(b'SETMETADATA "Sent" (/private/specialuse "")')
        assert await lines(client, listing) == [
            b'* LIST () "/" "Drafts"', b'* LIST () "/" "Sent"', rb'* LIST (\Trash) "/" "Trash"', rb'* LIST (\Drafts) "/" "SavedDrafts"',
        ]  # fmt: skip
        await client.ok(rb"CREATE x (USE (\Sent))")


async def test_a_use_that_cannot_be_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    """RFC 6154 section 4: what CREATE does not take is not taken here."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b"CREATE a")
        for value in (
            rb'"\\All"',
            rb'"\\Archive \\Junk"',
            b'"Junk"',
            rb'"\\Junk "',
            b'" "',
            rb'"\\"',
            b"{3+}\r\n\xff\xff\xff",
        ):
            said = await client.no(b'SETMETADATA a (/private/comment "x" /private/specialuse %b)' % value)
            assert said.code == b"USEATTR", value
        for mailbox in (b"a", b"INBOX"):
            assert await lines(
                client, b"GETMETADATA %b (/private/comment /private/specialuse)" % mailbox
            ) == [b'* METADATA "%b" (/private/comment NIL /private/specialuse NIL)' % mailbox]
        await client.ok(b"SETMETADATA Junk (/private/specialuse NIL)")
        said = await client.no(rb'SETMETADATA INBOX (/private/comment "x" /private/specialuse "\\Junk")')
        assert said.code == b"USEATTR"
        assert b"NIL" in (await lines(client, b"GETMETADATA INBOX /private/comment"))[0]
        await client.ok(b'SETMETADATA INBOX (/private/comment "x" /private/specialuse NIL)')
        assert b'"x"' in (await lines(client, b"GETMETADATA INBOX /private/comment"))[0]
        await client.ok(rb'SETMETADATA a (/private/specialuse "\\Junk")')
        said = await client.no(b"SETMETADATA a (/private/specialuse NIL /private/x {70000}", b"")
        assert said.code == b"METADATA MAXSIZE %d" % VALUE_OCTETS
        many = b" ".join([b'/private/%d "x"' % n for n in range(MOST + 1)])
        said = await client.no(b"SETMETADATA a (/private/specialuse NIL %b)" % many)
        assert said.code == b"METADATA TOOMANY"
        assert rb'"\\Junk"' in (await lines(client, b"GETMETADATA a /private/specialuse"))[0]


async def test_names_and_values_in_any_language(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login(None)
        await client.ok(b'CREATE "&AOk-"')
        value = "ünï".encode()
        await client.ok(b'SETMETADATA "&AOk-" (/private/comment {%d+}\r\n%b)' % (len(value), value))
        said = b"(/private/comment {5}\r\n%b)" % value
        assert await lines(client, b'GETMETADATA "&AOk-" /private/comment') == [b'* METADATA "&AOk-" ' + said]
        await client.ok(b"ENABLE UTF8=ACCEPT METADATA")
        assert await lines(client, 'GETMETADATA "é" /private/comment'.encode()) == [
            '* METADATA "é" '.encode() + said
        ]


async def test_a_mailbox_that_goes_meanwhile_gets_none(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its record would stay for ever: its rows were purged before."""
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client, other = await w.login(None), await w.login(None)
        change = Annotations.change

        async def after_a_delete(self: Annotations, *args: object) -> None:
            await other.ok(b"DELETE foo")
            await asyncio.sleep(0.1)
            await change(self, *args)  # type: ignore[arg-type]

        for value in (
            b'/private/comment "x"',
            rb'/private/specialuse "\\Junk"',
            rb'/private/a "x" /private/specialuse NIL',
        ):
            await client.ok(b"CREATE foo")
            with monkeypatch.context() as patched:
                patched.setattr(Annotations, "change", after_a_delete)
                assert (await client.no(b"SETMETADATA foo (%b)" % value)).code == b"NONEXISTENT"
        left = await sqlite.read(
            lambda tx: tx.execute("SELECT 1 FROM record WHERE kind = ?", (Kind.METADATA,))
        )
        assert left == []
        assert await sqlite.read(lambda tx: tx.execute("SELECT used_octets FROM account")) == [(0,)]


async def test_annotations_that_do_not_open_are_neither_told_nor_changed(
    sqlite: Database, tmp_path: Path
) -> None:
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
        for command in (b"GETMETADATA INBOX /private/comment", b"SETMETADATA INBOX (/private/comment NIL)"):
            assert (await client.no(command)).code == b"CONTACTADMIN"
