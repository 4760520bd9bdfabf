"""How threads are written: the examples of RFC 5256 section 4."""

import pytest

from mailstead.mail.threadlist import thread_list
from mailstead.mail.threads import Forest
from tests.support.steps import finished


@pytest.mark.parametrize(
    ("forest", "numbers", "written"),
    [
        (Forest([], {}), [], b""),
        (
            Forest([0, 1], {1: [2], 2: [3, 5], 3: [4], 5: [6], 6: [7]}),
            [2, 3, 6, 4, 23, 44, 7, 96],
            b"(2)(3 6 (4 23)(44 7 96))",
        ),
        (Forest([2], {2: [0, 1]}), [3, 5], b"((3)(5))"),
        (Forest([9], {9: [0, 2], 0: [1]}), [3, 5, 7], b"((3 5)(7))"),
    ],
)
def test_threads_are_written(forest: Forest, numbers: list[int], written: bytes) -> None:
    pieces = finished(thread_list(forest, len(numbers)))
    assert b"".join([piece.text(numbers) for piece in pieces]) == written
