"""The mailbox that a session has selected, or looks into: as the store has it, and as the client was told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mailstead.accounts.mailbox import Mailbox
from mailstead.accounts.snapshot import Snapshot
from mailstead.accounts.states import MessageState, RowStates
from mailstead.imap.responses import SYSTEM_FLAGS, flag_names
from mailstead.imap.view import MailboxView
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import Modseq, SeqNumber, Uid
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.standing import Standings
from mailstead.store.numbers import by_row, row_number

Numbered = tuple[SeqNumber, Uid]


@dataclass(slots=True)
class Selected:
    """The selected mailbox, as the store has it and as the client was told; or another one (RFC 7377)."""

    mailbox: Mailbox
    read_only: bool
    snapshot: Snapshot
    view: MailboxView
    unwatch: Callable[[], None]
    stirred: bool = True  # something may have changed since the snapshot
    saved: UidSet = field(default_factory=UidSet)  # what "$" means
    told_modseq: int = 0  # every change up to this one was told
    standings: Standings = field(default_factory=Standings)
    _row: RowStates | None = None  # the last one that was asked about, and its flags by UID
    _octets: dict[int, int] = field(default_factory=dict[int, int])

    def state(self, uid: int) -> MessageState | None:
        """The state of a message in the snapshot."""
        return self.snapshot.get(uid)

    def flags(self, uid: int) -> Flags:
        """The flags of a message that is in the snapshot; none of one that is not."""
        state = self.snapshot.get(uid)
        return Flags() if state is None else Flags(state.flags, state.keywords)

    def shown(self, uid: int) -> bytes:
        """Its flags as they stand between parentheses."""
        return flag_names(self.flags(uid), recent=self.view.is_recent(uid))

    def system(self, uid: int) -> int:
        """The system flags of a message, as a number; cheapest when asked for row by row."""
        row = self.snapshot.rows.get(row_number(uid))
        if row is not self._row:
            self._row = row
            self._octets = {} if row is None else dict(zip(row.uids, row.flags, strict=True))
        return self._octets.get(uid, 0)

    def retell(self, uid: int) -> None:
        """Let the client hear of a message's flags as they are in the snapshot."""
        state = self.snapshot.get(uid)
        if state is not None:
            self.view.change(uid, Flags(state.flags, state.keywords), state.modseq)

    def modseqs(self, uids: Sequence[int]) -> Iterator[Modseq]:
        """The mod-sequence of each in the snapshot; they are ascending."""
        for number, group in by_row(uids):
            row = self.snapshot.rows.get(number)
            known = {} if row is None else dict(zip(row.uids, row.modseqs, strict=True))
            yield from (Modseq(known.get(uid, 0)) for uid in group)

    def all_shown(self, uids: Sequence[int]) -> Iterator[bytes]:
        """What `shown` says of each; they are ascending."""
        for number, group in by_row(uids):
            row = self.snapshot.rows.get(number)
            if row is None or row.keywords or self.view.has_recent:
                yield from map(self.shown, group)
            elif len(group) == len(row.uids) and list(group) == list(row.uids):
                yield from [SYSTEM_FLAGS[flags] for flags in row.flags]
            else:
                yield from [SYSTEM_FLAGS[self.system(uid)] for uid in group]
