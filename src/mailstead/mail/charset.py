"""Character sets of mail: a list of those that are decoded, and nothing by name of a codec.

Python would decode "unicode_escape" or "punycode" if a sender asked for it; here what is not on
the list is read as UTF-8 with replacement, as is what says US-ASCII: what it has in either is found.
"""

import codecs
from collections.abc import Iterable, Iterator

_FAMILY = {
    "utf-8": "utf-8", "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "utf-32": "utf-32", "utf-32le": "utf-32-le", "utf-32be": "utf-32-be",
    "iso-2022-jp": "iso2022_jp", "iso-2022-jp-1": "iso2022_jp_1", "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-kr": "iso2022_kr", "hz-gb-2312": "hz",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "euc-jp": "euc_jp", "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "windows-949": "cp949",
    "johab": "johab",
    "gb2312": "gb18030", "x-gbk": "gb18030", "cp936": "gb18030",
    "gbk": "gb18030", "gb18030": "gb18030", "big5": "cp950", "big5-hkscs": "big5hkscs", "koi8-r": "koi8_r",
    "koi8-u": "koi8_u", "koi8-t": "koi8_t", "macintosh": "mac_roman", "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic", "tis-620": "cp874", "ptcp154": "ptcp154", "hp-roman8": "hp_roman8",
    "latin1": "iso8859_1", "latin-1": "iso8859_1", "l1": "iso8859_1", "iso_8859-1": "iso8859_1",
    "iso8859-1": "iso8859_1", "iso8859-15": "iso8859_15",
    "iso-8859-8-i": "iso8859_8", "iso-8859-8-e": "iso8859_8", "iso-8859-6-i": "iso8859_6",
    **{f"iso-8859-{n}": f"iso8859_{n}" for n in (*range(1, 12), *range(13, 17))},
    **{f"windows-{n}": f"cp{n}" for n in (874, *range(1250, 1259))},
    **{
        f"{name}{n}": f"cp{n}"
        for name in ("cp", "ibm")
        for n in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869)
    },
    **{f"cp{n}": f"cp{n}" for n in (874, *range(1250, 1259))},
}  # fmt: skip


# Not in pieces: Python's decoder of the one wants a byte order mark, that of the other keeps too little.
_WHOLE = ("utf-16", "utf-32", "hz", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_kr")


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
