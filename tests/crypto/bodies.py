"""Bodies as tests make and read them."""

from mailstead.crypto.body import BodyBuilder
from mailstead.crypto.sealed import Sealed
from mailstead.crypto.unseal import BodyReader, RecordName, open_body
from mailstead.errors import UnsealError


def built(octets: bytes, compress: str = "all", piece: int = 5000):
    builder = BodyBuilder(compress)  # type: ignore[arg-type]
    content = b""
    for at in range(0, len(octets), piece):
        builder.push(octets[at : at + piece])
        content += builder.take()
    builder.finish()
    content += builder.take()
    return builder.prepared(lambda: [content[i : i + 1000] for i in range(0, len(content), 1000)])


def read_body(key: bytes, name: RecordName, extents: list[bytes], size: int, start: int, stop: int) -> bytes:
    """In parts; a small body that is wanted whole in one go too, with the same answer."""
    if size > 65536 or (start, stop) != (0, size):
        return in_parts(key, name, extents, size, start, stop)
    try:
        octets = open_body(key, name, Sealed(b"".join(extents)), size)
    except UnsealError:
        in_parts(key, name, extents, size, start, stop)  # raises too
        raise AssertionError("only one of them was refused") from None
    assert in_parts(key, name, extents, size, start, stop) == octets
    return octets


def in_parts(key: bytes, name: RecordName, extents: list[bytes], size: int, start: int, stop: int) -> bytes:
    sealed = [Sealed(e) for e in extents]
    body = BodyReader(key, name, sealed[0], sum(map(len, extents)), size)
    table = body.needs_table()
    if table is not None:
        body.take_table(sealed[table.start : table.stop])
    parts = []
    for block in body.blocks(start, stop):
        needed = body.needs(block)
        plain = body.read(block, needed.start, sealed[needed.start : needed.stop])
        parts.append(plain[max(0, start - block * 65536) : stop - block * 65536])
    return b"".join(parts)
