"""The octets of messages: small ones many at a time, larger ones a block at a time."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from mailstead.accounts.entries import BodyKey
from mailstead.accounts.keys import SessionKeys
from mailstead.clock import ticks
from mailstead.crypto.frame import BLOCK
from mailstead.crypto.sealed import Sealed
from mailstead.crypto.unseal import BodyReader, RecordName, open_body
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store.database import Database, Tx
from mailstead.store.objects import body_octets, extents, has_object, small_bodies

SMALL = BLOCK  # octets of a message that `Bodies.small` opens
READ_TOGETHER = 256 << 10  # octets

T = TypeVar("T")


def together(messages: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Messages whose bodies are read together: some small ones, or a large one."""
    some: list[T] = []
    octets = 0
    for message in messages:
        if some and octets + size(message) > READ_TOGETHER:
            yield some
            some, octets = [], 0
        some.append(message)
        octets += size(message)
    if some:
        yield some


class Bodies:
    """Reads the bodies of one unlocked account; every database read is short."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys

    async def small(self, messages: Iterable[BodyKey]) -> dict[Uid, bytes | Refused | UnsealError]:
        """All octets of each of *messages*, which have up to `SMALL`, or why they cannot be had.

        They are read in one go and opened in another: who asks takes care not to ask for too many.
        """
        wanted = list(messages)
        account_id = self._keys.account_id

        def work(tx: Tx) -> dict[bytes, list[Sealed]]:
            found = small_bodies(tx, account_id, [m.object_id for m in wanted])
            for message in wanted:
                if message.object_id not in found and has_object(tx, account_id, message.object_id):
                    found[message.object_id] = []
            return found

        stored = await self._database.read(work) if wanted else {}
        opened: dict[Uid, bytes | Refused | UnsealError] = {}
        for message in wanted:
            try:
                opened[message.uid] = self._open(message, stored.get(message.object_id))
            except (Refused, UnsealError) as error:
                opened[message.uid] = error
        return opened

    def _open(self, message: BodyKey, sealed: list[Sealed] | None) -> bytes:
        if sealed is None:
            raise Refused(Reason.NO_SUCH_MESSAGE, "expunged meanwhile")
        if len(sealed) != 1:
            raise UnsealError("the body is missing" if not sealed else "the body is longer than it was")
        began = ticks()
        octets = open_body(message.key, self._name(message), sealed[0], message.size)
        self._keys.opening.observe(ticks() - began, "body")
        return octets

    def _name(self, message: BodyKey) -> RecordName:
        return RecordName(self._keys.uuid, message.object_id, message.lane_id, message.ctr, message.flags)

    async def read(self, message: BodyKey, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Octets *start* to *stop* of a message, a block or less at a time."""
        end = message.size if stop is None else min(stop, message.size)
        reader, first = await self._reader(message)
        table = reader.needs_table()
        if table is not None:
            reader.take_table(await self._extents(message, table))
        held: tuple[range, list[Sealed]] = (range(1), [first])
        for block in reader.blocks(min(start, end), end):
            needed = reader.needs(block)
            if not (held[0].start <= needed.start and needed.stop <= held[0].stop):
                held = (needed, await self._extents(message, needed))
            began = ticks()
            plain = reader.read(block, held[0].start, held[1])
            self._keys.opening.observe(ticks() - began, "body")
            base = block * BLOCK
            yield plain[max(0, start - base) : end - base]

    async def _reader(self, message: BodyKey) -> tuple[BodyReader, Sealed]:
        account_id = self._keys.account_id

        def work(tx: Tx) -> tuple[bool, int, list[Sealed]]:
            first = extents(tx, account_id, message.object_id, 0, 0)
            kept = bool(first) or has_object(tx, account_id, message.object_id)
            return kept, body_octets(tx, account_id, message.object_id), first

        kept, total, first = await self._database.read(work)
        if not kept:
            raise Refused(Reason.NO_SUCH_MESSAGE, "expunged meanwhile")
        if not first:
            raise UnsealError("the body is missing")
        return BodyReader(message.key, self._name(message), first[0], total, message.size), first[0]

    async def _extents(self, message: BodyKey, wanted: range) -> list[Sealed]:
        account_id = self._keys.account_id

        def work(tx: Tx) -> tuple[list[Sealed], bool]:
            found = extents(tx, account_id, message.object_id, wanted.start, wanted.stop - 1)
            return found, len(found) == len(wanted) or has_object(tx, account_id, message.object_id)

        found, kept = await self._database.read(work)
        if not kept:
            raise Refused(Reason.NO_SUCH_MESSAGE, "expunged meanwhile")
        if len(found) != len(wanted):
            raise UnsealError("the body is cut")
        return found
