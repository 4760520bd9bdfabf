"""Two workers, random commands and deliveries, against mailboxes that are plain dicts.

The model says what a client may rely on: UIDs grow and are never used again, every change has a
higher modseq than what was there before, absorbing changes nothing that can be seen, a moved
message is in exactly one mailbox. A client that knows only what it was told by snapshots ends up
with what is there.
"""

import contextlib
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailstead.accounts.flagging import FlagChange, How
from mailstead.accounts.news import news
from mailstead.accounts.snapshot import Snapshot
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.database import Database
from mailstead.store.tombs import erase_due
from tests.support.house import House, house

STEPS = [
    *(
        "deliver",
        "deliver",
        "absorb",
        "flags",
        "flags",
        "since",
        "expunge",
        "deleted",
        "copy",
        "copy",
        "move",
    ),
    *("create", "delete", "rename", "inbox", "watch", "hear", "hear"),
]
NAMES = ["INBOX", "Trash", "work", "work/late", "été"]


@dataclass
class Message:
    octets: bytes
    flags: SystemFlag
    keywords: frozenset[str]
    modseq: int


@dataclass
class Box:
    id: bytes
    messages: dict[int, Message] = field(default_factory=dict)
    uid_next: int = 1
    highest: int = 1


@dataclass
class Client:
    """Knows of a mailbox what the snapshots told: UID to flags, keywords and modseq."""

    snapshot: Snapshot
    known: dict[int, tuple[SystemFlag, frozenset[str], int]] = field(default_factory=dict)

    async def hear(self, account: UnlockedAccount) -> None:
        fresh = await account.snapshot(self.snapshot.mailbox.mailbox_id)
        heard = news(self.snapshot, fresh)
        fresh = await account.opened(fresh, [*heard.new, *heard.changed])
        for uid in heard.gone:
            del self.known[uid]
        for uid in heard.new:
            assert uid >= self.snapshot.mailbox.uid_next, "a new message has a UID that was never given"
            assert uid not in self.known
        for uid in (*heard.new, *heard.changed):
            state = fresh.get(uid)
            assert state is not None
            assert not fresh.sealed([uid])
            self.known[uid] = (state.flags, state.keywords, state.modseq)
        # By modseq alone one finds the same.
        since = self.snapshot.highest_modseq
        assert set(fresh.changed_since(since)) == {*heard.new, *heard.changed}
        assert set(heard.gone) <= set(fresh.vanished_since(since))
        self.snapshot = fresh


