"""Changes to absorbed messages: flags, and expunging. At most 32 rows a transaction."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count

from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.pages import split, unpack_a
from mailstead.accounts.shelf import Shelf, ShelfRows, ShelfWrites, read_shelf
from mailstead.accounts.states import MessageState
from mailstead.crypto.sealed import Kind
from mailstead.mail.mailbox import Modseq, SystemFlag, Uid
from mailstead.store.accounts import fence_at, last_modseq
from mailstead.store.database import Database, Tx
from mailstead.store.mailboxes import touch
from mailstead.store.messages import GROUP_A, GROUP_B, row_number
from mailstead.store.objects import drop_refs
from mailstead.store.records import LostRace
from mailstead.store.tombs import add_tomb

ROWS_AT_ONCE = 32
MODSEQ_ROOM = 256
TOMB_ENTRIES = 256
HOUR = 3600


NO_FLAGS = SystemFlag(0)


class How(Enum):
    """What STORE does with the flags it is given (RFC 9051 section 6.4.6)."""

    SET = auto()
    ADD = auto()
    REMOVE = auto()


@dataclass(frozen=True, slots=True)
class FlagChange:
    """A change of flags and keywords."""

    how: How
    flags: SystemFlag = NO_FLAGS
    keywords: frozenset[str] = frozenset()

    def apply(self, state: MessageState, modseq: Modseq) -> MessageState:
        """The state after the change; the same one, with its modseq, when nothing changes."""
        match self.how:
            case How.SET:
                flags, keywords = self.flags, self.keywords
            case How.ADD:
                flags, keywords = state.flags | self.flags, state.keywords | self.keywords
            case _:
                flags, keywords = state.flags & ~self.flags, state.keywords - self.keywords
        if (flags, keywords) == (state.flags, state.keywords):
            return state
        return MessageState(modseq, flags, keywords)


async def change_flags(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    uids: Iterable[Uid],
    change: FlagChange,
) -> dict[Uid, MessageState]:
    """Change absorbed messages; the state of each afterwards."""
    result: dict[Uid, MessageState] = {}

    def edit(shelf: Shelf, wanted: dict[int, list[Uid]], modseq: Modseq) -> dict[Uid, MessageState]:
        changed: dict[Uid, MessageState] = {}
        for number, group in wanted.items():
            live = shelf.states(number).live
            for uid in group:
                if uid in live:
                    changed[uid] = change.apply(live[uid], modseq)
                    if changed[uid] is not live[uid]:
                        shelf.change(number, uid, changed[uid])
        return changed

    for wanted in _batches(uids):
        result |= await _change_batch(database, keys, mailbox_id, wanted, edit)
    return result


_Edit = Callable[[Shelf, dict[int, list[Uid]], Modseq], dict[Uid, MessageState]]


async def _change_batch(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    wanted: dict[int, list[Uid]],
    edit: _Edit,
) -> dict[Uid, MessageState]:
    for tries in count():
        read, modseq = await _read(database, keys, mailbox_id, wanted, tries, pages=False)
        shelf = Shelf(keys, mailbox_id, read)
        changed = edit(shelf, wanted, modseq)
        if all(s.modseq != modseq for s in changed.values()):
            return changed
        try:
            await _write(database, keys, mailbox_id, modseq, shelf.seal())
        except LostRace:
            continue
        return changed
    raise AssertionError("count() has no end")


async def expunge(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    uids: Iterable[Uid],
    undelete_days: int,
    now: int,
) -> dict[Uid, Modseq]:
    """Remove absorbed messages; the modseq at which each went."""
    result: dict[Uid, Modseq] = {}
    for wanted in _batches(uids):
        for tries in count():
            try:
                result |= await _expunge_batch(database, keys, mailbox_id, wanted, undelete_days, now, tries)
            except LostRace:
                continue
            break
    return result


async def _expunge_batch(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    wanted: dict[int, list[Uid]],
    undelete_days: int,
    now: int,
    tries: int,
) -> dict[Uid, Modseq]:
    read, modseq = await _read(database, keys, mailbox_id, wanted, tries, pages=True)
    shelf = Shelf(keys, mailbox_id, read)
    going: dict[Uid, bytes] = {}
    buried: list[bytes] = []
    for number, group in wanted.items():
        live = shelf.states(number).live
        content = shelf.page(number, GROUP_A)
        entries = {} if content is None else split(GROUP_A, content)
        sizes: dict[Uid, int] = {}
        for uid in group:
            if uid in live and uid in entries:
                entry = unpack_a(entries[uid])
                sizes[uid] = entry.size
                going[uid] = entry.object_id
        if undelete_days and sizes:
            buried.append(_burial(shelf, number, sizes))
        if sizes:
            shelf.remove(number, sizes, modseq, now)
    if not going:
        return {}
    erase_at = -(-(now + undelete_days * 24 * HOUR) // HOUR) * HOUR
    tomb_id = os.urandom(16)
    tomb = keys.seal(Kind.TOMB, mailbox_id, 0, 1, 0, erase_at.to_bytes(8, "big") + b"".join(buried), tomb_id)

    def entomb(tx: Tx) -> None:
        if undelete_days:
            add_tomb(tx, keys.account_id, mailbox_id, tomb_id, erase_at, tomb, list(going.values()))
        else:
            drop_refs(tx, keys.account_id, list(going.values()))

    await _write(database, keys, mailbox_id, modseq, shelf.seal(), len(going), entomb)
    return dict.fromkeys(going, modseq)


def _burial(shelf: Shelf, number: int, sizes: Iterable[Uid]) -> bytes:
    """The entries of messages that go, both groups, as a TOMB record holds them."""
    parts: list[bytes] = []
    for group in (GROUP_A, GROUP_B):
        content = shelf.page(number, group)
        entries = {} if content is None else split(group, content)
        for uid in sizes:
            octets = entries[uid]
            parts.append(bytes((group,)) + uid.to_bytes(4, "big") + len(octets).to_bytes(4, "big") + octets)
    return b"".join(parts)


def _batches(uids: Iterable[Uid]) -> list[dict[int, list[Uid]]]:
    """UIDs by row, some rows at a time."""
    by_row: dict[int, list[Uid]] = defaultdict(list)
    for uid in sorted(set(uids)):
        by_row[row_number(uid)].append(uid)
    numbers = sorted(by_row)
    return [
        {n: by_row[n] for n in numbers[i : i + ROWS_AT_ONCE]} for i in range(0, len(numbers), ROWS_AT_ONCE)
    ]


async def _read(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    wanted: dict[int, list[Uid]],
    tries: int,
    *,
    pages: bool,
) -> tuple[ShelfRows, Modseq]:
    """The rows, and the modseq that the change will have.

    A state is sealed with its modseq inside before its transaction begins, so the modseq is chosen
    ahead of the account's, with room for what is delivered meanwhile. The fence jumps to it; a
    delivery that got past it first is a lost race, and the next try leaves more room.
    """
    account_id = keys.account_id

    def work(tx: Tx) -> tuple[ShelfRows, int]:
        return (
            read_shelf(tx, account_id, mailbox_id, list(wanted), pages=pages),
            last_modseq(tx, account_id),
        )

    read, last = await database.read(work)
    return read, Modseq(last + (MODSEQ_ROOM << min(2 * tries, 20)))


async def _write(
    database: Database,
    keys: SessionKeys,
    mailbox_id: bytes,
    modseq: Modseq,
    writes: ShelfWrites,
    fewer: int = 0,
    more: Callable[[Tx], None] | None = None,
) -> None:
    def work(tx: Tx) -> None:
        fence_at(tx, keys.account_id, keys.root_gen, keys.read_gen, modseq)
        writes.apply(tx, keys.account_id, mailbox_id)
        touch(tx, keys.account_id, mailbox_id, modseq, fewer)
        if more is not None:
            more(tx)

    await database.write(work)
