"""What the index knows of one message: the terms of its header and of its body, by field."""

from collections.abc import Iterator, Mapping

from mailstead.index.terms import LAST_RUN, WINDOW, terms
from mailstead.mail.casemap import fold
from mailstead.mail.header import header_block
from mailstead.mail.searching import PIECE, body_pieces, header_lines
from mailstead.mail.structure import Scanner

BODY, OTHER = "b", "o"
FIELD_OF = {
    b"from": "f", b"to": "t", b"cc": "c", b"subject": "s",
    b"message-id": "m", b"in-reply-to": "m", b"references": "m",
}  # fmt: skip
# Of the names that most messages have; nothing of a message is kept when it is read.
_NAMES = {
    name: terms(fold(name.decode()))
    for name in (
        *FIELD_OF, b"bcc", b"content-transfer-encoding", b"content-type", b"date", b"delivered-to",
        b"list-id", b"list-unsubscribe", b"mime-version", b"organization", b"precedence", b"reply-to",
        b"return-path", b"sender", b"user-agent", b"x-mailer", b"x-priority",
    )
}  # fmt: skip
TERMS_CAP = 50_000  # of one message; of one with more nothing is known, and it is always looked through
_HELD = 1000  # characters of a run that goes on in the next piece

Terms = Mapping[str, set[str]]


class Reading:
    """Reads the terms of one message in steps, with a turn for others between two."""

    def __init__(self) -> None:
        self._found: dict[str, set[str]] = {BODY: set(), OTHER: set()}
        self._whole = True

    @property
    def terms(self) -> Terms | None:
        """The terms by field, when all steps are done; None of a message with too many."""
        return self._found if self._whole else None

    def steps(self, octets: bytes) -> Iterator[int]:
        """Read a whole message; how many octets each step was about."""
        scanner = Scanner()
        for at in range(0, len(octets), PIECE):
            scanner.push(octets[at : at + PIECE])
            yield min(PIECE, len(octets) - at) >> 2
        header = header_block(octets)
        self._read_header(header)
        yield len(header)
        body, before = self._found[BODY], ""
        for piece in body_pieces(scanner.finish().root, octets):
            if piece.first:
                body |= terms(before)
                before = piece.text
            else:
                cut, overlap = _cut(before)
                body |= terms(before[:overlap])
                before = before[cut:] + piece.text
            if len(body) > TERMS_CAP:
                self._whole = False
                return
            yield piece.octets
        body |= terms(before)

    def _read_header(self, header: bytes) -> None:
        found = self._found
        for name, value in header_lines(header):
            field = FIELD_OF.get(name, OTHER)
            found.setdefault(field, set()).update(terms(value))
            found[OTHER] |= _of_name(name)


def _of_name(name: bytes) -> set[str]:
    return _NAMES.get(name) or terms(fold(name.decode()))


def _cut(text: str) -> tuple[int, int]:
    """Where the last run of a text begins, which may go on in the next piece, and how far to read it now.

    Of a very long run only the end is held; a string may stand across the cut, so more than that is read.
    """
    run = LAST_RUN.search(text[-_HELD:])
    if run is None:
        return len(text), len(text)
    cut = len(text) - len(run[0])
    return cut, cut + WINDOW if len(run[0]) == _HELD else cut
