"""Parameters that came in pieces (RFC 2231 section 3), put together as BODYSTRUCTURE shows them.

What was cut into `name*0` and `name*1` is shown as `name`; what has a piece in the extended form is
shown as `name*`, in that form as a whole. Pieces with one missing stay as they came.
"""

import re
from itertools import groupby

Params = list[tuple[bytes, bytes]]

# attribute ["*" section] ["*"] (RFC 2231 section 7)
_PIECE = re.compile(rb"([^*]+)(?:\*([0-9]{1,6}))?(\*)?")


def join_pieces(params: Params) -> Params:
    """*params* with the pieces joined; they come last, by name, as Dovecot puts them."""
    whole: Params = []
    pieces: list[tuple[bytes, int, bool, bytes, bytes]] = []
    for name, value in params:
        match = _PIECE.fullmatch(name)
        if match is None or b"*" not in name:
            whole.append((name, value))
        else:
            pieces.append((match[1], int(match[2] or 0), bool(match[3]), name, value))
    pieces.sort(key=lambda p: (p[0].lower(), p[1]))
    for _, group in groupby(pieces, key=lambda p: p[0].lower()):
        whole += _joined(list(group))
    return whole


def _joined(pieces: list[tuple[bytes, int, bool, bytes, bytes]]) -> Params:
    if [number for _, number, _, _, _ in pieces] != list(range(len(pieces))):
        return [(name, value) for _, _, _, name, value in pieces]
    base = pieces[0][0]
    if not any(extended for _, _, extended, _, _ in pieces):
        return [(base, b"".join(value for *_, value in pieces))]
    # Without a charset in its first piece the value has an empty one; what was not in the extended
    # form has its percent signs written so that they stay what they are.
    values = [b"" if pieces[0][2] else b"''"]
    values += [value if extended else value.replace(b"%", b"%25") for _, _, extended, _, value in pieces]
    return [(base + b"*", b"".join(values))]
