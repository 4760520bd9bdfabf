"""The pieces of the index's segments: sealed and opened one by one, so that little is read of much.

Each is as long as any other, the last of a segment filled up with zeros: a piece more or less is all
that its size can tell, whatever somebody mailed to find out.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

from mailstead.accounts.indexhead import Segment
from mailstead.accounts.keys import SessionKeys
from mailstead.crypto.primitives import random_octets
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.index.lookup import Stretches
from mailstead.index.segment import FOOTER_OCTETS, Layout, read_footer, read_index
from mailstead.store.database import Database
from mailstead.store.segments import SEGMENT_ID_OCTETS, piece_id, pieces

PIECE = (32 << 10) - 8  # octets; with its length a frame of 32 KiB, which Padme leaves as it is
KEPT = 128  # pieces that are kept opened: 4 MiB
AT_ONCE = 64  # pieces of one read

Wanted = tuple[Segment, Stretches]
NamedPiece = tuple[bytes, SealedRecord]


class PieceWriter:
    """Seals a segment as it is written, piece by piece.

    Attributes:
        ready: Pieces that can be written now.
    """

    def __init__(self, keys: SessionKeys) -> None:
        self.segment_id = random_octets(SEGMENT_ID_OCTETS)
        self.ready: list[NamedPiece] = []
        self.octets = 0
        self._keys = keys
        self._waiting: list[bytes] = []
        self._octets = 0
        self._number = 0

    def put(self, octets: bytes) -> None:
        """Take some more of the segment."""
        self.octets += len(octets)
        self._waiting.append(octets)
        self._octets += len(octets)
        if self._octets >= PIECE:
            whole = b"".join(self._waiting)
            cut = len(whole) - len(whole) % PIECE
            for at in range(0, cut, PIECE):
                self._seal(whole[at : at + PIECE])
            self._waiting, self._octets = [whole[cut:]], len(whole) - cut

    @property
    def pieces(self) -> int:
        """How many pieces there are, when all is sealed."""
        return self._number

    def finish(self) -> None:
        """Seal what is left."""
        if self._octets:
            self._seal(b"".join(self._waiting).ljust(PIECE, b"\0"))
            self._waiting, self._octets = [], 0

    def _seal(self, content: bytes) -> None:
        name = piece_id(self.segment_id, self._number)
        self.ready.append((name, self._keys.seal(Kind.SEGMENT, ZERO_ID, 0, 1, 0, content, name)))
        self._number += 1


class Pieces:
    """Reads segments of one account, and keeps of them what was read last."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._layouts: dict[bytes, Layout] = {}

    def forget_others(self, segments: Iterable[Segment]) -> None:
        """Keep nothing of other segments than these."""
        there = {s.segment_id for s in segments}
        self._layouts = {name: layout for name, layout in self._layouts.items() if name in there}
        for name in [name for name in self._kept if name[:SEGMENT_ID_OCTETS] not in there]:
            del self._kept[name]

    async def layouts(self, segments: Sequence[Segment]) -> list[Layout]:
        """Their layouts, with the blocks.

        Raises:
            UnsealError: a piece is missing, or is not what was written.
            Damaged: what was written is no segment.
        """
        unknown = [s for s in segments if s.segment_id not in self._layouts]
        footers = await self.read([(s, [(s.octets - FOOTER_OCTETS, s.octets)]) for s in unknown])
        found = [read_footer(f[0], s.octets) for f, s in zip(footers, unknown, strict=True)]
        indexes = await self.read(
            [
                (s, [(o.signatures_at, o.index_at), (o.index_at, s.octets - FOOTER_OCTETS)])
                for s, o in zip(unknown, found, strict=True)
            ],
            keep=False,
        )
        for segment, layout, index in zip(unknown, found, indexes, strict=True):
            self._layouts[segment.segment_id] = read_index(layout, *index)
        return [self._layouts[s.segment_id] for s in segments]

    async def read(self, wanted: Sequence[Wanted], *, keep: bool = True) -> list[list[bytes]]:
        """The octets of stretches of segments.

        Args:
            keep: What is read is likely to be read again.

        Raises:
            UnsealError: a piece is missing, or is not what was written.
        """
        names = dict.fromkeys(name for segment, some in wanted for name in _names(segment, some))
        opened = {name: self._kept[name] for name in names if name in self._kept}
        missing = [name for name in names if name not in opened]
        for at in range(0, len(missing), AT_ONCE):
            opened |= await self._open(missing[at : at + AT_ONCE])
        if keep:
            for name in list(names)[:KEPT]:
                self._kept[name] = opened[name]
                self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return [[_joined(segment, opened, *stretch) for stretch in some] for segment, some in wanted]

    async def _open(self, names: list[bytes]) -> dict[bytes, bytes]:
        found = await self._database.read(lambda tx: pieces(tx, self._keys.account_id, names))
        if len(found) != len(names):
            raise UnsealError("a piece of the search index is missing")
        return {
            name: self._keys.open(Kind.SEGMENT, ZERO_ID, 0, 0, record, name) for name, record in found.items()
        }


def _names(segment: Segment, stretches: Stretches) -> Iterator[bytes]:
    for start, stop in stretches:
        if not 0 <= start <= stop <= segment.octets:
            raise UnsealError("a segment of the search index says what it does not have")
        for number in range(start // PIECE, -(-stop // PIECE)):
            yield piece_id(segment.segment_id, number)


def _joined(segment: Segment, opened: dict[bytes, bytes], start: int, stop: int) -> bytes:
    first = start // PIECE
    numbers = range(first, max(first + 1, -(-stop // PIECE))) if stop > start else range(0)
    octets = b"".join(opened[piece_id(segment.segment_id, n)] for n in numbers)
    return octets[start - first * PIECE : stop - first * PIECE]
