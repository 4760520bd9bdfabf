"""Which pendings may be absorbed: those that follow, one by one, on what was absorbed before.

Each is looked at by its number and its tag (docs/format.md, "Arrivals"). One whose tag is wrong was
changed or put there by somebody else, and is put aside; where a number is missing a message was
taken away, and nothing behind it is absorbed until the owner has said that he knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailstead.accounts.leaves import NO_TAG, Leaf
from mailstead.crypto.arrivals import ArrivalChain, Link, digest
from mailstead.store.mailboxes import MailboxRow
from mailstead.store.messages import PendingRow

CHANGED = "it is not as it was delivered"
STRAY = "it was not delivered here"


@dataclass(slots=True)
class Followed:
    """Pendings in the order in which they arrived, as far as none is missing.

    Args:
        failed: Those that nobody delivered in this form, and why.
        arrivals, tag: Of the last of them: what leaf 0 shall say when they are absorbed.
        missing: What is missing behind them, in words; empty when nothing is known to be.
    """

    arrivals: int
    tag: bytes
    good: list[PendingRow] = field(default_factory=list[PendingRow])
    failed: list[tuple[PendingRow, str]] = field(default_factory=list[tuple[PendingRow, str]])
    missing: str = ""

    @property
    def rows(self) -> list[PendingRow]:
        """All of them."""
        return [*self.good, *(row for row, _ in self.failed)]


def follow(
    chain: ArrivalChain,
    mailbox: MailboxRow,
    leaf: Leaf,
    pendings: Sequence[PendingRow],
    bodies: Mapping[int, tuple[int, bytes]],
    base: tuple[int, bytes] | None = None,
) -> Followed:
    """Go along the chain from where *leaf* 0 says that it was absorbed.

    Args:
        pendings: The first ones of the mailbox, in UID order.
        bodies: Octets of their bodies, and the first of them (`store.messages.pending_bodies`).
        base: Number and tag of a later arrival to go on from.
    """
    found = Followed(*(base or (leaf.arrivals, leaf.arrival_tag)))
    for row in pendings:
        if row.n <= found.arrivals or row.n > mailbox.arrivals:
            found.failed.append((row, STRAY))
            continue
        if row.n > found.arrivals + 1:
            found.missing = missing_before(row.n - found.arrivals - 1, row.uid)
            break
        octets, head = bodies.get(row.uid, (0, b""))
        link = Link(
            row.n, mailbox.mailbox_id, row.uid, row.modseq, row.object_id, row.lane_id, row.ctr,
            digest(row.summary, octets, head),
        )  # fmt: skip
        if row.n == 1:
            follows = chain.follows_start(row.tag, mailbox.uid_validity, link)
        else:
            follows = chain.follows(row.tag, found.tag, link)
        if follows:
            found.good.append(row)
        else:
            found.failed.append((row, CHANGED))
        found.arrivals, found.tag = row.n, row.tag
    return found


def trust(
    chain: ArrivalChain, mailbox: MailboxRow, pendings: Sequence[PendingRow], *, more: bool
) -> Followed:
    """Take pendings as they are, whatever is missing or changed.

    Args:
        more: There are others behind them.
    """
    if more:
        return Followed(pendings[-1].n, pendings[-1].tag or NO_TAG, list(pendings))
    return Followed(*last_arrival(chain, mailbox), list(pendings))


def last_arrival(chain: ArrivalChain, mailbox: MailboxRow) -> tuple[int, bytes]:
    """Number and tag of the last arrival of a mailbox, to which the next one will be chained."""
    if not mailbox.arrivals:
        return 0, NO_TAG
    return mailbox.arrivals, mailbox.arrival_tag or chain.start(mailbox.mailbox_id, mailbox.uid_validity)


def missing_before(count: int, uid: int) -> str:
    """That so many messages are missing, in words."""
    what = "1 message is" if count == 1 else f"{count} messages are"
    return f"{what} missing that had been delivered before UID {uid}"
