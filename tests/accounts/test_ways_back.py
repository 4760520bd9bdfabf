"""Invitations, resets, archives, recovery and escrow: who gets in, who does not, and that no mail is lost."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mailstead.accounts.accessentries import Entry, Outcome
from mailstead.accounts.apppasswords import revoke, ways_in
from mailstead.accounts.archives import TOP, open_archives, opens_account
from mailstead.accounts.escrow import EscrowSeed, grant, let_back_in
from mailstead.accounts.login import unlock, unlock_root
from mailstead.accounts.newways import INVITATION_SECONDS, add_way, change_password, join, set_words
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office, invite
from mailstead.accounts.resealing import left_to_reseal, reseal_once
from mailstead.accounts.resetting import at_stake, reset
from mailstead.accounts.rotation import rotate
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.accounts.waysin import Gens, Maker
from mailstead.crypto import escrow, passwords
from mailstead.crypto.slots import SlotType
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.store.accounts import Stale
from mailstead.store.archives import archives
from mailstead.store.database import Database
from mailstead.store.slots import add_slot
from tests.accounts.test_presence import eventually, worker
from tests.support.house import PASSWORD, House, house, read_both_ways

ANN = "ann@b.test"
NEW = b"quite another one"
RIGHT, LATER = Credential.password(PASSWORD), Credential.password(NEW)


def letter(n: int) -> bytes:
    return b"Subject: letter %d\r\n\r\nbody %d\r\n" % (n, n)


def words_of(words: Sequence[str]) -> Credential:
    return Credential.words(" ".join(words))


async def refused(opening: object) -> Reason:
    with pytest.raises(Refused) as caught:
        await opening  # type: ignore[misc]
    return caught.value.reason


async def opens(office: Office, credential: Credential) -> bool:
    try:
        (await unlock(office, ANN, credential)).close()
    except MailError as error:
        if error.reason is not Reason.LOGIN_FAILED:
            raise
        return False
    return True


async def all_mail(account: UnlockedAccount) -> dict[str, list[bytes]]:
    """What every mailbox that has something holds, by its name."""
    found: dict[str, list[bytes]] = {}
    for mailbox in await account.mailboxes():
        async for message in account.messages(mailbox.id):
            octets = await read_both_ways(account, message)
            found.setdefault(mailbox.name, []).append(octets[message.a.trace_octets :])
    return found


async def lived_in(h: House) -> Sequence[str]:
    """Absorbed mail and mail that waits, in two mailboxes; the words."""
    made = await h.move_in()
    await h.deliver(letter(0))
    account = await h.unlock()
    inbox = await h.inbox(account)
    await account.absorb(inbox)
    await account.create_mailbox("private/work")
    work = (await account.mailbox("private/work")).id
    async for message in account.messages(inbox):
        await account.copy(inbox, [message.uid], work)
    account.close()
    await h.deliver(letter(1))
    return made.words


OLD_MAIL = {f"{TOP}/INBOX": [letter(0), letter(1)], f"{TOP}/private/work": [letter(0)]}


async def test_who_joins_by_an_invitation_is_the_only_one_who_can_open_the_mail(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        made = await invite(h.office, ANN)
        code = Credential.invitation(b"  " + made.code.upper() + b"\n")
        await h.deliver(letter(0))  # before anybody has joined
        assert not await opens(h.office, RIGHT)
        root = await unlock_root(h.office, ANN, code)
        seen = bytes(root.root.view)  # what whoever handed the invitation on could keep
        root.root.release()
        joined = await join(h.office, ANN, code, PASSWORD)
        assert len(joined.words) == 12
        account = await h.unlock()
        assert await all_mail(account) == {"INBOX": [letter(0)]}
        account.close()
        assert await opens(h.office, words_of(joined.words))
        assert await refused(join(h.office, ANN, code, NEW)) is Reason.LOGIN_FAILED, "it is good once"
        again = await unlock_root(h.office, ANN, RIGHT)
        assert bytes(again.root.view) != seen
        assert again.account.epoch == 2
        again.root.release()


async def test_an_invitation_ends_with_its_days_and_is_nobody_elses(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        ann = await invite(h.office, ANN)
        bob = await invite(h.office, "bob@b.test")
        other = Credential.invitation(bob.code)
        assert await refused(join(h.office, ANN, other, PASSWORD)) is Reason.LOGIN_FAILED
        assert await refused(join(h.office, "nobody@b.test", other, PASSWORD)) is Reason.LOGIN_FAILED
        code = Credential.invitation(ann.code)
        later = replace(h.office, now=lambda: ann.not_after)
        assert await refused(join(later, ANN, code, PASSWORD)) is Reason.LOGIN_FAILED
        just = replace(h.office, now=lambda: ann.not_after - 1)
        assert (await join(just, ANN, code, PASSWORD)).words


def test_what_is_no_invitation_is_said_before_anything_is_tried() -> None:
    for typed in (b"", b"msi-", b"ms1-" + b"a" * 38, b"msi-" + b"a" * 34):
        with pytest.raises(ValueError, match="copy all of it"):
            Credential.invitation(typed)


async def test_a_reset_locks_mail_away_and_new_mail_works_at_once(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        words = await lived_in(h)
        app = await h.app()
        assert (await at_stake(h.office, ANN)).messages == 3
        done = await reset(h.office, ANN, NEW)
        assert (done.stake.messages, done.stake.keys, done.code) == (3, ("recovery words",), b"")
        for gone in (RIGHT, words_of(words), Credential.password(app)):
            assert not await opens(h.office, gone)
        await h.deliver(letter(7))
        account = await h.unlock(password=NEW)
        assert await all_mail(account) == {"INBOX": [letter(7)]}
        assert {m.name for m in await account.mailboxes()} == {
            "INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"
        }  # fmt: skip
        await account.absorb(await h.inbox(account))
        account.close()
        assert await opens(h.office, words_of(done.words))


async def test_the_words_of_before_bring_the_mail_back(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        words = words_of(await lived_in(h))
        await reset(h.office, ANN, NEW)
        await h.deliver(letter(7))
        assert not await opens_account(h.office, ANN, words), "they are of before"
        assert await opens_account(h.office, ANN, LATER)
        back = await open_archives(h.office, ANN, LATER, words)
        assert (back.messages, back.tops) == (3, (TOP,))
        account = await h.unlock(password=NEW)
        assert await all_mail(account) == {"INBOX": [letter(7)], **OLD_MAIL}
        recovered = (await account.mailbox(f"{TOP}/INBOX")).id
        await account.absorb(recovered)  # the chain of arrivals goes on where it was
        assert await all_mail(account) == {"INBOX": [letter(7)], **OLD_MAIL}
        account.close()
        assert await refused(open_archives(h.office, ANN, LATER, words)) is Reason.LOGIN_FAILED


async def test_what_came_back_is_sealed_again_under_the_present_key(
    database: Database, tmp_path: Path
) -> None:
    async with worker(database, tmp_path) as w:
        h = w.house
        words = words_of(await lived_in(h))
        await reset(h.office, ANN, NEW)
        account = await h.unlock(password=NEW)
        keys = account._online.keys
        assert keys.earlier == (), "what is locked is left alone"
        assert not await reseal_once(database, keys)
        account.close()
        await open_archives(h.office, ANN, LATER, words)
        session = await w.logins.login("ann", NEW, "192.0.2.1", print)
        keys = session._online.keys
        assert keys.earlier == (1,)
        await eventually(lambda: left_to_reseal(database, keys), 0)
        session.close()
        account = await h.unlock(password=NEW)
        assert await all_mail(account) == OLD_MAIL
        account.close()


async def test_two_resets_are_two_archives_and_each_has_its_words(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        first = words_of(await lived_in(h))
        second = words_of((await reset(h.office, ANN, NEW)).words)
        await h.deliver(letter(5))
        await reset(h.office, ANN, PASSWORD)
        await h.deliver(letter(6))
        await open_archives(h.office, ANN, RIGHT, first)
        account = await h.unlock()
        assert await all_mail(account) == {"INBOX": [letter(6)], **OLD_MAIL}, "one is still locked"
        await account.absorb((await account.mailbox(f"{TOP}/INBOX")).id)
        while await reseal_once(database, account._online.keys):
            pass
        account.close()
        await rotate_all(h)
        back = await open_archives(h.office, ANN, RIGHT, second)
        assert back.tops == (f"{TOP} 2",)
        account = await h.unlock()
        expected = {"INBOX": [letter(6)], **OLD_MAIL, f"{TOP} 2/INBOX": [letter(5)]}
        assert await all_mail(account) == expected
        account.close()
        assert await database.read(lambda tx: archives(tx, 1)) == []


async def test_two_archives_that_one_key_opens_come_back_side_by_side(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        seed = EscrowSeed(escrow.new_seed())
        for present in (RIGHT, LATER):
            await grant(h.office, ANN, present, escrow.public_half(seed.octets), "Example Ltd")
            await reset(h.office, ANN, NEW)
            await h.deliver(letter(5))
        back = await open_archives(h.office, ANN, LATER, seed)
        assert (back.messages, back.tops) == (4, (TOP, f"{TOP} 2"))
        account = await h.unlock(password=NEW)
        expected = {"INBOX": [letter(5)], **OLD_MAIL, f"{TOP} 2/INBOX": [letter(5)]}
        assert await all_mail(account) == expected
        account.close()


async def rotate_all(h: House) -> None:
    """Rotate and seal everything again: what an archive holds is not among it."""
    rotated = await rotate(h.office, ANN, RIGHT)
    while await reseal_once(h.database, rotated.keys):
        pass
    rotated.keys.close()


async def test_neither_other_words_nor_a_tampered_archive_open_anything_and_nothing_is_lost(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        words = words_of(await lived_in(h))
        bob = await h.move_in("bob@b.test")
        await reset(h.office, ANN, NEW)
        wrong = words_of(bob.words)
        assert await refused(open_archives(h.office, ANN, LATER, wrong)) is Reason.LOGIN_FAILED
        assert await refused(open_archives(h.office, ANN, RIGHT, words)) is Reason.LOGIN_FAILED
        nobody = open_archives(h.office, "bob@b.test", RIGHT, words)
        assert await refused(nobody) is Reason.LOGIN_FAILED
        await database.write(
            lambda tx: tx.execute("UPDATE archived_record SET version = version + 1 WHERE kind = 20")
        )
        assert await refused(open_archives(h.office, ANN, LATER, words)) is Reason.DAMAGED
        await database.write(
            lambda tx: tx.execute("UPDATE archived_record SET version = version - 1 WHERE kind = 20")
        )
        assert (await open_archives(h.office, ANN, LATER, words)).messages == 3


async def test_a_session_that_is_open_at_a_reset_ends_and_writes_nothing_more(
    database: Database, tmp_path: Path
) -> None:
    async with worker(database, tmp_path) as w:
        await lived_in(w.house)
        ended = asyncio.Event()
        session = await w.login(ended)
        await reset(w.office, ANN, NEW)
        async with asyncio.timeout(10):
            await ended.wait()
        with pytest.raises(MailError):
            await session.create_mailbox("late")
        session.close()
        assert "late" not in await names(w.house)


async def names(h: House) -> set[str]:
    account = await h.unlock(password=NEW)
    found = {m.name for m in await account.mailboxes()}
    account.close()
    return found


async def test_a_session_that_is_open_when_mail_comes_back_ends_and_puts_none_of_it_aside(
    database: Database, tmp_path: Path
) -> None:
    """It has not the keys of before, and its server absorbs behind it."""
    async with worker(database, tmp_path) as w:
        h, ended = w.house, asyncio.Event()
        words = await lived_in(h)
        await reset(h.office, ANN, NEW)
        phone = await w.logins.login("ann", NEW, "192.0.2.1", ended.set)
        await open_archives(h.office, ANN, LATER, words_of(words))
        w.bell.ring((1,))
        async with asyncio.timeout(5):
            await ended.wait()
        with pytest.raises((Stale, UnsealError)):  # what it has begun is not written
            for mailbox in await phone.mailboxes():
                await phone.absorb(mailbox.id)
        phone.close()
        account = await h.unlock(password=NEW)
        for mailbox in await account.mailboxes():
            await account.absorb(mailbox.id)
        assert await account.quarantined() == []
        account.close()


async def test_a_reset_and_a_delivery_at_once_lose_nothing(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        words = words_of(await lived_in(h))
        sent = [letter(n) for n in range(20, 40)]

        async def deliver(octets: bytes) -> bool:
            (answer,) = await h.deliver(octets)
            return isinstance(answer, str)

        outcomes = asyncio.gather(*(deliver(octets) for octets in sent))
        await reset(h.office, ANN, NEW)
        taken = [octets for octets, ok in zip(sent, await outcomes, strict=True) if ok]
        await open_archives(h.office, ANN, LATER, words)
        account = await h.unlock(password=NEW)
        mail = await all_mail(account)
        account.close()
        found = mail.get("INBOX", []) + mail[f"{TOP}/INBOX"]
        assert sorted(found) == sorted([letter(0), letter(1), *taken])


async def test_new_words_take_the_place_of_the_old(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        old = words_of((await h.move_in()).words)
        made = passwords.new_words()
        await set_words(h.office, ANN, RIGHT, made)
        fresh = words_of(made)
        assert await opens(h.office, fresh)
        assert not await opens(h.office, old)
        assert await opens(h.office, RIGHT)
        again = await unlock_root(h.office, ANN, RIGHT)
        assert again.account.root_gen == 1, "that somebody else set the password is as true as before"
        again.root.release()
        assert await change_password(h.office, ANN, RIGHT, NEW), "so its change rotates"
        assert await opens(h.office, fresh)


async def test_an_organisation_lets_its_member_back_in_and_reads_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as h:
        words = words_of(await lived_in(h))
        seed = EscrowSeed(escrow.new_seed())
        assert await refused(let_back_in(h.office, ANN, seed)) is Reason.LOGIN_FAILED
        await grant(h.office, ANN, RIGHT, escrow.public_half(seed.octets), "Example Ltd")
        again = grant(h.office, ANN, RIGHT, escrow.public_half(seed.octets), "Example Ltd")
        assert await refused(again) is Reason.NAME_TAKEN
        await rotate_all(h)  # and it is carried over, without its private half
        told: list[Entry] = []
        clock = int(time.time()) + 86400
        telling = replace(h.office, witness=lambda _, entry: told.append(entry), now=lambda: clock)
        invitation = await let_back_in(telling, ANN, seed)
        assert invitation.not_after == clock + INVITATION_SECONDS
        assert [(e.slot_type, e.outcome) for e in told] == [(SlotType.ESCROW, Outcome.ENTERED)]
        assert await opens(h.office, RIGHT), "nothing is taken away"
        joined = await join(h.office, ANN, Credential.invitation(invitation.code), NEW)
        assert joined.words == (), "the words she has stay good"
        assert await opens(h.office, words)
        assert not await opens(h.office, RIGHT)
        account = await h.unlock(password=NEW)
        mail = await all_mail(account)
        account.close()
        assert mail == {"INBOX": [letter(0), letter(1)], "private/work": [letter(0)]}
        other = EscrowSeed(escrow.new_seed())
        assert await refused(let_back_in(h.office, ANN, other)) is Reason.LOGIN_FAILED


async def test_an_organisations_key_opens_an_archive(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await lived_in(h)
        seed = EscrowSeed(escrow.new_seed())
        await grant(h.office, ANN, RIGHT, escrow.public_half(seed.octets), "Example Ltd")
        done = await reset(h.office, ANN, NEW)
        assert done.stake.keys == ("recovery words", "escrow")
        back = await open_archives(h.office, ANN, LATER, seed)
        assert back.messages == 3


async def test_of_several_with_one_name_none_is_revoked(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        seed = EscrowSeed(escrow.new_seed())
        key = escrow.public_half(seed.octets)
        for name in ("invitation", "recovery words", " password "):
            assert await refused(grant(h.office, ANN, RIGHT, key, name)) is Reason.NAME_TAKEN
        unlocked = await unlock_root(h.office, ANN, RIGHT)
        with unlocked.root:  # as could be done before
            await add_way(
                h.office, unlocked, "invitation", lambda m, root: (m.escrow_way("invitation", key, root),)
            )
        await let_back_in(h.office, ANN, seed)
        assert await refused(revoke(h.office, ANN, RIGHT, "invitation")) is Reason.SEVERAL_WAYS_IN
        ways = [w for w in await ways_in(h.office, ANN, RIGHT) if w.name == "invitation"]
        assert len(ways) == 2
        await revoke(h.office, ANN, RIGHT, ways[0].id)
        assert (await revoke(h.office, ANN, RIGHT, "invitation")).slot_id == ways[1].slot_id


async def test_a_planted_escrow_slot_opens_nothing(sqlite: Database, tmp_path: Path) -> None:
    """Who has the database, the server's key and the public half can make one: it opens his own root."""
    async with house(sqlite, tmp_path) as h:
        await lived_in(h)
        seed = EscrowSeed(escrow.new_seed())
        key = escrow.public_half(seed.octets)
        account = (await unlock_root(h.office, ANN, RIGHT)).account
        planted = h.office.arena.hold(bytes(range(32)))
        making = Maker(h.office.arena, h.office.server_key, account.uuid, Gens(1, 1), 0)
        way = making.escrow_way("mine", key, planted.view)
        await sqlite.write(lambda tx: add_slot(tx, account.account_id, way.row))
        assert await refused(let_back_in(h.office, ANN, seed)) is Reason.DAMAGED
        own = await unlock_root(h.office, ANN, RIGHT)
        true = making.escrow_way("mine", key, own.root.view)  # the true root, but never listed
        own.root.release()
        await sqlite.write(lambda tx: tx.execute("DELETE FROM slot WHERE type = 4"))
        await sqlite.write(lambda tx: add_slot(tx, account.account_id, true.row))
        assert await refused(let_back_in(h.office, ANN, seed)) is Reason.DAMAGED
        assert await opens(h.office, RIGHT)


