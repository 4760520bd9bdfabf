"""Looking for plaintext where only ciphertext may be."""

import base64
from collections.abc import Iterator
from pathlib import Path


def search(folder: Path, words: list[bytes]) -> tuple[int, int]:
    """How many files there are below *folder*, and how often one holds one of *words*.

    Every word is looked for as it is, in base64 at its three alignments, and in UTF-16.
    """
    needles = {form for word in words for form in _forms(word)}
    files = hits = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        octets = path.read_bytes()
        files += 1
        hits += sum(needle in octets for needle in needles)
    return files, hits


def _forms(word: bytes) -> Iterator[bytes]:
    yield word
    yield word.lower()
    yield word.decode("latin-1").encode("utf-16-le")
    for shift in range(3):
        # Without the characters that the octets around the word would change.
        coded = base64.b64encode(bytes(shift) + word).rstrip(b"=")
        inner = coded[(shift * 4 + 2) // 3 + (1 if shift else 0) : -1]
        if len(inner) >= 6:
            yield inner
