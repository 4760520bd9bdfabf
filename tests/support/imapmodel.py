"""Clients that know only what they were told (tests/services/imap/test_model.py)."""

import re
from dataclasses import dataclass, field

from tests.support.imap import Client, ImapWorker, Said

QUIET = re.compile(rb"(FETCH|STORE|SEARCH) ")  # commands during which no EXPUNGE may be told


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
    enabled: bytes = b""
    modseq: int = 0  # it was told of everything up to this one
    earlier: set[int] = field(default_factory=set)
    remembered: dict[bytes, Remembered] = field(default_factory=dict)

    async def enable(self) -> None:
        if self.enabled:
            await self.client.ok(b"ENABLE " + self.enabled)

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
        closed = [n for n, line in enumerate(said.untagged) if line.startswith(b"* OK [CLOSED]")]
        self.hear(said.untagged[closed[0] if closed else 0 :], expunges=False)
        if before is not None and before.validity == self.validity:
            await self.come_back(before)

    async def come_back(self, before: "Remembered") -> None:
        """What it knew, less what it is told it has missed, is what it knows."""
        if self.holds_any:
            await self.command(self.everything(b"(UID)"))
        there = {m.uid: m for m in self.messages}
        kept = before.flags.keys() - self.earlier
        assert kept <= there.keys(), "what vanished was told"
        for uid in kept:
            if there[uid].flags is None:
                there[uid].flags = before.flags[uid]

    async def command(self, text: bytes, *literals: bytes) -> Said:
        said = await self.client.command(text, *literals)
        assert said.status in (b"OK", b"NO"), (text, said)
        if said.status == b"NO":
            assert said.code in (b"EXPUNGEISSUED", b"READ-ONLY", b"MODIFIED", b"NONEXISTENT"), (text, said)
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
        self.learn_flags(known, items)

    def learn_flags(self, known: Known, items: bytes) -> None:
        if flags := re.search(rb"FLAGS \(([^)]*)\)", items):
            assert not self.qresync or b"MODSEQ (" in items, "every change has its mod-sequence"
            shown = set(flags[1].split()) - {rb"\Recent"}
            assert shown <= self.defined, "a keyword is defined before it is shown"
            known.flags = frozenset(shown)

    @property
    def holds_any(self) -> bool:
        """Whether it was told that there are messages."""
        return bool(self.messages)

    def everything(self, items: bytes) -> bytes:
        """The command that asks for *items* of all messages."""
        return b"FETCH 1:* " + items


@dataclass(eq=False)
class UidModel(Model):
    """A client with QRESYNC and UIDONLY (RFC 9586): it knows how many messages there are, and some by UID."""

    count: int = 0

    @property
    def holds_any(self) -> bool:
        return self.count > 0

    def everything(self, items: bytes) -> bytes:
        return b"UID FETCH 1:* " + items

    async def select(self, box: bytes, *, read_only: bool, uids: bool = False) -> None:
        self.count = 0
        await super().select(box, read_only=read_only, uids=uids)

    def hear(self, lines: list[bytes], *, expunges: bool) -> None:
        for line in lines:
            assert not re.match(rb"\* (\d+ (FETCH|EXPUNGE)|OK \[UNSEEN)", line), "no number means a message"
            if found := re.match(rb"\* (\d+) EXISTS\Z", line):
                assert int(found[1]) >= self.count, "only VANISHED makes it smaller"
                self.count = int(found[1])
            elif found := re.match(rb"\* (\d+) UIDFETCH \((.*)\)\Z", line, re.DOTALL):
                self.learn(int(found[1]), found[2])
            elif not line.endswith(b" RECENT"):
                super().hear([line], expunges=expunges)
        assert len(self.messages) <= self.count, "it knows of no more than there are"

    def learn(self, uid: int, items: bytes) -> None:
        assert uid not in self.gone, "what is expunged does not come back"
        known = next((m for m in self.messages if m.uid == uid), None)
        if known is None:
            known = Known(uid)
            self.messages = sorted((*self.messages, known), key=lambda m: m.uid or 0)
        self.learn_flags(known, items)

    def vanish(self, uids: list[int], *, earlier: bool, expunges: bool) -> None:
        if earlier:
            self.earlier.update(uids)
            return
        assert expunges, "not during FETCH, STORE or SEARCH"
        for uid in uids:
            assert uid not in self.gone, "it is gone once"
            self.count -= 1
            self.gone.add(uid)
            self.messages = [m for m in self.messages if m.uid != uid]


@dataclass
class Mailbox:
    """What a listener was told of one mailbox."""

    messages: int = 0
    uid_next: int = 1
    unseen: int = 0


@dataclass(eq=False)
class Listener:
    """A client with NOTIFY (RFC 5465) that selects nothing: it hears what mailboxes there are and hold."""

    client: Client
    boxes: dict[bytes, Mailbox] = field(default_factory=dict)
    subscribed: set[bytes] = field(default_factory=set)

    async def start(self) -> None:
        events = b"MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
        for line in (await self.client.ok(b'LIST "" "*" RETURN (SUBSCRIBED)')).untagged:
            self.hear(line)
        for line in (await self.client.ok(b"NOTIFY SET STATUS (personal (%b))" % events)).untagged:
            self.hear(line)

    def hear(self, line: bytes) -> None:
        if found := re.match(rb'\* STATUS "([^"]*)" \((.*)\)\Z', line):
            words = found[2].split()
            told = dict(zip(words[::2], map(int, words[1::2]), strict=True))
            assert found[1] in self.boxes, "no STATUS of what was not told to exist"
            self.boxes[found[1]] = Mailbox(told[b"MESSAGES"], told[b"UIDNEXT"], told[b"UNSEEN"])
            return
        found = re.match(rb'\* LIST \(([^)]*)\) "/" "([^"]*)"(?: \("OLDNAME" \("([^"]*)"\)\))?\Z', line)
        assert found is not None, line
        attributes, name, old = found.groups()
        (self.subscribed.add if b"\\Subscribed" in attributes else self.subscribed.discard)(name)
        if b"\\NonExistent" in attributes:
            self.boxes.pop(name, None)
        elif old:
            self.boxes[name] = self.boxes.pop(old, Mailbox())
        else:
            self.boxes.setdefault(name, Mailbox())

    async def check(self, witness: Client) -> None:
        """It knows what somebody who asks is told."""
        for line in (await self.client.ok(b"NOOP")).untagged:
            self.hear(line)
        fresh = Listener(witness)
        asked = b'LIST "" "*" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UNSEEN))'
        for line in (await witness.ok(asked)).untagged:
            fresh.hear(line)
        assert self.boxes == fresh.boxes
        assert {n for n in self.subscribed if n in self.boxes} == fresh.subscribed