async def test_of_two_grants_of_one_key_one_is_enough(sqlite: Database, tmp_path: Path) -> None:
    async with house(sqlite, tmp_path, noted=True) as h:
        await lived_in(h)
        seed = EscrowSeed(escrow.new_seed())
        for name in ("Ltd", "Ltd again"):
            await grant(h.office, ANN, RIGHT, escrow.public_half(seed.octets), name)
        await sqlite.write(
            lambda tx: tx.execute(
                "UPDATE slot SET tag = ? WHERE slot_id = (SELECT slot_id FROM slot WHERE type = 4"
                " ORDER BY created, slot_id LIMIT 1)",
                (bytes(32),),
            )
        )
        assert await let_back_in(h.office, ANN, seed)


async def test_an_archive_opens_by_no_escrow_slot_that_its_owner_did_not_list(
    sqlite: Database, tmp_path: Path
) -> None:
    async with house(sqlite, tmp_path) as h:
        words = words_of(await lived_in(h))
        seed = EscrowSeed(escrow.new_seed())
        own = await unlock_root(h.office, ANN, RIGHT)
        making = Maker(h.office.arena, h.office.server_key, own.account.uuid, Gens(1, 1), 0)
        way = making.escrow_way("mine", escrow.public_half(seed.octets), own.root.view)  # the true root
        own.root.release()
        await sqlite.write(lambda tx: add_slot(tx, own.account.account_id, way.row))
        await reset(h.office, ANN, NEW)
        assert await refused(open_archives(h.office, ANN, LATER, seed)) is Reason.DAMAGED
        assert (await open_archives(h.office, ANN, LATER, words)).messages == 3


