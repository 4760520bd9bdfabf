"""A message as the lines of a response: dots stuffed, cut behind some lines (RFC 1939 sections 3 and 7)."""


class Stuffer:
    """Doubles the dot that begins a line, piece by piece."""

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two octets so far

    def push(self, octets: bytes) -> bytes:
        """The next octets, stuffed."""
        if not octets:
            return b""
        joined = self._tail + octets
        self._tail, before = joined[-2:], len(self._tail)
        return joined.replace(b"\r\n.", b"\r\n..")[before:]

    def end(self) -> bytes:
        """What ends the response: the message's last line ends too."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"


class TopCutter:
    """Takes a message piece by piece, and lets through its header, the empty line, and some lines more."""

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._tail = b"\r\n"
        self._in_header = True
        self.done = False

    def push(self, octets: bytes) -> bytes:
        """What of the next octets belongs to it."""
        joined, before = self._tail + octets, len(self._tail)
        at = before
        if self._in_header:
            end = joined.find(b"\r\n\r\n")
            if end < 0:
                self._tail = joined[-3:]
                return octets
            self._in_header, at = False, end + 4
            self.done = self._left == 0
        elif self._tail[-1:] == b"\r" and joined[before : before + 1] == b"\n":
            at = before - 1  # a line end across two pieces
        while self._left:
            end = joined.find(b"\r\n", at)
            if end < 0:
                self._tail = joined[-3:]
                return octets
            at, self._left = end + 2, self._left - 1
        self.done = True
        return joined[before:at]
