"""Character sets of mail: a list of those that are decoded, and nothing by name of a codec.

Python would decode "unicode_escape" or "punycode" if a sender asked for it; here what is not on
the list is read as UTF-8 with replacement, as is what says US-ASCII: what it has in either is found.
"""

import codecs
from collections.abc import Iterable, Iterator

_FAMILY = {
    "utf-8": "utf-8", "utf8": "utf-8",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "iso-2022-jp": "iso2022_jp", "shift_jis": "shift_jis", "shift-jis": "shift_jis",
    "euc-jp": "euc_jp", "euc-kr": "euc_kr", "ks_c_5601-1987": "cp949", "gb2312": "gb18030",
    "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5", "koi8-r": "koi8_r",
    "koi8-u": "koi8_u", "macintosh": "mac_roman", "tis-620": "cp874",
    **{f"iso-8859-{n}": f"iso8859_{n}" for n in (*range(1, 12), *range(13, 17))},
    **{f"windows-{n}": f"cp{n}" for n in (874, *range(1250, 1259))},
}  # fmt: skip


# Not in pieces: Python's decoder of the one wants a byte order mark, that of the other keeps too little.
_WHOLE = ("utf-16", "iso2022_jp")


def decode(octets: bytes, charset: bytes | None) -> str:
    """*octets* as text; what cannot be decoded is replaced, never refused."""
    return octets.decode(_codec(charset), "replace")


def decode_pieces(pieces: Iterable[bytes], charset: bytes | None) -> Iterator[str]:
    """What `decode` makes of all *pieces*, a piece at a time."""
    codec = _codec(charset)
    if codec in _WHOLE:
        yield b"".join(pieces).decode(codec, "replace")
        return
    decoder = codecs.getincrementaldecoder(codec)("replace")
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _codec(charset: bytes | None) -> str:
    name = (charset or b"us-ascii")[:40].decode("ascii", "replace").strip().lower()
    return _FAMILY.get(name, "utf-8")
