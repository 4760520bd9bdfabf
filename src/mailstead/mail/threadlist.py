"""Threads as RFC 5256 section 4 writes them, but for the numbers, which a session puts in."""

from array import array
from collections.abc import Generator, Sequence
from typing import NamedTuple

from mailstead.mail.threads import STEP, Forest

_CLOSE = -1


class Piece(NamedTuple):
    """Some threads, or the beginning, middle or end of one.

    Args:
        shape: What is written, with an "n" for each message.
        places: Of these messages, in the list of posts.
    """

    shape: bytes
    places: "array[int]"

    def text(self, numbers: Sequence[int]) -> bytes:
        """What is written, of messages with these *numbers*, by place."""
        return self.shape.replace(b"n", b"%d") % tuple(map(numbers.__getitem__, self.places))


def thread_list(forest: Forest, count: int) -> Generator[None, None, list[Piece]]:
    """The threads of *count* messages, in pieces of some thousand; without recursion.

    thread-list    = "(" (thread-members / thread-nested) ")"
    thread-members = nz-number *(SP nz-number) [SP thread-nested]
    thread-nested  = 2*thread-list
    """
    pieces: list[Piece] = []
    shape: list[bytes] = []
    places = array("I")
    waiting = forest.tops[::-1]
    while waiting:
        node = waiting.pop()
        if node == _CLOSE:
            shape.append(b")")
            continue
        shape.append(b"(")
        while node != _CLOSE:
            below = forest.children.get(node, ())
            if node < count:
                places.append(node)
                shape.append(b"n " if below else b"n")
            if len(below) == 1:  # a reply to it stands behind it
                node = below[0]
            else:
                waiting.append(_CLOSE)
                waiting.extend(below[::-1])
                node = _CLOSE
            if len(places) == STEP:
                pieces.append(Piece(b"".join(shape), places))
                shape, places = [], array("I")
                yield
    if shape:
        pieces.append(Piece(b"".join(shape), places))
    return pieces
