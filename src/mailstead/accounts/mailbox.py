"""A mailbox with its name: what the names of an account and the rows of the store say of it together."""

from dataclasses import dataclass

from mailstead.accounts.mboxes import MailboxName
from mailstead.mail.mailbox import Modseq, SpecialUse, Uid
from mailstead.store.mailboxes import MailboxRow


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox with its name, as only its owner sees it."""

    id: bytes
    name: str
    special_use: SpecialUse | None
    uid_validity: int
    uid_next: Uid
    highest_modseq: Modseq
    messages: int
    subscribed: bool

    @classmethod
    def of(cls, name: MailboxName, row: MailboxRow) -> "Mailbox":
        """The mailbox of this name, whose row this is."""
        return cls(
            name.mailbox_id,
            name.name,
            name.special_use,
            row.uid_validity,
            Uid(row.uid_next),
            Modseq(row.highest_modseq),
            row.messages,
            name.subscribed,
        )
