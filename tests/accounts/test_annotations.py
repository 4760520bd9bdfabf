"""Annotations: their record, and what becomes of them when several write, on both engines."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.accounts.annotations import MOST, ROUND, SERVER, Annotations, NewUse, Noted, decode, encode
from mailstead.crypto.records import CAPS
from mailstead.crypto.sealed import Kind
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import SpecialUse
from mailstead.store.annotations import AT_ONCE
from mailstead.store.database import Database, Tx
from tests.support.house import house

SOME = {"/private/a": b"x", "/private/b": b"", "/shared/vendor/x/y": bytes(range(256)) * 3}


@contextlib.contextmanager
def refused(reason: Reason) -> Iterator[None]:
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.reason is reason


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1), st.binary(max_size=2000)
    )
)
def test_what_is_encoded_is_decoded(entries: dict[str, bytes]) -> None:
    content = encode(entries)
    assert decode(content) == entries
    assert len(content) % ROUND == 0
    assert content == encode(dict(reversed(entries.items())))


def test_what_is_short_is_of_one_size() -> None:
    for name, value in itertools.product(
        ("/private/comment", "/shared/vendor/x/color"), (b"", b"#b71c1c", b"x" * 900)
    ):
        assert len(encode({name: value})) == ROUND
    assert len(encode({"/private/a": b"x" * 1008})) == 2 * ROUND


CONTENT = encode(SOME)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\1", b"\2" + CONTENT[1:], CONTENT[:-1], CONTENT + b"\0", CONTENT[:-ROUND], CONTENT + bytes(ROUND), CONTENT[:-1] + b"\1",
        CONTENT[:1] + b"\0\2" + CONTENT[3:], CONTENT[:1] + b"\0\4" + CONTENT[3:], CONTENT.replace(b"/private/b", b"/private/a"),
        CONTENT.replace(b"/private/b", b"/private/\xe9"), CONTENT.replace(b"/private/a", b"/private/c"), CONTENT[:3] + b"\xff\xff" + CONTENT[5:],
        CONTENT[:5] + b"\xff\xff\xff\xff" + CONTENT[9:], bytes(ROUND), b"\1\0\1" + bytes(ROUND - 3),
    ],
)  # fmt: skip
def test_another_content_is_refused(content: bytes) -> None:
    with pytest.raises(UnsealError):
        decode(content)


async def test_nothing_is_written_for_nothing(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        inbox = await h.inbox(account)

        def versions(tx: Tx) -> list[int]:
            return [
                r[0] for r in tx.execute("SELECT version FROM record WHERE kind = ?", (int(Kind.METADATA),))
            ]

        await account.annotations.change(inbox, {})
        await account.annotations.change(inbox, {"/private/a": None})
        assert await database.read(versions) == []
        for _ in range(2):
            await account.annotations.change(inbox, SOME)
        assert await database.read(versions) == [1]
        await account.annotations.change(inbox, dict.fromkeys(SOME))
        assert await database.read(versions) == [2]
        assert await account.annotations.of(inbox) == {}
        await account.annotations.change(inbox, SOME)
        assert await account.annotations.of(inbox) == SOME
        account.close()


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1])
async def test_many_are_those_of_each(database: Database, tmp_path: Path, count: int) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        ids = [await account.create_mailbox(f"{n}") for n in range(count)]
        for n, mailbox_id in enumerate(ids):
            if n % 3:
                await account.annotations.change(mailbox_id, {"/private/n": b"%d" % n})
        await account.annotations.change(SERVER, SOME)
        wanted = [*ids, b"?" * 16]
        found = await account.annotations.many(wanted)
        assert found == {i: await account.annotations.of(i) for i in wanted}
        assert [found[i] for i in ids] == [{"/private/n": b"%d" % n} if n % 3 else {} for n in range(count)]
        assert found[b"?" * 16] == {}
        account.close()


async def test_what_is_new_is_found_without_reading_the_rest(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        annotations = account.annotations
        ids = [await account.create_mailbox(f"{n}") for n in range(AT_ONCE + 2)]
        places = [*ids, SERVER]
        for place in places[1:]:
            await annotations.change(place, SOME)
        first = await annotations.noted(places, {})
        assert set(first) == set(places[1:])
        read: list[bytes] = []
        many = Annotations.many

        async def noting(self: Annotations, mailbox_ids: list[bytes]) -> object:
            read.extend(mailbox_ids)
            return await many(self, mailbox_ids)

        monkeypatch.setattr(Annotations, "many", noting)
        assert await annotations.noted(places, first) == first
        assert read == []
        await annotations.change(ids[0], {"/private/new": b""})
        await annotations.change(SERVER, {"/private/a": b"other", "/private/b": None, "/private/c": b"x"})
        second = await annotations.noted(places, first)
        assert read == [ids[0], SERVER]
        assert second[ids[0]].changed_since(Noted()) == ["/private/new"]
        assert second[SERVER].changed_since(first[SERVER]) == ["/private/a", "/private/b", "/private/c"]
        mine = first[SERVER].with_own({"/private/a": b"other", "/private/c": None, "/private/d": b"x"})
        assert second[SERVER].changed_since(mine) == ["/private/b", "/private/c", "/private/d"]
        assert mine.write_id == first[SERVER].write_id, "so that it is read again"
        assert set(await annotations.noted(ids[:1], second)) == {ids[0]}
        account.close()


async def test_limits(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        change, inbox = account.annotations.change, await h.inbox(account)
        await change(inbox, {f"/private/{n}": b"" for n in range(MOST)})
        with refused(Reason.TOO_MANY_ANNOTATIONS):
            await change(inbox, {"/private/x": b""})
        await change(inbox, {"/private/x": b"", "/private/0": None})
        room = CAPS[Kind.METADATA] - 3 - 6 - len("/private/a")
        with refused(Reason.TOO_MANY_ANNOTATIONS):
            await change(SERVER, {"/private/a": bytes(room + 1)})
        await change(SERVER, {"/private/a": bytes(room)})
        assert await account.annotations.of(SERVER) == {"/private/a": bytes(room)}
        with refused(Reason.NO_SUCH_MAILBOX):
            await change(b"?" * 16, SOME)
        account.close()


async def test_two_workers_annotate_at_once(databases: list[Database], tmp_path: Path) -> None:
    """Nobody's entry is lost, of one mailbox or of the server; not beside names that change, either."""
    async with house(databases[0], tmp_path) as one, house(databases[1], tmp_path) as two:
        await one.move_in()
        a, b = await one.unlock(), await two.unlock()
        work = await a.create_mailbox("work")
        await a.delete_mailbox("Junk")
        both = ((a, "a"), (b, "b"))
        await asyncio.gather(
            *(s.annotations.change(p, {f"/private/{x}{n}": x.encode()}) for n in range(10) for s, x in both for p in (work, SERVER)),
            *(s.annotations.change(work, {f"/shared/{x}": b"x"}, NewUse(SpecialUse.JUNK)) for s, x in both),
            *(s.create_mailbox(f"{x}{n}") for n in range(5) for s, x in both),
        )  # fmt: skip
        numbered = {f"/private/{x}{n}": x.encode() for n in range(10) for _, x in both}
        for session in (a, b):
            assert await session.annotations.of(work) == {**numbered, "/shared/a": b"x", "/shared/b": b"x"}
            assert await session.annotations.of(SERVER) == numbered
            assert {m.name for m in await session.mailboxes()} >= {f"{x}{n}" for n in range(5) for x in "ab"}
            assert (await session.mailbox("work")).special_use is SpecialUse.JUNK
        outcomes = await asyncio.gather(
            a.annotations.change(await a.create_mailbox("x"), SOME, NewUse(SpecialUse.JUNK)),
            a.annotations.change(work, SOME, NewUse(None)),
            b.annotations.change(await b.create_mailbox("y"), SOME, NewUse(SpecialUse.JUNK)),
            return_exceptions=True,
        )
        assert sum(isinstance(o, Refused) for o in outcomes) in (1, 2)
        used = [m for m in await b.mailboxes() if m.special_use is SpecialUse.JUNK]
        assert len(used) <= 1
        for name in ("x", "y"):
            mailbox = await b.mailbox(name)
            assert (await b.annotations.of(mailbox.id) == SOME) == (mailbox in used), "both or neither"
        a.close()
        b.close()


