"""Random deliveries, absorbs, flags and expunges, against a mailbox that is a plain dict.

The model says what a client may rely on: UIDs grow and are never used again, every change has a
higher modseq than what was there before, absorbing changes nothing that can be seen.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailstead.accounts.changes import FlagChange, How
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database
from mailstead.store.tombs import erase_due
from tests.support.house import House, house


@dataclass
class Model:
    messages: dict[int, bytes] = field(default_factory=dict)
    flags: dict[int, tuple[SystemFlag, frozenset[str]]] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    uid_next: int = 1
    highest: int = 1


async def check(h: House, account: UnlockedAccount, inbox: bytes, model: Model) -> None:
    found = [m async for m in account.messages(inbox)]
    assert [m.uid for m in found] == sorted(model.messages)
    for m in found:
        assert (m.state.flags, m.state.keywords) == model.flags[m.uid]
        assert m.state.modseq == model.modseqs[m.uid]
    row = await account.exists(inbox)
    assert row is not None
    assert row.messages == len(found)
    assert row.uid_next == model.uid_next
    assert row.highest_modseq >= max([model.highest, *model.modseqs.values()])


async def step(rng: random.Random, h: House, account: UnlockedAccount, inbox: bytes, model: Model) -> None:
    match rng.choice(["deliver", "deliver", "absorb", "flags", "flags", "expunge"]):
        case "deliver":
            for _ in range(rng.choice([1, 1, 3, 20])):
                octets = f"Subject: {rng.random()}\r\n\r\n{'x' * rng.randint(0, 50)}\r\n".encode()
                assert isinstance((await h.deliver(octets))[0], str)
                uid = model.uid_next
                model.uid_next += 1
                model.messages[uid] = octets
                model.flags[uid] = (SystemFlag(0), frozenset())
            # The modseqs of new mail are the store's to choose: higher than all before.
            async for m in account.messages(inbox, Uid(min(model.messages) - 1)):
                if m.uid not in model.modseqs:
                    assert m.state.modseq > model.highest
                    model.modseqs[m.uid] = m.state.modseq
            model.highest = max(model.modseqs.values(), default=model.highest)
        case "absorb":
            await account.absorb(inbox)
        case "flags":
            uids = [Uid(u) for u in rng.sample(range(1, model.uid_next + 2), min(5, model.uid_next))]
            change = FlagChange(
                rng.choice(list(How)),
                SystemFlag(rng.randrange(32)),
                frozenset(rng.sample(["$Forwarded", "work", "été"], rng.randint(0, 2))),
            )
            after = await account.change_flags(inbox, uids, change)
            assert set(after) == set(uids) & set(model.messages)
            for uid, state in after.items():
                wanted = apply(change, *model.flags[uid])
                if wanted != model.flags[uid]:
                    assert state.modseq > model.highest
                    model.flags[uid], model.modseqs[uid] = wanted, state.modseq
                assert (state.flags, state.keywords) == model.flags[uid]
                assert state.modseq == model.modseqs[uid]
            model.highest = max([model.highest, *model.modseqs.values()])
        case _:
            uids = [Uid(u) for u in rng.sample(range(1, model.uid_next + 2), min(3, model.uid_next))]
            gone = await account.expunge(inbox, uids, undelete_days=rng.choice([0, 7]))
            assert set(gone) == set(uids) & set(model.messages)
            for uid, modseq in gone.items():
                assert modseq > model.modseqs[uid]
                model.highest = max(model.highest, modseq)
                del model.messages[uid], model.flags[uid], model.modseqs[uid]


def apply(
    change: FlagChange, flags: SystemFlag, keywords: frozenset[str]
) -> tuple[SystemFlag, frozenset[str]]:
    if change.how is How.SET:
        return change.flags, change.keywords
    if change.how is How.ADD:
        return flags | change.flags, keywords | change.keywords
    return flags & ~change.flags, keywords - change.keywords


@pytest.mark.parametrize("seed", range(4))
async def test_a_mailbox_is_what_the_model_says(database: Database, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with house(database, tmp_path) as h:
        await h.move_in()
        sessions = [await h.unlock(), await h.unlock()]
        inbox = await h.inbox(sessions[0])
        model = Model()
        row = await sessions[0].exists(inbox)
        assert row is not None
        model.highest = row.highest_modseq
        for _ in range(40):
            await step(rng, h, rng.choice(sessions), inbox, model)
            await check(h, rng.choice(sessions), inbox, model)
        assert await h.read_all(sessions[0]) == model.messages
        counts = await sessions[1].counts(inbox)
        assert counts.messages == len(model.messages)
        assert counts.unseen == sum(SystemFlag.SEEN not in f for f, _ in model.flags.values())
        assert counts.deleted == sum(SystemFlag.DELETED in f for f, _ in model.flags.values())
        for session in sessions:
            session.close()


async def test_absorbing_changes_nothing_that_can_be_seen(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        for n in range(600):
            await h.deliver(f"Subject: {n}\r\n\r\n".encode())
        account = await h.unlock()
        inbox = await h.inbox(account)
        before = [m async for m in account.messages(inbox)]
        row = await account.exists(inbox)
        assert await account.absorb(inbox) == 600
        after = [m async for m in account.messages(inbox)]
        assert [(m.uid, m.state, m.a, m.b) for m in after] == [(m.uid, m.state, m.a, m.b) for m in before]
        assert await account.exists(inbox) == row
        lanes = await database.read(lambda tx: tx.execute("SELECT COUNT(*) FROM lane"))
        assert lanes[0][0] == 0, "a lane goes with its last pending"
        account.close()


async def test_an_expunged_message_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as h:
        await h.move_in()
        for n in range(3):
            await h.deliver(f"Subject: {n}\r\n\r\n".encode())
        account = await h.unlock()
        inbox = await h.inbox(account)
        await account.expunge(inbox, [Uid(1)])
        await account.expunge(inbox, [Uid(2)], undelete_days=1)

        def objects(tx):
            return tx.execute("SELECT COUNT(*), SUM(stored_octets) FROM object")[0]

        count, octets = await database.read(objects)
        assert count == 2, "what lies in a tomb is still stored"
        assert await database.write(erase_due) == 0, "its time has not come"
        await database.write(lambda tx: tx.execute("UPDATE tomb SET erase_at = 0"))
        assert await database.write(erase_due) == 1
        count, octets = await database.read(objects)
        assert count == 1
        used = await database.read(lambda tx: tx.execute("SELECT used_octets FROM account")[0][0])
        assert used == octets
        extents = await database.read(lambda tx: tx.execute("SELECT COUNT(DISTINCT object_id) FROM extent"))
        assert extents[0][0] == 1
        account.close()