class World:
    def __init__(self, rng: random.Random, houses: list[House], accounts: list[UnlockedAccount]) -> None:
        self.rng, self.houses, self.accounts = rng, houses, accounts
        self.boxes: dict[str, Box] = {}
        self.clients: list[tuple[int, str, Client]] = []
        self.highest = 0

    def seen(self, modseq: int) -> int:
        assert modseq > self.highest
        return modseq

    async def start(self) -> None:
        for mailbox in await self.accounts[0].mailboxes():
            self.boxes[mailbox.name] = Box(mailbox.id, highest=mailbox.highest_modseq)
            self.highest = max(self.highest, mailbox.highest_modseq)

    async def step(self) -> None:
        rng = self.rng
        worker = rng.randrange(2)
        account = self.accounts[worker]
        name = rng.choice(sorted(self.boxes))
        box = self.boxes[name]
        uids = [Uid(u) for u in rng.sample(range(1, box.uid_next + 2), min(5, box.uid_next))]
        match rng.choice(STEPS):
            case "deliver":
                await self.deliver(self.houses[worker])
            case "absorb":
                await account.absorb(box.id)
            case "flags":
                await self.flags(account, box, uids, None)
            case "since":
                await self.flags(account, box, uids, rng.randint(0, self.highest))
            case "expunge":
                await self.expunge(account, box, uids, rng.random() < 0.5)
            case "deleted":
                await self.flags(account, box, uids, None, FlagChange(How.ADD, SystemFlag.DELETED))
                await self.expunge(account, box, uids, True)
            case "copy" | "move" as how:
                await self.copy(account, box, uids, self.boxes[rng.choice(sorted(self.boxes))], how)
            case "create":
                await self.create(account, rng.choice(NAMES))
            case "delete":
                await self.delete(account, rng.choice(NAMES))
            case "rename":
                await self.rename(account, rng.choice(NAMES), rng.choice(NAMES))
            case "inbox" if rng.random() < 0.3:
                await self.rename(account, "INBOX", f"old{len(self.boxes)}")
            case "watch":
                client = Client(await account.snapshot(box.id))
                empty = Snapshot(client.snapshot.mailbox, {}, client.snapshot.uids[:0])
                first = await account.opened(client.snapshot, client.snapshot.uids)
                for uid in news(empty, first).new:
                    state = first.get(uid)
                    assert state is not None
                    client.known[uid] = (state.flags, state.keywords, state.modseq)
                self.clients.append((worker, name, client))
            case _:
                await self.hear()

    async def hear(self) -> None:
        for worker, name, client in list(self.clients):
            box = self.boxes.get(name)
            if box is None or box.id != client.snapshot.mailbox.mailbox_id:
                self.clients.remove((worker, name, client))
                continue
            await client.hear(self.accounts[worker])
            there = {u: (m.flags, m.keywords, m.modseq) for u, m in box.messages.items()}
            assert client.known == there
            assert list(client.snapshot.uids) == sorted(there)

    async def deliver(self, h: House) -> None:
        box = self.boxes["INBOX"]
        before = self.highest
        for _ in range(self.rng.choice([1, 1, 3, 20])):
            octets = f"Subject: {self.rng.random()}\r\n\r\n{'x' * self.rng.randint(0, 50)}\r\n".encode()
            assert isinstance((await h.deliver(octets))[0], str)
            box.messages[box.uid_next] = Message(octets, SystemFlag(0), frozenset(), 0)
            box.uid_next += 1
        async for m in self.accounts[0].messages(box.id, Uid(min(box.messages) - 1)):
            if not box.messages[m.uid].modseq:  # the store's to choose: higher than all before
                assert m.state.modseq > before
                box.messages[m.uid].modseq = m.state.modseq
                self.highest = max(self.highest, m.state.modseq)

    async def flags(
        self,
        account: UnlockedAccount,
        box: Box,
        uids: list[Uid],
        since: int | None,
        change: FlagChange | None = None,
    ) -> None:
        rng = self.rng
        change = change or FlagChange(
            rng.choice(list(How)),
            SystemFlag(rng.randrange(32)),
            frozenset(rng.sample(["$Forwarded", "work", "été"], rng.randint(0, 2))),
        )
        outcome = await account.change_flags(box.id, uids, change, since)
        there = set(uids) & set(box.messages)
        passed = {u for u in there if since is not None and box.messages[u].modseq > since}
        assert set(outcome.modified) == passed
        assert sorted(outcome.there) == outcome.there
        assert set(outcome.there) == there - passed
        top = self.highest
        now = await account.snapshot(box.id)
        for uid in outcome.there:
            state, m = now.get(uid), box.messages[uid]
            assert state is not None
            wanted = apply(change, m.flags, m.keywords)
            if wanted != (m.flags, m.keywords):
                (m.flags, m.keywords), m.modseq = wanted, self.seen(state.modseq)
                assert state.modseq in outcome.modseqs
                top = max(top, m.modseq)
            assert (state.flags, state.keywords, state.modseq) == (m.flags, m.keywords, m.modseq)
        self.highest = top

    async def expunge(self, account: UnlockedAccount, box: Box, uids: list[Uid], only_deleted: bool) -> None:
        days = self.rng.choice([0, 7])
        gone = await account.expunge(box.id, uids, undelete_days=days, only_deleted=only_deleted)
        wanted = {
            u
            for u in set(uids) & set(box.messages)
            if not only_deleted or SystemFlag.DELETED in box.messages[u].flags
        }
        assert set(gone) == wanted
        for uid, modseq in gone.items():
            self.seen(modseq)
            del box.messages[uid]
        self.highest = max([self.highest, *gone.values()])

    async def copy(self, account: UnlockedAccount, box: Box, uids: list[Uid], target: Box, how: str) -> None:
        act = account.copy if how == "copy" else account.move
        copied = await act(box.id, uids, target.id)
        sources = sorted(set(uids) & set(box.messages))
        assert copied.sources == sources
        assert len(copied.targets) == len(sources)
        assert copied.targets == sorted(copied.targets)
        row = await account.exists(target.id)
        assert row is not None
        assert copied.uid_validity == row.uid_validity
        moved = [box.messages.pop(u) if how == "move" else box.messages[u] for u in sources]
        for uid, m in zip(copied.targets, moved, strict=True):
            assert uid >= target.uid_next, "a UID is used twice"
            target.messages[uid] = Message(m.octets, m.flags, m.keywords, self.seen(row.highest_modseq))
            target.uid_next = uid + 1
        self.highest = max(self.highest, row.highest_modseq)

    async def create(self, account: UnlockedAccount, name: str) -> None:
        if name in self.boxes:
            with refused(Reason.MAILBOX_EXISTS):
                await account.create_mailbox(name)
            return
        await account.create_mailbox(name)
        await self.found(account)

    async def found(self, account: UnlockedAccount) -> None:
        """Take up mailboxes that were made: the one asked for, and those above it."""
        for mailbox in await account.mailboxes():
            if mailbox.name not in self.boxes:
                assert all(b.id != mailbox.id for b in self.boxes.values())
                assert (mailbox.uid_next, mailbox.messages) == (1, 0)
                self.boxes[mailbox.name] = Box(mailbox.id, highest=self.seen(mailbox.highest_modseq))
        self.highest = max([self.highest, *(m.highest_modseq for m in await account.mailboxes())])

    async def delete(self, account: UnlockedAccount, name: str) -> None:
        if name == "INBOX":
            with refused(Reason.MAILBOX_FIXED):
                await account.delete_mailbox(name)
        elif name not in self.boxes:
            below = any(n.startswith(f"{name}/") for n in self.boxes)
            with refused(Reason.MAILBOX_HAS_CHILDREN if below else Reason.NO_SUCH_MAILBOX):
                await account.delete_mailbox(name)
        else:
            await account.delete_mailbox(name)
            box = self.boxes.pop(name)
            for other in self.accounts:
                with refused(Reason.NO_SUCH_MAILBOX):
                    await other.snapshot(box.id)

    async def rename(self, account: UnlockedAccount, old: str, new: str) -> None:
        moving = [n for n in self.boxes if n == old or n.startswith(f"{old}/")]
        targets = {new} | (set() if old == "INBOX" else {new + n[len(old) :] for n in moving})
        below = old != "INBOX" and new.startswith(f"{old}/")
        if not moving or targets & set(self.boxes) or below:
            with pytest.raises(Refused):
                await account.rename_mailbox(old, new)
            return
        await account.rename_mailbox(old, new)
        if old == "INBOX":
            await self.moved(account, self.boxes["INBOX"], new)
        else:
            assert new not in self.boxes
            self.boxes |= {new + n[len(old) :]: self.boxes.pop(n) for n in moving}
        await self.found(account)

    async def moved(self, account: UnlockedAccount, inbox: Box, name: str) -> None:
        """All messages of INBOX went to a new mailbox."""
        made = await account.mailbox(name)
        now = await account.snapshot(made.id)
        assert len(now.uids) == len(inbox.messages)
        box = self.boxes[name] = Box(made.id, highest=self.seen(made.highest_modseq))
        for uid, old in zip(now.uids, sorted(inbox.messages), strict=True):
            m, state = inbox.messages.pop(old), now.get(uid)
            assert state is not None
            box.messages[Uid(uid)] = Message(m.octets, m.flags, m.keywords, self.seen(state.modseq))
            box.uid_next = uid + 1

    async def check(self) -> None:
        account = self.rng.choice(self.accounts)
        found = {m.name: m for m in await account.mailboxes()}
        assert {n: m.id for n, m in found.items()} == {n: b.id for n, b in self.boxes.items()}
        assert len({m.uid_validity for m in found.values()}) == len(found)
        for name, box in self.boxes.items():
            messages = [m async for m in account.messages(box.id)]
            assert {m.uid: (m.state.flags, m.state.keywords, m.state.modseq) for m in messages} == {
                u: (m.flags, m.keywords, m.modseq) for u, m in box.messages.items()
            }
            status = await account.status(box.id)
            flags = [m.flags for m in box.messages.values()]
            assert status.messages == len(flags) == found[name].messages
            assert status.unseen == sum(SystemFlag.SEEN not in f for f in flags)
            assert status.deleted == sum(SystemFlag.DELETED in f for f in flags)
            assert status.size == sum(m.a.size for m in messages)
            assert status.uid_next >= box.uid_next
            assert status.highest_modseq >= max([box.highest, *(m.modseq for m in box.messages.values())])
            box.highest = status.highest_modseq

    async def bodies(self) -> None:
        for box in self.boxes.values():
            async for m in self.accounts[0].messages(box.id):
                octets = b"".join([piece async for piece in self.accounts[0].read(m.body)])
                assert octets[m.a.trace_octets :] == box.messages[m.uid].octets


