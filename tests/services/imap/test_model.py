"""Clients that know only what they were told, in two workers, against the store.

Every client believes what it hears and nothing else: its list of messages grows by EXISTS and shrinks
by EXPUNGE, and it learns UIDs and flags by FETCH. Whatever the others do, what it is told must be
legal (RFC 9051 sections 2.3.1, 5.2 and 7.5), and after a NOOP it must know what the store holds.

Two of them enable QRESYNC (RFC 7162): they hear VANISHED, and when they come back to a mailbox they say
what they knew of it, and must know what the store holds from what they are told they have missed.
"""

import os
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailstead.accounts.snapshot import Snapshot
from mailstead.imap import responses as answers
from mailstead.imap.view import MailboxView
from mailstead.services.imap import context
from mailstead.services.imap.context import Context
from mailstead.store.database import Database
from tests.support.imap import Client, ImapWorker, Said, imap_worker, octets_of

BOXES = (b"INBOX", b"work", b"Trash")
FLAGS = (rb"\Seen", rb"\Flagged", rb"\Deleted", rb"\Answered", b"$Work", b"other")
QUIET = re.compile(rb"(FETCH|STORE|SEARCH) ")  # commands during which no EXPUNGE may be told
SEEDS = range(int(os.environ.get("MAILSTEAD_MODEL_SEEDS", "4")))
STEPS = 60


@dataclass
class Known:
    """A message as a client believes it to be; None is what it was not told of."""

    uid: int | None = None
    flags: frozenset[bytes] | None = None


@dataclass(frozen=True)
class Remembered:
    """What a client that was away still knows of a mailbox: flags by UID, all of it at *modseq*."""

    validity: int
    modseq: int
    flags: dict[int, frozenset[bytes] | None]


def numbers_of(text: bytes) -> list[int]:
    """A sequence set without "*", number by number."""
    found: list[int] = []
    for piece in text.split(b","):
        low, _, high = piece.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


