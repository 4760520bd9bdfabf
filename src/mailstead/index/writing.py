"""Writing a segment: postings as keys come, then the dictionary and what finds its way in it."""

from array import array
from collections.abc import Callable

import zstandard

from mailstead.index.segment import (
    BITMAP,
    BLOCK,
    BLOCK_HEAD,
    COUNT,
    FOOTER,
    INLINE,
    LEVEL,
    MAGIC,
    OFFSET,
    SIGNATURE,
    signature,
    to_bitmap,
)

_PACK = zstandard.ZstdCompressor(level=LEVEL)


class Writer:
    """Writes a segment: postings and dictionary as keys come, in their order, then all the rest.

    Args:
        documents: Lower halves, ascending, and the object id of each; at least one.
        put: Gets the segment, some octets at a time.
    """

    def __init__(self, documents: list[tuple[int, bytes]], put: Callable[[bytes], None]) -> None:
        self._documents = documents
        self._lo, self._hi = documents[0][0], documents[-1][0]
        self._dense = (self._hi - self._lo >> 4) + 1  # documents from which on a bitmap is shorter
        self._put = put
        self._postings = 0
        self._terms = 0
        self._keys: list[bytes] = []
        self._references = array("I")
        self._size = 0
        self._block_postings = 0
        self._blocks: list[bytes] = []
        self._signatures: list[bytes] = []
        self._index: list[bytes] = []
        self.octets = 0

    def add(self, key: bytes, documents: "array[int]") -> None:
        """A key, greater than the one before it, and the documents that have it: ascending, at least one."""
        if len(documents) == 1:
            self._references.append(INLINE | documents[0])
        else:
            dense = len(documents) > self._dense
            octets = to_bitmap(documents, self._lo, self._hi) if dense else documents.tobytes()
            self._write(octets)
            self._postings += len(octets)
            if self._postings > OFFSET:
                raise ValueError("a segment has too many postings")
            self._references.append(self._postings | (BITMAP if dense else 0))
        self._keys.append(key)
        self._size += len(key) + 5
        if self._size >= BLOCK:
            self._end_block()

    def _write(self, octets: bytes) -> None:
        self.octets += len(octets)
        self._put(octets)

    def _end_block(self) -> None:
        if not self._keys:
            return
        keys = b"\n" + b"\n".join(self._keys) + b"\n"
        packed = _PACK.compress(COUNT.pack(len(self._keys)) + self._references.tobytes() + keys)
        first = self._keys[0]
        head = BLOCK_HEAD.pack(len(packed), self._block_postings, len(first))
        self._signatures.append(signature(keys).to_bytes(SIGNATURE, "little"))
        self._blocks.append(packed)
        self._index.append(head + first)
        self._terms += len(self._keys)
        self._keys, self._references, self._size = [], array("I"), 0
        self._block_postings = self._postings

    def finish(self) -> None:
        """Write what is left."""
        self._end_block()
        blocks_at = self.octets
        for block in self._blocks:
            self._write(block)
        documents_at = self.octets
        self._write(array("H", [document for document, _ in self._documents]).tobytes())
        self._write(b"".join(name for _, name in self._documents))
        signatures_at = self.octets
        self._write(b"".join(self._signatures))
        index_at = self.octets
        self._write(_PACK.compress(b"".join(self._index)))
        self._write(
            FOOTER.pack(
                MAGIC,
                self._terms,
                blocks_at,
                documents_at,
                signatures_at,
                index_at,
                self._lo,
                self._hi,
                len(self._documents),
            )
        )
