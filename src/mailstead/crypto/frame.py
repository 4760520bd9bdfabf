"""Frames, padding and compression of records (docs/format.md, "Frames").

The objects here belong to the thread that seals and opens: the event loop's.
"""

import contextlib
import hashlib
import struct
from importlib import resources

import zstandard

from mailstead.crypto.primitives import Octets
from mailstead.errors import UnsealError

PADDED, ZSTD, DICTIONARY, SEEKABLE = 1, 2, 4, 8
KNOWN_FLAGS = PADDED | ZSTD | DICTIONARY | SEEKABLE
BLOCK = 65536  # plain octets of one frame of a seekable content
LEVEL = 1
_WINDOW = 8 << 20
_LENGTH = struct.Struct(">Q")
_STORED = bytes.fromhex("28b52ffda0")  # magic number; one segment, its size in four octets, no checksum
_RAW_BLOCK = 128 << 10
_SEEK_MAGIC, _SEEKABLE_MAGIC = 0x184D2A5E, 0x8F92EAB1
_SEEK_ENTRY = struct.Struct("<II")
_SEEK_FOOTER = struct.Struct("<IBI")

DICTIONARY_ID = 1
DICTIONARY_SHA256 = "c7fed6646e08c66990e648d5d04d580fb867e3f352fd5dcecc45cdce28cb0f6b"


def _dictionary() -> zstandard.ZstdCompressionDict:
    octets = resources.files("mailstead.crypto").joinpath("dictionary1.bin").read_bytes()
    if hashlib.sha256(octets).hexdigest() != DICTIONARY_SHA256:
        raise UnsealError("dictionary1.bin is not the one of docs/format.md")
    dictionary = zstandard.ZstdCompressionDict(octets)
    dictionary.precompute_compress(level=LEVEL)  # pyright: ignore[reportUnknownMemberType]  # untyped
    return dictionary


_PLAIN = zstandard.ZstdCompressor(level=LEVEL)
_OPEN_PLAIN = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
_WORDS = _dictionary()
_WITH_WORDS = zstandard.ZstdCompressor(dict_data=_WORDS)
_OPEN_WITH_WORDS = zstandard.ZstdDecompressor(dict_data=_WORDS, max_window_size=_WINDOW)


