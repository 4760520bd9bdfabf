"""Generators that give others their turn, run to their end."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def finished(steps: Generator[None, None, T]) -> T:
    """What it returns."""
    try:
        while True:
            next(steps)
    except StopIteration as done:
        found: T = done.value
        return found
