"""One stored row, opened for its owner: the frame, and what is in it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.opening import OpenedWay
from mailstead.accounts.rowcontexts import bound, number, octets
from mailstead.crypto.frame import PADDED, inflate
from mailstead.crypto.keyring import open_read_ring, open_root_ring
from mailstead.crypto.primitives import Octets
from mailstead.crypto.records import CAPS
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref, SealedRecord
from mailstead.crypto.unseal import RecordName, open_frame
from mailstead.errors import Reason, Refused, UnsealError
from mailstead.secretmem import Arena, wipe
from mailstead.store.database import Database
from mailstead.store.messages import lanes
from mailstead.store.sealedrows import SealedRow, note_of, whole_body

if TYPE_CHECKING:
    from mailstead.accounts.unlocked import UnlockedAccount


@dataclass(frozen=True, slots=True)
class OpenedRow:
    """What a key has opened.

    Args:
        by: The key, in words.
        framed: Octets of the content as the frame has it, without its length and its padding; None
            when it is no frame.
        flags: Of the header.
        content: Inflated; None when it is keys, which are shown to nobody.
        octets: Of the inflated content.
    """

    by: str
    framed: int | None = None
    flags: int = PADDED
    dictionary: int = 0
    content: bytes | None = field(default=None, repr=False)
    octets: int = 0


async def open_row(
    account: "UnlockedAccount", database: Database, keys: SessionKeys, row: SealedRow
) -> OpenedRow:
    """Open a row of this account, but for keyrings and ways in (`open_keys`).

    Raises:
        UnsealError: it is not what was written there, or these keys do not open it.
        Refused: a body that no message has.
    """
    what = bound(row)
    if row.sort == "lane":
        keys.lane(number(row, "epoch"), _id(row), row.sealed).close()
        return OpenedRow(f"the delivery key of epoch {number(row, 'epoch')}")
    if row.sort.startswith("archived-"):
        raise UnsealError("it was locked away by a reset: `mailstead key recover` brings it back")
    assert what is not None, "keyrings and ways in go to open_keys"
    if row.sort == "note":
        note = note_of(row)
        return _plain(f"a lane to epoch {note.lane.epoch}", keys.open_note(note))
    if what.kind is Kind.BODY:
        return await _open_body(account, database, row)
    if what.ref is Ref.LANE:
        return await _open_summary(database, keys, row)
    assert what.place is not None
    assert what.version is not None
    assert what.write_id is not None
    record = SealedRecord(what.version, number(row, "epoch"), what.write_id, row.sealed)
    content = keys.open(what.kind, what.place, what.index or 0, what.modseq or 0, record, what.object_id)
    return _plain(f"the store key of epoch {record.epoch}", content)


async def _open_summary(database: Database, keys: SessionKeys, row: SealedRow) -> OpenedRow:
    what = bound(row)
    assert what is not None
    assert what.ref_id is not None
    assert what.index is not None
    assert what.flags is not None
    lane_id = what.ref_id
    found = await database.read(lambda tx: lanes(tx, row.account_id, [lane_id]))
    if not found:
        raise UnsealError("its lane is gone")
    reader = keys.lane(found[0].epoch, lane_id, found[0].sealed)
    key = reader.key(what.index)
    reader.close()
    try:
        name = RecordName(row.account, what.object_id, lane_id, what.index, what.flags)
        framed = open_frame(key, name, what.kind, what.dictionary, row.sealed)
        content = inflate(what.flags, framed, CAPS[what.kind])
    finally:
        wipe(key)
    by = f"message {what.index} of its lane, to epoch {found[0].epoch}"
    return OpenedRow(by, len(framed), what.flags, what.dictionary, content, len(content))


async def _open_body(account: "UnlockedAccount", database: Database, row: SealedRow) -> OpenedRow:
    """Looked for among all messages: only their pages and summaries know what opens a body."""
    for mailbox in await account.mailboxes():
        async for message in account.messages(mailbox.id):
            if message.b.object_id != _id(row):
                continue
            body = message.body
            whole = await database.read(lambda tx: whole_body(tx, row))
            name = RecordName(row.account, body.object_id, body.lane_id, body.ctr, body.flags)
            framed = len(open_frame(body.key, name, Kind.BODY, 0, whole))
            content = b"".join([piece async for piece in account.read(body)])
            by = f"its message key, which {_where(row)} has"
            return OpenedRow(by, framed, body.flags, 0, content, len(content))
    raise Refused(Reason.NO_SUCH_MESSAGE)


def _where(row: SealedRow) -> str:
    return "its lane" if "lane_id" in row.clear else "its page of group B"


def open_keys(arena: Arena, way: OpenedWay, row: SealedRow) -> OpenedRow:
    """Open a keyring, or see that a way in is the one that was opened; the keys are shown to nobody.

    *way* is released.

    Raises:
        UnsealError: it is not what was written there, or another way in.
        Refused: OUT_OF_SCOPE: this way in opens less.
    """
    account = way.account
    if row.sort == "slot":
        mine = way.slot.slot_id == _id(row)
        way.release()
        if not mine:
            raise UnsealError("another credential opens this way in")
        return OpenedRow("this credential")
    record = SealedRecord(number(row, "version"), 0, octets(row, "write_id"), row.sealed)
    gens = account.root_gen, account.read_gen
    if row.key[0] == ZERO_ID:
        with way.into_read_key(arena) as key:
            ring = open_read_ring(key.view, account.uuid, *gens, record)
        return OpenedRow("the read key", len(ring.encode_read()))
    if way.root is None:
        way.release()
        raise Refused(Reason.OUT_OF_SCOPE)
    with way.root as root:
        return OpenedRow("the root", _root_octets(root.view, account.uuid, gens, record))


def _root_octets(root: Octets, account: bytes, gens: tuple[int, int], record: SealedRecord) -> int:
    return len(open_root_ring(root, account, *gens, record).encode_root())


def _plain(by: str, content: bytes) -> OpenedRow:
    return OpenedRow(by, len(content), content=content, octets=len(content))


def _id(row: SealedRow) -> bytes:
    assert isinstance(row.key[0], bytes)
    return row.key[0]
