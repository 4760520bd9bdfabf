"""What is kept of mailboxes that were sorted or threaded: numbers and orders, of all accounts of a process.

Nothing of it is content, and nothing of it outlives the account's last session here.
"""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from mailstead.accounts.columns import Links, Numbers
from mailstead.accounts.states import Uids, no_uids
from mailstead.mail.sortkeys import By
from mailstead.mail.threadlist import Piece

OCTETS = 32 << 20  # of all accounts of a process
ANSWERS = 8  # of one mailbox
_OVERHEAD = 2048  # octets of a mailbox of which nothing is kept


@dataclass(frozen=True, slots=True)
class Finished:
    """An order of messages.

    Args:
        asked: Which ones it was asked of.
        uids: Those that were there; ascending.
        places: Of these, in order.
        threads: Of these.
    """

    asked: Uids
    uids: Uids
    places: "array[int]" = field(default_factory=no_uids)
    threads: Sequence[Piece] = ()

    @property
    def octets(self) -> int:
        """What it takes in memory, without its UIDs."""
        return 4 * len(self.places) + sum(len(piece.shape) + 4 * len(piece.places) for piece in self.threads)


@dataclass(eq=False, slots=True)
class KeptMailbox:
    """What is kept of one mailbox; who adds to it does so in his *turn*.

    Args:
        rankings: What stands for the different strings of a column, in the order of the strings; a column may
            have more of them.
        finished: By what was asked for.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    numbers: dict[By, Numbers] = field(default_factory=dict[By, Numbers])
    links: Links = field(default_factory=Links)
    rankings: dict[By, "array[int]"] = field(default_factory=dict[By, "array[int]"])
    finished: OrderedDict[Hashable, Finished] = field(default_factory=OrderedDict[Hashable, Finished])

    @property
    def filled(self) -> bool:
        """Whether numbers of messages are kept."""
        return bool(self.links.uids) or any(column.uids for column in self.numbers.values())

    @property
    def octets(self) -> int:
        """What it takes in memory; UIDs that several share count once."""
        lists = [self.links.uids, *[column.uids for column in self.numbers.values()]]
        for answer in self.finished.values():
            lists += [answer.asked, answer.uids]
        return (
            _OVERHEAD
            + 4 * sum({id(uids): len(uids) for uids in lists}.values())
            + self.links.octets
            + sum(column.octets for column in self.numbers.values())
            + sum(8 * len(ranking) for ranking in self.rankings.values())
            + sum(answer.octets for answer in self.finished.values())
        )

    def finish(self, what: Hashable, answer: Finished) -> None:
        """Keep an answer for who asks again."""
        self.finished[what] = answer
        self.finished.move_to_end(what)
        if len(self.finished) > ANSWERS:
            self.finished.popitem(last=False)


_Name = tuple[int, bytes]  # account id, mailbox id


class KeptOrders:
    """The kept mailboxes of all accounts of one process; those not asked for longest are forgotten first.

    Args:
        octets: How many at most.
    """

    def __init__(self, octets: int = OCTETS) -> None:
        self._most = octets
        self._octets = 0
        self._mailboxes = OrderedDict[_Name, tuple[KeptMailbox, int]]()
        self._of = dict[int, set[bytes]]()

    def get(self, account_id: int, mailbox_id: bytes) -> KeptMailbox:
        """What is kept of a mailbox, which may be nothing."""
        name = (account_id, mailbox_id)
        kept = self._mailboxes.get(name)
        if kept is None:
            kept = self._mailboxes[name] = KeptMailbox(), 0
            self._of.setdefault(account_id, set()).add(mailbox_id)
        self._mailboxes.move_to_end(name)
        return kept[0]

    def weigh(self, account_id: int, mailbox_id: bytes) -> None:
        """Something was added to what is kept of a mailbox."""
        name = (account_id, mailbox_id)
        kept = self._mailboxes.get(name)
        if kept is not None:  # it was not forgotten meanwhile
            octets = kept[0].octets
            self._octets += octets - kept[1]
            self._mailboxes[name] = kept[0], octets
            if octets > self._most:  # others need not go for it, too
                self._forget(name)
        while self._octets > self._most:
            self._forget(next(iter(self._mailboxes)))

    def forget(self, account_id: int) -> None:
        """Keep nothing of an account any more."""
        for mailbox_id in list(self._of.get(account_id, ())):
            self._forget((account_id, mailbox_id))

    def _forget(self, name: _Name) -> None:
        _, octets = self._mailboxes.pop(name)
        self._octets -= octets
        account_id, mailbox_id = name
        self._of[account_id].discard(mailbox_id)
        if not self._of[account_id]:
            del self._of[account_id]