@dataclass(eq=False)
class Model:
    """One client, and what it knows of the mailbox that it has selected."""

    client: Client
    worker: ImapWorker
    box: bytes = b""
    read_only: bool = False
    validity: int = 0
    messages: list[Known] = field(default_factory=list)
    defined: set[bytes] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)  # UIDs it was told to be expunged
    qresync: bool = False
    modseq: int = 0  # it was told of everything up to this one
    earlier: set[int] = field(default_factory=set)
    remembered: dict[bytes, Remembered] = field(default_factory=dict)

    async def select(self, box: bytes, *, read_only: bool, uids: bool = False) -> None:
        """Open a mailbox; with QRESYNC, *uids* says which UIDs it knows."""
        if self.qresync and self.modseq:
            known = {m.uid: m.flags for m in self.messages if m.uid is not None}
            self.remembered[self.box] = Remembered(self.validity, self.modseq, known)
        self.messages, self.gone, self.box, self.read_only = [], set(), box, read_only
        self.earlier = set()
        before = self.remembered.get(box)
        opening = b""
        if before is not None:
            known_uids = (
                b" " + b",".join(b"%d" % uid for uid in before.flags) if uids and before.flags else b""
            )
            opening = b" (QRESYNC (%d %d%b))" % (before.validity, before.modseq, known_uids)
        said = await self.client.ok((b"EXAMINE " if read_only else b"SELECT ") + box + opening)
        whole = b" ".join(said.untagged)
        self.validity = int(re.findall(rb"UIDVALIDITY (\d+)", whole)[0])
        self.modseq = int(re.findall(rb"HIGHESTMODSEQ (\d+)", whole)[0])
        self.hear(said.untagged, expunges=False)
        if before is not None and before.validity == self.validity:
            await self.come_back(before)

    async def come_back(self, before: "Remembered") -> None:
        """What it knew, less what it is told it has missed, is what it knows."""
        if self.messages:
            await self.command(b"FETCH 1:* (UID)")
        there = {m.uid: m for m in self.messages}
        kept = before.flags.keys() - self.earlier
        assert kept <= there.keys(), "what vanished was told"
        for uid in kept:
            if there[uid].flags is None:
                there[uid].flags = before.flags[uid]

    async def command(self, text: bytes) -> Said:
        said = await self.client.command(text)
        assert said.status in (b"OK", b"NO"), (text, said)
        if said.status == b"NO":
            assert said.code in (b"EXPUNGEISSUED", b"READ-ONLY", b"MODIFIED"), (text, said)
        self.hear(said.untagged, expunges=QUIET.match(text) is None)
        if found := re.match(rb"\[HIGHESTMODSEQ (\d+)\]", said.text):
            self.modseq = max(self.modseq, int(found[1]))
        return said

    def hear(self, lines: list[bytes], *, expunges: bool) -> None:
        for line in lines:
            found = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT|FETCH)(?: \((.*)\))?\Z", line, re.DOTALL)
            if vanished := re.match(rb"\* VANISHED( \(EARLIER\))? (\S+)\Z", line):
                self.vanish(numbers_of(vanished[2]), earlier=bool(vanished[1]), expunges=expunges)
                continue
            if found is None:
                defined = re.match(rb"\* FLAGS \((.*)\)", line)
                if defined is not None:
                    new = set(defined[1].split())
                    assert new >= self.defined or self.messages == [], "a flag is not taken back"
                    self.defined = new
                continue
            number = int(found[1])
            match found[2]:
                case b"EXISTS":
                    assert number >= len(self.messages), "only EXPUNGE makes it smaller"
                    self.messages += [Known() for _ in range(number - len(self.messages))]
                case b"EXPUNGE":
                    assert expunges, "not during FETCH, STORE or SEARCH"
                    assert not self.qresync, "it asked for VANISHED"
                    assert 1 <= number <= len(self.messages)
                    uid = self.messages.pop(number - 1).uid
                    if uid is not None:
                        self.gone.add(uid)
                case b"RECENT":
                    assert number <= len(self.messages)
                case _:
                    self.fetched(number, found[3])

    def vanish(self, uids: list[int], *, earlier: bool, expunges: bool) -> None:
        assert self.qresync, "nobody else is told so"
        if earlier:
            self.earlier.update(uids)
            return
        assert expunges, "not during FETCH, STORE or SEARCH"
        for uid in uids:
            known = [m.uid for m in self.messages]
            if uid not in known:  # it was never told: one that stands between what it knows below and above
                low = max((n for n, u in enumerate(known) if u is not None and u < uid), default=-1)
                at = low + 1
                assert at < len(known), "no VANISHED of what was not told to exist"
                assert known[at] is None, "nor here"
            else:
                at = known.index(uid)
            del self.messages[at]
            self.gone.add(uid)

    def fetched(self, number: int, items: bytes) -> None:
        assert 1 <= number <= len(self.messages), "no FETCH of what was not told to exist"
        known = self.messages[number - 1]
        if uid := re.search(rb"UID (\d+)", items.split(b"BODY")[0]):
            assert known.uid in (None, int(uid[1])), "a number means one message"
            known.uid = int(uid[1])
            assert known.uid not in self.gone, "what is expunged does not come back"
            uids = [m.uid for m in self.messages if m.uid is not None]
            assert uids == sorted(set(uids)), "UIDs ascend with the numbers"
        if flags := re.search(rb"FLAGS \(([^)]*)\)", items):
            assert not self.qresync or b"MODSEQ (" in items, "every change has its mod-sequence"
            shown = set(flags[1].split()) - {rb"\Recent"}
            assert shown <= self.defined, "a keyword is defined before it is shown"
            known.flags = frozenset(shown)


