"""Flags as a client writes them (RFC 9051 section 9, flag and flag-list)."""

from mailstead.errors import Reason
from mailstead.imap.responses import FOR_REASON
from mailstead.imap.tokens import BadSyntax, Tokens, limit
from mailstead.mail.flags import KEYWORD_OCTETS, KEYWORDS_CAP, NO_FLAGS, Flags
from mailstead.mail.mailbox import SystemFlag

_SYSTEM = {
    b"ANSWERED": SystemFlag.ANSWERED,
    b"FLAGGED": SystemFlag.FLAGGED,
    b"DELETED": SystemFlag.DELETED,
    b"SEEN": SystemFlag.SEEN,
    b"DRAFT": SystemFlag.DRAFT,
}


def read_flags(tokens: Tokens) -> Flags:
    """flag-list, or flags without parentheses, as STORE allows.

    A keyword that comes twice, in whatever case, is one. \\Recent and unknown system flags are
    refused: no client may set them; and more keywords than a message can come with.
    """
    enclosed = tokens.skip(b"(")
    if enclosed and tokens.skip(b")"):
        return Flags()
    system = NO_FLAGS
    keywords: dict[str, str] = {}
    while True:
        if tokens.skip(b"\\"):
            flag = _SYSTEM.get(tokens.word())
            if flag is None:
                raise BadSyntax("Unknown system flag")
            system |= flag
        else:
            keyword = read_keyword(tokens)
            keywords.setdefault(keyword.lower(), keyword)
            if len(keywords) > KEYWORDS_CAP:
                raise BadSyntax(FOR_REASON[Reason.TOO_MANY_KEYWORDS])
        if enclosed and tokens.skip(b")"):
            break
        if not enclosed and not tokens.peek():
            break
        tokens.space()
        if not enclosed and not tokens.peek():  # a space at the end of the line
            break
    return Flags(system, frozenset(keywords.values()))


def read_keyword(tokens: Tokens) -> str:
    """flag-keyword = atom."""
    keyword = tokens.atom()
    if len(keyword) > KEYWORD_OCTETS:
        raise limit("Keyword too long")
    return keyword.decode()
