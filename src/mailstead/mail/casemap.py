"""The collation i;unicode-casemap (RFC 5051): what strings are compared by for SORT and THREAD."""

import unicodedata

KEY_CHARACTERS = 256  # of a sort key: what follows decides nothing, and costs nothing


def sort_key(text: str) -> str:
    """The form of *text*, cut, whose order by code points is the collation's order."""
    text = text[:KEY_CHARACTERS]
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join(map(_title, text)))[:KEY_CHARACTERS]


def _title(character: str) -> str:
    """Its titlecase in UnicodeData.txt, which is one character or none: "ß" stays what it is."""
    title = character.title()
    return title if len(title) == 1 else character
