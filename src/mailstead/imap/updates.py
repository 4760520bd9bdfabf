"""How a client is told what it would find now, if it searched again (RFC 5267 section 4.3).

A place in the result is counted from 1; 0 stands for wherever the message belongs, which is enough
where the order is that of the mailbox.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailstead.imap.responses import no
from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.render import string
from mailstead.mail.uidset import in_order

TAGS_CAP = 100  # in one CANCELUPDATE

Placed = tuple[int, Sequence[int]]  # a place, and numbers or UIDs from there on


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """CANCELUPDATE: no more updates of what was asked for by commands with these tags."""

    tags: tuple[bytes, ...]


def read_cancel_update(tokens: Tokens) -> CancelUpdate:
    """CANCELUPDATE 1*(SP quoted); a string in another form is taken, too."""
    tags: list[bytes] = []
    while tokens.skip(b" "):
        tags.append(tokens.astring())
        if len(tags) > TAGS_CAP:
            raise limit("Too many tags")
    if not tags:
        raise BadSyntax("Expected the tag of a search")
    return CancelUpdate(tuple(dict.fromkeys(tags)))


def updated(correlated: bytes, removed: Iterable[Placed], added: Iterable[Placed], *, uid: bool) -> bytes:
    """The ESEARCH response with what goes and what comes, to be done in this order; nothing for neither.

    Args:
        correlated: As `esearch.correlator` says it.
    """
    items = [
        b"%b (%b)" % (word, b" ".join([b"%d %b" % (at, in_order(some).encode()) for at, some in placed]))
        for word, placed in ((b"REMOVEFROM", list(removed)), (b"ADDTO", list(added)))
        if placed
    ]
    if not items:
        return b""
    return b" ".join([b"* ESEARCH %b%b" % (correlated, b" UID" if uid else b""), *items]) + b"\r\n"


def no_update(tag: bytes, text: str) -> bytes:
    """The untagged NO: of this search no updates will come, or no more (section 4.3.1)."""
    return no(text, b"NOUPDATE " + string(tag)).octets()
