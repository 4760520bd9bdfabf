"""What a stored row is bound to: the header and the context that its columns make (docs/format.md).

A column that somebody changes is a context that somebody changes: the row does not open any more.
"""

from dataclasses import dataclass

from mailstead.crypto.frame import DICTIONARY_ID, PADDED
from mailstead.crypto.lanes import SUMMARY_FLAGS
from mailstead.crypto.records import epoch_ref, read_ref, root_ref
from mailstead.crypto.sealed import ZERO_ID, Kind, Ref
from mailstead.store.database import SqlValue
from mailstead.store.sealedrows import SealedRow

_OF_ACCOUNT = {
    "mboxes": Kind.MBOXES, "account-leaf": Kind.LEAF, "anchor": Kind.ANCHOR, "accesslog": Kind.ACCESSLOG,
}  # fmt: skip
_OF_MAILBOX = {"counts": Kind.COUNTS, "metadata": Kind.METADATA, "order": Kind.ORDER, "search": Kind.SEGMENT}


@dataclass(frozen=True, slots=True)
class Bound:
    """The header of a record, and what else is in its context.

    Args:
        ref_id, index, flags: None where they are not in clear.
        dictionary: 0: none.
        place, version, modseq, write_id: None where the context has none: the record is of a lane.
    """

    kind: Kind
    ref: Ref
    object_id: bytes
    ref_id: bytes | None
    index: int | None
    flags: int | None = PADDED
    dictionary: int = 0
    place: bytes | None = None
    version: int | None = None
    modseq: int | None = None
    write_id: bytes | None = None


def bound(row: SealedRow) -> Bound | None:
    """What a row is bound to; None when it is no record: a lane or a way in."""
    match row.sort:
        case "summary" | "quarantine":
            flags = number(row, "summary_flags")
            dictionary = DICTIONARY_ID if flags == SUMMARY_FLAGS else 0
            return Bound(
                Kind.SUMMARY, Ref.LANE, octets(row, "object_id"), octets(row, "lane_id"), number(row, "ctr"),
                flags, dictionary,
            )  # fmt: skip
        case "body":
            pending = "lane_id" in row.clear
            return Bound(
                Kind.BODY, Ref.LANE, _octets(row.key[0]),
                octets(row, "lane_id") if pending else None,
                number(row, "ctr") if pending else None,
                number(row, "body_flags") if pending else None,
            )  # fmt: skip
        case "note":
            return Bound(Kind.ACCESSLOG, Ref.LANE, ZERO_ID, _octets(row.key[0]), 0)
        case "lane" | "slot" | "archived-slot":
            return None
        case "keyring":
            gens = number(row, "root_gen"), number(row, "read_gen")
            root = row.key[0] != ZERO_ID
            ref, ref_id = (Ref.ROOT, root_ref(gens[0])) if root else (Ref.READ_KEY, read_ref(*gens))
            return _stored(row, Kind.KEYRING, ref, ref_id, object_id=_octets(row.key[0]))
        case "archived-record":
            kind = Kind(_number(row.key[1]))
            if kind is Kind.KEYRING:
                ref = Ref.READ_KEY if row.key[2] == ZERO_ID else Ref.ROOT
                return _stored(row, kind, ref, None, object_id=_octets(row.key[2]))
            return _stored(row, kind, Ref.STORE_KEY, object_id=_octets(row.key[2]))
        case _:
            return _of_store_key(row)


def _of_store_key(row: SealedRow) -> Bound:
    key = row.key
    match row.sort:
        case "page":
            index = _number(key[1]) << 1 | _number(key[2])
            return _stored(row, Kind.PAGE, place=_octets(key[0]), index=index)
        case "state":
            modseq = number(row, "max_modseq")
            return _stored(row, Kind.STATE, place=_octets(key[0]), index=_number(key[1]), modseq=modseq)
        case "leaf":
            return _stored(row, Kind.LEAF, place=_octets(key[0]), index=_number(key[1]))
        case "tomb":
            return _stored(row, Kind.TOMB, place=_octets(key[0]), object_id=_octets(key[1]))
        case sort if sort in _OF_ACCOUNT:
            return _stored(row, _OF_ACCOUNT[sort])
        case sort:
            place, *rest = key
            object_id = _octets(rest[0]) if rest else ZERO_ID
            return _stored(row, _OF_MAILBOX[sort], place=_octets(place), object_id=object_id)


def _stored(
    row: SealedRow,
    kind: Kind,
    ref: Ref = Ref.STORE_KEY,
    ref_id: bytes | None = None,
    *,
    place: bytes = ZERO_ID,
    index: int = 0,
    modseq: int = 0,
    object_id: bytes = ZERO_ID,
) -> Bound:
    if ref is Ref.STORE_KEY:
        ref_id = epoch_ref(number(row, "epoch"))
    version = number(row, "version") if "version" in row.clear else 1  # a tomb is written once
    return Bound(
        kind, ref, object_id, ref_id, index, place=place, version=version, modseq=modseq,
        write_id=octets(row, "write_id"),
    )  # fmt: skip


def number(row: SealedRow, column: str) -> int:
    """A column of numbers."""
    return _number(row.clear[column])


def octets(row: SealedRow, column: str) -> bytes:
    """A column of octets."""
    return _octets(row.clear[column])


def _number(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value


def _octets(value: SqlValue) -> bytes:
    assert isinstance(value, bytes)
    return value