class World:
    """Everybody, and a plain count of what was put in and what was expunged."""

    def __init__(self, seed: int, workers: list[ImapWorker]) -> None:
        self.rng = random.Random(seed)
        self.workers = workers
        self.models: list[Model] = []
        self.bodies = 0

    async def start(self) -> None:
        for at in range(4):
            worker = self.workers[at % 2]
            model = Model(await worker.login(None), worker, qresync=at in (1, 3))
            if at == 0:
                await model.client.ok(b"CREATE work")
            if model.qresync:
                await model.client.ok(b"ENABLE QRESYNC")
            self.models.append(model)
            await model.select(b"INBOX" if at < 3 else b"work", read_only=at == 2)

    def message(self) -> bytes:
        self.bodies += 1
        return b"Subject: %d\r\n\r\nbody %d\r\n" % (self.bodies, self.bodies)

    def some(self, model: Model) -> tuple[bytes, bytes]:
        """ "UID " and a set of UIDs, or nothing and a set of numbers that it was told of."""
        uids = [m.uid for m in model.messages if m.uid is not None]
        if not model.messages or (uids and self.rng.random() < 0.5):
            chosen = self.rng.sample(uids, min(len(uids), 3)) or [1]
            chosen += [self.rng.randint(1, 400)] if self.rng.random() < 0.2 else []
            return b"UID ", b",".join(b"%d" % uid for uid in chosen)
        low = self.rng.randint(1, len(model.messages))
        high = self.rng.choice([b"*", b"%d" % self.rng.randint(low, len(model.messages))])
        return b"", b"%d:%b" % (low, high) if self.rng.random() < 0.5 else b"%d" % low

    async def step(self) -> None:
        rng = self.rng
        model = rng.choice(self.models)
        uid, numbers = self.some(model)
        flags = b" ".join(rng.sample(FLAGS, rng.randint(1, 3)))
        match rng.choice(["deliver", "append", "absorb", "store", "store", "store", "expunge", "uidexpunge", "copy",
                          "move", "fetch", "fetch", "body", "search", "noop", "select", "close", "idle",
                          "conditional", "since", "return"]):  # fmt: skip
            case "deliver":
                for _ in range(rng.choice([1, 1, 5])):
                    await rng.choice(self.workers).house.deliver(self.message())
            case "append":
                octets = self.message()
                said = await model.client.ok(
                    b"APPEND %b (%b) {%d}" % (rng.choice(BOXES), flags, len(octets)), octets
                )
                model.hear(said.untagged, expunges=True)
            case "absorb":
                account = await rng.choice(self.workers).house.unlock()
                await account.absorb((await account.mailbox(rng.choice(BOXES).decode())).id)
                account.close()
            case "store":
                how = rng.choice([b"FLAGS", b"+FLAGS", b"-FLAGS"])
                await self.store(model, uid, numbers, how, flags, silent=rng.random() < 0.4)
            case "expunge":
                await model.command(b"EXPUNGE")
            case "uidexpunge" if uid:
                await model.command(b"UID EXPUNGE " + numbers)
            case "copy":
                await model.command(uid + b"COPY %b %b" % (numbers, rng.choice(BOXES)))
            case "move":
                await model.command(uid + b"MOVE %b %b" % (numbers, rng.choice(BOXES)))
            case "fetch":
                await model.command(uid + b"FETCH %b (UID FLAGS)" % numbers)
            case "body":
                await model.command(
                    uid + b"FETCH %b %b" % (numbers, rng.choice([b"BODY[]", b"ENVELOPE", b"BODY.PEEK[TEXT]"]))
                )
            case "search":
                await self.search(model)
            case "select":
                await model.select(rng.choice(BOXES), read_only=rng.random() < 0.2, uids=rng.random() < 0.5)
            case "conditional" if model.qresync:
                since = rng.randint(max(0, model.modseq - 5), model.modseq)
                await model.command(
                    uid + b"STORE %b (UNCHANGEDSINCE %d) +FLAGS (%b)" % (numbers, since, flags)
                )
            case "since" if model.qresync:
                since = rng.randint(1, model.modseq)
                await model.command(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % since)
            case "return" if model.qresync:
                await self.go_and_return(model)
            case "close":
                await model.client.ok(b"CLOSE")
                await model.select(rng.choice(BOXES), read_only=rng.random() < 0.2)
            case "idle":
                tag = model.client.begin(b"IDLE")
                while not (line := await model.client.response()).startswith(b"+"):
                    model.hear([line], expunges=True)
                await rng.choice(self.workers).house.deliver(self.message())
                model.client.send(b"DONE\r\n")
                model.hear((await model.client.end(tag)).untagged, expunges=True)
            case _:
                await model.command(b"NOOP")

    async def go_and_return(self, model: Model) -> None:
        """Another connection in another worker, which knows what the first one was told."""
        model.client.hang_up()
        self.models.remove(model)
        for _ in range(self.rng.choice([0, 2, 8])):
            await self.step()
        self.models.append(model)
        model.client = await self.rng.choice(self.workers).login(None)
        await model.client.ok(b"ENABLE QRESYNC")
        await model.select(model.box, read_only=model.read_only, uids=self.rng.random() < 0.5)

    async def store(
        self, model: Model, uid: bytes, numbers: bytes, how: bytes, flags: bytes, *, silent: bool
    ) -> None:
        """A client that asks not to be told works out the flags for itself."""
        meant = self.meant(model, uid, numbers)
        before = [m.flags for m in meant]
        said = await model.command(uid + b"STORE %b %b%b (%b)" % (numbers, how, b".SILENT" * silent, flags))
        if not silent or said.status == b"NO":
            for m in meant if said.code == b"EXPUNGEISSUED" else ():
                m.flags = None
            return
        given = frozenset(flags.split())
        for m, old in zip(meant, before, strict=True):
            if m.flags is not old or old is None:  # it was told, or had never known
                m.flags = m.flags if m.flags is not old else None
                continue
            m.flags = given if how == b"FLAGS" else old | given if how == b"+FLAGS" else old - given

    def meant(self, model: Model, uid: bytes, numbers: bytes) -> list[Known]:
        if uid:
            wanted = {int(n) for n in numbers.split(b",")}
            return [m for m in model.messages if m.uid in wanted]
        low, _, high = numbers.partition(b":")
        last = len(model.messages) if high == b"*" else int(high or low)
        return model.messages[int(low) - 1 : last]

    async def search(self, model: Model) -> None:
        said = await model.command(
            self.rng.choice([b"SEARCH ALL", b"UID SEARCH UNSEEN", b"SEARCH KEYWORD $work", b"SEARCH BODY 1"])
        )
        (line,) = said.having(b"* SEARCH")
        assert all(int(n) >= 1 for n in line.split()[2:])

    async def check(self) -> None:
        """After a NOOP, and once it has asked for what it was not told, each client knows what is there."""
        for model in self.models:
            await model.command(b"NOOP")
            known = [(m.uid, m.flags) for m in model.messages]
            witness = Model(await self.rng.choice(self.workers).login(None), model.worker)
            await witness.select(model.box, read_only=True)
            assert witness.validity == model.validity
            if witness.messages:
                await witness.command(b"FETCH 1:* (UID FLAGS)")
            there = [(m.uid, m.flags) for m in witness.messages]
            assert len(known) == len(there), (model.box, known, there)
            for (uid, flags), (real_uid, real_flags) in zip(known, there, strict=True):
                assert uid in (None, real_uid)
                assert flags in (None, real_flags), (model.box, real_uid, flags, real_flags)
            witness.client.hang_up()

    async def bodies_are_whole(self) -> None:
        """Copied, moved, absorbed or not: a message is what was put in."""
        for box in BOXES:
            model = self.models[0]
            await model.select(box, read_only=True)
            for line in (await model.command(b"UID FETCH 1:* (BODY.PEEK[])")).having(b"BODY[]"):
                octets = octets_of(line)
                assert octets is not None
                at = octets.index(b"Subject: ")
                number = octets[at + 9 : octets.index(b"\r\n", at)]
                assert octets[at:] == b"Subject: %b\r\n\r\nbody %b\r\n" % (number, number)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_session_has_a_legal_view(databases: list[Database], tmp_path: Path, seed: int) -> None:
    async with imap_worker(databases[0], tmp_path) as one, imap_worker(databases[1], tmp_path) as two:
        await one.house.move_in()
        world = World(seed, [one, two])
        await world.start()
        for n in range(STEPS):
            await world.step()
            if n % 5 == 4:
                await world.check()
        await world.check()
        await world.bodies_are_whole()


