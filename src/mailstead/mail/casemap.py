"""The collation i;unicode-casemap (RFC 5051): what strings are compared by for SEARCH, SORT and THREAD.

Each character is converted to its titlecase and then decomposed; what that gives is compared as it
is. So full-width letters are letters, "é" is found by "e", and "ß" is not "ss". Marks in a row are
put into their order, too, as RFC 5051 section 4 allows, so that it does not matter how "ế" was
composed.
"""

import re
import unicodedata

KEY_CHARACTERS = 256  # of a sort key: what follows decides nothing, and costs nothing
LAST = "\U0010ffff"  # begins the sort keys of what is no text
REPLACED = "\ufffd"  # what a decoder leaves of octets that it cannot read

_FOLDED = 1024  # characters that are folded together
_MARKS = 256  # in a row, behind which a string is cut wherever it is
# Characters, "ß" besides, whose uppercase in Python is not their titlecase in UnicodeData.txt: most have none
# there, some have another one.
_APART = re.compile(
    "([\u0149\u01c4-\u01cc\u01f0-\u01f3\u0390\u03b0\u0587\u10d0-\u10ff"
    "\u1e96-\u1e9a\u1f50-\u1f57\u1f80-\u1ffc\ufb00-\ufb17]+)"
)


def fold(text: str) -> str:
    """The form of *text* in which strings are compared: for being equal, being part of another, and order."""
    if text.isascii():
        return text.upper()
    if len(text) <= _FOLDED:
        return _fold(text)
    # To put n marks in a row into their order costs n * n.
    folded: list[str] = []
    at = 0
    while at < len(text):
        end = at + border(text[at : at + _FOLDED]) if at + _FOLDED < len(text) else len(text)
        folded.append(_fold(text[at:end]))
        at = end
    return "".join(folded)


def border(text: str) -> int:
    """The last place at which *text* can be cut so that its halves fold to what it folds to; 0: nowhere."""
    for at in range(len(text) - 1, max(0, len(text) - _MARKS), -1):
        c = text[at]
        if c.isascii() or not unicodedata.combining(_fold(c)[0]):  # no order is made across this place
            return at
    return len(text) if len(text) > _MARKS else 0


def sort_key(text: str) -> str:
    """The form of *text*, cut, whose order by code points is the collation's order.

    What could not be decoded comes behind all that could (RFC 5255 section 4.6).
    """
    text = text[:KEY_CHARACTERS]
    return (LAST + text if REPLACED in text else fold(text))[:KEY_CHARACTERS]


def _fold(text: str) -> str:
    pieces = _APART.split(text)
    pieces[::2] = ["ß".join(map(str.upper, piece.split("ß"))) for piece in pieces[::2]]
    pieces[1::2] = ["".join(map(_title, piece)) for piece in pieces[1::2]]
    return unicodedata.normalize("NFKD", "".join(pieces))


def _title(character: str) -> str:
    """Its titlecase in UnicodeData.txt, which is one character or none: "ŉ" stays what it is."""
    title = character.title()
    return title if len(title) == 1 else character
