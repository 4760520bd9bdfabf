"""REPLACE: one message goes in the very transaction that brings another (RFC 8508).

What comes is sealed by whoever delivers, so it is a function here, to be run in that transaction.
"""

import contextlib
from collections.abc import Callable, Generator
from typing import TypeVar

from mailstead.accounts.absorb import absorb
from mailstead.accounts.changes import Leaving
from mailstead.accounts.online import Online
from mailstead.accounts.reading import Columns
from mailstead.accounts.shelf import Shelf
from mailstead.accounts.turns import read_rows, until_won
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Uid
from mailstead.store.accounts import fence_at
from mailstead.store.database import Tx
from mailstead.store.mailboxes import touch
from mailstead.store.numbers import row_number
from mailstead.store.objects import stored_for_one

T = TypeVar("T")


class Replacing:
    """The message *uid* of a mailbox, which is to be replaced.

    Args:
        now: Seconds since the epoch.
    """

    def __init__(self, online: Online, mailbox_id: bytes, uid: Uid, now: int) -> None:
        self._online = online
        self._mailbox_id = mailbox_id
        self._uid = uid
        self._now = now

    async def frees(self) -> int:
        """Octets of the quota that nothing will take any more when it is gone; 0 when copies of it stay."""
        o = self._online
        fetched = o.reader.fetch(self._mailbox_id, [self._uid], Columns.A)
        ids = [message.object_id async for row in fetched for message in row]
        return await o.database.read(lambda tx: sum(stored_for_one(tx, o.account_id, i) for i in ids))

    async def by(self, place: Callable[[Tx], T]) -> T:
        """Take it away for good and run *place*, in one transaction; what *place* gives.

        It is taken away first, so that the other finds its room. Whatever fails, nothing is changed.

        Args:
            place: May be run again, after a transaction that was undone.

        Raises:
            Refused: the message is not there any more, or its mailbox is not.
            Stale: the account's keys have moved on.
            MailError: what *place* raises.
        """
        o, number = self._online, row_number(self._uid)
        async with o.writing(self._mailbox_id):
            with _source():
                await absorb(o.database, o.keys, self._mailbox_id, [number])
            placed = await until_won(lambda lost: self._turn(number, place, lost))
        o.erased()
        return placed

    async def _turn(self, number: int, place: Callable[[Tx], T], lost: int) -> T:
        o = self._online
        with _source():
            read, modseq = await read_rows(o.database, o.keys, self._mailbox_id, [number], lost, pages=True)
        shelf = Shelf(o.keys, self._mailbox_id, read)
        leaving = Leaving(o.keys, self._mailbox_id, 0, self._now)
        leaving.take(shelf, number, [self._uid], modseq, only_deleted=False)
        if not leaving.objects:
            raise Refused(Reason.NO_SUCH_MESSAGE)
        writes = await shelf.seal()

        def work(tx: Tx) -> T:
            fence_at(tx, o.account_id, o.keys.root_gen, o.keys.read_gen, modseq)
            with _source():
                touch(tx, o.account_id, self._mailbox_id, modseq, 1)
            writes.apply(tx, o.account_id, self._mailbox_id)
            leaving.write(tx)
            return place(tx)

        return await o.database.write(work)


@contextlib.contextmanager
def _source() -> Generator[None]:
    """A mailbox that is gone is that of the message; it is not to be taken for that of the other one."""
    try:
        yield
    except Refused as gone:
        if gone.reason is Reason.NO_SUCH_MAILBOX:
            raise Refused(Reason.NO_SUCH_MESSAGE) from gone
        raise
