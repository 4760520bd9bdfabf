"""The leakage table: what a copy of the disk gives away, item by item, and whether it was so here.

What an item says "no" of is searched for; what it says "yes" of is shown to be there, so that the
table is not better than the truth.
"""

import contextlib
import mmap
import os
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from mailstead.crypto.frame import padme
from mailstead.crypto.outside import shape
from mailstead.crypto.slots import Cost, SlotHeader, SlotType
from mailstead.leakcheck.acts import DATE
from mailstead.leakcheck.canaries import MAIL, NAMES, SEARCHED, SECRETS
from mailstead.leakcheck.scene import Scene, numbers_in_clear
from mailstead.store.accounts import addresses
from mailstead.store.mailboxes import mailboxes
from mailstead.store.sealedrows import SealedRow

_BLOCK = 32  # octets: two sealed copies of one message have none in common


class Verdict(Enum):
    """What became of an item."""

    AS_SAID = "as said"
    LEAKS = "LEAKS"
    NOT_CHECKED = "not checked"


class Checked(NamedTuple):
    """What was found of an item, in words."""

    verdict: Verdict
    words: str


class Item(NamedTuple):
    """One row.

    Args:
        cold: What one copy of the disk gives away.
        repeated: What an operator sees who keeps copies and looks at the running machine.
        check: None: it cannot be checked here.
        why: Then, why not.
    """

    name: str
    cold: str
    repeated: str
    check: Callable[[Scene], Awaitable[Checked]] | None
    why: str = ""


class Result(NamedTuple):
    """An item with what was found."""

    item: Item
    found: Checked


async def check(scene: Scene) -> list[Result]:
    """Every row of the table, checked or with the reason why not."""
    return [
        Result(item, await item.check(scene) if item.check else Checked(Verdict.NOT_CHECKED, item.why))
        for item in ITEMS
    ]


def unchecked(why: str) -> list[Result]:
    """Every row, where nothing was done that it could be checked against."""
    return [Result(item, Checked(Verdict.NOT_CHECKED, item.why or why)) for item in ITEMS]


def _verdict(leaks: list[str], words: str) -> Checked:
    if leaks:
        return Checked(Verdict.LEAKS, "; ".join(leaks))
    return Checked(Verdict.AS_SAID, words)


def _there(there: bool, words: str) -> Checked:
    """Of what is said to be visible: that it is not would mean that this table is wrong."""
    return Checked(Verdict.AS_SAID, words) if there else Checked(Verdict.NOT_CHECKED, "it was not seen")


async def _mail(scene: Scene) -> Checked:
    return _verdict(scene.where(MAIL), f"{len(MAIL)} canaries, none found")


async def _names(scene: Scene) -> Checked:
    assert scene.arranged is not None
    exact = scene.arranged.sizes | {DATE}
    columns = await numbers_in_clear(scene.database, (scene.owner, scene.other), exact)
    leaks = scene.where(NAMES) + [f"an exact size or date: {place}" for place in columns]
    return _verdict(leaks, f"{len(NAMES)} canaries, {len(exact)} exact sizes and dates, none found")


async def _addresses(scene: Scene) -> Checked:
    rows = await scene.database.read(lambda tx: addresses(tx, scene.owner))
    return _there(scene.server.owner in [row.address for row in rows], "in the table address, in clear")


async def _mailboxes(scene: Scene) -> Checked:
    rows = await scene.database.read(lambda tx: mailboxes(tx, scene.owner))
    assert scene.arranged is not None
    return _there(len(rows) == scene.arranged.mailboxes, f"{len(rows)} rows for {len(rows)} mailboxes")


async def _messages(scene: Scene) -> Checked:
    rows = await scene.database.read(lambda tx: mailboxes(tx, scene.owner))
    return _there(any(row.messages for row in rows), f"{sum(row.messages for row in rows)}, in clear")


async def _body_sizes(scene: Scene) -> Checked:
    bodies = await scene.sealed("body", scene.owner)
    frames = [shape(body.octets).frame for body in bodies]
    leaks = [
        f"a body of {frame} octets, which is no padded length" for frame in frames if padme(frame) != frame
    ]
    return _verdict(leaks, f"{len(frames)} bodies, each of a padded length")


async def _arrival_times(scene: Scene) -> Checked:
    book = scene.data / "ledger" / "own.log"
    return _there(book.exists() and book.stat().st_size > 0, "in the ledger, to the second")


async def _targets(scene: Scene) -> Checked:
    rows = scene.pendings
    return _there(bool(rows), f"{len(rows)} messages that waited had mailbox and lane in clear")


async def _searched(scene: Scene) -> Checked:
    return _verdict(scene.where(SEARCHED), f"{len(SEARCHED)} canaries, none found")


async def _same_message(scene: Scene) -> Checked:
    mine, theirs = [_blocks(await scene.sealed("body", account)) for account in (scene.owner, scene.other)]
    same = mine & theirs
    return _verdict(
        [f"{len(same)} blocks are the same"] if same else [], "sent to two people, nothing in common"
    )


