"""A page of what was found or fetched: the PARTIAL of RFC 9394, which has that of RFC 5267 in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailstead.imap.tokens import Tokens
from mailstead.mail.uidset import HIGHEST

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the results: from *first* to *last*, counted from 1, or from the end with -1 (RFC 9394)."""

    first: int
    last: int

    def of(self, found: Sequence[T]) -> Sequence[T]:
        """The results that are on this page."""
        low, high = sorted((abs(self.first), abs(self.last)))
        if self.first > 0:
            return found[low - 1 : high]
        return found[max(0, len(found) - high) : max(0, len(found) - low + 1)]

    def octets(self) -> bytes:
        """As the client wrote it."""
        return b"%d:%d" % (self.first, self.last)


def read_page(tokens: Tokens) -> Page:
    """nz-number ":" nz-number, both of them negative or none (RFC 9394 section 3)."""
    sign = -1 if tokens.skip(b"-") else 1
    first = tokens.number(HIGHEST, 1)
    tokens.expect(b":")
    if sign < 0:
        tokens.expect(b"-")
    return Page(sign * first, sign * tokens.number(HIGHEST, 1))
