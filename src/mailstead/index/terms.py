"""The terms of a text: what the index knows of it, and what a string that is looked for says of them.

A text is taken in the form that `casemap.fold` makes. Between its terms are gaps: signs and spaces. A run
of letters, digits and marks is a term; so is, of scripts that put no space between words, each pair of
characters. A string is in a text exactly when the runs that it is made of are in runs of the text, side
by side; that they are side by side is what the index does not know.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from mailstead.mail.casemap import fold
from mailstead.mail.fuzzy import GAPS, UNSPACED, loose

WINDOW = 40  # characters of a term: of a longer run each stretch of that length is one, STEP apart
STEP = 20
SURE = WINDOW - STEP + 1  # characters of a string that some stretch has whole

_ASCII_RUN = re.compile("[0-9A-Z]+")
_RUN = re.compile(f"[{UNSPACED}]+|[^{GAPS}{UNSPACED}]+")
LAST_RUN = re.compile(f"[^{GAPS}]+\\Z")  # what may go on behind the end of a text
_FIRST_UNSPACED = re.compile(f"[{UNSPACED}]")


def terms(folded: str) -> set[str]:
    """The terms of a folded text."""
    if folded.isascii():
        found = set(_ASCII_RUN.findall(folded))
    else:
        runs = set(_RUN.findall(folded))
        unspaced = {run for run in runs if _FIRST_UNSPACED.match(run)}
        found = runs - unspaced
        for run in unspaced:
            found.update(_pairs(run))
    for run in [run for run in found if len(run) > WINDOW]:
        found.discard(run)
        found.update(_stretches(run))
    return found


def _pairs(run: str) -> Iterator[str]:
    """Each two characters side by side, and the last one alone, so that each is the first of a term."""
    for at in range(len(run) - 1):
        yield run[at : at + 2]
    yield run[-1]


def _stretches(run: str) -> Iterator[str]:
    at = 0
    while True:
        yield run[at : at + WINDOW]
        if at + WINDOW >= len(run):
            return
        at += STEP


def unspaced(text: str) -> bool:
    """Whether some of it is of a script that puts no space between words."""
    return _FIRST_UNSPACED.search(text) is not None


def loose_term(term: str) -> str | None:
    """The form of a term in which marks do not count and "ß" is "ss"; None when it is no other."""
    if term.isascii():
        return None
    found = loose(term)
    return None if fold(found) == term or " " in found or not found else found


class Place(Enum):
    """Where in a term a string stands."""

    WHOLE = auto()
    BEGINS = auto()
    ENDS = auto()
    ANYWHERE = auto()
    NEARLY = auto()  # all of it, but one letter is wrong, and not the first


@dataclass(frozen=True, slots=True)
class Clue:
    """A term has *text* in this *place*."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Clues:
    """What is true of every text that has a string.

    Args:
        all_of: Clues to terms which such a text has, all of them; none of a string of signs alone.
        sure: A text of which they are true has the string.
    """

    all_of: tuple[Clue, ...]
    sure: bool


def clues(folded: str) -> Clues:
    """The clues to a folded string."""
    found: list[Clue] = []
    runs = list(_RUN.finditer(folded))
    for run in runs:
        # Where the string ends, a run of the text may go on; between two runs of it there is none of a text.
        opens, goes_on = run.start() == 0, run.end() == len(folded)
        if _FIRST_UNSPACED.match(run[0]):
            found += _unspaced(run[0], goes_on=goes_on)
        else:
            found += _spaced(run[0], opens=opens, goes_on=goes_on)
    sure = len(runs) == 1 and runs[0][0] == folded
    most = 2 if _FIRST_UNSPACED.match(folded) else SURE
    return Clues(tuple(dict.fromkeys(found)), sure and len(folded) <= most)


def _unspaced(text: str, *, goes_on: bool) -> Iterator[Clue]:
    if len(text) == 1:
        yield Clue(text, Place.BEGINS)
        return
    for at in range(len(text) - 1):
        yield Clue(text[at : at + 2], Place.WHOLE)
    if not goes_on:
        yield Clue(text[-1], Place.WHOLE)


def _spaced(text: str, *, opens: bool, goes_on: bool) -> Iterator[Clue]:
    if opens and goes_on:
        for at in range(0, max(1, len(text) - SURE + 1), SURE):
            yield Clue(text[at : at + SURE], Place.ANYWHERE)
    elif opens:
        yield Clue(text[-SURE:], Place.ENDS)
    elif goes_on:
        yield Clue(text[:WINDOW], Place.BEGINS)
    else:
        yield Clue(text[:WINDOW], Place.WHOLE if len(text) <= WINDOW else Place.BEGINS)
