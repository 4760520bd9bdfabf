"""What a mailbox is for, as IMAP names it (RFC 6154 section 2)."""

from mailstead.imap.responses import no
from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.mailbox import SpecialUse

USES_CAP = 50
ENTRY = "/private/specialuse"  # the annotation that says it (section 4)
NO_SUCH_USE = no("No mailbox can be for that", b"USEATTR")

# INBOX has none; \All, \Flagged and \Important would be views of what is in other mailboxes.
SPECIAL_USE: dict[SpecialUse, bytes] = {
    SpecialUse.INBOX: b"",
    SpecialUse.DRAFTS: b"\\Drafts",
    SpecialUse.SENT: b"\\Sent",
    SpecialUse.JUNK: b"\\Junk",
    SpecialUse.TRASH: b"\\Trash",
    SpecialUse.ARCHIVE: b"\\Archive",
}
_USES = {name.upper(): use for use, name in SPECIAL_USE.items() if name}


def read_use(tokens: Tokens) -> SpecialUse | None:
    """[SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"], behind the mailbox of a CREATE (section 3).

    A mailbox is for one thing here: for others, or for several, it is not made.
    """
    if not tokens.skip(b" ("):
        return None
    if tokens.word() != b"USE":
        raise BadSyntax("Unknown CREATE parameter")
    tokens.expect(b" (")
    found: set[SpecialUse | None] = set()
    if not tokens.skip(b")"):
        found = _several(tokens)
    tokens.expect(b")")
    tokens.end()
    if None in found or len(found) > 1:
        raise BadSyntax(NO_SUCH_USE)
    return found.pop() if found else None


def _several(tokens: Tokens) -> set[SpecialUse | None]:
    """use-attr *(SP use-attr) ")", where use-attr = "\\" atom; None for one that is unknown."""
    found: set[SpecialUse | None] = set()
    for _ in range(USES_CAP):
        tokens.expect(b"\\")
        found.add(_USES.get(b"\\" + tokens.word()))
        if tokens.skip(b")"):
            return found
        tokens.space()
    raise limit("Too many special uses")


def use_of(value: bytes | None) -> SpecialUse | None:
    """What a mailbox is to be for by the value of `ENTRY`: attributes as LIST shows them, or nothing.

    Raises:
        ValueError: no mailbox can be for that.
    """
    wanted = {_USES.get(word.upper()) for word in value.split(b" ")} if value else {None}
    if value and None in wanted:
        raise ValueError("an unknown special use")
    (use,) = wanted  # of several, too
    return use