@contextlib.contextmanager
def refused(reason: Reason):
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.reason is reason


def apply(
    change: FlagChange, flags: SystemFlag, keywords: frozenset[str]
) -> tuple[SystemFlag, frozenset[str]]:
    if change.how is How.SET:
        return change.flags, change.keywords
    if change.how is How.ADD:
        return flags | change.flags, keywords | change.keywords
    return flags & ~change.flags, keywords - change.keywords


@pytest.mark.parametrize("seed", range(4))
async def test_mailboxes_are_what_the_model_says(
    databases: list[Database], tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    async with house(databases[0], tmp_path) as one, house(databases[1], tmp_path) as two:
        await one.move_in()
        world = World(rng, [one, two], [await one.unlock(), await two.unlock()])
        await world.start()
        for _ in range(80):
            await world.step()
            await world.check()
        await world.hear()
        await world.bodies()
        await everything_goes(world, databases[0])


async def everything_goes(world: World, database: Database) -> None:
    """With the last message the last octet goes, and the quota is given back."""
    account = world.accounts[0]
    for box in world.boxes.values():
        await account.expunge(box.id, [Uid(u) for u in box.messages])
    await database.write(lambda tx: tx.execute("UPDATE tomb SET erase_at = 0"))
    while await database.write(erase_due):
        pass
    for table in ("object", "extent", "page", "pending", "lane", "tomb"):
        left = await database.read(lambda tx, t=table: tx.execute(f"SELECT COUNT(*) FROM {t}"))
        assert left[0][0] == 0, table
    used = await database.read(lambda tx: tx.execute("SELECT used_octets FROM account"))
    assert used[0][0] == 0
    for session in world.accounts:
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
