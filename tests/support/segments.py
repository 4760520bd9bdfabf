"""Segments in memory: written from texts, and asked."""

from collections.abc import Iterable

from mailstead.index.batch import Batch
from mailstead.index.lookup import look_up
from mailstead.index.merge import merge
from mailstead.index.segment import FIELDS, FOOTER_OCTETS, Layout, read_footer, read_index
from mailstead.index.terms import Clue, clues, terms
from mailstead.mail.casemap import fold


def written(texts: dict[int, str], field: str = "b") -> bytes:
    """A segment of documents with such texts."""
    batch = Batch()
    for document, text in sorted(texts.items()):
        batch.add(document, document.to_bytes(16, "big"), {field: terms(fold(text))})
    put: list[bytes] = []
    for _ in batch.write(put.append):
        pass
    return b"".join(put)


def layout(segment: bytes) -> Layout:
    found = read_footer(segment[-FOOTER_OCTETS:], len(segment))
    signatures = segment[found.signatures_at : found.index_at]
    return read_index(found, signatures, segment[found.index_at : -FOOTER_OCTETS])


def documents(segment: bytes, clue: Clue, fields: bytes = FIELDS) -> set[int]:
    """The documents of which a clue is true, by what is read of a segment."""
    looking = look_up(layout(segment), clue, fields)
    try:
        wanted = next(looking)
        while True:
            wanted = looking.send([segment[start:stop] for start, stop in wanted])
    except StopIteration as done:
        return {document for document, there in enumerate(done.value) if there}


def merged(segments: Iterable[bytes], gone: list[set[int]] | None = None) -> bytes:
    """Segments as one, without those of each that are *gone*."""
    some = list(segments)
    put: list[bytes] = []
    work = merge([layout(s) for s in some], list(gone or [set[int]()] * len(some)), put.append)
    octets = b""
    try:
        wanted = next(work)
        while True:
            octets = b"" if wanted is None else some[wanted.which][wanted.start : wanted.stop]
            wanted = work.send(octets)
    except StopIteration:
        return b"".join(put)


def possible(segment: bytes, string: str) -> tuple[set[int] | None, bool]:
    """What a segment says of a string: the documents that may have it, None for any; and whether it is sure."""
    found = clues(fold(string))
    some = [documents(segment, clue) for clue in found.all_of]
    return (set[int].intersection(*some) if some else None), found.sure
