"""Documents on their way into a segment."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from mailstead.index.segment import key_of
from mailstead.index.terms import loose_term
from mailstead.index.writing import Writer

AT_ONCE = 1000  # keys that are written before others get their turn


class Batch:
    """What some documents have, by term; they come in the order of their numbers."""

    def __init__(self) -> None:
        self._documents: list[tuple[int, bytes]] = []
        self._tables: dict[str, defaultdict[str, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._documents)

    @property
    def documents(self) -> list[int]:
        """Their lower halves, ascending."""
        return [document for document, _ in self._documents]

    def add(self, document: int, object_id: bytes, terms: Mapping[str, Iterable[str]]) -> None:
        """Add a document.

        Args:
            document: The lower half of its number.
            terms: By field.
        """
        self._documents.append((document, object_id))
        for field, some in terms.items():
            table = self._tables.get(field)
            if table is None:
                table = self._tables[field] = defaultdict(list)
            for term in some:
                table[term].append(document)

    def write(self, put: Callable[[bytes], None]) -> Iterator[None]:
        """Write the segment in steps, with a turn for others between two.

        Args:
            put: Gets it, some octets at a time.
        """
        keys: list[tuple[bytes, list[int]]] = []
        for field, table in self._tables.items():
            for at, (term, documents) in enumerate(table.items()):
                keys.append((key_of(term, field), documents))
                if at % AT_ONCE == AT_ONCE - 1:
                    yield
        yield from self._add_loose(keys)
        keys.sort(key=lambda found: found[0])
        yield
        writer = Writer(self._documents, put)
        for at, (key, documents) in enumerate(keys):
            writer.add(key, array("H", documents))
            if at % AT_ONCE == AT_ONCE - 1:
                yield
        writer.finish()

    def _add_loose(self, keys: list[tuple[bytes, list[int]]]) -> Iterator[None]:
        """Add those terms that are others when marks do not count, each under all of its forms."""
        for field, table in self._tables.items():
            found: defaultdict[str, set[int]] = defaultdict(set)
            for at, (term, documents) in enumerate(table.items()):
                loose = loose_term(term)
                if loose is not None:
                    found[loose].update(documents)
                if at % AT_ONCE == AT_ONCE - 1:
                    yield
            keys += [(key_of(term, field.upper()), sorted(documents)) for term, documents in found.items()]
