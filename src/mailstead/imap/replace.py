"""REPLACE: an APPEND and the expunging of one message, as one (RFC 8508)."""

from dataclasses import dataclass

from mailstead.imap.append import Course, Steps, argument, read_messages
from mailstead.imap.tokens import Tokens
from mailstead.mail.uidset import STAR, SeqSet, UidSet


@dataclass(frozen=True, slots=True)
class Replace:
    """REPLACE, or UID REPLACE when *message* is a UID, up to the first literal that comes as events.

    Args:
        message: The one that goes, in the selected mailbox.
        mailbox: Where the other one comes; it may be another.
    """

    message: SeqSet | UidSet
    mailbox: str
    steps: Steps


def read_replace(tokens: Tokens, *, uid: bool) -> Course[Replace]:
    """REPLACE SP seq-number SP mailbox append-message."""
    tokens.space()
    number = STAR if tokens.skip(b"*") else tokens.number(least=1)
    message = UidSet([(number, number)]) if uid else SeqSet([(number, number)])
    tokens.space()
    mailbox = yield from argument(tokens.mailbox)
    return (yield from read_messages(tokens, lambda steps: Replace(message, mailbox, steps), several=False))