@pytest.mark.parametrize("broken", ["expunges", "order", "forgets", "vanished", "changed", "too new"])
async def test_the_model_finds_what_is_not_legal(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The control: EXPUNGE at any time, from the first to the last, or news that is never told.

    And for who comes back: what vanished or changed is not told, or it was told of more than it was.
    """
    tell, told = Context.tell, context.told
    match broken:
        case "expunges":
            monkeypatch.setattr(Context, "tell", lambda self, *, expunges: tell(self, expunges=True))
        case "order":
            monkeypatch.setattr(
                context,
                "told",
                lambda news, *how, **more: told(
                    sorted(news, key=lambda n: getattr(n, "number", 0)), *how, **more
                ),
            )
        case "vanished":
            monkeypatch.setattr(Snapshot, "vanished_since", lambda self, modseq: iter(()))
        case "changed":
            monkeypatch.setattr(Snapshot, "changed_since", lambda self, modseq: iter(()))
        case "too new":
            monkeypatch.setattr(
                answers, "highest_modseq", lambda modseq, real=answers.highest_modseq: real(modseq + 9000)
            )
        case _:
            monkeypatch.setattr(MailboxView, "change", lambda self, uid, flags, modseq: None)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with imap_worker(sqlite, tmp_path) as w:
            await w.house.move_in()
            world = World(1, [w, w])
            await world.start()
            for n in range(10 * STEPS):
                await world.step()
                if n % 10 == 9:
                    await world.check()
    assert caught.group_contains(AssertionError)
