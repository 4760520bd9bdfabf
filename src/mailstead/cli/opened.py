"""A mailbox that its owner opened: in the settings' own data, or at a server over IMAP."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.reading import Columns, Located
from mailstead.accounts.snapshot import Snapshot
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.cli.output import time_of
from mailstead.cli.query import spelled
from mailstead.errors import Reason, Refused
from mailstead.imap.searchkeys import And, Key
from mailstead.imap.view import MailboxView
from mailstead.mail import header
from mailstead.mail.encodedwords import text as readable
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.mail.structure import Scanner
from mailstead.mail.text import preview, safe
from mailstead.net.imapclient import ImapClient
from mailstead.net.imapfetched import RemoteMessage
from mailstead.services.imap.indexed import Narrowing, hits_of
from mailstead.services.imap.judge import Candidate, Judge
from mailstead.services.imap.looking import look_through
from mailstead.services.imap.selected import Selected

Row = dict[str, object]  # of one message: what `list` and `search` print


class Opened(Protocol):
    """One mailbox, oldest message first."""

    messages: int

    def listed(self) -> AsyncIterator[Row]:
        """Every message."""
        ...

    def found(self, keys: Sequence[Key]) -> AsyncIterator[Row]:
        """The messages that have all *keys*, which `cli.query` made."""
        ...

    def whole(self) -> AsyncIterator[tuple[Uid, AsyncIterator[bytes]]]:
        """Every message by its UID, with its octets in pieces."""
        ...

    def read(self, uid: Uid) -> AsyncIterator[bytes]:
        """The octets of one message, in pieces."""
        ...

    async def quarantined(self) -> list[str]:
        """What could not be opened, in words."""
        ...


class OpenedHere:
    """A mailbox in the settings' own data."""

    def __init__(self, account: UnlockedAccount, box: Mailbox) -> None:
        self._account = account
        self._damage: list[str] = []
        self._box = box
        self.messages = box.messages

    async def listed(self) -> AsyncIterator[Row]:
        """Every message."""
        await self._absorb()
        async for message in self._account.messages(self._box.id):
            yield _row_here(message)

    async def found(self, keys: Sequence[Key]) -> AsyncIterator[Row]:
        """Judged by what judges for IMAP; a message is opened only as far as the index leaves it open."""
        await self._absorb()
        snapshot = await self._account.snapshot(self._box.id)
        selected = _selected(self._box, await self._account.opened(snapshot, snapshot.uids))
        key = And(tuple(keys))
        judge = Judge(selected, key, self._account.now())
        judge.hits = await hits_of(self._account, self._box.id, key)
        looked_at = snapshot.uids if not judge.hits else _narrowed(selected, judge, key)
        async for row in self._account.fetch(self._box.id, map(Uid, looked_at), Columns.BOTH):
            for message in (fetched.whole() for fetched in row):
                number = selected.view.number(message.uid)
                assert number is not None, "it is of the snapshot"
                candidate = Candidate(number, message.uid, message.a, message.b)
                verdict = judge.of(candidate)
                if verdict is None:
                    octets = b"".join([p async for p in self._account.read(message.body)])
                    verdict = await look_through(judge, candidate, octets)
                if verdict:
                    yield _row_here(message)

    async def whole(self) -> AsyncIterator[tuple[Uid, AsyncIterator[bytes]]]:
        """Every message by its UID, with its octets in pieces."""
        await self._absorb()
        async for message in self._account.messages(self._box.id):
            yield message.uid, self._account.read(message.body)

    async def read(self, uid: Uid) -> AsyncIterator[bytes]:
        """The octets of one message, in pieces."""
        message = await self._account.locate(self._box.id, uid)
        async for piece in self._account.read(message.body):
            yield piece

    async def quarantined(self) -> list[str]:
        """What could not be opened, or is not as it was left, in words."""
        found = await self._account.quarantined()
        said = [f"message {uid} is in quarantine: {reason}" for _, uid, reason in found]
        return [*self._damage, *said]

    async def _absorb(self) -> None:
        """Take in what came, unless the mailbox is not as it was left: then all that is there is shown."""
        await self._account.snapshot(self._box.id)
        self._damage = self._account.alerts(self._box)
        try:
            if not self._damage:
                await self._account.absorb(self._box.id)
        except Refused as refused:
            if refused.reason is not Reason.NOT_AS_LEFT:
                raise
            self._damage = [f"{self._box.name}, {refused}"]


def _selected(box: Mailbox, snapshot: Snapshot) -> Selected:
    return Selected(box, True, snapshot, MailboxView(snapshot.uids), lambda: None)


def _narrowed(selected: Selected, judge: Judge, key: Key) -> list[int]:
    """The UIDs that the index leaves, ascending."""
    narrowed = Narrowing(selected.view, judge.hits, scored=False).narrow(key)
    return sorted(uid for _, uid in (*narrowed.sure, *narrowed.perhaps))


class OpenedThere:
    """A mailbox at a server. Its methods block the loop, on which nothing else runs."""

    def __init__(self, client: ImapClient, name: str) -> None:
        self._client = client
        self.messages = client.examine(name)

    async def listed(self) -> AsyncIterator[Row]:
        """Every message."""
        for message in self._client.listed():
            yield _row_there(message)

    async def found(self, keys: Sequence[Key]) -> AsyncIterator[Row]:
        """What the server finds: all that is ASCII at once, and each other string by itself."""
        together: list[str] = []
        numbers = set(range(1, self.messages + 1))
        for key in keys:
            words, text = spelled(key)
            if text.isascii() and (text.isprintable() or not text):
                quoted = text.replace("\\", "\\\\").replace('"', '\\"')
                together.append(f'{words} "{quoted}"' if text else words)
            else:
                numbers &= self._client.search(words.encode(), text)
        if together:
            numbers &= self._client.search(" ".join(together).encode())
        for message in self._client.listed(numbers):
            yield _row_there(message)

    async def whole(self) -> AsyncIterator[tuple[Uid, AsyncIterator[bytes]]]:
        """Every message by its UID, with its octets in pieces."""
        for uid in list(self._client.uids()):
            yield uid, self.read(uid)

    async def read(self, uid: Uid) -> AsyncIterator[bytes]:
        """The octets of one message, in pieces."""
        for piece in self._client.read(uid):
            yield piece

    async def quarantined(self) -> list[str]:
        """Nothing: a server shows what can be read."""
        return []


def _row_here(message: Located) -> Row:
    state = Flags(message.state.flags, frozenset(message.state.keywords))
    a, described = message.a, message.b.described
    return _row(message.uid, a.internal_date, a.size, state, described.header, described.preview.decode())


def _row_there(message: RemoteMessage) -> Row:
    scanner = Scanner()
    scanner.push(message.header + message.text)
    shown = preview(scanner.finish())
    return _row(
        message.uid, message.internal_date, message.size, message.flags, message.header, shown
    )  # fmt: skip


def _row(uid: Uid, date: int, size: int, flags: Flags, block: bytes, shown: str) -> Row:
    fields = dict(reversed(list(header.fields(block))))
    return {
        "uid": uid,
        "date": time_of(date),
        "size": size,
        "flags": _flag_names(flags),
        "from": safe(readable(fields.get(b"from", b""))),
        "to": safe(readable(fields.get(b"to", b""))),
        "subject": safe(readable(fields.get(b"subject", b""))),
        "preview": shown,
    }


def _flag_names(flags: Flags) -> list[str]:
    system = [f"\\{(flag.name or '').title()}" for flag in SystemFlag if flag in flags.system]
    return [*system, *sorted(flags.keywords)]
