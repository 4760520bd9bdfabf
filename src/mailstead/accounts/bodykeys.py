"""What opens bodies of rows that were asked for lately, so that a body at random opens no page.

A page holds 256 entries, of which one body needs 77 octets. From the second time on that a row is
asked for bodies, these octets of all its messages are kept, in memory that is not swapped and in
no core file; where the system gives none, nothing is kept. A UID never names another message, so
what is kept is never wrong; whether a message is still there, its state says.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from mailstead.accounts.entries import BODY_KEY_OCTETS, BodyKey, packed_body_key, unpack_body_key
from mailstead.accounts.pages import split
from mailstead.accounts.states import RowStates, Uids
from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.secretmem import Arena, Secret
from mailstead.store.messages import GROUP_A, GROUP_B
from mailstead.store.numbers import PAGE_MESSAGES

ROWS = 128  # of all accounts of a process: 2.5 MB
ASKED = 4096  # rows of which is known that they were asked for once

_Name = tuple[int, bytes, int]  # account id, mailbox id, row number


@dataclass(slots=True)
class KeptRow:
    """The body keys of one row, and its states as they were when somebody looked."""

    uids: Uids
    secret: Secret
    version: int
    states: RowStates

    def find(self, uids: Iterable[int]) -> list[BodyKey] | None:
        """What opens the bodies of *uids*, in UID order; None when not all are there."""
        found: list[BodyKey] = []
        for uid in sorted(uids):
            at = bisect_left(self.uids, uid)
            if at == len(self.uids) or self.uids[at] != uid or self.states.get(uid) is None:
                return None
            found.append(unpack_body_key(Uid(uid), self.secret.view, at * BODY_KEY_OCTETS))
        return found


class BodyKeys:
    """The kept rows of all accounts of one process; those not asked for longest are wiped first.

    Args:
        rows: How many at most.
    """

    def __init__(self, rows: int = ROWS) -> None:
        self._arena = Arena(rows, PAGE_MESSAGES * BODY_KEY_OCTETS)
        self._rows = OrderedDict[_Name, KeptRow]()
        self._asked = OrderedDict[_Name, None]()
        self._most = rows if self._arena.kind != "ordinary" else 0

    @property
    def memory(self) -> str:
        """The kind of memory they lie in; "none" when nothing is kept."""
        return self._arena.kind if self._most else "none"

    def get(self, name: _Name) -> KeptRow | None:
        """What is kept of a row."""
        row = self._rows.get(name)
        if row is not None:
            self._rows.move_to_end(name)
        return row

    def wants(self, name: _Name) -> bool:
        """Whether a row that was just read should be kept: it was asked for before."""
        if not self._most:
            return False
        if name in self._asked:
            return True
        self._asked[name] = None
        if len(self._asked) > ASKED:
            self._asked.popitem(last=False)
        return False

    def keep(self, name: _Name, version: int, states: RowStates, a: bytes, b: bytes) -> None:
        """Keep a row.

        Args:
            version: That of its *states*.
            a, b: The contents of its page.

        Raises:
            UnsealError: the page is malformed.
        """
        self._drop(name)
        in_a, in_b = split(GROUP_A, a), split(GROUP_B, b)
        if not list(states.uids) == list(in_a) == list(in_b):
            raise UnsealError(f"page {name[2]} and its state name different messages")
        packed = b"".join(map(packed_body_key, in_a.values(), in_b.values()))
        while len(self._rows) >= self._most:
            self._drop(next(iter(self._rows)))
        self._rows[name] = KeptRow(states.uids, self._arena.hold(packed), version, states)

    def forget(self, account_id: int) -> None:
        """Wipe what is kept of an account."""
        for name in [name for name in self._rows if name[0] == account_id]:
            self._drop(name)

    def _drop(self, name: _Name) -> None:
        row = self._rows.pop(name, None)
        if row is not None:
            row.secret.release()
