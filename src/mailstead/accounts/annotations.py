"""Annotations: what an owner, or his mail program, notes about a mailbox or the server (RFC 5464).

Those of one mailbox are one sealed record, so a change of any is a compare-and-swap on it, in one
transaction with the list of names when it says what the mailbox is for. Those of the server are the
account's: nobody else could open them. A record exists once there is something to note, and stays.

The layout is in docs/format.md, "Annotations".
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial

from mailstead.accounts.accountleaf import (
    Changed,
    open_account_leaf,
    put_account_leaf,
    read_account_leaf,
    seal_account_leaf,
    written,
)
from mailstead.accounts.folders import Folders
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.turns import until_won
from mailstead.crypto.records import CAPS
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import SpecialUse
from mailstead.store.accounts import fence
from mailstead.store.annotations import AT_ONCE, annotations, put_annotations, write_ids
from mailstead.store.database import Database, Tx
from mailstead.store.records import get_record

SERVER = ZERO_ID  # where annotations of the server are
MOST = 100  # annotations of one mailbox, or of the server
VERSION = 1
OPENED_AT_ONCE = 256 << 10  # octets, then others get their turn
ROUND = 1024  # most are shorter: that a colour became another shall not be seen by a size
_HEAD = struct.Struct(">BH")  # version, annotations
_ENTRY = struct.Struct(">HI")  # octets of the entry's name, of its value

Entries = Mapping[str, bytes]  # values by names, which are ASCII in lower case
Writing = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class NewUse:
    """What a mailbox is for from now on, or that it is for nothing."""

    use: SpecialUse | None


@dataclass(frozen=True, slots=True)
class Noted:
    """What was noted in one place when it was looked at, as far as it takes to see later what is new.

    Args:
        write_id: Of the record.
        hashes: Of the values, by names.
    """

    write_id: bytes = b""
    hashes: Mapping[str, int] = field(default_factory=dict[str, int])

    def changed_since(self, old: "Noted") -> list[str]:
        """Names that came or went, or whose values are others."""
        names = {*self.hashes, *old.hashes}
        return sorted(n for n in names if self.hashes.get(n) != old.hashes.get(n))

    def with_own(self, changes: Mapping[str, bytes | None]) -> "Noted":
        """As if *changes* had been seen; what else came with the same write is still to be seen."""
        kept = {n: h for n, h in self.hashes.items() if n not in changes}
        return Noted(self.write_id, kept | {n: hash(v) for n, v in changes.items() if v is not None})


def encode(entries: Entries) -> bytes:
    """The content of a METADATA record."""
    parts = [_HEAD.pack(VERSION, len(entries))]
    for name, value in sorted(entries.items()):
        parts += [_ENTRY.pack(len(name), len(value)), name.encode("ascii"), value]
    content = b"".join(parts)
    return content + bytes(-len(content) % ROUND)


def decode(content: bytes) -> dict[str, bytes]:
    """Read the content of a METADATA record.

    Raises:
        UnsealError: it is malformed.
    """
    try:
        return _decode(content)
    except (struct.error, ValueError) as error:
        raise UnsealError("annotations are malformed") from error


def _decode(content: bytes) -> dict[str, bytes]:
    version, count = _HEAD.unpack_from(content)
    if version != VERSION:
        raise ValueError("version")
    at = _HEAD.size
    entries: dict[str, bytes] = {}
    before = ""
    for _ in range(count):
        name_octets, value_octets = _ENTRY.unpack_from(content, at)
        at += _ENTRY.size
        end = at + name_octets + value_octets
        name = content[at : at + name_octets].decode("ascii")
        if end > len(content) or name <= before:
            raise ValueError("cut, or out of order")
        entries[name] = content[at + name_octets : end]
        before, at = name, end
    if len(content) % ROUND or len(content) - at >= ROUND or any(content[at:]):
        raise ValueError("octets left over")
    return entries


class Annotations:
    """The annotations of one account.

    Args:
        writing: A turn at writing.
    """

    def __init__(self, database: Database, keys: SessionKeys, folders: Folders, writing: Writing) -> None:
        self._database = database
        self._keys = keys
        self._folders = folders
        self._writing = writing

    async def of(self, place: bytes) -> Entries:
        """The annotations of a mailbox by its id, or those of `SERVER`.

        Raises:
            UnsealError: they are not what this account wrote.
        """
        return self._open(place, await self._record(place))

    async def many(self, mailbox_ids: Sequence[bytes]) -> dict[bytes, Entries]:
        """Those of mailboxes, read 64 at a time; a mailbox whose do not open is left out."""
        account_id = self._keys.account_id
        found: dict[bytes, Entries] = {}
        for at in range(0, len(mailbox_ids), AT_ONCE):
            some = mailbox_ids[at : at + AT_ONCE]
            records = await self._database.read(partial(annotations, account_id=account_id, places=some))
            opened = 0
            for mailbox_id in some:
                record = records.get(mailbox_id)
                with contextlib.suppress(UnsealError):
                    found[mailbox_id] = self._open(mailbox_id, record)
                opened += 0 if record is None else len(record.sealed.octets)
                if opened >= OPENED_AT_ONCE:
                    await asyncio.sleep(0)
                    opened = 0
            await asyncio.sleep(0)
        return found

    async def noted(self, places: Iterable[bytes], known: Mapping[bytes, Noted]) -> dict[bytes, Noted]:
        """What is noted in those of *places* where anything was; what is *known* is not read again."""
        account_id = self._keys.account_id
        written = await self._database.read(lambda tx: write_ids(tx, account_id))
        found: dict[bytes, Noted] = {}
        missing: list[bytes] = []
        for place in places:
            if place in known and known[place].write_id == written.get(place):
                found[place] = known[place]
            elif place in written:
                missing.append(place)
        for at in range(0, len(missing), AT_ONCE):
            for place, entries in (await self.many(missing[at : at + AT_ONCE])).items():
                found[place] = Noted(written[place], {n: hash(v) for n, v in entries.items()})
        return found

    async def change(
        self, place: bytes, changes: Mapping[str, bytes | None], new_use: NewUse | None = None
    ) -> None:
        """Set annotations, remove those whose value is None, and say what a mailbox is for: all or nothing.

        Raises:
            Refused: there would be too many, or too many octets of them or in the account; the mailbox is
                gone; it is INBOX, or another has this use (`Folders.try_use`).
            UnsealError: what is there is not what this account wrote.
        """
        async with self._writing():
            await until_won(lambda _: self._try(place, changes, new_use))

    async def copy(self, source: bytes, target: bytes) -> None:
        """Give one mailbox the annotations of another, too, if the quota has room for them."""
        entries = await self.of(source)
        try:
            await self.change(target, entries)
        except Refused as refused:
            if refused.reason is not Reason.OVER_QUOTA:
                raise

    async def _try(self, place: bytes, changes: Mapping[str, bytes | None], new_use: NewUse | None) -> None:
        keys, account_id = self._keys, self._keys.account_id
        old, named = await self._database.read(
            lambda tx: (get_record(tx, account_id, Kind.METADATA, place), read_account_leaf(tx, account_id))
        )
        leaf = open_account_leaf(keys, named)
        leaf.check(Kind.METADATA, place, written(old))
        before = self._open(place, old)
        after = {name: value for name, value in {**before, **changes}.items() if value is not None}
        noted: Changed = []
        if after != before:
            content = encode(after)
            if len(after) > MOST or len(content) > CAPS[Kind.METADATA]:
                raise Refused(Reason.TOO_MANY_ANNOTATIONS)
            version = 1 if old is None else old.version + 1
            noted.append((Kind.METADATA, place, keys.seal(Kind.METADATA, place, 0, version, 0, content)))
        new_leaf = seal_account_leaf(keys, leaf.next(noted))

        def write(tx: Tx) -> None:
            for _, _, record in noted:
                put_annotations(tx, account_id, place, record)

        def work(tx: Tx) -> None:
            fence(tx, account_id, keys.root_gen, keys.read_gen, 1)  # so that others look
            write(tx)
            put_account_leaf(tx, account_id, new_leaf)

        if new_use is not None:
            await self._folders.try_use(place, new_use.use, noted, write)
        elif noted:
            await self._database.write(work)

    async def _record(self, place: bytes) -> SealedRecord | None:
        account_id = self._keys.account_id
        return await self._database.read(lambda tx: get_record(tx, account_id, Kind.METADATA, place))

    def _open(self, place: bytes, record: SealedRecord | None) -> dict[str, bytes]:
        if record is None:
            return {}
        return decode(self._keys.open(Kind.METADATA, place, 0, 0, record))
