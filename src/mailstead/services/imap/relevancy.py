"""Fuzzy search keys against one message, and how relevant it is to a search (RFC 6203 sections 3 and 4)."""

from collections.abc import Callable, Mapping
from typing import Protocol

from mailstead.imap.searchkeys import And, BodyHas, HeaderHas, Key, Not, Or, TextHas
from mailstead.mail.fuzzy import BODY, Values, best, in_fields, relevancy, weight
from mailstead.mail.searching import InBody

TextKey = HeaderHas | BodyHas | TextHas


class Opened(Protocol):
    """A message, as far as it has been opened.

    Args:
        scores: Of the fuzzy keys that it matches, more than 0 and 1 at most.
    """

    found: InBody | None
    scores: dict[TextKey, float]

    @property
    def header(self) -> bytes | None:
        """The header block, or None while it is not here."""
        ...


def fuzzy_test(key: TextKey) -> Callable[[Opened], bool | None]:
    """What tells whether a message has all words of *key*, and keeps their mean as its score."""

    def settled(message: Opened, values: Mapping[str, float]) -> bool:
        if len(values) < len(key.words):
            return False
        message.scores[key] = sum(values.values()) / len(key.words)
        return True

    match key:
        case HeaderHas():

            def field_has(message: Opened) -> bool | None:
                if message.header is None:
                    return None
                weigh = {key.name: 1.0}
                return settled(message, in_fields(message.header, key.words, lambda n: weigh.get(n, 0.0)))

            return field_has
        case BodyHas():

            def body_has(message: Opened) -> bool | None:
                return None if message.found is None else settled(message, _of(key, message.found))

            return body_has
        case TextHas():

            def text_has(message: Opened) -> bool | None:
                header, found = message.header, message.found
                values = {} if header is None else in_fields(header, key.words, weight)
                if found is None:
                    return settled(message, values) or None
                return settled(message, best(values, _of(key, found), BODY))

            return text_has


def _of(key: TextKey, found: InBody) -> Values:
    return {word: found.words[word] for word in key.words if word in found.words}


def score(key: Key, message: Opened) -> int:
    """The relevancy of a message that matches: of all keys the mean, of several that would do the best.

    Keys that are not fuzzy, or have no words, say nothing. Where that leaves nothing it is 100 if there are
    no words to look for at all, and else 1.
    """
    found = _score(key, message)
    if found is None:
        return relevancy(0.0 if has_words(key) else 1.0)
    return relevancy(found)


def has_words(key: Key) -> bool:
    """Whether there is any fuzzy key with words; the reader has capped how deep keys are."""
    match key:
        case Not():
            return has_words(key.key)
        case And() | Or():
            return any(map(has_words, key.keys))
        case HeaderHas() | BodyHas() | TextHas():
            return bool(key.words)
        case _:
            return False


def _score(key: Key, message: Opened) -> float | None:
    match key:
        case And() | Or():
            scores = [found for inner in key.keys if (found := _score(inner, message)) is not None]
            if not scores:
                return None
            return max(scores) if isinstance(key, Or) else sum(scores) / len(scores)
        case HeaderHas() | BodyHas() | TextHas():
            return message.scores.get(key)
        case _:
            return None
