"""Clients that know only what they were told, in two workers, against the store.

Every client believes what it hears and nothing else: its list of messages grows by EXISTS and shrinks
by EXPUNGE, and it learns UIDs and flags by FETCH. Whatever the others do, what it is told must be
legal (RFC 9051 sections 2.3.1, 5.2 and 7.5), and after a NOOP it must know what the store holds.

Three of them enable QRESYNC (RFC 7162): they hear VANISHED, and when they come back to a mailbox they say
what they knew of it, and must know what the store holds from what they are told they have missed. One of
those has UIDONLY (RFC 9586) and one IMAP4rev2 (RFC 9051). One asks by NOTIFY (RFC 5465) to hear of its
mailbox at once, and another, that has selected none, of all mailboxes.
"""

import os
import random
from pathlib import Path

import pytest

from mailstead.accounts.snapshot import Snapshot
from mailstead.imap import responses as answers
from mailstead.imap.dialect import Dialect
from mailstead.imap.view import MailboxView
from mailstead.services.imap import context, notify
from mailstead.services.imap.context import Context
from mailstead.store.database import Database
from tests.support.imap import ImapWorker, imap_worker, octets_of
from tests.support.imapmodel import Known, Listener, Model, UidModel

BOXES = (b"INBOX", b"work", b"Trash")
FLAGS = (rb"\Seen", rb"\Flagged", rb"\Deleted", rb"\Answered", b"$Work", b"other")
SEEDS = range(int(os.environ.get("MAILSTEAD_MODEL_SEEDS", "4")))
STEPS = 60


class World:
    """Everybody, and a plain count of what was put in and what was expunged."""

    def __init__(self, seed: int, workers: list[ImapWorker]) -> None:
        self.rng = random.Random(seed)
        self.workers = workers
        self.models: list[Model] = []
        self.listeners: list[Listener] = []
        self.bodies = 0

    async def start(self) -> None:
        for at, enabled in enumerate((b"", b"QRESYNC", b"", b"QRESYNC UIDONLY", b"QRESYNC IMAP4rev2")):
            worker = self.workers[at % 2]
            kind = UidModel if b"UIDONLY" in enabled else Model
            model = kind(await worker.login(None), worker, qresync=b"QRESYNC" in enabled, enabled=enabled)
            if at == 0:
                await model.client.ok(b"CREATE work")
            await model.enable()
            self.models.append(model)
            await model.select(b"INBOX" if at < 3 else b"work", read_only=at == 2)
            if at == 2:
                await model.client.ok(b"NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))")
        for worker in self.workers:
            listener = Listener(await worker.login(None))
            await listener.start()
            self.listeners.append(listener)

    def message(self) -> bytes:
        self.bodies += 1
        return b"Subject: %d\r\n\r\nbody %d\r\n" % (self.bodies, self.bodies)

    def some(self, model: Model) -> tuple[bytes, bytes]:
        """ "UID " and a set of UIDs, or nothing and a set of numbers that it was told of."""
        uids = [m.uid for m in model.messages if m.uid is not None]
        only = isinstance(model, UidModel)
        if only or not model.messages or (uids and self.rng.random() < 0.5):
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
                          "conditional", "since", "return", "name", "replace", "replace"]):  # fmt: skip
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
            case "replace" if model.messages:
                octets, known = self.message(), rng.choice(model.messages).uid
                by_uid = known is not None and (isinstance(model, UidModel) or rng.random() < 0.5)
                which = (
                    b"UID REPLACE %d" % known
                    if by_uid
                    else b"REPLACE %d" % rng.randint(1, len(model.messages))
                )
                await model.command(
                    which + b" %b (%b) {%d}" % (rng.choice(BOXES), flags, len(octets)), octets
                )
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
            case "name":
                command = rng.choice([b"CREATE x/y", b"CREATE z", b"DELETE x/y", b"DELETE z", b"RENAME x z",
                                      b"RENAME z x", b"SUBSCRIBE z", b"UNSUBSCRIBE z", b"DELETE x"])  # fmt: skip
                model.hear((await model.client.command(command)).untagged, expunges=True)
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
        await model.enable()
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
        keys = self.rng.choice([b"ALL", b"UNSEEN", b"KEYWORD $work", b"BODY 1"])
        by_uid = isinstance(model, UidModel) or self.rng.random() < 0.5
        said = await model.command(b"UID " * by_uid + b"SEARCH " + keys)
        (line,) = said.having(b"SEARCH")
        assert line.startswith(b"* ESEARCH (TAG " if b"rev2" in model.enabled else b"* SEARCH")

    async def check(self) -> None:
        """After a NOOP, and once it has asked for what it was not told, each client knows what is there."""
        for model in self.models:
            await model.command(b"NOOP")
            if isinstance(model, UidModel):
                before = {m.uid: m.flags for m in model.messages}
                await model.command(model.everything(b"(FLAGS)"))
                assert all(before.get(m.uid) in (None, m.flags) for m in model.messages)
                assert len(model.messages) == model.count
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
        for listener in self.listeners:
            witness_client = await self.rng.choice(self.workers).login(None)
            await listener.check(witness_client)
            witness_client.hang_up()

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


@pytest.mark.parametrize(
    "broken",
    ["expunges", "order", "forgets", "vanished", "changed", "too new", "numbers", "elsewhere", "names"],
)
async def test_the_model_finds_what_is_not_legal(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The control: EXPUNGE at any time, from the first to the last, or news that is never told.

    And for who comes back: what vanished or changed is not told, or it was told of more than it was. For
    UIDONLY and NOTIFY: numbers are told, or nothing of other mailboxes.
    """
    tell, told = Context.tell, context.told
    match broken:
        case "expunges":
            monkeypatch.setattr(
                Context, "tell", lambda self, *, expunges, **more: tell(self, expunges=True, **more)
            )
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
        case "numbers":
            monkeypatch.setattr(Dialect, "numbered", b"FETCH")
        case "elsewhere":
            monkeypatch.setattr(notify, "_moved", lambda old, new, events: False)
        case "names":
            monkeypatch.setattr(notify, "_names", lambda old, new, wanted: [])
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
