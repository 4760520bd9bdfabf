"""Fuzzy matching (RFC 6203): the words of a key, wherever they stand, and how much a text is about them.

A word is found where a word of a text begins with it; neither case counts nor marks, and "ß" is "ss".
In the fields of a header one letter of a longer word may be wrong, too. In scripts that put no space
between words, a word is found anywhere.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from mailstead.mail.casemap import fold
from mailstead.mail.encodedwords import text
from mailstead.mail.header import fields

WHOLE, BEGUN, NEARLY = 1.0, 0.6, 0.1  # how much it is worth that a text has a word, or one that begins so
SUBJECT, ADDRESS, BODY, OTHER = 1.0, 0.8, 0.7, 0.3  # and that it stands there, where it may stand anywhere
COUNTED = 9  # of a word in one text: more of it says no more
TYPO_LETTERS = 4  # of a word in which one may be wrong
TYPO_WORDS = 200  # of a field that are looked at for it
HELD = 100  # characters of a word that goes on in the next piece

# What stands between words, in the form that `casemap.fold` makes.
GAPS = "\\x00-/:-@\\[-`{-\xbf\xd7\xf7\u2000-\u206f\u2190-\u2bff\u3000-\u303f\u30fb\ufffd"
_GAP = re.compile(f"[{GAPS}]")
_ASCII = {n: chr(n).lower() if chr(n).isalnum() else " " for n in range(128)}
# Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic; others change what a letter is.
_MARK = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff]+"
)
# Thai, Lao, Burmese, Khmer, kana and Han.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
_ADDRESSES = frozenset((b"bcc", b"cc", b"from", b"reply-to", b"sender", b"to"))

Values = dict[str, float]  # of words that were found: more than 0, and 1 at most


def loose(folded: str) -> str:
    """The form in which words are compared, of what `casemap.fold` made; between them are spaces."""
    if folded.isascii():
        return folded.translate(_ASCII)
    return _GAP.sub(" ", _MARK.sub("", folded.casefold()))


def words(key: str) -> tuple[str, ...]:
    """The words of a key, each once; none of one that has only signs."""
    return tuple(dict.fromkeys(loose(fold(key)).split()))


def weight(name: bytes) -> float:
    """What it is worth that a word stands in the field called *name*, where it may stand anywhere."""
    return SUBJECT if name == b"subject" else ADDRESS if name in _ADDRESSES else OTHER


def in_fields(header: bytes, wanted: Iterable[str], weigh: Callable[[bytes], float]) -> Values:
    """What the fields of a header block have of the words *wanted*.

    Args:
        weigh: What a field of that name (lower case) is worth; where that is 0 it is not read.
    """
    values: Values = {}
    for name, octets in fields(header):
        worth = weigh(name)
        if not worth:
            continue
        value, missing = loose(fold(text(octets))), list[str]()
        apart = _apart(value)
        for word in wanted:
            whole, begun = _occurrences(apart, word)
            if whole or begun:
                share = min(1.0, (whole + begun) * len(word) / len(value))
                found = worth * (WHOLE if whole else BEGUN) * (1 + share) / 2
                values[word] = max(values.get(word, 0.0), found)
            elif worth > OTHER and len(word) >= TYPO_LETTERS and word.isalpha():
                missing.append(word)
        for word in _nearly(value, missing) if missing else ():
            values[word] = max(values.get(word, 0.0), worth * NEARLY / 2)
    return values


def _apart(value: str) -> str:
    """A text, in the form of `loose`, in which every word has spaces of its own around it."""
    return f" {value} ".replace(" ", "  ")


def _occurrences(apart: str, word: str) -> tuple[int, int]:
    """How often a text has a word whole, and words that begin with it: COUNTED at most."""
    if word not in apart:
        return 0, 0
    if _UNSPACED.search(word):
        return min(COUNTED, apart.count(word)), 0
    whole = apart.count(f" {word} ")
    return min(COUNTED, whole), min(COUNTED, apart.count(f" {word}")) - min(COUNTED, whole)


def _nearly(value: str, missing: Iterable[str]) -> Iterator[str]:
    """Those words of which the first words of a field have one with the same first letter that is one off."""
    others: dict[str, list[str]] = {}
    for other in value.split(maxsplit=TYPO_WORDS)[:TYPO_WORDS]:
        others.setdefault(other[0], []).append(other)
    for word in missing:
        if any(one_off(word, near) for near in others.get(word[0], ())):
            yield word


def one_off(word: str, other: str) -> bool:
    """Whether a letter too many, too few, or another, or two in the wrong order, makes one of the other."""
    if abs(len(word) - len(other)) > 1:
        return False
    at, least = 0, min(len(word), len(other))
    while at < least and word[at] == other[at]:
        at += 1
    if len(word) != len(other):
        return word[at:] == other[at + 1 :] or word[at + 1 :] == other[at:]
    swapped = word[at : at + 2] == other[at : at + 2][::-1] and word[at + 2 :] == other[at + 2 :]
    return swapped or word[at + 1 :] == other[at + 1 :]


class Counter:
    """How often the texts of a body, which come in pieces, have some words."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._counts: dict[str, tuple[int, int]] = dict.fromkeys(wanted, (0, 0))
        self._held = ""

    def push(self, folded: str, *, first: bool) -> Iterator[int]:
        """Count in a piece, a word at a time; how many characters each was about.

        Args:
            first: A text begins with the piece.
        """
        if first:
            yield from self._count(self._held)
            self._held = ""
        value = self._held + loose(folded)
        gap = value.rfind(" ")
        # The last word may go on; of what is longer than any word nothing is held.
        end = len(value) if len(value) - gap > HELD else gap + 1
        self._held = value[end:]
        yield from self._count(value[:end])

    def values(self) -> Values:
        """What the body has of the words; nothing is pushed any more."""
        for _ in self._count(self._held):
            pass
        self._held = ""
        return {
            word: (WHOLE if whole else BEGUN) * (1 - 1 / (1 + min(COUNTED, whole + begun)))
            for word, (whole, begun) in self._counts.items()
            if whole or begun
        }

    def _count(self, value: str) -> Iterator[int]:
        apart = _apart(value)
        for word, (whole, begun) in self._counts.items() if value else ():
            more = _occurrences(apart, word)
            self._counts[word] = whole + more[0], begun + more[1]
            yield len(value)


def best(one: Mapping[str, float], other: Mapping[str, float], worth: float = 1.0) -> Values:
    """Of each word the higher value; that of *other* times *worth*."""
    values = dict(one)
    for word, value in other.items():
        values[word] = max(values.get(word, 0.0), value * worth)
    return values


def relevancy(score: float) -> int:
    """A mean of values as a relevancy score: 1 to 100 (RFC 6203 section 4)."""
    return max(1, min(100, round(100 * score)))
