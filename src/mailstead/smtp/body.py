"""The octets of a message on the wire: DATA's dots (RFC 5321 section 4.5.2), BDAT's chunks (RFC 3030).

A message ends at CRLF "." CRLF and nowhere else. A bare CR, a bare LF or a NUL is refused the
moment it is seen: whoever takes them for line ends would see another message than we do.
"""

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."


def has_bad_octet(octets: bytes) -> bool:
    """Whether *octets*, which neither begin with LF nor end in CR, have a bare CR or LF, or a NUL."""
    ends = octets.count(b"\r\n")
    return octets.count(b"\n") != ends or octets.count(b"\r") != ends or octets.find(b"\x00") >= 0


class DotReader:
    """Takes the octets that follow 354, in pieces of any size."""

    def __init__(self) -> None:
        # The line end that the DATA command itself ended with makes the first line a line.
        self._waiting = b"\r\n"
        self._skip = 2
        self.bad = False
        self.ended = False

    def take(self, octets: bytes) -> tuple[bytes, bytes]:
        """The content in *octets* with dots unstuffed, and what follows the end of the message.

        Once `bad` is true there is no content any more.
        """
        octets = self._waiting + octets if self._waiting else octets
        # Most messages have one line that begins with a dot, and it is their end.
        dot = octets.find(_STUFFED)
        end = octets.find(_END, dot) if dot >= 0 else -1
        rest = b""
        if end >= 0:
            self.ended = True
            self._waiting, rest = b"", octets[end + len(_END) :]
            content = checked = octets[: end + 2]
        else:
            # What could be the beginning of an end waits: from the first CR of the last four on.
            stop = octets.find(b"\r", max(0, len(octets) - 4))
            stop = stop if stop >= 0 else len(octets)
            self._waiting, content = octets[stop:], octets[:stop]
            checked = octets.removesuffix(b"\r")
        if has_bad_octet(checked):
            self.bad = True
            return b"", b""
        if dot != end and _STUFFED in content:
            content = content.replace(_STUFFED, b"\r\n")
        if self._skip and content:
            content, self._skip = content[self._skip :], 0
        return content, rest


class ChunkReader:
    """Takes the octets of BDAT chunks; a line end may lie across two of them."""

    def __init__(self) -> None:
        self._carriage_return = False
        self.bad = False

    def take(self, octets: bytes, *, last: bool) -> bytes:
        """The content in *octets*; *last* when the message ends with them."""
        checked = b"\r" + octets if self._carriage_return else octets
        self._carriage_return = checked.endswith(b"\r") and not last
        if self._carriage_return:
            checked = checked[:-1]
        self.bad = self.bad or has_bad_octet(checked)
        return b"" if self.bad else octets
