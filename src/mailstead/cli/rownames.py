"""What a sealed row is called on the command line: `page:ann@example.com/MAILBOX-ID/0/A`.

The sort, the account by one of its addresses, and the columns that name the row, ids in hexadecimal.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mailstead.crypto.keyring import ROOT_ID
from mailstead.crypto.sealed import ZERO_ID, Kind
from mailstead.errors import Exit, Trouble
from mailstead.store.database import SqlValue
from mailstead.store.sealedrows import SORTS

_RINGS = {"read": ZERO_ID, "root": ROOT_ID}
_GROUPS = {"A": 0, "B": 1}
_HINTS = {
    "mailbox_id": "MAILBOX", "place": "MAILBOX", "number": "NUMBER", "grp": "A|B", "uid": "UID",
    "object_id": "OBJECT", "lane_id": "LANE", "tomb_id": "TOMB", "note_id": "NOTE", "slot_id": "WAY-IN",
    "archive_id": "ARCHIVE", "kind": "KIND",
}  # fmt: skip


class RowName(NamedTuple):
    """A name, taken apart; *key* is shorter than the sort's when it stands for several rows."""

    sort: str
    address: str
    key: tuple[SqlValue, ...]

    @property
    def whole(self) -> bool:
        """Whether it names one row."""
        return len(self.key) == len(SORTS[self.sort].key)


def is_name(text: str) -> bool:
    """Whether *text* is meant as a row's name, and not as a file's."""
    return text.partition(":")[0] in SORTS and ":" in text


def parse(text: str) -> RowName:
    """Read a name, or the beginning of one.

    Raises:
        Trouble: it cannot be one.
    """
    sort, _, rest = text.partition(":")
    columns = SORTS[sort].key
    # A local part may have a slash in it, a domain cannot.
    local, at, behind = rest.rpartition("@")
    first, *parts = behind.split("/")
    try:
        if not first or len(parts) > len(columns):
            raise ValueError("it has too many parts" if first else "it has no address")
        key = tuple(_parse(sort, column, part) for column, part in zip(columns, parts, strict=False))
    except ValueError as error:
        raise Trouble(
            f"{text} names no row", why=str(error), fix=f"mailstead inspect {pattern(sort)}",
            exit_code=Exit.USAGE,
        ) from error  # fmt: skip
    return RowName(sort, f"{local}{at}{first}", key)


def pattern(sort: str) -> str:
    """How the names of a sort look."""
    hints = ["read|root"] if sort == "keyring" else [_HINTS[column] for column in SORTS[sort].key]
    return f"{sort}:" + "/".join(["ADDRESS", *hints])


def spelled(sort: str, address: str, key: Sequence[SqlValue]) -> str:
    """The name of a row."""
    parts = [_spelled(sort, c, v) for c, v in zip(SORTS[sort].key, key, strict=True)]
    return f"{sort}:" + "/".join([address, *parts])


def _parse(sort: str, column: str, part: str) -> SqlValue:
    match column:
        case "object_id" if sort == "keyring":
            if part not in _RINGS:
                raise ValueError(f'there is no keyring "{part}"')
            return _RINGS[part]
        case "grp":
            if part not in _GROUPS:
                raise ValueError(f'there is no column group "{part}"')
            return _GROUPS[part]
        case "number" | "uid":
            if not re.fullmatch(r"[0-9]{1,10}", part):
                raise ValueError(f'"{part}" is not a number')
            return int(part)
        case "kind":
            if part.upper() not in Kind.__members__:
                raise ValueError(f'there is no kind "{part}"')
            return int(Kind[part.upper()])
        case _:
            if not re.fullmatch(r"[0-9a-f]{32}", part):
                raise ValueError(f'"{part}" is not an id of 32 hexadecimal digits')
            return bytes.fromhex(part)


def _spelled(sort: str, column: str, value: SqlValue) -> str:
    match column, value:
        case "object_id", bytes() if sort == "keyring":
            return "read" if value == ZERO_ID else "root"
        case "grp", int():
            return "AB"[value]
        case "kind", int():
            return Kind(value).name.lower()
        case _, bytes():
            return value.hex()
        case _:
            return str(value)