def test_any_two_of_three_shares_are_the_key_and_one_is_nothing() -> None:
    seed = escrow.new_seed()
    one, two, three = escrow.split(seed, 2, 3)
    for pair in ([one, two], [three, one], [f"  {two.upper()}\n", three]):
        assert escrow.join(pair) == seed
    for more in ([one, two, three], [one, two, one], [three, two, one, two]):
        assert escrow.join(more) == seed
    for wrong in ((1, 3), (4, 3), (2, 17), (0, 0)):
        with pytest.raises(ValueError):
            escrow.split(seed, *wrong)


def test_what_is_wrong_with_shares_is_said_without_their_words() -> None:
    one, two, _ = escrow.split(escrow.new_seed(), 2, 3)
    other = escrow.split(escrow.new_seed(), 2, 3)[1]
    words = two.split()
    for given, index, why in (
        ([], None, "no share was given"),
        ([one], None, "2 shares are needed, 1 was given"),
        ([one, one.upper()], None, "2 shares are needed, 1 was given"),
        (escrow.split(escrow.new_seed(), 3, 3)[:2], None, "3 shares are needed, 2 were given"),
        ([one, other], None, "the shares are of different keys"),
        ([one, " ".join([*words[:6], "kanarie", *words[7:]])], 1, "word 7 is misspelt"),
        ([" ".join(reversed(words)), one], 0, "one of its words is wrong"),
        ([one, two.rpartition(" ")[0]], 1, "a share has 33 words, not 32"),
    ):
        with pytest.raises(ValueError) as caught:
            escrow.join(given)
        assert str(caught.value) == why
        assert getattr(caught.value, "index", None) == index


def test_halves_are_read_as_they_are_written_and_nothing_else() -> None:
    seed = escrow.new_seed()
    key = escrow.public_half(seed)
    assert escrow.parse_seed(escrow.seed_text(seed) + "\n") == seed
    assert escrow.EscrowKey.parse(f"{key}\n") == key
    for text in ("", str(key), escrow.seed_text(seed)[:-4]):
        with pytest.raises(ValueError):
            escrow.parse_seed(text)
    for text in (
        "",
        escrow.seed_text(seed),
        str(key)[:-8],
        "mailstead-escrow-1 AAAA",
        f"mailstead-escrow-1 {b64encode(bytes([255] * 1216)).decode()}",
    ):
        with pytest.raises(ValueError):
            escrow.EscrowKey.parse(text)
