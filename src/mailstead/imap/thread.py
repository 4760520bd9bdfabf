"""THREAD: its algorithms, its search keys and its response (RFC 5256 sections 3 and 4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailstead.imap.search import read_charset, read_keys
from mailstead.imap.searchkeys import Key
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.mail.threadlist import Piece
from mailstead.mail.threads import Algorithm


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


def thread_data(threads: Sequence[Piece], numbers: Sequence[int]) -> Iterator[bytes]:
    """The THREAD response, in pieces; *numbers* by place in the list that was threaded."""
    yield b"* THREAD " if threads else b"* THREAD"
    for piece in threads:
        yield piece.text(numbers)
    yield b"\r\n"
