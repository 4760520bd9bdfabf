"""Stored orders: what was read of messages to sort or thread them is kept sealed for another session.

It is sealed while it is there anyway, and written by `write`, for which nobody waits and no key is
needed. A record names the write of the page it was made of: what is of another one, or does not open, is
made again of the page. So losing one costs time and nothing else, and none is an error.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mailstead.accounts.answerrows import Question, question_id
from mailstead.accounts.answerrows import decode as decode_answer
from mailstead.accounts.answerrows import encode as encode_answer
from mailstead.accounts.columns import Links, Numbers
from mailstead.accounts.keptorders import Finished
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.marks import Extra, Field
from mailstead.accounts.orderrows import NUMBERS, Marks, Page, decode, encode
from mailstead.crypto.records import CAPS
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.store.accounts import Stale, fence
from mailstead.store.database import Database, Tx
from mailstead.store.leaves import page_writes
from mailstead.store.messages import GROUP_A
from mailstead.store.numbers import runs_of
from mailstead.store.orders import answer_id, order_id, order_rows, put_answer, put_order
from mailstead.store.records import get_record

MOST = 8 << 20  # octets that wait to be written; what does not fit is made again another time
LEAST = 1000
ROWS_AT_ONCE = 16  # of one transaction, or opened before others get their turn

Texts = dict[int, str]


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is stored of a mailbox.

    Args:
        pages: The write of each page, by row number, before anything else was read.
        versions: Of the records that are there, good or not, by field and row number.
        columns: What they say, a column for each field.
    """

    pages: Mapping[int, Page]
    versions: Mapping[tuple[Field, int], int]
    columns: Mapping[Field, Numbers | Links]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about all messages of a mailbox, and what is stored of its answer.

    Args:
        version: Of the record that is there, good or not; 0 without one.
        answer: Of the messages that were there then; None when there is no good one.
    """

    question: bytes
    version: int
    answer: Finished | None


class StoredOrders:
    """The stored orders of one account.

    Args:
        least: Messages of a mailbox of which answers are stored; fewer are sorted as fast.

    Attributes:
        some: Set when something is to be written.
    """

    def __init__(self, database: Database, keys: SessionKeys, least: int = LEAST) -> None:
        self.some = asyncio.Event()
        self.least = least
        self._database = database
        self._keys = keys
        self._waiting: list[Callable[[Tx], object]] = []
        self._octets = 0

    async def recall(
        self,
        mailbox_id: bytes,
        numbers: Collection[int],
        fields: Collection[Field],
        texts: Mapping[Field, Texts],
    ) -> Recalled:
        """What is stored of these rows in these fields.

        Args:
            numbers: At least one.
            texts: Get what the numbers of strings stand for, in the order of the strings in each row.
        """
        account_id, runs = self._keys.account_id, list(runs_of(sorted(numbers)))

        def work(tx: Tx) -> tuple[dict[int, Page], dict[Field, dict[int, SealedRecord]]]:
            writes = page_writes(tx, account_id, mailbox_id)
            return (
                {number: (version, wid) for group, number, version, wid in writes if group == GROUP_A},
                {
                    f: {
                        number: record
                        for first, last in runs
                        for number, record in order_rows(
                            tx, account_id, mailbox_id, NUMBERS[f], first, last
                        ).items()
                    }
                    for f in fields
                },
            )

        pages, found = await self._database.read(work)
        versions = {(field, n): record.version for field, rows in found.items() for n, record in rows.items()}
        columns: dict[Field, Numbers | Links] = {}
        for field, rows in found.items():
            whole = columns[field] = Links() if field is Extra.LINKS else Numbers()
            for at, (number, record) in enumerate(rows.items()):
                if at % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                    await asyncio.sleep(0)
                page = pages.get(number)
                if page is None:
                    continue
                column = self._open(mailbox_id, field, number, page, record, texts.get(field, {}))
                if isinstance(whole, Links) and isinstance(column, Links):
                    whole.join(column)
                if isinstance(whole, Numbers) and isinstance(column, Numbers):
                    whole.join(column)
        return Recalled(pages, versions, columns)

    def _open(
        self,
        mailbox_id: bytes,
        field: Field,
        number: int,
        page: Page,
        record: SealedRecord,
        texts: Texts,
    ) -> Numbers | Links | None:
        name = order_id(NUMBERS[field], number)
        try:
            content = self._keys.open(Kind.ORDER, mailbox_id, 0, 0, record, name)
            return decode(field, page, content, texts)
        except (UnsealError, Stale):
            return None

    def keep(
        self, recalled: Recalled, mailbox_id: bytes, number: int, field: Field, marks: Marks, texts: Texts
    ) -> None:
        """Have what was made of all messages of a row since *recalled* written soon.

        Args:
            marks: UIDs, ascending, and what was made of them in this field.
        """
        page = recalled.pages.get(number)
        if page is None:
            return
        version = recalled.versions.get((field, number), 0) + 1
        name = order_id(NUMBERS[field], number)
        try:
            content = encode(field, page, marks, texts)
        except ValueError:
            return
        record = self._seal(mailbox_id, name, version, content)
        if record is not None:
            self._waiting.append(
                lambda tx: put_order(
                    tx, self._keys.account_id, mailbox_id, NUMBERS[field], number, page, record
                )
            )
            self.some.set()

    async def look_up(self, mailbox_id: bytes, question: Question) -> Asked:
        """Ask what the answer to a question about all messages was."""
        account_id, asked = self._keys.account_id, question_id(question)
        name = answer_id(asked)
        record = await self._database.read(
            lambda tx: get_record(tx, account_id, Kind.ORDER, mailbox_id, name)
        )
        if record is None:
            return Asked(asked, 0, None)
        try:
            answer = decode_answer(self._keys.open(Kind.ORDER, mailbox_id, 0, 0, record, name))
        except (UnsealError, Stale):
            answer = None
        return Asked(asked, record.version, answer)

    def keep_answer(self, asked: Asked, mailbox_id: bytes, answer: Finished) -> None:
        """Have the answer to what was *asked* written soon."""
        account_id, name = self._keys.account_id, answer_id(asked.question)
        record = self._seal(mailbox_id, name, asked.version + 1, encode_answer(answer))
        if record is not None:
            self._waiting.append(lambda tx: put_answer(tx, account_id, mailbox_id, asked.question, record))
            self.some.set()

    def _seal(self, mailbox_id: bytes, name: bytes, version: int, content: bytes) -> SealedRecord | None:
        """None when it has no room, in a record or among what waits."""
        if self._octets > MOST or len(content) > CAPS[Kind.ORDER]:
            return None
        record = self._keys.seal(Kind.ORDER, mailbox_id, 0, version, 0, content, name)
        self._octets += len(record.sealed.octets)
        return record

    async def write(self) -> None:
        """Write what waits, some rows a transaction; what is not of the mail that is there is left out.

        Raises:
            Stale: the account's keys have moved on; nothing waits any more.
            Unavailable: it was not written.
        """
        self.some.clear()
        waiting, self._waiting, self._octets = self._waiting, [], 0
        keys = self._keys
        account_id, root_gen, read_gen = keys.account_id, keys.root_gen, keys.read_gen
        for at in range(0, len(waiting), ROWS_AT_ONCE):
            some = waiting[at : at + ROWS_AT_ONCE]

            def work(tx: Tx, some: list[Callable[[Tx], object]] = some) -> None:
                fence(tx, account_id, root_gen, read_gen, 0)
                for put in some:
                    put(tx)

            await self._database.write(work)
