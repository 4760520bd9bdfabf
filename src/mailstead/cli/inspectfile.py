"""A file of sealed octets: a record with its header in front, or pieces without one."""

import zlib
from pathlib import Path

from mailstead.cli.output import print_json
from mailstead.cli.rowview import Inner, View, flags, outside, show
from mailstead.cli.rowwords import KEYS
from mailstead.crypto.outside import Header, parse_header
from mailstead.crypto.primitives import ENCAPSULATED_OCTETS, SUITE
from mailstead.crypto.records import HEADER_OCTETS, MAGIC
from mailstead.crypto.sealed import Ref
from mailstead.errors import Exit, Trouble, UnsealError

_LOOKED_AT = 1 << 20  # octets, of which it is seen that they are no text


def look_at_file(file: Path, *, as_json: bool) -> None:
    """Say what a file is that is no database.

    Raises:
        Trouble: nothing in it is sealed by mailstead, or it was cut.
    """
    with file.open("rb") as opened:
        begins = opened.read(_LOOKED_AT)
    size = file.stat().st_size
    said = _record(file, begins, size) if begins.startswith(MAGIC) else _pieces(file, begins, size)
    if as_json:
        print_json(said)
    else:
        show(said)


def _record(file: Path, begins: bytes, size: int) -> View:
    try:
        header = parse_header(begins)
    except UnsealError as error:
        raise Trouble(
            f"{file} is no record of this version", why=str(error),
            fix="use the mailstead that wrote it", exit_code=Exit.NEEDS_UPGRADE,
        ) from error  # fmt: skip
    lane = ENCAPSULATED_OCTETS if header.ref is Ref.INLINE_LANE else 0
    said: View = {
        "row": str(file), "kind": {"number": int(header.kind), "name": header.kind.name},
        "holds": "one record with its header in front", "format": 1, "suite": SUITE,
        "sealed_under": KEYS[header.ref.name], "octets": size - HEADER_OCTETS - lane,
    }  # fmt: skip
    said |= outside(size - HEADER_OCTETS - lane)
    said["bound_to"] = _bound(header)
    said["not_known"] = ["its content", "the account, place, version and write it belongs to"]
    said["opened"] = None
    return said


def _bound(header: Header) -> dict[str, Inner]:
    return {
        "kind": int(header.kind), "key": int(header.ref), "flags": flags(header.flags),
        "object": header.object_id.hex(), "key_id": header.ref_id.hex(), "index": header.index,
        "dictionary": header.dictionary,
    }  # fmt: skip


def _pieces(file: Path, begins: bytes, size: int) -> View:
    """Octets without a header: a piece of the spool, or a payload; what is sealed does not get shorter."""
    if len(begins) < 64 or len(zlib.compress(begins, 6)) < len(begins):
        raise Trouble(
            f"nothing in {file} is sealed", why="it can be compressed, which sealed octets cannot",
            fix="name a database, a spool file, or a record with its header", exit_code=Exit.FAILED,
        )  # fmt: skip
    said: View = {
        "row": str(file), "kind": None,
        "holds": "sealed octets without a header: pieces of the spool, or a payload",
        "format": None, "suite": None, "octets": size,
        "sealed_under": "of the spool: a key that only the session had that wrote it",
    }  # fmt: skip
    said["not_known"] = ["which of the two it is", "how many pieces it is of", "its content", "whose it is"]
    said["opened"] = None
    return said