def padme(length: int) -> int:
    """*length* rounded up so that it tells little of itself (Padme; PURBs, 2019)."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def frame(content: Octets) -> bytes:
    """length || content || zeros."""
    length = 8 + len(content)
    return b"".join((_LENGTH.pack(len(content)), content, bytes(padme(length) - length)))


def unframe(octets: bytes) -> bytes:
    """The content of a frame.

    Raises:
        UnsealError: its length does not fit.
    """
    if len(octets) < 8:
        raise UnsealError("the frame is short")
    (length,) = _LENGTH.unpack_from(octets)
    if length > len(octets) - 8:
        raise UnsealError("the frame is shorter than it says")
    return octets[8 : 8 + length]


def compress(octets: Octets) -> bytes:
    """One zstd frame of up to a block."""
    return _PLAIN.compress(octets)


def compress_entry(octets: Octets) -> bytes:
    """One zstd frame with the static dictionary."""
    return _WITH_WORDS.compress(octets)


def store_entry(octets: Octets) -> bytes:
    """One zstd frame that holds *octets* as they are (RFC 8878 section 3.1.1: raw blocks of 128 KiB)."""
    parts: list[Octets] = [_STORED, len(octets).to_bytes(4, "little")]
    for at in range(0, max(1, len(octets)), _RAW_BLOCK):
        block = octets[at : at + _RAW_BLOCK]
        last = at + _RAW_BLOCK >= len(octets)
        parts += [(len(block) << 3 | last).to_bytes(3, "little"), block]
    return b"".join(parts)


def decompress(octets: bytes, cap: int) -> bytes:
    """What one zstd frame holds, of *cap* octets at most.

    Raises:
        UnsealError: it is not one whole frame, or says it holds more, or lies.
    """
    return _decompress(_OPEN_PLAIN, octets, cap)


def decompress_entry(octets: bytes, cap: int = 1 << 20) -> bytes:
    """What one zstd frame with the static dictionary holds, of *cap* octets at most.

    Raises:
        UnsealError: as `decompress`.
    """
    return _decompress(_OPEN_WITH_WORDS, octets, cap)


def inflated_part(octets: Octets, most: int) -> bytes:
    """Up to *most* octets of what a zstd frame holds that begins here, as far as it can be had.

    For who looks for plaintext: nothing is checked, and nothing may be believed of it.
    """
    parts: list[bytes] = []
    with contextlib.suppress(zstandard.ZstdError):
        reader = _OPEN_WITH_WORDS.stream_reader(octets, read_size=BLOCK)
        while most > 0 and (part := reader.read(min(most, BLOCK))):
            parts.append(part)
            most -= len(part)
    return b"".join(parts)


def _decompress(decompressor: zstandard.ZstdDecompressor, octets: bytes, cap: int) -> bytes:
    try:
        parameters = zstandard.get_frame_parameters(octets)
        size = parameters.content_size
        # "Unknown" is a huge number too. Everything is checked before anything is allocated.
        if size > cap or parameters.window_size > _WINDOW:
            raise UnsealError("the compressed content is too large")
        if size == 0:
            return b""
        plain = decompressor.decompress(octets, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise UnsealError("the compressed content is damaged") from error
    if len(plain) != size:
        raise UnsealError("the compressed content lies about its size")
    return plain


def inflate(flags: int, content: bytes, cap: int) -> bytes:
    """The plain octets of a record's content that is not seekable.

    Raises:
        UnsealError: as `decompress`, or the flags make no sense.
    """
    match flags & ~PADDED:
        case 0:
            if len(content) > cap:
                raise UnsealError("the content is too large")
            return content
        case 2:
            return decompress(content, cap)
        case 6:
            return decompress_entry(content, cap)
        case _:
            raise UnsealError("the record has flags that make no sense")


def seek_table(entries: list[tuple[int, int]]) -> bytes:
    """The skippable frame at the end of a seekable content (zstd seekable format 0.1.0).

    Args:
        entries: Compressed and plain octets of each frame.
    """
    table = b"".join(_SEEK_ENTRY.pack(c, d) for c, d in entries)
    table += _SEEK_FOOTER.pack(len(entries), 0, _SEEKABLE_MAGIC)
    return struct.pack("<II", _SEEK_MAGIC, len(table)) + table


def seek_table_octets(frames: int) -> int:
    """How long the table of that many frames is."""
    return 8 + frames * _SEEK_ENTRY.size + _SEEK_FOOTER.size


def read_seek_footer(footer: bytes) -> int:
    """How many frames a content has, by its last nine octets.

    Raises:
        UnsealError: they are no footer.
    """
    if len(footer) != _SEEK_FOOTER.size:
        raise UnsealError("the seek table is missing")
    frames, descriptor, magic = _SEEK_FOOTER.unpack(footer)
    if magic != _SEEKABLE_MAGIC or descriptor != 0 or not frames:
        raise UnsealError("the seek table is damaged")
    return int(frames)


def read_seek_table(table: bytes, frames: int, size: int) -> list[tuple[int, int]]:
    """Compressed and plain octets of each frame; *size* is what they add up to in plain.

    Raises:
        UnsealError: the table does not describe a content of *size* octets in blocks.
    """
    if len(table) != seek_table_octets(frames) or frames != -(-size // BLOCK):
        raise UnsealError("the seek table has another length")
    magic, length = struct.unpack_from("<II", table)
    if magic != _SEEK_MAGIC or length != len(table) - 8:
        raise UnsealError("the seek table is damaged")
    entries = [_SEEK_ENTRY.unpack_from(table, 8 + i * _SEEK_ENTRY.size) for i in range(frames)]
    wanted = [BLOCK] * (frames - 1) + [size - BLOCK * (frames - 1)]
    if [plain for _, plain in entries] != wanted:
        raise UnsealError("the seek table lies")
    return entries
