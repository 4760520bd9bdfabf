"""Delivered mail, one commit group at a time: the only write of those who cannot read it.

The account row is the lock: the statement that takes the modseqs orders the writers and, by the
epoch, refuses mail that was sealed to a key that is no longer current. What is refused is
decided before anything is inserted, so that a refusal leaves nothing behind.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mailstead.crypto.arrivals import ArrivalChain, Link
from mailstead.crypto.sealed import Sealed, SealedLane, SealedMessage
from mailstead.errors import Reason, Unavailable
from mailstead.store.database import Tx


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message sealed to one recipient."""

    account_id: int
    epoch: int
    mailbox_id: bytes
    lane: SealedLane
    message: SealedMessage
    chain: ArrivalChain
    # How many extents were committed ahead of it, under an object row with refs = 0.
    ahead: int = 0
    # An owner's APPEND goes where it was put or nowhere; what is delivered goes to INBOX instead.
    nowhere_else: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for its recipients, or messages for one; *each*: every arrival has an outcome of its own."""

    arrivals: tuple[Arrival, ...]
    each: bool


class Last(NamedTuple):
    """The last arrival that a mailbox has, as the ledger notes it (`store.ledger`)."""

    account: bytes
    mailbox_id: bytes
    n: int
    uid: int
    tag: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an arrival went.

    Args:
        last: Of the last one of its mailbox in its commit group.
    """

    uid: int
    modseq: int
    last: Last | None = field(default=None, compare=False)


Outcome = Placed | Reason


@dataclass(slots=True)
class _Account:
    uuid: bytes
    modseq: int  # the next to be given
    used: int  # before this group
    quota: int
    inbox_id: bytes
    asked: int  # octets of all its arrivals, which the row has already been charged with
    taken: int = 0

    def room_for(self, octets: int) -> bool:
        return self.quota == 0 or self.used + self.taken + octets <= self.quota


_Key = tuple[int, int]  # account id, epoch


def add_arrivals(tx: Tx, letters: Sequence[Letter]) -> list[list[Outcome]]:
    """Store *letters*; for each, one outcome per arrival in its order.

    Raises:
        Unavailable: an object that was written ahead has been swept away.
    """
    accounts = _lock_accounts(tx, letters)
    outcomes: list[list[Outcome]] = []
    placing: _Placing = defaultdict(list)
    for letter in letters:
        verdicts = _verdicts(accounts, letter)
        failure = next((v for v in verdicts if v is not None), None)
        row: list[Outcome] = []
        for index, (arrival, verdict) in enumerate(zip(letter.arrivals, verdicts, strict=True)):
            refusal = verdict if letter.each else failure
            if refusal is not None:
                row.append(refusal)
                continue
            accounts[arrival.account_id, arrival.epoch].taken += arrival.message.stored_octets
            row.append(Placed(0, 0))
            key = (arrival.account_id, arrival.mailbox_id, arrival.nowhere_else)
            placing[key].append((row, index, arrival))
        outcomes.append(row)
    pendings = _take_uids(tx, accounts, placing)
    _insert(tx, pendings)
    for (account_id, _), account in accounts.items():
        if account.taken != account.asked:  # some were refused
            tx.execute(
                "UPDATE account SET used_octets = used_octets - ? WHERE account_id = ?",
                (account.asked - account.taken, account_id),
            )
    return outcomes


def _lock_accounts(tx: Tx, letters: Sequence[Letter]) -> dict[_Key, _Account]:
    counts: dict[_Key, int] = defaultdict(int)
    octets: dict[_Key, int] = defaultdict(int)
    for letter in letters:
        for arrival in letter.arrivals:
            key = (arrival.account_id, arrival.epoch)
            counts[key] += 1
            octets[key] += arrival.message.stored_octets
    accounts: dict[_Key, _Account] = {}
    for key in sorted(counts):  # ascending, so that two groups cannot wait for each other
        count, asked = counts[key], octets[key]
        rows = tx.execute(
            "UPDATE account SET modseq = modseq + ?, used_octets = used_octets + ?"
            " WHERE account_id = ? AND epoch = ? AND status = 0"
            " RETURNING uuid, modseq, used_octets, quota_octets, inbox_id",
            (count, asked, *key),
        )
        if rows:
            uuid, last, used, quota, inbox_id = rows[0]
            accounts[key] = _Account(uuid, last - count + 1, used - asked, quota, inbox_id, asked)
    return accounts


def _verdicts(accounts: dict[_Key, _Account], letter: Letter) -> list[Reason | None]:
    """For each arrival why it is refused; those of one account must have room together."""
    found: list[Reason | None] = []
    claimed: dict[_Key, int] = {}
    for arrival in letter.arrivals:
        key = (arrival.account_id, arrival.epoch)
        account = accounts.get(key)
        if account is None:
            found.append(Reason.KEY_CHANGED)
            continue
        claimed[key] = claimed.get(key, 0) + arrival.message.stored_octets
        found.append(None if account.room_for(claimed[key]) else Reason.OVER_QUOTA)
    return found


