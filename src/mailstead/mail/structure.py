"""The MIME structure of a message as offsets, found while its octets are pushed by.

The scanner keeps header blocks and a few octets for the preview, never a body. It searches for
lines that begin with "--" and looks at no others, so its cost is that of a search. Whatever comes,
it gives a structure: what is too deep, or too much, stays an opaque leaf (RFC 2046 section 5.1).
"""

import re
from dataclasses import dataclass

from mailstead.mail.part import Part, Structure, read_header

DEPTH_CAP = 100
PARTS_CAP = 10_000
HEADER_CAP = 256 << 10  # octets of a header block that are kept
BOUNDARY_CAP = 80  # more than RFC 2046 allows; what is longer is cut, as Dovecot does
PREVIEW_OCTETS = 4096

_END_OF_HEADER = re.compile(rb"\n(?:\r?\n|--)")
_DELIMITER = b"\n--"
_LINE_CAP = 1064  # a longer line is no delimiter: none has more than 1000 octets (RFC 5322 section 2.1.1)
_PIECE = 4 << 10  # octets that are looked at together: what is left of them is moved at every part


@dataclass(slots=True)
class _Open:
    part: Part
    boundary: bytes | None
    digest: bool = False
    lines_before: int = 0


class Scanner:
    """Takes a message's octets in pieces of any size; `finish` gives its structure."""

    def __init__(self) -> None:
        # A line end is imagined before the first octet, so that every line begins behind one.
        self._buffer = b"\n"
        self._base = -1
        self._lines = -1
        self._root = Part(0)
        self._stack: list[_Open] = [_Open(self._root, None)]
        self._boundaries: dict[bytes, list[int]] = {}
        self._delimiter = _DELIMITER
        self._in_header = True
        self._line_end = 0  # octets of the last header's line end; 0 behind a delimiter
        self._header: list[bytes] = []
        self._header_octets = 0
        self._root_header = b""
        self._root_header_octets = 0
        self._parts = 1
        self._received = 0
        self._captures: dict[bytes, tuple[Part, bytearray]] = {}
        self._capturing: bytearray | None = None

    def push(self, octets: bytes) -> None:
        """Take the next octets."""
        # What is dealt with is cut off the buffer's front: with many parts in a large one, for ever.
        for at in range(0, len(octets), _PIECE):
            self._buffer += octets[at : at + _PIECE]
            self._scan(final=False)

    def finish(self) -> Structure:
        """There are no more octets."""
        self._scan(final=True)
        while self._in_header:  # a message that ends in a header, and maybe in that of its only part
            self._end_header(len(self._buffer))
        self._consume(len(self._buffer))
        end = self._base + len(self._buffer)
        while self._stack:
            self._close_part(end, end)
        found = {kind: (part, bytes(octets)) for kind, (part, octets) in self._captures.items()}
        return Structure(
            self._root, end, self._root_header, self._root_header_octets, self._received,
            found.get(b"plain"), found.get(b"html"),
        )  # fmt: skip

    # Positions in the buffer below are local; `_base` is the offset of the buffer's first octet.
    # Whatever lies before the position that `_consume` was last given is dealt with and dropped.

    def _scan(self, *, final: bool) -> None:
        at = 0
        while True:
            at = self._header_step(at, final=final) if self._in_header else self._body_step(at, final=final)
            if at < 0:
                return

    def _header_step(self, at: int, *, final: bool) -> int:
        mark = _END_OF_HEADER.search(self._buffer, at)
        if mark is None:
            if not final and len(self._buffer) > 4:
                self._keep_header(len(self._buffer) - 3)
            return -1
        if mark[0] != _DELIMITER:
            self._end_header(mark.end())
            return 0
        line = self._line(mark.start(), final=final)
        if line is None:
            self._keep_header(max(0, mark.start() - 1))
            return -1
        boundary = self._boundary_of(line)
        if boundary is None:
            return mark.start() + 1
        self._end_header(mark.start() + 1)  # a header that a delimiter cuts off
        if not self._in_header:
            self._delimit(0, line, boundary)  # of one that was open already: this header names another
        return 0

    def _body_step(self, at: int, *, final: bool) -> int:
        if not self._boundaries:
            self._consume(len(self._buffer))
            return -1
        wanted = self._delimiter
        hit = self._buffer.find(wanted, at)
        if hit < 0:
            # The last octets may be the beginning of it, and one before them its CR.
            self._consume(max(0, len(self._buffer) - len(wanted)))
            return -1
        line = self._line(hit, final=final)
        if line is None:
            self._consume(max(0, hit - 1))
            return -1
        boundary = self._boundary_of(line)
        if boundary is None:
            return hit + 1
        self._delimit(hit, line, boundary)
        return 0

    def _line(self, start: int, *, final: bool) -> bytes | None:
        """The line behind the line end at *start*; None when more octets are needed to know it."""
        end = self._buffer.find(b"\n", start + 1, start + 1 + _LINE_CAP)
        if end >= 0:
            return self._buffer[start + 1 : end]
        if final or len(self._buffer) - start > _LINE_CAP:
            return self._buffer[start + 1 : start + 1 + _LINE_CAP]
        return None

    def _boundary_of(self, line: bytes) -> bytes | None:
        """The boundary that *line* is a delimiter of, or None.

        It is enough that the line begins with it (RFC 2046 section 5.1.1, note to implementors). Of
        several it is the longest, unless an inner one is all there is on the line.
        """
        if len(line) >= _LINE_CAP:
            return None
        name = line[2:]
        whole = name.rstrip(b"\r")
        best = b""
        for boundary in reversed(self._boundaries):
            if len(boundary) > len(best) and name.startswith(boundary):
                best = boundary
                if whole in (best, best + b"--"):
                    break
        return best or None

    def _delimit(self, hit: int, line: bytes, boundary: bytes) -> None:
        """The line end at *hit* belongs to a delimiter: parts end here, one may begin."""
        closing = line.startswith(b"--", 2 + len(boundary))
        depth = self._boundaries[boundary][-1]
        # At the very front it is that of another delimiter, which keeps its own, or of a header, which
        # does not: it is the delimiter's (RFC 2046 section 5.1.1), and only what is around it keeps it.
        before = 1 if not hit else hit - 1 if self._buffer[hit - 1] == 0x0D else hit
        self._consume(before)
        end, empty = self._base, self._base - (0 if hit else self._line_end)
        self._line_end = 0
        while len(self._stack) - 1 > depth:
            self._close_part(end, empty)
        self._consume(hit - before + 1 + len(line))
        multipart = self._stack[-1]
        if closing:
            self._forget(multipart)
            return
        if self._parts >= PARTS_CAP:
            self._boundaries.clear()
            return
        self._parts += 1
        child = Part(self._base + 1)
        if multipart.digest:
            child.media = (b"message", b"rfc822")
        multipart.part.children.append(child)
        self._stack.append(_Open(child, None))
        self._in_header = True

    def _consume(self, stop: int) -> None:
        """Everything before *stop* is body of the innermost open part."""
        if stop <= 0:
            return
        if self._capturing is not None:
            room = PREVIEW_OCTETS - len(self._capturing)
            if room > 0:
                self._capturing += self._buffer[: min(stop, room)]
        self._lines += self._buffer.count(b"\n", 0, stop)
        self._buffer = self._buffer[stop:]
        self._base += stop

    def _keep_header(self, stop: int) -> None:
        if self._header_octets < HEADER_CAP:
            self._header.append(self._buffer[: min(stop, HEADER_CAP - self._header_octets)])
        self._header_octets += stop
        self._lines += self._buffer.count(b"\n", 0, stop)
        self._buffer = self._buffer[stop:]
        self._base += stop

    def _end_header(self, stop: int) -> None:
        """The header block of the innermost part ends before *stop*; look into it."""
        opened = self._stack[-1]
        part = opened.part
        if self._header_octets + stop > 1:  # an enclosed message without a header ends with that of its part
            self._line_end = 2 if self._buffer[stop - 2 : stop] == b"\r\n" else 1
        self._keep_header(stop)
        # The first octet is the line end before the block.
        block = b"".join(self._header)[1:]
        octets = max(0, self._header_octets - 1)
        self._header, self._header_octets = [], 0
        self._in_header = False
        part.body_start = self._base
        part.header_start = min(part.header_start, part.body_start)  # delimiter upon delimiter
        part.header_lines = block.count(b"\n")
        opened.lines_before = self._lines
        own_message = len(self._stack) == 1 or self._stack[-2].part.kind() == b"message"
        read_header(part, block, own_message=own_message)
        if len(self._stack) == 1:
            self._root_header, self._root_header_octets = block, octets
            self._received = len(part.headers.get(b"received", ()))
        self._enter(opened)

    def _enter(self, opened: _Open) -> None:
        """Decide what the body of a part is that has just begun."""
        part = opened.part
        self._capturing = None
        deep = len(self._stack) >= DEPTH_CAP
        if part.kind() == b"multipart" and not deep:
            boundary = part.content_type.param(b"boundary") if part.content_type else None
            boundary = (boundary or b"").rstrip(b" \t")[:BOUNDARY_CAP]
            if boundary and self._parts < PARTS_CAP:
                opened.boundary = boundary
                opened.digest = part.media[1].lower() == b"digest"
                self._boundaries.setdefault(boundary, []).append(len(self._stack) - 1)
                self._seek()
                # The first delimiter may be the very next line: its line end is the header's.
                self._give_back_line_end()
            return
        if (
            part.kind() == b"message"
            and part.media[1].lower() in (b"rfc822", b"global")
            and not deep  # whatever its encoding is said to be: it may have none (RFC 2046 section 5.2.1)
            and self._parts < PARTS_CAP
        ):
            self._parts += 1
            child = Part(self._base)
            part.children.append(child)
            self._stack.append(_Open(child, None))
            self._in_header = True
            self._give_back_line_end()
            return
        if part.kind() == b"text":
            kind = part.media[1].lower()
            if kind in (b"plain", b"html") and kind not in self._captures:
                self._capturing = bytearray()
                self._captures[kind] = (part, self._capturing)
        if self._boundaries:
            self._give_back_line_end()

    def _give_back_line_end(self) -> None:
        """Put the line end before the position back, for what begins behind it to be found."""
        self._buffer = b"\n" + self._buffer
        self._base -= 1
        self._lines -= 1

    def _seek(self) -> None:
        """What a delimiter begins with: a long needle is found faster than a short one."""
        only = next(iter(self._boundaries)) if len(self._boundaries) == 1 else b""
        self._delimiter = _DELIMITER + only

    def _forget(self, opened: _Open) -> None:
        if opened.boundary is not None:
            depths = self._boundaries[opened.boundary]
            depths.pop()
            if not depths:
                del self._boundaries[opened.boundary]
                self._seek()
            opened.boundary = None

    def _close_part(self, end: int, empty: int) -> None:
        """The innermost part ends before *end*, or at *empty* when nothing of its body came."""
        opened = self._stack.pop()
        part = opened.part
        if self._boundaries:
            self._forget(opened)
        if part.body_start == end:
            part.body_start = end = empty
            part.header_start = min(part.header_start, empty)
        part.body_end = max(end, part.body_start)
        part.lines = max(0, self._lines - opened.lines_before)
        self._capturing = None
