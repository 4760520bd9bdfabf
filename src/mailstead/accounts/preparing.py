"""What messages are sorted by is made of a row when it is full: it is in memory then, and stays as it is.

So the first SORT after somebody moved in with all his mail reads what is stored, as each later one does.
"""

import asyncio
import contextlib

from mailstead.accounts.entries import unpack_a
from mailstead.accounts.marks import Making, Mark
from mailstead.accounts.pages import split
from mailstead.accounts.shelf import Shelf
from mailstead.accounts.shelfrows import ShelfWrites
from mailstead.accounts.storedorders import Recalled, StoredOrders
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.mail.sortkeys import By
from mailstead.store.messages import GROUP_A

# The first SORT by these took up to eight times as long as Dovecot's; by dates it does not.
FIELDS = (By.SIZE, By.SUBJECT, By.FROM, By.TO, By.CC, By.DISPLAYFROM, By.DISPLAYTO)
AT_ONCE = 64  # messages, then others get their turn


async def prepare(stored: StoredOrders, mailbox_id: bytes, shelf: Shelf, writes: ShelfWrites) -> None:
    """Have it written soon for all messages of the rows that were just written, if it can be made."""
    for number, group, record in writes.pages:
        content = shelf.page(number, GROUP_A) if group == GROUP_A else None
        if content is not None:
            page = record.version, record.write_id
            with contextlib.suppress(UnsealError):  # who sorts hears of it; they are absorbed
                await _prepare(stored, Recalled({number: page}, {}, {}), mailbox_id, number, content)


async def _prepare(
    stored: StoredOrders, recalled: Recalled, mailbox_id: bytes, number: int, content: bytes
) -> None:
    making = Making(FIELDS, mailbox_id)
    made: list[tuple[Uid, list[Mark]]] = []
    for at, (uid, octets) in enumerate(split(GROUP_A, content).items()):
        if at % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        a = unpack_a(octets)
        envelope = a.envelope
        if not envelope:  # it had no room
            return
        made.append((uid, making.make(a, envelope, b"")))
    for at, field in enumerate(FIELDS):
        marks = [(uid, found[at]) for uid, found in made]
        stored.keep(recalled, mailbox_id, number, field, marks, making.texts.get(field, {}))
