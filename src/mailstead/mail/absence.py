"""What a message cannot have, seen from its octets as they stand: most that SEARCH looks through.

Of a text in ASCII nothing is found that its octets do not have, so it need be neither taken apart nor
decoded to say no. Whatever makes that less than certain (another charset, an encoded word, base64)
makes the answer "it may": then `mail.searching` looks.
"""

import re
from collections.abc import Collection

from mailstead.mail.transfer import quoted_printable

_SPACE = re.compile(r"[\s:]+")  # what a folded field, or a field's name, may have more or less of
# Charsets in which octets of ASCII are other characters.
_UNLIKE_ASCII = re.compile(rb"UTF-?(?:16|32|7)|UNICODE|2022|JIS|HZ|864|31J|JOHAB")
_CODED_NAME = re.compile(rb'\*"|=\?|NAME" "[^"]*\\')  # of a file: RFC 2231, an encoded word, a quoted pair
_STRING = rb'(?:NIL|"[^"\\]*+")'
# body-type-basic of BODYSTRUCTURE, up to an encoding that is never undone for a search.
_NO_TEXT = re.compile(
    rb'\("(?!TEXT"|MESSAGE")[^"\\]*+" "[^"\\]*+" (?:NIL|\((?:"[^"\\]*+" ?)*\)) '
    + _STRING + b" " + _STRING + rb' "BASE64"'
)  # fmt: skip


class Probe:
    """Looks for some folded strings without reading what a message says.

    Args:
        wanted: As `mail.casemap.fold` makes them.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        # Of ASCII nothing but ASCII is made: another string is in none of it.
        self._runs = [_run(string) for string in wanted if string.isascii()]

    def not_in_header(self, header: bytes) -> bool:
        """None of the strings is in a header block; False when that is not certain."""
        return b"=?" not in header and self._not_in(header)

    def not_in_body(self, octets: bytes, start: int, bodystructure: bytes) -> bool:
        """None of the strings is in a body; False when that is not certain.

        Args:
            octets: The whole message.
            start: Where its body begins.
            bodystructure: As `mail.render.bodystructure` makes it.
        """
        shown = bodystructure.upper()
        body = octets[start:]
        return (
            bool(shown)
            and b"}\r\n" not in shown  # a literal, which may look like anything
            and b'"MESSAGE"' not in shown  # whose header may have encoded words
            and b'"HTML"' not in shown  # whose tags and entities are undone
            and _CODED_NAME.search(shown) is None
            and shown.count(b'"BASE64"') == len(_NO_TEXT.findall(shown))
            and _UNLIKE_ASCII.search(shown) is None
            and self._not_in(body)
            and (b'"QUOTED-PRINTABLE"' not in shown or self._not_in(quoted_printable(body)))
        )

    def _not_in(self, octets: bytes) -> bool:
        if not octets.isascii():
            return False
        upper = octets.upper()
        return all(run not in upper for run in self._runs)


def _run(string: str) -> bytes:
    """The longest piece of a string that stands in a text as it is; nothing, which is everywhere, if none."""
    return max(_SPACE.split(string), key=len).encode()
