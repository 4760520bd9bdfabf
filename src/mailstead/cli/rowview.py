"""One sealed row, as people and programs see it: what it is, what it is bound to, what nobody can tell."""

import click

from mailstead.accounts.openedrows import OpenedRow
from mailstead.accounts.rowcontexts import Bound, bound
from mailstead.cli.rownames import spelled
from mailstead.cli.rowwords import KEYS, WORDS
from mailstead.crypto.outside import Shape, shape
from mailstead.crypto.primitives import ENCAPSULATED_OCTETS, SUITE
from mailstead.crypto.slots import SlotHeader, kind_name
from mailstead.errors import UnsealError
from mailstead.store.database import SqlValue
from mailstead.store.sealedrows import SealedRow

Inner = str | int | float | bool | list[str] | None
View = dict[str, Inner | dict[str, Inner]]
_LABELS = {
    "row": "row", "kind": "kind", "holds": "holds", "sealed_under": "key", "octets": "octets",
    "chunks": "chunks", "padded_octets": "padded", "content_octets": "content", "damage": "damage",
    "bound_to": "bound to", "beside": "in clear", "not_known": "not known", "opened": "opened",
}  # fmt: skip
_FLAGS = ((1, "padded"), (2, "zstd"), (4, "dictionary"), (8, "seekable"))


def view(row: SealedRow, address: str, opened: OpenedRow | None) -> View:
    """Everything that can be said of a row."""
    what, words = bound(row), WORDS[row.sort]
    said: View = {"row": spelled(row.sort, address, row.key)}
    said["kind"] = None if what is None else {"number": int(what.kind), "name": what.kind.name}
    said["holds"] = words.holds
    said["format"], said["suite"] = 1, SUITE
    said["octets"] = row.octets
    if what is None:
        said |= _encapsulated(row)
    else:
        said["sealed_under"] = KEYS[what.ref.name]
        said |= outside(row.octets)
        said["bound_to"] = context(what, row.account)
    said["beside"] = {name: _plain(value) for name, value in row.clear.items() if name != "header"}
    said["not_known"] = list(words.hidden)
    said["opened"] = None if opened is None else _opened(opened)
    return said


def outside(octets: int) -> View:
    """What the length of a payload tells."""
    try:
        seen = shape(octets)
    except UnsealError as error:
        return {"damage": str(error)}
    return _of_shape(seen)


def _of_shape(seen: Shape) -> View:
    return {
        "chunks": seen.chunks,
        "padded_octets": seen.frame,
        "content_octets": {"least": seen.least, "most": seen.most},
    }


def context(what: Bound, account: bytes) -> dict[str, Inner]:
    """What a record does not open without; null for what only its owner knows."""
    said: dict[str, Inner] = {
        "account": account.hex(),
        "kind": int(what.kind),
        "key": int(what.ref),
        "flags": None if what.flags is None else flags(what.flags),
        "object": what.object_id.hex(),
        "key_id": None if what.ref_id is None else what.ref_id.hex(),
        "index": what.index,
        "dictionary": what.dictionary,
    }
    if what.write_id is not None:
        said |= {
            "place": None if what.place is None else what.place.hex(), "version": what.version,
            "modseq": what.modseq, "write": what.write_id.hex(),
        }  # fmt: skip
    return said


def flags(number: int) -> list[str]:
    """The names of a header's flags."""
    return [name for bit, name in _FLAGS if number & bit]


def _encapsulated(row: SealedRow) -> View:
    """Of a lane, or of a way in: what is sealed to a public key."""
    if row.sort == "lane":
        damage = {} if row.octets == ENCAPSULATED_OCTETS else {"damage": "a lane has 1168 octets"}
        return {
            "sealed_under": "the account's delivery key (HPKE, X-Wing)",
            "bound_to": {
                "account": row.account.hex(),
                "epoch": _plain(row.clear["epoch"]),
                "lane": _plain(row.key[0]),
            },
            **damage,
        }
    octets = row.clear["header"]
    assert isinstance(octets, bytes)
    try:
        header = SlotHeader.decode(octets)
    except UnsealError as error:
        return {"damage": str(error)}
    return {
        "sealed_under": "what its credential gives: " + (
            f"Argon2id, {header.m_kib} KiB, {header.t} passes" if header.m_kib else "HMAC-SHA-512"
        ),
        "bound_to": {
            "account": header.account.hex(), "way_in": header.slot_id.hex(), "type": kind_name(header.type),
            "scope": int(header.scope), "wrap": header.wrap.name.lower(), "salt": header.salt.hex(),
        },
    }  # fmt: skip


def _opened(opened: OpenedRow) -> dict[str, Inner]:
    if opened.framed is None:
        return {"by": opened.by}
    seen: dict[str, Inner] = {
        "by": opened.by, "flags": flags(opened.flags), "dictionary": opened.dictionary,
        "framed_octets": opened.framed, "plain_octets": opened.octets,
    }  # fmt: skip
    return {
        name: value for name, value in seen.items() if name != "plain_octets" or opened.content is not None
    }


def _plain(value: SqlValue) -> Inner:
    return value.hex() if isinstance(value, bytes) else value


def show(said: View) -> None:
    """Print a view for people."""
    for name, label in _LABELS.items():
        value = said.get(name)
        if value is None:
            continue
        lines = _lines(name, value)
        for at, line in enumerate(lines):
            click.echo(f"{label if at == 0 else '':10} {line}".rstrip())
    if said.get("opened") is None:
        click.echo(f"{'opened':10} no: nobody gave a key (--user ADDRESS)")


def _lines(name: str, value: Inner | dict[str, Inner]) -> list[str]:
    match name, value:
        case "kind", dict():
            return [f"{value['name']} ({value['number']})"]
        case "content_octets", dict():
            least, most = value["least"], value["most"]
            return [f"{least:,} to {most:,} octets, after compression where there is any; which, is hidden"]
        case ("octets", int()) | ("padded_octets", int()):
            return [f"{value:,}" + (" sealed" if name == "octets" else " octets before sealing")]
        case _, dict():
            return [f"{key} {_short(inner)}" for key, inner in value.items()]
        case _, list():
            return [str(item) for item in value]
        case _:
            return [str(value)]


def _short(value: Inner) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "(its owner knows)" if value is None else str(value)
