"""Who mails guesses and watches the disk learns nothing of what is indexed beside them.

An index tells by its length whether a word was new to it: the guess that is right makes it shorter. So
pieces are filled up, and one is made of many messages.
"""

import random

import pytest

from mailstead.accounts.indexpieces import PIECE
from mailstead.index.batch import Batch
from mailstead.index.document import Reading

VICTIM = b"From: bank@b.test\r\nSubject: your code\r\n\r\nYour login code is 482913. Do not tell it.\r\n"
RIGHT = "482913"


def beside(n: int) -> bytes:
    chance = random.Random(n)
    words = " ".join("".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(120))
    return f"From: f{n % 9}@a.test\r\nSubject: about {n}\r\n\r\n{words}\r\n".encode()


def guessing(guess: str, filler: int = 0) -> bytes:
    words = " ".join(f"filler{n}" for n in range(filler))
    return f"From: x@y.test\r\nSubject: hi\r\n\r\ncode {guess} {words}\r\n".encode()


OTHERS = [beside(n) for n in range(150)]


def length(*letters: bytes) -> int:
    """How long the segment of these messages is."""
    batch = Batch()
    for n, octets in enumerate(letters):
        reading = Reading()
        for _ in reading.steps(octets):
            pass
        assert reading.terms is not None
        batch.add(n, bytes(16), reading.terms)
    put: list[bytes] = []
    for _ in batch.write(put.append):
        pass
    return sum(map(len, put))


def pieces(octets: int) -> int:
    return -(-octets // PIECE)


@pytest.fixture(scope="module")
def lengths() -> dict[str, int]:
    wrong = random.Random(1).sample(range(100_000, 1_000_000), 20)
    return {g: length(VICTIM, *OTHERS, guessing(g)) for g in (RIGHT, *map(str, wrong)) if g}


def test_lengths_tell_a_guess_that_is_right(lengths: dict[str, int]) -> None:
    """The control: without pieces of one size it would be told."""
    assert lengths[RIGHT] < min(octets for guess, octets in lengths.items() if guess != RIGHT)


def test_pieces_do_not(lengths: dict[str, int]) -> None:
    assert len({pieces(octets) for octets in lengths.values()}) == 1


def test_nor_when_what_he_mails_is_made_longer_and_longer() -> None:
    told = 0
    for filler in range(0, 60, 5):
        right, wrong = (length(VICTIM, *OTHERS, guessing(g, filler)) for g in (RIGHT, "111119"))
        assert right != wrong
        told += pieces(right) != pieces(wrong)
    assert told == 0