async def test_a_use_is_changed_beside_annotations_or_not_at_all(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        work = await account.create_mailbox("work")
        change = account.annotations.change
        for use in SpecialUse:
            with refused(Reason.SPECIAL_USE_TAKEN):
                await change(work, SOME, NewUse(use))
        with refused(Reason.MAILBOX_FIXED):
            await change(await h.inbox(account), SOME, NewUse(SpecialUse.SENT))
        with refused(Reason.NO_SUCH_MAILBOX):
            await change(b"?" * 16, {}, NewUse(None))
        for mailbox in await account.mailboxes():
            assert await account.annotations.of(mailbox.id) == {}
        await change(await h.inbox(account), SOME, NewUse(None))
        assert (await account.mailbox("INBOX")).special_use is SpecialUse.INBOX
        await change((await account.mailbox("Sent")).id, {}, NewUse(None))
        await change(work, SOME, NewUse(SpecialUse.SENT))
        await change(work, {}, NewUse(SpecialUse.SENT))
        assert (await account.mailbox("work")).special_use is SpecialUse.SENT
        assert await account.annotations.of(work) == SOME
        account.close()


async def test_annotations_are_not_in_the_database(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        account = await h.unlock()
        for place in (SERVER, await h.inbox(account)):
            await account.annotations.change(place, {"/private/canary-of-a-name": b"canary-of-a-value"})
        account.close()
    for canary in (b"canary-of-a-name", b"canary-of-a-value"):
        assert not any(canary in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
