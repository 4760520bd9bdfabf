"""THREAD: its algorithms, its search keys and its response, without recursion (RFC 5256 sections 3 and 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mailstead.imap.search import read_charset, read_keys
from mailstead.imap.searchkeys import Key
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.threads import Forest


class Algorithm(Enum):
    """How messages are put into threads."""

    ORDEREDSUBJECT = b"ORDEREDSUBJECT"
    REFERENCES = b"REFERENCES"


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD, or UID THREAD."""

    algorithm: Algorithm
    key: Key
    uid: bool = False


def read_thread(tokens: Tokens, *, uid: bool) -> Thread:
    """THREAD SP thread-alg SP charset 1*(SP search-key)."""
    tokens.space()
    try:
        algorithm = Algorithm(tokens.word())
    except ValueError as error:
        raise BadSyntax("Unknown threading algorithm") from error
    tokens.space()
    charset = read_charset(tokens)
    tokens.space()
    return Thread(algorithm, read_keys(tokens, charset), uid)


def thread_data(forest: Forest, numbers: Sequence[int]) -> bytes:
    """The THREAD response; *numbers* by place in the list that was threaded.

    thread-list    = "(" (thread-members / thread-nested) ")"
    thread-members = nz-number *(SP nz-number) [SP thread-nested]
    thread-nested  = 2*thread-list
    """
    shown: list[bytes] = [b"* THREAD "] if forest.tops else [b"* THREAD"]
    waiting = forest.tops[::-1]
    while waiting:
        node = waiting.pop()
        if node == _CLOSE:
            shown.append(b")")
            continue
        shown.append(b"(")
        while node != _CLOSE:
            if node < len(numbers):
                shown.append(b"%d" % numbers[node])
            below = forest.children.get(node, ())
            if below and node < len(numbers):
                shown.append(b" ")
            if len(below) == 1:  # a reply to it stands behind it
                node = below[0]
            else:
                waiting.append(_CLOSE)
                waiting.extend(below[::-1])
                node = _CLOSE
    shown.append(b"\r\n")
    return b"".join(shown)


_CLOSE = -1
