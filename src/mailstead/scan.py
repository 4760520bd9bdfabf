"""Looking for plaintext where only ciphertext may be.

A word is looked for in whatever case, in UTF-16, in hexadecimal, in base64 at its three
alignments with its lines joined, in quoted-printable, and in all of these again in whatever any
zstd, zlib or gzip stream holds. Nothing of it uses a key.
"""

import os
import re
import stat
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mailstead.crypto.frame import inflated_part

SHORTEST = 6  # octets of a word: shorter ones are met by chance in a gigabyte of random octets
PLAIN, WIDE, HEX, BASE64, QUOTED = (
    "in whatever case", "in UTF-16", "in hexadecimal", "in base64", "in quoted-printable",
)  # fmt: skip
FORMS = (PLAIN, WIDE, HEX, f"{BASE64} at three alignments", QUOTED, "inside zstd, zlib and gzip streams")
_WINDOW = 16 << 20  # octets that are looked at together
_AHEAD = 1 << 20  # of them again with the next: no word and no stream is cut
_INFLATED = 16 << 20  # octets of one stream that are looked at
_STREAM = re.compile(rb"\x28\xb5\x2f\xfd|\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_QUOTED = re.compile(rb"=(?:\r?\n|[0-9A-Fa-f]{2})")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_UNCLEAN = (0, 2, 3)  # characters of base64 that what stands before has a part in, by alignment


class Hit(NamedTuple):
    """A word was found.

    Args:
        where: A file, or a column of a table.
        word: What it is called; the word itself may be a secret.
        form: How it was spelled, and whether inside a stream.
    """

    where: str
    word: str
    form: str


class Scan:
    """One search: add to it what is to be looked at, and read what was found.

    Args:
        words: By the names that they are told by; of `SHORTEST` octets at least.

    Attributes:
        hits: How often each was met, at least.
        files, octets, streams: What was looked at; streams: how many could be inflated.
        nameless: How many of the files have no name any more.
        unread: What could not be looked at, and why.
    """

    def __init__(self, words: Mapping[str, bytes]) -> None:
        assert all(len(word) >= SHORTEST for word in words.values())
        self._text: list[tuple[str, str, bytes]] = []
        self._coded: list[tuple[str, bytes]] = []
        for name, word in words.items():
            self._text += [(name, form, needle) for form, needle in _as_text(word)]
            self._coded += [(name, needle) for needle in _as_base64(word)]
        self.hits: Counter[Hit] = Counter()
        self.files = self.octets = self.streams = self.nameless = 0
        self.unread: dict[str, str] = {}

    def look(self, where: str, octets: bytes) -> None:
        """Look at *octets*, and at what the streams that begin in them hold."""
        self.octets += len(octets)
        self._look(where, octets, "")
        view = memoryview(octets)  # random octets look like the beginning of a stream every 16 KiB
        for found in _STREAM.finditer(octets):
            plain = _inflated(view[found.start() : found.start() + _AHEAD])
            if plain:
                self.streams += 1
                self._look(where, plain, " inside a stream")

    def _look(self, where: str, octets: bytes, how: str) -> None:
        text = octets.lower()
        for name, form, needle in self._text:
            if needle in text:
                self.hits[Hit(where, name, form + how)] += text.count(needle)
        coded = octets.translate(_URL_SAFE, b"\r\n")
        for name, needle in self._coded:
            if needle in coded:
                self.hits[Hit(where, name, BASE64 + how)] += coded.count(needle)
        if b"=" in octets:
            plain = _QUOTED.sub(_unquoted, octets).lower()
            for name, form, needle in self._text:
                if form == PLAIN and plain.count(needle) > text.count(needle):
                    self.hits[Hit(where, name, QUOTED + how)] += plain.count(needle)

    def file(self, path: Path, where: str | None = None) -> None:
        """Look at a file, a part at a time; one that is gone meanwhile holds nothing any more."""
        where = where or str(path)
        tail = b""
        try:
            with path.open("rb") as opened:
                self.files += 1
                while piece := opened.read(_WINDOW):
                    self.look(where, tail + piece)
                    self.octets -= len(tail)
                    tail = piece[-_AHEAD:]
        except FileNotFoundError:
            pass
        except OSError as error:
            self.unread[where] = error.strerror or str(error)

    def below(self, *places: Path) -> None:
        """Look at files, and at every file below folders; links are not followed."""
        for place in places:
            if not place.is_dir():
                self.file(place)
                continue
            for folder, _, names in os.walk(place, onerror=self._unread):
                for path in (Path(folder, name) for name in sorted(names)):
                    if _is_file(path):
                        self.file(path)

    def _unread(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.unread[str(error.filename)] = error.strerror or str(error)

    def deleted(self, pid: int) -> None:
        """Look at the files that have no name any more and that a process still has open."""
        folder = Path(f"/proc/{pid}/fd")
        try:
            opened = list(folder.iterdir())
        except FileNotFoundError:
            return  # it has ended
        except OSError as error:
            self.unread[str(folder)] = error.strerror or str(error)
            return
        for link in opened:
            try:
                name = os.readlink(link)
            except OSError:
                continue  # it was closed
            # What is in memory only is no file: keys lie there.
            if name.endswith(" (deleted)") and not name.startswith(("/memfd:", "/secretmem")):
                self.nameless += 1
                self.file(link, f"{link}, {name}")


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _as_text(word: bytes) -> Iterator[tuple[str, bytes]]:
    """Forms of a word, in lower case."""
    text = word.decode("utf-8", "replace")
    spelled = {text, text.lower(), text.upper()}  # case of other letters than ASCII is theirs
    for form in {word.lower(), *(one.encode().lower() for one in spelled)}:
        yield PLAIN, form
    for form in {one.encode("utf-16-le").lower() for one in spelled}:
        yield WIDE, form
    yield HEX, word.hex().encode()
    yield HEX, word.lower().hex().encode()


def _as_base64(word: bytes) -> Iterator[bytes]:
    """What base64 always makes of a word, whatever stands around it."""
    for form in {word, word.lower(), word.upper()}:
        for shift, start in enumerate(_UNCLEAN):
            whole = (shift + len(form)) % 3 == 0
            coded = b64encode(bytes(shift) + form).rstrip(b"=")
            yield coded[start:] if whole else coded[start:-1]


def _unquoted(found: "re.Match[bytes]") -> bytes:
    coded = found[0][1:]
    return b"" if coded.endswith(b"\n") else bytes.fromhex(coded.decode())


def _inflated(octets: memoryview) -> bytes:
    """What a stream holds that begins here, as far as it goes; nothing when there is none."""
    if bytes(octets[:4]) == b"\x28\xb5\x2f\xfd":
        return inflated_part(octets, _INFLATED)
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(octets, _INFLATED)
    except zlib.error:
        return b""
