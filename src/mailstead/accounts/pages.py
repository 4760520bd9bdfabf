"""A page: the packed entries of up to 256 messages, in two column groups (docs/format.md, "Pages")."""

import struct
from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping

from mailstead.errors import UnsealError
from mailstead.mail.mailbox import Uid
from mailstead.store.numbers import PAGE_MESSAGES

VERSION = 1
PAGE_CAP = 4 << 20  # decoded octets of one column group

_PAGE = struct.Struct(">BBH")  # version, group, entries
_INDEX = struct.Struct(">IQ")  # uid, where its entry ends


def merge(content: bytes | None, group: int, added: Mapping[Uid, bytes], without: set[Uid]) -> bytes | None:
    """A page's content with packed entries *added* and those in *without* left out.

    Entries that stay are copied as they are, neither inflated nor compressed again. None when
    nothing is left.
    """
    entries = {} if content is None else split(group, content)
    entries.update(added)
    kept = {uid: octets for uid, octets in entries.items() if uid not in without}
    return _encode(group, kept) if kept else None


def split(group: int, content: bytes, wanted: Container[int] | None = None) -> dict[Uid, bytes]:
    """The packed entries of a page by UID; all, or those that are *wanted*.

    Raises:
        UnsealError: the page is malformed, or of the other group.
    """
    base = start = _index_end(group, content)
    entries: dict[Uid, bytes] = {}
    last = 0
    for uid, offset in _INDEX.iter_unpack(content[_PAGE.size : base]):
        end = base + offset
        if uid <= last or end < start or end > len(content):
            raise UnsealError("page index is wrong")
        if wanted is None or uid in wanted:
            entries[uid] = content[start:end]
        last, start = uid, end
    if start != len(content):
        raise UnsealError("page has octets left over")
    return entries


def pick(group: int, content: bytes, wanted: Iterable[int]) -> dict[Uid, bytes]:
    """What `split` gives for a few: they are looked up, and the rest of the index is not looked at.

    Raises:
        UnsealError: as `split`, as far as it is looked at.
    """
    base = _index_end(group, content)
    count = (base - _PAGE.size) // _INDEX.size
    entries: dict[Uid, bytes] = {}
    for uid in sorted(wanted):
        at = bisect_left(range(count), uid, key=lambda n: _entry(content, n)[0])
        if at == count or _entry(content, at)[0] != uid:
            continue
        start = base + (_entry(content, at - 1)[1] if at else 0)
        end = base + _entry(content, at)[1]
        if not base <= start <= end <= len(content):
            raise UnsealError("page index is wrong")
        entries[Uid(uid)] = content[start:end]
    return entries


def _entry(content: bytes, number: int) -> tuple[int, int]:
    return _INDEX.unpack_from(content, _PAGE.size + number * _INDEX.size)


def _index_end(group: int, content: bytes) -> int:
    """Where the entries of a page begin."""
    if len(content) < _PAGE.size or len(content) > PAGE_CAP:
        raise UnsealError("page has no head")
    version, found, count = _PAGE.unpack_from(content)
    end = int(_PAGE.size + count * _INDEX.size)
    if version != VERSION or found != group or count > PAGE_MESSAGES or end > len(content):
        raise UnsealError("page head is wrong")
    return end


def _encode(group: int, entries: Mapping[Uid, bytes]) -> bytes:
    uids = sorted(entries)
    index: list[bytes] = []
    end = 0
    for uid in uids:
        end += len(entries[uid])
        index.append(_INDEX.pack(uid, end))
    head = _PAGE.pack(VERSION, group, len(uids))
    return b"".join([head, *index, *(entries[uid] for uid in uids)])