@dataclass(frozen=True, slots=True)
class _Pending:
    arrival: Arrival
    mailbox_id: bytes
    placed: Placed
    n: int
    tag: bytes


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a mailbox gave to its next arrivals."""

    uid: int  # of the first of them
    n: int
    before: bytes  # the tag of the arrival before
    uid_validity: int


_Placing = dict[tuple[int, bytes, bool], list[tuple[list[Outcome], int, Arrival]]]


def _take_uids(tx: Tx, accounts: dict[_Key, _Account], placing: _Placing) -> list[_Pending]:
    pendings: list[_Pending] = []
    for (account_id, wanted_id, nowhere_else), arrivals in placing.items():
        account = accounts[account_id, arrivals[0][2].epoch]
        mailbox_id, count = wanted_id, len(arrivals)
        taken = _advance(tx, account_id, mailbox_id, count, account.modseq + count - 1)
        if taken is None and nowhere_else:
            for row, index, arrival in arrivals:
                row[index] = Reason.NO_SUCH_MAILBOX
                account.taken -= arrival.message.stored_octets
            continue
        if taken is None:  # deleted meanwhile: the mail still arrives
            mailbox_id = account.inbox_id
            taken = _advance(tx, account_id, mailbox_id, count, account.modseq + count - 1)
            if taken is None:
                raise Unavailable(Reason.NO_SUCH_MAILBOX)
        tag = taken.before or arrivals[0][2].chain.start(mailbox_id, taken.uid_validity)
        for offset, (row, index, arrival) in enumerate(arrivals):
            placed = Placed(taken.uid + offset, account.modseq + offset)
            row[index] = placed
            tag = arrival.chain.step(tag, _link(arrival, mailbox_id, placed, taken.n + offset))
            pendings.append(_Pending(arrival, mailbox_id, placed, taken.n + offset, tag))
        row, index, _ = arrivals[-1]
        last = pendings[-1]
        noted = Last(account.uuid, mailbox_id, last.n, last.placed.uid, tag)
        row[index] = replace(last.placed, last=noted)
        tx.execute(
            "UPDATE mailbox SET arrival_tag = ? WHERE account_id = ? AND mailbox_id = ?",
            (tag, account_id, mailbox_id),
        )
        account.modseq += count
    return pendings


def _link(arrival: Arrival, mailbox_id: bytes, placed: Placed, n: int) -> Link:
    message = arrival.message
    return Link(
        n, mailbox_id, placed.uid, placed.modseq, message.object_id, arrival.lane.lane_id, message.ctr,
        message.digest,
    )  # fmt: skip


def _advance(tx: Tx, account_id: int, mailbox_id: bytes, count: int, modseq: int) -> _Taken | None:
    rows = tx.execute(
        "UPDATE mailbox SET uid_next = uid_next + ?, messages = messages + ?, highest_modseq = ?,"
        " arrivals = arrivals + ? WHERE account_id = ? AND mailbox_id = ? AND uid_validity > 0"
        " RETURNING uid_next, arrivals, arrival_tag, uid_validity",
        (count, count, modseq, count, account_id, mailbox_id),
    )
    if not rows:
        return None
    uid_next, arrivals, before, uid_validity = rows[0]
    return _Taken(uid_next - count, arrivals - count + 1, before, uid_validity)


def _insert(tx: Tx, pendings: list[_Pending]) -> None:
    now = tx.now()
    arrivals = [p.arrival for p in pendings]
    lanes = {(a.account_id, a.lane.lane_id): a.lane for a in arrivals}
    tx.execute_many(
        "INSERT INTO lane (account_id, lane_id, epoch, sealed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account_id, lane_id) DO NOTHING",
        [(account, lane.lane_id, lane.epoch, lane.sealed.octets) for (account, _), lane in lanes.items()],
    )
    tx.execute_many(
        "INSERT INTO object (account_id, object_id, refs, stored_octets, created) VALUES (?, ?, 1, ?, ?)",
        [(a.account_id, a.message.object_id, a.message.stored_octets, now) for a in arrivals if not a.ahead],
    )
    for arrival in arrivals:
        if arrival.ahead:
            _claim(tx, arrival)
    tx.execute_many(
        "INSERT INTO extent (account_id, object_id, number, octets) VALUES (?, ?, ?, ?)",
        [
            (a.account_id, a.message.object_id, a.ahead + number, extent.octets)
            for a in arrivals
            for number, extent in enumerate(a.message.extents)
        ],
    )
    tx.execute_many(
        "INSERT INTO pending (account_id, mailbox_id, uid, modseq, object_id, lane_id, ctr,"
        " summary_flags, body_flags, summary, n, tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                p.arrival.account_id, p.mailbox_id, p.placed.uid, p.placed.modseq,
                p.arrival.message.object_id, p.arrival.lane.lane_id, p.arrival.message.ctr,
                p.arrival.message.summary_flags, p.arrival.message.body_flags,
                p.arrival.message.summary.octets, p.n, p.tag,
            )
            for p in pendings
        ],
    )  # fmt: skip


def _claim(tx: Tx, arrival: Arrival) -> None:
    message = arrival.message
    claimed = tx.execute(
        "UPDATE object SET refs = 1, stored_octets = ? WHERE account_id = ? AND object_id = ?"
        " AND refs = 0 RETURNING 1",
        (message.stored_octets, arrival.account_id, message.object_id),
    )
    if not claimed:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, "the object written ahead is gone")


def write_ahead(tx: Tx, account_id: int, object_id: bytes, first: int, extents: Sequence[Sealed]) -> None:
    """Commit sealed extents of a large body before its message, under refs = 0.

    Args:
        first: The number of the first of *extents*; 0 makes the object.
        extents: 1 MiB at most together.
    """
    if first == 0:
        tx.execute(
            "INSERT INTO object (account_id, object_id, refs, stored_octets, created) VALUES (?, ?, 0, 0, ?)",
            (account_id, object_id, tx.now()),
        )
    tx.execute_many(
        "INSERT INTO extent (account_id, object_id, number, octets) VALUES (?, ?, ?, ?)",
        [(account_id, object_id, first + n, extent.octets) for n, extent in enumerate(extents)],
    )
