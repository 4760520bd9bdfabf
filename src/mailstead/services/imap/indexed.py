"""What the search index says to a SEARCH: which messages match, and which must be looked at all the same."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailstead.accounts.searchindex import Hits, Question, Where
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.imap.searchkeys import And, BodyHas, Everything, HeaderHas, Key, Not, Or, TextHas
from mailstead.imap.view import MailboxView
from mailstead.index.document import FIELD_OF, OTHER
from mailstead.index.segment import FIELDS
from mailstead.index.terms import Clue, Place, clues, unspaced
from mailstead.mail.casemap import fold
from mailstead.mail.fuzzy import TYPO_LETTERS
from mailstead.mail.searching import is_searched
from mailstead.mail.uidset import UidSet
from mailstead.services.imap.relevancy import TextKey
from mailstead.services.imap.selected import Numbered

_ALONE = b"cfst"  # fields of the index that hold one field of a header each


def text_keys(key: Key) -> Iterator[TextKey]:
    """The keys in *key* that ask for text; the reader has capped how deep it is."""
    match key:
        case Not():
            yield from text_keys(key.key)
        case And() | Or():
            for inner in key.keys:
                yield from text_keys(inner)
        case HeaderHas() | BodyHas() | TextHas():
            yield key
        case _:
            pass


async def hits_of(account: UnlockedAccount, mailbox_id: bytes, key: Key) -> dict[TextKey, Hits]:
    """What the index of an account knows of the keys in *key* that ask for text; nothing if it knows none."""
    asked = {k: question for k in text_keys(key) if (question := question_of(k)) is not None}
    found = await account.look_up(mailbox_id, asked.values()) if asked else None
    return {} if found is None else {k: found[question] for k, question in asked.items()}


def question_of(key: TextKey) -> Question | None:
    """What the index can be asked about a key; None when it knows nothing of that."""
    match key:
        case HeaderHas():
            if not is_searched(key.name):
                return None
            field = FIELD_OF.get(key.name, OTHER).encode()
            named = field not in _ALONE or not key.text
            return _question(key, field, _of_name(key.name) if named else ())
        case BodyHas():
            return _question(key, b"b")
        case TextHas():
            return _question(key, FIELDS)


def _question(key: TextKey, fields: bytes, besides: tuple[Clue, ...] = ()) -> Question | None:
    groups: list[tuple[Where, ...]] = [((clue, OTHER.encode()),) for clue in besides]
    if key.words:
        near = not isinstance(key, BodyHas)
        groups += [tuple(_loosely(word, fields, near=near)) for word in key.words]
        return Question(tuple(groups), sure=False)
    found = clues(fold(key.text))
    groups += [((clue, fields),) for clue in found.all_of]
    return Question(tuple(groups), found.sure and not besides) if groups else None


def _of_name(name: bytes) -> tuple[Clue, ...]:
    return clues(f" {fold(name.decode())} ").all_of


def _loosely(word: str, fields: bytes, *, near: bool) -> Iterator[tuple[Clue, bytes]]:
    """The clues of which one is true where a word is found in a fuzzy way (`mail.fuzzy`)."""
    loose = fields.upper()
    if unspaced(word):
        yield from ((clue, where) for where in (fields, loose) for clue in clues(fold(word)).all_of[:1])
        return
    places = [Place.BEGINS]
    if near and len(word) >= TYPO_LETTERS and word.isalpha():
        places.append(Place.NEARLY)
    for place in places:
        yield Clue(fold(word), place), fields
        yield Clue(word, place), loose


class Narrowed(NamedTuple):
    """What is left of a search.

    Args:
        sure: Messages that match.
        perhaps: Those that must be looked at; of all others none does.
    """

    sure: list[Numbered]
    perhaps: list[Numbered]


class Narrowing:
    """Narrows one search down to few messages of a view.

    Args:
        hits: What the index has found, by key; of all of them the same messages are known.
        scored: How relevant they are is asked for, which only looking at them tells.
    """

    def __init__(self, view: MailboxView, hits: Mapping[TextKey, Hits], *, scored: bool) -> None:
        self._view = view
        self._hits = hits
        self._scored = scored
        self._known: UidSet = next(iter(hits.values())).known
        self._everything: frozenset[int] | None = None

    def narrow(self, key: Key) -> Narrowed:
        """Which messages match, and which must be looked at."""
        sure, perhaps = self._eval(key)
        if self._scored:
            sure, perhaps = frozenset[int](), sure | perhaps
        looked_at = self._view.numbered(perhaps) + self._view.outside(self._known)
        return Narrowed(self._view.numbered(sure), sorted(looked_at))

    def _eval(self, key: Key) -> tuple[frozenset[int], frozenset[int]]:
        """The messages that match, and those of which that is open, among the ones that are known."""
        match key:
            case Not():
                sure, perhaps = self._eval(key.key)
                return self._all() - sure - perhaps, perhaps
            case And():
                found = [self._eval(k) for k in sorted(key.keys, key=lambda k: k not in self._hits)]
                sure, possible = found[0][0], found[0][0] | found[0][1]
                for one, other in found[1:]:
                    sure, possible = sure & one, possible & (one | other)
                return sure, possible - sure
            case Or():
                either = [self._eval(k) for k in key.keys]
                sure = frozenset[int]().union(*(one for one, _ in either))
                return sure, frozenset[int]().union(*(other for _, other in either)) - sure
            case HeaderHas() | BodyHas() | TextHas() if key in self._hits:
                hits = self._hits[key]
                return (hits.uids, frozenset()) if hits.sure else (frozenset(), hits.uids)
            case Everything():
                return self._all(), frozenset()
            case _:
                return frozenset(), self._all()

    def _all(self) -> frozenset[int]:
        if self._everything is None:
            self._everything = frozenset(self._view.uids(self._known))
        return self._everything
