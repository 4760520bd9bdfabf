"""The base subject: a Subject without the marks of replies and forwards (RFC 5256 section 2.1).

    subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
    subj-blob    = "[" *BLOBCHAR "]" *WSP
    subj-leader  = (*subj-blob subj-refwd) / WSP
    subj-trailer = "(fwd)" / WSP
    subj-fwd-hdr = "[fwd:"
    subj-fwd-trl = "]"

Linear: a text is looked at from both ends towards its middle, and nothing is copied before the end.
"""

import re
from typing import NamedTuple

_SPACE = re.compile(r"[ \t\r\n]+")
_UNEVEN = re.compile(r"[\t\r\n]|  ")
_BLOB = r"\[[^\[\]]*+\] *+"
_LEADER = re.compile(rf" +|(?:{_BLOB})*(re|fwd?) *+(?:{_BLOB})?:", re.I | re.A)
_BLOBS = re.compile(rf"(?:{_BLOB})+")
_TRAILER, _FORWARD = "(fwd)", "[fwd:"


class BaseSubject(NamedTuple):
    """A base subject; *reply*: a mark of a reply or a forward was removed."""

    text: str
    reply: bool


def base_subject(text: str) -> BaseSubject:
    """The base subject of a Subject whose encoded words are decoded."""
    if _UNEVEN.search(text) is not None:  # step 1
        text = _SPACE.sub(" ", text)
    at, end = 0, len(text)
    reply = False
    while True:
        while end > at:  # step 2
            if text[end - 1] == " ":
                end -= 1
            elif text[end - 1] == ")" and text[end - 5 : end].lower() == _TRAILER and end - at >= 5:
                end -= 5
                reply = True
            else:
                break
        while (found := _LEADER.match(text, at, end)) is not None:  # step 3
            at = found.end()
            reply = reply or found[1] is not None
        at = _without_blobs(text, at, end)
        if not (text.endswith("]", at, end) and text[at : at + 5].lower() == _FORWARD):
            return BaseSubject(text[at:end], reply)
        at, end, reply = at + 5, end - 1, True  # step 6


def _without_blobs(text: str, at: int, end: int) -> int:
    """Where the base begins, behind blobs that no "re:" follows; with the last, if nothing does (step 4)."""
    found = _BLOBS.match(text, at, end)
    if found is None:
        return at
    return found.end() if found.end() < end else text.rfind("[", at, end)
