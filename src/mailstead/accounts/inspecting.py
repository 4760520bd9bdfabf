"""Whether a mailbox is as it was left: its rows are those that its leaves name, and no others.

What is found is said in words. The contents of rows are not looked at here: each is checked when it
is opened, by its context.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailstead.accounts import leaves
from mailstead.accounts.chain import STRAY, missing_before
from mailstead.accounts.counts import Counts
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.leaves import Leaf, Write, difference, is_first, open_leaf
from mailstead.crypto.sealed import Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.store import leaves as stored
from mailstead.store.accounts import AccessRow, Stale, access
from mailstead.store.database import Tx
from mailstead.store.mailboxes import MailboxRow
from mailstead.store.messages import PendingHead, StateRow
from mailstead.store.numbers import LEAF_BITS
from mailstead.store.records import get_record

MOST = 100  # differences that are said of one mailbox

Found = dict[tuple[int, int], Write]  # writes of rows, by kind and number


@dataclass(frozen=True, slots=True)
class Heads:
    """What of a mailbox is in clear, and its leaves, in one snapshot; states and pendings aside."""

    leaves: dict[int, SealedRecord]
    pages: list[tuple[int, int, int, bytes]]
    counts: SealedRecord | None
    account: AccessRow | None


def read_heads(tx: Tx, account_id: int, mailbox_id: bytes) -> Heads:
    """Read what `differences` compares."""
    return Heads(
        stored.leaves(tx, account_id, mailbox_id),
        stored.page_writes(tx, account_id, mailbox_id),
        get_record(tx, account_id, Kind.COUNTS, mailbox_id),
        access(tx, account_id),
    )


def differences(
    keys: SessionKeys,
    mailbox: MailboxRow,
    heads: Heads,
    states: Sequence[StateRow],
    pendings: Sequence[PendingHead],
) -> list[str]:
    """How a mailbox is not as it was left, in words, up to `MOST` of them; empty when it is.

    Args:
        states, pendings: All of the mailbox, in the same snapshot, in their order.

    Raises:
        Stale: the account's keys have moved on.
    """
    account = heads.account
    if account is None or (account.root_gen, account.read_gen) != (keys.root_gen, keys.read_gen):
        raise Stale
    record = heads.leaves.get(0)
    if record is None:
        return ["leaf 0 is missing: nothing says what was written"]
    try:
        opened = {n: open_leaf(keys, mailbox.mailbox_id, n, r) for n, r in heads.leaves.items()}
        named = None if heads.counts is None else _counts(keys, mailbox.mailbox_id, heads.counts)
    except UnsealError as error:
        return [f"a leaf, or the counts, do not open: {error}"]
    except Stale:
        return [later("a leaf, or the counts", keys.epoch)]
    found: Found = {(kind, number): (version, wid) for kind, number, version, wid in heads.pages}
    found |= {(leaves.STATE, r.number): (r.record.version, r.record.write_id) for r in states}
    said = [
        later(leaves.named(leaves.STATE, r.number), keys.epoch) for r in states if r.record.epoch > keys.epoch
    ]
    said += _rows(opened, found)
    if named is not None:
        said += _leaves(heads.leaves, named)
    elif len(opened) > 1 or not is_first(opened[0]):
        said.append("the counts: nothing found, though something was written")
    said += _counters(mailbox, account.modseq, opened.values())
    said += _arrivals(mailbox, opened[0], pendings)
    return said[:MOST]


def _counts(keys: SessionKeys, mailbox_id: bytes, record: SealedRecord) -> Counts:
    return Counts.decode(keys.open(Kind.COUNTS, mailbox_id, 0, 0, record))


def _leaves(found: dict[int, SealedRecord], counts: Counts) -> list[str]:
    there = {n: (r.version, r.write_id) for n, r in found.items()}
    said = [
        difference(leaves.LEAF, n, there.get(n), counts.leaves.get(n))
        for n in sorted(there.keys() | counts.leaves.keys())
    ]
    return [words for words in said if words]


def _rows(opened: dict[int, Leaf], found: Found) -> list[str]:
    written: Found = {}
    for leaf in opened.values():
        written |= leaf.writes()
    if found == written:
        return []
    said: list[str] = []
    for kind, number in sorted(found.keys() | written.keys()):
        if number >> LEAF_BITS in opened:  # else that leaf is missing, which is said of it
            words = difference(kind, number, found.get((kind, number)), written.get((kind, number)))
            said += [words] if words else []
    return said


def later(what: str, epoch: int) -> str:
    """That something is sealed under keys that are still to come, in words.

    Args:
        epoch: Of the present keys.
    """
    return f"{what}: of a later epoch than {epoch}, which is that of the keys"


def _counters(mailbox: MailboxRow, account_modseq: int, opened: Iterable[Leaf]) -> list[str]:
    said: list[str] = []
    for leaf in opened:
        if leaf.uid_validity != mailbox.uid_validity:
            said.append(f"UIDVALIDITY: {mailbox.uid_validity} found, {leaf.uid_validity} was written")
        if mailbox.uid_next <= leaf.uid_floor:
            said.append(f"UIDNEXT: {mailbox.uid_next} found, there was a message {leaf.uid_floor}")
        for what, modseq in (
            ("HIGHESTMODSEQ", mailbox.highest_modseq),
            ("the account's modseq", account_modseq),
        ):
            if modseq < leaf.modseq_floor:
                said.append(f"{what}: {modseq} found, there was a change {leaf.modseq_floor}")
    return list(dict.fromkeys(said))


def _arrivals(mailbox: MailboxRow, leaf: Leaf, pendings: Sequence[PendingHead]) -> list[str]:
    waiting = mailbox.arrivals - leaf.arrivals
    if waiting < 0:
        return [f"arrivals: {mailbox.arrivals} found, {leaf.arrivals} were absorbed"]
    if [n for _, _, n in pendings] == list(range(leaf.arrivals + 1, mailbox.arrivals + 1)):
        return []
    said: list[str] = []
    at, last = leaf.arrivals, leaf.uid_floor
    for uid, _, n in pendings:
        if at < n <= mailbox.arrivals:
            said += [missing_before(n - at - 1, uid)] if n > at + 1 else []
            at, last = n, uid
        else:
            said.append(f"message {uid}: {STRAY}")
    if at < mailbox.arrivals:
        count = mailbox.arrivals - at
        what = "1 message is" if count == 1 else f"{count} messages are"
        said.append(f"{what} missing that had been delivered after UID {last}")
    return said
