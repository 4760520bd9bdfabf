"""What is new between two snapshots of a mailbox."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import cast

from mailstead.accounts.snapshot import Snapshot
from mailstead.mail.mailbox import Uid


@dataclass(frozen=True, slots=True)
class News:
    """What one snapshot has that an older one had not, each in UID order.

    Args:
        own: What changed last by a change that whoever asks made himself.
    """

    new: list[Uid]
    changed: list[Uid]
    gone: list[Uid]
    own: list[Uid]


def news(old: Snapshot, new: Snapshot, own: Collection[int] = ()) -> News:
    """What happened from *old* to *new*; *own* are the modseqs of one's own changes."""
    found = News([], [], [], [])
    if old.rows is new.rows:
        return found
    numbers = old.rows.keys() | new.rows.keys()
    for number in sorted(n for n in numbers if old.rows.get(n) is not new.rows.get(n)):
        before, after = old.rows.get(number), new.rows.get(number)
        if before is not None and after is not None and before.uids == after.uids:
            uids = cast("Iterable[Uid]", after.uids)
            changed = [m for m in zip(uids, before.modseqs, after.modseqs, strict=True) if m[1] != m[2]]
            found.changed.extend([uid for uid, _, modseq in changed if modseq not in own])
            found.own.extend([uid for uid, _, modseq in changed if modseq in own])
            continue
        was = {} if before is None else dict(zip(before.uids, before.modseqs, strict=True))
        for uid, modseq in () if after is None else zip(after.uids, after.modseqs, strict=True):
            known = was.pop(uid, None)
            if known is None:
                found.new.append(Uid(uid))
            elif known != modseq:
                (found.own if modseq in own else found.changed).append(Uid(uid))
        found.gone.extend(Uid(uid) for uid in was)
    return found
