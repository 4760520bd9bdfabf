"""Writing the search index: pieces ahead, which nothing names yet, and then a head that does.

Nothing here reads mail. A head is written by compare-and-swap, with the account leaf that names it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from mailstead.accounts.accountleaf import (
    open_account_leaf,
    put_account_leaf,
    read_account_leaf,
    seal_account_leaf,
    written,
)
from mailstead.accounts.indexhead import IndexHead, Segment, encode_row
from mailstead.accounts.indexpieces import NamedPiece, PieceWriter
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.searchindex import open_row
from mailstead.crypto.primitives import random_octets
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.numbers import row_number
from mailstead.store.records import LostRace, get_record, put_record
from mailstead.store.segments import (
    count_pieces,
    document_rows,
    drop_segments,
    put_pieces,
    row_id,
    segment_ids,
)

PIECES_AT_ONCE = 16  # of a transaction

Rows = Mapping[bytes, Mapping[int, int]]  # by mailbox, the documents of UIDs


class IndexStore:
    """Writes the index of one account."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys

    async def write_ahead(self, writer: PieceWriter, *, rest: bool = False) -> None:
        """Write what is ready of a segment that no head names yet."""
        while len(writer.ready) >= PIECES_AT_ONCE or (rest and writer.ready):
            some = writer.ready[:PIECES_AT_ONCE]
            del writer.ready[:PIECES_AT_ONCE]
            await self._put(some)

    async def _put(self, some: Sequence[NamedPiece]) -> None:
        def work(tx: Tx) -> None:
            fence(tx, self._keys.account_id, self._keys.root_gen, self._keys.read_gen, 0)
            put_pieces(tx, self._keys.account_id, some)

        await self._database.write(work)

    async def commit(
        self,
        head: IndexHead,
        rows: Rows = MappingProxyType({}),
        made: Segment | None = None,
        dropped: Collection[bytes] = (),
    ) -> None:
        """Write a head, with what is new of mailboxes, and then delete segments.

        Args:
            head: Of the version of the one that it takes the place of.
            made: The segment that it names and the one before did not.

        Raises:
            LostRace: another session wrote one, or took away what this one names.
            Refused: the index is not as it was left.
        """
        keys = self._keys
        account_id = keys.account_id
        numbers = {box: {row_number(Uid(uid)) for uid in some} for box, some in rows.items() if some}

        def read(tx: Tx) -> tuple[SealedRecord | None, SealedRecord, dict[bytes, dict[int, SealedRecord]]]:
            there = {box: document_rows(tx, account_id, box, some) for box, some in numbers.items()}
            return get_record(tx, account_id, Kind.SEGMENT), read_account_leaf(tx, account_id), there

        found, sealed_leaf, there = await self._database.read(read)
        leaf = open_account_leaf(keys, sealed_leaf)
        leaf.check(Kind.SEGMENT, ZERO_ID, written(found))
        version = 0 if found is None else found.version
        if head.version != version:
            raise LostRace
        head = replace(head, version=version + 1)
        record = keys.seal(Kind.SEGMENT, ZERO_ID, 0, head.version, 0, head.encode())
        account_leaf = seal_account_leaf(keys, leaf.next([(Kind.SEGMENT, ZERO_ID, record)]))
        sealed = [
            (box, row_id(number), self._row(head, box, number, rows[box], there[box].get(number)))
            for box, some in numbers.items()
            for number in some
        ]

        def work(tx: Tx) -> None:
            fence(tx, account_id, keys.root_gen, keys.read_gen, 0)
            if made is not None and count_pieces(tx, account_id, made.segment_id) != made.pieces:
                raise LostRace  # somebody took them for what was left over
            for box, name, row in sealed:
                put_record(tx, account_id, Kind.SEGMENT, row, box, name)
            put_record(tx, account_id, Kind.SEGMENT, record)
            put_account_leaf(tx, account_id, account_leaf)

        await self._database.write(work)
        for segment_id in dropped:
            await self._drop([segment_id])

    async def _drop(self, segments: Collection[bytes]) -> None:
        await self._database.write(lambda tx: drop_segments(tx, self._keys.account_id, segments))

    async def sweep(self, head: IndexHead) -> None:
        """Delete segments that no head names: work that was cut off.

        Raises:
            UnsealError: a piece is missing of one that is named.
        """
        account_id = self._keys.account_id

        def read(tx: Tx) -> tuple[set[bytes], bool]:
            whole = all(count_pieces(tx, account_id, s.segment_id) == s.pieces for s in head.segments)
            return segment_ids(tx, account_id) - {s.segment_id for s in head.segments}, whole

        left, whole = await self._database.read(read)
        if not whole:
            raise UnsealError("a piece of the search index is missing")
        if left:
            await self._database.write(lambda tx: self._drop_left(tx, head, left))

    def _drop_left(self, tx: Tx, head: IndexHead, left: Collection[bytes]) -> None:
        keys = self._keys
        fence(tx, keys.account_id, keys.root_gen, keys.read_gen, 0)
        record = get_record(tx, keys.account_id, Kind.SEGMENT)
        if (0 if record is None else record.version) == head.version:  # and so it names none of them
            drop_segments(tx, keys.account_id, left)

    async def begin_again(self) -> None:
        """Give up an index that is not what was written; another one is made of the mail."""
        record = await self._database.read(lambda tx: get_record(tx, self._keys.account_id, Kind.SEGMENT))
        version = 0 if record is None else record.version
        await self.commit(IndexHead(version, random_octets(16)))

    def _row(
        self,
        head: IndexHead,
        mailbox_id: bytes,
        number: int,
        new: Mapping[int, int],
        record: SealedRecord | None,
    ) -> SealedRecord:
        """What says which documents the messages of a row are, with what is new."""
        documents = {uid: d for uid, d in new.items() if row_number(Uid(uid)) == number}
        if record is not None:
            before = open_row(self._keys, mailbox_id, number, record, head.index_id)
            if before is not None:
                documents = dict(zip(*before, strict=True)) | documents
        version = 1 if record is None else record.version + 1
        content = encode_row(head.index_id, documents)
        return self._keys.seal(Kind.SEGMENT, mailbox_id, 0, version, 0, content, row_id(number))