def _blocks(rows: list[SealedRow]) -> set[bytes]:
    whole = [row.sealed.octets for row in rows]
    return {octets[at : at + _BLOCK] for octets in whole for at in range(0, len(octets) - _BLOCK, _BLOCK)}


async def _ways_in(scene: Scene) -> Checked:
    slots = await scene.sealed("slot", scene.owner)
    return _there(bool(slots), f"{len(slots)} ways in, with their types; logins are sealed notes")


async def _passwords(scene: Scene) -> Checked:
    leaks, least = scene.where(SECRETS), Cost()
    for slot in await scene.sealed("slot", scene.owner):
        octets = slot.clear["header"]
        assert isinstance(octets, bytes)
        header = SlotHeader.decode(octets)
        if header.type is SlotType.PASSWORD and header.m_kib < least.m_kib:
            leaks.append(f"Argon2id has {header.m_kib} KiB only")
    return _verdict(leaks, f"{len(SECRETS)} canaries, none found; Argon2id of {least.m_kib} KiB or more")


async def _erased(scene: Scene) -> Checked:
    if scene.postgres:
        return Checked(Verdict.NOT_CHECKED, "PostgreSQL keeps old rows until VACUUM, and pg_wal after it")
    if scene.waited is None:
        return Checked(Verdict.NOT_CHECKED, "something was found before its time was over")
    if not scene.erased:
        return Checked(Verdict.NOT_CHECKED, "nothing was erased")
    held = still_there(scene.data, scene.erased)
    leaks = [f"what was erased is still in {path}" for path in held]
    count = len(scene.erased)
    words = f"{count} lanes, bodies and pages, gone from every file {scene.waited:.0f} s after EXPUNGE"
    return _verdict(leaks, words)


def still_there(folder: Path, traces: Sequence[bytes]) -> list[Path]:
    """The files below *folder* that hold one of *traces*."""
    found: list[Path] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if os.fstat(file.fileno()).st_size:  # nothing cannot be mapped
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                    found += [path for trace in traces if octets.find(trace) >= 0][:1]
    return found


async def _arrivals(scene: Scene) -> Checked:
    rows = await scene.database.read(lambda tx: mailboxes(tx, scene.owner))
    return _there(any(r.arrivals for r in rows), f"{max(r.arrivals for r in rows)} arrivals counted in clear")


async def _writes(scene: Scene) -> Checked:
    rows = [*await scene.sealed("page", scene.owner), *await scene.sealed("state", scene.owner)]
    ids = {row.clear["write_id"] for row in rows}
    return _there(len(ids) == len(rows) > 0, f"{len(ids)} of pages and states, all different")


async def _epochs(scene: Scene) -> Checked:
    rows = await scene.sealed("page", scene.owner)
    return _there(bool(rows), f"{sorted({str(row.clear['epoch']) for row in rows})[-1]} is the newest")


async def _locators(scene: Scene) -> Checked:
    slots = await scene.sealed("slot", scene.owner)
    return _there(any(slot.clear["locator"] for slot in slots), "one locator of four letters, in clear")


_NO, _YES = "no", "yes"

ITEMS: tuple[Item, ...] = (
    Item("bodies, subjects, senders, recipients, attachments, previews, message ids", _NO, _NO, _mail),
    Item(
        "mailbox names, keywords, annotations, flags, dates and exact sizes", _NO,
        "no; which 256-message row changed, and when", _names,
    ),
    Item("accounts, local addresses, aliases", _YES, _YES, _addresses),
    Item("number of mailboxes", _YES, _YES, _mailboxes),
    Item("number of messages", _YES, _YES, _messages),
    Item("size of a body", "rounded up (Padme)", "rounded up (Padme)", _body_sizes),
    Item("time of arrival", "of each commit group, in the ledger", _YES, _arrival_times),
    Item("target and lane of mail not absorbed yet", "opaque ids", "opaque ids, until absorbed", _targets),
    Item("search terms, index, results", _NO, "no; times and sizes", _searched),
    Item("that several people here got the same message", _NO, "by its time", _same_message),
    Item("number and types of ways in; login times", "the former; logins are sealed", _YES, _ways_in),
    Item(
        "Sieve rules, forwarding, vacation", "no (server key)", _YES, None, "this version has none of them"
    ),
    Item("passwords", "guessing at Argon2id's cost, with server.key", "the same", _passwords),
    Item("old data after deletion", "old ciphertext for up to 60 s", "whatever was copied before", _erased),
    Item("counters of arrivals", _YES, _YES, _arrivals),
    Item("write ids and versions of rows", "random numbers", "which row was written", _writes),
    Item(
        "hours of erasure", _YES, _YES, None, "nothing is kept to be undeleted: EXPUNGE erases"
    ),
    Item("epoch of each row", _YES, _YES, _epochs),
    Item("locator and SCRAM salt of app passwords", _YES, _YES, _locators),
    Item(
        "a secret beside what the sender of the same mail wrote", "a right guess can make it smaller",
        "the same", None, "a statistic of many messages, which padding mostly hides; docs/security.md",
    ),
)  # fmt: skip
