"""How far a long command has come: the INPROGRESS response code (RFC 9585)."""

from mailstead.imap.responses import ok
from mailstead.mail.render import NIL, string


def in_progress(tag: bytes, done: int, goal: int | None = None) -> bytes:
    """The untagged OK, between other responses.

    resp-text-code =/ "INPROGRESS" [SP "(" inprogress-tag SP inprogress-state ")"]
    inprogress-tag = quoted / nil

    Args:
        done: How many items of those that the command is about.
        goal: How many there are, which is more; None or 0 where nobody knows.
    """
    named = string(tag)
    if b"]" in tag or not named.startswith(b'"'):
        named = NIL  # "]" would end the code, and a literal is no quoted string (RFC 9585 section 4)
    state = b"%d %b" % (min(done, goal - 1), b"%d" % goal) if goal else b"%d %b" % (done, NIL)
    return ok("Still at it", b"INPROGRESS (%b %b)" % (named, state)).octets()
